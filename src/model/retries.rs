//! Who is told of calls that are tried again: of each cause once, and not of each try.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::chat::ChatError;
use crate::bench::RuleId;

/// A cause that did not come for so long is told again.
const FORGOTTEN: Duration = Duration::from_mins(10);

/// A call that failed and is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRetry {
    /// The triage rule of the failure.
    pub rule: RuleId,
    /// How the last try failed, without the key.
    pub text: String,
    /// How often such a call is tried at most, the first time included.
    pub tries: u32,
}

/// Who is told; called outside of any lock.
pub type RetryObserver = Arc<dyn Fn(CallRetry) + Send + Sync>;

/// The retries of all who call an endpoint.
#[derive(Default)]
pub struct Retries {
    observer: Option<RetryObserver>,
    /// When each cause came last.
    causes: Mutex<HashMap<String, Instant>>,
}

impl std::fmt::Debug for Retries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Retries").finish_non_exhaustive()
    }
}

impl Retries {
    /// Those of which this observer is told.
    #[must_use]
    pub fn told_to(observer: RetryObserver) -> Self {
        Self {
            observer: Some(observer),
            causes: Mutex::default(),
        }
    }

    /// A call failed so and is tried again, so often in all.
    pub(super) fn tell(&self, error: &ChatError, tries: u32) {
        let Some(observer) = &self.observer else {
            return;
        };
        if self.is_new(cause(error), Instant::now()) {
            observer(CallRetry {
                rule: error.rule(),
                text: error.to_string(),
                tries,
            });
        }
    }

    /// Notes a cause; says whether it is one that did not come for a while.
    fn is_new(&self, cause: String, now: Instant) -> bool {
        let mut causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        let last = causes.insert(cause, now);
        last.is_none_or(|last| now.saturating_duration_since(last) >= FORGOTTEN)
    }
}

/// By what failures are the same: bodies differ from call to call.
fn cause(error: &ChatError) -> String {
    match error {
        ChatError::Unreachable { why, .. } => why.clone(),
        ChatError::Status { status, rule, .. } => format!("{status} {rule}"),
        _ => error.rule().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreachable(why: &str) -> ChatError {
        ChatError::Unreachable {
            url: "http://localhost/v1".to_owned(),
            why: why.to_owned(),
            tries: 1,
            may_be_billed: false,
        }
    }

    #[test]
    fn each_cause_is_told_once_and_again_after_it_was_gone_for_a_while() {
        let retries = Retries::default();
        let begun = Instant::now();
        let is_new = |cause: &str, after| retries.is_new(cause.to_owned(), begun + after);
        let almost = FORGOTTEN.mul_f64(0.9);
        assert!(is_new("refused", Duration::ZERO));
        assert!(!is_new("refused", almost));
        assert!(is_new("no such host", almost));
        // It was there all the time.
        assert!(!is_new("refused", almost + almost));
        assert!(is_new("refused", almost + almost + FORGOTTEN));
    }

    #[test]
    fn failures_are_the_same_by_their_cause_and_not_by_their_words() {
        let status = |status, body: &str| ChatError::Status {
            url: String::new(),
            status,
            body: body.to_owned(),
            refusing: String::new(),
            tries: 1,
            rule: RuleId::SERVER_ERROR,
            in_200: false,
            may_be_billed: false,
        };
        assert_eq!(cause(&status(500, "id 1")), cause(&status(500, "id 2")));
        assert_ne!(cause(&status(500, "")), cause(&status(503, "")));
        let (refused, unknown) = (unreachable("refused"), unreachable("no such host"));
        assert_ne!(cause(&refused), cause(&unknown));
    }

    #[test]
    fn who_is_told_learns_the_rule_the_words_and_the_number_of_tries() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&told);
        let retries = Retries::told_to(Arc::new(move |retry| to.lock().unwrap().push(retry)));
        for _ in 0..3 {
            retries.tell(&unreachable("refused"), 10);
        }
        let retry = CallRetry {
            rule: RuleId::CONNECTION,
            text: "http://localhost/v1: refused (tried 1 time)".to_owned(),
            tries: 10,
        };
        assert_eq!(*told.lock().unwrap(), [retry]);
    }
}
