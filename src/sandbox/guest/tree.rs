//! Ending a command's whole process tree, however its processes try to get away.

use std::collections::HashSet;
use std::path::Path;

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process};

use crate::files;

/// A fork bomb is stopped first and ended then; this many rounds are more than one ever took.
const ROUNDS: usize = 100;

/// Ends our descendants: all of them, or those that started no earlier than `since` (in the
/// kernel's ticks).
///
/// A process that left its session and group is still a descendant: orphans become our children.
pub fn kill_descendants(since: Option<u64>) {
    for _ in 0..ROUNDS {
        let found = descendants(since.unwrap_or(0));
        // Nobody asks for their status any more; until somebody does, they count as processes.
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
        if found.is_empty() {
            return;
        }
        // Stopped processes cannot fork while the others are ended.
        for signal in [Signal::STOP, Signal::KILL] {
            for pid in &found {
                let _ = kill_process(*pid, signal);
            }
        }
        std::thread::yield_now();
    }
}

/// How many descendants we have.
pub fn count_descendants() -> usize {
    descendants(0).len()
}

/// When a process started, in clock ticks after boot (`/proc/<pid>/stat`, field 22).
pub fn started(pid: Pid) -> Option<u64> {
    stat(pid.as_raw_nonzero().get()).map(|(_, started)| started)
}

fn descendants(since: u64) -> Vec<Pid> {
    let mut processes = Vec::new();
    for path in files::list(Path::new("/proc")).unwrap_or_default() {
        let pid = path.file_name().and_then(|name| name.to_str());
        let Some(pid) = pid.and_then(|pid| pid.parse::<i32>().ok()) else {
            continue;
        };
        if let Some((parent, started)) = stat(pid) {
            processes.push((pid, parent, started));
        }
    }
    let us = getpid().as_raw_nonzero().get();
    let mut ours = HashSet::from([us]);
    if us == 1 {
        // Everybody is; and chains of parents break while a fork bomb's processes come and go.
        ours.extend(processes.iter().map(|(pid, _, _)| *pid));
    }
    // Parents may be listed after their children.
    loop {
        let before = ours.len();
        for (pid, parent, _) in &processes {
            if ours.contains(parent) {
                ours.insert(*pid);
            }
        }
        if ours.len() == before {
            break;
        }
    }
    processes
        .into_iter()
        .filter(|(pid, _, started)| *started >= since && ours.contains(pid) && *pid != us)
        .filter_map(|(pid, _, _)| Pid::from_raw(pid))
        .collect()
}

/// A process's parent and start; `None` for one that is gone, or only waits to be collected.
fn stat(pid: i32) -> Option<(i32, u64)> {
    let stat = files::read(Path::new(&format!("/proc/{pid}/stat"))).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The command's name may hold anything, even spaces and brackets: fields follow the last one.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if fields.first() == Some(&"Z") {
        return None;
    }
    Some((fields.get(1)?.parse().ok()?, fields.get(19)?.parse().ok()?))
}
