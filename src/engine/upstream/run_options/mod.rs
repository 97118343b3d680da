//! The options of upstream's `run`, and what of some arguments it would refuse.

mod parser;

use std::sync::LazyLock;

use regex::Regex;

use crate::error::nearest;

/// The options of a `run`, as the source of its parser names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    options: Vec<RunOption>,
    /// Whether it also takes words that are no options.
    takes_words: bool,
    /// Whether these are all: its parser has nothing that we cannot read.
    is_whole: bool,
}

/// One option.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RunOption {
    /// With their dashes: `-n`, `--name`.
    names: Vec<String>,
    takes: Takes,
    /// The group of which a command may have one option only.
    one_of: Option<String>,
}

/// What comes after an option.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    Text,
    /// What Python's `int` reads.
    Number,
    /// One of these words.
    OneOf(Vec<String>),
    /// One word or none.
    Maybe,
    /// Any number of words, or we cannot tell.
    Any,
}

/// One argument, as argparse takes it.
enum Read<'a> {
    Word,
    /// No option; this is its name as typed.
    Unknown(&'a str),
    /// The beginning of several.
    Several(&'a str, Vec<&'a str>),
    Option {
        option: &'a RunOption,
        /// Its name in full.
        name: &'a str,
        /// The value that is joined to it: `--x=8`, `-x8`.
        joined: Option<&'a str>,
    },
}

impl RunOptions {
    /// Reads them from the source of its command line, `cli.py`.
    #[must_use]
    pub fn read(cli: &str) -> Self {
        parser::read(cli)
    }

    /// Whether it has this one.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// Whether none could be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.options.is_empty()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.options.iter().flat_map(|option| &option.names);
        names.map(String::as_str)
    }

    /// What of these arguments it would refuse, where that can be told; `ours` stand before them. No
    /// value is shown, as it may be a key.
    #[must_use]
    pub fn mistakes(&self, args: &[String], ours: &[&str]) -> Vec<String> {
        if !self.is_whole {
            return Vec::new();
        }
        let mut told = Vec::new();
        let mut given: Vec<(&RunOption, &str)> = Vec::new();
        // What follows an option that we do not know may be its value.
        let mut may_be_values = self.takes_words;
        let mut after = None;
        let mut rest = args.iter().enumerate().peekable();
        while let Some((nth, arg)) = rest.next() {
            match self.argument(arg) {
                Read::Word if may_be_values => {}
                Read::Word => told.push(stray(nth, after)),
                Read::Unknown(name) => {
                    told.push(self.unknown(name));
                    may_be_values = true;
                }
                Read::Several(name, all) => {
                    let all = all.join("`, `");
                    told.push(format!(
                        "`{name}` is the beginning of `{all}`: write one of them in full"
                    ));
                    may_be_values = true;
                }
                Read::Option {
                    option,
                    name,
                    joined,
                } => {
                    may_be_values = self.takes_words || option.takes == Takes::Any;
                    let next = || {
                        rest.next_if(|(_, arg)| matches!(self.argument(arg), Read::Word))
                            .map(|(_, arg)| arg.as_str())
                    };
                    told.extend(option.wrong_value(name, joined, next));
                    told.extend(beside(option, name, &given, ours, self));
                    given.push((option, name));
                    after = Some(name);
                }
            }
        }
        told
    }

    fn unknown(&self, name: &str) -> String {
        match nearest(name, self.names()) {
            Some(near) => format!("it has no `{name}` (did you mean `{near}`?)"),
            None => format!("it has no `{name}`"),
        }
    }

    /// An argument as argparse takes it (`_parse_optional`).
    fn argument<'a>(&'a self, arg: &'a str) -> Read<'a> {
        static NUMBER: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"^-(\d+|\d*\.\d+)$").expect("tested"));
        if !arg.starts_with('-') || arg == "-" {
            return Read::Word;
        }
        let (typed, joined) = match arg.split_once('=') {
            Some((typed, value)) => (typed, Some(value)),
            None => (arg, None),
        };
        for (typed, joined) in [(arg, None), (typed, joined)] {
            if let Some((option, name)) = self.find(|name| name == typed).next() {
                return Read::Option {
                    option,
                    name,
                    joined,
                };
            }
        }
        // One letter with its value, or the beginning of a long name.
        let letter = 1 + arg[1..].chars().next().map_or(0, char::len_utf8);
        let (shown, joined, found): (_, _, Vec<_>) = if arg.starts_with("--") {
            let found = self.find(|name| name.starts_with(typed)).collect();
            (typed, joined, found)
        } else {
            let found = self.find(|name| name == &arg[..letter]).collect();
            (&arg[..letter], Some(&arg[letter..]), found)
        };
        match found[..] {
            [(option, name)] => Read::Option {
                option,
                name,
                joined,
            },
            [] if NUMBER.is_match(arg) || arg.contains(' ') => Read::Word,
            [] => Read::Unknown(shown),
            _ => Read::Several(shown, found.into_iter().map(|(_, name)| name).collect()),
        }
    }

    fn find(&self, fits: impl Fn(&str) -> bool) -> impl Iterator<Item = (&RunOption, &str)> {
        let all = self.options.iter().flat_map(|option| {
            let names = option.names.iter();
            names.map(move |name| (option, name.as_str()))
        });
        all.filter(move |(_, name)| fits(name))
    }
}

impl RunOption {
    /// What is wrong with its value: the joined one, or the `next` word.
    fn wrong_value<'a>(
        &self,
        name: &str,
        joined: Option<&'a str>,
        next: impl FnOnce() -> Option<&'a str>,
    ) -> Option<String> {
        match &self.takes {
            Takes::Any => return None,
            Takes::Maybe => {
                // A joined one is all of it.
                let _ = joined.or_else(next);
                return None;
            }
            Takes::Nothing => {
                // To a letter others may be joined.
                let has_value = joined.is_some() && name.starts_with("--");
                return has_value.then(|| format!("`{name}` takes no value"));
            }
            Takes::Text | Takes::Number | Takes::OneOf(_) => {}
        }
        let Some(value) = joined.or_else(next) else {
            return Some(format!("`{name}` has no value"));
        };
        match &self.takes {
            Takes::Number if value.trim().replace('_', "").parse::<i128>().is_err() => {
                Some(format!("`{name}` takes a whole number"))
            }
            Takes::OneOf(words) if !words.iter().any(|word| word == value) => {
                Some(format!("`{name}` takes one of {}", words.join(", ")))
            }
            _ => None,
        }
    }
}

/// What is said of a word that no option takes.
fn stray(nth: usize, after: Option<&str>) -> String {
    let place = after.map_or_else(String::new, |name| format!(" (after `{name}`)"));
    format!("word {}{place} is no flag and no flag's value", nth + 1)
}

/// What is said of an option that cannot stand beside one that is there already.
fn beside(
    option: &RunOption,
    name: &str,
    given: &[(&RunOption, &str)],
    ours: &[&str],
    all: &RunOptions,
) -> Option<String> {
    let group = option.one_of.as_ref()?;
    let is_other = |other: &RunOption| other != option && other.one_of.as_ref() == Some(group);
    if let Some((_, other)) = given.iter().find(|(other, _)| is_other(other)) {
        return Some(format!("`{name}` cannot stand beside `{other}`"));
    }
    let ours = ours.iter().find(|ours| {
        let mut found = all.find(|name| name == **ours);
        found.any(|(other, _)| is_other(other))
    })?;
    Some(format!(
        "`{name}` cannot stand beside `{ours}`, which regatta sets for this setting"
    ))
}

#[cfg(test)]
mod tests;
