//! The guest's program, made ready to be started in any root file system.
//!
//! A task's image may have another C library, or none. So the program goes in with the very
//! libraries and the loader that this process runs on, and is started through that loader: a
//! directory that works wherever it is mounted, as long as the processor is the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{SandboxLimits, Spec};
use crate::error::{Error, Result};
use crate::guest::call::{Door, SEND_MESSAGE};
use crate::{files, process};

/// Where the directory is mounted in a sandbox.
pub const INSIDE: &str = "/.regatta";
/// The hidden command that serves a sandbox.
pub const GUEST_COMMAND: &str = "__guest";
/// The hidden command behind programs that call the harness.
pub const CALL_COMMAND: &str = "__call";
/// The program that runs it, in the directory of the tools.
const CALLER: &str = "call";

/// The program that calls the harness, with the tools' directory at `at`: its first word names what
/// is called.
#[must_use]
pub fn caller(at: &str) -> String {
    format!("{at}/{CALLER}")
}

/// The options of the guest's command for a sandbox, with a socket when the harness is called.
#[must_use]
pub fn guest_options(door: &Door, spec: &Spec) -> Vec<String> {
    let mut options = vec!["--pids".to_owned(), spec.limits.pids.to_string()];
    if spec.calls_harness() {
        options.extend(["--socket".to_owned(), door.to_string()]);
    }
    options
}

/// The limits that a guest keeps itself, where neither daemon nor control group does.
#[must_use]
pub fn own_limits(limits: &SandboxLimits) -> Vec<String> {
    let mut options = Vec::new();
    if let Some(bytes) = limits.memory_bytes {
        options.extend(["--memory".to_owned(), bytes.to_string()]);
    }
    if let Some(cpus) = limits.cpus {
        options.extend(["--cpus".to_owned(), cpus.ceil().to_string()]);
    }
    options
}

/// The directory with the guest's program.
#[derive(Debug)]
pub struct Tools {
    dir: tempfile::TempDir,
    loader: Option<String>,
}

impl Tools {
    /// Makes the directory: below `parent`, named by `prefix` so that a reaper knows whose it is.
    ///
    /// The program is linked or copied, so that a rebuild does not change a run that goes on.
    pub fn prepare(parent: &Path, prefix: &str) -> Result<Self> {
        files::runs_programs(parent)?;
        let failed = |doing: &str, error: std::io::Error| {
            Error::world(format!("cannot {doing} in {}: {error}", parent.display()))
        };
        let dir = tempfile::Builder::new()
            .prefix(prefix)
            .tempdir_in(parent)
            .map_err(|error| failed("make a directory", error))?;
        let program = process::program()?;
        files::link_or_copy(&program, &dir.path().join("regatta"))?;
        let mut loader = None;
        for library in loaded_libraries()? {
            let Some(name) = library.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            files::link_or_copy(&library, &dir.path().join(name))?;
            if name.starts_with("ld-") {
                loader = Some(name.to_owned());
            }
        }
        let tools = Self { dir, loader };
        let bin = tools.dir.path().join("bin");
        files::create_open_dir(&bin)?;
        // Wherever the directory is mounted, the scripts find it by their own names.
        let words = tools.command("$at", CALL_COMMAND).join("\" \"");
        let call = format!("#!/bin/sh\nat=${{0%/*}}\nexec \"{words}\" \"$@\"\n");
        let send = format!("#!/bin/sh\nexec \"${{0%/bin/*}}/{CALLER}\" {SEND_MESSAGE} \"$@\"\n");
        for (path, script) in [
            (tools.dir.path().join(CALLER), call),
            (bin.join(SEND_MESSAGE), send),
        ] {
            files::write_atomic(&path, script.as_bytes())?;
            files::open_to_all(&path)?;
        }
        // Readable for whichever user a container runs as.
        files::open_to_all(tools.dir.path())?;
        Ok(tools)
    }

    /// The directory that holds them, on this machine.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The words that start a hidden command of the program, with the directory at `at`.
    #[must_use]
    pub fn command(&self, at: &str, command: &str) -> Vec<String> {
        let program = format!("{at}/regatta");
        let mut words = Vec::new();
        if let Some(loader) = &self.loader {
            words.push(format!("{at}/{loader}"));
            words.extend(["--library-path".to_owned(), at.to_owned()]);
        }
        words.extend([program, command.to_owned()]);
        words
    }
}

/// The shared libraries of this process, its loader among them (`/proc/self/maps`).
fn loaded_libraries() -> Result<BTreeSet<PathBuf>> {
    let maps = files::read_text(Path::new("/proc/self/maps"))?;
    let paths = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5));
    Ok(paths
        .filter(|path| path.starts_with('/') && path.contains(".so"))
        .map(PathBuf::from)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_starts_through_its_own_loader_from_anywhere() {
        let parent = tempfile::tempdir().unwrap();
        let tools = Tools::prepare(parent.path(), "t-").unwrap();
        let words = tools.command(&tools.dir().display().to_string(), "--help");
        // The test program is the one that runs here, and knows --help as well.
        let output = std::process::Command::new(&words[0])
            .args(&words[1..])
            .env_clear()
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}
