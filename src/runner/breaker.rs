//! The breaker: a broken world stops the spending. Pure.

use crate::bench::RuleId;
use crate::triage::{Cause, Finding};

/// Watches the trials of one attempt as they end.
///
/// It takes as many as run at once for a row: one event of the world ends all that are under way,
/// and they are counted once each.
#[derive(Debug)]
pub struct Breaker {
    threshold: usize,
    finished: usize,
    ended: usize,
    first: Option<String>,
    same: usize,
    rows: Rows,
    /// What was said of images that cannot be had.
    images: Vec<String>,
}

/// Trials that ended alike, with none between them that the agent brought to an end.
#[derive(Debug, Default)]
struct Rows {
    config: usize,
    limits: usize,
    unknown: (String, usize),
}

/// Why the breaker tripped. It stops the attempt, and ends the run unless the error `passes` and
/// attempts are left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    /// The rule of the error, or the text of one that no rule knows.
    pub error: String,
    /// The error's own words, from the trial that tripped it.
    pub text: String,
    /// How many trials ended in it.
    pub trials: usize,
    /// Whether it passes by itself: a limit of the account.
    pub passes: bool,
}

impl Breaker {
    /// A breaker for an attempt: it takes `trials` equal errors, and never fewer than run at once.
    #[must_use]
    pub const fn new(trials: usize, concurrency: usize) -> Self {
        Self {
            // `Ord::max` is not const.
            threshold: if trials > concurrency {
                trials
            } else {
                concurrency
            },
            finished: 0,
            ended: 0,
            first: None,
            same: 0,
            rows: Rows {
                config: 0,
                limits: 0,
                unknown: (String::new(), 0),
            },
            images: Vec::new(),
        }
    }

    /// It takes `trials` equal errors from now on, and never fewer than run at once.
    pub fn take(&mut self, trials: usize, concurrency: usize) {
        self.threshold = trials.max(concurrency);
    }

    /// Looks at a trial that ended.
    ///
    /// It trips when the first trials of the attempt all end in the same error; at the first
    /// configuration error while nothing has finished yet, as every other pair would meet it too;
    /// and at any time at a row of configuration errors (a login that expires, credits that run
    /// out), of limits of the account, or of equal errors that no rule knows. One such error among
    /// finished trials may be that one conversation's.
    pub fn look(&mut self, finding: &Finding, error_text: &str) -> Option<Trip> {
        if self.is_same_image(finding) {
            return None;
        }
        self.ended += 1;
        let Some(error) = error_of(finding, error_text) else {
            self.finished += 1;
            self.rows = Rows::default();
            return None;
        };
        let cause = finding.diagnosis().map(|diagnosis| diagnosis.cause);
        let row = self.rows.count(cause, &error);
        if *self.first.get_or_insert_with(|| error.clone()) == error {
            self.same += 1;
        }
        let is_first_config = cause == Some(Cause::Config) && self.finished == 0;
        let trials = if row >= self.threshold || is_first_config {
            row
        } else if self.same == self.ended && self.same >= self.threshold {
            self.same
        } else {
            return None;
        };
        let text = finding
            .diagnosis()
            .map_or(error_text, |diagnosis| &diagnosis.evidence.text);
        Some(Trip {
            error,
            text: text.to_owned(),
            trials,
            passes: cause == Some(Cause::Limit),
        })
    }

    /// Whether a pair ended for an image that other pairs have ended for already: one image that
    /// cannot be had is one event, and says nothing of other images.
    fn is_same_image(&mut self, finding: &Finding) -> bool {
        let Some(diagnosis) = finding.diagnosis() else {
            return false;
        };
        if ![RuleId::IMAGE_PULL, RuleId::IMAGE_REFUSED].contains(&diagnosis.evidence.rule) {
            return false;
        }
        let text = &diagnosis.evidence.text;
        let is_known = self.images.contains(text);
        if !is_known {
            self.images.push(text.clone());
        }
        is_known
    }
}

impl Rows {
    /// Counts a trial; the length of the row that it makes longer. What infrastructure broke makes
    /// none, and ends none: it says nothing of a login or a limit.
    fn count(&mut self, cause: Option<Cause>, error: &str) -> usize {
        match cause {
            Some(Cause::Config) => {
                self.config += 1;
                self.config
            }
            Some(Cause::Limit) => {
                self.limits += 1;
                self.limits
            }
            None if self.unknown.0 == error => {
                self.unknown.1 += 1;
                self.unknown.1
            }
            None => {
                self.unknown = (error.to_owned(), 1);
                1
            }
            Some(Cause::Infra | Cause::Agent) => 0,
        }
    }
}

