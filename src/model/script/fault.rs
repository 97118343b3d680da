//! The faults of a scripted endpoint, by a file that may change at any time.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::lie::Lie;
use crate::config::parse_duration;
use crate::error::Result;
use crate::files;

/// The faults that a file names.
#[derive(Debug)]
pub struct ScriptedFaults {
    /// The file, read at each request; see [`Fault`].
    pub file: Option<PathBuf>,
}

/// How a request fails: the first line of the fault file that applies to it.
///
/// `429 retry-after=1`, `401`, `500`, `malformed`, `hang`, `slow 2s`, `hold` (no answer for as long
/// as the line applies) or a lie (`no-usage`, `no-choices`, `bad-arguments`, `unknown-tool`,
/// `failed` and `silent`: a generation that failed or said nothing, `cut`: one over its limit,
/// `huge`, or `kills-guest`: a command that ends the process which runs it). After any of them
/// `until=N`: until N requests met with a fault; and last `when=TEXT`: only requests that contain the
/// text. A request that meets with a fault is first added as a line to `FILE.met`, so that a test can
/// wait until an agent is at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Status(u16, Option<Duration>),
    Malformed,
    Hang,
    Hold,
    Slow(Duration),
    Lie(Lie),
}

impl ScriptedFaults {
    /// The fault that applies to a request, if one does.
    pub fn of(&self, request: &str) -> Option<Fault> {
        let lines = files::read_text(self.file.as_ref()?).ok()?;
        lines.lines().find_map(|line| self.in_line(line, request))
    }

    fn in_line(&self, line: &str, request: &str) -> Option<Fault> {
        let (line, when) = line
            .trim()
            .split_once(" when=")
            .unwrap_or((line.trim(), ""));
        let (line, until) = match line.split_once(" until=") {
            Some((line, until)) => (line, Some(until.parse::<usize>().ok()?)),
            None => (line, None),
        };
        if !request.contains(when) || until.is_some_and(|until| self.met() >= until) {
            return None;
        }
        let mut words = line.split_whitespace();
        match words.next()? {
            "malformed" => Some(Fault::Malformed),
            "hang" => Some(Fault::Hang),
            "hold" => Some(Fault::Hold),
            "slow" => Some(Fault::Slow(parse_duration(words.next()?).ok()?)),
            word if let Some((_, lie)) = Lie::ALL.iter().find(|(name, _)| *name == word) => {
                Some(Fault::Lie(*lie))
            }
            status => {
                let after = words
                    .next()
                    .and_then(|word| word.strip_prefix("retry-after="));
                Some(Fault::Status(
                    status.parse().ok()?,
                    after.and_then(|s| s.parse().ok()).map(Duration::from_secs),
                ))
            }
        }
    }

    fn met_file(&self) -> Option<PathBuf> {
        Some(self.file.as_ref()?.with_added_extension("met"))
    }

    /// How many requests met with a fault so far.
    fn met(&self) -> usize {
        let noted = self
            .met_file()
            .and_then(|file| files::read_text(&file).ok());
        noted.map_or(0, |noted| noted.lines().count())
    }

    /// Adds a request to those that met with a fault.
    pub fn note(&self, call: &Value) -> Result<()> {
        let Some(file) = self.met_file() else {
            return Ok(());
        };
        files::append_line_unsynced(&file, &call.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Faults of a file with these lines, and the directory that it is in.
    fn faults(lines: &str) -> (tempfile::TempDir, ScriptedFaults) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("faults");
        files::write_atomic(&file, lines.as_bytes()).unwrap();
        (dir, ScriptedFaults { file: Some(file) })
    }

    #[test]
    fn each_word_is_the_fault_that_it_says() {
        for (line, fault) in [
            (
                "429 retry-after=7",
                Some(Fault::Status(429, Some(Duration::from_secs(7)))),
            ),
            ("  500 ", Some(Fault::Status(500, None))),
            ("malformed", Some(Fault::Malformed)),
            ("hang", Some(Fault::Hang)),
            ("hold", Some(Fault::Hold)),
            ("slow 2s", Some(Fault::Slow(Duration::from_secs(2)))),
            ("kills-guest", Some(Fault::Lie(Lie::KillsGuest))),
            ("", None),
            ("nonsense", None),
        ] {
            let (_dir, faults) = faults(line);
            assert_eq!(faults.of("{}"), fault, "{line}");
        }
        assert_eq!(ScriptedFaults { file: None }.of("{}"), None);
    }

    #[test]
    fn the_first_line_that_applies_counts() {
        let (_dir, faults) = faults("401 when=agent1\n500 when=agent2\nhang when=agent1\n");
        assert_eq!(faults.of("for agent1"), Some(Fault::Status(401, None)));
        assert_eq!(faults.of("for agent2"), Some(Fault::Status(500, None)));
        assert_eq!(faults.of("for nobody"), None);
    }

    #[test]
    fn a_line_is_over_when_so_many_requests_met_a_fault() {
        let (_dir, faults) = faults("500 until=2 when=x\n");
        for _ in 0..2 {
            assert_eq!(faults.of("x"), Some(Fault::Status(500, None)));
            faults.note(&json!({"x": 1})).unwrap();
        }
        assert_eq!(faults.of("x"), None);
    }
}
