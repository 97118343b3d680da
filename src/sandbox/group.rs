//! Control groups (cgroup v2) for sandboxes, where one was delegated to us.
//!
//! A group holds everything that its processes take: what no look at processes sees (pipes, sockets,
//! pages of shared memory that nobody maps any more) is in it too. How a group is delegated, and that
//! one with groups inside may have no processes of its own: cgroups(7), the kernel's
//! `admin-guide/cgroup-v2`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::getpid;

use super::SandboxLimits;
use crate::files;
use crate::process::Owner;

/// The group that is ours to divide.
#[derive(Debug)]
pub struct Groups {
    dir: PathBuf,
}

/// One sandbox's group; it goes when this value does.
#[derive(Debug)]
pub struct Group {
    dir: PathBuf,
}

/// How the name of the group that we ourselves move to ends, instead of a number.
const SELF: &str = "self";

/// What the guest, the first process of the commands and the kernel's own records of them take
/// beside what commands may hold, in bytes.
const OVERHEAD: u64 = 64 << 20;

impl Groups {
    /// The group that was delegated to this process, or why there is none. We leave it for a group
    /// inside of it on the first call.
    pub fn ours() -> Result<&'static Self, &'static str> {
        static OURS: OnceLock<Result<Groups, String>> = OnceLock::new();
        let ours = OURS.get_or_init(|| {
            let dir = own_dir()?;
            Self::at(dir)
        });
        ours.as_ref().map_err(String::as_str)
    }

    fn at(dir: PathBuf) -> Result<Self, String> {
        let shown = dir.display();
        if !has_memory(&dir.join("cgroup.controllers")) {
            return Err(format!("{shown} has no memory controller"));
        }
        remove_dead(&dir);
        if !has_memory(&dir.join("cgroup.subtree_control")) {
            divide(&dir).map_err(|error| format!("{shown} cannot be divided: {error}"))?;
        }
        // Where others have divided it, it may be theirs all the same.
        let probe = Group::make(&dir).map_err(|error| format!("{shown} is not ours: {error}"))?;
        drop(probe);
        Ok(Self { dir })
    }

    /// A group for one sandbox with these limits. Files in a sandbox are memory too, and may take as
    /// much as its processes: together they get twice the limit.
    pub fn group(&self, limits: &SandboxLimits) -> io::Result<Option<Group>> {
        let Some(memory) = limits.memory_bytes else {
            return Ok(None);
        };
        let group = Group::make(&self.dir)?;
        let most = memory.saturating_mul(2).saturating_add(OVERHEAD);
        group.set("memory.max", most)?;
        // Without swap there is no such file.
        if group.dir.join("memory.swap.max").exists() {
            group.set("memory.swap.max", 0)?;
        }
        Ok(Some(group))
    }

    /// The control group's directory, for messages.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Group {
    fn make(parent: &Path) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = parent.join(format!("{}{number}", Owner::this().dir_prefix()));
        rustix::fs::mkdir(&dir, 0o755.into())?;
        Ok(Self { dir })
    }

    fn set(&self, file: &str, value: u64) -> io::Result<()> {
        write(&self.dir.join(file), &value.to_string())
    }

    /// The file that a process joins by.
    #[must_use]
    pub fn door(&self) -> PathBuf {
        self.dir.join("cgroup.procs")
    }

    /// Whether the kernel ended one of its processes for the group's memory.
    #[must_use]
    pub fn lacked_memory(&self) -> bool {
        let events = files::read_text(&self.dir.join("memory.events")).unwrap_or_default();
        count(&events, "oom_kill") > 0
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What is not empty yet is removed as a dead owner's later on.
        let _ = remove(&self.dir);
    }
}

/// Joins a group by its door: everything that we start from now on is in it.
pub fn join(door: &Path) -> io::Result<()> {
    write(door, "0")
}

/// Lets groups inside have controllers. Unless this is the root of all, we go to a group inside
/// first; whoever else is in it keeps it from being divided, and we go back.
fn divide(dir: &Path) -> io::Result<()> {
    let leaf = dir.join(format!("{}{SELF}", Owner::this().dir_prefix()));
    let is_root = !dir.join("cgroup.type").exists();
    let us = getpid().as_raw_nonzero().to_string();
    if !is_root {
        rustix::fs::mkdir(&leaf, 0o755.into())?;
        if let Err(error) = write(&leaf.join("cgroup.procs"), &us) {
            let _ = rustix::fs::rmdir(&leaf);
            return Err(error);
        }
    }
    let Err(error) = write(&dir.join("cgroup.subtree_control"), "+memory") else {
        return Ok(());
    };
    if !is_root {
        write(&dir.join("cgroup.procs"), &us)?;
        rustix::fs::rmdir(&leaf)?;
    }
    Err(match error.kind() {
        io::ErrorKind::ResourceBusy => io::Error::other("other processes are in it"),
        _ => error,
    })
}

