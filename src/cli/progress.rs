//! Progress of runs: a bar on a terminal, plain lines elsewhere. It sees events only.

use std::time::Instant;

use super::bar::Bar;
use super::counts::{Counts, How};
use super::running::Running;
use super::ui::{Ui, ended, warning};
use crate::bench::Cost;
use crate::bench::cost::dollars;
use crate::experiment::Outlook;
use crate::hint;
use crate::runner::Event;
use crate::runner::limit::local;
use crate::store::wheel::{CANCEL_SIGNAL, Hand};
use crate::text::paint::strong;
use crate::text::{NAME, duration, ends_in_one_line, exact, one_line, plural};

/// What is known of the runs that are shown.
pub struct View {
    pub bar: Bar,
    is_talkative: bool,
    counts: Counts,
}

impl View {
    /// A view before the first event: the counts are 0, and the bar has not begun.
    pub fn new(ui: Ui) -> Self {
        Self {
            is_talkative: ui.verbosity() > 1,
            bar: Bar::new(ui),
            counts: Counts::default(),
        }
    }

    /// Begins the bar, over all runs.
    pub fn begin(&mut self, outlook: Outlook) {
        self.counts = Counts::of(outlook);
        self.bar.begin(self.counts.done(), self.counts.total());
    }

    /// Counts an event, prints its line if it has one, and draws the bar anew.
    pub fn show(&mut self, event: &Event) {
        self.counts.take_in(event);
        self.bar.running.take_in(event, Instant::now());
        self.bar.set(self.counts.done(), self.counts.total());
        self.tell(event);
        let cost = self.counts.cost(self.bar.running.cost());
        let counts = self.counts.in_words();
        self.bar.words(format!("{counts} · {cost}"));
        self.bar.draw();
    }

