//! Setting aside: files of a trial that no longer stand are kept, never deleted.

use std::path::Path;

use super::PairDir;
use crate::error::Result;
use crate::files;

/// Keeps a copy of a pair's files before the pair runs again, and takes `eval.json` away.
///
/// Upstream overwrites result, patches and trajectories when it reruns a pair, but it takes an
/// old `eval.json` for the new result's verdict, so that one is moved. `result.json` stays until
/// it is overwritten: a rerun that never happens leaves the old error standing.
pub fn before_rerun(pair: &PairDir, trial: &str) -> Result<()> {
    let dir = dir_for(pair, trial)?;
    for path in files::list(pair.path())? {
        let Some(name) = path.file_name().filter(|_| path.is_file()) else {
            continue;
        };
        if name == "eval.json" {
            files::rename(&path, &dir.join(name))?;
        } else {
            files::copy(&path, &dir.join(name))?;
        }
    }
    Ok(())
}

/// Takes away everything a void trial wrote, so that the pair has no result.
pub fn void(pair: &PairDir, trial: &str) -> Result<()> {
    let dir = dir_for(pair, trial)?;
    // The result goes last: were we killed before, it would still be found and voided.
    let mut paths = files::list(pair.path())?;
    paths.sort_by_key(|path| path.ends_with("result.json"));
    for path in paths {
        if let Some(name) = path.file_name().filter(|_| path.is_file()) {
            files::rename(&path, &dir.join(name))?;
        }
    }
    Ok(())
}

/// Takes away a `result.json` that cannot be read.
pub fn unreadable(pair: &PairDir) -> Result<()> {
    let free = (1..u32::MAX)
        .map(|n| format!("unreadable-{n}"))
        .find(|name| !pair.aside().join(name).exists());
    void(pair, &free.unwrap_or_default())
}

fn dir_for(pair: &PairDir, trial: &str) -> Result<std::path::PathBuf> {
    // A trial's id comes from a file: only characters that cannot leave the directory stay.
    let name: String = trial
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .take(64)
        .collect();
    let dir = pair.aside().join(name);
    files::create_dir(Path::new(&dir))?;
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::setting::Tree;
    use crate::bench::{Pair, TaskKey};
    use crate::store::LogTree;

    fn pair(root: &Path) -> PairDir {
        let run = LogTree::at(root).run(&"r".parse().unwrap());
        let pair = run.pair(Tree::Solo, &Pair::new(TaskKey::new("a_task", 1), 1, 2));
        files::create_dir(pair.path()).unwrap();
        for name in ["result.json", "eval.json", "solo.patch"] {
            files::write_atomic(&pair.path().join(name), name.as_bytes()).unwrap();
        }
        pair
    }

    #[test]
    fn a_rerun_keeps_copies_and_loses_the_stale_verdict() {
        let root = tempfile::tempdir().unwrap();
        let pair = pair(root.path());
        before_rerun(&pair, "1a2b").unwrap();
        assert!(pair.result().exists() && !pair.eval().exists());
        for name in ["result.json", "eval.json", "solo.patch"] {
            assert!(pair.aside().join("1a2b").join(name).exists(), "{name}");
        }
    }

    #[test]
    fn a_void_trial_leaves_no_result_and_an_id_cannot_escape() {
        let root = tempfile::tempdir().unwrap();
        let pair = pair(root.path());
        void(&pair, "../../../evil").unwrap();
        assert!(!pair.result().exists());
        assert!(pair.aside().join("_________evil/result.json").exists());
    }

    #[test]
    fn unreadable_results_are_numbered() {
        let root = tempfile::tempdir().unwrap();
        let pair = pair(root.path());
        unreadable(&pair).unwrap();
        files::write_atomic(&pair.result(), b"{").unwrap();
        unreadable(&pair).unwrap();
        assert!(pair.aside().join("unreadable-2/result.json").exists());
    }
}
