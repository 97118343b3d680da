//! What dead runs of ours left behind, and removing it. Only what carries our mark is touched.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::files;
use crate::images::Store;
use crate::process::{self, Orphan, Owner};
use crate::sandbox::docker::client::OurContainer;
use crate::sandbox::docker::{Docker, OurVolume};

/// Leftovers whose owner is dead.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// Containers with our label, running or not.
    pub containers: Vec<OurContainer>,
    /// Volumes with our label.
    pub volumes: Vec<OurVolume>,
    /// Processes that carry our mark in their environment.
    pub processes: Vec<Orphan>,
    /// Private directories of runs, named by their owner.
    pub dirs: Vec<PathBuf>,
    /// Files that were being written, and directories that were being made or removed.
    pub temporary: Vec<PathBuf>,
    /// Layers of images that were being unpacked or removed.
    pub layers: Vec<PathBuf>,
}

impl Leftovers {
    /// Looks for leftovers, also in these places and so many levels below each; without a daemon
    /// there are no containers to be found, and without a store no layers.
    pub async fn find(
        docker: Option<&Docker>,
        store: Option<&Store>,
        places: &[(PathBuf, usize)],
    ) -> Result<Self> {
        let mut temporary = files::left_behind(&std::env::temp_dir(), 0);
        let below = places
            .iter()
            .flat_map(|(dir, deeper)| files::left_behind(dir, *deeper));
        temporary.extend(below);
        temporary.sort();
        temporary.dedup();
        let (mut containers, mut volumes) = (Vec::new(), Vec::new());
        if let Some(docker) = docker {
            let is_alive = |owner: &Option<Owner>| owner.as_ref().is_some_and(Owner::is_alive);
            containers = docker.our_containers(None).await?;
            containers.retain(|container| !is_alive(&container.owner));
            volumes = docker.our_volumes(None).await?;
            volumes.retain(|volume| !is_alive(&volume.owner));
        }
        Ok(Self {
            containers,
            volumes,
            processes: process::orphans(),
            dirs: temp_dirs().iter().flat_map(|dir| dead_dirs(dir)).collect(),
            temporary,
            layers: match store {
                Some(store) => store.clear_leftovers(true)?,
                None => Vec::new(),
            },
        })
    }

    /// Whether nothing was left behind.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.containers.is_empty()
            && self.volumes.is_empty()
            && self.processes.is_empty()
            && self.dirs.is_empty()
            && self.temporary.is_empty()
            && self.layers.is_empty()
    }

    /// What is left, for people: one line for each, without a line end.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let containers = self.containers.iter().map(|container| {
            format!(
                "container {} ({}, of run {})",
                container.name, container.image, container.run
            )
        });
        let volumes = self.volumes.iter();
        let volumes =
            volumes.map(|volume| format!("volume {} (of run {})", volume.name, volume.run));
        let processes = self.processes.iter().map(|orphan| {
            format!(
                "process {}: {}",
                orphan.pid,
                crate::text::one_line(&orphan.command, 100)
            )
        });
        let dirs = self
            .dirs
            .iter()
            .map(|dir| format!("directory {}", dir.display()));
        let temporary = self
            .temporary
            .iter()
            .map(|path| format!("half-written {}", path.display()));
        let layers = self
            .layers
            .iter()
            .map(|path| format!("half-unpacked layer {}", path.display()));
        let all = processes.chain(containers).chain(volumes);
        let all = all.chain(dirs).chain(temporary).chain(layers);
        all.collect()
    }

    /// Removes them: processes first, as they could make more.
    pub async fn remove(&self, docker: Option<&Docker>, store: Option<&Store>) -> Result<()> {
        for orphan in &self.processes {
            process::kill(orphan)?;
        }
        if let Some(docker) = docker {
            for container in &self.containers {
                docker.remove(&container.id).await?;
            }
            // What uses them is gone.
            for volume in &self.volumes {
                docker.remove_volume(&volume.name).await?;
            }
        }
        for path in self.dirs.iter().chain(&self.temporary) {
            files::remove_all(path);
            if path.exists() {
                crate::sandbox::namespace::remove(path);
            }
        }
        if let Some(store) = store.filter(|_| !self.layers.is_empty()) {
            store.clear_leftovers(false)?;
        }
        Ok(())
    }
}

/// The prefix for a private directory of this process.
#[must_use]
pub fn dir_prefix() -> String {
    Owner::this().dir_prefix()
}

/// Where private directories are made: the first that leaves room for a socket's path, which is
/// limited to 107 bytes.
#[must_use]
pub fn runtime_dirs() -> Vec<PathBuf> {
    let mut dirs = temp_dirs();
    dirs.retain(|dir| dir.as_os_str().len() < 24 && dir.is_dir());
    dirs
}

/// The first of [`runtime_dirs`], where what is private to this process is made.
#[must_use]
pub fn runtime_dir() -> PathBuf {
    runtime_dirs()
        .into_iter()
        .next()
        .unwrap_or_else(std::env::temp_dir)
}

fn temp_dirs() -> Vec<PathBuf> {
    let mut dirs = vec![std::env::temp_dir(), PathBuf::from("/tmp")];
    dirs.dedup();
    dirs
}

fn dead_dirs(temp: &Path) -> Vec<PathBuf> {
    let dirs = files::list(temp).unwrap_or_default();
    dirs.into_iter()
        .filter(|dir| dir.is_dir())
        .filter(|dir| Owner::of_dir(dir).is_some_and(|owner| !owner.is_alive()))
        .collect()
}