    fn tell(&mut self, event: &Event) {
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
                self.bar
                    .row(format_args!("  {pair}  cut off ({why}), {cost}"));
            }
            // What they cost and did, and why a worker's is lost, is told when they end.
            Event::Spent { .. }
            | Event::CommandsSeen { .. }
            | Event::ContainerEnded { .. }
            | Event::TrialPlaced { .. }
            | Event::TrialLost { .. } => {}
            Event::WorkerStarted { .. } | Event::WorkerEnded { .. } => self.worker(event),
            Event::BackOff { seconds, why } => {
                self.wait("waiting");
                self.line(&format!(
                    "waiting {} before the next attempt ({why})",
                    exact(*seconds)
                ));
            }
            Event::LimitMet { .. } | Event::WaitingForReset { .. } => self.limit(event),
            Event::BudgetSpent { spent, budget } => self.always(&warning(format!(
                "{} of the budget of {} is spent: nothing new is begun",
                dollars(*spent),
                dollars(*budget)
            ))),
            Event::Stopping {
                signal,
                grace_seconds,
            } => {
                self.bar.state = Some("stopping");
                let again = match signal.as_str() {
                    CANCEL_SIGNAL => "Ctrl-C",
                    _ => "again",
                };
                self.always(&format!(
                    "{signal}: nothing new is begun; what runs has {} to finish, {again} to stop now",
                    exact(*grace_seconds)
                ));
            }
            Event::StoppingNow => self.always("stopping now"),
            Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Cancelled { .. }
            | Event::Set { .. } => self.by_hand(event),
            Event::Note { text } => self.line(text),
            Event::RunEnded { .. } => self.bar.rest(),
            Event::BreakerTripped { .. }
            | Event::CallRetried { .. }
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
                setting,
                pairs,
                finished,
                to_run,
                ..
            } => {
                self.bar.running = Running::of_run(setting.to_string(), setting.agents());
                self.line(&format!(
                    "{}: {}, {finished} finished, {to_run} to run",
                    strong(run),
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
                self.bar.state = None;
                self.bar.go();
                self.line(&format!(
                    "{} attempt {nth} of {of}: {completed} completed, {remaining} to run; its log will be {log}",
                    clock()
                ));
            }
            Event::AttemptEnded {
                end,
                completed,
                remaining,
                ..
            } => {
                self.bar.rest();
                self.line(&format!(
                    "{} attempt ended ({}): {completed} completed, {remaining} remaining",
                    clock(),
                    one_line(end, 120)
                ));
            }
            _ => {}
        }
    }

    /// It begins nothing for a while; that it is paused is said first.
    fn wait(&mut self, state: &'static str) {
        if self.bar.state != Some(PAUSED) {
            self.bar.state = Some(state);
        }
    }

    /// What somebody asked of the command.
    fn by_hand(&mut self, event: &Event) {
        match event {
            Event::Paused { by } => {
                self.bar.state = Some(PAUSED);
                self.bar.rest();
                let by = who(by);
                let resume = hint::command("resume");
                self.always(&format!(
                    "{} {by} paused it: nothing new begins, what runs goes on; `{resume}` begins again",
                    clock()
                ));
            }
            Event::Resumed { by } => {
                self.bar.state = None;
                self.bar.go();
                self.always(&format!("{} {} resumed it", clock(), who(by)));
            }
            Event::Cancelled { by, pairs } => {
                let pairs: Vec<String> = pairs.iter().map(ToString::to_string).collect();
                let what = match pairs.as_slice() {
                    [] => "the run".to_owned(),
                    pairs => pairs.join(", "),
                };
                self.always(&format!("{} {} cancelled {what}", clock(), who(by)));
            }
            Event::Set { by, changes } => {
                let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
                let changes = one_line(&changes.join(", "), 400);
                self.always(&format!("{} {} set {changes}", clock(), who(by)));
            }
            _ => {}
        }
    }

    /// A limit of the account, and the wait for its reset.
    fn limit(&mut self, event: &Event) {
        match event {
            Event::LimitMet {
                text, resets_at, ..
            } => self.always(&warning(format!(
                "a limit is reached, which resets at {}: nothing new is begun. {}",
                local(*resets_at),
                one_line(text, 160)
            ))),
            Event::WaitingForReset { until, seconds, .. } => {
                self.wait("waiting for the limit to reset");
                self.always(&format!(
                    "{} waiting until {} ({}) for the limit to reset; Ctrl-C ends the wait",
                    clock(),
                    local(*until),
                    exact(*seconds)
                ));
            }
            _ => {}
        }
    }

    /// A worker comes or goes.
    fn worker(&mut self, event: &Event) {
        match event {
            Event::WorkerStarted {
                node, job, at_once, ..
            } if self.is_talkative => {
                let job = job
                    .as_ref()
                    .map_or_else(String::new, |job| format!(" (job {})", one_line(job, NAME)));
                self.line(&format!(
                    "a worker on {}{job} is there: {} at once",
                    one_line(node, NAME),
                    plural(*at_once, "pair")
                ));
            }
            Event::WorkerEnded {
                node,
                why: Some(why),
                ..
            } => self.line(&warning(format!(
                "a worker on {} is gone: {}",
                one_line(node, NAME),
                one_line(why, 160)
            ))),
            _ => {}
        }
    }

    /// What is told with --verbose only.
    fn detail(&mut self, event: &Event) {
        match event {
            _ if !self.is_talkative => {}
            Event::TrialStarted { pair } => self.line(&format!("  {pair}  begun")),
            Event::ContainerCreated {
                container, image, ..
            } => self.line(&format!(
                "container {} of {image}",
                &container[..12.min(container.len())]
            )),
            _ => {}
        }
    }

    /// What the world did to us.
    fn trouble(&mut self, event: &Event) {
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
            Event::CallRetried { text, tries, .. } => self.line(&warning(format!(
                "a model call failed and is retried, up to {} in all: {}",
                plural(*tries, "time"),
                one_line(text, 240)
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
        let why = match diagnosis {
            Some(diagnosis) => format!(
                "  {} ({}): {}",
                diagnosis.cause,
                diagnosis.evidence.rule,
                ends_in_one_line(&diagnosis.evidence.text, 120)
            ),
            None => String::new(),
        };
        let took = duration_seconds.map_or_else(String::new, duration);
        if self.bar.is_drawn() {
            let how = How::of(status, *finished);
            let word = ended(
                &format!("{status:<9}"),
                how == How::Submitted,
                how == How::Error,
            );
            self.bar
                .row(format_args!("  {word}  {pair}  {cost}  {took}{why}"));
        } else {
            self.line(&format!(
                "  {pair}  {status}  {cost}  {took}{why}  [{}: {}, {}]",
                self.bar.position(),
                self.counts.in_words(),
                self.counts.cost(0.0)
            ));
        }
    }

    fn line(&mut self, text: &str) {
        self.bar.line(text);
    }

    fn always(&mut self, text: &str) {
        self.bar.always(text);
    }
}

/// What the bar says of a command that is paused.
const PAUSED: &str = "paused";

fn who(by: &Hand) -> String {
    one_line(&by.to_string(), NAME)
}

/// The local time, as a log's lines begin.
fn clock() -> String {
    jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string()
}
