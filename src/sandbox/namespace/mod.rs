//! Linux namespaces: a sandbox without a daemon and without root.

mod confine;
mod plan;
mod root;
mod start;
mod syscalls;

pub use confine::{ENTER_COMMAND, INIT_COMMAND, be_init, keeps_abstract_sockets};
pub use plan::NamespacePlan;
pub use start::{COMMAND, become_namespace, check, enter, start};
