//! The layers of the configuration, each value with the place it came from.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use toml::{Table, Value};

use super::arms::{self, ArmTable};
use super::keys::Mistake;
use super::keys::{ArmConfig, OwnArm};
use super::mistakes::{Wrong, refuse};
use super::{Config, ExecutorKind, known, words};
use crate::bench::EngineKind;
use crate::bench::word::Listed as _;
use crate::error::{Error, Result, nearest};
use crate::{demo, files};

/// The file that is read from the working directory when no other is named.
pub const FILE: &str = "regatta.toml";

/// Profiles that come with the program: names and their tables.
pub const BUILTIN_PROFILES: [(&str, &str); 1] = [("demo", demo::PROFILE)];

/// `REGATTA_*` variables that are no configuration keys.
const OTHER_VARIABLES: [&str; 6] = [
    crate::process::OWNER_VAR,
    "REGATTA_CACHE",
    "REGATTA_DOCKERD_FLAGS",
    "REGATTA_CONFIG",
    "REGATTA_PROFILE",
    "REGATTA_SLURM_DIR",
];

const CHECKOUT: &str = "upstream.cooperbench_dir";

/// The values in force, each with the place it came from.
#[derive(Clone, Debug)]
pub struct Layers {
    values: Table,
    origins: BTreeMap<String, String>,
    arms: Vec<ArmTable>,
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
            arms: Vec::new(),
        };
        layers.overlay(&known::defaults(), "", "default");
        layers
    }

    /// Values that were in force elsewhere ([`Config::values`]).
    #[must_use]
    pub fn of_values(values: Table) -> Self {
        Self {
            values,
            ..Self::defaults()
        }
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
        let mut wrong = self.add_table(table, &shown);
        match profile.map(|name| (name, profiles.get(name))) {
            None => {}
            Some((name, Some(Value::Table(table)))) => {
                let shown = format!("{shown} [profile.{name}]");
                wrong.extend(self.add_table(table.clone(), &shown));
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
        refuse(&self.add_table(table, &shown))
    }

    /// Adds a table of a file; gives what is wrong with it. Its arms take the place of those before.
    fn add_table(&mut self, mut table: Table, shown: &str) -> Vec<Wrong> {
        let arms = table.remove("arm").map(|arms| arms::read(&arms, shown));
        let (table, mut wrong) = known::checked(&table, shown);
        self.overlay(&table, "", shown);
        if let Some((arms, more)) = arms {
            self.arms = arms;
            wrong.extend(more);
        }
        wrong
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

    /// What is in force, with its types and arms. The error of a wrong value names where that came from.
    pub fn config(&self) -> Result<Config> {
        let mut layers = self.clone();
        layers.concurrency_of_workers();
        layers.config_as_it_is()
    }

    fn config_as_it_is(&self) -> Result<Config> {
        let mut config = self.without_arms()?;
        let by_flag = |origin: &String| origin.starts_with("--");
        if !self.arms.is_empty() && self.origins.get(arms::SETTINGS).is_some_and(by_flag) {
            return Err(
                Error::usage("--setting does not choose among arms: each has its setting").hint(
                    "--arm NAME runs some of the arms; without [[arm]] tables the settings are the arms",
                ),
            );
        }
        for arm in &self.arms {
            config.own_arms.push(OwnArm {
                name: arm.name.clone(),
                meant: self.arm(arm),
            });
        }
        let is_upstreams = |arm: &ArmConfig| arm.config.experiment.engine == EngineKind::Upstream;
        let mut meant = config
            .own_arms
            .iter()
            .filter_map(|arm| arm.meant.as_ref().ok());
        if meant.any(is_upstreams) {
            // They are for those arms; where there is none, they are a mistake, which is told later.
            let meant = config
                .own_arms
                .iter_mut()
                .filter_map(|arm| arm.meant.as_mut().ok());
            let others = meant.filter(|arm| !is_upstreams(arm));
            others.for_each(|arm| arm.config.upstream.args.clear());
        }
        Ok(config)
    }

    /// One arm, over all that the layers have, or what is wrong with its values.
    fn arm(&self, arm: &ArmTable) -> Result<ArmConfig> {
        let mut layers = self.clone();
        let mut hidden_flags = Vec::new();
        for (key, value) in &arm.values {
            if let Some(flag) = self.origins.get(*key).filter(|it| it.starts_with("--"))
                && self.get(key) != Some(value)
            {
                hidden_flags.push(flag.clone());
            }
            layers.put(key, value.clone(), &arm.origin);
        }
        let config = layers.without_arms()?;
        let engine = config.experiment.engine;
        if let Some((word, owner)) = arms::of_other_engine(arm, engine) {
            return Err(Error::usage(format!(
                "{}: `{word}` is the {} engine's, and this arm runs on {}",
                arm.origin,
                owner.name(),
                engine.name()
            ))
            .hint(format!(
                "leave it out, or write engine = \"{}\" in this arm",
                owner.name()
            )));
        }
        let has = |word: &str| arm.values.iter().any(|(key, _)| *key == word);
        if let Some(name) = &config.upstream.api_key_env
            && has("upstream.api_base")
            && !has("upstream.api_key_env")
        {
            return Err(Error::usage(format!(
                "{}: api_base is another endpoint, and {name} was named for the key of the usual one",
                arm.origin
            ))
            .hint("write api_key_env in this arm too: the variable that holds the key for its endpoint"));
        }
        let [setting] = config.experiment.settings[..] else {
            return Err(Error::usage(format!("{} names no setting", arm.origin))
                .hint("write setting = \"coop-comm\" below [[arm]]; an arm has one setting"));
        };
        Ok(ArmConfig {
            name: arm.name.clone(),
            setting,
            config,
            hidden_flags,
        })
    }

    fn without_arms(&self) -> Result<Config> {
        let refuse_all = |mistakes: Vec<Mistake>| {
            let wrong = mistakes.into_iter().map(|(key, why)| {
                let origin = self.origins.get(key).map_or("default", String::as_str);
                Wrong::new(format!("{key} {why} ({origin})"))
            });
            refuse(&wrong.collect::<Vec<_>>())
        };
        refuse_all(words::mistakes(|key| self.get(key)))?;
        // Deserializing each section by itself lets the message name the key's origin.
        let mut config: Config =
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
        config.values = self.values.clone();
        Ok(config)
    }

    /// A worker runs one pair at a time, unless somebody has said how many.
    fn concurrency_of_workers(&mut self) {
        const KEY: &str = "experiment.concurrency";
        let is_default = self.origins.get(KEY).is_some_and(|it| it == "default");
        let executor = self.get("executor.executor").and_then(Value::as_str);
        if is_default && executor == Some(ExecutorKind::Slurm.word()) {
            self.put(KEY, Value::Integer(1), "default of a worker");
        }
    }

    /// Every key in force with its value as TOML and its origin, sorted by key.
    pub fn list(&self) -> impl Iterator<Item = (&str, String, &str)> {
        self.origins.iter().map(|(key, origin)| {
            let value = self.get(key).map(ToString::to_string).unwrap_or_default();
            (key.as_str(), value, origin.as_str())
        })
    }

    /// The `[[arm]]` tables: where each stands, and its keys as they stand there, with values as TOML.
    pub fn arm_tables(&self) -> impl Iterator<Item = (&str, Vec<(&str, String)>)> {
        self.arms
            .iter()
            .map(|arm| (arm.origin.as_str(), arm.words()))
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
mod tests;
