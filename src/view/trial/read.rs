//! Reading a trial from the files of its pair, whoever wrote them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::salvage::trajectory;
use super::source::{AgentFiles, ToldTurns, name_of, tell};
use super::{AgentLane, MarkKind, NamedFile, Trial, TrialMessage, Turn, links};
use crate::bench::Pair;
use crate::bench::setting::Tree;
use crate::files;
use crate::json;
use crate::store::{AgentRecord, Moment, PairDir, ResultFile, RunDir, TrialRecord, result, stream};
use crate::text::natural;

/// The most of a conversation that is read.
const MOST: u64 = 64_000_000;

/// How far the turns may go beyond what the result says of its time, in seconds.
const SLACK: f64 = 60.0;

/// Zones differ by multiples of this, in seconds.
const QUARTER: f64 = 900.0;

/// Reads a trial. Whatever is wrong with its files is said in it, and nothing of them is dropped. Whoever
/// gives it out takes the secrets out: [`Trial::hide`], or the whole page's mask.
#[must_use]
pub fn read(run: &RunDir, tree: Tree, pair: &Pair) -> Trial {
    let mut dir = run.pair(tree, pair);
    let mut untold = Vec::new();
    let record = match result::read(&dir.result()) {
        ResultFile::Read(record) => Some(*record),
        ResultFile::Missing => None,
        ResultFile::Unreadable(why) => {
            untold.push(format!("result.json cannot be read: {why}"));
            None
        }
    };
    let mut trial = match &record {
        Some(record) => of_record(&dir, record),
        None if untold.is_empty() => {
            let (found, read) = unended_somewhere(run, dir, tree, pair);
            dir = found;
            read
        }
        None => unended(&dir, tree, pair),
    }
    .into_trial(run, tree, pair);
    untold.append(&mut trial.untold);
    trial.untold = untold;
    let sent = sent(&dir, &trial.agents, &mut trial.untold);
    trial.messages = links::link(&trial.agents, sent);
    trial.files = others(&dir, &trial.agents);
    if let Some(record) = &record {
        trial.take_times(record);
    }
    trial
}

/// Agents as they were read, before they are a trial.
struct ReadAgents {
    trial: Option<String>,
    is_unended: bool,
    started_at: Option<f64>,
    agents: Vec<AgentLane>,
    untold: Vec<String>,
}

impl ReadAgents {
    fn into_trial(self, run: &RunDir, tree: Tree, pair: &Pair) -> Trial {
        Trial {
            pair: pair.clone(),
            run: run.name().clone(),
            setting: tree.name(),
            trial: self.trial,
            is_unended: self.is_unended,
            started_at: self.started_at,
            ended_at: None,
            agents: self.agents,
            messages: Vec::new(),
            files: Vec::new(),
            untold: self.untold,
        }
    }
}

/// The agents of a trial that has a result.
fn of_record(dir: &PairDir, record: &TrialRecord) -> ReadAgents {
    let mut agents = Vec::new();
    for agent in &record.agents {
        let running = dir.running_trajectory(&record.trial, agent.feature);
        let files = files_of(dir, &agent.id, agent.feature, Some(running));
        let told = tell(&files, record.agent_framework.as_deref());
        let mut lane = lane(dir, &agent.id, agent.feature, told);
        lane.model.clone_from(&record.model);
        lane.status = Some(agent.status.clone());
        lane.cost = agent.cost;
        lane.steps = agent.steps;
        lane.end = why(dir, agent, &lane.turns);
        agents.push(lane);
    }
    agents.sort_by(|a, b| {
        a.feature
            .cmp(&b.feature)
            .then_with(|| natural(&a.id, &b.id))
    });
    ReadAgents {
        trial: Some(record.trial.clone()),
        is_unended: false,
        started_at: None,
        agents,
        untold: Vec::new(),
    }
}

/// What ended an agent that did not submit, or that says of an error although it did.
fn why(dir: &PairDir, agent: &AgentRecord, turns: &[Turn]) -> Option<String> {
    if let Some(error) = &agent.error {
        return Some(error.clone());
    }
    if let Some(words) = stream::read(dir, &agent.id).words.into_iter().next() {
        return Some(words.text);
    }
    let last = turns.last().filter(|_| agent.status != "Submitted")?;
    let mark = last.marks.iter().rfind(|mark| mark.kind == MarkKind::End)?;
    Some(mark.text.clone())
}

