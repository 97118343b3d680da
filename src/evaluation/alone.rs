//! Each agent's patch by itself, against its own feature: whether the agent could do its part.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::bytes::AsSubmitted;
use super::patch::{PatchReading, Prepared};
use super::record::note;
use super::suite::Suite;
use super::{Asking, Judge, Trouble, Work};
use crate::bench::{Pair, TaskKey};
use crate::error::{Error, Result};
use crate::store::eval::independent::{
    AGENTS, Independent, IndependentNote, IndependentSuite, NO_PATCH,
};
use crate::store::eval::{AloneSuite, BrokenBy};

/// What one agent's patch does alone.
#[derive(Clone, Debug)]
pub struct AgentAlone {
    /// The suite of its own feature; none where the patch is empty, or changes only tests.
    pub suite: Option<Suite>,
    /// The headers of what was left out, as it changes test files.
    pub left_out: Vec<String>,
    /// The headers of what was mended, as it does not apply as it was submitted.
    pub mended: Vec<String>,
}

impl Judge {
    /// Runs the hidden tests of the first agent's feature (0) or the second's (1) on its patch.
    pub async fn agent_alone(
        &self,
        pair: &Pair,
        work: &Work,
        of: usize,
        asking: &Asking<'_>,
    ) -> std::result::Result<AgentAlone, Trouble> {
        self.venue.ready(&pair.task, asking.note).await?;
        let raw = work.patches.get(of).map_or(&[][..], Vec::as_slice);
        let AsSubmitted { patch, mended } =
            self.taken(&pair.task, raw, work.reading, asking).await?;
        let suite = if patch.bytes.is_empty() {
            None
        } else {
            let feature = pair.features[of];
            Some(self.feature(&pair.task, feature, &patch, asking).await?)
        };
        Ok(AgentAlone {
            suite,
            left_out: patch.dropped,
            mended,
        })
    }

    /// A patch as it is tested: as upstream mends it, or with as little mended as git takes.
    pub(super) async fn taken(
        &self,
        task: &TaskKey,
        raw: &[u8],
        reading: PatchReading,
        asking: &Asking<'_>,
    ) -> std::result::Result<AsSubmitted, Trouble> {
        match reading {
            PatchReading::Upstreams => Ok(AsSubmitted {
                patch: Prepared::of(raw, self.rules),
                mended: Vec::new(),
            }),
            PatchReading::AsItIs => self.as_submitted(task, raw, asking).await,
        }
    }
}

impl AgentAlone {
    /// The verdict, with the fork's keys.
    #[must_use]
    pub fn verdict(&self) -> Independent {
        match &self.suite {
            Some(suite) => Independent {
                passed: suite.passed(),
                tests_passed: suite.counts.passed,
                tests_failed: suite.counts.failed,
                reason: None,
            },
            None => Independent {
                passed: false,
                tests_passed: 0,
                tests_failed: 0,
                reason: Some(NO_PATCH),
            },
        }
    }

    /// What is kept of the suite, as the first agent's (0) or the second's (1).
    #[must_use]
    pub fn record(&self, of: usize, feature: u64) -> IndependentSuite {
        let none =
            Suite::not_tested("there is nothing to test: the patch is empty, or of tests only");
        let suite = self.suite.as_ref().unwrap_or(&none);
        IndependentSuite {
            agent: AGENTS[of].to_owned(),
            suite: AloneSuite {
                note: note(feature, suite),
                exit_code: suite.exit_code,
                tests_passed: suite.counts.passed,
                tests_failed: suite.counts.failed,
                test_output: suite.output.clone(),
            },
            left_out: self.left_out.clone(),
            mended: self.mended.clone(),
        }
    }
}

/// A line of `evaluations.jsonl` on agents that were judged alone.
#[derive(Debug, Serialize)]
struct Line<'a> {
    at: Timestamp,
    pair: &'a Pair,
    trial: &'a str,
    rules: &'a str,
    alone: Alone,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broken_by: Option<&'a BrokenBy>,
    tries: u32,
    seconds: f64,
}

/// Whether each agent's patch passes its own feature.
#[derive(Debug, Serialize)]
struct Alone {
    agent1: Option<bool>,
    agent2: Option<bool>,
}

/// The line of `evaluations.jsonl` on agents that were judged alone, which took so long.
pub fn line(
    pair: &Pair,
    note: &IndependentNote,
    [agent1, agent2]: [Option<bool>; 2],
    took: Duration,
) -> Result<String> {
    let line = Line {
        at: Timestamp::now(),
        pair,
        trial: &note.trial,
        rules: note.rules.name(),
        alone: Alone { agent1, agent2 },
        error: note.error.as_deref(),
        broken_by: note.broken_by.as_ref(),
        tries: note.tries,
        seconds: took.as_secs_f64(),
    };
    serde_json::to_string(&line)
        .map_err(|error| Error::world(format!("a line of evaluations.jsonl: {error}")))
}
