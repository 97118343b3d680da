//! What a command of the shell does, as far as its words tell. Pure.

use std::sync::LazyLock;

use regex::Regex;

use super::ActionKind;

/// What ends an agent's work when a command prints it.
const SENTINELS: [&str; 2] = [
    "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT",
    "MINI_SWE_AGENT_FINAL_OUTPUT",
];

/// Where a command may begin: at a line's, or after what ends another one.
const BEGINS: &str = r"(?m)(?:^|[;&|(){}`]|\bthen\b|\bdo\b|\belse\b)\s*(?:[A-Za-z_]+=\S*\s+)*";

static GIT: LazyLock<Regex> = LazyLock::new(|| {
    let git = r"git(?:\s+-[cC]\s+\S+|\s+--?[\w-]+(?:=\S+)?)*\s+(push|fetch|pull|ls-remote)\b";
    Regex::new(&format!("{BEGINS}(?:{git}|gh\\s+pr\\s+(create)\\b)")).expect("tested")
});

static SENDS: LazyLock<Regex> = LazyLock::new(|| {
    let programs = r"(send_message|coop-send|coop-broadcast)\b";
    Regex::new(&format!("{BEGINS}{programs}")).expect("tested")
});

/// What a command is: the most telling first.
pub fn kinds(command: &str) -> (ActionKind, Vec<ActionKind>) {
    let mut kinds = Vec::new();
    if SENTINELS.iter().any(|word| command.contains(word)) {
        kinds.push(ActionKind::Submit);
    }
    if command.contains("send_message") || command.contains("coop-") {
        kinds.extend(SENDS.is_match(command).then_some(ActionKind::Message));
    }
    for found in GIT.captures_iter(command) {
        kinds.push(match found.get(1).map(|word| word.as_str()) {
            Some("push") | None => ActionKind::Push,
            Some(_) => ActionKind::Fetch,
        });
    }
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.is_empty() {
        (ActionKind::Command, kinds)
    } else {
        (kinds.remove(0), kinds)
    }
}

/// The messages that a command sends: to whom, where it says it, and what.
pub fn messages(command: &str) -> Vec<(Option<String>, String)> {
    let sends = SENDS.captures_iter(command);
    sends
        .filter_map(|found| {
            let program = found.get(1)?;
            let takes_name = program.as_str() != "coop-broadcast";
            message(&command[program.end()..], takes_name)
        })
        .collect()
}

fn message(mut rest: &str, takes_name: bool) -> Option<(Option<String>, String)> {
    let mut to = None;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if let Some(after) = rest.strip_prefix("<<") {
            let (first, body) = after.split_once('\n')?;
            let end = first.split_whitespace().next()?;
            let end = end.trim_start_matches('-').trim_matches(['\'', '"']);
            let lines = body.lines().take_while(|line| line.trim() != end);
            return Some((to, lines.collect::<Vec<_>>().join("\n")));
        }
        let first = rest.chars().next()?;
        if matches!(first, '"' | '\'') {
            let (quoted, after) = quoted(&rest[1..], first)?;
            if takes_name && to.is_none() {
                to = Some(quoted);
                rest = after;
                continue;
            }
            return Some((to, quoted));
        }
        let end = rest.find(|c: char| c.is_whitespace() || ";&|".contains(c));
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        if word.is_empty() || (to.is_some() || !takes_name) && !word.starts_with('-') {
            return None;
        }
        if !word.starts_with('-') {
            to = Some(word.to_owned());
        }
        rest = after;
    }
}

/// A quoted text without its quotes, and what follows it.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quote == '"' => match chars.next()? {
                (_, c) if "\"\\$`".contains(c) => out.push(c),
                (_, c) => out.extend(['\\', c]),
            },
            c if c == quote => return Some((out, &text[at + 1..])),
            c => out.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_what_it_does() {
        use ActionKind::{Command, Fetch, Message, Push, Submit};
        for (command, kind, also) in [
            ("ls -la", Command, vec![]),
            ("echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT", Submit, vec![]),
            (
                "git add -A && git -c user.name=x push -q origin HEAD",
                Push,
                vec![],
            ),
            (
                "git fetch origin && git merge x; git push",
                Push,
                vec![Fetch],
            ),
            ("if true; then git pull; fi", Fetch, vec![]),
            (
                "send_message agent2 'hello' && git push",
                Message,
                vec![Push],
            ),
            ("grep -rn 'git push' docs", Command, vec![]),
            ("grep -rn send_message src", Command, vec![]),
            ("coop-send agent2 \"hi\" && coop-recv", Message, vec![]),
            ("gh pr create --title x", Push, vec![]),
        ] {
            assert_eq!(kinds(command), (kind, also), "{command}");
        }
    }

    #[test]
    fn a_message_is_read_in_each_of_its_forms() {
        for (command, to, text) in [
            (
                "send_message agent2 \"I take \\\"a\\\".\"",
                Some("agent2"),
                "I take \"a\".",
            ),
            ("send_message --wait agent2 'Who?'", Some("agent2"), "Who?"),
            (
                "cd x; send_message agent1 --wait <<'MSG'\none\ntwo\nMSG\nls",
                Some("agent1"),
                "one\ntwo",
            ),
            (
                "coop-broadcast \"all of you\" && coop-recv",
                None,
                "all of you",
            ),
        ] {
            let wanted = (to.map(str::to_owned), text.to_owned());
            assert_eq!(messages(command), [wanted], "{command}");
        }
        for nothing in [
            "send_message",
            "send_message agent2",
            "send_message agent2 \"open",
        ] {
            assert!(messages(nothing).is_empty(), "{nothing}");
        }
    }
}
