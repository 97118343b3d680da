//! The rules as data: `rules.toml`, and a user's file that extends or overrides it.

use regex::Regex;
use serde::Deserialize;

use super::Cause;
use crate::error::{Error, Result};
use crate::model::refusal::Words;
use crate::text::{searched, users_regex};

/// The rules that ship.
pub const DEFAULT: &str = include_str!("rules.toml");

/// A list of rules; the first that matches decides.
#[derive(Clone, Debug)]
pub struct Rules {
    rules: Vec<Rule>,
}

/// One rule. Every condition it has must hold.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its stable name.
    pub id: String,
    /// The cause it gives.
    pub cause: Cause,
    /// What happened, in a sentence.
    pub about: String,
    /// What to do, in a sentence.
    pub advice: String,
    /// Whether the provider refused the call, or never got it, so that it bills nothing for it.
    pub refused: bool,
    exceptions: Vec<String>,
    words: Option<Words>,
    pattern: Option<Regex>,
    unless: Option<Regex>,
    harness: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<FileRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRule {
    id: String,
    cause: Cause,
    #[serde(default)]
    exception: Vec<String>,
    words: Option<Words>,
    pattern: Option<String>,
    unless: Option<String>,
    #[serde(default)]
    about: String,
    #[serde(default)]
    advice: String,
    #[serde(default)]
    refused: bool,
    /// Decided by what the harness saw happen, never by a text.
    #[serde(default)]
    harness: bool,
}

impl Rules {
    /// The rules that ship.
    ///
    /// # Panics
    ///
    /// When the embedded file is broken, which a test rules out.
    #[must_use]
    pub fn shipped() -> Self {
        Self {
            rules: parse(DEFAULT, "the embedded rules").expect("the embedded rules are tested"),
        }
    }

    /// The shipped rules with a user's before them: a rule of the same id replaces the shipped
    /// one in its place, a new one is asked first.
    pub fn with_user(text: &str, path: &str) -> Result<Self> {
        let mut rules = Self::shipped().rules;
        let mut first = Vec::new();
        for rule in parse(text, path)? {
            match rules.iter_mut().find(|shipped| shipped.id == rule.id) {
                Some(shipped) => *shipped = rule,
                None => first.push(rule),
            }
        }
        first.append(&mut rules);
        Ok(Self { rules: first })
    }

    /// The first rule that matches an error's text and, where it is known, its exception class.
    #[must_use]
    pub fn find(&self, text: &str, class: Option<&str>) -> Option<&Rule> {
        let text = &*searched(text);
        let mut classes = leading_classes(text);
        classes.extend(class);
        self.rules.iter().find(|rule| rule.matches(text, &classes))
    }

    /// A rule by its id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// Every rule, in order.
    #[must_use]
    pub fn all(&self) -> &[Rule] {
        &self.rules
    }
}

/// How many rules a file may have: twice what ships. Each is asked for every error.
const MOST: usize = 200;

impl Rule {
    fn matches(&self, text: &str, classes: &[&str]) -> bool {
        if self.harness {
            return false;
        }
        let by_class = self.exceptions.is_empty()
            || self
                .exceptions
                .iter()
                .any(|name| classes.contains(&name.as_str()));
        by_class
            && self.says(text)
            && !self
                .unless
                .as_ref()
                .is_some_and(|unless| unless.is_match(text))
    }
}

impl Rule {
    /// Whether a text has the rule's words or its pattern; one of them suffices.
    fn says(&self, text: &str) -> bool {
        let by_pattern = self.pattern.as_ref().map(|pattern| pattern.is_match(text));
        match self.words {
            None => by_pattern.unwrap_or(true),
            Some(words) => by_pattern.unwrap_or(false) || words.are_in(text),
        }
    }
}

