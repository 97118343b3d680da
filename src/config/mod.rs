//! The configuration in force: defaults, `regatta.toml`, a profile, the environment, flags.

mod args;
mod arms;
mod keys;
mod known;
mod layers;
mod mistakes;
mod words;

pub use keys::{
    ArmConfig, AttemptsConfig, BreakerConfig, Config, EvaluationConfig, ExperimentConfig,
    LimitsConfig, NativeConfig, Order, PricesConfig, TriageConfig, UpstreamConfig, parse_duration,
};

pub use arms::ARMS;
pub use known::DEFAULT;
pub use layers::{BUILTIN_PROFILES, FILE, Layers};