/// The agents of a trial that has no result: of one that runs, or was killed, or is broken.
fn unended(dir: &PairDir, tree: Tree, pair: &Pair) -> ReadAgents {
    let ids: Vec<(String, Option<u64>)> = if tree.is_solo() {
        vec![("solo".to_owned(), None)]
    } else {
        let features = pair.all_features().enumerate();
        features
            .map(|(place, feature)| (format!("agent{}", place + 1), Some(feature)))
            .collect()
    };
    let read = |trial: Option<&str>| {
        let agents = ids.iter().map(|(id, feature)| {
            let running = trial.map(|trial| dir.running_trajectory(trial, *feature));
            let told = tell(&files_of(dir, id, *feature, running), None);
            let (model, started) = (told.running.model.clone(), told.running.started_at);
            let lane = lane(dir, id, *feature, told);
            (AgentLane { model, ..lane }, started)
        });
        let (agents, started): (Vec<_>, Vec<_>) = agents.unzip();
        let started_at = started.into_iter().flatten().reduce(f64::min);
        ReadAgents {
            trial: trial.map(str::to_owned),
            is_unended: trial.is_some(),
            started_at,
            agents,
            untold: Vec::new(),
        }
    };
    let running = running_trials(dir);
    let latest = running.iter().map(|trial| read(Some(trial)));
    latest
        .max_by(|a, b| {
            a.started_at
                .unwrap_or(0.0)
                .total_cmp(&b.started_at.unwrap_or(0.0))
        })
        .unwrap_or_else(|| {
            let mut read = read(None);
            if !dir.result().exists() {
                read.untold.push(
                    "there is no result.json: the trial has not ended, or never began".to_owned(),
                );
            }
            read
        })
}

/// The same of the trial that began last: here, or with a worker that has not ended it.
fn unended_somewhere(run: &RunDir, dir: PairDir, tree: Tree, pair: &Pair) -> (PairDir, ReadAgents) {
    let begun = |read: &ReadAgents| read.is_unended.then(|| read.started_at.unwrap_or(0.0));
    let here = unended(&dir, tree, pair);
    let with_workers = run.pair_at_workers(tree, pair).into_iter();
    let others = with_workers.map(|dir| {
        let read = unended(&dir, tree, pair);
        (dir, read)
    });
    others.fold((dir, here), |latest, other| {
        if begun(&other.1) > begun(&latest.1) {
            other
        } else {
            latest
        }
    })
}

/// The trials that our engine has begun to write and that have no result.
fn running_trials(dir: &PairDir) -> Vec<String> {
    let is_running = |path: &PathBuf| {
        let files = files::list(path).unwrap_or_default();
        let is = |end: &str| files.iter().any(|file| name_of(file).ends_with(end));
        is("_traj.jsonl") && !is("result.json")
    };
    let dirs = files::list(&dir.aside()).unwrap_or_default();
    dirs.iter()
        .filter(|path| is_running(path))
        .map(|path| name_of(path))
        .collect()
}

/// Where an agent's files are. Those of another trial are none of it.
fn files_of(dir: &PairDir, id: &str, feature: Option<u64>, running: Option<PathBuf>) -> AgentFiles {
    let of_program = |what: &str| {
        let path = dir.of_program(id, what)?;
        (path.is_file() && !stream::is_of_another_trial(dir, &path)).then_some(path)
    };
    AgentFiles {
        trajectory: dir.trajectory(feature),
        full: of_program("full_traj.json"),
        running: running.filter(|path| path.is_file()),
        session: of_program("session.jsonl"),
        stream: of_program("stream.jsonl"),
    }
}

/// The files of an agent's own program, by how their names end.
const OF_PROGRAM: [&str; 5] = [
    "stream.jsonl",
    "session.jsonl",
    "sent.jsonl",
    "full_traj.json",
    "stream.log",
];

