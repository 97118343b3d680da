//! Files and directories that are there for a moment, under names that say whose they are.
//!
//! Who is killed leaves them behind; a later start finds them, and knows that their owner is dead.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tempfile::Builder;

use crate::process::Owner;

/// The beginning of every such name.
const PREFIX: &str = ".regatta-";

/// How deep below a log tree its files are (run, tree, repository, task, pair, `regatta`, trial),
/// and one more.
pub const OF_A_TREE: usize = 8;

/// How the names of what this process makes for a moment begin. It is made beside what it becomes,
/// often on a disk that several hosts share: the names have the host too.
static OURS: LazyLock<String> =
    LazyLock::new(|| format!("{PREFIX}{}-", Owner::this().label().replace(':', "_")));

/// A maker of temporary files and directories that are this process's.
pub fn ours() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(OURS.as_str());
    builder
}

/// A name in a directory for something that is there for a moment. Nobody else comes to the same.
#[must_use]
pub fn unused_name_in(dir: &Path) -> PathBuf {
    dir.join(format!("{}{:032x}", OURS.as_str(), fastrand::u128(..)))
}

/// Whose a file or a directory of this name is; `None` for every other name.
fn owner(name: &str) -> Option<Owner> {
    // `<pid>_<start>_<boot id>_<host>-<random>`: a host's name may have both signs.
    let (label, _) = name.strip_prefix(PREFIX)?.rsplit_once('-')?;
    let label = label.replacen('_', ":", 3);
    Owner::parse(&label).filter(|_| label.matches(':').count() >= 3)
}

/// What dead processes of ours left in a directory, and so many levels below it ([`OF_A_TREE`]).
/// Links are not followed, and what cannot be listed is passed over.
#[must_use]
pub fn left_behind(dir: &Path, deeper: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    look(dir, deeper, &mut found);
    found.sort();
    found
}

#[expect(
    clippy::disallowed_methods,
    reason = "a whole tree is walked at each start: an entry's kind comes with its name, without a call for each"
)]
fn look(dir: &Path, deeper: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        match owner(&name.to_string_lossy()) {
            Some(owner) if !owner.is_alive() => found.push(entry.path()),
            None if deeper > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) => {
                look(&entry.path(), deeper - 1, found);
            }
            _ => {}
        }
    }
}

/// Removes a file, or a directory with everything in it, whatever the modes of what is in there: an
/// overlay leaves a directory that nobody may read. Another may have been faster.
pub fn remove_all(path: &Path) {
    let removed = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
    if removed.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
        open_dirs(path);
        let _ = fs::remove_dir_all(path);
    }
}

/// Lets the owner of a directory and of those below it change them. Links are not followed.
#[expect(
    clippy::disallowed_methods,
    reason = "what cannot be listed is left, and the removal that follows says nothing either"
)]
fn open_dirs(dir: &Path) {
    let is_dir = |path: &Path| path.symlink_metadata().is_ok_and(|it| it.is_dir());
    if !is_dir(dir) {
        return;
    }
    let _ = fs::set_permissions(dir, fs::Permissions::from_mode(0o700));
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    for entry in entries {
        open_dirs(&entry.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{create_dir, write_atomic};

    #[test]
    fn what_the_dead_left_is_found_at_any_depth_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let pair = dir.path().join("run/coop/a_task/1/f1_f2/regatta/1a2b");
        create_dir(&pair).unwrap();
        let us = Owner::this().label().replace(':', "_");
        let (pid, rest) = us.split_once('_').unwrap();
        // Nobody has had it for as long as we run: it is ours, and started at another time.
        let dead = format!("{pid}_1{rest}");
        let elsewhere = format!("{dead}-other-host");
        let names = [
            (format!(".regatta-{dead}-AbC123"), true),
            (format!(".regatta-{us}-AbC123"), false),
            (format!(".regatta-{elsewhere}-AbC123"), false),
            (".regatta-AbC123".to_owned(), false),
            (".regatta-1_2-AbC123".to_owned(), false),
            ("result.json".to_owned(), false),
        ];
        let mut expected = Vec::new();
        for place in [dir.path(), &pair] {
            for (name, is_left) in &names {
                write_atomic(&place.join(name), b"x").unwrap();
                if *is_left {
                    expected.push(place.join(name));
                }
            }
        }
        let outside = tempfile::tempdir().unwrap();
        write_atomic(&outside.path().join(&names[0].0), b"x").unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).unwrap();
        expected.sort();
        assert_eq!(left_behind(dir.path(), OF_A_TREE), expected);
        assert_eq!(left_behind(&pair, 0).len(), 1);
        for path in left_behind(dir.path(), OF_A_TREE) {
            remove_all(&path);
        }
        assert_eq!(left_behind(dir.path(), OF_A_TREE), Vec::<PathBuf>::new());
        assert!(pair.join("result.json").exists());
    }

    #[test]
    fn what_nobody_may_read_or_change_is_removed_too() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        let closed = tree.join("work/work");
        create_dir(&closed).unwrap();
        create_dir(&tree.join("kept")).unwrap();
        write_atomic(&tree.join("kept/file"), b"x").unwrap();
        for (path, mode) in [(closed, 0o000), (tree.join("kept"), 0o555)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        remove_all(&tree);
        assert!(!tree.exists());
    }

    #[test]
    fn a_temporary_file_says_whose_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = ours().tempfile_in(dir.path()).unwrap();
        let name = file
            .path()
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        assert_eq!(owner(&name), Some(Owner::this()));
    }
}
