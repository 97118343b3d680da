//! Progress: bars on a terminal, plain lines elsewhere. It sees events only.

use super::bar::Bar;
use super::ui::{Ui, bold, warning};
use crate::bench::Cost;
use crate::bench::cost::dollars;
use crate::model::price::Total;
use crate::runner::Event;
use crate::runner::limit::local;
use crate::text::{duration, ends_in_one_line, one_line, plural};

/// What is known of the run that is shown.
pub struct View {
    pub bar: Bar,
    is_talkative: bool,
    submitted: usize,
    errors: usize,
    cost: Total,
}

impl View {
    /// A view before the first event: the counts are 0, and the bar has not begun.
    pub fn new(ui: Ui) -> Self {
        Self {
            is_talkative: ui.verbosity() > 1,
            bar: Bar::new(ui),
            submitted: 0,
            errors: 0,
            cost: Total::default(),
        }
    }

    /// Counts an event, prints its line if it has one, and draws the bar anew.
    pub fn show(&mut self, event: &Event) {
        self.take_in(event);
        self.draw();
    }

    fn take_in(&mut self, event: &Event) {
        match event {
            Event::RunStarted { .. }
            | Event::AttemptStarted { .. }
            | Event::AttemptEnded { .. } => self.passage(event),
            Event::TrialEnded { .. } => self.trial(event),
            Event::TrialCutOff {
                pair,
                why,
                cost,
                usage_unknown,
                ..
            } => {
                let cost = Cost {
                    usd: *cost,
                    is_partial: *usage_unknown,
                };
                self.cost.add(cost);
                self.line(&format!("  {pair}  cut off ({why}), {cost}"));
            }
            // What they cost is told when they end.
            Event::Spent { .. } => {}
            Event::BackOff { seconds, why } => {
                self.line(&format!(
                    "waiting {} before the next attempt ({why})",
                    duration(*seconds)
                ));
            }
            Event::LimitMet { .. } | Event::WaitingForReset { .. } => self.limit(event),
            Event::BudgetSpent { spent, budget } => self.always(&warning(format!(
                "{} of the budget of {} are spent: nothing new is begun",
                dollars(*spent),
                dollars(*budget)
            ))),
            Event::Stopping {
                signal,
                grace_seconds,
            } => self.always(&format!(
                "{signal}: nothing new is begun; what runs has {} to finish, again to stop now",
                duration(*grace_seconds)
            )),
            Event::StoppingNow => self.always("stopping now"),
            Event::Note { text } => self.line(text),
            Event::RunEnded { .. } => self.bar.finish(),
            Event::BreakerTripped { .. }
            | Event::ContainerLost { .. }
            | Event::ContainerRefused { .. }
            | Event::DaemonUnreachable { .. } => self.trouble(event),
            Event::Pace { limit, why } => {
                self.line(&format!(
                    "at most {} to the model at once: {why}",
                    plural(*limit, "call")
                ));
            }
            Event::TrialStarted { .. } | Event::ContainerCreated { .. } => self.detail(event),
        }
    }

    /// What begins and ends around trials.
    fn passage(&mut self, event: &Event) {
        match event {
            Event::RunStarted {
                run,
                pairs,
                finished,
                submitted,
                to_run,
                spent,
                ..
            } => {
                self.bar.begin(run.as_str(), *finished, *pairs);
                (self.submitted, self.errors, self.cost) = (*submitted, 0, *spent);
                self.line(&format!(
                    "{}: {}, {finished} finished, {to_run} to run",
                    bold(run),
                    plural(*pairs, "pair")
                ));
            }
            Event::AttemptStarted {
                nth,
                of,
                completed,
                remaining,
                log,
                ..
            } => {
                // An error of the last attempt runs again: it is no longer one.
                self.errors = 0;
                self.bar.set_done(*completed);
                self.line(&format!(
                    "{} attempt {nth} of {of}: {completed} completed, {remaining} remaining (log: {log})",
                    clock()
                ));
            }
            Event::AttemptEnded {
                attempt: _,
                end,
                completed,
                remaining,
                ..
            } => self.line(&format!(
                "{} attempt ended ({}): {completed} completed, {remaining} remaining",
                clock(),
                one_line(end, 120)
            )),
            _ => {}
        }
    }

