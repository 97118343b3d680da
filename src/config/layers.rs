//! The layers of the configuration, each value with the place it came from.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use toml::{Table, Value};

use super::keys::Mistake;
use super::mistakes::{Wrong, refuse};
use super::{Config, known, words};
use crate::error::{Error, Result, nearest};
use crate::{demo, files};

/// The file that is read from the working directory when no other is named.
pub const FILE: &str = "regatta.toml";

/// Profiles that come with the program: names and their tables.
pub const BUILTIN_PROFILES: [(&str, &str); 1] = [("demo", demo::PROFILE)];

/// `REGATTA_*` variables that are no configuration keys.
const OTHER_VARIABLES: [&str; 5] = [
    crate::process::OWNER_VAR,
    "REGATTA_CACHE",
    "REGATTA_DOCKERD_FLAGS",
    "REGATTA_CONFIG",
    "REGATTA_PROFILE",
];

const CHECKOUT: &str = "upstream.cooperbench_dir";

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
        layers.overlay(&known::defaults(), "", "default");
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
                Some(name) => Err(no_profile(
                    format!("no profile `{name}`: there is no {FILE} here"),
                    name,
                    &Table::new(),
                )),
            };
        }
        let shown = path.display().to_string();
        if path.is_dir() {
            return Err(
                Error::usage(format!("{shown} is a directory")).hint(format!(
                    "name the file in it: --config {}",
                    path.join(FILE).display()
                )),
            );
        }
        if !path.exists() {
            return Err(
                Error::usage(format!("no configuration file at {shown}")).hint(format!(
                    "`regatta config --default > {FILE}` makes one, with every key and its default"
                )),
            );
        }
        let mut table: Table = files::read_text(path)
            .map_err(Error::into_usage)?
            .parse()
            .map_err(|error| Error::usage(format!("{shown} is not TOML: {error}")))?;
        let profiles = match table.remove("profile") {
            None => Table::new(),
            Some(Value::Table(profiles)) => profiles,
            Some(_) => {
                return Err(Error::usage(format!("{shown}: `profile` is not a table"))
                    .hint("write [profile.NAME.experiment] and the like, with keys below"));
            }
        };
        let (table, mut wrong) = known::checked(&table, &shown);
        self.overlay(&table, "", &shown);
        match profile.map(|name| (name, profiles.get(name))) {
            None => {}
            Some((name, Some(Value::Table(table)))) => {
                let shown = format!("{shown} [profile.{name}]");
                let (table, more) = known::checked(table, &shown);
                wrong.extend(more);
                self.overlay(&table, "", &shown);
            }
            Some((name, _)) => {
                let Some((name, text)) = builtin else {
                    let what = format!("{shown} has no profile `{name}`");
                    return Err(no_profile(what, name, &profiles));
                };
                self.add_builtin(name, text)?;
            }
        }
        refuse(&wrong)
    }

    /// Takes the checkout that a directory is in, where no layer names another and there is none at the
    /// default place.
    pub fn find_checkout(&mut self, from: &Path) {
        let is_default = self.origins.get(CHECKOUT).is_some_and(|it| it == "default");
        let is_there = |dir: &str| from.join(dir).exists();
        if !is_default
            || self
                .get(CHECKOUT)
                .and_then(Value::as_str)
                .is_some_and(is_there)
        {
            return;
        }
        let mut dirs = from.ancestors();
        if let Some(dir) = dirs.find(|dir| is_own_checkout(dir)) {
            let value = Value::String(dir.to_string_lossy().into_owned());
            let origin = if dir == from {
                "the current directory is a checkout"
            } else {
                "a parent of the current directory is a checkout"
            };
            self.put(CHECKOUT, value, origin);
        }
    }

    fn add_builtin(&mut self, name: &str, text: &str) -> Result<()> {
        let shown = format!("built-in [profile.{name}]");
        let table: Table = text
            .parse()
            .map_err(|error| Error::usage(format!("{shown} is not TOML: {error}")))?;
        let (table, wrong) = known::checked(&table, &shown);
        self.overlay(&table, "", &shown);
        refuse(&wrong)
    }

    /// Adds the variables `REGATTA_<last word of a key>`. One that names no key is an error.
    pub fn add_environment(
        &mut self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<()> {
        let mut wrong = Vec::new();
        for (name, text) in variables {
            let Some(word) = name.strip_prefix("REGATTA_") else {
                continue;
            };
            if OTHER_VARIABLES.contains(&name.as_str()) {
                continue;
            }
            let variable = |key: &str| key.rsplit('.').next().unwrap_or_default().to_uppercase();
            if let Some(key) = known::keys().find(|key| variable(key) == word) {
                if let Err(why) = self.put_text(key, &text, &format!("environment {name}")) {
                    wrong.push(Wrong::new(why));
                }
                continue;
            }
            let names: Vec<String> = known::keys()
                .map(|key| format!("REGATTA_{}", variable(key)))
                .collect();
            let unknown = Wrong::new(format!("unknown environment variable {name}"));
            wrong.push(unknown.meant(nearest(&name, names.iter().map(String::as_str))));
        }
        refuse(&wrong)
    }

    /// Sets one key from text, as the environment and flags give it.
    pub fn set(&mut self, key: &str, text: &str, origin: &str) -> Result<()> {
        self.put_text(key, text, origin).map_err(Error::usage)
    }

    fn put_text(&mut self, key: &str, text: &str, origin: &str) -> std::result::Result<(), String> {
        let value = known::kind(key).parse(text);
        let value = value.map_err(|why| format!("{origin}: {why}"))?;
        self.put(key, value, origin);
        Ok(())
    }

    /// What is in force, with its types. The error of a wrong value names where that came from.
    pub fn config(&self) -> Result<Config> {
        let refuse_all = |mistakes: Vec<Mistake>| {
            let wrong = mistakes.into_iter().map(|(key, why)| {
                let origin = self.origins.get(key).map_or("default", String::as_str);
                Wrong::new(format!("{key} {why} ({origin})"))
            });
            refuse(&wrong.collect::<Vec<_>>())
        };
        refuse_all(words::mistakes(|key| self.get(key)))?;
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
        refuse_all(config.mistakes())?;
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
            let key = known::join(prefix, name);
            match value {
                Value::Table(inner) => self.overlay(inner, &key, origin),
                value => self.put(&key, value.clone(), origin),
            }
        }
    }
}

