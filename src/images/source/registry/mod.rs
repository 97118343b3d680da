//! Registries (OCI distribution specification 1.1, and Docker Hub).
//!
//! A client of our own over the HTTP client that is here already: `oci-client` 0.18 hides headers
//! (`Retry-After`), sends passwords to any server of tokens, reads documents of any size, and takes 27
//! CPU-seconds to build with 25 further crates.

mod access;
mod address;
mod blob;
#[cfg(test)]
mod carried;
mod http;
mod logins;
mod pass;
mod repository;
#[cfg(test)]
mod tests;
mod tries;
mod trust;

pub use logins::Logins;
pub use repository::{ImageRepository, RegistryOptions};
pub use tries::Patience;
