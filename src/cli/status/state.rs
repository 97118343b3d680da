//! In a word: what state a run is in.

use std::time::Duration;

use jiff::Timestamp;

use crate::cli::tempo;
use crate::process;
use crate::runner::limit::local;
use crate::store::RunDir;
use crate::store::events::RunEvents;
use crate::store::live::{Hold, Live};
use crate::store::lock::{RunLock, driver_of};
use crate::text::{NAME, one_line, plural};

/// What the state of a run is told by.
#[derive(Debug)]
pub struct RunState {
    /// Who has the run's lock.
    pub holder: Option<String>,
    /// Whether that command has come to this run, which it may have locked for later.
    is_here: bool,
    /// The number of the last attempt; 0 when there was none.
    last_attempt: u32,
    /// Whether nothing is known of that attempt's end.
    is_open: bool,
    /// The last command, by its events.
    pub live: Live,
    /// What was asked of us.
    pub asked: AskedFor,
    /// Who goes on with a forced pass.
    pub forced: Forced,
    /// Pairs that were asked for and that the command which has the run, or else the next one, runs.
    pub left: usize,
    /// Pairs whose error is the agent's own: no command runs them again.
    pub settled: usize,
}

/// Who goes on with the forced pass of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forced {
    /// None is open.
    No,
    /// Nobody now: what it has still to replace stands.
    Later,
    /// The command that has the run.
    Now,
}

