//! The breaker: a broken world stops the spending. Pure.

use crate::triage::{Cause, Finding};

/// Watches the trials of one attempt as they end.
#[derive(Debug)]
pub struct Breaker {
    threshold: usize,
    finished: usize,
    ended: usize,
    first: Option<String>,
    same: usize,
    config_in_a_row: usize,
}

/// Why the breaker tripped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    /// The rule of the error, or the text of one that no rule knows.
    pub error: String,
    /// The error's text.
    pub text: String,
    /// How many trials ended in it.
    pub trials: usize,
}

impl Breaker {
    /// A breaker for an attempt: it takes `trials` equal errors, and never fewer than run at once.
    #[must_use]
    pub const fn new(trials: usize, concurrency: usize) -> Self {
        Self {
            threshold: if trials > concurrency {
                trials
            } else {
                concurrency
            },
            finished: 0,
            ended: 0,
            first: None,
            same: 0,
            config_in_a_row: 0,
        }
    }

    /// Looks at a trial that ended.
    ///
    /// It trips when the first trials of the attempt all end in the same error; at the first
    /// configuration error while nothing has finished yet, as every other pair would meet it too;
    /// and at a row of configuration errors later on (a key that is revoked, credits that run out).
    /// One configuration error among finished trials may be that one conversation's.
    pub fn look(&mut self, finding: &Finding, error_text: &str) -> Option<Trip> {
        self.ended += 1;
        let Some(error) = error_of(finding, error_text) else {
            self.finished += 1;
            self.config_in_a_row = 0;
            return None;
        };
        let text = finding
            .diagnosis()
            .map_or(error_text, |diagnosis| &diagnosis.evidence.text);
        let trip = |trials| {
            Some(Trip {
                error: error.clone(),
                text: text.to_owned(),
                trials,
            })
        };
        let is_config = finding
            .diagnosis()
            .is_some_and(|diagnosis| diagnosis.cause == Cause::Config);
        self.config_in_a_row = if is_config {
            self.config_in_a_row + 1
        } else {
            0
        };
        if is_config && (self.finished == 0 || self.config_in_a_row >= self.threshold) {
            return trip(self.config_in_a_row);
        }
        if *self.first.get_or_insert_with(|| error.clone()) == error {
            self.same += 1;
        }
        if self.same == self.ended && self.same >= self.threshold {
            return trip(self.same);
        }
        None
    }
}

/// The error's name, by which errors are the same; `None` for a trial that finished or failed by
/// its agent, which a broken world is not.
fn error_of(finding: &Finding, text: &str) -> Option<String> {
    match finding {
        Finding::Finished => None,
        Finding::Unmatched => Some(normalised(text)),
        Finding::Failed(diagnosis) | Finding::OnlyLooksFinished(diagnosis) => {
            (diagnosis.cause != Cause::Agent).then(|| diagnosis.evidence.rule.clone())
        }
    }
}

/// An error's text without what differs from trial to trial: digits, and words that hold them.
fn normalised(text: &str) -> String {
    let words = text
        .split_whitespace()
        .filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
    words.take(40).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::Diagnosis;

    fn failed(cause: Cause, rule: &str) -> Finding {
        Finding::Failed(Diagnosis::new(cause, rule, "agent.error", "text"))
    }

    #[test]
    fn the_first_configuration_error_trips_it() {
        let mut breaker = Breaker::new(3, 4);
        let trip = breaker
            .look(&failed(Cause::Config, "authentication"), "")
            .unwrap();
        assert_eq!(trip.trials, 1);
    }

    #[test]
    fn a_lone_configuration_error_among_finished_trials_does_not() {
        let mut breaker = Breaker::new(3, 1);
        assert_eq!(breaker.look(&Finding::Finished, ""), None);
        for _ in 0..2 {
            assert_eq!(breaker.look(&failed(Cause::Config, "payment"), ""), None);
        }
        assert!(
            breaker
                .look(&failed(Cause::Config, "payment"), "")
                .is_some()
        );
    }

    #[test]
    fn the_same_error_from_all_first_trials_trips_it_and_never_before_the_concurrencys_worth() {
        let mut breaker = Breaker::new(3, 4);
        for _ in 0..3 {
            assert_eq!(breaker.look(&failed(Cause::Infra, "rate_limit"), ""), None);
        }
        assert_eq!(
            breaker
                .look(&failed(Cause::Infra, "rate_limit"), "")
                .unwrap()
                .trials,
            4
        );
    }

    #[test]
    fn one_that_finished_or_another_error_keeps_it_closed() {
        for other in [
            Finding::Finished,
            failed(Cause::Infra, "dns"),
            failed(Cause::Agent, "limit"),
        ] {
            let mut breaker = Breaker::new(3, 1);
            breaker.look(&failed(Cause::Infra, "rate_limit"), "");
            breaker.look(&other, "");
            for _ in 0..9 {
                assert_eq!(breaker.look(&failed(Cause::Infra, "rate_limit"), ""), None);
            }
        }
    }

    #[test]
    fn unknown_errors_are_the_same_when_only_numbers_differ() {
        let mut breaker = Breaker::new(2, 1);
        assert_eq!(breaker.look(&Finding::Unmatched, "flux at 0x1 broke"), None);
        assert!(
            breaker
                .look(&Finding::Unmatched, "flux at 0x2 broke")
                .is_some()
        );
    }
}
