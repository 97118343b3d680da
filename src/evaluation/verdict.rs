//! From an evaluation's file to a verdict.

use crate::store::eval::EvalFile;

/// The verdict on a judged pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Both features' hidden tests pass on the merged work.
    Pass,
    /// At least one does not.
    Fail,
    /// The evaluation itself broke; the text says how.
    Error(String),
}

impl Verdict {
    /// The verdict that an `eval.json` holds. An evaluation with an error has no verdict,
    /// whatever else it says: upstream writes `both_passed: false` beside its errors.
    #[must_use]
    pub fn of(file: &Result<EvalFile, String>) -> Self {
        match file {
            Err(why) => Self::Error(why.clone()),
            Ok(EvalFile {
                error: Some(error), ..
            }) => Self::Error(error.clone()),
            Ok(EvalFile { both_passed, .. }) => match both_passed {
                Some(true) => Self::Pass,
                Some(false) => Self::Fail,
                None => Self::Error("eval.json has no `both_passed`".to_owned()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_evaluation_with_an_error_is_no_failure_of_the_agent() {
        let file = EvalFile {
            both_passed: Some(false),
            error: Some("409 Client Error".to_owned()),
            ..EvalFile::default()
        };
        assert_eq!(
            Verdict::of(&Ok(file)),
            Verdict::Error("409 Client Error".to_owned())
        );
    }

    #[test]
    fn without_an_error_both_features_decide() {
        for (both_passed, verdict) in [
            (Some(true), Verdict::Pass),
            (Some(false), Verdict::Fail),
            (
                None,
                Verdict::Error("eval.json has no `both_passed`".to_owned()),
            ),
        ] {
            let file = EvalFile {
                both_passed,
                ..EvalFile::default()
            };
            assert_eq!(Verdict::of(&Ok(file)), verdict);
        }
        let unread = Err("it is a list".to_owned());
        assert_eq!(
            Verdict::of(&unread),
            Verdict::Error("it is a list".to_owned())
        );
    }
}
