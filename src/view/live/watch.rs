//! Whether anything of a run has changed, told without reading it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use crate::files;
use crate::store::RunDir;

/// Directories below a run's: its tree, repository, task and pair.
const DEPTH: usize = 4;

/// A number that is another one when a file of the run has come, gone or grown: of its directories
/// the times, and of what grows in place, its events and books, the sizes too.
#[must_use]
pub fn state(run: &RunDir) -> u64 {
    let mut hasher = DefaultHasher::new();
    // What workers do is told by the events; their heartbeats are no news.
    below(run.path(), DEPTH, &run.cluster(), &mut hasher);
    for path in [run.events(), run.ledger(), run.summary_json()] {
        stamp(&path, &mut hasher);
    }
    hasher.finish()
}

fn below(dir: &Path, depth: usize, but: &Path, hasher: &mut DefaultHasher) {
    stamp(dir, hasher);
    if depth == 0 {
        return;
    }
    // What cannot be listed is told of where it is read.
    for path in files::list(dir).unwrap_or_default() {
        if path != but && path.is_dir() {
            below(&path, depth - 1, but, hasher);
        }
    }
}

fn stamp(path: &Path, hasher: &mut DefaultHasher) {
    let meta = path.metadata().ok();
    meta.as_ref()
        .and_then(|meta| meta.modified().ok())
        .hash(hasher);
    meta.map(|meta| meta.len()).hash(hasher);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::LogTree;

    #[test]
    fn what_comes_goes_or_grows_changes_the_state() {
        let dir = tempfile::tempdir().unwrap();
        let run = LogTree::at(dir.path()).run(&"a-solo".parse().unwrap());
        let mut seen = vec![state(&run)];
        let mut changed = |what: &str| {
            let now = state(&run);
            assert!(!seen.contains(&now), "{what}");
            assert_eq!(now, state(&run), "{what}");
            seen.push(now);
        };
        let pair = run.path().join("solo/a_task/1/f1_f2");
        files::create_dir(&pair).unwrap();
        changed("a directory");
        files::write_atomic(&pair.join("result.json"), b"{}").unwrap();
        changed("a result");
        files::create_dir(run.events().parent().unwrap()).unwrap();
        files::write_atomic(&run.events(), b"{}\n").unwrap();
        changed("events");
        files::write_atomic(&run.events(), b"{}\n{}\n").unwrap();
        changed("more events");
        let beats = run.beats();
        files::create_dir(&beats).unwrap();
        changed("a cluster");
        files::write_atomic(&beats.join("7"), b"1").unwrap();
        assert_eq!(Some(&state(&run)), seen.last(), "a heartbeat");
    }
}
