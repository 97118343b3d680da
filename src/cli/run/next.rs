//! What is said last of a run: where its results are, and the command that comes next.

use crate::cli::report;
use crate::cli::ui::Ui;
use crate::error::Result;
use crate::experiment::Experiment;
use crate::experiment::setup::log_tree;
use crate::files;
use crate::hint;
use crate::report::{Outcome, Summary};
use crate::runner::RunEnd;
use crate::text::plural;

/// Says where the results are and, where the plan has ended, what to do with them. How a run goes on
/// that something else has ended is said with its end, and the report's command where nothing was to
/// do.
pub fn say(
    experiment: &Experiment,
    summaries: &[Summary],
    end: &RunEnd,
    has_worked: bool,
    ui: &Ui,
) -> Result<()> {
    let finished: usize = summaries.iter().map(|one| one.finished).sum();
    if finished == 0 {
        return Ok(());
    }
    let tree = log_tree(&experiment.config);
    let place = files::from_here(tree.path());
    ui.say(match experiment.runs.as_slice() {
        [one] => format!("results: {}", place.join(one.run.name().as_str()).display()),
        runs => format!(
            "results: {} in {}",
            plural(runs.len(), "run"),
            place.display()
        ),
    });
    let is_open =
        |one: &Summary| one.count_of(Outcome::Unjudged) + one.count_of(Outcome::EvalError) > 0;
    let word = if summaries.iter().any(is_open) {
        "eval"
    } else {
        "report"
    };
    let is_over = matches!(end, RunEnd::Complete | RunEnd::Errors);
    if is_over && (has_worked || word == "eval") {
        let is_alone = tree.runs()?.len() == experiment.runs.len();
        ui.say(format!("next: `{}`", next(word, summaries, is_alone)));
    }
    Ok(())
}

/// The next command: the verdicts, where some are to be made, and else the report. Where the tree
/// has other runs too, these are named.
fn next(word: &str, summaries: &[Summary], is_alone: bool) -> String {
    if is_alone {
        hint::command(word)
    } else {
        report::command(word, summaries)
    }
}
