//! A run as it was read last, and what of it has gone since.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;

use crate::error::Result;
use crate::model::price::PriceTable;
use crate::report::{Outcome, Row, rows};
use crate::store::RunDir;
use crate::store::events::RunEvents;
use crate::store::lock::RunLock;
use crate::survey::Stand;
use crate::text::plural;
use crate::triage::Rules;
use crate::view::page::{Happened, RunningNow, happened};

/// The most pairs that a note names.
const NAMED: usize = 5;

/// A run as it was read.
#[derive(Debug, Default)]
pub struct ReadRun {
    /// What it was read in.
    pub state: u64,
    /// Which repeat of its arm it is.
    pub repeat: Option<u64>,
    /// What stands for each pair.
    pub rows: Vec<Row>,
    /// What happened in it.
    pub happened: Vec<Happened>,
    /// What of it runs.
    pub now: RunningNow,
    /// What is to be said of it, a sentence each.
    pub notes: Vec<String>,
    /// Whether a command had it.
    pub is_held: bool,
    /// Whether that command is paused.
    pub is_paused: bool,
    /// The pairs that ever had a result.
    had: BTreeSet<String>,
    /// Which file its events were, and how long.
    events: Option<(u64, u64)>,
    /// Whether events that were there are gone.
    lost_events: bool,
}

impl ReadRun {
    /// Reads a run in such a state; what was read of it before tells what has gone. Of one that cannot
    /// be read it says why.
    pub fn read(
        run: &RunDir,
        state: u64,
        before: Option<&Self>,
        rules: &Rules,
        prices: &PriceTable,
    ) -> Self {
        let mut read = Self::of_files(run, rules, prices).unwrap_or_else(|error| Self {
            notes: vec![format!("{} cannot be read: {error}", run.name())],
            ..Self::default()
        });
        read.state = state;
        if let Some(before) = before {
            read.compare(before);
        }
        read.note_what_is_gone(run);
        read
    }

    fn of_files(run: &RunDir, rules: &Rules, prices: &PriceTable) -> Result<Self> {
        let events = run.events().metadata().ok();
        let told = RunEvents::of_run(run)?;
        let live = told.live.clone();
        // Who has ended a run, or never began one, needs no lock.
        let is_open = live.begun_at.is_some() && live.end.is_none();
        let is_held = is_open && RunLock::is_held_elsewhere(run);
        let stand = Stand::with(run, rules, prices, told)?;
        let now = if is_held {
            RunningNow::of(&live, &stand.unbooked)
        } else {
            RunningNow::default()
        };
        let repeat = stand.manifest.as_ref().and_then(|it| it.repeat);
        let rows = rows(run, stand, false)?;
        Ok(Self {
            repeat: repeat.map(u64::from),
            happened: happened(run, &rows)?,
            had: with_results(&rows),
            rows,
            now,
            is_held,
            // A command that died tells nothing.
            is_paused: is_held && live.paused.is_some(),
            events: events.map(|meta| (meta.ino(), meta.len())),
            ..Self::default()
        })
    }

    /// Whether a command still has it, if one had.
    #[must_use]
    pub fn is_still_held(&self, run: &RunDir) -> bool {
        self.is_held && RunLock::is_held_elsewhere(run)
    }

    fn compare(&mut self, before: &Self) {
        let is_same = match (before.events, self.events) {
            (Some((file, length)), Some((file_now, length_now))) => {
                file == file_now && length <= length_now
            }
            (Some(_), None) => false,
            (None, _) => true,
        };
        self.lost_events = before.lost_events || !is_same;
        let there = with_results(&self.rows);
        self.had.extend(before.had.iter().cloned());
        let is_gone = |pair: &&String| !there.contains(*pair);
        let gone = self.had.iter().filter(is_gone);
        let is_running = |pair: &String| self.now.trials.contains_key(pair);
        self.now.gone = gone.filter(|pair| !is_running(pair)).cloned().collect();
    }

    fn note_what_is_gone(&mut self, run: &RunDir) {
        let name = run.name();
        if self.lost_events {
            self.notes.push(format!(
                "{name}: events.jsonl was cut, replaced or removed while it was viewed: what it said before is not shown"
            ));
        }
        let gone = &self.now.gone;
        if gone.is_empty() {
            return;
        }
        let mut named: Vec<&str> = gone.iter().map(String::as_str).take(NAMED).collect();
        if gone.len() > NAMED {
            named.push("…");
        }
        self.notes.push(format!(
            "{name}: {} gone while it was viewed (removed, or set aside to run again): {}",
            plural(gone.len(), "result"),
            named.join(", ")
        ));
    }
}

/// The pairs that have a result, broken or not.
fn with_results(rows: &[Row]) -> BTreeSet<String> {
    let there = rows.iter().filter(|row| row.outcome != Outcome::Missing);
    there.filter_map(|row| row.pair.clone()).collect()
}
