//! Setting aside: files of a trial that no longer stand are kept, never deleted; and brought back.
//!
//! A trial's files move as one: they get a second name in the new place, `result.json` last, and
//! only then lose the old one, `result.json` first. Killed at any moment, one of the two places has
//! all of them, and none a result without its patches.

use std::path::{Path, PathBuf};

use super::{PairDir, ResultFile, TrialRecord, eval, result};
use crate::error::Result;
use crate::files;

/// Keeps a copy of a pair's files before the pair runs again, and takes `eval.json` away.
///
/// Upstream overwrites result, patches and trajectories when it reruns a pair, but it takes an
/// old `eval.json` for the new result's verdict, so that one is moved. `result.json` stays until
/// it is overwritten: a rerun that never happens leaves the old error standing.
pub fn before_rerun(pair: &PairDir, trial: &str) -> Result<()> {
    let dir = dir_for(pair, trial)?;
    for path in files_of(pair.path())? {
        let to = dir.join(path.file_name().unwrap_or_default());
        // Never into a file that has a second name.
        files::remove(&to)?;
        if path == pair.eval() {
            files::rename(&path, &to)?;
        } else {
            files::copy(&path, &to)?;
        }
    }
    Ok(())
}

/// Takes away everything a trial wrote, so that the pair has no result.
pub fn void(pair: &PairDir, trial: &str) -> Result<()> {
    move_all(pair.path(), &dir_for(pair, trial)?)
}

/// Takes away a `result.json` that cannot be read.
pub fn unreadable(pair: &PairDir) -> Result<()> {
    let free = (1..u32::MAX)
        .map(|n| format!("unreadable-{n}"))
        .find(|name| !pair.aside().join(name).exists());
    void(pair, &free.unwrap_or_default())
}

/// Takes away files that lie where there is no result, so that they are not taken for a new one's.
pub fn without_result(pair: &PairDir) -> Result<()> {
    if files_of(pair.path())?.is_empty() {
        return Ok(());
    }
    let name = |n| match n {
        1 => "without-result".to_owned(),
        n => format!("without-result-{n}"),
    };
    let free = (1..u32::MAX)
        .map(name)
        .find(|name| !pair.aside().join(name).exists());
    void(pair, &free.unwrap_or_default())
}

/// Keeps the verdict that another evaluation of the same trial replaces. It stands until then.
pub fn verdict(pair: &PairDir) -> Result<()> {
    if let Some(digest) = eval::digest(&pair.eval())? {
        let dir = pair.aside().join("verdicts");
        files::create_dir(&dir)?;
        files::second_name(&pair.eval(), &dir.join(format!("{}.json", &digest[..16])))?;
    }
    Ok(())
}

/// A trial that was set aside, with its result.
#[derive(Clone, Debug)]
pub struct KeptTrial {
    /// The directory's name in [`PairDir::aside`].
    pub name: String,
    /// What its `result.json` says.
    pub record: TrialRecord,
    /// Whether there is a verdict with it.
    pub is_judged: bool,
}

/// The trials of a pair that were set aside with a result, but for one that stands.
pub fn kept(pair: &PairDir) -> Result<Vec<KeptTrial>> {
    let standing = result::trial(&pair.result());
    let mut found = Vec::new();
    for dir in files::list(&pair.aside())? {
        let name = dir.file_name().and_then(|name| name.to_str());
        let (Some(name), ResultFile::Read(record)) = (name, result::read(&dir.join(RESULT))) else {
            continue;
        };
        if standing.as_ref() != Some(&record.trial) {
            found.push(KeptTrial {
                name: name.to_owned(),
                record: *record,
                is_judged: dir.join("eval.json").is_file(),
            });
        }
    }
    Ok(found)
}

/// Brings back what lies in one directory of [`PairDir::aside`]; a result that it displaces is set
/// aside in turn. Killed on the way, it goes on when it is asked again; nothing is there to do when
/// the directory is gone.
pub fn bring_back(pair: &PairDir, name: &str) -> Result<()> {
    let dir = pair.aside().join(name);
    let ResultFile::Read(kept) = result::read(&dir.join(RESULT)) else {
        return Ok(());
    };
    match result::read(&pair.result()) {
        // All of it is there already: the result is the last.
        ResultFile::Read(now) if now.trial == kept.trial => return files::remove_tree(&dir),
        ResultFile::Read(now) => void(pair, &now.trial)?,
        ResultFile::Unreadable(_) => unreadable(pair)?,
        ResultFile::Missing => {}
    }
    without_result(pair)?;
    name_again(&dir, pair.path())?;
    files::remove_tree(&dir)
}

const RESULT: &str = "result.json";