/// The error's name, by which errors are the same; `None` for a trial that finished or failed by
/// its agent, which a broken world is not.
fn error_of(finding: &Finding, text: &str) -> Option<String> {
    match finding {
        Finding::Finished => None,
        Finding::Unmatched => Some(match normalised(text) {
            none if none.is_empty() => "an error without a text".to_owned(),
            text => text,
        }),
        Finding::Failed(diagnosis) | Finding::OnlyLooksFinished(diagnosis) => {
            (diagnosis.cause != Cause::Agent).then(|| diagnosis.evidence.rule.to_string())
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

    fn failed(cause: Cause, rule: &'static str) -> Finding {
        Finding::Failed(Diagnosis::new(
            cause,
            RuleId::of(rule),
            "agent.error",
            "text",
        ))
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
    fn pairs_of_one_image_that_cannot_be_had_count_once() {
        for rule in [RuleId::IMAGE_PULL, RuleId::IMAGE_REFUSED] {
            let missing = |image: &str| {
                let text = format!("the image {image} cannot be pulled");
                let rule = rule.clone();
                Finding::Failed(Diagnosis::new(Cause::Infra, rule, "agent.error", &text))
            };
            let mut breaker = Breaker::new(3, 2);
            for image in ["a", "a", "a", "a", "b", "b", "a"] {
                assert_eq!(breaker.look(&missing(image), ""), None);
            }
            // None of the first images can be had: the registry is out of reach.
            assert_eq!(breaker.look(&missing("c"), "").unwrap().trials, 3);
        }
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

    fn trips_at(errors: &[(Finding, &str)]) -> Option<(usize, Trip)> {
        let mut breaker = Breaker::new(3, 2);
        breaker.look(&Finding::Finished, "");
        let mut looks = errors.iter().enumerate();
        looks.find_map(|(n, (finding, text))| Some((n + 1, breaker.look(finding, text)?)))
    }

    #[test]
    fn a_row_is_seen_at_any_time_whatever_the_rules_of_its_cause() {
        let (login, credit) = (
            failed(Cause::Config, "authentication"),
            failed(Cause::Config, "quota_exhausted"),
        );
        let row = [(login.clone(), ""), (credit, ""), (login, "")];
        let (n, trip) = trips_at(&row).unwrap();
        assert_eq!((n, trip.trials, trip.passes), (3, 3, false));
        let limits = ["session_limit", "weekly_limit", "session_limit"];
        let row = limits.map(|rule| (failed(Cause::Limit, rule), ""));
        let (n, trip) = trips_at(&row).unwrap();
        assert_eq!((n, trip.trials, trip.passes), (3, 3, true));
        let row = ["odd 1", "odd 2", "odd 3"].map(|text| (Finding::Unmatched, text));
        let (n, trip) = trips_at(&row).unwrap();
        assert_eq!((n, trip.error.as_str()), (3, "odd"));
        let row = [(); 3].map(|()| (Finding::Unmatched, ""));
        assert_eq!(trips_at(&row).unwrap().1.error, "an error without a text");
    }

    #[test]
    fn a_finished_trial_or_another_unknown_error_ends_a_row_and_broken_infrastructure_does_not() {
        let login = || (failed(Cause::Config, "authentication"), "");
        let dns = || (failed(Cause::Infra, "dns"), "");
        let unknown = |text| (Finding::Unmatched, text);
        let done = || (Finding::Finished, "");
        assert_eq!(trips_at(&[login(), dns(), login(), login()]).unwrap().0, 4);
        assert_eq!(
            trips_at(&[login(), login(), done(), login(), login()]),
            None
        );
        let mixed = [
            unknown("odd"),
            unknown("odd"),
            unknown("even"),
            unknown("odd"),
        ];
        assert_eq!(trips_at(&mixed), None);
        // Equal errors of infrastructure are the attempt's only where it began with them.
        assert_eq!(trips_at(&[dns(), dns(), dns(), dns()]), None);
    }

    #[test]
    fn what_runs_at_once_is_no_row_before_all_of_it_has_ended() {
        let mut breaker = Breaker::new(3, 5);
        breaker.look(&Finding::Finished, "");
        let limit = failed(Cause::Limit, "weekly_limit");
        let trips = [(); 5].map(|()| breaker.look(&limit, "").is_some());
        assert_eq!(trips, [false, false, false, false, true]);
    }
}
