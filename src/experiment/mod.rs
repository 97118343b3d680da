//! The runs asked for together: planned, opened, run, judged. Nothing here prints: what happens is
//! told as [`News`].

pub mod alone;
mod alone_plan;
mod arms;
pub mod choice;
mod execution;
mod expected;
mod filter;
pub mod gold;
pub mod graded;
pub mod judge;
mod judging;
pub mod leftovers;
pub mod news;
mod outlook;
mod pair_list;
mod passes;
mod pins;
mod planned;
mod present;
mod pulling;
mod refusal;
mod running;
mod served;
pub mod setup;
mod smoke;
mod verdicts;
pub mod worker;

pub use arms::{OtherRun, PlannedArm, PlannedRun};
pub use execution::{Executed, ExecutionOptions};
pub use filter::{Among, PairFilter};
pub use judging::JudgingEnd;
pub use news::{News, NewsSender};
pub use outlook::{Means, Outlook, RunOutlook};
pub use planned::{Experiment, OpenRun, Scope};
pub use present::Present;
pub use running::{AsConfigured, Executors};
pub use smoke::SmokeCheck;
pub use verdicts::{ToJudge, Verdicts};
