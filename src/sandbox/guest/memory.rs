//! The memory of a sandbox's processes, where no control group limits it.
//!
//! An ordinary user has no control group to give away. So the guest itself looks at what its
//! descendants hold, and ends the largest when it is too much, as the kernel would.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::tree::Tree;
use crate::{files, process};

/// How often to look while a command runs: what is allocated in between is over the limit.
const EVERY: Duration = Duration::from_millis(100);

/// A limit and when it was last looked after.
#[derive(Debug)]
pub struct Watch {
    limit: u64,
    looked: Instant,
}

impl Watch {
    /// A watch over a limit in bytes.
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            looked: Instant::now(),
        }
    }

    /// How long nothing need be looked at.
    pub fn rest(&self) -> Duration {
        EVERY.saturating_sub(self.looked.elapsed())
    }

    /// Ends the largest processes until the others hold no more than the limit.
    pub fn look(&mut self, tree: Tree) {
        if !self.rest().is_zero() {
            return;
        }
        let processes = tree.descendants(0);
        let sizes = |size: fn(Pid) -> Option<u64>| -> Vec<(u64, Pid)> {
            let sizes = processes.iter();
            sizes.filter_map(|pid| Some((size(*pid)?, *pid))).collect()
        };
        // What forked processes share is counted for each of them, so this is the most it can be.
        let mut held = sizes(own_bytes);
        if sum(&held) > self.limit {
            held = sizes(|pid| shared_out_bytes(pid).or_else(|| own_bytes(pid)));
        }
        held.sort_unstable_by_key(|(size, _)| *size);
        while sum(&held) > self.limit
            && let Some((_, largest)) = held.pop()
        {
            // One that ended by itself holds nothing either.
            let _ = kill_process(largest, Signal::KILL);
        }
        self.looked = Instant::now();
    }
}

fn sum(sizes: &[(u64, Pid)]) -> u64 {
    sizes.iter().map(|(size, _)| size).sum()
}

/// Resident memory that is no file's (`/proc/<pid>/statm`: resident and shared pages).
fn own_bytes(pid: Pid) -> Option<u64> {
    let text = read(pid, "statm")?;
    let mut pages = text.split_whitespace().skip(1).map(str::parse::<u64>);
    let (resident, shared) = (pages.next()?.ok()?, pages.next()?.ok()?);
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    Some(resident.saturating_sub(shared) * page)
}

/// The same, with what several processes share divided among them (`Pss_Anon` of
/// `/proc/<pid>/smaps_rollup`): exact, but the kernel has to walk all of their pages.
fn shared_out_bytes(pid: Pid) -> Option<u64> {
    let text = read(pid, "smaps_rollup")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Pss_Anon:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn read(pid: Pid, file: &str) -> Option<String> {
    files::read_text(&process::about(pid.as_raw_nonzero(), file)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_memory_is_counted_both_ways() {
        let held = std::hint::black_box(vec![1_u8; 64 << 20]);
        let us = rustix::process::getpid();
        for bytes in [own_bytes(us).unwrap(), shared_out_bytes(us).unwrap()] {
            assert!(bytes > 64 << 20, "{bytes}");
        }
        drop(held);
    }
}
