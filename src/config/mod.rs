//! The configuration in force: defaults, `regatta.toml`, a profile, the environment, flags.

mod args;
mod keys;
mod known;
mod layers;
mod mistakes;
mod words;

pub use keys::{
    AttemptsConfig, BreakerConfig, Config, EvaluationConfig, ExperimentConfig, LimitsConfig,
    NativeConfig, PricesConfig, TriageConfig, UpstreamConfig, parse_duration,
};

pub use known::DEFAULT;
pub use layers::{BUILTIN_PROFILES, FILE, Layers};
