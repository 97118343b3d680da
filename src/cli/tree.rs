//! Which log tree a command reads: the configured one, or `./logs` where only that has runs. The
//! demo's runs are there, and whoever looks at them next has typed no flag.

use std::path::Path;

use super::ui::Ui;
use crate::config::{Config, Layers};
use crate::demo;
use crate::error::{Error, Kind, Result};
use crate::experiment::setup::log_tree;
use crate::files;
use crate::hint;
use crate::store::{LogTree, Manifest, RunDir};
use crate::text::plural;

/// The log tree of the working directory, as the demo's profile names it.
const HERE: &str = "logs";

/// The configuration of a command that reads a log tree, with the tree that has the runs. What is
/// taken, or passed over, is said. A tree that the user named is never replaced.
pub fn config(layers: &Layers, ui: &Ui) -> Result<Config> {
    let (config, said) = chosen(layers)?;
    if let Some(said) = said {
        ui.say(said);
    }
    Ok(config)
}

/// The same, with what is to be said of it.
pub fn chosen(layers: &Layers) -> Result<(Config, Option<String>)> {
    let mut config = layers.config()?;
    let Some(Other { tree: here, runs }) = other(layers, &config) else {
        return Ok((config, None));
    };
    let is_demos = are_demos(&runs);
    let runs = plural(runs.len(), "run");
    let configured = log_tree(&config);
    let shown = files::from_here(configured.path());
    let shown = shown.display();
    let said = if configured.runs()?.is_empty() {
        let told = if is_demos {
            format!("{runs} of the demo (--profile demo has its dataset and settings)")
        } else {
            format!("{runs} (--logs-dir names another tree)")
        };
        config.upstream.logs_dir = Some(here.path().to_owned());
        format!("no runs under {shown}: reading ./{HERE}, which has {told}")
    } else {
        format!("reading {shown}; ./{HERE} has {runs} too, which --logs-dir {HERE} reads")
    };
    Ok((config, Some(said)))
}

/// Says that `./logs` is left alone by a command that removes something: it touches no tree but the
/// configured one.
pub fn say_untouched(layers: &Layers, config: &Config, ui: &Ui) {
    if let Some(Other { runs, .. }) = other(layers, config) {
        let runs = plural(runs.len(), "run");
        let command = hint::command(&format!("clean --logs-dir {HERE}"));
        ui.say(format!(
            "./{HERE} has {runs} and is not looked at; `{command}` does"
        ));
    }
}

/// Whether any of these runs is of the demo: its model is known by its endpoint.
fn are_demos(runs: &[RunDir]) -> bool {
    let is_demos = |run: &RunDir| {
        // A manifest that cannot be read is told of where the run is.
        let manifest = Manifest::read(run).ok().flatten();
        manifest.is_some_and(|it| it.api_base.as_deref() == Some(demo::BUILTIN))
    };
    runs.iter().any(is_demos)
}

/// An error of a command on these runs. Where they are of the demo, and the command has another
/// dataset, that is what to mend.
pub fn mend(error: Error, command: &str, config: &Config, runs: &[RunDir]) -> Error {
    let dataset = config.upstream.dataset_dir.as_ref();
    let is_demos = dataset.is_some_and(|dir| dir.as_os_str() == demo::BUILTIN);
    if error.kind() != Kind::Usage || is_demos || !are_demos(runs) {
        return error;
    }
    let command = hint::command(&format!("{command} --profile demo"));
    Error::usage(error.to_string()).hint(format!(
        "these runs are of the demo, whose dataset comes with its profile: `{command}`"
    ))
}

/// The trees in which the first run may come: the configured one, and `./logs` where a command without
/// a flag would take that. Where none of them can be made, that is an error.
pub fn awaited(layers: &Layers, config: &Config) -> Result<Vec<LogTree>> {
    let configured = log_tree(config);
    let here = beside(layers, config);
    let can_come = |tree: &LogTree| tree.path().parent().is_none_or(Path::is_dir);
    let mut trees = vec![configured.clone()];
    trees.extend(here);
    trees.retain(|tree| tree.path().is_dir() || can_come(tree));
    if trees.is_empty() {
        let root = files::from_here(configured.path());
        return Err(Error::usage(format!(
            "no runs under {}, and the directory above it is not there",
            root.display()
        ))
        .hint("make it, or name another tree by --logs-dir"));
    }
    Ok(trees)
}

/// A tree that is not the configured one, with its runs: at least one.
struct Other {
    tree: LogTree,
    runs: Vec<RunDir>,
}

/// `./logs`, where it has runs and neither is the configured tree nor was passed over by a flag or a
/// key that names one.
fn other(layers: &Layers, config: &Config) -> Option<Other> {
    let tree = beside(layers, config)?;
    // Nobody asked for it: where it cannot be read, nothing is said of it.
    let runs = tree.runs().ok()?;
    (!runs.is_empty()).then_some(Other { tree, runs })
}

/// The same, with runs or without.
fn beside(layers: &Layers, config: &Config) -> Option<LogTree> {
    let is_named = layers.list().any(|(key, _, origin)| {
        key == "upstream.logs_dir"
            || key == "upstream.cooperbench_dir" && origin == "--cooperbench-dir"
    });
    let tree = LogTree::at(std::path::absolute(HERE).ok()?);
    (!is_named && log_tree(config).path() != tree.path()).then_some(tree)
}
