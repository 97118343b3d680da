//! A shell that was seen to run, and what it was made of.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What the loader looks at before any library, there or not.
const OF_LOADER: [&str; 2] = ["/etc/ld.so.preload", "/etc/ld.so.cache"];

/// The files that made a shell which was seen to run, as they were. While none of them has changed,
/// it would do so again, and need not be asked: to start one costs as much as a short command.
#[derive(Debug)]
pub struct KnownShell {
    /// The shell's own file among them.
    files: Vec<(PathBuf, Option<Mark>)>,
}

/// What changes when a file is replaced, written to, or given other rights. No program can set the
/// time of the last.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl KnownShell {
    /// Whether the very same files are still where they were, and this one is the shell.
    pub fn is_as_it_was(&self, shell: &Path) -> bool {
        self.files.iter().any(|(path, _)| path == shell)
            && self.files.iter().all(|(path, mark)| *mark == mark_of(path))
    }

    /// The shell at a path, which said of itself which files it maps (`/proc/self/maps`); `None` where
    /// a script stands in its place.
    pub fn of(shell: &Path, maps: &str) -> Option<Self> {
        let mapped: BTreeSet<PathBuf> = maps
            .lines()
            .filter_map(|line| line.split_whitespace().nth(5))
            .filter(|path| path.starts_with('/'))
            .map(PathBuf::from)
            .collect();
        if !mapped.contains(&shell.canonicalize().ok()?) {
            return None;
        }
        let others = OF_LOADER
            .map(PathBuf::from)
            .into_iter()
            .chain([shell.to_owned()]);
        let files = mapped.into_iter().chain(others);
        let files = files.map(|path| {
            let mark = mark_of(&path);
            (path, mark)
        });
        Some(Self {
            files: files.collect(),
        })
    }
}

/// The mark of the file that a path leads to; `None` where there is none.
fn mark_of(path: &Path) -> Option<Mark> {
    let of = |meta: Metadata| Mark {
        device: meta.dev(),
        inode: meta.ino(),
        size: meta.size(),
        changed: (meta.ctime(), meta.ctime_nsec()),
    };
    path.metadata().ok().map(of)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::{files, process};

    #[test]
    fn a_shell_that_was_seen_is_known_until_a_file_of_it_changes() {
        let bash = process::on_path("bash").unwrap();
        let maps = Command::new(&bash)
            .args([
                "-c",
                "mapfile -t maps < /proc/self/maps; printf '%s\\n' \"${maps[@]}\"",
            ])
            .output()
            .unwrap();
        let maps = String::from_utf8(maps.stdout).unwrap();
        let mut known = KnownShell::of(&bash, &maps).unwrap();
        let is_known = |known: &KnownShell| known.is_as_it_was(&bash);
        assert!(is_known(&known));
        assert!(!known.is_as_it_was(Path::new("/another/bash")));
        let dir = tempfile::tempdir().unwrap();
        let library = dir.path().join("lib.so");
        known.files.push((library.clone(), mark_of(&library)));
        assert!(is_known(&known));
        files::write_atomic(&library, b"one").unwrap();
        assert!(!is_known(&known), "a file that was not there");
        known.files.pop();
        known.files.push((library.clone(), mark_of(&library)));
        assert!(is_known(&known));
        files::write_atomic(&library, b"two").unwrap();
        assert!(!is_known(&known), "another file in its place");
    }

    #[test]
    fn a_script_in_the_place_of_a_shell_is_never_known() {
        let bash = Path::new("/nonexistent/bash");
        assert!(KnownShell::of(bash, "").is_none());
        assert!(KnownShell::of(bash, "55-56 r-xp 0 fe:00 7 /nonexistent/bash\n").is_none());
    }
}
