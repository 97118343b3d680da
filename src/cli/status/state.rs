//! In a word: what state a run is in.

use jiff::Timestamp;

use crate::runner::limit::local;
use crate::store::RunDir;
use crate::store::events::History;
use crate::store::live::Live;
use crate::store::lock::RunLock;
use crate::text::plural;

/// What the state of a run is told by.
#[derive(Debug)]
pub struct RunState {
    /// Who has the run's lock.
    pub holder: Option<String>,
    /// Whether that command has come to this run, which it may have locked for later.
    is_here: bool,
    history: History,
    /// The last command, by its events.
    pub live: Live,
    /// What was asked of us.
    pub asked: AskedFor,
    /// Whether a forced pass is open.
    pub is_forced: bool,
    /// Pairs that were asked for and that the next command would run.
    pub left: usize,
    /// Pairs whose error is the agent's own: no command runs them again.
    pub settled: usize,
}

/// How much of a run we were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedFor {
    /// It is a stranger's.
    Nothing,
    /// Some of its pairs.
    Part,
    /// All of them.
    All,
}

impl RunState {
    /// The state of a run without pairs; the counts are the caller's.
    pub fn read(run: &RunDir) -> crate::error::Result<Self> {
        let live = Live::of_run(run)?;
        let holder = RunLock::holder(run);
        // A command locks all its runs first, and then comes to one after the other.
        let taken_at = RunLock::taken_at(run).and_then(|at| Timestamp::try_from(at).ok());
        let is_here = match (live.begun_at, taken_at) {
            (Some(begun), Some(taken)) => begun >= taken,
            (begun, None) => begun.is_some(),
            (None, Some(_)) => false,
        };
        Ok(Self {
            is_here: holder.is_some() && is_here,
            holder,
            history: History::of_run(run)?,
            live,
            asked: AskedFor::Nothing,
            is_forced: false,
            left: 0,
            settled: 0,
        })
    }

    /// Whether trials run now, or will after a wait.
    pub fn is_running(&self) -> bool {
        self.is_here && self.live.end.is_none()
    }

    /// When the command that runs it will be done at its pace so far; `None` before a trial has ended.
    pub fn seconds_left(&self, now: Timestamp) -> Option<f64> {
        let begun = self.live.begun_at.filter(|_| self.is_running())?;
        let so_far = now.duration_since(begun).as_secs_f64();
        (self.live.ended > 0 && self.left > 0)
            .then(|| so_far / self.live.ended as f64 * self.left as f64)
    }

    /// The state in words.
    pub fn told(&self, now: Timestamp) -> String {
        match &self.holder {
            Some(holder) => self.held(holder, now),
            None => self.at_rest(),
        }
    }

    fn held(&self, holder: &str, now: Timestamp) -> String {
        let attempt = self.history.last_attempt.max(1);
        if self.is_running() {
            return match self.history.waits_until.filter(|at| *at > now) {
                Some(until) => format!(
                    "waiting until {} for a limit to reset, by {holder}",
                    local(until)
                ),
                None => format!("running, by {holder}, attempt {attempt}"),
            };
        }
        match (self.left, self.live.begun_at) {
            (0, _) => format!("complete; in use by {holder}"),
            (left, None) => format!("not begun, {left} to run; {holder} comes to it in its turn"),
            (left, Some(_)) if self.is_here => {
                format!("stopped with {left} left; in use by {holder}")
            }
            (left, Some(_)) => format!("not running, {left} left; in use by {holder}"),
        }
    }

    fn at_rest(&self) -> String {
        let (left, settled) = (self.left, self.settled);
        if left == 0 && self.is_forced {
            return "every pair has finished; a forced pass is open".to_owned();
        }
        if left == 0 && settled > 0 {
            let pairs = plural(settled, "pair");
            return format!("complete; {pairs} ended in an error of the agent's own");
        }
        if left == 0 && self.asked == AskedFor::Part {
            return "complete, as far as it was asked for".to_owned();
        }
        if left == 0 {
            return "complete".to_owned();
        }
        if self.asked == AskedFor::Nothing {
            return format!(
                "not running, {left} left; the cooperbench command that began it resumes"
            );
        }
        if self.history.open.is_some() {
            return "died in its last attempt; the same command resumes".to_owned();
        }
        match self.live.end.as_deref() {
            _ if self.live.begun_at.is_none() && self.history.last_attempt == 0 => {
                format!("not begun, {left} to run; the same command begins it")
            }
            Some("interrupted") => format!("interrupted, {left} left; the same command resumes"),
            Some("budget") => format!(
                "stopped by the budget, {left} left; the same command with a larger --budget goes on"
            ),
            Some("limit") => {
                format!("stopped by an account's limit, {left} left; the same command goes on")
            }
            Some("world") => {
                format!("stopped by what is around it, {left} left; the same command goes on")
            }
            _ => format!("not running, {left} left; the same command resumes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A run of ours with pairs left, which a command began at the first second.
    fn begun() -> RunState {
        RunState {
            holder: None,
            is_here: false,
            history: History {
                last_attempt: 2,
                ..History::default()
            },
            live: Live {
                begun_at: Some(at(1)),
                ..Live::default()
            },
            asked: AskedFor::All,
            is_forced: false,
            left: 3,
            settled: 0,
        }
    }

    fn held(state: RunState, is_here: bool) -> String {
        let state = RunState {
            holder: Some("process 7".to_owned()),
            is_here,
            ..state
        };
        state.told(at(100))
    }

    fn ended(end: &str) -> RunState {
        let mut state = begun();
        state.live.end = Some(end.to_owned());
        state
    }

    fn fresh() -> RunState {
        let mut state = begun();
        state.live.begun_at = None;
        state.history.last_attempt = 0;
        state
    }

    #[test]
    fn a_setting_that_its_command_has_not_come_to_is_none_that_runs() {
        assert_eq!(held(begun(), true), "running, by process 7, attempt 2");
        assert_eq!(
            held(fresh(), false),
            "not begun, 3 to run; process 7 comes to it in its turn"
        );
        assert_eq!(
            held(ended("interrupted"), false),
            "not running, 3 left; in use by process 7"
        );
        assert_eq!(
            held(ended("errors"), true),
            "stopped with 3 left; in use by process 7"
        );
        let mut done = ended("complete");
        done.left = 0;
        assert_eq!(held(done, true), "complete; in use by process 7");
    }

    #[test]
    fn a_run_at_rest_says_why_it_rests() {
        let told = |state: RunState| state.told(at(100));
        assert_eq!(
            told(fresh()),
            "not begun, 3 to run; the same command begins it"
        );
        for (end, words) in [
            (
                "interrupted",
                "interrupted, 3 left; the same command resumes",
            ),
            (
                "budget",
                "stopped by the budget, 3 left; the same command with a larger --budget goes on",
            ),
            ("errors", "not running, 3 left; the same command resumes"),
        ] {
            assert_eq!(told(ended(end)), words);
        }
    }

    #[test]
    fn what_is_left_takes_as_long_as_what_was_done() {
        let mut state = begun();
        (state.holder, state.is_here) = (Some("process 7".to_owned()), true);
        assert_eq!(state.seconds_left(at(61)), None);
        state.live.ended = 2;
        assert_eq!(state.seconds_left(at(61)), Some(90.0));
        state.live.end = Some("complete".to_owned());
        assert_eq!(state.seconds_left(at(61)), None);
    }
}
