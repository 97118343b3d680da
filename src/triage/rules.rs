//! The rules as data: `rules.toml`, and a user's file that extends or overrides it.

use std::sync::OnceLock;

use regex::{Regex, bytes};
use serde::Deserialize;

use super::notice::{leading_classes, unframed};
use super::{Cause, Question};
use crate::bench::RuleId;
use crate::error::{Error, Result};
use crate::model::refusal::{RefusalWords, are_of_the_endpoint};
use crate::text::{searched, users_regex};

/// The rules that ship, as TOML.
pub const DEFAULT: &str = include_str!("rules.toml");

/// A list of rules; the first that matches decides.
#[derive(Clone, Debug)]
pub struct Rules {
    rules: Vec<Rule>,
}

/// One rule. Every condition it has must hold.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of its own in a rule's file"
)]
pub struct Rule {
    /// Its name, by which tags, reports and a user's rules refer to it.
    pub id: RuleId,
    /// Whose failure it is when the rule matches.
    pub cause: Cause,
    /// What happened, in a sentence.
    pub about: String,
    /// What to do, in a sentence.
    pub advice: String,
    /// Whether the provider refused the call, or never got it, so that it bills nothing for it.
    pub refused: bool,
    /// Whether its texts say that the agent's program never began, so that no model was called.
    pub unbegun: bool,
    /// Whether its texts may say when what they refuse is let through again.
    pub resets: bool,
    /// Whether it says where something broke, not why: words that come later may say more.
    pub vague: bool,
    /// Whether its words decide whatever status was recorded with them.
    despite_status: bool,
    origin: Origin,
    exceptions: Vec<String>,
    statuses: Vec<u16>,
    words: Option<RefusalWords>,
    pattern: Option<Pattern>,
    unless: Option<Pattern>,
    harness: bool,
}

/// A rule's regular expression, compiled or to be.
#[derive(Clone, Debug)]
enum Pattern {
    Users(Regex),
    /// Compiled when a text is first held against it: most commands ask no rule, and to compile
    /// all of them takes such a command as long as everything else. Without Unicode's classes,
    /// which ours need not, it takes half.
    Shipped(String, OnceLock<bytes::Regex>),
}

impl Pattern {
    /// Whether it is in a text, with what the program wrote before the provider's words or without.
    fn is_in(&self, text: &str) -> bool {
        let words = unframed(text);
        self.is_match(text) || (words != text && self.is_match(words))
    }

    #[expect(clippy::expect_used, reason = "constants that a test compiles")]
    fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Users(regex) => regex.is_match(text),
            Self::Shipped(pattern, compiled) => compiled
                .get_or_init(|| {
                    let mut builder = bytes::RegexBuilder::new(pattern);
                    builder.unicode(false).build().expect("a valid pattern")
                })
                .is_match(text.as_bytes()),
        }
    }
}

/// Where a rule comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Shipped,
    /// A user's in the place of a shipped one.
    Replaced,
    /// A user's, of an id that no shipped one has.
    Users,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<FileRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "they are keys of a file")]
struct FileRule {
    id: RuleId,
    cause: Cause,
    #[serde(default)]
    exception: Vec<String>,
    #[serde(default)]
    status: Vec<u16>,
    words: Option<RefusalWords>,
    pattern: Option<String>,
    unless: Option<String>,
    #[serde(default)]
    about: String,
    #[serde(default)]
    advice: String,
    #[serde(default)]
    refused: bool,
    #[serde(default)]
    unbegun: bool,
    #[serde(default)]
    resets: bool,
    #[serde(default)]
    vague: bool,
    #[serde(default)]
    despite_status: bool,
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
            rules: parse(DEFAULT, "the embedded rules", |pattern| {
                Ok(Pattern::Shipped(pattern, OnceLock::new()))
            })
            .expect("the embedded rules are tested"),
        }
    }

    /// The shipped rules with a user's before them: a rule of the same id replaces the shipped
    /// one in its place, a new one is asked first.
    pub fn with_user(text: &str, path: &str) -> Result<Self> {
        let mut rules = Self::shipped().rules;
        let mut first = Vec::new();
        for mut rule in parse(text, path, |pattern| {
            users_regex(&pattern).map(Pattern::Users)
        })? {
            if let Some(shipped) = rules.iter_mut().find(|shipped| shipped.id == rule.id) {
                rule.origin = Origin::Replaced;
                *shipped = rule;
            } else {
                rule.origin = Origin::Users;
                first.push(rule);
            }
        }
        first.append(&mut rules);
        Ok(Self { rules: first })
    }

    /// The first rule that matches an error's text and, where it is known, its exception class.
    #[must_use]
    pub fn find(&self, text: &str, class: Option<&str>) -> Option<&Rule> {
        self.ask(&Question {
            text,
            class,
            ..Question::default()
        })
    }

    /// The first rule that matches what is known of an error.
    #[must_use]
    pub fn ask(&self, asked: &Question<'_>) -> Option<&Rule> {
        Self::first(self.rules.iter(), asked)
    }

    /// Whether a text says that the agent's program never began, whatever it says beside that.
    #[must_use]
    pub fn say_unbegun(&self, asked: &Question<'_>) -> bool {
        Self::first(self.rules.iter().filter(|rule| rule.unbegun), asked).is_some()
    }

    fn first<'a>(
        mut rules: impl Iterator<Item = &'a Rule>,
        asked: &Question<'_>,
    ) -> Option<&'a Rule> {
        let text = &*searched(asked.text);
        let mut classes = leading_classes(text);
        classes.extend(asked.class);
        rules.find(|rule| {
            let may_speak = match rule.origin {
                Origin::Shipped => {
                    !asked.is_own && (rule.despite_status || asked.allows(rule.cause))
                }
                Origin::Replaced => !asked.is_own,
                Origin::Users => true,
            };
            may_speak && rule.matches(text, &classes, asked.status)
        })
    }

    /// A rule by its id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| *rule.id == *id)
    }

    /// Every rule, in the order in which they are asked.
    #[must_use]
    pub fn all(&self) -> &[Rule] {
        &self.rules
    }
}

