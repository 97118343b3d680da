//! The configuration in force: defaults, `regatta.toml`, a profile, the environment, flags.

mod keys;
mod layers;
mod words;

pub use keys::{
    AttemptsConfig, BreakerConfig, Config, EvaluationConfig, ExperimentConfig, LimitsConfig,
    NativeConfig, PricesConfig, TriageConfig, UpstreamConfig, parse_duration,
};

pub use layers::{DEFAULT, FILE, Layers};
