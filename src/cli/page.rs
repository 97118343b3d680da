//! `regatta report --format html`.

use std::io::IsTerminal as _;
use std::path::Path;

use super::destination::Destination;
use super::options::SelectedRuns;
use super::ui::Ui;
use crate::error::{Error, Result};
use crate::experiment::setup;
use crate::files::{self, OutputFile};
use crate::store::LogTree;
use crate::study::{ArmRun, Beside, Pooling};
use crate::survey::Stand;
use crate::view::PageMask;
use crate::view::page::{Page, PageOf, Shown};

/// Where a page goes, and what counts as a pass in it.
pub struct PageTo<'a> {
    pub output: Option<&'a Path>,
    pub bundle: Option<&'a Path>,
    pub is_strict: bool,
}

/// Writes the page, trial by trial: into one file, or into a directory.
pub fn write(found: &SelectedRuns, to: &PageTo<'_>, ui: &Ui) -> Result<()> {
    let Some(dir) = to.bundle else {
        return write_file(found, to, ui);
    };
    let dir = &std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    refuse_taken(dir)?;
    files::create_tree(dir, |inside| {
        let mut file = OutputFile::begin(&inside.join("index.html"))?;
        fill(found, to, Some(inside), |text| file.write(text.as_bytes()))?;
        file.finish()
    })
    .map_err(Error::into_usage)?;
    ui.say(format!("wrote {}", dir.join("index.html").display()));
    Ok(())
}

fn write_file(found: &SelectedRuns, to: &PageTo<'_>, ui: &Ui) -> Result<()> {
    if to.output.is_none() && std::io::stdout().is_terminal() {
        return Err(Error::usage("a page is no text for a terminal")
            .hint("name the file: `regatta report --format html -o report.html`"));
    }
    let mut out = Destination::of(to.output, ui)?;
    fill(found, to, None, |text| out.write(text).map(drop))?;
    out.finish()
}

/// Refuses a directory in which there is something: a page would be mixed with it.
fn refuse_taken(dir: &Path) -> Result<()> {
    if !dir.exists() || dir.is_dir() && files::list(dir)?.is_empty() {
        return Ok(());
    }
    Err(Error::usage(format!("{} is there already", dir.display()))
        .hint("name a directory that is not there, or remove it first"))
}

fn fill(
    found: &SelectedRuns,
    to: &PageTo<'_>,
    bundle: Option<&Path>,
    out: impl FnMut(&str) -> Result<()>,
) -> Result<()> {
    let of = PageOf {
        title: title(&setup::log_tree(&found.config)),
        dataset: setup::dataset_alone(&found.config).ok(),
        mask: PageMask::of_environment(),
        bundle: bundle.map(Path::to_owned),
    };
    let mut page = Page::begin(of, out)?;
    let mut runs = Vec::new();
    for run in &found.runs {
        let stand = Stand::read(run, &found.rules, &found.prices)?;
        let repeat = stand.manifest.as_ref().and_then(|it| it.repeat);
        let rows = page.add(run, stand, to.is_strict)?;
        runs.push(ArmRun {
            name: run.name().clone(),
            repeat: repeat.map(u64::from),
            rows,
            beside: Beside::default(),
        });
    }
    page.finish(Shown::of(runs, &pooling(found)))
}

/// How the runs of a page become arms: comparable or not, it shows what there is.
pub fn pooling(found: &SelectedRuns) -> Pooling {
    let order = found.config.arm_names().into_iter();
    Pooling {
        is_mixed: true,
        groups: found.config.groups.clone(),
        order: order.map(str::to_owned).collect(),
        ..Pooling::default()
    }
}

/// What a page is called: the directory of the runs, and the one above it.
pub fn title(tree: &LogTree) -> String {
    let names = tree.path().components().rev().take(2);
    let mut names: Vec<_> = names.map(|it| it.as_os_str().to_string_lossy()).collect();
    names.reverse();
    names.join("/")
}
