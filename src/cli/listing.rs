//! Flags whose values are words: help and completions list them.

use std::ffi::OsStr;
use std::marker::PhantomData;

use clap::builder::{
    PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser, ValueParserFactory,
};
use clap::{Arg, Command};

use crate::bench::word::Listed;
use crate::bench::{BackendKind, EngineKind, Setting, Word};

/// Takes any text and lists words. What is none of them is checked with the configuration, which
/// knows what else is set, or names something of the user's.
#[derive(Clone, Debug)]
pub struct Listing<T> {
    words: Vec<&'static str>,
    of: PhantomData<fn() -> T>,
}

impl<T> Listing<T> {
    fn new(words: Vec<&'static str>) -> Self {
        let of = PhantomData;
        Self { words, of }
    }
}

impl<T: From<String> + Clone + Send + Sync + 'static> TypedValueParser for Listing<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        let text = StringValueParser::new().parse_ref(command, arg, value);
        text.map(T::from)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.words.iter().map(PossibleValue::new)))
    }
}

/// Engines, by their names.
impl ValueParserFactory for Word<EngineKind> {
    type Parser = Listing<Self>;

    fn value_parser() -> Self::Parser {
        Listing::new(EngineKind::ALL.map(EngineKind::name).into())
    }
}

/// Backends, by their names; the one in which nothing runs is for tests.
impl ValueParserFactory for Word<BackendKind> {
    type Parser = Listing<Self>;

    fn value_parser() -> Self::Parser {
        let real = BackendKind::ALL.into_iter();
        let real = real.filter(|kind| kind.runs_commands());
        Listing::new(real.map(BackendKind::name).collect())
    }
}

/// Settings, and the word for all of them.
pub fn settings() -> Listing<String> {
    let mut words: Vec<&str> = Setting::ALL.map(Setting::name).into();
    words.push("all");
    Listing::new(words)
}

/// The profiles that come with the program; a configuration file has others.
pub fn profiles() -> Listing<String> {
    Listing::new(crate::config::BUILTIN_PROFILES.map(|(name, _)| name).into())
}

/// One of a closed list, with clap's own suggestion for a slip.
pub fn one_of<K: Listed + Send + Sync>() -> impl TypedValueParser<Value = K> {
    let of_word = |word: String| K::of_word(&word).ok_or("it is none of the list");
    PossibleValuesParser::new(K::LIST.iter().map(|one| one.word())).try_map(of_word)
}