/// Removes what dead owners left in a group, with the processes in it.
fn remove_dead(dir: &Path) {
    for path in files::list(dir).unwrap_or_default() {
        let owner = Owner::of_dir(&path);
        if owner.is_some_and(|owner| !owner.is_alive()) {
            let _ = remove(&path);
        }
    }
}

/// Removes a group. One that still has processes is emptied, and is gone when they are: the next
/// who looks removes it.
fn remove(dir: &Path) -> io::Result<()> {
    let Err(error) = rustix::fs::rmdir(dir) else {
        return Ok(());
    };
    // From Linux 5.14 on. What is in our own place is no sandbox: the reaper knows whose it is.
    if !dir
        .as_os_str()
        .as_encoded_bytes()
        .ends_with(SELF.as_bytes())
    {
        write(&dir.join("cgroup.kill"), "1")?;
    }
    rustix::fs::rmdir(dir).map_err(|_| error.into())
}

/// Where the group is shown that this process is in.
fn own_dir() -> Result<PathBuf, String> {
    let table = files::read_text(Path::new("/proc/self/mountinfo"));
    let path = files::read_text(Path::new("/proc/self/cgroup"));
    let (Ok(table), Ok(path)) = (table, path) else {
        return Err("this kernel tells nothing of control groups".to_owned());
    };
    let dir = shown_dir(&table, &path).ok_or("no cgroup v2 is mounted")?;
    if dir.is_dir() {
        Ok(dir)
    } else {
        Err(format!(
            "our own control group is not shown at {}",
            dir.display()
        ))
    }
}

/// The directory of the group of `/proc/self/cgroup`, by the mounts of `/proc/self/mountinfo`
/// (proc(5)). A mount may show the tree from a group further down.
fn shown_dir(table: &str, groups: &str) -> Option<PathBuf> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    table.lines().find_map(|line| {
        let (fields, kind) = line.split_once(" - ")?;
        let mut fields = fields.split(' ').skip(3);
        let (root, at) = (fields.next()?, fields.next()?);
        if !kind.starts_with("cgroup2 ") {
            return None;
        }
        let below = Path::new(path).strip_prefix(root).ok()?;
        Some(
            Path::new(at)
                .components()
                .chain(below.components())
                .collect(),
        )
    })
}

/// The number of a line `name number` (`memory.events`).
fn count(text: &str, name: &str) -> u64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|number| number.trim().parse().ok())
        .unwrap_or(0)
}

fn has_memory(controllers: &Path) -> bool {
    let text = files::read_text(controllers).unwrap_or_default();
    text.split_whitespace().any(|name| name == "memory")
}

/// Writes to a file of the kernel's; the error is the system's own.
fn write(path: &Path, text: &str) -> io::Result<()> {
    use rustix::fs::{Mode, OFlags, open};
    let file = open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, text.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_group_is_found_where_the_tree_is_mounted() {
        let table = "24 1 0:22 / /proc rw - proc proc rw\n\
            30 24 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let dir = |groups| shown_dir(table, groups);
        let scope = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-r1.scope\n";
        let below =
            "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/run-r1.scope";
        assert_eq!(dir(scope), Some(below.into()));
        assert_eq!(dir("0::/\n"), Some("/sys/fs/cgroup/".into()));
        assert_eq!(
            dir("4:memory:/job\n0::/deep\n"),
            Some("/sys/fs/cgroup/deep".into())
        );
        assert_eq!(dir("4:memory:/job\n"), None);
        let part = table.replace("0:27 / /sys", "0:27 /pod /sys");
        assert_eq!(
            shown_dir(&part, "0::/pod/a\n"),
            Some("/sys/fs/cgroup/a".into())
        );
        assert_eq!(shown_dir(&part, "0::/other\n"), None);
        assert_eq!(
            shown_dir("24 1 0:22 / /proc rw - proc proc rw", "0::/\n"),
            None
        );
    }

    #[test]
    fn the_kernels_mark_is_one_line_of_several() {
        let events = "low 0\nhigh 0\nmax 31\noom 2\noom_kill 1\noom_group_kill 0\n";
        assert_eq!(count(events, "oom_kill"), 1);
        assert_eq!(count(events, "oom"), 2);
        assert_eq!(count("", "oom_kill"), 0);
    }
}