/// Whether a directory is a checkout of `CooperBench`, and this user's: its `.venv` is executed, and
/// anybody may put one into `/tmp`.
fn is_own_checkout(dir: &Path) -> bool {
    let own = rustix::process::geteuid().as_raw();
    let is_own = |path: &Path| {
        path.metadata()
            .is_ok_and(|it| it.is_dir() && it.uid() == own)
    };
    is_own(dir) && is_own(&dir.join("dataset/subsets"))
}

/// The error on a profile that there is not.
fn no_profile(what: String, name: &str, profiles: &Table) -> Error {
    let builtin = BUILTIN_PROFILES.iter().map(|(name, _)| *name);
    let there = profiles.keys().map(String::as_str).chain(builtin);
    let there: Vec<&str> = there.collect();
    match nearest(name, there.iter().copied()) {
        Some(near) => Error::usage(what).hint(format!("did you mean `{near}`?")),
        None => Error::usage(what).hint(format!(
            "profiles are [profile.NAME] tables of a configuration file; there are: {}",
            there.join(", ")
        )),
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
        assert_eq!(config.experiment.settings, Setting::USUAL);
        assert_eq!(config.limits.task_timeout, Duration::from_mins(10));
    }

    #[test]
    fn the_reference_shows_every_key() {
        for key in known::keys() {
            let word = key.rsplit('.').next().unwrap();
            assert!(known::DEFAULT.contains(&format!("{word} =")), "{key}");
        }
    }

    #[test]
    fn no_two_keys_share_an_environment_variable() {
        let mut words: Vec<String> = known::keys()
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
    fn all_that_is_wrong_is_told_at_once() {
        let text = "[experiment]\nconcurency = 2\nmodel = 5\n[zzzzzz]\nx = 1\n[limits]\ngrace = 'soon'\n[native]\npids = 64\n";
        let error = with_file(text).unwrap_err();
        let said = error.to_string();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[0], "the configuration has 4 mistakes:");
        for (line, why) in [
            (
                1,
                "unknown key `experiment.concurency`; did you mean `experiment.concurrency`?",
            ),
            (2, "experiment.model = 5 is no text: write it in quotes"),
            (
                3,
                "limits.grace = \"soon\" is no duration: write \"90s\", \"10m\", \"1h30m\", or seconds as a number",
            ),
            (4, "unknown key `zzzzzz`"),
        ] {
            assert!(lines[line].ends_with(why), "{said}");
        }
        assert_eq!(
            error.hints(),
            ["`regatta config --default` lists every key"]
        );
        let text = "[experiment]\nconcurrency = 0\nmodel = ' '\n[native]\ncpus = 0\n";
        let said = with_file(text).unwrap_err().to_string();
        assert_eq!(said.lines().count(), 4, "{said}");
        let text = "[experiment]\nbackend = 'dokcer'\nsettings = ['coop', 'solo']\n[evaluation]\nrules = '0.0.28'\n";
        let said = with_file(text).unwrap_err().to_string();
        assert!(
            said.contains("did you mean `coop-comm` or `coop-nocomm`?"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 4, "{said}");
        let mut layers = Layers::defaults();
        let typed =
            ["REGATTA_MODLE", "REGATTA_BUDGET"].map(|name| (name.to_owned(), "abc".to_owned()));
        let said = layers
            .add_environment(typed.into_iter())
            .unwrap_err()
            .to_string();
        assert_eq!(said.lines().count(), 3, "{said}");
    }

    #[test]
    fn a_profile_that_there_is_not_is_answered_with_the_nearest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("regatta.toml");
        files::write_atomic(&path, b"[profile.tidal.limits]\ngrace = 1\n").unwrap();
        for (name, hint) in [
            ("dmo", "did you mean `demo`?"),
            ("tidl", "did you mean `tidal`?"),
            (
                "zzzzzzz",
                "profiles are [profile.NAME] tables of a configuration file; there are: tidal, demo",
            ),
        ] {
            let error = Layers::defaults()
                .add_file(Some(&path), Some(name))
                .unwrap_err();
            assert_eq!(error.hints(), [hint]);
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
        assert_eq!(error.hints(), ["did you mean `REGATTA_CONCURRENCY`?"]);
    }

    #[test]
    fn values_that_make_no_sense_are_refused_with_their_origin() {
        for (text, why) in [
            ("[experiment]\nconcurrency = 0", "at least 1"),
            ("[experiment]\nbackend = 'dokcer'", "did you mean `docker`"),
            ("[limits]\ntask_timeout = 'soon'", "no duration"),
            ("[limits]\nbudget = -1.0", "more than 0"),
            (
                "[experiment]\nsettings = ['both']",
                "must be one of solo, coop-comm, coop-nocomm",
            ),
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