/// How many rules a file may have: twice what ships. Each is asked for every error.
const MOST: usize = 200;

impl Rule {
    fn matches(&self, text: &str, classes: &[&str], status: Option<u16>) -> bool {
        if self.harness {
            return false;
        }
        let is_typed = self
            .exceptions
            .iter()
            .any(|name| classes.contains(&name.as_str()))
            || status.is_some_and(|status| self.statuses.contains(&status));
        let asks_for_type = !self.exceptions.is_empty() || !self.statuses.is_empty();
        let is_excepted = || self.unless.as_ref().is_some_and(|it| it.is_in(text));
        (is_typed || !asks_for_type) && self.says(text) && !is_excepted()
    }
}

impl Rule {
    /// Whether a text has the rule's words or its pattern; one of them suffices.
    fn says(&self, text: &str) -> bool {
        let by_pattern = self.pattern.as_ref().map(|pattern| {
            // A setting is not at fault for what the conversation that is quoted says.
            let is_shipped = self.cause == Cause::Config && self.origin == Origin::Shipped;
            pattern.is_in(text)
                && (!is_shipped || are_of_the_endpoint(text, |text| pattern.is_in(text)))
        });
        match self.words {
            None => by_pattern.unwrap_or(true),
            Some(words) => by_pattern.unwrap_or(false) || words.are_in(text),
        }
    }
}

