//! From results on disk to numbers, and from numbers to text, JSON, Markdown, `JUnit`
//! and tables.

mod asked;
pub mod beyond;
pub mod compare;
pub mod csv;
pub mod damaged;
pub mod flags;
mod format;
pub mod grounds;
pub mod json;
pub mod jsonl;
pub mod junit;
#[cfg(test)]
mod made;
pub mod markdown;
pub mod mixed;
mod of_run;
pub mod outcome;
pub mod pair_line;
pub mod place;
pub mod place_counts;
pub mod rates;
pub mod row;
pub mod setting;
pub mod summary;
pub mod teams;
pub mod text;
pub mod time_limit;
pub mod totals;
pub mod trials;
mod unread;
mod words;

pub use compare::{Comparison, Contrasted, contrasts};
pub use format::{Document, Format, Table};
pub use outcome::Outcome;
pub use pair_line::PairLine;
pub use place::Place;
pub use place_counts::PlaceCounts;
pub use rates::Rates;
pub use row::{Row, rows};
pub use summary::Summary;
pub use totals::Totals;
