//! A guest as a child process of ours: of a namespace, or with no isolation at all.

use std::any::Any;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::Child;

use super::channel::{BrokenChannel, Channel, Output};
use super::group::Group;
use super::host_place::HostPlace;
use super::tools::{GUEST_COMMAND, guest_options, own_limits};
use super::{SandboxError, Spec};
use crate::guest::call::{Door, SOCKET_VAR};
use crate::{files, process};

/// How long a guest may take to start or to end.
const PATIENCE: Duration = Duration::from_mins(1);

/// The exit code of what was ended with SIGKILL: 128 and the signal's number.
const KILLED: i64 = 137;

/// What commands without isolation see of our environment: never a key.
const INHERITED: [&str; 5] = ["PATH", "LANG", "LC_ALL", "USER", "TMPDIR"];

/// A guest that is our child.
#[derive(Debug)]
pub struct Guest {
    child: Child,
    pid: u32,
    tools: String,
    /// The workspace, where it is a directory of this machine.
    dir: Option<tempfile::TempDir>,
    /// The control group that it is in, where it has one of its own; goes after it.
    group: Option<Group>,
    /// What must not go away while it lives, and may when it is gone.
    held: Option<Box<dyn Any + Send + Sync>>,
    /// What the set-up of its repository said, where that was done before it started.
    pub set_up: Option<Output>,
}

/// Starts a guest without isolation, over a copy of a tree.
///
/// Its commands are ordinary processes of this user: they can read, change and end whatever the
/// user can. For harmless fixtures only.
pub async fn start(
    place: &HostPlace,
    spec: &Spec,
    tree: &Path,
) -> Result<(Guest, Channel), SandboxError> {
    let dir = tempfile::Builder::new()
        .prefix("workspace-")
        .tempdir_in(place.tools.dir())
        .map_err(SandboxError::start)?;
    files::copy_tree(tree, &dir.path().join("repo")).map_err(SandboxError::start)?;
    let tools = place.tools.dir().display().to_string();
    let door = Door::without_file().map_err(SandboxError::start)?;
    let mut words = place.tools.command(&tools, GUEST_COMMAND);
    words.extend(guest_options(&door, spec));
    words.extend(own_limits(&spec.limits));
    let mut command = tokio::process::Command::new(&words[0]);
    // Not killed with us: it ends when its channel closes, and takes its commands along, which a
    // killed one would leave behind. The mark of ownership is for the reaper, should it come to that.
    command
        .args(&words[1..])
        .env_clear()
        .env(process::OWNER_VAR, process::Owner::this().label())
        .env("HOME", dir.path())
        .envs(spec.calls_harness().then(|| (SOCKET_VAR, door.to_string())))
        .envs(
            INHERITED
                .iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        )
        .envs(&spec.env);
    process::keep_out_of_our_group(&mut command);
    Guest::spawn(command, tools, Some(dir)).await
}

impl Guest {
    /// Starts the command and waits for the guest's first word.
    pub async fn spawn(
        mut command: tokio::process::Command,
        tools: String,
        dir: Option<tempfile::TempDir>,
    ) -> Result<(Self, Channel), SandboxError> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(SandboxError::start)?;
        let pid = child.id().unwrap_or_default();
        let (Some(from), Some(to)) = (child.stdout.take(), child.stdin.take()) else {
            return Err(SandboxError::start("it has no pipes"));
        };
        let mut channel = Channel::over_pipes(from, to);
        let mut guest = Self {
            child,
            pid,
            tools,
            dir,
            group: None,
            held: None,
            set_up: None,
        };
        match channel.ready(PATIENCE).await {
            Ok(()) => Ok((guest, channel)),
            Err(broken) => {
                drop(channel);
                let words = guest.last_words().await;
                guest.end().await;
                Err(SandboxError::start(if words.is_empty() {
                    broken.to_string()
                } else {
                    words
                }))
            }
        }
    }

    /// Keeps its control group for as long as it lives.
    pub fn keep(&mut self, group: Option<Group>) {
        self.group = group;
    }

    /// Holds something for as long as it lives.
    pub fn hold(&mut self, held: impl Any + Send + Sync) {
        self.held = Some(Box::new(held));
    }

    /// Its process number on this machine.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Where the guest's programs are, as seen from inside.
    #[must_use]
    pub fn tools(&self) -> String {
        self.tools.clone()
    }

    /// The workspace, as seen from inside.
    #[must_use]
    pub fn workspace(&self) -> String {
        self.dir.as_ref().map_or_else(
            || super::place::WORKSPACE.to_owned(),
            |dir| dir.path().display().to_string(),
        )
    }

    /// Ends it at once, with whatever is in its namespace.
    pub fn kill(&mut self) {
        process::signal_group(self.pid, Signal::KILL);
    }

    /// The same, and waits until it is so: its last word is said.
    pub async fn kill_and_wait(&mut self) {
        self.kill();
        // In a namespace the kernel ends the guest with the process that we wait for.
        let _ = tokio::time::timeout(PATIENCE, self.child.wait()).await;
    }

    /// What became of it, when its channel broke.
    pub async fn post_mortem(&mut self, broken: &BrokenChannel) -> SandboxError {
        // A guest that is silent, or talks nonsense, is of no use: it ends here.
        if !matches!(broken, BrokenChannel::Closed(_)) {
            self.kill();
        }
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let exit_code = match status {
            Ok(Ok(status)) => {
                use std::os::unix::process::ExitStatusExt as _;
                let signal = status.signal().map(|signal| 128 + signal);
                status.code().or(signal).map(i64::from)
            }
            _ => None,
        };
        let words = self.last_words().await;
        SandboxError::Died {
            oom: exit_code == Some(KILLED) && self.group.as_ref().is_some_and(Group::lacked_memory),
            exit_code,
            // In a namespace no command can send this signal: the host's lack of memory did, or
            // somebody there.
            from_outside: self.dir.is_none()
                && matches!(broken, BrokenChannel::Closed(_))
                && exit_code == Some(KILLED),
            detail: if words.is_empty() {
                format!(": {broken}")
            } else {
                format!(": {words}")
            },
        }
    }

    /// The end of what it said on its standard error.
    async fn last_words(&mut self) -> String {
        use tokio::io::AsyncReadExt as _;
        let mut bytes = Vec::new();
        if let Some(stderr) = self.child.stderr.take() {
            let read = stderr.take(4096).read_to_end(&mut bytes).await;
            if read.is_err() {
                bytes.clear();
            }
        }
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }

    /// Waits for its end, and hastens it when it does not come.
    pub async fn end(mut self) {
        if tokio::time::timeout(Duration::from_secs(5), self.child.wait())
            .await
            .is_err()
        {
            self.kill();
            // The kernel ends it; what is left to do is to collect it.
            let _ = self.child.wait().await;
        }
        process::signal_group(self.pid, Signal::KILL);
    }
}
