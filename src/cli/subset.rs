//! `regatta subset`.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};

use super::options::{ConfigSource, Places, set};
use super::picking::PairArgs;
use super::ui::Ui;
use crate::bench::sample::Sample;
use crate::demo;
use crate::error::{Error, Result, exit};
use crate::experiment::choice::{Choice, Chosen, PairSource, told};
use crate::experiment::setup;
use crate::files;
use crate::hint;
use crate::store::SubsetRef;
use crate::store::dataset::DatasetDir;
use crate::store::made_subset::{MadeSubset, Selection, Written};
use crate::store::subset_ref::with_ending;
use crate::text::plural;
use crate::version::VERSION;

const EXAMPLES: &str = "\
Examples:
  regatta subset --sample 20 --seed 7 -o mine        # 20 pairs of the dataset, in mine.json
  regatta subset --from lite --per-task 1 --gradeable -o sound
  regatta subset --repo dspy > dspy.json             # all pairs of a repository
  regatta subset --list pairs.txt --into-dataset hard";

/// What stdin is called.
const STDIN: &str = "-";

/// Make a subset for `run -s`: chosen, sampled or listed pairs
///
/// The file is in upstream's form, and upstream's `-s` takes it by its absolute path without .json.
/// The same seed draws the same pairs on every machine, and a larger sample has all of a smaller one.
/// Only a file that this command made is replaced.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(group = ArgGroup::new("drawn").args(["sample", "per_task"]).multiple(true))]
pub struct SubsetArgs {
    /// Choose from this subset: a name in the dataset's subsets/, or the path of a file [default: every
    /// pair of the dataset]
    #[arg(long, value_name = "NAME", conflicts_with = "list")]
    from: Option<String>,
    /// Choose from a list with a pair a line, e.g. `dspy/8394/f3_f5`; - reads stdin, and # begins a
    /// comment
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Only pairs with features that can be graded, by what `regatta eval --gold` found
    #[arg(long)]
    gradeable: bool,
    /// At most K pairs of each task, drawn by the seed
    #[arg(long, value_name = "K", value_parser = pairs)]
    per_task: Option<usize>,
    /// N pairs in all, drawn by the seed
    #[arg(long, value_name = "N", value_parser = pairs)]
    sample: Option<usize>,
    /// The seed, a whole number [default: 0]
    #[arg(long, value_name = "SEED", value_parser = seed, requires = "drawn")]
    seed: Option<u64>,
    /// Write to this file instead of stdout; .json is added if it is missing
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,
    /// Write to the dataset's subsets/NAME.json, for `-s NAME`
    #[arg(long, value_name = "NAME", conflicts_with = "output")]
    into_dataset: Option<String>,
    /// The dataset [default: dataset/ in the checkout]
    #[arg(long, value_name = "DIR")]
    dataset_dir: Option<String>,
    #[command(flatten)]
    picked: PairArgs,
    #[command(flatten)]
    source: ConfigSource,
    #[command(flatten)]
    places: Places,
}

/// A number of pairs.
fn pairs(text: &str) -> std::result::Result<usize, &'static str> {
    text.parse()
        .map_err(|_| "a number of pairs is wanted, e.g. 20")
}

fn seed(text: &str) -> std::result::Result<u64, &'static str> {
    text.parse()
        .map_err(|_| "a whole number from 0 is wanted, e.g. 7")
}

pub fn run(args: &SubsetArgs, ui: &Ui) -> Result<u8> {
    let mut layers = args.source.layers()?;
    args.places.apply(&mut layers)?;
    let flag = args.dataset_dir.as_ref();
    set(&mut layers, "upstream.dataset_dir", "--dataset-dir", flag)?;
    let config = layers.config()?;
    let dataset = DatasetDir::open(setup::dataset_alone(&config)?)?;
    // What cannot be written is said before anything is chosen.
    let is_builtin = config.upstream.dataset_dir.as_deref() == Some(Path::new(demo::BUILTIN));
    let to = args.target(is_builtin)?;
    let choice = args.choice()?;
    let logs = setup::log_tree(&config);
    let chosen = choice.choose(&dataset, logs.path())?;
    let name = to.as_ref().map(SubsetRef::name);
    let made = made(&choice, &chosen, name.as_deref().unwrap_or("subset"), args);
    let Some(to) = to else {
        ui.data(&made.text())?;
        ui.say(summary(&choice, &chosen));
        return Ok(exit::OK);
    };
    let path = to.path(dataset.path());
    if let SubsetRef::Named(_) = &to {
        files::create_dir(&dataset.path().join("subsets")).map_err(Error::into_usage)?;
    }
    let written = match made.write(&path)? {
        Written::New => "wrote",
        Written::Replaced => "replaced",
    };
    let shown = shown(&path);
    ui.say(format!("{written} {shown}: {}", summary(&choice, &chosen)));
    let typed = match &to {
        SubsetRef::Named(name) => name.clone(),
        SubsetRef::File(_) => shown,
    };
    let typed = shlex::try_quote(&typed).unwrap_or_default();
    let next = hint::command(&format!("run -s {typed} --dry-run"));
    ui.to_copy(format!("next: `{next}`"));
    let of_upstream = to.of_upstream();
    let of_upstream = shlex::try_quote(&of_upstream).unwrap_or_default();
    ui.to_copy(format!("upstream takes it as `-s {of_upstream}`"));
    Ok(exit::OK)
}

