//! The settings that may change while a run goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::policy::Policy;
use crate::config::{Config, Layers, gb_in_bytes, key_of, written};
use crate::error::{Error, Result, nearest};
use crate::store::wheel::TurnedSetting;

/// A setting with a new value.
#[derive(Clone, Debug, PartialEq)]
pub enum SettingChange {
    /// `concurrency`: pairs at the same time.
    Concurrency(usize),
    /// `budget` in USD; `None` lifts it.
    Budget(Option<f64>),
    /// `max_attempts`.
    MaxAttempts(u32),
    /// `max_wait`.
    MaxWait(Duration),
    /// `backoff`.
    Backoff(Duration),
    /// `backoff_max`.
    BackoffMax(Duration),
    /// `breaker_trials`.
    BreakerTrials(usize),
    /// `min_free_disk_gb`, in bytes.
    MinFreeBytes(u64),
}

/// How a change is read from a configuration that has it.
type Read = fn(&Config) -> SettingChange;

/// The keys that may change: they say how much is spent and how long is waited, and not what a trial
/// is.
const KEYS: [(&str, Read); 8] = [
    ("experiment.concurrency", |it| {
        SettingChange::Concurrency(it.experiment.concurrency)
    }),
    ("limits.budget", |it| {
        SettingChange::Budget(it.limits.budget)
    }),
    ("attempts.max_attempts", |it| {
        SettingChange::MaxAttempts(it.attempts.max_attempts)
    }),
    ("attempts.max_wait", |it| {
        SettingChange::MaxWait(it.attempts.max_wait)
    }),
    ("attempts.backoff", |it| {
        SettingChange::Backoff(it.attempts.backoff)
    }),
    ("attempts.backoff_max", |it| {
        SettingChange::BackoffMax(it.attempts.backoff_max)
    }),
    ("breaker.breaker_trials", |it| {
        SettingChange::BreakerTrials(it.breaker.breaker_trials)
    }),
    ("limits.min_free_disk_gb", |it| {
        SettingChange::MinFreeBytes(gb_in_bytes(it.limits.min_free_disk_gb))
    }),
];

/// What lifts a limit.
const NONE: &str = "none";

/// Keys of these tables, and these keys, say what a trial is.
const PARTS_OF_A_RUN: [&str; 4] = ["experiment.", "native.", "upstream.", "limits.task_timeout"];

impl SettingChange {
    /// Reads settings, by the last words of their keys; refuses all where one is none, is wrong, or may
    /// not change.
    pub fn read(given: &BTreeMap<String, String>) -> Result<Vec<Self>> {
        let mut layers = Layers::defaults();
        let mut reads = Vec::new();
        for (word, text) in given {
            let key = key_of(word).ok_or_else(|| unknown(word))?;
            let found = KEYS.iter().find(|(known, _)| *known == key);
            let (_, read) = found.ok_or_else(|| refused(word, key))?;
            if key == "limits.budget" && text == NONE {
                reads.push((key, None));
                continue;
            }
            layers.set(key, text, &format!("{word}={text}"))?;
            reads.push((key, Some(read)));
        }
        let config = layers.config()?;
        let read = |(_, read): &(&str, Option<&Read>)| match read {
            Some(read) => read(&config),
            None => Self::Budget(None),
        };
        Ok(reads.iter().map(read).collect())
    }

    /// The key's last word.
    #[must_use]
    const fn word(&self) -> &'static str {
        match self {
            Self::Concurrency(_) => "concurrency",
            Self::Budget(_) => "budget",
            Self::MaxAttempts(_) => "max_attempts",
            Self::MaxWait(_) => "max_wait",
            Self::Backoff(_) => "backoff",
            Self::BackoffMax(_) => "backoff_max",
            Self::BreakerTrials(_) => "breaker_trials",
            Self::MinFreeBytes(_) => "min_free_disk_gb",
        }
    }

    /// The same setting as it is now.
    #[must_use]
    pub const fn before(&self, now: &Policy) -> Self {
        match self {
            Self::Concurrency(_) => Self::Concurrency(now.concurrency),
            Self::Budget(_) => Self::Budget(now.budget),
            Self::MaxAttempts(_) => Self::MaxAttempts(now.max_attempts),
            Self::MaxWait(_) => Self::MaxWait(now.max_wait),
            Self::Backoff(_) => Self::Backoff(now.backoff),
            Self::BackoffMax(_) => Self::BackoffMax(now.backoff_max),
            Self::BreakerTrials(_) => Self::BreakerTrials(now.breaker_trials),
            Self::MinFreeBytes(_) => Self::MinFreeBytes(now.min_free_bytes),
        }
    }

    /// Puts it in force.
    pub const fn apply(&self, to: &mut Policy) {
        match self {
            Self::Concurrency(count) => to.concurrency = *count,
            Self::Budget(budget) => to.budget = *budget,
            Self::MaxAttempts(count) => to.max_attempts = *count,
            Self::MaxWait(time) => to.max_wait = *time,
            Self::Backoff(time) => to.backoff = *time,
            Self::BackoffMax(time) => to.backoff_max = *time,
            Self::BreakerTrials(count) => to.breaker_trials = *count,
            Self::MinFreeBytes(bytes) => to.min_free_bytes = *bytes,
        }
    }

    /// Its value, as events and manifests have it.
    fn value(&self) -> Value {
        match self {
            Self::Concurrency(count) | Self::BreakerTrials(count) => json!(count),
            Self::Budget(budget) => json!(budget),
            Self::MaxAttempts(count) => json!(count),
            Self::MaxWait(time) | Self::Backoff(time) | Self::BackoffMax(time) => {
                json!(written(*time))
            }
            #[expect(clippy::cast_precision_loss, reason = "a number of GB")]
            Self::MinFreeBytes(bytes) => json!(*bytes as f64 / 1e9),
        }
    }

    /// What it changes now.
    #[must_use]
    pub fn told(&self, now: &Policy) -> TurnedSetting {
        TurnedSetting {
            setting: self.word().to_owned(),
            old: self.before(now).value(),
            new: self.value(),
        }
    }
}

