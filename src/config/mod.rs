//! The configuration in force: defaults, `regatta.toml`, a profile, the environment, flags.

mod keys;
mod layers;
mod words;

pub use keys::{
    Attempts, Breaker, Config, Evaluation, Experiment, Limits, Native, Prices, Triage, Upstream,
    parse_duration,
};

pub use layers::{DEFAULT, FILE, Layers};
