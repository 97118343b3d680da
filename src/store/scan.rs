//! One look at a pair: result, verdict, and whether it changed since the last look.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;
use std::time::SystemTime;

use super::{PairDir, ResultFile, RunDir, result};
use crate::bench::Pair;
use crate::bench::setting::Tree;

/// How often the store is looked at while an engine runs.
pub const POLL: Duration = Duration::from_millis(250);

/// Remembers what `stat` says of each result, so that a look at an unchanged tree costs one call
/// a pair.
#[derive(Debug, Default)]
pub struct ResultsWatch {
    seen: HashMap<Pair, Stamp>,
}

impl ResultsWatch {
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
                    written: stamp.written,
                });
            }
        }
        changes
    }
}

/// A result that was written since the last look.
#[derive(Debug)]
pub struct Change {
    /// The pair whose directory it stands in.
    pub pair: Pair,
    /// What its `result.json` says now.
    pub record: Box<super::TrialRecord>,
    /// When its file was written.
    pub written: SystemTime,
}

/// What tells a file from the one that was there before. Its time alone may be the old one's: they
/// are as coarse as the file system makes them, and anybody can set them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    written: SystemTime,
    len: u64,
    inode: u64,
    changed: (i64, i64),
}

fn stamp(dir: &PairDir) -> Option<Stamp> {
    let meta = dir.result().metadata().ok()?;
    Some(Stamp {
        written: meta.modified().ok()?,
        len: meta.len(),
        inode: meta.ino(),
        changed: (meta.ctime(), meta.ctime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{FileTimes, OpenOptions};

    use super::*;
    use crate::bench::TaskKey;
    use crate::files;
    use crate::store::LogTree;

    #[test]
    fn a_result_with_the_time_and_size_of_the_old_one_is_seen() {
        let root = tempfile::tempdir().unwrap();
        let run = LogTree::at(root.path()).run(&"r".parse().unwrap());
        let pair = Pair::new(TaskKey::new("a_task", 1), 1, 2);
        let path = run.pair(Tree::Solo, &pair).result();
        let write = |trial: &str| {
            let result = format!(r#"{{"run_id": "{trial}", "agent": {{"status": "Error"}}}}"#);
            files::create_dir(path.parent().unwrap()).unwrap();
            files::write_atomic(&path, result.as_bytes()).unwrap();
            let mut options = OpenOptions::new();
            let file = files::open_to_write(&path, options.write(true)).unwrap();
            let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
            file.set_times(times).unwrap();
        };
        write("ebb1");
        let pairs = [pair];
        let mut watch = ResultsWatch::from_now(&run, Tree::Solo, &pairs);
        assert!(watch.changed(&run, Tree::Solo, &pairs).is_empty());
        write("ebb2");
        let changes = watch.changed(&run, Tree::Solo, &pairs);
        assert_eq!(changes[0].record.trial, "ebb2");
        assert!(watch.changed(&run, Tree::Solo, &pairs).is_empty());
    }
}
