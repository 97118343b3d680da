//! Judged results that are not what they look like: upstream's verdict stands, and is named.

use serde::Serialize;

/// What is wrong with a judged result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// An agent submitted an empty patch.
    EmptySubmission,
    /// A suite did not end in time, and upstream counts that as tests that failed.
    SuiteTimeout,
    /// An agent was ended by an error: by its own program's word although its result says that it
    /// submitted, or in a pair that passed.
    EndedByError,
}

/// One way in which a judged result is damaged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Harm {
    /// The way in which it is damaged.
    pub damage: Damage,
    /// Whose doing it is, and in what words.
    pub why: String,
}

impl Damage {
    /// Its name, as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EmptySubmission => "empty_submission",
            Self::SuiteTimeout => "suite_timeout",
            Self::EndedByError => "ended_by_error",
        }
    }

    /// What it is, in words for people.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::EmptySubmission => "an agent submitted an empty patch",
            Self::SuiteTimeout => "a suite did not end in time, and counts as failed",
            Self::EndedByError => "an agent was ended by an error, and its pair was judged",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damage_is_named_as_in_json_and_told_in_words_of_its_own() {
        for (damage, name, about) in [
            (
                Damage::EmptySubmission,
                "empty_submission",
                "an agent submitted an empty patch",
            ),
            (
                Damage::SuiteTimeout,
                "suite_timeout",
                "a suite did not end in time, and counts as failed",
            ),
            (
                Damage::EndedByError,
                "ended_by_error",
                "an agent was ended by an error, and its pair was judged",
            ),
        ] {
            assert_eq!((damage.name(), damage.about()), (name, about));
            assert_eq!(serde_json::json!(damage), name);
        }
    }
}
