//! Which of an agent's files tells its turns best, and reading it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::producer::claude_code::Claude;
use super::producer::codex::Codex;
use super::producer::{mini_swe_agent_v2, of_messages, regatta};
use super::salvage::trajectory;
use super::telling::Telling;
use super::{Producer, Turn};
use crate::files;
use crate::json;

/// The most of a file that is read. Those of agents have a few megabytes.
const MOST: u64 = 256_000_000;

/// What an agent's files are called.
#[derive(Clone, Debug, Default)]
pub struct AgentFiles {
    /// The trajectory that the engine wrote at the end.
    pub trajectory: PathBuf,
    /// All turns of one that was shortened.
    pub full: Option<PathBuf>,
    /// The trajectory that our engine writes meanwhile.
    pub running: Option<PathBuf>,
    /// What its program keeps: its session.
    pub session: Option<PathBuf>,
    /// What its program printed.
    pub stream: Option<PathBuf>,
}

/// What an agent's files tell of its turns.
#[derive(Debug, Default)]
pub struct ToldTurns {
    pub producer: Producer,
    pub turns: Vec<Turn>,
    /// The file that they are from.
    pub file: Option<PathBuf>,
    pub untold: Vec<String>,
    pub running: regatta::RunningHead,
}

/// Reads an agent's turns from the file that tells most of them.
pub fn tell(files: &AgentFiles, framework: Option<&str>) -> ToldTurns {
    let programs = [&files.session, &files.stream];
    let mut of_others = None;
    for path in programs.into_iter().flatten() {
        let (told, is_own) = of_program(path);
        if is_own {
            return told;
        }
        if told.turns.iter().any(|turn| turn.raw.is_none()) {
            of_others = of_others.or(Some(told));
        }
    }
    if let Some(told) = of_others {
        return told;
    }
    if let Some(told) = of_full(files, framework) {
        return told;
    }
    match of_trajectory(&files.trajectory, framework) {
        Some(told) => told,
        None => match &files.running {
            Some(path) => of_running(path),
            None => ToldTurns {
                untold: vec![format!("there is no {}", name_of(&files.trajectory))],
                ..ToldTurns::default()
            },
        },
    }
}

/// A file's name, for people.
pub fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

fn unread(path: &Path, why: impl std::fmt::Display) -> ToldTurns {
    ToldTurns {
        untold: vec![format!("{} cannot be read: {why}", name_of(path))],
        file: Some(path.to_owned()),
        ..ToldTurns::default()
    }
}

/// The whole trajectory that the engine wrote; `None` where there is no such file.
fn of_trajectory(path: &Path, framework: Option<&str>) -> Option<ToldTurns> {
    let bytes = match files::read_up_to(path, MOST) {
        Ok(bytes) => bytes?,
        Err(error) => return Some(unread(path, error)),
    };
    let salvaged = trajectory(&bytes);
    let (producer, turns) = of_messages(&salvaged.messages, framework);
    let name = name_of(path);
    Some(ToldTurns {
        producer,
        turns,
        file: Some(path.to_owned()),
        untold: salvaged
            .wrong
            .map(|wrong| format!("{name} {wrong}"))
            .into_iter()
            .collect(),
        ..ToldTurns::default()
    })
}

/// The turns of all segments, where the conversation was shortened.
fn of_full(files: &AgentFiles, framework: Option<&str>) -> Option<ToldTurns> {
    let path = files.full.as_ref()?;
    let bytes = files::read_up_to(path, MOST).ok()??;
    let full: Value = json::of_bytes(&bytes).ok()?;
    let messages = mini_swe_agent_v2::whole(&full)?;
    let (producer, turns) = of_messages(&messages, framework);
    Some(ToldTurns {
        producer,
        turns,
        file: Some(path.clone()),
        ..ToldTurns::default()
    })
}

/// The lines of a file, each as JSON, or as text where it is none.
fn lines(path: &Path, untold: &mut Vec<String>, mut take_in: impl FnMut(Result<Value, String>)) {
    let (mut broken, mut is_cut) = (0_usize, false);
    let read = files::read_lines(path, 0, MOST, |line, is_whole| {
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        let read = json::of_bytes(line);
        if read.is_err() {
            broken += 1;
            is_cut |= !is_whole;
        }
        take_in(read.map_err(|_| String::from_utf8_lossy(line).into_owned()));
    });
    let name = name_of(path);
    if let Err(error) = read {
        untold.push(format!("{name} cannot be read: {error}"));
    }
    if broken > 0 {
        let cut = if is_cut {
            "; the last one ends too early"
        } else {
            ""
        };
        untold.push(format!(
            "{name} has lines that are no JSON ({broken}), shown raw{cut}"
        ));
    }
}

/// What the program of an agent wrote, an event a line, and whether the agent itself says something
/// in it: upstream may keep a sub-agent's session in the place of the agent's.
fn of_program(path: &Path) -> (ToldTurns, bool) {
    let (mut claude, mut codex, mut telling) =
        (Claude::default(), Codex::default(), Telling::default());
    let (mut of_claude, mut of_codex, mut unknown) = (0_usize, 0_usize, 0_usize);
    let (mut untold, mut is_own) = (Vec::new(), false);
    lines(path, &mut untold, |line| match line {
        Ok(event) => {
            is_own |= is_agents(&event);
            if of_codex == 0 && claude.take_in(&event, &mut telling) {
                of_claude += 1;
            } else if of_claude == 0 && codex.take_in(&event, &mut telling) {
                of_codex += 1;
            } else {
                unknown += 1;
                telling.raw(&event.to_string());
            }
        }
        Err(text) => telling.raw(&text),
    });
    if unknown > 0 {
        let name = name_of(path);
        untold.push(format!(
            "{name} has events of unknown kinds ({unknown}), shown raw"
        ));
    }
    codex.end(&mut telling);
    let producer = match (of_claude, of_codex) {
        (0, 0) => Producer::Unknown,
        (_, 0) => Producer::ClaudeCode,
        _ => Producer::Codex,
    };
    let told = ToldTurns {
        producer,
        turns: telling.end(),
        file: Some(path.to_owned()),
        untold,
        ..ToldTurns::default()
    };
    (told, is_own)
}

/// Whether an event is a reply of the agent itself.
fn is_agents(event: &Value) -> bool {
    match event["type"].as_str() {
        Some("assistant") => {
            event["isSidechain"] != true && !event["parent_tool_use_id"].is_string()
        }
        Some("item.completed") => true,
        _ => false,
    }
}

/// What our engine has written so far of a trial that runs, or was killed.
fn of_running(path: &Path) -> ToldTurns {
    let (mut running, mut messages, mut untold) =
        (regatta::RunningHead::default(), Vec::new(), Vec::new());
    lines(path, &mut untold, |line| match line {
        Ok(value) => match regatta::head(&value) {
            Some(head) => running = head,
            None => messages.push(value),
        },
        Err(text) => messages.push(Value::String(text)),
    });
    let (producer, turns) = of_messages(&messages, Some(crate::store::result::FRAMEWORK));
    ToldTurns {
        producer,
        turns,
        file: Some(path.to_owned()),
        untold,
        running,
    }
}
