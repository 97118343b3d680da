//! What people look at: one model of a trial, whatever program wrote its files.

pub mod hidden_tests;
pub mod live;
pub mod page;
pub mod show;
pub mod trial;

pub use crate::secret::PageMask;
