//! The keys of the configuration with their types, and what these cannot say.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::executor::ExecutorConfig;
use super::images::{ImagesConfig, of_home};
use crate::bench::word::Listed;
use crate::bench::{BackendKind, EngineKind, Price, RuleSet, Setting};
use crate::demo::BUILTIN;
use crate::secret::masked_url;

/// The sections of the configuration, with every default in its place.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// What is run, by whom, and how much at a time.
    pub experiment: ExperimentConfig,
    /// How often an unfinished pair is tried again, and after what time.
    pub attempts: AttemptsConfig,
    /// When a trial, or all of them, are stopped.
    pub limits: LimitsConfig,
    /// When the world is called broken.
    pub breaker: BreakerConfig,
    /// The upstream CLI, and the places that both engines share.
    pub upstream: UpstreamConfig,
    /// What the native engine's agents, sandboxes and model calls may use.
    pub native: NativeConfig,
    /// Where images are kept and come from, for backends that have them without a daemon.
    pub images: ImagesConfig,
    /// Where attempts run.
    pub executor: ExecutorConfig,
    /// By which rules, where and how long suites run.
    pub evaluation: EvaluationConfig,
    /// Prices of models that upstream has none for.
    #[serde(default)]
    pub prices: PricesConfig,
    /// Triage rules of the user's, beside those that ship.
    #[serde(default)]
    pub triage: TriageConfig,
    /// `[groups]`: runs that are one arm though their names don't tell, as patterns by the arm's name.
    #[serde(default)]
    pub groups: BTreeMap<String, Vec<String>>,
    /// The `[[arm]]` tables; empty where the settings are the arms ([`Self::arms`]).
    #[serde(skip)]
    pub own_arms: Vec<OwnArm>,
    /// The values that it was made from, for a worker elsewhere.
    #[serde(skip)]
    pub values: toml::Table,
}

/// One arm: a name, a setting, and the configuration that it runs with.
#[derive(Clone, Debug)]
pub struct ArmConfig {
    /// Its name, which its runs' names have after the experiment's.
    pub name: String,
    /// The setting of all its trials.
    pub setting: Setting,
    /// The whole configuration, with what the arm has of its own. Its only setting is the arm's.
    pub config: Config,
    /// Flags of the command line that say something else than the arm: the arm's own counts.
    pub hidden_flags: Vec<String>,
}

/// One `[[arm]]` table.
#[derive(Clone, Debug)]
pub struct OwnArm {
    /// Its name, which no other table has.
    pub name: String,
    /// The arm, or what is wrong with its values. Only a command that asks for it is refused.
    pub meant: crate::error::Result<ArmConfig>,
}

/// `[experiment]`: what is run, by whom, and how much at a time.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "default-config.toml is the reference")]
pub struct ExperimentConfig {
    pub agent: String,
    pub model: String,
    pub subset: String,
    pub settings: Vec<Setting>,
    pub repeats: u32,
    pub order: Order,
    pub name: Option<String>,
    pub concurrency: usize,
    pub backend: BackendKind,
    pub engine: EngineKind,
    pub git: bool,
}

/// In which order the runs of several arms and repeats come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// All arms once, then all arms again: what changes with time hits all arms alike.
    Repeats,
    /// All repeats of an arm, then those of the next.
    Arms,
}

impl Listed for Order {
    const LIST: &'static [Self] = &[Self::Repeats, Self::Arms];

    fn word(self) -> &'static str {
        match self {
            Self::Repeats => "repeats",
            Self::Arms => "arms",
        }
    }
}

/// `[attempts]`: how often an unfinished pair is tried again, and after what time.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "default-config.toml is the reference")]
pub struct AttemptsConfig {
    pub max_attempts: u32,
    #[serde(deserialize_with = "duration")]
    pub backoff: Duration,
    #[serde(deserialize_with = "duration")]
    pub backoff_max: Duration,
    #[serde(deserialize_with = "duration")]
    pub max_wait: Duration,
}

/// `[limits]`: when a trial, or all of them, are stopped.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "default-config.toml is the reference")]
pub struct LimitsConfig {
    #[serde(deserialize_with = "duration")]
    pub task_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub stall_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub grace: Duration,
    pub budget: Option<f64>,
    pub min_free_disk_gb: f64,
}

/// `[breaker]`: when the world is called broken, so that nothing more is begun.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "default-config.toml is the reference")]
pub struct BreakerConfig {
    pub breaker_trials: usize,
}

