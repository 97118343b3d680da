//! Ending a command's whole process tree, however its processes try to get away.

use std::collections::HashSet;

use rustix::process::{Pid, Signal, WaitOptions, kill_process};

use crate::process;

/// A fork bomb is stopped first and ended then; this many rounds are more than one ever took.
const ROUNDS: usize = 100;

/// Whose end it is, and who is spared.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessTree {
    /// The first process of the commands' own process namespace, where they have one: with it, the
    /// kernel would end all the others for good.
    pub init: Option<u32>,
}

impl ProcessTree {
    /// Ends our descendants: all of them, or those that started no earlier than `since` (in the
    /// kernel's ticks).
    ///
    /// A process that left its session and group is still a descendant: orphans become our children.
    pub fn kill(self, since: Option<u64>) {
        for _ in 0..ROUNDS {
            let found = self.descendants(since.unwrap_or(0));
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
    pub fn count(self) -> usize {
        self.descendants(0).len()
    }

    /// Our descendants that started no earlier than `since` (in the kernel's ticks).
    pub fn descendants(self, since: u64) -> Vec<Pid> {
        let processes: Vec<_> = process::pids()
            .into_iter()
            .filter_map(|pid| Some((pid, process::stat(pid)?)))
            .collect();
        let us = std::process::id();
        let mut ours = HashSet::from([us]);
        if us == 1 {
            // Everybody is; and chains of parents break while a fork bomb's processes come and go.
            ours.extend(processes.iter().map(|(pid, _)| *pid));
        }
        // Parents may be listed after their children.
        loop {
            let before = ours.len();
            for (pid, stat) in &processes {
                if ours.contains(&stat.parent) {
                    ours.insert(*pid);
                }
            }
            if ours.len() == before {
                break;
            }
        }
        processes
            .into_iter()
            .filter(|(pid, stat)| stat.started >= since && ours.contains(pid))
            .filter(|(pid, _)| *pid != us && Some(*pid) != self.init)
            .filter_map(|(pid, _)| Pid::from_raw(pid.try_into().ok()?))
            .collect()
    }
}
