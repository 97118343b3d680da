//! News of an experiment as lines and bars.

use tokio::sync::mpsc::UnboundedReceiver;

use super::gold::GradeCounts;
use super::progress::View;
use super::tally::Tally;
use super::ui::{Ui, warning};
use crate::experiment::{News, NewsSender, news};
use crate::runner::preflight::Level;
use crate::text::plural;

/// Does some work and shows what it tells. All of it is shown when this ends.
pub async fn shown<T>(ui: &Ui, work: impl AsyncFnOnce(&NewsSender) -> T) -> T {
    let (sender, told) = news::channel();
    let shown = tokio::spawn(show(ui.clone(), told));
    let done = work(&sender).await;
    drop(sender);
    // The terminal's side ends with the channel.
    let _ = shown.await;
    done
}

async fn show(ui: Ui, mut told: UnboundedReceiver<News>) {
    let mut shown = Shown {
        view: View::new(ui.clone()),
        ui,
        tally: Tally::default(),
        grades: GradeCounts::default(),
    };
    while let Some(news) = told.recv().await {
        shown.take_in(news);
    }
    shown.view.bar.finish();
}

/// What is shown: one thing at a time has the bar.
struct Shown {
    ui: Ui,
    view: View,
    tally: Tally,
    grades: GradeCounts,
}

impl Shown {
    fn take_in(&mut self, news: News) {
        let bar = &mut self.view.bar;
        match news {
            News::Run(event) => self.view.show(&event),
            News::Checked(check) if check.level == Level::Pass => {
                self.detail(format!("{}: {}", check.name, check.evidence));
            }
            News::Checked(check) => bar.always(warning(format!(
                "{}: {}; {}",
                check.name, check.evidence, check.remedy
            ))),
            News::Removed(what) => bar.line(format!("removed, left by a dead run: {what}")),
            News::JudgingStarted {
                run,
                pairs,
                again,
                judged,
                rules,
            } => {
                let again = match again {
                    0 => String::new(),
                    again => format!(" ({again} of them again)"),
                };
                bar.line(format!(
                    "{run}: {} to judge by the rules of {rules}{again}, {judged} judged already",
                    plural(pairs, "pair"),
                ));
                self.tally = Tally::begin(run.as_str(), pairs, bar);
            }
            News::Judging { told, .. } => self.tally.take_in(told, bar),
            News::JudgingEnded { .. } => bar.finish(),
            News::GradingStarted { subset, features } => {
                bar.line(format!(
                    "{} of `{subset}` to grade",
                    plural(features, "feature")
                ));
                bar.begin("gold", 0, features);
            }
            News::Graded(graded) => {
                if let Some(line) = self.grades.take_in(&graded, bar) {
                    self.detail(line);
                }
            }
            News::Warning(text) => bar.always(warning(text)),
            News::Note(text) => bar.line(text),
            News::Detail(text) => self.detail(text),
        }
    }

    /// What is told with --verbose only.
    fn detail(&self, text: String) {
        if self.ui.verbosity() > 0 {
            self.view.bar.line(text);
        }
    }
}