/// `[upstream]`: the `cooperbench` CLI, and the places that both engines share.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "default-config.toml is the reference")]
pub struct UpstreamConfig {
    pub cooperbench_dir: PathBuf,
    pub cooperbench_bin: Option<PathBuf>,
    pub dataset_dir: Option<PathBuf>,
    pub logs_dir: Option<PathBuf>,
    pub api_base: Option<String>,
    pub api_key_env: Option<String>,
    #[serde(default, deserialize_with = "of_home")]
    pub api_key_file: Option<PathBuf>,
    pub agent_config: Option<PathBuf>,
    pub redis_url: String,
    pub args: Vec<String>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// `[native]`: what the native engine's agents, sandboxes and model calls may use.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "default-config.toml is the reference")]
pub struct NativeConfig {
    #[serde(deserialize_with = "duration")]
    pub command_timeout: Duration,
    #[serde(deserialize_with = "duration")]
    pub setup_timeout: Duration,
    pub rate_limits_count: bool,
    pub step_limit: Option<u64>,
    pub cost_limit: Option<f64>,
    pub memory_gb: Option<f64>,
    pub cpus: Option<f64>,
    pub pids: u32,
    pub network: Option<bool>,
    pub workspaces: Option<PathBuf>,
    pub rootfs: PathBuf,
    #[serde(default, deserialize_with = "of_home")]
    pub scratch: Option<PathBuf>,
    #[serde(deserialize_with = "duration")]
    pub call_timeout: Duration,
    pub call_tries: u32,
    pub record: Option<PathBuf>,
    pub replay: Option<PathBuf>,
}

/// `[evaluation]`: by which rules, where and how long suites run.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "default-config.toml is the reference")]
pub struct EvaluationConfig {
    pub rules: RuleSet,
    pub suite_backend: Option<BackendKind>,
    #[serde(deserialize_with = "duration")]
    pub suite_timeout: Duration,
    pub after_run: bool,
}

/// `[prices]`: the user's prices of models, which go before those that ship.
#[derive(Clone, Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "default-config.toml is the reference")]
pub struct PricesConfig {
    pub price_file: Option<PathBuf>,
    #[serde(default)]
    pub models: BTreeMap<String, Price>,
}

/// `[triage]`: rules of the user's, beside those that ship or in their place.
#[derive(Clone, Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "default-config.toml is the reference")]
pub struct TriageConfig {
    pub rules_file: Option<PathBuf>,
}

/// Each run is a directory, a lock and a column of the matrix; no study has so many.
const MAX_REPEATS: u32 = 1000;

/// A key, and what is wrong with its value.
pub(super) type Mistake = (&'static str, String);

impl Config {
    /// All that the types cannot say is wrong.
    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        for (key, value) in [
            ("experiment.concurrency", self.experiment.concurrency),
            ("experiment.repeats", self.experiment.repeats as usize),
            ("attempts.max_attempts", self.attempts.max_attempts as usize),
            ("breaker.breaker_trials", self.breaker.breaker_trials),
            ("native.pids", self.native.pids as usize),
            ("native.call_tries", self.native.call_tries as usize),
        ] {
            if value == 0 {
                mistakes.push((key, "must be at least 1".to_owned()));
            }
        }
        if self.experiment.repeats > MAX_REPEATS {
            let why = format!("is more than {MAX_REPEATS}");
            mistakes.push(("experiment.repeats", why));
        }
        if self.experiment.settings.is_empty() {
            mistakes.push(("experiment.settings", "names no setting".to_owned()));
        }
        if self.experiment.model.trim().is_empty() {
            mistakes.push(("experiment.model", "is empty".to_owned()));
        }
        for (key, value) in [
            ("native.memory_gb", self.native.memory_gb),
            ("native.cpus", self.native.cpus),
            ("native.cost_limit", self.native.cost_limit),
        ] {
            if value.is_some_and(|value| !value.is_finite() || value <= 0.0) {
                mistakes.push((key, "must be more than 0".to_owned()));
            }
        }
        mistakes.extend(self.wrong_addresses());
        mistakes.extend(self.wrong_builtins());
        mistakes.extend(self.images.mistakes());
        let (engine, backend) = (self.experiment.engine, self.experiment.backend);
        mistakes.extend(self.executor.mistakes(engine, backend));
        let of_home = [
            ("images.store", &self.images.store),
            ("native.scratch", &self.native.scratch),
            ("upstream.api_key_file", &self.upstream.api_key_file),
        ];
        mistakes.extend(of_home.into_iter().filter_map(|(key, path)| {
            let path = path.as_ref()?.to_string_lossy();
            let why = format!(
                "`{}` begins with `~`, and only ~/ with HOME set is the user's directory: write the whole path",
                path.escape_debug()
            );
            path.starts_with('~').then_some((key, why))
        }));
        let args = super::args::mistakes(&self.upstream.args).into_iter();
        mistakes.extend(args.map(|why| ("upstream.args", why)));
        if let Some(name) = &self.upstream.api_key_env
            && !is_variable(name)
        {
            // What stands there may be the key.
            let why = "names no environment variable (a name such as OTHER_API_KEY): the key itself never stands in a file";
            mistakes.push(("upstream.api_key_env", why.to_owned()));
        }
        let free = self.limits.min_free_disk_gb;
        if !free.is_finite() || free < 0.0 {
            mistakes.push(("limits.min_free_disk_gb", "must be 0 or more".to_owned()));
        }
        if let Some(budget) = self.limits.budget
            && (!budget.is_finite() || budget <= 0.0)
        {
            let why = "must be an amount of more than 0".to_owned();
            mistakes.push(("limits.budget", why));
        }
        mistakes
    }

    /// Words such as `builtin:demo` where they stand for nothing: they would be taken for a path.
    fn wrong_builtins(&self) -> Vec<Mistake> {
        let upstream = &self.upstream;
        let native = &self.native;
        let some = |path: &Option<PathBuf>| path.clone();
        let paths = [
            ("upstream.dataset_dir", some(&upstream.dataset_dir)),
            (
                "upstream.cooperbench_dir",
                Some(upstream.cooperbench_dir.clone()),
            ),
            ("upstream.cooperbench_bin", some(&upstream.cooperbench_bin)),
            ("upstream.logs_dir", some(&upstream.logs_dir)),
            ("upstream.agent_config", some(&upstream.agent_config)),
            ("upstream.api_key_file", some(&upstream.api_key_file)),
            ("native.workspaces", some(&native.workspaces)),
            ("native.rootfs", Some(native.rootfs.clone())),
            ("native.scratch", some(&native.scratch)),
            ("images.store", some(&self.images.store)),
            ("native.record", some(&native.record)),
            ("native.replay", some(&native.replay)),
            ("prices.price_file", some(&self.prices.price_file)),
            ("triage.rules_file", some(&self.triage.rules_file)),
        ];
        let is_wrong = |key: &str, path: &PathBuf| {
            let is_demos = key == "upstream.dataset_dir" && path.as_os_str() == BUILTIN;
            path.to_string_lossy().starts_with("builtin:") && !is_demos
        };
        let wrong = paths
            .into_iter()
            .filter(|(key, path)| path.as_ref().is_some_and(|path| is_wrong(key, path)));
        let why = format!(
            "begins with `builtin:`, and only a dataset and a model are built in: dataset_dir = \"{BUILTIN}\", api_base = \"{BUILTIN}\"; a path that begins so is written with ./ before it"
        );
        wrong.map(|(key, _)| (key, why.clone())).collect()
    }

    fn wrong_addresses(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let has_scheme =
            |url: &str, schemes: &[&str]| schemes.iter().any(|scheme| url.starts_with(scheme));
        if let Some(url) = &self.upstream.api_base
            && !has_scheme(url, &["http://", "https://"])
            && url != BUILTIN
        {
            let why = format!(
                "is `{}`, but a URL begins with http:// or https://",
                masked_url(url)
            );
            mistakes.push(("upstream.api_base", why));
        }
        let redis = &self.upstream.redis_url;
        if !has_scheme(redis, &["redis://"]) {
            let why = format!("is `{}`, but must begin with redis://", masked_url(redis));
            mistakes.push(("upstream.redis_url", why));
        }
        mistakes
    }
}

/// Whether a text can be a variable's name as people write them: no key looks like this.
fn is_variable(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_') && name.chars().all(is_word)
}

/// Reads `10m`, `90s` or `1h 30m`, and a bare number as seconds.
pub fn parse_duration(text: &str) -> std::result::Result<Duration, String> {
    let seconds = || Duration::try_from_secs_f64(text.parse().ok()?).ok();
    let duration = text.parse::<jiff::SignedDuration>().ok();
    duration
        .and_then(|duration| duration.try_into().ok())
        .or_else(seconds)
        .ok_or_else(|| format!("`{text}` is no duration: write 90s, 10m, 1h30m, or seconds"))
}

/// A duration as one writes it: `10m`, `1h 30m`.
#[must_use]
pub fn written(duration: Duration) -> String {
    // What `parse_duration` reads from a number of seconds may be longer than jiff counts.
    jiff::SignedDuration::try_from(duration).map_or_else(
        |_| format!("{}s", duration.as_secs()),
        |it| format!("{it:#}"),
    )
}

fn duration<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Duration, D::Error> {
    parse_duration(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}
