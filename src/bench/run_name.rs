//! Names of runs, which are directory names below `logs/`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::text::natural;

/// The name of a run: one directory name, safe to join to a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunName(String);

impl RunName {
    /// The name of an arm's run: `command-a` and `solo` give `command-a-solo`, and the second repeat
    /// of it `command-a-solo-r2`.
    pub fn of(prefix: &str, arm: &str, repeat: Option<u32>) -> Result<Self, Error> {
        match repeat {
            None => format!("{prefix}-{arm}").parse(),
            Some(repeat) => format!("{prefix}-{arm}-r{repeat}").parse(),
        }
    }

    /// The directory's name below `logs/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// As people count: `a-2` before `a-10`.
impl Ord for RunName {
    fn cmp(&self, other: &Self) -> Ordering {
        natural(&self.0, &other.0)
    }
}

impl PartialOrd for RunName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for RunName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = |why: &str| {
            Err(
                Error::usage(format!("the run name `{}` {why}", text.escape_debug()))
                    .hint("a run name is one directory name: letters, digits, `.`, `_` and `-`"),
            )
        };
        let allowed =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '@');
        match text {
            "" => bad("is empty"),
            _ if text.starts_with(['.', '-']) => bad("begins with a dot or a dash"),
            _ if text.len() > 200 => bad("is longer than 200 characters"),
            _ if text.contains('/') => bad("has a slash"),
            _ if !text.chars().all(allowed) => bad("has a character that is not allowed"),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl TryFrom<String> for RunName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<RunName> for String {
    fn from(name: RunName) -> Self {
        name.0
    }
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The default prefix for a model: its last path part without version digits.
///
/// `command-a-03-2025` gives `command-a`, `openai/gpt-4o` gives `gpt-4o`: trailing parts that
/// are only digits (a date) are dropped.
#[must_use]
pub fn prefix_of_model(model: &str) -> String {
    let last = model.rsplit('/').next().unwrap_or(model);
    let mut parts: Vec<&str> = last.split('-').collect();
    while parts.len() > 1
        && parts
            .last()
            .is_some_and(|part| part.len() >= 2 && part.chars().all(|c| c.is_ascii_digit()))
    {
        parts.pop();
    }
    parts
        .join("-")
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect::<String>()
        .trim_start_matches(['.', '-'])
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_give_their_prefix() {
        for (model, prefix) in [
            ("command-a-03-2025", "command-a"),
            (
                "cohere_chat/command-a-reasoning-08-2025",
                "command-a-reasoning",
            ),
            ("openai/gpt-4o", "gpt-4o"),
            ("vertex_ai/gemini-3-flash-preview", "gemini-3-flash-preview"),
            ("openai/qwen:32b", "qwen-32b"),
        ] {
            assert_eq!(prefix_of_model(model), prefix, "{model}");
        }
    }

    #[test]
    fn a_name_that_is_not_one_directory_is_refused() {
        for name in ["", "a/b", "..", ".hidden", "-x", "a b", "a\0b", "ü"] {
            assert!(name.parse::<RunName>().is_err(), "{name:?}");
        }
        assert!("command-a-solo".parse::<RunName>().is_ok());
    }

    #[test]
    fn numbers_in_names_are_counted_and_no_two_names_are_equal() {
        let mut names: Vec<RunName> = ["b-2", "a-10", "a-2", "a-2b", "a-02", "a-1-3", "a"]
            .map(|name| name.parse().unwrap())
            .to_vec();
        names.sort();
        let sorted: Vec<&str> = names.iter().map(RunName::as_str).collect();
        assert_eq!(sorted, ["a", "a-1-3", "a-02", "a-2", "a-2b", "a-10", "b-2"]);
    }

    #[test]
    fn a_date_is_two_digits_or_more_and_something_stays() {
        for (model, prefix) in [
            ("o-3", "o-3"),
            ("o-10", "o"),
            ("2025", "2025"),
            ("01-2025", "01"),
            ("a/.b", "b"),
            ("a b.c_d-e", "a-b.c_d-e"),
        ] {
            assert_eq!(prefix_of_model(model), prefix, "{model}");
        }
    }

    #[test]
    fn a_run_is_named_by_prefix_arm_and_repeat() {
        let name = RunName::of("command-a", "coop-comm", None).unwrap();
        assert_eq!(name.as_str(), "command-a-coop-comm");
        assert_eq!(name.to_string(), "command-a-coop-comm");
        assert_eq!(format!("{name:<21}|"), "command-a-coop-comm  |");
        let repeated = RunName::of("command-a", "talk", Some(2)).unwrap();
        assert_eq!(repeated.as_str(), "command-a-talk-r2");
        assert!(RunName::of("a b", "solo", None).is_err());
    }

    #[test]
    fn a_name_of_200_characters_is_the_longest() {
        assert!("a".repeat(200).parse::<RunName>().is_ok());
        let error = "a".repeat(201).parse::<RunName>().unwrap_err().to_string();
        assert!(error.contains("longer than 200"), "{error}");
    }

    #[test]
    fn a_refusal_says_what_is_wrong() {
        for (name, why) in [
            ("", "is empty"),
            (".x", "begins with a dot"),
            ("-x", "begins with a dot or a dash"),
            ("a/b", "has a slash"),
            ("a b", "not allowed"),
        ] {
            let error = name.parse::<RunName>().unwrap_err().to_string();
            assert!(error.contains(why), "{name:?}: {error}");
        }
        for name in ["a.b_c-d", "a+b@c"] {
            assert!(name.parse::<RunName>().is_ok(), "{name}");
        }
    }

    #[test]
    fn a_file_has_the_name_alone_and_none_that_is_refused() {
        let name: RunName = serde_json::from_str("\"a-solo\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"a-solo\"");
        assert!(serde_json::from_str::<RunName>("\"a/b\"").is_err());
    }
}
