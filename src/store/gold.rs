//! `ungradeable.json`, at the top of a log tree: features that no patch can be judged by, as
//! `regatta eval --gold` found them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bench::{Pair, TaskKey};
use crate::error::{Error, Result};
use crate::files;
use crate::hint;
use crate::json;

/// A dataset has hundreds of features; this is far above that.
const MAX_BYTES: u64 = 64_000_000;

/// What was found when the dataset itself was judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gold {
    /// When the look ended.
    pub at: Timestamp,
    /// The subset whose features were asked.
    pub subset: String,
    /// How many features were asked.
    pub features: usize,
    /// Those that cannot be graded.
    pub ungradeable: Vec<Ungradeable>,
    /// Those that can, by task, of this look and of earlier ones; empty in files from before this was
    /// kept.
    #[serde(default)]
    pub gradeable: BTreeMap<String, BTreeSet<u64>>,
}

/// A feature whose tests pass on the untouched base, or fail with the dataset's own patch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ungradeable {
    /// The task that the feature is of.
    #[serde(flatten)]
    pub task: TaskKey,
    /// The feature's number.
    pub feature: u64,
    /// Why it cannot be graded, in one sentence for people.
    pub why: String,
}

impl Gold {
    /// Where it stands in the log tree at `logs`.
    #[must_use]
    pub fn path(logs: &Path) -> PathBuf {
        logs.join("ungradeable.json")
    }

    /// What stands in a log tree; `None` when the dataset was not judged there.
    pub fn read(logs: &Path) -> Result<Option<Self>> {
        let path = Self::path(logs);
        // A log tree that cannot be is somebody else's to refuse.
        if !logs.is_dir() {
            return Ok(None);
        }
        let Some(bytes) = files::read_up_to(&path, MAX_BYTES)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Error::usage(format!("{} cannot be read: {error}", path.display()))
                .hint(format!("`{}` writes it anew", hint::command("eval --gold")))
        })
    }

    /// Writes it into the log tree at `logs`, in the place of an older one.
    pub fn write(&self, logs: &Path) -> Result<()> {
        files::create_dir(logs)?;
        let mut text = json::pretty(self);
        text.push('\n');
        files::write_atomic(&Self::path(logs), text.as_bytes())
    }

    /// Whether both features of a pair were looked at and can be graded.
    #[must_use]
    pub fn can_grade(&self, pair: &Pair) -> bool {
        let of_task = self.gradeable.get(&pair.task.to_string());
        let can = |feature: &u64| of_task.is_some_and(|of_task| of_task.contains(feature));
        pair.features.iter().all(can)
    }

    /// Whether a pair has a feature that cannot be graded.
    #[must_use]
    pub fn spoils(&self, pair: &Pair) -> bool {
        self.ungradeable
            .iter()
            .any(|it| it.task == pair.task && pair.features.contains(&it.feature))
    }
}
