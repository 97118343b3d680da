//! The layers of the configuration, each value with the place it came from.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

use super::keys::Mistake;
use super::{Config, words};
use crate::error::{Error, Result, nearest};
use crate::{demo, files};

/// The defaults, commented: the reference of every key.
pub const DEFAULT: &str = include_str!("default-config.toml");

/// The file that is read from the working directory when no other is named.
pub const FILE: &str = "regatta.toml";

/// Keys that have no default, by their place.
const OPTIONAL: [&str; 18] = [
    "experiment.name",
    "limits.budget",
    "upstream.cooperbench_bin",
    "upstream.dataset_dir",
    "upstream.logs_dir",
    "upstream.api_base",
    "upstream.agent_config",
    "native.step_limit",
    "native.cost_limit",
    "native.memory_gb",
    "native.cpus",
    "native.network",
    "native.workspaces",
    "native.record",
    "native.replay",
    "evaluation.suite_backend",
    "prices.price_file",
    "triage.rules_file",
];

/// Those of them that are amounts.
const OPTIONAL_NUMBERS: [&str; 4] = [
    "limits.budget",
    "native.cost_limit",
    "native.memory_gb",
    "native.cpus",
];

/// Profiles that come with the program.
const BUILTIN_PROFILES: [(&str, &str); 1] = [("demo", demo::PROFILE)];

/// Tables whose keys are the user's own.
const OPEN: [&str; 2] = ["upstream.env", "prices.models"];

/// `REGATTA_*` variables that are no configuration keys.
const OTHER_VARIABLES: [&str; 5] = [
    crate::process::OWNER_VAR,
    "REGATTA_CACHE",
    "REGATTA_DOCKERD_FLAGS",
    "REGATTA_CONFIG",
    "REGATTA_PROFILE",
];

/// The values in force, each with the place it came from.
#[derive(Clone, Debug)]
pub struct Layers {
    values: Table,
    origins: BTreeMap<String, String>,
}

impl Layers {
    /// The defaults.
    ///
    /// # Panics
    ///
    /// When the embedded file is broken, which a test rules out.
    #[must_use]
    pub fn defaults() -> Self {
        let mut layers = Self {
            values: Table::new(),
            origins: BTreeMap::new(),
        };
        let table = DEFAULT.parse().expect("the embedded defaults are tested");
        layers.overlay(&table, "", "default");
        layers
    }

    /// Adds a configuration file, and its profile of this name; a file that is named must exist.
    /// A profile that the file does not have may be one of the program's own.
    pub fn add_file(&mut self, named: Option<&Path>, profile: Option<&str>) -> Result<()> {
        let builtin = BUILTIN_PROFILES
            .iter()
            .find(|(name, _)| Some(*name) == profile);
        let path = named.unwrap_or(Path::new(FILE));
        if let (Some((name, text)), true) = (builtin, named.is_none() && !path.exists()) {
            return self.add_builtin(name, text);
        }
        if named.is_none() && !path.exists() {
            return match profile {
                None => Ok(()),
                Some(name) => Err(Error::usage(format!("no profile `{name}`: there is no {FILE} here"))
                    .hint("profiles are [profile.NAME] tables of a configuration file; name one with --config")),
            };
        }
        let shown = path.display().to_string();
        let mut table: Table = files::read_text(path)
            .map_err(Error::into_usage)?
            .parse()
            .map_err(|error| Error::usage(format!("{shown} is not TOML: {error}")))?;
        let profiles = match table.remove("profile") {
            None => Table::new(),
            Some(Value::Table(profiles)) => profiles,
            Some(_) => return Err(Error::usage(format!("{shown}: `profile` is not a table"))),
        };
        self.check_keys(&table, "", &shown)?;
        self.overlay(&table, "", &shown);
        if let Some(name) = profile {
            let Some(Value::Table(table)) = profiles.get(name) else {
                if let Some((name, text)) = builtin {
                    return self.add_builtin(name, text);
                }
                let error = Error::usage(format!("{shown} has no profile `{name}`"));
                return Err(match nearest(name, profiles.keys().map(String::as_str)) {
                    Some(near) => error.hint(format!("did you mean `{near}`?")),
                    None => error,
                });
            };
            let shown = format!("{shown} [profile.{name}]");
            self.check_keys(table, "", &shown)?;
            self.overlay(table, "", &shown);
        }
        Ok(())
    }

    fn add_builtin(&mut self, name: &str, text: &str) -> Result<()> {
        let shown = format!("built-in [profile.{name}]");
        let table: Table = text
            .parse()
            .map_err(|error| Error::usage(format!("{shown} is not TOML: {error}")))?;
        self.check_keys(&table, "", &shown)?;
        self.overlay(&table, "", &shown);
        Ok(())
    }

