//! Signals that whoever started us ignores (`nohup`, a shell's background job) are ignored by every
//! child as well, and a program's own tests of signals would end otherwise.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

use crate::{files, process};

/// Lets children have every signal's default again: a handler is forgotten when another program
/// is started, an ignored signal is not (execve(2)).
pub fn restore() -> io::Result<()> {
    let status = files::read_text(&process::about("self", "status")).map_err(io::Error::other)?;
    let ignored = ignored(&status);
    // Rust ignores SIGPIPE itself, and gives it back to each child.
    let ignored: Vec<i32> = ignored.filter(|number| *number != 13).collect();
    if ignored.is_empty() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let _context = runtime.enter();
    for number in ignored {
        // Some cannot be handled; the handlers stay when the runtime goes.
        let _ = signal(SignalKind::from_raw(number));
    }
    Ok(())
}

/// The signals that a process ignores, by its `/proc/<pid>/status`.
fn ignored(status: &str) -> impl Iterator<Item = i32> + use<> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    (1..=64).filter(move |number| mask.unwrap_or(0) & (1 << (number - 1)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_names_its_signals() {
        let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001003\n";
        assert_eq!(ignored(status).collect::<Vec<_>>(), [1, 2, 13]);
        assert_eq!(ignored("Name:\tx\n").count(), 0);
    }
}
