//! How far the judging of a run is, on the terminal.

use super::bar::Bar;
use crate::evaluation::Verdict;
use crate::runner::judging::Told;
use crate::text::{duration, plural};

/// How far the judging of a run is.
#[derive(Default)]
pub struct Tally {
    passed: usize,
    failed: usize,
    errors: usize,
}

impl Tally {
    /// Begins the bar anew for one run, of which `total` pairs are to be judged.
    pub fn begin(run: &str, total: usize, bar: &mut Bar) -> Self {
        let tally = Self::default();
        bar.begin(run, 0, total);
        bar.draw(tally.counts(" · "));
        tally
    }

    fn counts(&self, between: &str) -> String {
        let Self {
            passed,
            failed,
            errors,
        } = self;
        let errors = plural(*errors, "error");
        format!("{passed} pass{between}{failed} fail{between}{errors}")
    }

    /// Shows what is told of a pair.
    pub fn take_in(&mut self, told: Told, bar: &mut Bar) {
        match told {
            Told::Note(text) => bar.line(text),
            Told::Again { pair, why } => bar.line(format_args!("  {pair}  again: {why}")),
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
                bar.step();
                let why = if why.is_empty() {
                    why
                } else {
                    format!("  ({why})")
                };
                let took = duration(took.as_secs_f64());
                let (position, counts) = (bar.position(), self.counts(", "));
                bar.line(format_args!(
                    "  {pair}  {word}  {took}  [{position}, {counts}]{why}"
                ));
                bar.draw(self.counts(" · "));
            }
        }
    }
}
