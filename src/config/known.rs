//! The keys there are, and what kind of value each has.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use toml::{Table, Value};

use super::keys::{parse_duration, written};
use super::mistakes::Wrong;
use crate::error::nearest;
use crate::text::one_line;

/// The defaults, commented: the reference of every key.
pub const DEFAULT: &str = include_str!("default-config.toml");

/// Keys that have no default, by their place.
const OPTIONAL: [(&str, Kind); 28] = [
    ("experiment.name", Kind::Text),
    ("limits.budget", Kind::Number),
    ("upstream.cooperbench_bin", Kind::Text),
    ("upstream.dataset_dir", Kind::Text),
    ("upstream.logs_dir", Kind::Text),
    ("upstream.api_base", Kind::Text),
    ("upstream.api_key_env", Kind::Text),
    ("upstream.api_key_file", Kind::Text),
    ("upstream.agent_config", Kind::Text),
    ("native.step_limit", Kind::Whole),
    ("native.cost_limit", Kind::Number),
    ("native.memory_gb", Kind::Number),
    ("native.cpus", Kind::Number),
    ("native.network", Kind::Switch),
    ("native.workspaces", Kind::Text),
    ("native.scratch", Kind::Text),
    ("native.record", Kind::Text),
    ("native.replay", Kind::Text),
    ("images.store", Kind::Text),
    ("executor.nodes", Kind::Whole),
    ("executor.partition", Kind::Text),
    ("executor.account", Kind::Text),
    ("executor.time", Kind::Text),
    ("executor.sbatch", Kind::Text),
    ("executor.address", Kind::Text),
    ("evaluation.suite_backend", Kind::Text),
    ("prices.price_file", Kind::Text),
    ("triage.rules_file", Kind::Text),
];

/// Tables whose keys are the user's own.
const OPEN: [&str; 3] = ["upstream.env", "images.mirrors", "prices.models"];

/// The table of arms by patterns of their runs, whose names are the user's own.
const GROUPS: &str = "groups";

/// How much of a wrong value is shown, in characters.
const SHOWN: usize = 60;

/// Every key that a file may hold, by its place.
static KEYS: LazyLock<BTreeMap<String, Kind>> = LazyLock::new(|| {
    let mut keys: BTreeMap<String, Kind> = OPTIONAL
        .into_iter()
        .map(|(key, kind)| (key.to_owned(), kind))
        .collect();
    collect(&defaults(), "", &mut keys);
    keys
});

/// What a key's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A duration; a bare number is one in seconds.
    Time,
    Whole,
    Number,
    Switch,
    /// Words.
    List,
}

/// The defaults as a table.
pub(super) fn defaults() -> Table {
    DEFAULT.parse().expect("the embedded defaults are tested")
}

/// Every key that a file may hold, in the order of their places.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.keys().map(String::as_str)
}

/// A key by its place, or by its last word, which is its own.
#[must_use]
pub fn key_of(word: &str) -> Option<&'static str> {
    let is_it = |key: &&str| *key == word || key.rsplit('.').next() == Some(word);
    keys().find(is_it)
}

/// What a key's value is; the user's own keys hold text.
pub(super) fn kind(key: &str) -> Kind {
    KEYS.get(key).copied().unwrap_or(Kind::Text)
}

fn collect(table: &Table, prefix: &str, keys: &mut BTreeMap<String, Kind>) {
    for (name, value) in table {
        let key = join(prefix, name);
        match value {
            _ if is_open(&key) => {}
            Value::Table(inner) => collect(inner, &key, keys),
            value => {
                keys.insert(key, Kind::of_default(value));
            }
        }
    }
}

