//! `regatta images`.

mod bars;
mod kept;
mod outcome;
mod pull;
mod sources;

use std::collections::BTreeSet;

use clap::{Args, Subcommand};

use super::options::ConfigSource;
use super::ui::Ui;
use crate::config::Config;
use crate::error::Result;
use crate::images::Store;

pub use bars::Bars;

const EXAMPLES: &str = "\
Examples:
  regatta images pull                         # what the subset's tasks need, from their registry
  regatta images pull --from images.tar       # what `docker save` wrote on another machine
  regatta images list
  regatta images prune --dry-run              # what no image names any more";

/// Pull and keep images without a Docker daemon
///
/// Images are kept unpacked in a store (`[images] store` in regatta.toml). Layers that several images
/// share are there once.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ImagesArgs {
    #[command(subcommand)]
    command: ImagesCommand,
}

#[derive(Debug, Subcommand)]
enum ImagesCommand {
    Pull(Box<pull::PullArgs>),
    List(kept::ListArgs),
    Verify(kept::VerifyArgs),
    Remove(kept::RemoveArgs),
    Prune(kept::PruneArgs),
}

pub async fn run(args: &ImagesArgs, ui: &Ui) -> Result<u8> {
    match &args.command {
        ImagesCommand::Pull(args) => pull::run(args, ui).await,
        ImagesCommand::List(args) => kept::list(args, ui),
        ImagesCommand::Verify(args) => kept::verify(args, ui),
        ImagesCommand::Remove(args) => kept::remove(args, ui),
        ImagesCommand::Prune(args) => kept::prune(args, ui),
    }
}

/// The store of a configuration.
fn store_of(config: &Config) -> Result<Store> {
    Ok(Store::open(&config.images.store_dir()?)?)
}

/// The store that a command is about.
fn store(source: &ConfigSource) -> Result<Store> {
    store_of(&source.layers()?.config()?)
}

/// How many bytes the layers of all images have, each counted once.
fn on_disk(store: &Store) -> Result<u64> {
    let images = store.images()?;
    let layers: BTreeSet<_> = images.iter().flat_map(|it| &it.image.layers).collect();
    let bytes = layers.into_iter().filter_map(|layer| store.known(layer));
    Ok(bytes.map(|layer| layer.bytes).sum())
}

/// An image's name as people write it: without what Docker leaves out too.
fn short(name: &str) -> &str {
    let rest = name.strip_prefix("docker.io/").unwrap_or(name);
    rest.strip_prefix("library/").unwrap_or(rest)
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    if bytes >= 1_000_000_000 {
        format!("{:.1} GB", bytes as f64 / 1e9)
    } else {
        format!("{} MB", bytes.div_ceil(1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sizes_are_short() {
        assert_eq!(short("docker.io/library/alpine:3"), "alpine:3");
        assert_eq!(short("docker.io/a/b:1"), "a/b:1");
        assert_eq!(short("ghcr.io/a/b:1"), "ghcr.io/a/b:1");
        assert_eq!(
            [size(1), size(999_000_001), size(14_230_000_000)],
            ["1 MB", "1000 MB", "14.2 GB"]
        );
    }
}
