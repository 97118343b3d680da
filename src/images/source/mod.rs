//! Where images come from: registries, directories and archives.

mod archive;
mod contents;
mod documents;
mod error;
mod layout;
mod local;
#[cfg(test)]
pub mod made;
mod news;
mod partial;
mod registry;
mod resolved;
mod saved;
#[cfg(test)]
pub mod scripted;

pub use archive::{Archive, Spool};
pub use contents::{Dir, ImageFiles};
pub use documents::architecture;
pub use error::SourceError;
pub use local::{names, resolve};
pub use news::PullNews;
pub use partial::Partial;
pub use registry::{ImageRepository, Logins, Patience, RegistryOptions};
pub use resolved::{LayerPlace, Resolved, SourceLayer};
