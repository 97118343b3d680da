//! Commands in hints: the flags that this process was given lead them to the same runs.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// A flag with its value, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The flag's long name, with its dashes.
    pub name: String,
    /// The value that was typed; `None` for a switch.
    pub value: Option<String>,
}

/// What a hint needs of the command line: the flags to repeat, by the command that is hinted at.
pub type Given = BTreeMap<String, Vec<Flag>>;

/// Set once, when the command line has been read; without it nothing was given.
static GIVEN: OnceLock<Given> = OnceLock::new();

/// Keeps what this process was given.
pub fn remember(given: Given) {
    // It is read once a process.
    let _ = GIVEN.set(given);
}

/// The command line `regatta WORDS` for a hint, with the given flags that this command needs to come
/// to the same runs. It can be pasted.
#[must_use]
pub fn command(words: &str) -> String {
    match GIVEN.get() {
        Some(given) => complete(given, words),
        None => format!("regatta {words}"),
    }
}

/// A text of ours with the commands that it names in backticks made whole.
#[must_use]
pub fn in_text(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(n, part)| {
        let words = part.strip_prefix("regatta ").filter(|_| n % 2 == 1);
        words.map_or_else(|| part.to_owned(), command)
    });
    parts.collect::<Vec<_>>().join("`")
}

fn complete(given: &Given, words: &str) -> String {
    let mut line = format!("regatta {words}");
    let name = words.split(' ').next().unwrap_or_default();
    // A flag that the hint sets itself is not what was given.
    let is_set = |flag: &&Flag| words.split(' ').any(|word| word == flag.name);
    for flag in given.get(name).into_iter().flatten() {
        if is_set(&flag) {
            continue;
        }
        line.push(' ');
        line.push_str(&flag.name);
        if let Some(value) = &flag.value {
            // A value that begins with a dash is one only behind `=`.
            line.push(if value.starts_with('-') { '=' } else { ' ' });
            line.push_str(&shlex::try_quote(value).unwrap_or_default());
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_repeated_once_and_quoted_for_a_shell() {
        let flag = |name: &str, value: Option<&str>| Flag {
            name: name.to_owned(),
            value: value.map(str::to_owned),
        };
        let flags = vec![
            flag("--logs-dir", Some("it's/here now")),
            flag("--rules", Some("0.0.29")),
            flag("--git", None),
            flag("--name", Some("-x")),
        ];
        let given = Given::from([("eval".to_owned(), flags)]);
        assert_eq!(
            complete(&given, "eval a-solo --rules 0.0.11"),
            r#"regatta eval a-solo --rules 0.0.11 --logs-dir "it's/here now" --git --name=-x"#
        );
        assert_eq!(complete(&given, "clean"), "regatta clean");
        let advice = "Read it; `regatta doctor` and `git status` tell, regatta does not.";
        assert_eq!(in_text(advice), advice);
    }
}
