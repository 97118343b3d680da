//! Who holds claims: a process.

use std::fmt;
use std::fs;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

use crate::process;
use crate::text;

/// What [`process`] says where the kernel does not tell its boot.
const UNKNOWN: &str = "unknown";

/// The longest id.
const MAX_ID: usize = 64;

/// A process that may hold claims: a driver or a worker.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Holder {
    /// Random letters and digits. No two processes have the same, and it is a part of file names.
    pub id: String,
    /// The host it is on.
    pub host: String,
    /// Its process number there.
    pub pid: u32,
    /// When it started, in clock ticks after boot.
    #[serde(default)]
    pub started: u64,
    /// That boot of the host.
    pub boot: String,
    /// The namespace in which the process number counts, as the kernel names it: containers of one
    /// host have the same boot. Empty where it is not known.
    #[serde(default)]
    pub pids: String,
    /// Its job and task, such as `123_4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// How often that job was started again before.
    #[serde(default)]
    pub restart: u32,
}

impl Holder {
    /// The process that asks, as a new holder.
    #[must_use]
    pub fn this(job: Option<String>, restart: u32) -> Self {
        let pid = std::process::id();
        Self {
            id: random_id(),
            host: process::host(),
            pid,
            started: process::stat(pid).map_or(0, |stat| stat.started),
            boot: process::boot_id(),
            pids: pid_namespace(),
            job,
            restart,
        }
    }

    /// Whether the process is known to have ended, without any waiting: it was one of this host since
    /// its boot, and is no more. Of other hosts nothing is known.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        let is_here = self.boot != UNKNOWN
            && self.host == process::host()
            && self.boot == process::boot_id()
            && !self.pids.is_empty()
            && self.pids == pid_namespace();
        is_here && !self.is_running()
    }

    /// Whether a process of this host runs, or may.
    fn is_running(&self) -> bool {
        if let Some(stat) = process::stat(self.pid) {
            return stat.started == self.started;
        }
        // Of another user it may be hidden; else it is gone, or a corpse.
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::PERM))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)?;
        match &self.job {
            Some(job) => write!(f, " (job {job})"),
            None => Ok(()),
        }
    }
}

/// Whether a text can be a holder's id: it goes into the names of files.
pub(super) fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Letters and digits that nobody else has.
pub(super) fn random_id() -> String {
    text::hex(&fastrand::u64(..).to_be_bytes())
}

fn pid_namespace() -> String {
    let link = fs::read_link(Path::new("/proc/self/ns/pid"));
    link.map_or_else(
        |_| String::new(),
        |link| link.to_string_lossy().into_owned(),
    )
}
