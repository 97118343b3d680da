//! One look at a pair: result, verdict, and whether it changed since the last look.

use std::collections::HashMap;
use std::time::Duration;
use std::time::SystemTime;

use super::{PairDir, ResultFile, RunDir, result};
use crate::bench::Pair;
use crate::bench::setting::Tree;

/// How often the store is looked at while an engine runs.
pub const POLL: Duration = Duration::from_millis(250);

/// Remembers each result's time and size, so that a look at an unchanged tree costs one `stat`
/// a pair.
#[derive(Debug, Default)]
pub struct Watch {
    seen: HashMap<Pair, (SystemTime, u64)>,
}

impl Watch {
    /// A watch that takes what stands there now for known.
    #[must_use]
    pub fn from_now(run: &RunDir, tree: Tree, pairs: &[Pair]) -> Self {
        let mut watch = Self::default();
        for pair in pairs {
            if let Some(stamp) = stamp(&run.pair(tree, pair)) {
                watch.seen.insert(pair.clone(), stamp);
            }
        }
        watch
    }

    /// The results that are new or changed since the last look.
    ///
    /// Upstream writes in place, so a result that does not parse yet is left for the next look.
    pub fn changed(&mut self, run: &RunDir, tree: Tree, pairs: &[Pair]) -> Vec<Change> {
        let mut changes = Vec::new();
        for pair in pairs {
            let dir = run.pair(tree, pair);
            let Some(stamp) = stamp(&dir) else { continue };
            if self.seen.get(pair) == Some(&stamp) {
                continue;
            }
            if let ResultFile::Read(record) = result::read(&dir.result()) {
                self.seen.insert(pair.clone(), stamp);
                changes.push(Change {
                    pair: pair.clone(),
                    record,
                    written: stamp.0,
                });
            }
        }
        changes
    }
}

/// A result that was written since the last look.
#[derive(Debug)]
pub struct Change {
    /// The pair.
    pub pair: Pair,
    /// Its result.
    pub record: Box<super::TrialRecord>,
    /// When its file was written.
    pub written: SystemTime,
}

fn stamp(dir: &PairDir) -> Option<(SystemTime, u64)> {
    let meta = dir.result().metadata().ok()?;
    Some((meta.modified().ok()?, meta.len()))
}
