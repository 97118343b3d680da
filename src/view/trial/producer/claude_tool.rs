//! The tools of Claude Code.

use std::fmt::Write as _;

use serde_json::Value;

use super::super::words::{bounded, text_of};
use super::super::{ActionKind, TurnAction};

/// A call of a tool.
pub fn action(name: &str, input: &Value) -> TurnAction {
    let text = |field: &str| input[field].as_str();
    let made = match (name, text("command"), text("file_path")) {
        ("Bash", Some(command), _) => TurnAction::command(command),
        ("Edit", _, Some(file)) => edit(file, &[input]),
        ("MultiEdit", _, Some(file)) => {
            let edits = input["edits"].as_array().into_iter().flatten();
            edit(file, &edits.collect::<Vec<_>>())
        }
        ("Write", _, Some(file)) => {
            let new = text("content").unwrap_or_default();
            TurnAction::new(ActionKind::Edit, diff(file, &[("", new)]))
        }
        ("SendMessage", ..) => TurnAction::new(ActionKind::Message, bounded(&input.to_string())),
        _ => TurnAction::new(ActionKind::Other, bounded(&input.to_string())),
    };
    TurnAction {
        tool: Some(name.to_owned()),
        ..made
    }
}

fn edit(file: &str, edits: &[&Value]) -> TurnAction {
    let side = |edit: &&Value| -> Option<(String, String)> {
        let text = |name: &str| Some(edit[name].as_str()?.to_owned());
        Some((text("old_string")?, text("new_string")?))
    };
    let sides: Vec<(String, String)> = edits.iter().filter_map(side).collect();
    let sides: Vec<(&str, &str)> = sides
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    TurnAction::new(ActionKind::Edit, diff(file, &sides))
}

/// A change of a file's text as a diff without its numbers of lines.
pub fn diff(file: &str, changes: &[(&str, &str)]) -> String {
    let mut out = format!("--- {file}\n+++ {file}");
    for (old, new) in changes {
        out.push_str("\n@@");
        let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
        // Lines that both begin or end with are context.
        let same = |pair: &(&&str, &&str)| pair.0 == pair.1;
        let head = old.iter().zip(&new).take_while(same).count();
        let most = old.len().min(new.len()) - head;
        let ends = old.iter().rev().zip(new.iter().rev());
        let tail = ends.take(most).take_while(same).count();
        let mut lines = |sign: char, lines: &[&str]| {
            for line in lines {
                let _ = write!(out, "\n{sign}{line}");
            }
        };
        lines(' ', &old[..head]);
        lines('-', &old[head..old.len() - tail]);
        lines('+', &new[head..new.len() - tail]);
        lines(' ', &old[old.len() - tail..]);
    }
    bounded(&out)
}

/// What a tool gave back as text.
pub fn output(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let text = |block: &Value| match block["type"].as_str() {
                Some("text") => text_of(&block["text"]).unwrap_or_default().to_owned(),
                Some("image") => "[an image]".to_owned(),
                _ => block.to_string(),
            };
            blocks.iter().map(text).collect::<Vec<_>>().join("\n")
        }
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
