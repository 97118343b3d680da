//! What dead runs of ours left behind, where an experiment writes.

use std::path::PathBuf;

use super::judge::{KEPT, kept};
use super::news::{News, NewsSender};
use super::setup::log_tree;
use crate::config::Config;
use crate::demo;
use crate::error::Result;
use crate::files;
use crate::host;
use crate::host::reaper::Leftovers;
use crate::images::Store;
use crate::sandbox::docker::{Docker, DockerEndpoint};
use crate::store::RunDir;

/// The daemon, if one answers.
pub async fn reach() -> Result<Docker> {
    let docker = Docker::at(DockerEndpoint::from_environment()?)?;
    docker.version().await?;
    Ok(docker)
}

/// Where we write beside the runs, and how far below: recordings, what is kept, images, and what
/// sandboxes write. What is kept are clones too, whose own files are none of these; nor are those of
/// layers.
#[must_use]
pub fn places(config: &Config) -> Vec<(PathBuf, usize)> {
    let cache = demo::cache_dir().map(|dir| (dir.join("regatta"), 0));
    let kept = KEPT.into_iter().filter_map(kept).map(|dir| (dir, 1));
    let record = config.native.record.iter();
    let record = record.map(|dir| (dir.clone(), files::OF_A_TREE));
    let scratch = config.native.scratch.iter().map(|dir| (dir.clone(), 0));
    let store = config.images.store_dir().ok().map(|dir| (dir, 1));
    let all = cache.into_iter().chain(kept).chain(record);
    all.chain(scratch).chain(store).collect()
}

/// Our own store of images, if there is one that can be used: who needs it says why not.
#[must_use]
pub fn store(config: &Config) -> Option<Store> {
    host::existing_store(config).ok().flatten()
}

/// Removes what dead runs of ours left behind; each start does. Of the log tree only these runs are
/// looked through: it may be a study's, with a hundred thousand files.
pub async fn reap(
    config: &Config,
    runs: impl Iterator<Item = &RunDir>,
    news: &NewsSender,
) -> Result<()> {
    let mut places = places(config);
    places.push((log_tree(config).path().to_owned(), 0));
    places.extend(runs.map(|run| (run.path().to_owned(), files::OF_A_TREE)));
    // Without a daemon there is no container to look for.
    let docker = reach().await.ok();
    let store = store(config);
    let found = Leftovers::find(docker.as_ref(), store.as_ref(), &places).await?;
    found.remove(docker.as_ref(), store.as_ref()).await?;
    for line in found.describe() {
        news.tell(News::Removed(line));
    }
    Ok(())
}
