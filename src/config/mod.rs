//! The configuration in force: defaults, `regatta.toml`, a profile, the environment, flags.

mod args;
mod arms;
mod images;
mod keys;
mod known;
mod layers;
mod mistakes;
mod own_arms;
mod words;

pub use keys::{
    AttemptsConfig, BreakerConfig, Config, EvaluationConfig, ExperimentConfig, LimitsConfig,
    NativeConfig, Order, PricesConfig, TriageConfig, UpstreamConfig, parse_duration, written,
};

pub use arms::ARMS;
pub use images::ImagesConfig;
pub use keys::{ArmConfig, OwnArm};
pub use known::{DEFAULT, key_of};
pub use layers::{BUILTIN_PROFILES, FILE, Layers};