/// The files of a directory, `result.json` last.
fn files_of(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = files::list(dir)?;
    paths.retain(|path| path.is_file());
    paths.sort_by_key(|path| path.ends_with(RESULT));
    Ok(paths)
}

fn name_again(from: &Path, to: &Path) -> Result<()> {
    for path in files_of(from)? {
        files::second_name(&path, &to.join(path.file_name().unwrap_or_default()))?;
    }
    files::sync_dir(to)
}

fn move_all(from: &Path, to: &Path) -> Result<()> {
    name_again(from, to)?;
    for path in files_of(from)?.iter().rev() {
        files::remove(path)?;
    }
    Ok(())
}

/// The directory of a trial: one that is there is taken for the same trial only.
fn dir_for(pair: &PairDir, trial: &str) -> Result<PathBuf> {
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
    let is_anothers = |dir: &PathBuf| {
        let there = result::trial(&dir.join(RESULT));
        there.is_some_and(|there| there != trial)
    };
    let mut dir = pair.aside().join(&name);
    let mut n = 1;
    while is_anothers(&dir) {
        n += 1;
        dir = pair.aside().join(format!("{name}-{n}"));
    }
    files::create_dir(&dir)?;
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::setting::Tree;
    use crate::bench::{Pair, TaskKey};
    use crate::store::LogTree;

    fn write_trial(pair: &PairDir, trial: &str) {
        let result = format!(r#"{{"run_id": "{trial}", "agent": {{"status": "Submitted"}}}}"#);
        for name in ["result.json", "eval.json", "solo.patch"] {
            let text = if name == "result.json" {
                &result
            } else {
                trial
            };
            files::write_atomic(&pair.path().join(name), text.as_bytes()).unwrap();
        }
    }

    fn standing(pair: &PairDir) -> [String; 3] {
        ["result.json", "eval.json", "solo.patch"].map(|name| {
            let text = files::read_text(&pair.path().join(name));
            text.unwrap_or_default()
        })
    }

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

    #[test]
    fn bringing_back_swaps_and_twice_is_as_before() {
        let root = tempfile::tempdir().unwrap();
        let pair = pair(root.path());
        write_trial(&pair, "ebb");
        let old = standing(&pair);
        void(&pair, "ebb").unwrap();
        write_trial(&pair, "flow");
        let new = standing(&pair);
        bring_back(&pair, "ebb").unwrap();
        assert_eq!(standing(&pair), old);
        bring_back(&pair, "flow").unwrap();
        assert_eq!(standing(&pair), new);
        let names: Vec<_> = kept(&pair).unwrap().into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["ebb"]);
    }

    /// Each state that a kill can leave is gone on with to the same end.
    #[test]
    fn a_swap_that_was_killed_at_any_moment_comes_to_the_same_end() {
        for stage in 0..6 {
            let root = tempfile::tempdir().unwrap();
            let pair = pair(root.path());
            write_trial(&pair, "ebb");
            let old = standing(&pair);
            void(&pair, "ebb").unwrap();
            write_trial(&pair, "flow");
            let (ebb, flow) = (pair.aside().join("ebb"), pair.aside().join("flow"));
            let copy = |from: &Path, to: &Path, name: &str| {
                files::create_dir(to).unwrap();
                files::second_name(&from.join(name), &to.join(name)).unwrap();
            };
            if stage > 0 {
                copy(pair.path(), &flow, "eval.json");
            }
            if stage > 1 {
                copy(pair.path(), &flow, "solo.patch");
                copy(pair.path(), &flow, "result.json");
                files::remove(&pair.result()).unwrap();
            }
            if stage > 2 {
                files::remove(&pair.eval()).unwrap();
            }
            if stage > 3 {
                copy(&ebb, pair.path(), "solo.patch");
            }
            if stage > 4 {
                copy(&ebb, pair.path(), "eval.json");
                copy(&ebb, pair.path(), "result.json");
            }
            bring_back(&pair, "ebb").unwrap();
            assert_eq!(standing(&pair), old, "stage {stage}");
            assert!(!ebb.exists(), "stage {stage}");
            bring_back(&pair, "ebb").unwrap();
            let kept = kept(&pair).unwrap();
            assert_eq!(kept[0].record.trial, "flow", "stage {stage}");
        }
    }

    #[test]
    fn trials_whose_ids_look_alike_do_not_overwrite_each_other() {
        let root = tempfile::tempdir().unwrap();
        let pair = pair(root.path());
        for trial in ["a b", "a/b", "a_b"] {
            write_trial(&pair, trial);
            void(&pair, trial).unwrap();
        }
        let trials: Vec<_> = kept(&pair)
            .unwrap()
            .into_iter()
            .map(|it| it.record.trial)
            .collect();
        assert_eq!(trials, ["a b", "a/b", "a_b"]);
    }
}
