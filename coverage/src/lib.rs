//! Regatta's room `statistics`, compiled alone.

#[path = "../../src/statistics/mod.rs"]
pub mod statistics;
