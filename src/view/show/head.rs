//! What is known of a trial in a few lines: how it came out, and its agents.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::lanes::label;
use crate::bench::cost::dollars;
use crate::report::Outcome;
use crate::text::paint::{bad, broken, faint, good, strong};
use crate::text::{NAME, duration, one_line, plural, some};
use crate::view::trial::{AgentLane, Producer, Trial};

/// The most of a reason that is shown, in characters.
const WHY: usize = 1_000;

/// How many names of files are listed.
const NAMES: usize = 12;

/// What the report says of a trial's pair.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What it counts as.
    pub outcome: Outcome,
    /// Why it did not finish, or not pass.
    pub why: Option<String>,
    /// The triage rule that says so.
    pub rule: Option<String>,
    /// The setting.
    pub setting: Option<String>,
    /// What it cost in USD.
    pub cost: Option<f64>,
    /// How the patches merged.
    pub merge: Option<String>,
}

/// An outcome in the colour of its meaning.
#[must_use]
pub fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Pass => good(outcome),
        Outcome::Fail | Outcome::AgentError => bad(outcome),
        Outcome::Unjudged | Outcome::Missing => outcome.to_string(),
        _ => broken(outcome),
    }
}

/// The head of a trial.
#[must_use]
pub fn head(trial: &Trial, known: &Known) -> String {
    let mut out = format!(
        "{} · {} · {}\n",
        strong(&trial.pair),
        trial.run,
        outcome(known.outcome)
    );
    if let Some(why) = &known.why {
        let rule = known
            .rule
            .as_deref()
            .map(|rule| format!(" [{}]", one_line(rule, NAME)));
        let _ = writeln!(out, "  {}{}", one_line(why, WHY), rule.unwrap_or_default());
    }
    let model = trial.agents.iter().find_map(|lane| lane.model.as_deref());
    let merge = known.merge.as_deref().filter(|_| trial.agents.len() > 1);
    let parts = [
        Some(
            known
                .setting
                .clone()
                .unwrap_or_else(|| trial.setting.to_owned()),
        ),
        model.map(|model| one_line(model, NAME)),
        trial
            .trial
            .as_deref()
            .map(|id| format!("trial {}", one_line(id, NAME))),
        known.cost.map(dollars),
        merge.map(|merge| format!("merge {}", one_line(merge, NAME))),
    ];
    let _ = writeln!(out, "  {}", joined(parts));
    let _ = writeln!(out, "  {}", joined([times(trial), Some(talk(trial))]));
    for (place, lane) in trial.agents.iter().enumerate() {
        let _ = writeln!(out, "  {}  {}", label(trial, place), of_lane(lane));
    }
    for lane in &trial.agents {
        for text in &lane.untold {
            let _ = writeln!(
                out,
                "  {}: {}: {}",
                broken("not read"),
                lane.id,
                one_line(text, WHY)
            );
        }
    }
    for text in &trial.untold {
        let _ = writeln!(out, "  {}: {}", broken("not read"), one_line(text, WHY));
    }
    out
}

fn joined(parts: impl IntoIterator<Item = Option<String>>) -> String {
    let parts = parts.into_iter().flatten().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" · ")
}

/// When it ran, and for how long.
fn times(trial: &Trial) -> Option<String> {
    let began = trial.started_at?;
    let moment = |at: f64| {
        let since = SignedDuration::try_from_secs_f64(at).ok()?;
        let at = Timestamp::from_duration(since).ok()?;
        Some(at.to_zoned(TimeZone::system()))
    };
    let told = moment(began)?.strftime("%Y-%m-%d %H:%M:%S").to_string();
    Some(match trial.ended_at {
        Some(ended) => format!("{told}, {}", duration(ended - began)),
        None => format!("began {told}"),
    })
}

fn talk(trial: &Trial) -> String {
    if trial.agents.len() < 2 {
        return String::new();
    }
    let unread = trial
        .messages
        .iter()
        .filter(|message| message.is_unread)
        .count();
    let all = plural(trial.messages.len(), "message");
    if unread == 0 {
        all
    } else {
        format!("{all}, {unread} never read")
    }
}

fn of_lane(lane: &AgentLane) -> String {
    let ended = match lane.status.as_deref() {
        Some("Submitted") => good("Submitted"),
        Some(status) => bad(one_line(status, NAME)),
        None => faint("not ended"),
    };
    let raw = lane.turns.iter().filter(|turn| turn.raw.is_some()).count();
    let patch = lane.patch.as_ref().map(|patch| match patch.bytes {
        0 => "empty patch".to_owned(),
        bytes => format!("patch of {}", size(bytes)),
    });
    let program = (lane.producer == Producer::Unknown && !lane.turns.is_empty())
        .then(|| "unknown program".to_owned());
    joined([
        lane.feature.map(|feature| format!("feature {feature}")),
        Some(ended),
        Some(plural(
            lane.turns.iter().filter(|turn| turn.is_reply()).count(),
            "turn",
        )),
        lane.cost.map(dollars),
        Some(patch.unwrap_or_else(|| "no patch".to_owned())),
        program,
        (raw > 0).then(|| format!("{raw} not understood")),
    ])
}

/// A size for people.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => plural(bytes, "byte"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// What ended the agents, and where the files are.
#[must_use]
pub fn foot(trial: &Trial) -> String {
    let mut out = String::new();
    for (place, lane) in trial.agents.iter().enumerate() {
        let status = lane.status.as_deref().unwrap_or("has not ended");
        let why = lane.end.as_deref().filter(|why| *why != status);
        let why = why.map(|why| format!(": {}", one_line(why, WHY)));
        let status = one_line(status, NAME);
        let _ = writeln!(
            out,
            "{}  {status}{}",
            label(trial, place),
            why.unwrap_or_default()
        );
    }
    let all = trial
        .agents
        .iter()
        .flat_map(|lane| lane.patch.iter().chain(&lane.files));
    let all: Vec<_> = all.chain(&trial.files).collect();
    if let Some(dir) = all.first().and_then(|file| file.path.parent()) {
        let mut names: Vec<&str> = all.iter().map(|file| file.name.as_str()).collect();
        names.dedup();
        let names = one_line(&some(&names, NAMES), WHY);
        let _ = writeln!(
            out,
            "{}\n  {names}",
            one_line(&dir.display().to_string(), WHY)
        );
    }
    out
}
