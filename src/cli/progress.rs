//! Progress: bars on a terminal, plain lines elsewhere. It sees events only.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc::UnboundedReceiver;

use super::ui::{Ui, bold, warning};
use crate::model::price::{Total, dollars};
use crate::report::text::{duration, plural};
use crate::runner::Event;
use crate::text::one_line;

/// Shows events until no more can come.
pub async fn show(ui: Ui, mut events: UnboundedReceiver<Event>) {
    let mut view = View::new(ui);
    while let Some(event) = events.recv().await {
        view.show(&event);
    }
    view.finish();
}

/// What is known of the run that is shown.
struct View {
    ui: Ui,
    bar: ProgressBar,
    begun: Instant,
    done: u64,
    done_here: u64,
    total: u64,
    submitted: usize,
    errors: usize,
    cost: Total,
}

impl View {
    fn new(ui: Ui) -> Self {
        let target = if ui.draws_bars() {
            ProgressDrawTarget::stderr_with_hz(4)
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            ui,
            bar: ProgressBar::with_draw_target(None, target),
            begun: Instant::now(),
            done: 0,
            done_here: 0,
            total: 0,
            submitted: 0,
            errors: 0,
            cost: Total::default(),
        }
    }

    fn show(&mut self, event: &Event) {
        self.take_in(event);
        self.draw();
    }

    fn take_in(&mut self, event: &Event) {
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
                self.begin(run.as_str(), *pairs, *finished, *submitted, *spent);
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
                self.done = *completed as u64;
                self.line(&format!(
                    "{} attempt {nth} of {of}: {completed} completed, {remaining} remaining (log: {log})",
                    clock()
                ));
            }
            Event::TrialEnded { .. } => self.trial(event),
            Event::TrialCutOff { pair, why, .. } => {
                self.cost.add(None);
                self.line(&format!("  {pair}  cut off ({why}), cost unknown"));
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
            Event::BackOff { seconds, why } => {
                self.line(&format!(
                    "waiting {} before the next attempt ({why})",
                    duration(*seconds)
                ));
            }
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
            Event::RunEnded { .. } => self.finish(),
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
            Event::TrialStarted { pair } => {
                if self.ui.verbosity() > 1 {
                    self.line(&format!("  {pair}  begun"));
                }
            }
            Event::ContainerCreated { container, image } => {
                if self.ui.verbosity() > 1 {
                    self.line(&format!(
                        "container {} of {image}",
                        &container[..12.min(container.len())]
                    ));
                }
            }
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
            Event::ContainerLost { container, lost } => self.line(&warning(format!(
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

    fn begin(&mut self, run: &str, pairs: usize, finished: usize, submitted: usize, spent: Total) {
        self.begun = Instant::now();
        self.done_here = 0;
        (self.total, self.done) = (pairs as u64, finished as u64);
        (self.submitted, self.errors) = (submitted, 0);
        self.cost = spent;
        self.bar.reset();
        self.bar.set_length(self.total);
        let style =
            ProgressStyle::with_template("{prefix} [{bar:12}] {pos}/{len} {elapsed} {wide_msg}");
        if let Ok(style) = style {
            self.bar.set_style(style.progress_chars("=> "));
        }
        // A long name must leave room for the numbers.
        self.bar.set_prefix(one_line(run, 24));
        if self.ui.draws_bars() {
            self.bar.enable_steady_tick(Duration::from_secs(1));
        }
    }

    fn trial(&mut self, event: &Event) {
        let Event::TrialEnded {
            pair,
            status,
            finished,
            diagnosis,
            cost,
            duration_seconds,
            ..
        } = event
        else {
            return;
        };
        self.done += 1;
        self.done_here += 1;
        self.cost.add(*cost);
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
                one_line(&diagnosis.evidence.text, 100)
            ),
            None => String::new(),
        };
        self.line(&format!(
            "  {pair}  {status}  {}  {}{why}  [{}/{}, {} submitted, {} errors, {}]",
            cost.map_or_else(|| "cost unknown".to_owned(), dollars),
            duration_seconds.map_or_else(String::new, duration),
            self.done,
            self.total,
            self.submitted,
            self.errors,
            self.cost
        ));
    }

    fn draw(&self) {
        self.bar.set_position(self.done);
        let elapsed = self.begun.elapsed().as_secs_f64();
        let left = self.total.saturating_sub(self.done) as f64;
        let eta = if self.done_here == 0 || left == 0.0 {
            String::new()
        } else {
            format!(
                " · ETA {}",
                duration(elapsed / self.done_here as f64 * left)
            )
        };
        self.bar.set_message(format!(
            "· {} submitted · {} errors · {}{eta}",
            self.submitted, self.errors, self.cost
        ));
    }

    fn line(&self, text: &str) {
        if !self.ui.is_quiet() {
            self.always(text);
        }
    }

    fn always(&self, text: &str) {
        self.bar.suspend(|| self.ui.talk(text));
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The local time, as a log's lines begin.
fn clock() -> String {
    jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string()
}
