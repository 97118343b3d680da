//! How a run ends: its report, what that means, and the exit code.

use crate::cli::ui::Ui;
use crate::cli::{report, width};
use crate::error::{Error, Result, exit};
use crate::experiment::Experiment;
use crate::experiment::setup::log_tree;
use crate::report::{Outcome, Summary};
use crate::runner::RunEnd;
use crate::text::{by_number, plural};

/// Prints the report and what the end means; gives the exit code. Where there was nothing to do, the
/// report is named only.
pub fn conclude(
    experiment: &Experiment,
    summaries: &[Summary],
    end: &RunEnd,
    has_worked: bool,
    ui: &Ui,
) -> Result<u8> {
    let tree = log_tree(&experiment.config);
    if has_worked {
        width::at_the_end(summaries, ui)?;
    } else if matches!(end, RunEnd::Complete | RunEnd::Errors) {
        let asked = experiment.summaries_of_asked()?;
        let pairs: usize = asked.iter().map(|one| one.pairs).sum();
        let finished: usize = asked.iter().map(|one| one.finished).sum();
        ui.say(format!(
            "nothing to do: {finished} of {} have finished; `{}` shows the report",
            plural(pairs, "pair"),
            report::command_in(&tree, "report", summaries)?
        ));
    }
    Ok(match end {
        RunEnd::Complete => exit::OK,
        RunEnd::Errors => {
            let asked = experiment.summaries_of_asked()?;
            let open: usize = asked.iter().map(Summary::unfinished).sum();
            let count = |outcome| -> usize { asked.iter().map(|it| it.count_of(outcome)).sum() };
            let infra = count(Outcome::InfraError) + count(Outcome::LimitError);
            // Another attempt changes nothing of what is the agents' own.
            let what_next = if count(Outcome::AgentError) == open {
                by_number(
                    open,
                    "says why; it is the agent's own error, and stays",
                    "says why; they are the agents' own errors, and stay",
                )
            } else {
                "says why, and the same command tries again"
            };
            let why = report::command_in(&tree, "triage --explain", summaries)?;
            ui.warn(format!(
                "{} did not finish ({infra} for infrastructure); `{why}` {what_next}",
                plural(open, "pair")
            ));
            exit::ERRORS
        }
        RunEnd::World(why) => {
            // A run of which nothing has finished begins anew with other settings.
            let accept = if summaries.iter().all(|one| one.finished == 0) {
                ""
            } else {
                " (with --accept-changes when it was the model or the endpoint)"
            };
            ui.error(&Error::world(why).hint(format!(
                "what ran is kept; mend this, and the same command goes on{accept}"
            )));
            exit::WORLD
        }
        RunEnd::Limit(why) => {
            ui.error(&Error::world(why).hint(
                "what ran is kept; the same command goes on from then, or --max-wait waits longer",
            ));
            exit::WORLD
        }
        RunEnd::Budget => {
            ui.warn("the budget is spent; what ran is kept, and the same command with a larger --budget goes on");
            exit::BUDGET
        }
        RunEnd::Interrupted => {
            ui.say("interrupted; the same command resumes");
            exit::INTERRUPTED
        }
    })
}