fn parse(text: &str, path: &str) -> Result<Vec<Rule>> {
    let bad = |why: String| Error::usage(format!("{path}: {why}"));
    let file: File = toml::from_str(text).map_err(|error| bad(error.to_string()))?;
    if file.rule.len() > MOST {
        return Err(bad(format!(
            "it has {} rules, and may have {MOST}",
            file.rule.len()
        )));
    }
    file.rule
        .into_iter()
        .map(|rule| {
            let regex = |pattern: Option<String>| {
                pattern
                    .map(|pattern| users_regex(&pattern))
                    .transpose()
                    .map_err(|error| bad(format!("rule `{}`: {error}", rule.id)))
            };
            let has_text = rule.pattern.is_some() || rule.words.is_some();
            if rule.exception.is_empty() && !has_text && !rule.harness {
                return Err(bad(format!(
                    "rule `{}` has neither `exception` nor `pattern` nor `words` and would match everything",
                    rule.id
                )));
            }
            Ok(Rule {
                cause: rule.cause,
                about: rule.about,
                advice: rule.advice,
                exceptions: rule.exception,
                words: rule.words,
                pattern: regex(rule.pattern)?,
                unless: regex(rule.unless)?,
                harness: rule.harness,
                refused: rule.refused,
                id: rule.id,
            })
        })
        .collect()
}

/// The exception classes an error's text begins with: `litellm.RateLimitError: RateLimitError:
/// OpenAIException - …` gives `RateLimitError` and `OpenAIException`. A text that is nothing but a
/// class is that class. A proxy that is litellm itself puts its own chain behind ` - `.
fn leading_classes(text: &str) -> Vec<&str> {
    let mut classes = Vec::new();
    let mut rest = text.trim();
    loop {
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let class = name.rsplit('.').next().unwrap_or_default();
        if !class.starts_with(|c: char| c.is_ascii_uppercase()) {
            return classes;
        }
        if let Some(next) = after.strip_prefix(':') {
            classes.push(class);
            rest = next.trim_start();
            continue;
        }
        if let Some(told) = after.strip_prefix(" - ") {
            classes.push(class);
            // A proxy's own error within the one that litellm made of it.
            if told.starts_with("litellm.") {
                rest = told;
                continue;
            }
        } else if after.is_empty() && name == text.trim() {
            classes.push(class);
        }
        return classes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_read_from_the_front_of_the_text_only() {
        assert_eq!(
            leading_classes("litellm.RateLimitError: RateLimitError: OpenAIException - slow"),
            ["RateLimitError", "RateLimitError", "OpenAIException"]
        );
        assert_eq!(leading_classes("docker.errors.NotFound: 404"), ["NotFound"]);
        assert!(leading_classes("'container_name'").is_empty());
        assert_eq!(
            leading_classes("litellm.APIError: OpenAIException - litellm.NotFoundError: no"),
            ["APIError", "OpenAIException", "NotFoundError"]
        );
        assert!(leading_classes("the RateLimitError: was not raised").is_empty());
    }

    #[test]
    fn a_users_rule_replaces_or_goes_first() {
        let user = r#"
            [[rule]]
            id = "rate_limit"
            cause = "config"
            pattern = "429"
            [[rule]]
            id = "mine"
            cause = "agent"
            pattern = "flux"
        "#;
        let rules = Rules::with_user(user, "rules.toml").unwrap();
        assert_eq!(rules.get("rate_limit").unwrap().cause, Cause::Config);
        assert_eq!(rules.all()[0].id, "mine");
        assert_eq!(rules.all().len(), Rules::shipped().all().len() + 1);
    }

    #[test]
    fn a_rule_without_a_condition_or_with_a_bad_one_is_refused_by_name() {
        for (user, why) in [
            ("[[rule]]\nid='x'\ncause='infra'", "match everything"),
            ("[[rule]]\nid='x'\ncause='infra'\npattern='('", "rule `x`"),
            ("[[rule]]\nid='x'\ncause='world'\npattern='a'", "world"),
        ] {
            let error = Rules::with_user(user, "my.toml").unwrap_err().to_string();
            assert!(
                error.starts_with("my.toml") && error.contains(why),
                "{error}"
            );
        }
    }
}
