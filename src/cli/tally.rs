//! How far the judging of a run is, on the terminal.

use std::sync::{Arc, Mutex};

use super::bar::Bar;
use super::ui::Ui;
use crate::evaluation::Verdict;
use crate::report::text::duration;
use crate::runner::judging::Told;

/// How far the judging of a run is.
pub struct Tally {
    pub bar: Bar,
    passed: usize,
    failed: usize,
    errors: usize,
}

impl Tally {
    pub fn begin(ui: &Ui, run: &str, total: usize) -> Arc<Mutex<Self>> {
        let mut tally = Self {
            bar: Bar::new(ui.clone()),
            passed: 0,
            failed: 0,
            errors: 0,
        };
        tally.bar.begin(run, 0, total);
        tally.bar.draw(tally.counts(" · "));
        Arc::new(Mutex::new(tally))
    }

    fn counts(&self, between: &str) -> String {
        let Self {
            passed,
            failed,
            errors,
            ..
        } = self;
        format!("{passed} pass{between}{failed} fail{between}{errors} errors")
    }

    pub fn take_in(&mut self, told: Told) {
        match told {
            Told::Note(text) => self.bar.line(text),
            Told::Again { pair, why } => self.bar.line(format_args!("  {pair}  again: {why}")),
            Told::Judged {
                pair,
                verdict,
                why,
                took,
            } => {
                let (count, word) = match verdict {
                    Verdict::Pass => (&mut self.passed, "pass"),
                    Verdict::Fail => (&mut self.failed, "fail"),
                    Verdict::Error(_) => (&mut self.errors, "error"),
                };
                *count += 1;
                self.bar.step();
                let why = if why.is_empty() {
                    why
                } else {
                    format!("  ({why})")
                };
                let took = duration(took.as_secs_f64());
                let (position, counts) = (self.bar.position(), self.counts(", "));
                self.bar.line(format_args!(
                    "  {pair}  {word}  {took}  [{position}, {counts}]{why}"
                ));
                self.bar.draw(self.counts(" · "));
            }
        }
    }
}
