//! The memory of a sandbox's processes.
//!
//! Most users have no control group to give away. So the guest itself looks at what its descendants
//! hold, and ends the largest when it is too much, as the kernel would.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, open, readlinkat, statat};
use rustix::process::{Pid, Signal, kill_process};

use super::tree::ProcessTree;
use crate::{files, process};

/// How often to look while a command runs: what is allocated in between is over the limit.
const EVERY: Duration = Duration::from_millis(100);

/// A limit and when it was last looked after.
#[derive(Debug)]
pub struct MemoryWatch {
    limit: u64,
    looked: Instant,
    /// Which process a look begins with.
    first: usize,
}

impl MemoryWatch {
    /// A watch over a limit in bytes.
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            looked: Instant::now(),
            first: 0,
        }
    }

    /// How long nothing need be looked at.
    pub fn rest(&self) -> Duration {
        EVERY.saturating_sub(self.looked.elapsed())
    }

    /// Ends the largest processes until the others hold no more than the limit.
    pub fn look(&mut self, tree: ProcessTree) {
        if !self.rest().is_zero() {
            return;
        }
        let mut processes = tree.descendants(0);
        let count = processes.len();
        processes.rotate_left(self.first.checked_rem(count).unwrap_or(0));
        let mut links = LINKS;
        let files = unnamed_files(&processes, &mut links);
        // Those at the end were not come to: with the next look they are nearer to the beginning.
        self.first = if links == 0 {
            self.first.wrapping_add(1)
        } else {
            0
        };
        let of_files: u64 = files.values().map(|file| file.bytes).sum();
        // What processes share is counted for each of them, so this is the most it can be.
        let most: u64 = processes.iter().filter_map(|pid| mapped_bytes(*pid)).sum();
        if most + of_files > self.limit {
            let sizes = processes.iter().map(|pid| {
                let shared_out = shared_out_bytes(*pid, &files).or_else(|| mapped_bytes(*pid));
                let held = files.values().filter(|file| file.holder == *pid);
                let held: u64 = held.map(|file| file.bytes).sum();
                (shared_out.unwrap_or(0) + held, *pid)
            });
            self.end_largest(sizes.collect());
        }
        self.looked = Instant::now();
    }

    fn end_largest(&self, mut held: Vec<(u64, Pid)>) {
        held.sort_unstable_by_key(|(size, _)| *size);
        while held.iter().map(|(size, _)| size).sum::<u64>() > self.limit
            && let Some((_, largest)) = held.pop()
        {
            // One that ended by itself holds nothing either.
            let _ = kill_process(largest, Signal::KILL);
        }
    }
}

/// A file in memory that has no name, and that only descriptors hold (`memfd_create(2)`): no file
/// system's size limits it, and what nobody maps stands in no process's memory.
struct Unnamed {
    bytes: u64,
    /// One of those that hold it.
    holder: Pid,
}

/// Device and inode number of a file.
type FileId = (u64, u64);

/// The unnamed files that processes hold open, each once. At most `links` descriptors are looked at,
/// and as many as were are taken off: a look must not take longer than the time between two.
fn unnamed_files(processes: &[Pid], links: &mut usize) -> HashMap<FileId, Unnamed> {
    let mut files = HashMap::new();
    for pid in processes {
        // One that has just ended has nothing open; without any left, none is looked at.
        let _ = unnamed_files_of(*pid, links, &mut files);
    }
    files
}

fn unnamed_files_of(
    pid: Pid,
    links: &mut usize,
    files: &mut HashMap<FileId, Unnamed>,
) -> rustix::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = open(
        process::about(pid.as_raw_nonzero(), "fd"),
        flags,
        Mode::empty(),
    )?;
    for entry in Dir::read_from(&dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if *links == 0 {
            break;
        }
        *links -= 1;
        let is_unnamed = readlinkat(&dir, name, Vec::new())
            .is_ok_and(|target| target.as_bytes().starts_with(MEMFD.as_bytes()));
        if !is_unnamed {
            continue;
        }
        // Through the link: the file itself.
        if let Ok(stat) = statat(&dir, name, AtFlags::empty()) {
            files.entry((stat.st_dev, stat.st_ino)).or_insert(Unnamed {
                // Of 512 bytes each, whatever the file system (stat(2)).
                bytes: u64::try_from(stat.st_blocks).unwrap_or(0) * 512,
                holder: pid,
            });
        }
    }
    Ok(())
}

/// So many descriptors are looked at in one look: about 50 ms of work. Where processes have more,
/// the next look goes on with the next process.
const LINKS: usize = 50_000;

/// How the kernel calls a file without a name.
const MEMFD: &str = "/memfd:";

/// Resident memory that is no file's, what is shared without a file, what of it is swapped out, and the
/// tables of its pages (`/proc/<pid>/status`, proc(5)).
fn mapped_bytes(pid: Pid) -> Option<u64> {
    let text = read(pid, "status")?;
    let more = ["RssShmem:", "VmSwap:", "VmPTE:"];
    let more = more.iter().filter_map(|name| kilobytes(&text, name));
    Some(kilobytes(&text, "RssAnon:")? + more.sum::<u64>())
}

