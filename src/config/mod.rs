//! The configuration in force: defaults, `regatta.toml`, a profile, the environment, flags.

mod args;
mod arms;
mod executor;
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
pub use executor::{ExecutorConfig, ExecutorKind};
pub use images::ImagesConfig;
pub use keys::{ArmConfig, OwnArm};
pub use known::{DEFAULT, key_of};
pub use layers::{BUILTIN_PROFILES, FILE, Layers};

/// A number of GB (10⁹ bytes) as the configuration has it, in bytes; it was checked to be positive.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a fraction of a byte is none, and what is too large is the largest"
)]
pub fn gb_in_bytes(gb: f64) -> u64 {
    (gb * 1e9) as u64
}
