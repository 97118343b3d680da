//! The keys of the configuration with their types, and what these cannot say.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

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
    /// By which rules, where and how long suites run.
    pub evaluation: EvaluationConfig,
    /// Prices of models that upstream has none for.
    #[serde(default)]
    pub prices: PricesConfig,
    /// Triage rules of the user's, beside those that ship.
    #[serde(default)]
    pub triage: TriageConfig,
}

/// `[experiment]`: what is run, by whom, and how much at a time.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "default-config.toml is the reference")]
pub struct ExperimentConfig {
    pub agent: String,
    pub model: String,
    pub subset: String,
    pub settings: Vec<Setting>,
    pub name: Option<String>,
    pub concurrency: usize,
    pub backend: BackendKind,
    pub engine: EngineKind,
    pub git: bool,
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
    pub agent_config: Option<PathBuf>,
    pub redis_url: String,
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

/// A key, and what is wrong with its value.
pub(super) type Mistake = (&'static str, String);

/// What a check says; the error is the key and what is wrong with it.
type Checked = std::result::Result<(), Mistake>;

impl Config {
    /// Checks what the types cannot say.
    pub(super) fn check(&self) -> Checked {
        let at_least_one = |key, value: usize| {
            if value == 0 {
                Err((key, "must be at least 1".to_owned()))
            } else {
                Ok(())
            }
        };
        at_least_one("experiment.concurrency", self.experiment.concurrency)?;
        at_least_one("attempts.max_attempts", self.attempts.max_attempts as usize)?;
        at_least_one("breaker.breaker_trials", self.breaker.breaker_trials)?;
        if self.experiment.settings.is_empty() {
            return Err(("experiment.settings", "names no setting".to_owned()));
        }
        if self.experiment.model.trim().is_empty() {
            return Err(("experiment.model", "is empty".to_owned()));
        }
        at_least_one("native.pids", self.native.pids as usize)?;
        at_least_one("native.call_tries", self.native.call_tries as usize)?;
        for (key, value) in [
            ("native.memory_gb", self.native.memory_gb),
            ("native.cpus", self.native.cpus),
            ("native.cost_limit", self.native.cost_limit),
        ] {
            if value.is_some_and(|value| !value.is_finite() || value <= 0.0) {
                return Err((key, "must be more than 0".to_owned()));
            }
        }
        self.check_addresses()?;
        self.check_limits()
    }

    fn check_addresses(&self) -> Checked {
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
            return Err(("upstream.api_base", why));
        }
        if !has_scheme(&self.upstream.redis_url, &["redis://"]) {
            let why = format!(
                "is `{}`, but must begin with redis://",
                masked_url(&self.upstream.redis_url)
            );
            return Err(("upstream.redis_url", why));
        }
        Ok(())
    }

    fn check_limits(&self) -> Checked {
        if !self.limits.min_free_disk_gb.is_finite() || self.limits.min_free_disk_gb < 0.0 {
            return Err(("limits.min_free_disk_gb", "must be 0 or more".to_owned()));
        }
        match self.limits.budget {
            Some(budget) if !budget.is_finite() || budget <= 0.0 => Err((
                "limits.budget",
                "must be an amount of more than 0".to_owned(),
            )),
            _ => Ok(()),
        }
    }
}

/// Reads `10m`, `90s` or `1h 30m`.
pub fn parse_duration(text: &str) -> std::result::Result<Duration, String> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|duration| duration.try_into().ok())
        .ok_or_else(|| format!("`{text}` is no duration: write 90s, 10m or 1h30m"))
}

fn duration<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Duration, D::Error> {
    parse_duration(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}