fn is_open(key: &str) -> bool {
    let is_in = |open: &str| {
        key.strip_prefix(open)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    OPEN.into_iter().any(is_in)
}

impl Kind {
    fn of_default(value: &Value) -> Self {
        match value {
            Value::Integer(_) => Self::Whole,
            Value::Float(_) => Self::Number,
            Value::Boolean(_) => Self::Switch,
            Value::Array(_) => Self::List,
            Value::String(text) if parse_duration(text).is_ok() => Self::Time,
            _ => Self::Text,
        }
    }

    /// What it is, for a sentence that says that something is none.
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Time => "duration",
            Self::Whole => "whole number",
            Self::Number => "number",
            Self::Switch => "true or false",
            Self::List => "list of words",
        }
    }

    /// How it is written in a file.
    const fn example(self) -> &'static str {
        match self {
            Self::Text => "write it in quotes",
            Self::Time => "write \"90s\", \"10m\", \"1h30m\", or seconds as a number",
            Self::Whole => "write it without quotes, such as 4",
            Self::Number => "write it without quotes, such as 2.5",
            Self::Switch => "write it without quotes",
            Self::List => "write [\"solo\", \"coop-comm\"]",
        }
    }

    /// The value that a text means, as flags and the environment give it; the error says what it is
    /// not.
    pub(super) fn parse(self, text: &str) -> Result<Value, String> {
        let wrong = || {
            let such = match self {
                Self::Whole => ", such as 4",
                Self::Number => ", such as 2.5 or 100",
                _ => "",
            };
            format!("`{text}` is no {}{such}", self.name())
        };
        Ok(match self {
            Self::Text => Value::String(text.to_owned()),
            Self::Time => {
                let time = parse_duration(text)?;
                let is_bare = text.parse::<f64>().is_ok();
                Value::String(if is_bare {
                    written(time)
                } else {
                    text.to_owned()
                })
            }
            Self::Whole => {
                let number: u32 = text.parse().map_err(|_| wrong())?;
                Value::Integer(number.into())
            }
            Self::Number => Value::Float(text.parse().map_err(|_| wrong())?),
            Self::Switch => Value::Boolean(text.parse().map_err(|_| wrong())?),
            Self::List => {
                let words = text.split(',').map(str::trim);
                Value::Array(words.map(|word| Value::String(word.to_owned())).collect())
            }
        })
    }

    /// The value of a file, in the one form that it is kept in; `None` for one of another kind.
    fn read(self, value: &Value) -> Option<Value> {
        match (self, value) {
            (Self::Text, Value::String(_))
            | (Self::Number, Value::Float(_))
            | (Self::Switch, Value::Boolean(_)) => Some(value.clone()),
            (Self::Time | Self::List, Value::String(text)) => self.parse(text).ok(),
            (Self::List, Value::Array(words)) => {
                words.iter().all(Value::is_str).then(|| value.clone())
            }
            (Self::Time | Self::Whole, Value::Integer(number)) => {
                self.parse(&number.to_string()).ok()
            }
            (Self::Time, Value::Float(number)) => self.parse(&number.to_string()).ok(),
            (Self::Number, Value::Integer(number)) => self.parse(&number.to_string()).ok(),
            _ => None,
        }
    }
}

impl Kind {
    /// A key's value in the form that it is kept in, or what is wrong with it.
    pub(super) fn checked(self, key: &str, value: &Value) -> Result<Value, String> {
        self.read(value)
            .ok_or_else(|| is_no(key, value, self.name(), self.example()))
    }
}

/// A file's table with each value in the form that it is kept in, and all that is wrong with it.
pub(super) fn checked(table: &Table, origin: &str) -> (Table, Vec<Wrong>) {
    let mut wrong = Vec::new();
    let table = checked_below(table, "", origin, &mut wrong);
    (table, wrong)
}

fn checked_below(table: &Table, prefix: &str, origin: &str, wrong: &mut Vec<Wrong>) -> Table {
    let mut kept = Table::new();
    for (name, value) in table {
        let key = join(prefix, name);
        let is_table =
            key == "prices" || key == GROUPS || keys().any(|known| is_below(known, &key));
        let known = KEYS.get(&key).copied();
        let of_group = is_below(&key, GROUPS).then_some(Kind::List);
        let value = match (value, known.or(of_group)) {
            (value, _) if is_open(&key) => value.clone(),
            (value, Some(kind)) => match kind.checked(&key, value) {
                Ok(value) if of_group.is_some() => match is_no_group(name, &value) {
                    None => value,
                    Some(why) => {
                        wrong.push(Wrong::new(format!("{origin}: {key} {why}")));
                        continue;
                    }
                },
                Ok(value) => value,
                Err(why) => {
                    wrong.push(Wrong::new(format!("{origin}: {why}")));
                    continue;
                }
            },
            (Value::Table(inner), None) if is_table => {
                Value::Table(checked_below(inner, &key, origin, wrong))
            }
            (_, None) if is_table => {
                let example = format!("write [{key}] and its keys below");
                let why = is_no(&key, value, "table", &example);
                wrong.push(Wrong::new(format!("{origin}: {why}")));
                continue;
            }
            _ => {
                let unknown = Wrong::new(format!("{origin}: unknown key `{key}`"));
                wrong.push(unknown.meant(nearest_key(&key, value.is_table())));
                continue;
            }
        };
        kept.insert(name.clone(), value);
    }
    kept
}

/// What is wrong with a group's name, or with its patterns.
fn is_no_group(name: &str, patterns: &Value) -> Option<&'static str> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || !name.chars().all(is_allowed) {
        return Some("is no name of an arm: letters, digits, `.`, `_` and `-`");
    }
    let patterns = patterns.as_array().map(Vec::as_slice).unwrap_or_default();
    let is_empty = |pattern: &Value| pattern.as_str().is_none_or(str::is_empty);
    (patterns.is_empty() || patterns.iter().any(is_empty))
        .then_some("names no runs: write [\"talk_?\", \"other-talk\"]")
}