/// The words that may be set, for a sentence.
fn words() -> Vec<&'static str> {
    let word = |key: &'static str| key.rsplit('.').next().unwrap_or(key);
    KEYS.iter().map(|(key, _)| word(key)).collect()
}

fn may_change() -> String {
    format!("these may change while it runs: {}", words().join(", "))
}

fn unknown(word: &str) -> Error {
    let error = Error::usage(format!("there is no setting `{word}`"));
    match nearest(word, words()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(may_change()),
    }
}

fn refused(word: &str, key: &str) -> Error {
    let is_part = PARTS_OF_A_RUN.iter().any(|part| key.starts_with(part));
    let why = if is_part {
        "with another one it is another experiment, and its trials could not be compared"
    } else {
        "it is read when the command begins; stop the command and give it again with another one"
    };
    Error::usage(format!("`{word}` cannot change while a run goes on: {why}")).hint(may_change())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[(&str, &str)]) -> Result<Vec<SettingChange>> {
        let given = given.iter();
        let given = given.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        SettingChange::read(&given.collect())
    }

    #[test]
    fn what_may_change_is_read_by_its_last_word_and_its_place() {
        let changes = read(&[
            ("backoff", "90s"),
            ("breaker_trials", "9"),
            ("experiment.concurrency", "8"),
            ("limits.budget", "50"),
            ("max_attempts", "5"),
            ("min_free_disk_gb", "0.5"),
        ]);
        let expected = [
            SettingChange::Backoff(Duration::from_secs(90)),
            SettingChange::BreakerTrials(9),
            SettingChange::Concurrency(8),
            SettingChange::Budget(Some(50.0)),
            SettingChange::MaxAttempts(5),
            SettingChange::MinFreeBytes(500_000_000),
        ];
        assert_eq!(changes.unwrap(), expected);
        let lifted = read(&[("budget", "none"), ("max_wait", "2h")]).unwrap();
        let wait = SettingChange::MaxWait(Duration::from_hours(2));
        assert_eq!(lifted, [SettingChange::Budget(None), wait]);
    }

    #[test]
    fn what_is_wrong_or_may_not_change_is_refused_with_the_reason() {
        for (key, value, why) in [
            ("concurrency", "0", "must be at least 1"),
            ("concurrency", "many", "whole number"),
            ("concurrency", "-1", "whole number"),
            ("budget", "-5", "more than 0"),
            ("budget", "inf", "more than 0"),
            ("max_wait", "soon", "no duration"),
            ("model", "openai/m", "it is another experiment"),
            ("step_limit", "5", "it is another experiment"),
            ("task_timeout", "5m", "it is another experiment"),
            ("grace", "5m", "it is read when the command begins"),
            ("suite_timeout", "5m", "it is read when the command begins"),
            ("concurency", "8", "there is no setting `concurency`"),
        ] {
            let error = read(&[("max_attempts", "5"), (key, value)]).unwrap_err();
            assert!(error.to_string().contains(why), "{key}={value}: {error}");
        }
        let hints = |key| read(&[(key, "8")]).unwrap_err().hints().join(" ");
        assert_eq!(hints("concurency"), "did you mean `concurrency`?");
        assert!(hints("model").contains("concurrency, budget, max_attempts"));
    }

    #[test]
    fn every_change_is_put_in_force_and_shown() {
        let mut policy = Policy {
            max_attempts: 3,
            concurrency: 4,
            backoff: Duration::from_secs(30),
            backoff_max: Duration::from_mins(10),
            max_wait: Duration::from_hours(6),
            breaker_trials: 3,
            budget: None,
            elsewhere: 0.0,
            min_free_bytes: 2_000_000_000,
            grace: Duration::ZERO,
        };
        for (change, shown) in [
            (SettingChange::Concurrency(8), "concurrency: 4 → 8"),
            (SettingChange::Budget(Some(50.0)), "budget: none → $50.00"),
            (SettingChange::MaxAttempts(5), "max_attempts: 3 → 5"),
            (
                SettingChange::MaxWait(Duration::from_hours(1)),
                "max_wait: 6h → 1h",
            ),
            (
                SettingChange::Backoff(Duration::from_secs(90)),
                "backoff: 30s → 1m 30s",
            ),
            (
                SettingChange::BackoffMax(Duration::from_mins(1)),
                "backoff_max: 10m → 1m",
            ),
            (SettingChange::BreakerTrials(9), "breaker_trials: 3 → 9"),
            (
                SettingChange::MinFreeBytes(500_000_000),
                "min_free_disk_gb: 2 → 0.5",
            ),
        ] {
            let told = change.told(&policy);
            assert_ne!(change.before(&policy), change);
            change.apply(&mut policy);
            assert_eq!(change.before(&policy), change);
            assert_eq!(told.to_string(), shown);
        }
    }
}
