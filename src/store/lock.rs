//! The lock of a run: one regatta at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::time::SystemTime;

use super::RunDir;
use super::lease::{ClaimKey, Claims, Holder};
use crate::error::{Error, Result};
use crate::files;
use crate::hint;
use crate::process::{self, Owner};

/// A held lock; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock, or says who has it.
    pub fn take(run: &RunDir) -> Result<Self> {
        let path = run.lock();
        files::create_dir(&run.own())?;
        let cannot = |error: &std::io::Error| {
            Error::usage(format!("cannot lock {}: {error}", path.display()))
                .hint("it is a small file of ours: where it is something else, move it away")
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).truncate(false);
        let mut file = files::open_to_write(&path, &mut options).map_err(|error| cannot(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = name_in(&file).map_err(|error| cannot(&error))?;
                return Err(Error::usage(format!(
                    "run `{}` is already running: {} is locked by {}",
                    run.name(),
                    path.display(),
                    holder.trim()
                ))
                .hint(format!(
                    "wait for it, stop it, or use another --name; `{}` shows its progress",
                    hint::command(&format!("status {}", run.name()))
                )));
            }
            Err(TryLockError::Error(error)) => return Err(cannot(&error)),
        }
        let write = |file: &mut File| -> std::io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            write!(file, "{}", Owner::this().describe())?;
            file.sync_data()
        };
        write(&mut file).map_err(|error| cannot(&error))?;
        Ok(Self { _file: file })
    }

    /// When the lock of a run was taken last; `None` where it never was.
    #[must_use]
    pub fn taken_at(run: &RunDir) -> Option<SystemTime> {
        run.lock().metadata().ok()?.modified().ok()
    }

    /// Who has a run, if anyone does: who holds its lock, or the driver of its workers, whose host's
    /// locks may not be seen here.
    #[must_use]
    pub fn holder(run: &RunDir) -> Option<String> {
        Self::held_by(run).or_else(|| Some(driver_of(run)?.to_string()))
    }

    fn held_by(run: &RunDir) -> Option<String> {
        let file = files::open(&run.lock()).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(name_in(&file).ok()?.trim().to_owned()),
            _ => None,
        }
    }
}

impl RunLock {
    /// Whether another process has a run.
    #[must_use]
    pub fn is_held_elsewhere(run: &RunDir) -> bool {
        match Self::held_by(run) {
            Some(holder) => holder != Owner::this().describe(),
            None => driver_of(run)
                .is_some_and(|it| it.pid != std::process::id() || it.host != process::host()),
        }
    }
}

/// The driver of a run whose workers are on other machines, if one claims it and is not known to be
/// dead.
#[must_use]
pub fn driver_of(run: &RunDir) -> Option<Holder> {
    let driver = Claims::of(run).holder(&ClaimKey::Driver).ok()??;
    (!driver.is_dead()).then_some(driver)
}

/// Who wrote a lock: a process and its host, in far less than what is read here.
fn name_in(lock: &File) -> std::io::Result<String> {
    let mut holder = Vec::new();
    lock.take(1000).read_to_end(&mut holder)?;
    Ok(String::from_utf8_lossy(&holder).into_owned())
}
