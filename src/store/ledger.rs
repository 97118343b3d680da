//! The ledger: one line per trial ever made, appended and never rewritten.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::result::ERROR;
use super::{AgentRecord, Cause, Diagnosis, RunDir};
use crate::bench::{Cost, Pair, Setting, Usage, believable_cost, believable_seconds};
use crate::error::Result;
use crate::files;
use crate::json;

/// A ledger of a weekend's run is a few MB; this is 100,000 trials.
const MAX_BYTES: u64 = 256_000_000;

/// One trial, as a line of the ledger tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The trial's id: upstream's `run_id`, or one of ours when the trial left no result.
    pub trial: String,
    /// The setting; `None` for a tree whose setting is not known.
    pub setting: Option<Setting>,
    /// The pair: repository, task and features are keys of the line itself.
    #[serde(flatten)]
    pub pair: Pair,
    /// The attempt that made it; `None` for trials that were there before us.
    pub attempt: Option<u32>,
    /// The agents' statuses, or `CutOff` for a trial that was ended before it had a result.
    pub status: String,
    /// Each agent as its result tells it.
    pub agents: Vec<AgentRecord>,
    /// Cause and evidence, when it did not finish.
    pub diagnosis: Option<Diagnosis>,
    /// Whether the result does not stand, whatever its status says.
    #[serde(default)]
    pub void: bool,
    /// What is known of the cost, in USD; `None` is unknown, not zero.
    pub cost: Option<f64>,
    /// Whether there were calls whose usage is not known: cost and tokens are those of the others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub usage_unknown: bool,
    /// Tokens, by the result or the trajectories; `None` is unknown, not zero.
    pub usage: Option<Usage>,
    /// Local time without a zone, as upstream writes it.
    pub started_at: Option<String>,
    /// Wall-clock seconds; `None` where nothing says them.
    pub duration_seconds: Option<f64>,
    /// When this line was written.
    pub recorded_at: jiff::Timestamp,
}

impl LedgerEntry {
    /// What the trial cost, as far as it was known when it was recorded.
    #[must_use]
    pub const fn cost(&self) -> Cost {
        Cost {
            usd: self.cost,
            is_partial: self.usage_unknown,
        }
    }

    /// Whether it came to a result that another attempt would not change: it finished, or ended in an
    /// error that is the agent's own.
    #[must_use]
    pub fn has_finished(&self) -> bool {
        let is_error = self.agents.iter().any(|agent| agent.status == ERROR);
        !self.void
            && match &self.diagnosis {
                Some(diagnosis) => diagnosis.cause == Cause::Agent,
                None => !is_error,
            }
    }

    /// Whether it was ended before it had a result: its cost is not known.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.status == CUT_OFF
    }

    /// The entry without the numbers that no trial can have: a stranger's edit, or an engine's.
    fn believable(mut self) -> Self {
        self.cost = self.cost.and_then(believable_cost);
        self.usage = self.usage.and_then(Usage::believable);
        self.duration_seconds = self.duration_seconds.and_then(believable_seconds);
        for agent in &mut self.agents {
            agent.cost = agent.cost.and_then(believable_cost);
        }
        self
    }
}

/// The status of a trial that was ended before it wrote a result.
pub const CUT_OFF: &str = "CutOff";

/// A run's ledger, held in memory as it grows.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    entries: Vec<LedgerEntry>,
    index: HashMap<(Pair, String), usize>,
    /// Lines that could not be read: a torn last line after a crash, or a stranger's edit.
    pub unreadable_lines: usize,
}

impl Ledger {
    /// Reads the ledger of a run to add to it; an empty one when there is none.
    pub fn open(run: &RunDir) -> Result<Self> {
        // A torn last line is for a reader a line that cannot be read, and ends before the next one.
        files::end_torn_line(&run.ledger())?;
        Self::open_readonly(run)
    }