    /// A limit of the account, and the wait for its reset.
    fn limit(&self, event: &Event) {
        match event {
            Event::LimitMet {
                text, resets_at, ..
            } => self.always(&warning(format!(
                "a limit is reached, which resets at {}: nothing new is begun. {}",
                local(*resets_at),
                one_line(text, 160)
            ))),
            Event::WaitingForReset { until, seconds, .. } => self.always(&format!(
                "{} waiting until {} ({}) for the limit to reset; Ctrl-C ends the wait",
                clock(),
                local(*until),
                duration(*seconds)
            )),
            _ => {}
        }
    }

    /// What is told with --verbose only.
    fn detail(&self, event: &Event) {
        match event {
            _ if !self.is_talkative => {}
            Event::TrialStarted { pair } => self.line(&format!("  {pair}  begun")),
            Event::ContainerCreated { container, image } => self.line(&format!(
                "container {} of {image}",
                &container[..12.min(container.len())]
            )),
            _ => {}
        }
    }

    /// What the world did to us.
    fn trouble(&self, event: &Event) {
        match event {
            Event::BreakerTripped {
                error,
                text,
                trials,
                ..
            } => self.always(&warning(format!(
                "{} ended in `{}`: stopping. {}",
                plural(*trials, "trial"),
                one_line(error, 120),
                one_line(text, 200)
            ))),
            Event::ContainerLost {
                container, lost, ..
            } => self.line(&warning(format!(
                "container {} is gone ({}): {}",
                &container[..12.min(container.len())],
                lost.reason,
                one_line(&lost.detail, 120)
            ))),
            Event::ContainerRefused { message, .. } => self.line(&warning(format!(
                "the daemon refused a container: {}",
                one_line(message, 160)
            ))),
            Event::DaemonUnreachable { message } => {
                self.always(&warning(format!(
                    "the Docker daemon does not answer: {}",
                    one_line(message, 160)
                )));
            }
            _ => {}
        }
    }

    fn trial(&mut self, event: &Event) {
        let Event::TrialEnded {
            pair,
            status,
            finished,
            diagnosis,
            cost,
            usage_unknown,
            duration_seconds,
            ..
        } = event
        else {
            return;
        };
        self.bar.step();
        let cost = Cost {
            usd: *cost,
            is_partial: *usage_unknown,
        };
        self.cost.add(cost);
        if *finished {
            self.submitted += usize::from(status.split('+').all(|status| status == "Submitted"));
        } else {
            self.errors += 1;
        }
        let why = match diagnosis {
            Some(diagnosis) => format!(
                "  {} ({}): {}",
                diagnosis.cause,
                diagnosis.evidence.rule,
                ends_in_one_line(&diagnosis.evidence.text, 120)
            ),
            None => String::new(),
        };
        self.line(&format!(
            "  {pair}  {status}  {cost}  {}{why}  [{}, {} submitted, {}, {}]",
            duration_seconds.map_or_else(String::new, duration),
            self.bar.position(),
            self.submitted,
            plural(self.errors, "error"),
            self.cost
        ));
    }

    fn draw(&self) {
        let (submitted, cost) = (self.submitted, self.cost);
        let errors = plural(self.errors, "error");
        self.bar
            .draw(format_args!("{submitted} submitted · {errors} · {cost}"));
    }

    fn line(&self, text: &str) {
        self.bar.line(text);
    }

    fn always(&self, text: &str) {
        self.bar.always(text);
    }
}

/// The local time, as a log's lines begin.
fn clock() -> String {
    jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string()
}
