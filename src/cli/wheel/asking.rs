//! What the four commands share: their flags, and how they ask and show the answer.

use clap::Args;

use super::target::{GoingTarget, Target, at_rest, find, hand};
use crate::bench::RunName;
use crate::cli::options::{ConfigSource, Places};
use crate::cli::tree;
use crate::cli::ui::Ui;
use crate::config::Layers;
use crate::error::{Error, Result};
use crate::experiment::setup::log_tree;
use crate::hint;
use crate::json;
use crate::store::wheel::{Answer, Ask, WheelRequest};
use crate::text::{NAME, one_line, plural};

/// The flags of the four commands.
#[derive(Debug, Args)]
pub struct WheelArgs {
    /// Print the answer as one JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    source: ConfigSource,
    #[command(flatten)]
    places: Places,
}

impl WheelArgs {
    /// The layers below a command's own flags.
    pub fn layers(&self) -> Result<Layers> {
        let mut layers = self.source.layers()?;
        self.places.apply(&mut layers)?;
        Ok(layers)
    }
}

/// The one run that is named, if one is.
pub fn run_name(names: &[String]) -> Result<Option<RunName>> {
    match names {
        [] => Ok(None),
        [name] => name.parse().map(Some),
        [_, others @ ..] => Err(Error::usage(format!(
            "{} are named, and one command is asked: {}",
            plural(names.len(), "run"),
            others.join(", ")
        ))
        .hint("it does it for all its runs: name one of them")),
    }
}

/// Asks the command that runs this run, or the only one there is, and shows its answer; a refusal is
/// an error.
pub fn ask(args: &WheelArgs, run: Option<&RunName>, ask: Ask, ui: &Ui) -> Result<Answer> {
    let config = tree::config(&args.layers()?, ui)?;
    let word = match ask {
        Ask::Pause => "pause",
        Ask::Resume => "resume",
        Ask::Cancel { .. } => "cancel",
        Ask::Set { .. } => "set",
    };
    match find(&log_tree(&config), run, word)? {
        Target::Going(target) => ask_target(args, &target, run, ask, ui),
        Target::AtRest(run) => Err(at_rest(&run)),
    }
}

/// The same of a command that was found.
pub fn ask_target(
    args: &WheelArgs,
    target: &GoingTarget,
    run: Option<&RunName>,
    ask: Ask,
    ui: &Ui,
) -> Result<Answer> {
    let is_of_pairs = matches!(&ask, Ask::Cancel { pairs } if !pairs.is_empty());
    let request = WheelRequest {
        ask,
        run: run.cloned(),
        by: hand(),
    };
    if let Some(holder) = target.asked_by_files() {
        ui.say(format!(
            "{} is asked by a file, which takes some seconds",
            one_line(holder, NAME)
        ));
    }
    let answer = target.ask(&request)?;
    if args.json {
        ui.data(&format!("{}\n", json::line(&answer)))?;
    }
    // What another process says is another's text, and names commands that want our flags.
    let said = answer.said.iter();
    let said: Vec<String> = said
        .map(|text| hint::in_text(&one_line(text, 4 * NAME)))
        .collect();
    if !answer.done {
        let error = Error::usage(said.join("; "));
        let hint = answer.hint.as_ref();
        return Err(match hint {
            Some(hint) => error.hint(hint::in_text(&one_line(hint, 4 * NAME))),
            None => error,
        });
    }
    if !args.json {
        let whose = whose(&answer, is_of_pairs);
        let lines = said.iter().map(|text| format!("{whose}{text}\n"));
        ui.data(&lines.collect::<String>())?;
    }
    Ok(answer)
}

/// The beginning of a line, which says whose it is: the run that goes on alone, or all of them.
fn whose(answer: &Answer, is_alone: bool) -> String {
    let run = answer.run.as_ref().or(answer.runs.first());
    let others = answer.runs.len().saturating_sub(1);
    let others = if is_alone { 0 } else { others };
    match (run, others) {
        (None, _) => String::new(),
        (Some(run), 0) => format!("{run}: "),
        (Some(run), _) => format!("{run} and {}: ", plural(others, "more run")),
    }
}
