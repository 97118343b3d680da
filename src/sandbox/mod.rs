//! Where agents' commands run.

pub mod docker;