    /// Adds the variables `REGATTA_<last word of a key>`. One that names no key is an error.
    pub fn add_environment(
        &mut self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<()> {
        let keys = known_keys();
        for (name, text) in variables {
            let Some(word) = name.strip_prefix("REGATTA_") else {
                continue;
            };
            if OTHER_VARIABLES.contains(&name.as_str()) {
                continue;
            }
            let variable = |key: &str| key.rsplit('.').next().unwrap_or_default().to_uppercase();
            let Some(key) = keys.iter().find(|key| variable(key) == word) else {
                let error = Error::usage(format!("unknown environment variable {name}"));
                let words: Vec<String> = keys.iter().map(|key| variable(key)).collect();
                return Err(match nearest(word, words.iter().map(String::as_str)) {
                    Some(near) => error.hint(format!("did you mean REGATTA_{near}?")),
                    None => error.hint("`regatta config --default` lists every key"),
                });
            };
            self.set(key, &text, &format!("environment {name}"))?;
        }
        Ok(())
    }

    /// Sets one key from text, as the environment and flags give it.
    pub fn set(&mut self, key: &str, text: &str, origin: &str) -> Result<()> {
        let wrong = |what: &str| Error::usage(format!("{origin}: `{text}` is no {what}"));
        let value = match self.get(key) {
            Some(Value::Integer(_)) => {
                Value::Integer(text.parse().map_err(|_| wrong("whole number"))?)
            }
            Some(Value::Float(_)) => Value::Float(text.parse().map_err(|_| wrong("number"))?),
            Some(Value::Array(_)) => Value::Array(
                text.split(',')
                    .map(|item| Value::String(item.trim().to_owned()))
                    .collect(),
            ),
            Some(Value::Boolean(_)) => {
                Value::Boolean(text.parse().map_err(|_| wrong("true or false"))?)
            }
            None if OPTIONAL_NUMBERS.contains(&key) => {
                Value::Float(text.parse().map_err(|_| wrong("number"))?)
            }
            None if key == "native.step_limit" => {
                Value::Integer(text.parse().map_err(|_| wrong("whole number"))?)
            }
            None if key == "native.network" => {
                Value::Boolean(text.parse().map_err(|_| wrong("true or false"))?)
            }
            _ => Value::String(text.to_owned()),
        };
        self.put(key, value, origin);
        Ok(())
    }

    /// What is in force, with its types. The error of a wrong value names where that came from.
    pub fn config(&self) -> Result<Config> {
        let refused = |(key, why): Mistake| {
            let origin = self.origins.get(key).map_or("default", String::as_str);
            Error::usage(format!("{key} {why} ({origin})"))
        };
        words::check(|key| self.get(key)).map_err(refused)?;
        // Deserializing each section by itself lets the message name the key's origin.
        let config: Config =
            Value::Table(self.values.clone())
                .try_into()
                .map_err(|error: toml::de::Error| {
                    let message = error.message().to_owned();
                    let culprit = self
                        .origins
                        .iter()
                        .filter(|(_, origin)| *origin != "default");
                    let culprit: Vec<String> = culprit
                        .map(|(key, origin)| format!("{key} ({origin})"))
                        .collect();
                    let error = Error::usage(format!("the configuration is wrong: {message}"));
                    if culprit.is_empty() {
                        error
                    } else {
                        error.hint(format!("set here: {}", culprit.join(", ")))
                    }
                })?;
        config.check().map_err(refused)?;
        Ok(config)
    }

    /// Every key in force with its value as TOML and its origin, sorted by key.
    pub fn list(&self) -> impl Iterator<Item = (&str, String, &str)> {
        self.origins.iter().map(|(key, origin)| {
            let value = self.get(key).map(ToString::to_string).unwrap_or_default();
            (key.as_str(), value, origin.as_str())
        })
    }

    fn get(&self, key: &str) -> Option<&Value> {
        let mut parts = split_key(key).into_iter();
        let mut value = self.values.get(parts.next()?)?;
        for part in parts {
            value = value.as_table()?.get(part)?;
        }
        Some(value)
    }

    fn put(&mut self, key: &str, value: Value, origin: &str) {
        let parts = split_key(key);
        let Some((last, tables)) = parts.split_last() else {
            return;
        };
        let mut table = &mut self.values;
        for part in tables {
            let entry = table
                .entry(*part)
                .or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(inner) = entry else { return };
            table = inner;
        }
        table.insert((*last).to_owned(), value);
        self.origins.insert(key.to_owned(), origin.to_owned());
    }

    fn overlay(&mut self, table: &Table, prefix: &str, origin: &str) {
        for (name, value) in table {
            let key = join_key(prefix, name);
            match value {
                Value::Table(inner) => self.overlay(inner, &key, origin),
                value => self.put(&key, value.clone(), origin),
            }
        }
    }

    fn check_keys(&self, table: &Table, prefix: &str, origin: &str) -> Result<()> {
        let keys = known_keys();
        for (name, value) in table {
            let key = join_key(prefix, name);
            if OPEN
                .iter()
                .any(|open| key == *open || key.starts_with(&format!("{open}.")))
            {
                continue;
            }
            let is_table = keys
                .iter()
                .any(|known| known.starts_with(&format!("{key}.")));
            match value {
                Value::Table(inner)
                    if is_table || prefix.is_empty() && self.values.contains_key(name) =>
                {
                    self.check_keys(inner, &key, origin)?;
                }
                _ if keys.contains(&key) => {}
                _ => {
                    let error = Error::usage(format!("{origin}: unknown key `{key}`"));
                    return Err(match nearest_key(&key, &keys) {
                        Some(near) => error.hint(format!("did you mean `{near}`?")),
                        None => error.hint("`regatta config --default` lists every key"),
                    });
                }
            }
        }
        Ok(())
    }
}

/// Every key that a file may hold, by its place.
fn known_keys() -> Vec<String> {
    let mut keys: Vec<String> = Layers::defaults().origins.into_keys().collect();
    keys.extend(OPTIONAL.map(str::to_owned));
    keys.retain(|key| !OPEN.iter().any(|open| key.starts_with(open)));
    keys
}

fn nearest_key<'a>(key: &str, keys: &'a [String]) -> Option<&'a str> {
    let tables = keys
        .iter()
        .filter_map(|known| Some(known.split_once('.')?.0));
    if !key.contains('.')
        && let Some(table) = nearest(key, tables)
    {
        return Some(table);
    }
    // The right word in the wrong table is the commonest slip.
    let last = key.rsplit('.').next();
    keys.iter()
        .find(|known| known.rsplit('.').next() == last)
        .map(String::as_str)
        .or_else(|| nearest(key, keys.iter().map(String::as_str)))
}