/// The same, with what several processes share divided among them, and without what is a file's:
/// files with a name are limited by the size of their file system, those of `files` are counted
/// there. Exact, but the kernel has to walk all of the process's pages (`/proc/<pid>/smaps_rollup` and
/// `smaps`).
fn shared_out_bytes(pid: Pid, files: &HashMap<FileId, Unnamed>) -> Option<u64> {
    let rollup = read(pid, "smaps_rollup")?;
    let own = kilobytes(&rollup, "Pss_Anon:")? + kilobytes(&rollup, "SwapPss:").unwrap_or(0);
    let tables = kilobytes(&read(pid, "status")?, "VmPTE:").unwrap_or(0);
    let mut shared = 0;
    let mut counts = false;
    let maps = process::about(pid.as_raw_nonzero(), "smaps");
    let read = files::read_lines(&maps, 0, MAX_MAPS, |line, _| {
        let line = String::from_utf8_lossy(line);
        if let Some(map) = Map::of_line(&line) {
            counts = map.is_unnamed() && !files.keys().any(|(_, inode)| *inode == map.inode);
        } else if counts && let Some(bytes) = kilobytes(&line, "Pss:") {
            shared += bytes;
        }
    });
    // A process that ends meanwhile holds nothing.
    read.ok()?;
    Some(own + tables + shared)
}

/// Of the list of mappings so much is read: of 700 bytes each, all that the kernel allows (65,530).
const MAX_MAPS: u64 = 64 << 20;

/// The first line of a mapping in `smaps`: `begin-end flags offset device inode path`.
struct Map<'a> {
    inode: u64,
    path: &'a str,
}

impl<'a> Map<'a> {
    fn of_line(line: &'a str) -> Option<Self> {
        let mut fields = line.splitn(6, ' ');
        let (_, _) = fields.next()?.split_once('-')?;
        let inode = fields.nth(3)?.parse().ok()?;
        let path = fields.next().unwrap_or("").trim_start();
        Some(Self { inode, path })
    }

    /// Whether it is memory that processes share without a file, or by one that has no name.
    fn is_unnamed(&self) -> bool {
        [MEMFD, "/dev/zero (deleted)", "/SYSV"]
            .iter()
            .any(|start| self.path.starts_with(start))
    }
}

/// The bytes of a line `name: 123 kB`.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// A file of some lines. The name of a process is in it, which may be any bytes.
fn read(pid: Pid, file: &str) -> Option<String> {
    let bytes = files::read(&process::about(pid.as_raw_nonzero(), file)).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us() -> Pid {
        rustix::process::getpid()
    }

    #[test]
    fn our_own_memory_is_counted_both_ways() {
        let held = std::hint::black_box(vec![1_u8; 64 << 20]);
        for bytes in [
            mapped_bytes(us()).unwrap(),
            shared_out_bytes(us(), &HashMap::new()).unwrap(),
        ] {
            assert!(bytes > 64 << 20, "{bytes}");
        }
        drop(held);
    }

    #[test]
    fn a_file_that_only_a_descriptor_holds_is_counted_once() {
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let file = rustix::fs::memfd_create("held", flags).unwrap();
        let again = rustix::io::fcntl_dupfd_cloexec(&file, 0).unwrap();
        let written = vec![1_u8; 8 << 20];
        let mut rest = written.as_slice();
        while !rest.is_empty() {
            let count = rustix::io::write(&file, rest).unwrap();
            rest = &rest[count..];
        }
        let stat = rustix::fs::fstat(&again).unwrap();
        let files = unnamed_files(&[us(), us()], &mut 10_000);
        assert_eq!(files[&(stat.st_dev, stat.st_ino)].bytes, 8 << 20);
    }

    #[test]
    fn a_look_at_descriptors_has_an_end() {
        let mut links = 2;
        unnamed_files(&[us()], &mut links);
        assert_eq!(links, 0);
    }

    #[test]
    fn the_first_line_of_a_mapping_is_told_from_its_others() {
        let shared = "7f00a000-7f00b000 rw-s 00000000 00:01 2054       /dev/zero (deleted)";
        let map = Map::of_line(shared).unwrap();
        assert_eq!((map.inode, map.is_unnamed()), (2054, true));
        let named = "55d0-55d1 r--p 00000000 fe:00 31 /usr/lib/a b.so";
        let map = Map::of_line(named).unwrap();
        assert_eq!(
            (map.inode, map.path, map.is_unnamed()),
            (31, "/usr/lib/a b.so", false)
        );
        assert!(
            !Map::of_line("7f-80 rw-p 00000000 00:00 0")
                .unwrap()
                .is_unnamed()
        );
        for line in ["Pss:  12 kB", "VmFlags: rd wr mr", ""] {
            assert!(Map::of_line(line).is_none(), "{line}");
        }
    }
}
