//! How far judging is, on the terminal.

use std::time::Instant;

use super::bar::Bar;
use super::ui::ended;
use crate::evaluation::Verdict;
use crate::runner::judging::Told;
use crate::text::{duration, plural};

/// How far the judging of all runs is.
#[derive(Default)]
pub struct Tally {
    passed: usize,
    failed: usize,
    errors: usize,
    total: usize,
}

impl Tally {
    /// Begins the bar anew for all runs, of which `total` pairs are to be judged.
    pub fn begin(total: usize, bar: &mut Bar) -> Self {
        let tally = Self {
            total,
            ..Self::default()
        };
        bar.begin(0, total);
        bar.go();
        bar.words(tally.counts());
        bar.draw();
        tally
    }

    fn counts(&self) -> String {
        let Self {
            passed,
            failed,
            errors,
            ..
        } = self;
        let errors = plural(*errors, "error");
        format!("{passed} pass, {failed} fail, {errors}")
    }

    /// Shows what is told of a pair.
    pub fn take_in(&mut self, told: Told, bar: &mut Bar) {
        match told {
            Told::Note(text) => bar.line(text),
            Told::Stopping { signal, running } => {
                bar.state = Some("stopping");
                let pairs = plural(running, "pair");
                bar.always(format_args!(
                    "{signal}: stopping after the suites that run ({pairs}); Ctrl-C again stops them"
                ));
                bar.draw();
            }
            Told::Begun { pair } => {
                bar.running.begin(&pair, Instant::now());
                bar.draw();
            }
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
                bar.running.end(&pair);
                bar.step();
                bar.set(self.passed + self.failed + self.errors, self.total);
                bar.words(self.counts());
                let why = if why.is_empty() {
                    why
                } else {
                    format!("  ({why})")
                };
                let took = duration(took.as_secs_f64());
                if bar.is_drawn() {
                    let word = ended(&format!("{word:<5}"), word == "pass", word == "error");
                    bar.row(format_args!("  {word}  {pair}  {took}{why}"));
                } else {
                    let (position, counts) = (bar.position(), self.counts());
                    bar.line(format_args!(
                        "  {pair}  {word}  {took}  [{position}: {counts}]{why}"
                    ));
                }
                bar.draw();
            }
        }
    }
}