impl SubsetArgs {
    /// Where the subset goes; none for stdout.
    fn target(&self, is_builtin: bool) -> Result<Option<SubsetRef>> {
        if let Some(name) = &self.into_dataset {
            let is_allowed = |c: char| c.is_alphanumeric() || "._-+@".contains(c);
            if name.is_empty() || name.starts_with('.') || !name.chars().all(is_allowed) {
                let told = format!(
                    "--into-dataset {}: no name of a subset",
                    name.escape_debug()
                );
                return Err(Error::usage(told)
                    .hint("letters, digits, `.`, `_` and `-`; -o writes to a path"));
            }
            if is_builtin {
                return Err(
                    Error::usage("--into-dataset: the demo's dataset is built in")
                        .hint("-o writes to a file, which `-s` takes by its path"),
                );
            }
            let name = name.strip_suffix(".json").unwrap_or(name);
            return Ok(Some(SubsetRef::Named(name.to_owned())));
        }
        let Some(file) = self.output.as_ref().filter(|file| *file != STDIN) else {
            return Ok(None);
        };
        if Path::new(file).is_dir() {
            return Err(Error::usage(format!("-o {file}: it is a directory"))
                .hint("name the file, such as `mine.json` in it"));
        }
        let path = with_ending(file);
        Ok(Some(SubsetRef::File(path)))
    }

    fn choice(&self) -> Result<Choice> {
        let from = match (&self.list, &self.from) {
            (Some(path), _) => list(path)?,
            (None, Some(name)) => PairSource::Subset(name.clone()),
            (None, None) => PairSource::Dataset,
        };
        Ok(Choice {
            from,
            filter: self.picked.filter(None),
            gradeable: self.gradeable,
            sample: Sample {
                seed: self.seed.unwrap_or_default(),
                per_task: self.per_task,
                count: self.sample,
            },
        })
    }
}

/// The list of a file or of stdin.
fn list(path: &Path) -> Result<PairSource> {
    if path != Path::new(STDIN) {
        let text = files::read_text(path).map_err(|error| {
            error
                .into_usage()
                .hint("--list - reads the list from stdin")
        })?;
        let name = path.display().to_string();
        return Ok(PairSource::List { name, text });
    }
    let mut text = String::new();
    let read = std::io::stdin()
        .take(files::MAX_INPUT)
        .read_to_string(&mut text);
    read.map_err(|error| Error::usage(format!("the list on stdin cannot be read: {error}")))?;
    let name = "stdin".to_owned();
    Ok(PairSource::List { name, text })
}

/// The subset's file, with how it came to be.
fn made(choice: &Choice, chosen: &Chosen, name: &str, args: &SubsetArgs) -> MadeSubset {
    let seed = (args.sample.is_some() || args.per_task.is_some()).then_some(choice.sample.seed);
    let selection = Selection {
        made_by: format!("regatta {VERSION}"),
        from: choice.from.told(),
        picked: choice.filter.typed(),
        gradeable: choice.gradeable,
        per_task: args.per_task,
        sample: args.sample,
        digest: String::new(),
    };
    let drawn = seed.map_or_else(String::new, |seed| format!(", drawn by seed {seed}"));
    let description = format!(
        "{} of {}{drawn}",
        plural(chosen.pairs.len(), "pair"),
        choice.from.told()
    );
    MadeSubset::new(name, &description, &chosen.pairs, seed, selection)
}

/// What it has, and what was left out.
fn summary(choice: &Choice, chosen: &Chosen) -> String {
    let tasks: BTreeSet<_> = chosen.pairs.iter().map(|pair| &pair.task).collect();
    let repos: BTreeSet<_> = tasks.iter().map(|task| &task.repo).collect();
    let count = |count: usize, one: &str, more: &str| {
        format!("{count} {}", crate::text::by_number(count, one, more))
    };
    let mut text = format!(
        "{} of {} in {}",
        plural(chosen.pairs.len(), "pair"),
        plural(tasks.len(), "task"),
        count(repos.len(), "repository", "repositories"),
    );
    if let Some(left_out) = told(&chosen.left_out) {
        text = format!(
            "{text}\nof {} of {}; {left_out}",
            plural(chosen.of, "pair"),
            choice.from.told()
        );
    }
    text
}

/// A path as it is typed from here.
fn shown(path: &Path) -> String {
    files::from_here(path).display().to_string()
}
