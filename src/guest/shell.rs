//! Bash, which every command is given to, and whether it can still be run: an agent may have taken it
//! away, or what it needs.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long bash may take to say a word; on a machine that is so busy, nothing is known.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a shell is tried that does not run.
const TRIES: usize = 3;

/// What it is to say.
const WORD: &str = "up";

/// Bash, and the variables that it is started with.
#[derive(Clone, Debug, Default)]
pub struct Shell {
    /// All of them; without it those of our own environment.
    pub env: Option<Vec<(String, String)>>,
}

impl Shell {
    /// The `PATH` that programs are looked for by.
    pub fn path(&self) -> String {
        match &self.env {
            Some(env) => {
                let mut paths = env.iter().rev().filter(|(name, _)| name == "PATH");
                paths.next().map(|(_, path)| path.clone())
            }
            None => std::env::var("PATH").ok(),
        }
        .unwrap_or_default()
    }

    /// What starts bash with its variables.
    pub fn command(&self) -> Command {
        let Some(env) = &self.env else {
            return Command::new("bash");
        };
        // A program with a path is started without a copy of ourselves, whatever its `PATH` is.
        let mut command = Command::new(self.found());
        command.env_clear();
        command.envs(env.iter().map(|(name, value)| (name, value)));
        command
    }

    fn found(&self) -> PathBuf {
        let path = self.path();
        let dirs = path.split(':').filter(|dir| dir.starts_with('/'));
        let mut programs = dirs.map(|dir| Path::new(dir).join("bash"));
        let may_run = |program: &PathBuf| {
            rustix::fs::access(program, rustix::fs::Access::EXEC_OK).is_ok() && program.is_file()
        };
        programs.find(may_run).unwrap_or_else(|| "bash".into())
    }

    /// Whether bash starts and does what it is told.
    pub fn runs(&self) -> io::Result<bool> {
        let mut child = self
            .command()
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
    pub fn may_run(&self) -> bool {
        (0..TRIES).any(|_| match self.runs() {
            Ok(runs) => runs,
            Err(error) => matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory
            ),
        })
    }
}
