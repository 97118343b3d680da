//! What an agent sees of a command.

use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::{CommandEnd, Output};
use crate::text::{by_number, plural};

/// The line that submits, as upstream's agents know it.
pub const SENTINEL: &str = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT";

/// A command's result, as templates and trajectories have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What it printed, the kept head and tail together; what is not UTF-8 is replaced.
    pub output: String,
    /// Its exit code; -1 when it was ended.
    pub returncode: i32,
    /// What the harness has to say about it; may be empty.
    pub note: String,
}

impl Observation {
    /// Of a command that may take so long.
    pub fn of(output: &Output, timeout: Duration) -> Self {
        let mut bytes = output.head.clone();
        bytes.extend(&output.tail);
        let mut notes = Vec::new();
        let returncode = match output.end {
            CommandEnd::Exited(code) => code,
            CommandEnd::TimedOut => {
                notes.push(format!(
                    "the command took longer than {} s and was ended with all its processes; this is what it printed until then",
                    timeout.as_secs()
                ));
                -1
            }
        };
        if output.elided > 0 {
            notes.push(format!(
                "{} in the middle of the output {} not kept",
                plural(output.elided, "byte"),
                by_number(output.elided, "was", "were")
            ));
        }
        Self {
            output: String::from_utf8_lossy(&bytes).into_owned(),
            returncode,
            note: notes.join("; "),
        }
    }

    /// Of a command that was not run.
    pub fn not_run(why: &str) -> Self {
        Self {
            output: String::new(),
            returncode: -1,
            note: why.to_owned(),
        }
    }

    /// Whether it submits: the first line with anything on it is the sentinel, and the command
    /// succeeded.
    pub fn submits(&self) -> bool {
        let first = self.output.trim_start().lines().next();
        self.returncode == 0 && first.is_some_and(|line| line.trim() == SENTINEL)
    }

    /// The `output` that templates name, with the keys of mini-swe-agent: the note is
    /// `exception_info`.
    pub fn as_json(&self) -> Value {
        json!({"output": self.output, "returncode": self.returncode, "exception_info": self.note})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(output: &str, returncode: i32) -> Observation {
        Observation {
            output: output.to_owned(),
            returncode,
            note: String::new(),
        }
    }

    #[test]
    fn only_a_successful_sentinel_in_the_first_line_submits() {
        assert!(observed(&format!("\n  {SENTINEL}\nmore"), 0).submits());
        assert!(!observed(&format!("{SENTINEL}\n"), 1).submits());
        assert!(!observed(&format!("ready\n{SENTINEL}\n"), 0).submits());
        assert!(!observed(&format!("{SENTINEL}!"), 0).submits());
    }

    #[test]
    fn what_was_printed_before_the_end_is_there_with_a_note() {
        let output = Output {
            end: CommandEnd::TimedOut,
            head: b"so far\n".to_vec(),
            tail: Vec::new(),
            elided: 0,
        };
        let observation = Observation::of(&output, Duration::from_mins(5));
        assert_eq!(observation.returncode, -1);
        assert_eq!(observation.output, "so far\n");
        assert!(observation.note.contains("longer than 300 s"));
    }
}
