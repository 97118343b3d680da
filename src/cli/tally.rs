//! How far judging is, on the terminal.

use std::time::{Duration, Instant};

use super::bar::Bar;
use super::ui::ended;
use crate::bench::Pair;
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
    /// Whether it is each agent alone: then both pass, or not both.
    alone: bool,
}

impl Tally {
    /// Begins the bar anew for all runs, of which `total` pairs are to be judged.
    pub fn begin(total: usize, alone: bool, bar: &mut Bar) -> Self {
        let tally = Self {
            total,
            alone,
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
        if self.alone {
            return format!("{passed} both pass, {failed} not both, {errors}");
        }
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
                let word = match verdict {
                    Verdict::Pass => "pass",
                    Verdict::Fail => "fail",
                    Verdict::Error(_) => "error",
                };
                self.end(&pair, &verdict, word, &why, took, bar);
            }
            Told::JudgedAlone {
                pair,
                passed,
                why,
                took,
            } => {
                let (verdict, word) = match passed {
                    [Some(true), Some(true)] => (Verdict::Pass, "both agents pass"),
                    [Some(true), Some(false)] => (Verdict::Fail, "agent 1 passes"),
                    [Some(false), Some(true)] => (Verdict::Fail, "agent 2 passes"),
                    [Some(false), Some(false)] => (Verdict::Fail, "neither passes"),
                    _ => (Verdict::Error(String::new()), "error"),
                };
                self.end(&pair, &verdict, word, &why, took, bar);
            }
        }
    }

    /// Shows how a pair ended.
    fn end(
        &mut self,
        pair: &Pair,
        verdict: &Verdict,
        word: &str,
        why: &str,
        took: Duration,
        bar: &mut Bar,
    ) {
        let count = match verdict {
            Verdict::Pass => &mut self.passed,
            Verdict::Fail => &mut self.failed,
            Verdict::Error(_) => &mut self.errors,
        };
        *count += 1;
        bar.running.end(pair);
        bar.step();
        bar.set(self.passed + self.failed + self.errors, self.total);
        bar.words(self.counts());
        let why = if why.is_empty() {
            String::new()
        } else {
            format!("  ({why})")
        };
        let took = duration(took.as_secs_f64());
        if bar.is_drawn() {
            let is_pass = *verdict == Verdict::Pass;
            let is_error = matches!(verdict, Verdict::Error(_));
            let word = ended(&format!("{word:<5}"), is_pass, is_error);
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
