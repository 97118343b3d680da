//! Whether commands can still be run: an agent may have taken its shell away, or what it needs.

use std::io::{self, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::known::KnownShell;
use crate::process;

/// How long bash may take to say a word; on a machine that is so busy, nothing is known.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a shell is tried that does not run.
const TRIES: usize = 3;

/// What it is to say, before it tells which files it is made of.
const WORD: &str = "up";

/// What is more than a shell says: its own files are some ten lines.
const MOST_SAID: u64 = 1 << 16;

/// The script by which a shell says its word, and then which files it maps.
fn script() -> String {
    format!(r#"echo {WORD}; mapfile -t maps < /proc/self/maps; printf '%s\n' "${{maps[@]}}""#)
}

/// Whether libraries are looked for by other paths than the loader's own.
fn is_led() -> bool {
    std::env::vars_os().any(|(name, _)| name.as_encoded_bytes().starts_with(b"LD_"))
}

/// What one look at the shell shows.
#[derive(Debug)]
pub enum Look {
    /// It starts and does what it is told; with its files, where it can tell them.
    Runs(Option<KnownShell>),
    /// The machine is so busy that nothing is known.
    Late,
    /// It does something else.
    Broken,
}

/// Looks whether bash starts and does what it is told.
pub fn look() -> io::Result<Look> {
    let mut child = Command::new("bash")
        .args(["--noprofile", "--norc", "-c", &script()])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    if !has_ended(&mut child)? {
        return Ok(Look::Late);
    }
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MOST_SAID).read_to_end(&mut said)?;
    }
    let said = String::from_utf8_lossy(&said);
    Ok(match said.split_once('\n') {
        Some((WORD, _)) if is_led() => Look::Runs(None),
        Some((WORD, maps)) => {
            let shell = process::on_path("bash");
            Look::Runs(shell.and_then(|shell| KnownShell::of(&shell, maps)))
        }
        _ => Look::Broken,
    })
}

/// Waits until it has ended; one that takes too long is ended.
fn has_ended(child: &mut Child) -> io::Result<bool> {
    // From Linux 5.3 on; before, it is looked after now and then.
    let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty());
    let begun = Instant::now();
    while child.try_wait()?.is_none() {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        if left.is_zero() {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        let Ok(pidfd) = &pidfd else {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        };
        let left = Timespec::try_from(left).ok();
        match poll(&mut [PollFd::new(pidfd, PollFlags::IN)], left.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

/// Whether a shell that was seen to run is still the one that runs.
pub fn is_still(known: &KnownShell) -> bool {
    process::on_path("bash").is_some_and(|shell| known.is_as_it_was(&shell))
}

/// Whether bash starts and does what it is told, as far as is known.
pub fn runs() -> io::Result<bool> {
    Ok(!matches!(look()?, Look::Broken))
}

/// Whether it may, and what is known of it then: a lack of processes or of memory passes.
pub fn may_run() -> (bool, Option<KnownShell>) {
    for _ in 0..TRIES {
        match look() {
            Ok(Look::Runs(known)) => return (true, known),
            Ok(Look::Late) => return (true, None),
            Ok(Look::Broken) => {}
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => return (true, None),
                _ => {}
            },
        }
    }
    (false, None)
}