/// When the rest of an attempt will be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Eta {
    /// Too few trials have ended to say.
    Unknown,
    /// In so many seconds, at its pace so far.
    Seconds(f64),
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
    /// The state of a run without pairs, and the events that it was read from; the counts are the
    /// caller's.
    pub fn read(run: &RunDir) -> crate::error::Result<(Self, RunEvents)> {
        let mut holder = RunLock::holder(run);
        let mut told = RunEvents::of_run(run)?;
        // A command that ended between the two would seem to have died.
        let now = RunLock::holder(run);
        if now != holder {
            (holder, told) = (now, RunEvents::of_run(run)?);
        }
        let live = std::mem::take(&mut told.live);
        // A command locks all its runs first, and then comes to one after the other.
        let taken_at = RunLock::taken_at(run);
        let begun_at = live.begun_at.map(std::time::SystemTime::from);
        let is_here = begun_at.is_some() && begun_at >= taken_at;
        // Its pass is written when they are locked.
        let pass = run.pass().metadata().and_then(|meta| meta.modified()).ok();
        let is_forcing = holder.is_some() && pass.is_some() && pass >= taken_at;
        // Of its driver's claim one knows that it has come to this run.
        let is_here = is_here || begun_at.is_some() && driver_of(run).is_some();
        let holder = holder.map(|holder| with_host(&holder));
        let state = Self {
            is_here: holder.is_some() && is_here,
            holder,
            last_attempt: told.history.last_attempt,
            is_open: told.history.open.is_some(),
            live,
            asked: AskedFor::Nothing,
            forced: if is_forcing { Forced::Now } else { Forced::No },
            left: 0,
            settled: 0,
        };
        Ok((state, told))
    }

    /// Whether trials run now, or will after a wait.
    pub fn is_running(&self) -> bool {
        self.is_here && self.live.end.is_none()
    }

    /// When the rest of the attempt will be done, where `at_once` pairs run at once; `None` where
    /// nothing is left of it, or nothing new is begun.
    pub fn eta(&self, at_once: usize, now: Timestamp) -> Option<Eta> {
        let attempt = self.live.attempt.as_ref()?;
        let left = attempt.left();
        let is_held = self.live.hold.is_some() || self.live.paused.is_some();
        if left == 0 || !self.is_running() || is_held {
            return None;
        }
        // Before each of the pairs that began together could end, those that did are the short ones.
        let enough = at_once.min(attempt.pairs.div_ceil(2)).max(1);
        if attempt.done < enough {
            return Some(Eta::Unknown);
        }
        let at_work = |at: Timestamp| {
            let span = at.duration_since(attempt.begun_at);
            Duration::try_from(span).unwrap_or_default()
        };
        let done = u32::try_from(attempt.done).ok()?;
        let eta = tempo::eta(done, at_work(attempt.done_at), at_work(now), left)?;
        Some(Eta::Seconds(eta.as_secs_f64()))
    }

    /// The state in words.
    pub fn told(&self, now: Timestamp) -> String {
        match &self.holder {
            Some(holder) => self.held(holder, now),
            None => self.at_rest(),
        }
    }

    fn held(&self, holder: &str, now: Timestamp) -> String {
        if self.is_running() && self.live.paused.is_some() {
            let attempt = self.last_attempt.max(1);
            return format!("paused, by {holder}, attempt {attempt}");
        }
        if self.is_running() {
            let (until, what) = match &self.live.hold {
                Some(Hold::Reset { until, .. }) if *until > now => (until, "a limit to reset"),
                Some(Hold::BackOff { until, .. }) if *until > now => (until, "its next attempt"),
                _ => {
                    let attempt = self.last_attempt.max(1);
                    return format!("running, by {holder}, attempt {attempt}");
                }
            };
            let until = local(*until);
            return format!("waiting until {until} for {what}, by {holder}");
        }
        match (self.left, self.live.begun_at) {
            (0, _) if self.forced != Forced::No => {
                format!("every pair has finished; a forced pass is open; in use by {holder}")
            }
            (0, _) => format!("complete; in use by {holder}"),
            (left, _) if self.forced == Forced::Now && !self.is_here => {
                format!("{left} to run by --force; {holder} comes to it in its turn")
            }
            (left, None) => format!("not begun, {left} to run; {holder} comes to it in its turn"),
            (left, Some(_)) if self.is_here => {
                format!("stopped with {left} left; in use by {holder}")
            }
            (left, Some(_)) => format!("not running, {left} left; in use by {holder}"),
        }
    }

    fn at_rest(&self) -> String {
        let (left, settled) = (self.left, self.settled);
        if left == 0 && self.forced != Forced::No {
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
        if self.is_open {
            return "died in its last attempt; the same command resumes".to_owned();
        }
        match self.live.end.as_deref() {
            _ if self.live.begun_at.is_none() && self.last_attempt == 0 => {
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

/// Who has a run, and whether that is on another host.
fn with_host(holder: &str) -> String {
    let holder = one_line(holder, NAME);
    let host = holder.split_once(" on ").map(|(_, rest)| rest);
    let host = host.and_then(|rest| rest.split(' ').next());
    match host {
        Some(host) if host != process::host() => format!("{holder} (another host)"),
        _ => holder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::live::Progress;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A run of ours with pairs left, which a command began at the first second.
    fn begun() -> RunState {
        RunState {
            holder: None,
            is_here: false,
            last_attempt: 2,
            is_open: false,
            live: Live {
                begun_at: Some(at(1)),
                ..Live::default()
            },
            asked: AskedFor::All,
            forced: Forced::No,
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
        state.last_attempt = 0;
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
    fn a_run_that_force_has_not_come_to_is_not_complete() {
        let forced = |left: usize, forced: Forced| RunState {
            forced,
            left,
            ..ended("complete")
        };
        assert_eq!(
            held(forced(3, Forced::Now), false),
            "3 to run by --force; process 7 comes to it in its turn"
        );
        assert_eq!(
            held(forced(3, Forced::Now), true),
            "stopped with 3 left; in use by process 7"
        );
        // A command without --force has the run, and an earlier pass is open.
        let open = "every pair has finished; a forced pass is open";
        assert_eq!(
            held(forced(0, Forced::Later), false),
            format!("{open}; in use by process 7")
        );
        assert_eq!(forced(0, Forced::Later).told(at(100)), open);
    }

    #[test]
    fn a_wait_is_told_with_its_end_and_what_it_is_for() {
        let until = at(1_000);
        let why = || "x".to_owned();
        for (hold, words) in [
            (Hold::Reset { until, why: why() }, "a limit to reset"),
            (Hold::BackOff { until, why: why() }, "its next attempt"),
        ] {
            let mut state = begun();
            state.live.hold = Some(hold.clone());
            let until = local(until);
            assert_eq!(
                held(state, true),
                format!("waiting until {until} for {words}, by process 7")
            );
            let mut late = begun();
            (late.holder, late.is_here) = (Some("process 7".to_owned()), true);
            late.live.hold = Some(hold);
            assert_eq!(late.told(at(1_001)), "running, by process 7, attempt 2");
        }
    }

    /// A run whose attempt over so many pairs began at the 100th second, 99 seconds after its
    /// command, and finished so many of them by the 160th.
    fn under_way(pairs: usize, done: usize, failed: usize) -> RunState {
        let mut state = begun();
        (state.holder, state.is_here) = (Some("process 7".to_owned()), true);
        state.live.attempt = Some(Progress {
            begun_at: at(100),
            pairs,
            done,
            done_at: at(160),
            failed,
            is_last: false,
        });
        state
    }

    #[test]
    fn what_is_left_of_an_attempt_takes_as_long_as_what_was_done_of_it() {
        let eta = |state: &RunState| state.eta(2, at(160));
        assert_eq!(eta(&under_way(8, 0, 0)), Some(Eta::Unknown));
        // Two run at once, and one has ended.
        assert_eq!(eta(&under_way(8, 1, 0)), Some(Eta::Unknown));
        assert_eq!(eta(&under_way(8, 2, 0)), Some(Eta::Seconds(180.0)));
        // What ended in an error of the infrastructure says nothing of the pace, and runs again.
        assert_eq!(eta(&under_way(8, 0, 5)), Some(Eta::Unknown));
        assert_eq!(eta(&under_way(8, 2, 5)), Some(Eta::Seconds(180.0)));
        let mut last = under_way(8, 2, 5);
        last.live.attempt.as_mut().unwrap().is_last = true;
        assert_eq!(eta(&last), Some(Eta::Seconds(30.0)));
        assert_eq!(eta(&under_way(2, 2, 0)), None);
        // It goes down until the next is overdue.
        let state = under_way(8, 2, 0);
        assert_eq!(state.eta(2, at(170)), Some(Eta::Seconds(170.0)));
        assert_eq!(state.eta(2, at(280)), Some(Eta::Seconds(300.0)));
        // Where all run at once, half of them say it.
        assert_eq!(under_way(4, 1, 0).eta(20, at(160)), Some(Eta::Unknown));
        assert_eq!(
            under_way(4, 2, 0).eta(20, at(160)),
            Some(Eta::Seconds(60.0))
        );
    }

    #[test]
    fn nobody_knows_when_what_waits_or_has_ended_is_done() {
        let mut state = under_way(8, 4, 0);
        state.live.hold = Some(Hold::Budget {
            spent: 2.0,
            budget: 1.0,
        });
        assert_eq!(state.eta(2, at(160)), None);
        let mut state = under_way(8, 4, 0);
        state.live.end = Some("complete".to_owned());
        assert_eq!(state.eta(2, at(160)), None);
        assert_eq!(begun().eta(2, at(160)), None);
    }
}
