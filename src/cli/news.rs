//! News of an experiment as lines and bars.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::MissedTickBehavior;

use super::gold::GradeCounts;
use super::images::Bars;
use super::progress::View;
use super::suspend;
use super::tally::Tally;
use super::ui::{Ui, warning};
use crate::experiment::{News, NewsSender, news};
use crate::runner::Event;
use crate::runner::preflight::Level;
use crate::text::plural;

/// How often what is drawn is drawn anew, so that its times go on.
const TICK: Duration = Duration::from_secs(1);

/// Does some work and shows what it tells; says whether there was anything to do. All of it is shown
/// when this ends.
pub async fn shown<T>(ui: &Ui, work: impl AsyncFnOnce(&NewsSender) -> T) -> (T, bool) {
    let (sender, told) = news::channel();
    suspend::listen(ui);
    let shown = tokio::spawn(show(ui.clone(), told));
    let done = work(&sender).await;
    drop(sender);
    // The terminal's side ends with the channel.
    let has_worked = shown.await.unwrap_or(true);
    (done, has_worked)
}

/// Shows what is told, until no more can come; says whether anything was done.
async fn show(ui: Ui, mut told: UnboundedReceiver<News>) -> bool {
    let mut shown = Shown {
        view: View::new(ui.clone()),
        ui,
        tally: Tally::default(),
        grades: GradeCounts::default(),
        pulls: None,
        has_worked: false,
    };
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut resized = signal(SignalKind::window_change()).ok();
    let mut resized = async || match &mut resized {
        Some(resized) => resized.recv().await,
        None => std::future::pending().await,
    };
    loop {
        tokio::select! {
            biased;
            news = told.recv() => match news {
                Some(news) => shown.take_in(news),
                None => break,
            },
            _ = tick.tick() => match &mut shown.pulls {
                Some(pulls) => pulls.tick(),
                None => shown.view.bar.tick(),
            },
            _ = resized() => shown.view.bar.draw(),
        }
    }
    shown.view.bar.finish();
    shown.has_worked
}

/// What is shown: one thing at a time has the bar.
struct Shown {
    ui: Ui,
    view: View,
    tally: Tally,
    grades: GradeCounts,
    /// Images that are pulled now.
    pulls: Option<Bars>,
    has_worked: bool,
}

impl Shown {
    fn take_in(&mut self, news: News) {
        let bar = &mut self.view.bar;
        match news {
            News::Begun(outlook) => self.view.begin(outlook),
            News::Run(event) => {
                self.has_worked |= matches!(event, Event::AttemptStarted { .. });
                self.view.show(&event);
            }
            News::Checked(check) if check.level == Level::Pass => {
                self.detail(format!("{}: {}", check.name, check.evidence));
            }
            News::Checked(check) => bar.always(warning(format!(
                "{}: {}; {}",
                check.name,
                check.evidence,
                check.remedy()
            ))),
            News::PullingBegun { images, store } => {
                bar.line(format!(
                    "pulling {} into {}",
                    plural(images, "image"),
                    store.display()
                ));
                self.pulls = Some(Bars::new(self.ui.clone(), images));
            }
            News::Pulling { image, told } => {
                if let Some(pulls) = &mut self.pulls {
                    pulls.take_in(&image, told);
                }
            }
            News::PullingEnded => {
                if let Some(pulls) = self.pulls.take() {
                    pulls.finish();
                }
            }
            News::Removed(what) => bar.line(format!("removed, left by a dead run: {what}")),
            News::JudgingStarted {
                run,
                pairs,
                again,
                judged,
                rules,
                alone,
            } => {
                let again = match again {
                    0 => String::new(),
                    again => format!(" ({again} again)"),
                };
                let (pairs, each) = if alone {
                    (format!("each agent of {}", plural(pairs, "pair")), " alone")
                } else {
                    (plural(pairs, "pair"), "")
                };
                bar.line(format!(
                    "{run}: {pairs} to judge{each} by the rules of {rules}{again}, {judged} judged already"
                ));
            }
            News::JudgingBegun { pairs, alone } => {
                self.has_worked = true;
                self.tally = Tally::begin(pairs, alone, bar);
            }
            News::Judging { told, .. } => self.tally.take_in(told, bar),
            News::JudgingEnded { .. } => {}
            News::GradingStarted { subset, features } => {
                bar.line(format!(
                    "{} of `{subset}` to grade",
                    plural(features, "feature")
                ));
                self.has_worked = true;
                self.grades = GradeCounts::begin(features, bar);
            }
            News::Graded(graded) => self.grades.take_in(&graded, bar),
            News::Warning(text) => bar.always(warning(text)),
            News::Note(text) => bar.line(text),
            News::Detail(text) => self.detail(text),
        }
    }

    /// What is told with --verbose only.
    fn detail(&mut self, text: String) {
        if self.ui.verbosity() > 0 {
            self.view.bar.line(text);
        }
    }
}
