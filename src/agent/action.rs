//! What a reply asks for.

use serde_json::{Value, json};

use super::config::Protocol;
use crate::model::chat::{Reply, Tool, ToolCall};

/// The longest reply that is searched for a fenced block, in bytes: the expression is the user's,
/// and the time to search may grow with its size times this. Models write 128,000 tokens at most.
const LONGEST_FENCED: usize = 512 << 10;

/// What the model is told of a reply that ends in the middle.
const CUT: &str = "it was cut off at the limit of output tokens, before it was complete. Say less at once: write a long file in several commands";

/// A command that the model asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub command: String,
    /// The tool's call that it comes from.
    pub call: Option<String>,
}

impl Action {
    /// The commands that a reply asks for, or what is wrong with it.
    pub fn all_of(reply: &Reply, protocol: &Protocol) -> Result<Vec<Self>, String> {
        let found = match protocol {
            Protocol::Fenced(regex) => {
                Self::fenced(&reply.message.content, regex).map(|one| vec![one])
            }
            Protocol::Tools => Self::called(&reply.message.tool_calls),
        };
        // What is wrong with half a reply is that it is half.
        found.map_err(|why| if reply.is_cut { CUT.to_owned() } else { why })
    }

    fn fenced(content: &str, regex: &regex::Regex) -> Result<Self, String> {
        let length = content.len();
        if length > LONGEST_FENCED {
            return Err(format!(
                "it must have at most {LONGEST_FENCED} bytes, and has {length}"
            ));
        }
        let found: Vec<_> = regex.captures_iter(content).collect();
        let [block] = found.as_slice() else {
            return Err(format!(
                "it must have exactly one bash block, and has {}",
                found.len()
            ));
        };
        let command = block.get(1).map_or("", |found| found.as_str());
        Ok(Self {
            command: command.trim().to_owned(),
            call: None,
        })
    }

    fn called(calls: &[ToolCall]) -> Result<Vec<Self>, String> {
        if calls.is_empty() {
            return Err("it calls no tool".to_owned());
        }
        calls.iter().map(Self::of_call).collect()
    }

    fn of_call(call: &ToolCall) -> Result<Self, String> {
        if call.name.is_empty() {
            return Err("its tool call names no tool".to_owned());
        }
        if call.name != "bash" {
            return Err(format!("there is no tool `{}`", call.name));
        }
        let arguments: Value = serde_json::from_str(&call.arguments)
            .map_err(|error| format!("the tool's arguments are not JSON: {error}"))?;
        let Some(command) = arguments.get("command").and_then(Value::as_str) else {
            return Err("the tool's arguments have no text `command`".to_owned());
        };
        if command.contains('\0') {
            return Err("the command holds a NUL character".to_owned());
        }
        Ok(Self {
            command: command.to_owned(),
            call: Some(call.id.clone()),
        })
    }
}

/// The one tool that agents are given.
#[must_use]
pub fn bash_tool() -> Tool {
    Tool {
        name: "bash".to_owned(),
        description: "Execute a bash command".to_owned(),
        parameters: json!({
            "type": "object",
            "properties": {
                "command": {"type": "string", "description": "The bash command to execute"},
            },
            "required": ["command"],
        }),
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;
    use serde_json::Map;

    use super::*;
    use crate::agent::calls::unread;
    use crate::model::chat::{Message, Role};

    fn says(content: &str) -> Reply {
        Reply {
            message: Message::text(Role::Assistant, content),
            ..unread()
        }
    }

    fn calls(calls: &[(&str, &str)]) -> Reply {
        let mut reply = unread();
        let calls = calls.iter().enumerate();
        let calls = calls.map(|(nth, (name, arguments))| ToolCall {
            id: format!("call_{nth}"),
            name: (*name).to_owned(),
            arguments: (*arguments).to_owned(),
            extras: Map::new(),
        });
        reply.message.tool_calls.extend(calls);
        reply
    }

    fn fenced() -> Protocol {
        Protocol::Fenced(Regex::new(r"(?s)```bash\s*\n(.*?)\n```").unwrap())
    }

    fn commands(reply: &Reply, protocol: &Protocol) -> Result<Vec<String>, String> {
        let actions = Action::all_of(reply, protocol)?;
        Ok(actions.into_iter().map(|action| action.command).collect())
    }

    #[test]
    fn each_tool_call_is_a_command_with_the_calls_id() {
        let reply = calls(&[
            ("bash", r#"{"command": "ls"}"#),
            ("bash", r#"{"command": " pwd", "why": "x"}"#),
        ]);
        let action = |command: &str, call: &str| Action {
            command: command.to_owned(),
            call: Some(call.to_owned()),
        };
        assert_eq!(
            Action::all_of(&reply, &Protocol::Tools).unwrap(),
            [action("ls", "call_0"), action(" pwd", "call_1")]
        );
    }

    #[test]
    fn one_call_that_cannot_be_used_spoils_the_reply_and_is_told() {
        let good = ("bash", r#"{"command": "ls"}"#);
        for (bad, why) in [
            (("", "{}"), "names no tool"),
            (("python", r#"{"command": "ls"}"#), "no tool `python`"),
            (("bash", r#"{"command": "ls"#), "are not JSON"),
            (("bash", r#"{"command": 7}"#), "no text `command`"),
            (("bash", r#"["ls"]"#), "no text `command`"),
            (("bash", r#"{"command": "a\u0000b"}"#), "NUL"),
        ] {
            let told = commands(&calls(&[good, bad]), &Protocol::Tools).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
        let told = commands(&says("I am done."), &Protocol::Tools).unwrap_err();
        assert_eq!(told, "it calls no tool");
    }

    #[test]
    fn of_a_reply_that_was_cut_off_that_is_what_is_told() {
        let cut = |reply: Reply| Reply {
            is_cut: true,
            ..reply
        };
        let reply = cut(calls(&[("bash", r#"{"command": "ls"#)]));
        assert_eq!(commands(&reply, &Protocol::Tools).unwrap_err(), CUT);
        // One that is whole all the same is used.
        let reply = cut(calls(&[("bash", r#"{"command": "ls"}"#)]));
        assert_eq!(commands(&reply, &Protocol::Tools).unwrap(), ["ls"]);
    }

    #[test]
    fn exactly_one_fenced_block_is_a_command() {
        let one = says("I look.\n\n```bash\n\n ls -l \n```\n");
        let action = Action {
            command: "ls -l".to_owned(),
            call: None,
        };
        assert_eq!(Action::all_of(&one, &fenced()).unwrap(), [action]);
        for (text, count) in [
            ("ls", 0),
            ("```bash\nls\n```\nand\n```bash\npwd\n```", 2),
            ("```sh\nls\n```", 0),
        ] {
            let told = commands(&says(text), &fenced()).unwrap_err();
            assert!(told.ends_with(&format!("and has {count}")), "{told}");
        }
    }

    #[test]
    fn the_longest_fenced_reply_is_searched_and_a_longer_one_is_not() {
        let block = "```bash\nls\n```\n";
        let padded = |length: usize| says(&format!("{block}{}", "x".repeat(length - block.len())));
        assert_eq!(
            commands(&padded(LONGEST_FENCED), &fenced()).unwrap(),
            ["ls"]
        );
        let told = commands(&padded(LONGEST_FENCED + 1), &fenced()).unwrap_err();
        assert!(told.contains("at most 524288 bytes"), "{told}");
    }
}
