//! What the source of a command line says of its `run`: enough of Python to read the calls that make an
//! argparse parser.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::{RunOption, RunOptions, Takes};

/// What the parser of `run` is called where its making cannot be read.
const USUAL: &str = "run_parser";

/// What a parser may be made with and still take its arguments as any other does.
const HARMLESS: [&str; 5] = ["help", "description", "epilog", "formatter_class", "usage"];

/// A call of a method: `to = on.method(arguments)`.
struct Call<'a> {
    to: Option<&'a str>,
    on: &'a str,
    method: &'a str,
    arguments: Vec<String>,
}

impl Call<'_> {
    fn positional(&self) -> impl Iterator<Item = &str> {
        let arguments = self.arguments.iter().map(String::as_str);
        arguments.filter(|argument| keyword(argument).is_none())
    }

    fn keyword(&self, name: &str) -> Option<&str> {
        let mut arguments = self.arguments.iter().filter_map(|it| keyword(it));
        arguments.find(|(known, _)| *known == name).map(|it| it.1)
    }

    fn has_only(&self, allowed: &[&str]) -> bool {
        let mut arguments = self.arguments.iter().filter_map(|it| keyword(it));
        arguments.all(|(name, _)| allowed.contains(&name))
    }
}

/// The options of `run`. Where anything is done with its parser that is not understood, they are not
/// all of them.
pub(super) fn read(source: &str) -> RunOptions {
    let calls = calls(source);
    let mut read = RunOptions {
        is_whole: true,
        ..RunOptions::default()
    };
    let is_run = |call: &&Call<'_>| {
        let first = call.arguments.first().and_then(|it| literal(it));
        call.method == "add_parser" && first.as_deref() == Some("run")
    };
    let made = calls.iter().find(is_run);
    let name = made.and_then(|call| call.to);
    read.is_whole &= name.is_some() && made.is_some_and(|call| call.has_only(&HARMLESS));
    // The parser and its groups, each with what it lets stand together.
    let name = name.unwrap_or(USUAL);
    let mut receivers: BTreeMap<&str, Option<String>> = BTreeMap::from([(name, None)]);
    // How often each is mentioned in a way that is understood; making it is one.
    let mut understood = BTreeMap::from([(name, 1)]);
    for call in &calls {
        let Some(group) = receivers.get(call.on).cloned() else {
            continue;
        };
        *understood.entry(call.on).or_default() += 1;
        match (call.method, call.to) {
            ("add_argument", _) => read.add(call, group),
            ("add_argument_group", Some(to)) => {
                receivers.insert(to, group);
                *understood.entry(to).or_default() += 1;
            }
            ("add_mutually_exclusive_group", Some(to)) => {
                receivers.insert(to, Some(to.to_owned()));
                *understood.entry(to).or_default() += 1;
            }
            ("set_defaults", _) => {}
            _ => read.is_whole = false,
        }
    }
    let mentioned = |name: &str| words(source).filter(|word| *word == name).count();
    let is_understood = |(name, count): (&&str, &usize)| mentioned(name) == *count;
    read.is_whole &= understood.iter().all(is_understood);
    read
}

impl RunOptions {
    fn add(&mut self, call: &Call<'_>, one_of: Option<String>) {
        let mut names = Vec::new();
        for name in call.positional() {
            match literal(name) {
                Some(name) if name.starts_with("--") || is_letter(&name) => names.push(name),
                Some(name) if !name.starts_with('-') => self.takes_words = true,
                _ => self.is_whole = false,
            }
        }
        if names.is_empty() {
            return;
        }
        if call.keyword("action") == Some("argparse.BooleanOptionalAction") {
            let long = names.iter().filter_map(|name| name.strip_prefix("--"));
            let no: Vec<String> = long.map(|name| format!("--no-{name}")).collect();
            names.extend(no);
        }
        self.options.push(RunOption {
            names,
            takes: takes(call),
            one_of,
        });
    }
}

fn is_letter(name: &str) -> bool {
    name.starts_with('-') && name.chars().count() == 2
}

/// What an option takes, by the keywords of its call.
fn takes(call: &Call<'_>) -> Takes {
    match call.keyword("nargs") {
        None => {}
        Some(r#""?""#) => return Takes::Maybe,
        Some(_) => return Takes::Any,
    }
    let action = call.keyword("action");
    let named = action.and_then(literal);
    match (action, named.as_deref()) {
        (None, _) | (_, Some("store" | "append" | "extend")) => {}
        (Some("argparse.BooleanOptionalAction"), _)
        | (
            _,
            Some(
                "store_true" | "store_false" | "store_const" | "append_const" | "count" | "help"
                | "version",
            ),
        ) => return Takes::Nothing,
        _ => return Takes::Any,
    }
    match (call.keyword("type"), call.keyword("choices")) {
        (Some("int"), None) => Takes::Number,
        (None | Some("str"), Some(list)) => list_of(list).map_or(Takes::Text, Takes::OneOf),
        _ => Takes::Text,
    }
}

/// The texts of a list of literals.
fn list_of(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix('[')?;
    let items = arguments(&inner.replace(']', ")"))?;
    items.iter().map(|item| literal(item)).collect()
}

fn calls(source: &str) -> Vec<Call<'_>> {
    static CALL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?:\b(\w+)[ \t]*=[ \t]*)?\b(\w+)\.(add_\w+|set_defaults)\(").expect("tested")
    });
    let read = |found: regex::Captures<'_>| {
        let end = found.get(0).map_or(0, |all| all.end());
        let group = |nth| found.get(nth).map(|it| &source[it.range()]);
        Some(Call {
            to: group(1),
            on: group(2)?,
            method: group(3)?,
            arguments: arguments(&source[end..])?,
        })
    };
    CALL.captures_iter(source).filter_map(read).collect()
}

fn words(source: &str) -> impl Iterator<Item = &str> {
    source.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// The arguments of a call, from behind its `(`, without comments; `None` where it does not end.
fn arguments(source: &str) -> Option<Vec<String>> {
    let mut all = Vec::new();
    let mut one = String::new();
    let mut depth = 0_usize;
    let mut quote: Option<&str> = None;
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match (quote, c) {
            (Some(_), '\\') => taken += rest[1..].chars().next().map_or(0, char::len_utf8),
            (Some(end), _) if rest.starts_with(end) => {
                taken = end.len();
                quote = None;
            }
            (None, '#') => {
                rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
                continue;
            }
            (None, '"' | '\'') => {
                let three = rest.get(..3).filter(|it| it.chars().all(|it| it == c));
                let begin = three.unwrap_or(&rest[..1]);
                taken = begin.len();
                quote = Some(begin);
            }
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')') if depth == 0 => {
                all.push(one);
                let all = all.iter().map(|it| it.trim().to_owned());
                return Some(all.filter(|it| !it.is_empty()).collect());
            }
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                all.push(std::mem::take(&mut one));
                rest = &rest[1..];
                continue;
            }
            (Some(_) | None, _) => {}
        }
        one.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    None
}

/// An argument's keyword and value, if it is one of these.
fn keyword(argument: &str) -> Option<(&str, &str)> {
    let (name, value) = argument.split_once('=')?;
    let name = name.trim();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name.then(|| (name, value.trim()))
}

/// The text of a plain literal.
fn literal(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|c| "\"'".contains(*c))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains([quote, '\\'])).then(|| inner.to_owned())
}