/// What is said of a value that is not what its key wants.
fn is_no(key: &str, value: &Value, what: &str, example: &str) -> String {
    let value = one_line(&value.to_string(), SHOWN);
    format!("{key} = {value} is no {what}: {example}")
}

fn is_below(key: &str, table: &str) -> bool {
    key.strip_prefix(table)
        .is_some_and(|rest| rest.starts_with('.'))
}

/// The key, or the table, that an unknown one was likely meant as. The right word in the wrong table,
/// or in none, is the commonest slip.
fn nearest_key(key: &str, is_table: bool) -> Option<&'static str> {
    let tables = || {
        let sections = keys().filter_map(|known| Some(known.split_once('.')?.0));
        sections.chain([GROUPS])
    };
    if is_table && !key.contains('.') {
        return nearest(key, tables());
    }
    let last = |key: &'static str| key.rsplit('.').next().unwrap_or(key);
    let word = key.rsplit('.').next().unwrap_or(key);
    let Some(near) = nearest(word, keys().map(last)) else {
        return nearest(key, tables().chain(keys()));
    };
    keys().find(|known| last(known) == near)
}

/// Joins a key's parts; model names hold dots, so such parts are quoted.
pub(super) fn join(prefix: &str, name: &str) -> String {
    let name = if name.contains('.') {
        format!("\"{name}\"")
    } else {
        name.to_owned()
    };
    if prefix.is_empty() {
        name
    } else {
        format!("{prefix}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_durations_are_those_that_are_read_as_one() {
        let times: Vec<&str> = keys().filter(|key| kind(key) == Kind::Time).collect();
        assert_eq!(
            times,
            [
                "attempts.backoff",
                "attempts.backoff_max",
                "attempts.max_wait",
                "evaluation.suite_timeout",
                "limits.grace",
                "limits.stall_timeout",
                "limits.task_timeout",
                "native.call_timeout",
                "native.command_timeout",
                "native.setup_timeout",
            ]
        );
    }

    #[test]
    fn a_bare_number_is_a_time_in_seconds_and_is_shown_as_one() {
        for (text, shown) in [
            ("limits.task_timeout = 600", "10m"),
            ("limits.grace = 1.5", "1s 500ms"),
            ("limits.stall_timeout = 0", "0s"),
            ("limits.grace = '90'", "1m 30s"),
            ("limits.grace = '90s'", "90s"),
        ] {
            let (table, wrong) = checked(&text.parse().unwrap(), "a file");
            assert!(wrong.is_empty(), "{text}: {wrong:?}");
            let section = table["limits"].as_table().unwrap();
            let value = section.values().next().unwrap();
            assert_eq!(value.as_str(), Some(shown), "{text}");
        }
        for text in ["-1", "nan", "inf", "1e99", "true", "[1]", "'soon'", "''"] {
            let text = format!("limits.grace = {text}");
            let (_, wrong) = checked(&text.parse().unwrap(), "a file");
            assert_eq!(wrong.len(), 1, "{text}");
        }
    }

    #[test]
    fn a_value_of_another_kind_is_answered_with_what_to_write() {
        for (text, why) in [
            (
                "experiment.concurrency = '4'",
                "experiment.concurrency = \"4\" is no whole number: write it without quotes, such as 4",
            ),
            (
                "experiment.concurrency = -1",
                "experiment.concurrency = -1 is no whole number: write it without quotes, such as 4",
            ),
            (
                "experiment.model = 5",
                "experiment.model = 5 is no text: write it in quotes",
            ),
            (
                "experiment.git = 'yes'",
                "experiment.git = \"yes\" is no true or false: write it without quotes",
            ),
            (
                "experiment = 5",
                "experiment = 5 is no table: write [experiment] and its keys below",
            ),
            (
                "experiment.settings = [1]",
                "experiment.settings = [1] is no list of words: write [\"solo\", \"coop-comm\"]",
            ),
            (
                "groups = 5",
                "groups = 5 is no table: write [groups] and its keys below",
            ),
            (
                "groups.a = 5",
                "groups.a = 5 is no list of words: write [\"solo\", \"coop-comm\"]",
            ),
            (
                "groups.a = []",
                "groups.a names no runs: write [\"talk_?\", \"other-talk\"]",
            ),
            (
                "groups.a = ['']",
                "groups.a names no runs: write [\"talk_?\", \"other-talk\"]",
            ),
            (
                "groups.'a b' = ['x']",
                "groups.a b is no name of an arm: letters, digits, `.`, `_` and `-`",
            ),
        ] {
            let (_, wrong) = checked(&text.parse().unwrap(), "a file");
            let said: Vec<&str> = wrong.iter().map(|one| one.what.as_str()).collect();
            assert_eq!(said, [format!("a file: {why}")]);
        }
    }
}
