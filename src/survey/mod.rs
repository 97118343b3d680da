//! What stands for each pair of a run, and what triage finds of it.

pub mod beyond;
mod billed;
mod books;
pub mod damage;
mod harms;
#[cfg(test)]
pub(crate) mod made;
mod of_run;
pub mod spent;
pub mod stand;
mod surveyed;

pub use books::Books;
pub use damage::{Damage, Harm};
pub use of_run::Survey;
pub use stand::Stand;
#[cfg(test)]
pub use surveyed::at;
pub use surveyed::{Judged, Standing, Surveyed};
