//! The waits between attempts. After a limit of the account the run goes on when it has reset.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Zoned};

use super::one_run::Runner;
use super::policy::RunEnd;
use super::{Event, backoff};
use crate::error::Result;
use crate::text::{exact, one_line, plural};
use crate::triage::{Cause, Diagnosis};

/// A limit that an attempt met, with the time at which it resets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    rule: String,
    text: String,
    resets_at: Timestamp,
}

/// A clock may be set while we wait, or the machine sleep: it is looked at this often.
const LOOK: Duration = Duration::from_secs(20);

impl Limit {
    /// The limit that a trial ended in, if it resets later than now.
    pub fn of(diagnosis: &Diagnosis, now: Timestamp) -> Option<Self> {
        let resets_at = diagnosis.resets_at.filter(|at| *at > now)?;
        (diagnosis.cause == Cause::Limit).then(|| Self {
            rule: diagnosis.evidence.rule.to_string(),
            text: diagnosis.evidence.text.clone(),
            resets_at,
        })
    }

    /// Of two, the one that resets later.
    pub fn later(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if other.resets_at >= self.resets_at => other,
            _ => self,
        }
    }

    /// The event that tells of the first limit that an attempt meets.
    pub fn event(&self) -> Event {
        Event::LimitMet {
            rule: self.rule.clone(),
            text: self.text.clone(),
            resets_at: self.resets_at,
        }
    }

    /// How the run ends that does not wait for it.
    fn end(&self, why: &str) -> RunEnd {
        RunEnd::Limit(format!(
            "`{}`: {}; it resets at {}, {why}",
            self.rule,
            one_line(&self.text, 200),
            local(self.resets_at)
        ))
    }
}

/// The longest that a back-off is drawn out to where a rate limit says when it passes; what lasts
/// longer is a limit of its own.
const RATE_MAX: Duration = Duration::from_mins(10);

impl Runner {
    /// Waits before the next attempt, if there is one and something is left to run.
    pub(super) async fn wait(
        &self,
        nth: u32,
        infra: usize,
        at_least_until: Option<Timestamp>,
    ) -> Result<()> {
        let left = self.left(&self.survey()?).len();
        if nth == self.policy.max_attempts || left == 0 {
            return Ok(());
        }
        let pause = backoff::wait(
            self.policy.backoff,
            self.policy.backoff_max,
            nth,
            fastrand::f64(),
        );
        let asked = at_least_until.map(|at| at.duration_since(Timestamp::now()));
        let asked: Option<Duration> = asked.and_then(|asked| asked.try_into().ok());
        let pause = pause.max(asked.unwrap_or_default().min(RATE_MAX));
        self.sink.emit(Event::BackOff {
            seconds: pause.as_secs_f64(),
            why: format!(
                "{}, {} left",
                plural(infra, "infrastructure error"),
                plural(left, "pair")
            ),
        });
        let mut interrupt = self.interrupt.clone();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = interrupt.changed() => {}
        }
        Ok(())
    }

    /// Waits until a limit has reset; how the run ends, where it is not to wait.
    pub(super) async fn wait_for_reset(
        &self,
        limit: &Limit,
        is_last: bool,
    ) -> Result<Option<RunEnd>> {
        let left = self.left(&self.survey()?).len();
        let now = Timestamp::now();
        if left == 0 || self.is_budget_spent() {
            return Ok(None);
        }
        let Ok(ahead) = Duration::try_from(limit.resets_at.duration_since(now)) else {
            // It reset while what ran came to its end: the back-off alone.
            self.wait(1, 1, None).await?;
            return Ok(None);
        };
        if ahead > self.policy.max_wait {
            let longest = exact(self.policy.max_wait.as_secs_f64());
            return Ok(Some(limit.end(&format!(
                "which is further away than --max-wait ({longest})"
            ))));
        }
        if is_last {
            return Ok(Some(limit.end("and this was the last attempt")));
        }
        // Clocks differ: who comes back on the second may be refused once more.
        let pause = backoff::wait(
            self.policy.backoff,
            self.policy.backoff_max,
            1,
            fastrand::f64(),
        );
        let until = SignedDuration::try_from(pause)
            .ok()
            .and_then(|pause| limit.resets_at.checked_add(pause).ok());
        self.sleep_until(until.unwrap_or(limit.resets_at), limit)
            .await;
        Ok(None)
    }

    /// Sleeps until this time by the clock, or until the user interrupts.
    async fn sleep_until(&self, until: Timestamp, limit: &Limit) {
        self.sink.emit(Event::WaitingForReset {
            until,
            seconds: until
                .duration_since(Timestamp::now())
                .as_secs_f64()
                .max(0.0),
            why: one_line(&limit.text, 200),
        });
        let mut interrupt = self.interrupt.clone();
        while let Ok(left) = Duration::try_from(until.duration_since(Timestamp::now())) {
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left.min(LOOK)) => {}
                () = interrupt.changed() => return,
            }
        }
    }
}

/// A time for people: theirs.
#[must_use]
pub fn local(at: Timestamp) -> String {
    let zoned: Zoned = at.to_zoned(jiff::tz::TimeZone::system());
    zoned.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    /// What triage found of a trial, with the moment at which its limit resets.
    fn found(cause: Cause, resets_at: Option<&str>) -> Diagnosis {
        let text = "You've hit your limit";
        let mut diagnosis = Diagnosis::new(cause, "claude-limit".into(), "result.json", text);
        diagnosis.resets_at = resets_at.map(at);
        diagnosis
    }

    #[test]
    fn a_limit_holds_until_the_moment_that_it_tells() {
        let now = at("2026-03-01T10:00:00Z");
        let later = Some("2026-03-01T10:00:01Z");
        let limit = Limit::of(&found(Cause::Limit, later), now).unwrap();
        let Event::LimitMet {
            rule,
            text,
            resets_at,
        } = limit.event()
        else {
            panic!("{limit:?}")
        };
        assert_eq!(
            (rule.as_str(), text.as_str()),
            ("claude-limit", "You've hit your limit")
        );
        assert_eq!(Some(resets_at), later.map(at));
        for (cause, resets_at) in [
            // It has reset, or does not say when it will.
            (Cause::Limit, Some("2026-03-01T10:00:00Z")),
            (Cause::Limit, Some("2026-03-01T09:59:59Z")),
            (Cause::Limit, None),
            // It is no limit, whatever it tells.
            (Cause::Infra, later),
        ] {
            let none = Limit::of(&found(cause, resets_at), now);
            assert_eq!(none, None, "{cause:?} {resets_at:?}");
        }
    }

    #[test]
    fn of_two_limits_the_run_waits_for_the_later() {
        let limit = |rule: &str, hour: &str| Limit {
            rule: rule.to_owned(),
            text: "no more".to_owned(),
            resets_at: at(&format!("2026-03-01T{hour}:00:00Z")),
        };
        let (first, second) = (limit("five-hour", "12"), limit("weekly", "15"));
        assert_eq!(first.clone().later(Some(second.clone())), second);
        assert_eq!(second.clone().later(Some(first.clone())), second);
        assert_eq!(first.clone().later(None), first);
        // Of one moment the newer words.
        let newer = limit("daily", "12");
        assert_eq!(first.later(Some(newer.clone())), newer);
    }
    #[test]
    fn people_read_the_moment_by_their_own_clock() {
        let reset = at("2026-03-01T12:00:00Z");
        let here = reset.to_zoned(jiff::tz::TimeZone::system()).datetime();
        let shown = local(reset);
        let expected = here.to_string().replace('T', " ");
        assert!(shown.starts_with(&expected), "{shown}, {expected}");
    }
}
