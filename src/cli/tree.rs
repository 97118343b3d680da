//! Which log tree a command reads: the configured one, or `./logs` where only that has runs. The
//! demo's runs are there, and whoever looks at them next has typed no flag.

use super::ui::Ui;
use crate::config::{Config, Layers};
use crate::error::Result;
use crate::experiment::setup::log_tree;
use crate::files;
use crate::hint;
use crate::store::LogTree;
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
    let Some((here, runs)) = other(layers, &config) else {
        return Ok((config, None));
    };
    let configured = log_tree(&config);
    let shown = files::from_here(configured.path());
    let shown = shown.display();
    let said = if configured.runs()?.is_empty() {
        config.upstream.logs_dir = Some(here.path().to_owned());
        format!(
            "no runs under {shown}: reading ./{HERE}, which has {runs} (--logs-dir names another tree)"
        )
    } else {
        format!("reading {shown}; ./{HERE} has {runs} too, which --logs-dir {HERE} reads")
    };
    Ok((config, Some(said)))
}

/// Says that `./logs` is left alone by a command that removes something: it touches no tree but the
/// configured one.
pub fn say_untouched(layers: &Layers, config: &Config, ui: &Ui) {
    if let Some((_, runs)) = other(layers, config) {
        let command = hint::command(&format!("clean --logs-dir {HERE}"));
        ui.say(format!(
            "./{HERE} has {runs} and is not looked at; `{command}` does"
        ));
    }
}

/// `./logs` and its number of runs, where it has any and neither is the configured tree nor was
/// passed over by a flag or a key that names one.
fn other(layers: &Layers, config: &Config) -> Option<(LogTree, String)> {
    let is_named = layers.list().any(|(key, _, origin)| {
        key == "upstream.logs_dir"
            || key == "upstream.cooperbench_dir" && origin == "--cooperbench-dir"
    });
    let here = LogTree::at(std::path::absolute(HERE).ok()?);
    if is_named || log_tree(config).path() == here.path() {
        return None;
    }
    // Nobody asked for it: where it cannot be read, nothing is said of it.
    match here.runs().ok()?.len() {
        0 => None,
        runs => Some((here, plural(runs, "run"))),
    }
}