fn parse(
    text: &str,
    path: &str,
    compile: impl Fn(String) -> std::result::Result<Pattern, regex::Error>,
) -> Result<Vec<Rule>> {
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
                    .map(&compile)
                    .transpose()
                    .map_err(|error| bad(format!("rule `{}`: {error}", rule.id)))
            };
            let is_open = rule.exception.is_empty() && rule.status.is_empty();
            let has_text = rule.pattern.is_some() || rule.words.is_some();
            if is_open && !has_text && !rule.harness {
                return Err(bad(format!(
                    "rule `{}` has neither `exception`, `status`, `pattern` nor `words` and would match everything",
                    rule.id
                )));
            }
            Ok(Rule {
                cause: rule.cause,
                about: rule.about,
                advice: rule.advice,
                exceptions: rule.exception,
                statuses: rule.status,
                origin: Origin::Shipped,
                vague: rule.vague,
                despite_status: rule.despite_status,
                words: rule.words,
                pattern: regex(rule.pattern)?,
                unless: regex(rule.unless)?,
                harness: rule.harness,
                refused: rule.refused,
                unbegun: rule.unbegun,
                resets: rule.resets || rule.cause == Cause::Limit,
                id: rule.id,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_pattern_compiles() {
        for rule in Rules::shipped().all() {
            for pattern in rule.pattern.iter().chain(&rule.unless) {
                assert!(!pattern.is_match("\u{1}"), "{}", rule.id);
            }
        }
    }

    #[test]
    fn every_rule_that_the_code_names_is_there() {
        let rules = Rules::shipped();
        for rule in RuleId::NAMED {
            assert!(rules.get(rule).is_some(), "{rule}");
        }
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
        assert_eq!(&*rules.all()[0].id, "mine");
        assert_eq!(rules.all().len(), Rules::shipped().all().len() + 1);
    }

    #[test]
    fn what_a_refusal_quotes_of_the_conversation_is_no_setting() {
        let rules = Rules::shipped();
        for (said, rule) in [
            (
                "'input': {'content': 'It says invalid api key; AuthenticationError'}",
                "bad_request",
            ),
            (
                "'msg': 'Invalid API key', 'input': {'content': 'hi'}",
                "authentication_text",
            ),
        ] {
            let text = format!(
                "litellm.BadRequestError: OpenAIException - Error code: 400 - {{'message': \"[{{'loc': 'k', {said}}}]\"}}"
            );
            let found = rules.find(&text, None).map(|rule| &*rule.id);
            assert_eq!(found, Some(rule), "{text}");
        }
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

    #[test]
    fn a_rule_is_found_by_the_class_beside_the_text() {
        let user = "[[rule]]\nid='mine'\ncause='agent'\nexception=['FluxError']";
        let rules = Rules::with_user(user, "my.toml").unwrap();
        let found = |class| rules.find("it broke", class).map(|rule| &*rule.id);
        assert_eq!(found(Some("FluxError")), Some("mine"));
        assert_eq!(found(Some("OtherError")), None);
        assert_eq!(found(None), None);
    }
    #[test]
    fn a_programs_words_before_an_error_hide_no_rule_and_are_none() {
        let rules = Rules::shipped();
        let found = |text: &str| rules.find(text, None).map(|rule| rule.id.to_string());
        let framed = "Conversation run failed for id=1-2: Unknown agent: 'x'. Available: y";
        assert_eq!(found(framed).as_deref(), Some("unknown_agent"));
        assert_eq!(
            found("Conversation run failed for id=1-2: nothing known"),
            None
        );
    }

    #[test]
    fn an_agents_own_words_are_held_against_a_users_new_rules_only() {
        let user = "[[rule]]\nid='rate_limit_text'\ncause='infra'\npattern='slow down'\n\
            [[rule]]\nid='mine'\ncause='agent'\npattern='flux'";
        let rules = Rules::with_user(user, "my.toml").unwrap();
        for (text, own, others) in [
            ("Invalid API key", None, Some("authentication_text")),
            ("slow down", None, Some("rate_limit_text")),
            ("flux", Some("mine"), Some("mine")),
        ] {
            for (is_own, wanted) in [(true, own), (false, others)] {
                let asked = Question {
                    text,
                    is_own,
                    ..Question::default()
                };
                let found = rules.ask(&asked).map(|rule| &*rule.id);
                assert_eq!(found, wanted, "{text} {is_own}");
            }
        }
    }

    #[test]
    fn a_users_rule_reads_what_a_refusal_quotes() {
        let text = "litellm.BadRequestError: OpenAIException - Error code: 400 - \
            {'message': \"[{'loc': 'k', 'input': {'content': 'flux'}}]\"}";
        let user = "[[rule]]\nid='mine'\ncause='config'\npattern='flux'";
        let rules = Rules::with_user(user, "my.toml").unwrap();
        assert_eq!(&*rules.find(text, None).unwrap().id, "mine");
    }

    #[test]
    fn pattern_or_words_of_a_rule_suffice() {
        let user = "[[rule]]\nid='mine'\ncause='agent'\npattern='flux'\nwords='authentication'";
        let rules = Rules::with_user(user, "my.toml").unwrap();
        for text in ["the flux broke", "Incorrect API key provided"] {
            let found = rules.find(text, None).map(|rule| &*rule.id);
            assert_eq!(found, Some("mine"), "{text}");
        }
    }

    #[test]
    fn a_file_may_have_so_many_rules() {
        let file = |count: usize| {
            let rule = |n| format!("[[rule]]\nid='r{n}'\ncause='infra'\npattern='a'\n");
            (0..count).map(rule).collect::<String>()
        };
        assert!(Rules::with_user(&file(200), "my.toml").is_ok());
        let error = Rules::with_user(&file(201), "my.toml").unwrap_err();
        assert_eq!(
            error.to_string(),
            "my.toml: it has 201 rules, and may have 200"
        );
    }

    #[test]
    fn a_limit_may_always_say_when_it_resets() {
        let resets = |more: &str| {
            let user = format!("[[rule]]\nid='mine'\npattern='a'\n{more}");
            let rules = Rules::with_user(&user, "my.toml").unwrap();
            rules.get("mine").unwrap().resets
        };
        assert!(resets("cause='limit'"));
        assert!(resets("cause='infra'\nresets=true"));
        assert!(!resets("cause='infra'"));
    }
}