fn lane(dir: &PairDir, id: &str, feature: Option<u64>, told: ToldTurns) -> AgentLane {
    let of_program = OF_PROGRAM
        .iter()
        .filter_map(|what| dir.of_program(id, what));
    let all = std::iter::once(dir.trajectory(feature)).chain(of_program);
    AgentLane {
        id: id.to_owned(),
        feature,
        producer: told.producer,
        told_by: told.file.as_deref().and_then(named),
        turns: told.turns,
        patch: named(&dir.patch(feature)),
        files: all.filter_map(|path| named(&path)).collect(),
        untold: told.untold,
        ..AgentLane::default()
    }
}

/// A file that is there, with its size.
fn named(path: &Path) -> Option<NamedFile> {
    let meta = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some(NamedFile {
        name: name_of(path),
        path: path.to_owned(),
        bytes: meta.len(),
    })
}

/// The pair's files that are no agent's.
fn others(dir: &PairDir, agents: &[AgentLane]) -> Vec<NamedFile> {
    let known = |path: &PathBuf| {
        let files = agents
            .iter()
            .flat_map(|lane| lane.files.iter().chain(&lane.patch));
        files.into_iter().any(|file| file.path == *path)
    };
    let mut paths = files::list(dir.path()).unwrap_or_default();
    paths.retain(|path| !known(path));
    paths.sort();
    paths.iter().filter_map(|path| named(path)).collect()
}

/// What the agents sent each other: by the conversation, or by each agent's own list, or by their
/// commands.
fn sent(dir: &PairDir, agents: &[AgentLane], untold: &mut Vec<String>) -> Vec<TrialMessage> {
    let path = dir.path().join("conversation.json");
    let mut sent = Vec::new();
    match files::read_up_to(&path, MOST) {
        Ok(None) => {}
        Ok(Some(bytes)) => {
            let read = trajectory(&bytes);
            untold.extend(read.wrong.map(|wrong| format!("conversation.json {wrong}")));
            take_listed(&read.messages, "conversation.json", &mut sent, untold);
        }
        Err(error) => untold.push(format!("conversation.json cannot be read: {error}")),
    }
    if sent.is_empty() {
        for agent in agents {
            let path = dir
                .of_program(&agent.id, "sent.jsonl")
                .filter(|path| path.is_file());
            let Some(path) = path.filter(|path| !stream::is_of_another_trial(dir, path)) else {
                continue;
            };
            let mut entries = Vec::new();
            let read = files::read_lines(&path, 0, MOST, |line, _| {
                if !line.trim_ascii().is_empty() {
                    entries.push(json::of_bytes(line).unwrap_or(Value::Null));
                }
            });
            untold.extend(read.err().map(|error| error.to_string()));
            take_listed(&entries, &name_of(&path), &mut sent, untold);
        }
    }
    if sent.is_empty() {
        sent = links::by_commands(agents);
    }
    sent
}

fn take_listed(
    entries: &[Value],
    file: &str,
    sent: &mut Vec<TrialMessage>,
    untold: &mut Vec<String>,
) {
    let before = sent.len();
    sent.extend(entries.iter().filter_map(links::listed));
    let lost = entries.len() - (sent.len() - before);
    if lost > 0 {
        untold.push(format!("{file} has entries that are no messages: {lost}"));
    }
}

impl Trial {
    /// Takes the times of the result. Those without a zone may be of another place than this: the
    /// turns' own times tell which, where they have some.
    fn take_times(&mut self, record: &TrialRecord) {
        let moment = |text: &Option<String>| Moment::read(text.as_deref()?);
        let at = |moment: &Moment| Some(moment.timestamp()?.as_duration().as_secs_f64());
        let (began, ended) = (moment(&record.started_at), moment(&record.ended_at));
        self.started_at = began.as_ref().and_then(at);
        self.ended_at = ended.as_ref().and_then(at);
        let (Some(began), Some(ended)) = (self.started_at, self.ended_at) else {
            return;
        };
        let turns = || self.agents.iter().flat_map(|lane| &lane.turns);
        let times = || turns().filter_map(|turn| turn.at);
        let (Some(first), Some(last)) = (times().reduce(f64::min), times().reduce(f64::max)) else {
            return;
        };
        let fits = |shift: f64| first >= began + shift - SLACK && last <= ended + shift + SLACK;
        let shift = ((first - began) / QUARTER).round() * QUARTER;
        if !fits(0.0) && fits(shift) {
            self.started_at = Some(began + shift);
            self.ended_at = Some(ended + shift);
        }
    }
}

#[cfg(test)]
mod tests;