    /// Reads the ledger of a run, and touches nothing.
    pub fn open_readonly(run: &RunDir) -> Result<Self> {
        let path = run.ledger();
        let mut ledger = Self {
            path: path.clone(),
            entries: Vec::new(),
            index: HashMap::new(),
            unreadable_lines: 0,
        };
        files::read_lines(&path, 0, MAX_BYTES, |line, _| ledger.take_in(line))?;
        Ok(ledger)
    }

    fn take_in(&mut self, line: &[u8]) {
        if line.is_empty() {
            return;
        }
        match serde_json::from_slice::<LedgerEntry>(line) {
            Ok(entry) => self.remember(entry.believable()),
            Err(_) => self.unreadable_lines += 1,
        }
    }

    /// Adds a trial, once: a trial that is already there is not written again.
    pub fn record(&mut self, entry: LedgerEntry) -> Result<bool> {
        if self.has(&entry.pair, &entry.trial) {
            return Ok(false);
        }
        files::append_line(&self.path, &json::line(&entry))?;
        self.remember(entry);
        Ok(true)
    }

    /// Records trials that ended at the same time: one write and one wait for the disk for all of
    /// them. Those that are known are passed over.
    pub fn record_all(&mut self, entries: Vec<LedgerEntry>) -> Result<()> {
        let fresh: Vec<LedgerEntry> = entries
            .into_iter()
            .filter(|entry| !self.has(&entry.pair, &entry.trial))
            .collect();
        if fresh.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = fresh.iter().map(json::line).collect();
        files::append_line(&self.path, &lines.join("\n"))?;
        for entry in fresh {
            self.remember(entry);
        }
        Ok(())
    }

    fn remember(&mut self, entry: LedgerEntry) {
        let key = (entry.pair.clone(), entry.trial.clone());
        if let std::collections::hash_map::Entry::Vacant(free) = self.index.entry(key) {
            free.insert(self.entries.len());
            self.entries.push(entry);
        }
    }

    /// Whether this trial is in the ledger.
    #[must_use]
    pub fn has(&self, pair: &Pair, trial: &str) -> bool {
        self.find(pair, trial).is_some()
    }

    /// This trial's line; `None` where it is not recorded.
    #[must_use]
    pub fn find(&self, pair: &Pair, trial: &str) -> Option<&LedgerEntry> {
        let place = self.index.get(&(pair.clone(), trial.to_owned()))?;
        self.entries.get(*place)
    }

    /// Every trial, in the order in which they were recorded.
    #[must_use]
    pub fn entries(&self) -> &[LedgerEntry] {
        &self.entries
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn has_finished(change: Value) -> bool {
        let mut line = json!({
            "trial": "t", "repo": "a_task", "task_id": 1, "features": [1, 2], "status": "Submitted",
            "agents": [{"id": "solo", "status": "Submitted"}], "void": false,
            "recorded_at": "2026-01-01T00:00:00Z",
        });
        let Value::Object(change) = change else {
            panic!("{change}");
        };
        line.as_object_mut().unwrap().extend(change);
        let entry: LedgerEntry = serde_json::from_value(line).unwrap();
        entry.has_finished()
    }

    #[test]
    fn a_trial_has_finished_where_another_attempt_would_change_nothing() {
        let failed = |cause: &str| {
            let evidence = json!({"rule": "r", "source": "s", "text": "t"});
            json!({
                "agents": [{"id": "solo", "status": "Error"}],
                "diagnosis": {"cause": cause, "evidence": evidence},
            })
        };
        assert!(has_finished(json!({})));
        assert!(has_finished(failed("agent")));
        for cause in ["infra", "limit", "config"] {
            assert!(!has_finished(failed(cause)), "{cause}");
        }
        assert!(!has_finished(json!({"void": true})));
        let unknown = json!({"agents": [{"id": "solo", "status": "Error"}]});
        assert!(!has_finished(unknown));
    }
}
