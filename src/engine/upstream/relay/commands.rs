//! What the engine runs in a container: how many commands, and how the last of them begins.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::secret::PageMask;
use crate::text::one_line;

/// How often a container's commands are told of. A pass over all 652 pairs with two agents and a
/// hundred commands each then writes at most 45 MB.
const EVERY: Duration = Duration::from_secs(10);
/// The most that is kept of a command, in characters: what is told of it, and enough behind it that
/// a key in its end is known for one.
const KEPT: usize = 4000;
/// The most that is told of a command, in characters.
const TOLD: usize = 200;

/// The commands of one container.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    seen: u64,
    last: Option<String>,
    told: u64,
    told_at: Option<Instant>,
}

impl Commands {
    /// One more began; what it is, if that is known.
    pub fn took(&mut self, command: Option<String>) {
        self.seen += 1;
        self.last = command;
    }

    /// How many began.
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    /// How many began and how the last of them begins, where that is to be told now: the first at
    /// once, later ones now and then.
    pub fn take_due(&mut self, now: Instant, mask: &PageMask) -> Option<(u64, Option<String>)> {
        let is_early = |at: Instant| now.saturating_duration_since(at) < EVERY;
        if self.seen == self.told || self.told_at.is_some_and(is_early) {
            return None;
        }
        (self.told, self.told_at) = (self.seen, Some(now));
        // Masked first: half of a key is not known for one.
        let last = self.last.as_deref();
        let last = last.map(|command| one_line(&mask.hide(command), TOLD));
        Some((self.seen, last))
    }
}

/// What a request for an exec runs, without the shell around it; `None` if that cannot be read.
pub fn of_exec(request: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Exec<'a> {
        #[serde(borrow)]
        cmd: Vec<Cow<'a, str>>,
        working_dir: Option<String>,
    }
    let exec: Exec<'_> = serde_json::from_slice(request).ok()?;
    let joined = exec.cmd.join(" ");
    let text = match exec.cmd.as_slice() {
        [_, flag, script] if flag.starts_with('-') && flag.ends_with('c') => script.as_ref(),
        _ => &joined,
    };
    // `mini_swe_agent` names the directory in both places.
    let dir = exec.working_dir.unwrap_or_default();
    let in_dir = text
        .strip_prefix("cd ")
        .and_then(|rest| rest.strip_prefix(dir.as_str())?.strip_prefix(" && "));
    Some(in_dir.unwrap_or(text).chars().take(KEPT).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_shell_around_a_command_is_left_out() {
        let of = |cmd: serde_json::Value, dir: Option<&str>| {
            of_exec(
                json!({"Cmd": cmd, "WorkingDir": dir, "Env": ["A=b"]})
                    .to_string()
                    .as_bytes(),
            )
        };
        for (cmd, dir, told) in [
            (json!(["bash", "-lc", "make test"]), None, "make test"),
            (json!(["bash", "-lc", "cd /w && ls"]), Some("/w"), "ls"),
            (
                json!(["bash", "-c", "cd /x && ls"]),
                Some("/w"),
                "cd /x && ls",
            ),
            (json!(["ls", "-l", "/tmp"]), Some("/w"), "ls -l /tmp"),
            (json!([]), None, ""),
        ] {
            assert_eq!(of(cmd, dir).as_deref(), Some(told));
        }
        assert_eq!(of(json!("ls"), None), None);
        assert_eq!(of_exec(b"{\"Cmd\": [\"l"), None);
        let long = of(json!(["é".repeat(9000)]), None).unwrap();
        assert_eq!(long.chars().count(), KEPT);
    }

    #[test]
    fn the_first_is_told_at_once_and_later_ones_now_and_then() {
        let mask = PageMask::default();
        let mut commands = Commands::default();
        let begun = Instant::now();
        assert_eq!(commands.take_due(begun, &mask), None);
        commands.took(Some("git  status\nls".to_owned()));
        let first = Some((1, Some("git status ls".to_owned())));
        assert_eq!(commands.take_due(begun, &mask), first);
        for _ in 0..40 {
            commands.took(None);
        }
        assert_eq!(commands.take_due(begun, &mask), None);
        assert_eq!(commands.take_due(begun + EVERY, &mask), Some((41, None)));
        assert_eq!(commands.take_due(begun + EVERY * 2, &mask), None);
        assert_eq!(commands.seen(), 41);
    }

    #[test]
    fn a_key_is_masked_before_the_command_is_cut() {
        let key = "sk-wren-0123456789";
        let mask = PageMask::of([("WREN_API_KEY".to_owned(), key.to_owned())]);
        let mut commands = Commands::default();
        let before = "x".repeat(TOLD - 6);
        commands.took(Some(format!("{before} {key} OWL_TOKEN=abcdefghij")));
        let (_, told) = commands.take_due(Instant::now(), &mask).unwrap();
        assert_eq!(told.unwrap(), format!("{before} ****…"));
        commands.took(Some(format!("curl -H 'X: {key}'; OWL_TOKEN=abcdefghij sh")));
        let (_, told) = commands.take_due(Instant::now() + EVERY, &mask).unwrap();
        assert_eq!(told.unwrap(), "curl -H 'X: ****'; OWL_TOKEN=**** sh");
    }
}
