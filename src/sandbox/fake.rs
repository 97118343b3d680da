//! A scripted sandbox: answers at once, runs nothing.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::channel::Output;
use super::{Command, SandboxError};
use crate::guest::call::Callee;
use crate::guest::frame::CommandEnd;

/// What a fake sandbox answers, for tests without one.
#[derive(Clone, Default)]
pub struct FakeScript {
    /// What commands print, by a text that they contain; the first that fits. Others print nothing.
    pub outputs: Vec<(String, String)>,
    /// The diff that is submitted.
    pub diff: String,
    /// The sandbox dies at the command with this number, from 1.
    pub dies_at: Option<usize>,
}

impl fmt::Debug for FakeScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").finish_non_exhaustive()
    }
}

/// A sandbox that runs nothing: it answers from its script, and keeps files in memory.
#[derive(Debug)]
pub struct FakeSandbox {
    script: Arc<FakeScript>,
    commands: usize,
    files: HashMap<String, Vec<u8>>,
}

impl FakeSandbox {
    /// A fresh one, with no file in it and no command run.
    #[must_use]
    pub fn start(script: Arc<FakeScript>) -> Self {
        Self {
            script,
            commands: 0,
            files: HashMap::new(),
        }
    }

    /// "Runs" a command: `echo` prints its words, others what the script says.
    pub async fn run(
        &mut self,
        command: Command<'_>,
        _callee: Option<&dyn Callee>,
    ) -> Result<Output, SandboxError> {
        self.commands += 1;
        if self.script.dies_at == Some(self.commands) {
            return Err(SandboxError::Died {
                oom: false,
                exit_code: Some(137),
                from_outside: true,
                detail: String::new(),
            });
        }
        let mut outputs = self.script.outputs.iter();
        let scripted = outputs.find(|(text, _)| command.script.contains(text));
        let text = match (scripted, command.script.strip_prefix("echo ")) {
            (Some((_, output)), _) => output.clone(),
            (None, Some(words)) => format!("{words}\n"),
            (None, None) => String::new(),
        };
        // As a real one would, lets others run in between.
        tokio::task::yield_now().await;
        Ok(Output {
            end: CommandEnd::Exited(0),
            head: text.into_bytes(),
            tail: Vec::new(),
            elided: 0,
        })
    }

    /// A file that was written before.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, SandboxError> {
        self.files
            .get(path)
            .cloned()
            .ok_or_else(|| SandboxError::Refused(format!("there is no {path}")))
    }

    /// Keeps a file in memory, to be read again.
    pub fn write(&mut self, path: &str, bytes: &[u8]) {
        self.files.insert(path.to_owned(), bytes.to_vec());
    }

    /// The script's diff, whatever was written.
    #[must_use]
    pub fn diff(&self) -> Vec<u8> {
        self.script.diff.clone().into_bytes()
    }
}