/// Joins a key's parts; model names hold dots, so such parts are quoted.
fn join_key(prefix: &str, name: &str) -> String {
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

fn split_key(key: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = key;
    while !rest.is_empty() {
        let (part, after) = match rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
            Some((part, after)) => (part, after.strip_prefix('.').unwrap_or(after)),
            None => rest.split_once('.').unwrap_or((rest, "")),
        };
        parts.push(part);
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bench::Setting;

    fn with_file(text: &str) -> Result<Config> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("regatta.toml");
        files::write_atomic(&path, text.as_bytes()).unwrap();
        let mut layers = Layers::defaults();
        layers.add_file(Some(&path), None)?;
        layers.config()
    }

    #[test]
    fn the_defaults_are_the_experiment() {
        let config = Layers::defaults().config().unwrap();
        assert_eq!(config.experiment.model, "command-a-03-2025");
        assert_eq!(config.experiment.settings, Setting::ALL);
        assert_eq!(config.limits.task_timeout, Duration::from_mins(10));
    }

    #[test]
    fn the_reference_shows_every_key() {
        for key in known_keys() {
            let word = key.rsplit('.').next().unwrap();
            assert!(DEFAULT.contains(&format!("{word} =")), "{key}");
        }
    }

    #[test]
    fn no_two_keys_share_an_environment_variable() {
        let mut words: Vec<String> = known_keys()
            .iter()
            .map(|key| key.rsplit('.').next().unwrap().to_owned())
            .collect();
        let all = words.len();
        words.sort();
        words.dedup();
        assert_eq!(words.len(), all);
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        for (text, near) in [
            ("[experiment]\nconcurency = 2", "experiment.concurrency"),
            ("[limits]\nconcurrency = 2", "experiment.concurrency"),
            ("[experiments]\nmodel = 'x'", "experiment"),
        ] {
            let error = with_file(text).unwrap_err();
            assert!(error.to_string().contains("unknown key"), "{error}");
            assert_eq!(error.hints(), [format!("did you mean `{near}`?")]);
        }
    }

    #[test]
    fn later_layers_win_and_say_where_they_come_from() {
        let mut layers = Layers::defaults();
        let variable = ("REGATTA_CONCURRENCY".to_owned(), "7".to_owned());
        layers.add_environment([variable].into_iter()).unwrap();
        layers
            .set("experiment.model", "openai/x", "--model")
            .unwrap();
        let config = layers.config().unwrap();
        assert_eq!(
            (
                config.experiment.concurrency,
                config.experiment.model.as_str()
            ),
            (7, "openai/x")
        );
        let listed: Vec<_> = layers
            .list()
            .filter(|(_, _, origin)| *origin != "default")
            .collect();
        assert_eq!(listed.len(), 2);
        let wrong = ("REGATTA_CONCURENCY".to_owned(), "7".to_owned());
        let error = layers.add_environment([wrong].into_iter()).unwrap_err();
        assert_eq!(error.hints(), ["did you mean REGATTA_CONCURRENCY?"]);
    }

    #[test]
    fn values_that_make_no_sense_are_refused_with_their_origin() {
        for (text, why) in [
            ("[experiment]\nconcurrency = 0", "at least 1"),
            ("[experiment]\nbackend = 'dokcer'", "did you mean `docker`"),
            ("[limits]\ntask_timeout = 'soon'", "no duration"),
            ("[limits]\nbudget = -1.0", "more than 0"),
            ("[experiment]\nsettings = ['both']", "unknown variant"),
        ] {
            let error = with_file(text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn models_with_dots_in_their_names_can_have_prices() {
        let config = with_file(
            "[prices.models.\"openai/gpt-4.1\"]\ninput_cost_per_token = 1e-6\noutput_cost_per_token = 2e-6",
        );
        assert!(config.unwrap().prices.models.contains_key("openai/gpt-4.1"));
    }
}
