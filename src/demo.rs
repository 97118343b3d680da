//! The demo's dataset, embedded, and what goes wrong in the demo.

use std::path::{Path, PathBuf};

use include_dir::{Dir, DirEntry, include_dir};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::bench::{Pair, Setting};
use crate::error::{Error, Result};
use crate::files;
use crate::text::hex;

/// The name that stands for the demo's dataset and its model, instead of a path or a URL.
pub const BUILTIN: &str = "builtin:demo";

/// The configuration of `--profile demo`.
pub const PROFILE: &str = include_str!("demo.toml");

static DATASET: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/demo/dataset");

/// What goes wrong in the demo, on purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct DemoFaults {
    /// The pair whose first call to the model is answered "too many requests", once.
    pub rate_limited: Option<FaultPlace>,
    /// The pair whose first agent goes on polishing until its steps are used up.
    pub restless: Option<FaultPlace>,
    /// The pair whose sandbox dies in the first attempt.
    pub sandbox_dies: Option<FaultPlace>,
}

/// The pair and the setting in which something goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FaultPlace {
    /// The task as `<repo>/<id>`, e.g. `ferry_task/1`.
    pub task: String,
    /// The features of the pair.
    pub features: Vec<u64>,
    /// The one setting in which it goes wrong; the pair's others are spared.
    pub setting: Setting,
}

impl FaultPlace {
    /// The task's directory below the dataset.
    #[must_use]
    pub fn task_dir(&self) -> String {
        self.task.replacen('/', "/task", 1)
    }

    /// Whether this directory holds the feature of its first agent.
    #[must_use]
    pub fn begins_with(&self, dir: &Path) -> bool {
        let first = self.features.first();
        first.is_some_and(|first| dir.ends_with(format!("{}/feature{first}", self.task_dir())))
    }

    /// Whether it is this pair.
    #[must_use]
    pub fn is_pair(&self, pair: &Pair) -> bool {
        self.task == pair.task.to_string() && self.features == pair.features
    }
}

/// What goes wrong in a dataset's scripted run: its `script.toml`; nothing where there is none.
pub fn faults(dataset: &Path) -> Result<DemoFaults> {
    let path = dataset.join("script.toml");
    if !path.exists() {
        return Ok(DemoFaults::default());
    }
    let text = files::read_text(&path)?;
    toml::from_str(&text)
        .map_err(|error| Error::usage(format!("{} is no script: {error}", path.display())))
}

/// Unpacks the dataset where it stays from one run to the next: the user's cache, or the
/// temporary directory where there is none.
pub fn unpack() -> Result<PathBuf> {
    let mut digest = Sha256::new();
    digest_of(&DATASET, &mut digest);
    let short = hex(&digest.finalize()[..6]);
    let mut failure = None;
    for parent in [cache_dir(), Some(std::env::temp_dir())]
        .into_iter()
        .flatten()
    {
        let target = parent.join(format!("regatta-demo-{short}"));
        if target.join("subsets").is_dir() {
            return Ok(target);
        }
        match files::create_tree(&target, |fresh| write_dir(&DATASET, fresh)) {
            Ok(()) if target.join("subsets").is_dir() => return Ok(target),
            Ok(()) => {
                let why = format!("{} is there, and is not the demo", target.display());
                failure = Some(Error::world(why));
            }
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| Error::world("there is nowhere to unpack the demo to")))
}

/// The user's cache, when there is one: `XDG_CACHE_HOME`, or `~/.cache`.
#[must_use]
pub fn cache_dir() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let dir = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    dir.or_else(home).filter(|dir| dir.is_absolute())
}

fn write_dir(dir: &Dir<'_>, to: &Path) -> Result<()> {
    for entry in dir.entries() {
        let target = to.join(entry.path().file_name().unwrap_or_default());
        match entry {
            DirEntry::Dir(inner) => {
                files::create_open_dir(&target)?;
                write_dir(inner, &target)?;
            }
            DirEntry::File(file) => files::write_atomic(&target, file.contents())?,
        }
    }
    Ok(())
}

fn digest_of(dir: &Dir<'_>, digest: &mut Sha256) {
    for entry in dir.entries() {
        digest.update(entry.path().as_os_str().as_encoded_bytes());
        match entry {
            DirEntry::Dir(inner) => digest_of(inner, digest),
            DirEntry::File(file) => digest.update(file.contents()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dataset_and_its_script_are_embedded() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("demo");
        files::create_tree(&target, |fresh| write_dir(&DATASET, fresh)).unwrap();
        let faults = faults(&target).unwrap();
        assert!(faults.rate_limited.is_some() && faults.restless.is_some());
        let dies = faults.sandbox_dies.unwrap();
        assert!(target.join(dies.task_dir()).is_dir());
    }
}
