//! Whether commands can still be run: an agent may have taken its shell away, or what it needs.

use std::io::{self, Read as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long bash may take to say a word; on a machine that is so busy, nothing is known.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a shell is tried that does not run.
const TRIES: usize = 3;

/// What it is to say.
const WORD: &str = "up";

/// Whether bash starts and does what it is told.
pub fn runs() -> io::Result<bool> {
    let mut child = Command::new("bash")
        .args(["--noprofile", "--norc", "-c", &format!("echo {WORD}")])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let begun = Instant::now();
    while child.try_wait()?.is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(100).read_to_end(&mut said)?;
    }
    Ok(said.trim_ascii() == WORD.as_bytes())
}

/// Whether it may: a lack of processes or of memory passes.
pub fn may_run() -> bool {
    (0..TRIES).any(|_| match runs() {
        Ok(runs) => runs,
        Err(error) => matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory
        ),
    })
}
