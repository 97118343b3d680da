//! What `CooperBench` is, as plain types: pure, no clock, no files.

pub mod backend;
pub mod cost;
pub mod dataset;
pub mod engine;
pub mod image;
pub mod pair;
pub mod pattern;
pub mod pin;
pub mod price;
pub mod rule_id;
pub mod rule_set;
pub mod run_name;
pub mod sample;
pub mod setting;
pub mod subset;
pub mod told;
pub mod usage;
pub mod word;

pub use backend::BackendKind;
pub use cost::{Cost, Spending, Total};
pub use dataset::{Dataset, Task};
pub use engine::EngineKind;
pub use pair::{Pair, TaskKey};
pub use pin::{Pin, World};
pub use price::Price;
pub use rule_id::RuleId;
pub use rule_set::RuleSet;
pub use run_name::RunName;
pub use setting::Setting;
pub use subset::Subset;
pub use usage::{Usage, believable_cost, believable_seconds, tokens, tokens_if_given};
pub use word::Word;
