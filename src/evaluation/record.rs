//! An evaluation as its files have it: `eval.json`, and a line of `evaluations.jsonl`.

use std::time::Duration;

use jiff::{Timestamp, Zoned};
use serde::Serialize;

use super::merge::Applied;
use super::merging::Merging;
use super::suite::{Suite, SuiteOutcome};
use super::{Judgement, RuleSet, Trouble, Verdict};
use crate::bench::setting::Tree;
use crate::bench::{BackendKind, Pair, Pin};
use crate::error::{Error, Result};
use crate::store::diagnosis::Cause;
use crate::store::eval::{
    Alone, AloneSuite, ApplyStatus, BrokenBy, ByBytes, EvalRecord, FeatureRecord, MergeRecord,
    Note, Refused, SuiteNote,
};

/// What was judged, and how.
pub struct Evaluation<'a> {
    /// The pair.
    pub pair: &'a Pair,
    /// Its tree.
    pub tree: Tree,
    /// The trial's id.
    pub trial: &'a str,
    /// The rule set.
    pub rules: RuleSet,
    /// Where the suites ran.
    pub backend: BackendKind,
    /// See [`Note::judged_with`].
    pub judged_with: Pin,
    /// How often it was tried.
    pub tries: u32,
    /// The cause of what a triage rule stands for.
    pub cause: &'a dyn Fn(&str) -> Cause,
}

impl Evaluation<'_> {
    /// What `eval.json` says of it.
    #[must_use]
    pub fn record(&self, judged: &std::result::Result<Judgement, Trouble>) -> EvalRecord {
        let mut record = self.blank();
        match judged {
            Ok(judgement) => self.fill(&mut record, judgement),
            Err(trouble) => {
                record.regatta.broken_by = Some(self.broken(trouble));
                if !self.tree.is_solo() {
                    record.apply_status = Some(status(["unknown"; 2]));
                    record.merge = Some(MergeRecord {
                        status: "error".to_owned(),
                        strategy: None,
                        diff: String::new(),
                    });
                }
                record.error = Some(trouble.text.clone());
            }
        }
        record
    }

    /// One that says nothing of the verdict.
    fn blank(&self) -> EvalRecord {
        EvalRecord {
            repo: self.pair.task.repo.clone(),
            task_id: self.pair.task.task_id,
            features: self.pair.all_features().collect(),
            setting: if self.tree.is_solo() { "solo" } else { "coop" },
            apply_status: None,
            merge: None,
            feature1: FeatureRecord::default(),
            feature2: FeatureRecord::default(),
            both_passed: false,
            error: None,
            evaluated_at: Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
            regatta: Note {
                rules: self.rules,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                trial: self.trial.to_owned(),
                backend: self.backend,
                judged_with: self.judged_with.clone(),
                tries: self.tries,
                broken_by: None,
                worth_broken_by: None,
                suites: Vec::new(),
                left_out: Vec::new(),
                mended: Vec::new(),
                conflict: None,
                refused: Vec::new(),
                alone: None,
                by_bytes: None,
                merged_in: None,
            },
        }
    }

    fn fill(&self, record: &mut EvalRecord, judgement: &Judgement) {
        let features = self.pair.features;
        if let Some(merge) = &judgement.merge {
            of_merge(record, merge, features);
        }
        let [first, second] = &judgement.suites;
        for (place, suite, feature) in [
            (&mut record.feature1, first, features[0]),
            (&mut record.feature2, second, features[1]),
        ] {
            *place = FeatureRecord {
                feature_id: Some(feature),
                passed: suite.passed(),
                exit_code: suite.exit_code,
                tests_passed: suite.counts.passed,
                tests_failed: suite.counts.failed,
                test_output: suite.output.clone(),
            };
            record.regatta.suites.push(note(feature, suite));
        }
        let trouble = judgement.worth_trouble();
        record.regatta.worth_broken_by = trouble.map(|trouble| self.broken(trouble));
        let worth = judgement.worth.iter().flatten().flatten();
        for (note, worth) in record.regatta.suites.iter_mut().zip(worth) {
            note.worth = Some(worth.clone());
        }
        record.both_passed = judgement.both_passed();
        record.error.clone_from(&judgement.error);
        record.regatta.left_out.clone_from(&judgement.left_out);
        record.regatta.mended.clone_from(&judgement.mended);
        let by_bytes = judgement.by_bytes.as_ref();
        record.regatta.by_bytes = by_bytes
            .and_then(|judged| judged.as_ref().ok())
            .map(|judged| self::by_bytes(judged, features));
    }

    fn broken(&self, trouble: &Trouble) -> BrokenBy {
        BrokenBy {
            cause: (self.cause)(&trouble.rule),
            rule: trouble.rule.clone(),
        }
    }
}

/// A line of `evaluations.jsonl`.
#[derive(Debug, Serialize)]
struct Line<'a> {
    at: Timestamp,
    pair: &'a Pair,
    trial: &'a str,
    rules: &'a str,
    verdict: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broken_by: Option<&'a BrokenBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worth_broken_by: Option<&'a BrokenBy>,
    tries: u32,
    seconds: f64,
}

/// The line of `evaluations.jsonl` on an evaluation that took so long.
pub fn line(pair: &Pair, record: &EvalRecord, verdict: &Verdict, took: Duration) -> Result<String> {
    let line = Line {
        at: Timestamp::now(),
        pair,
        trial: &record.regatta.trial,
        rules: record.regatta.rules.name(),
        verdict: match verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Error(_) => "error",
        },
        error: record.error.as_deref(),
        broken_by: record.regatta.broken_by.as_ref(),
        worth_broken_by: record.regatta.worth_broken_by.as_ref(),
        tries: record.regatta.tries,
        seconds: took.as_secs_f64(),
    };
    serde_json::to_string(&line)
        .map_err(|error| Error::world(format!("a line of evaluations.jsonl: {error}")))
}

const AGENTS: [&str; 2] = ["agent1", "agent2"];

/// One feature's suite as an `eval.json` has it beside upstream's fields.
pub(super) fn note(feature: u64, suite: &Suite) -> SuiteNote {
    SuiteNote {
        feature,
        outcome: suite.outcome.name().to_owned(),
        reason: suite.reason.clone(),
        failed_tests: suite.failed_tests(),
        named_tests: suite.tests.len(),
        worth: None,
    }
}

/// What became of each agent's patch.
fn status(words: [&str; 2]) -> ApplyStatus {
    let [agent1, agent2] = words.map(str::to_owned);
    ApplyStatus { agent1, agent2 }
}

/// Writes what became of two patches, of these features.
fn of_merge(record: &mut EvalRecord, merge: &Merging, features: [u64; 2]) {
    record.apply_status = Some(status(merge.applied.map(Applied::name)));
    let note = &mut record.regatta;
    let place = if merge.in_clone {
        "clone"
    } else {
        note.backend.name()
    };
    note.merged_in = Some(place.to_owned());
    note.conflict.clone_from(&merge.conflict);
    note.refused = refused(merge);
    note.alone = alone(merge, features);
    record.merge = Some(MergeRecord {
        status: merge.status.to_owned(),
        strategy: merge.strategy.map(str::to_owned),
        diff: merge.diff.clone(),
    });
}

/// What git said of the patches that it refused.
fn refused(merge: &Merging) -> Vec<Refused> {
    let words = AGENTS.into_iter().zip(&merge.refused);
    let refused = words.filter_map(|(agent, said)| {
        let said = said.clone()?;
        Some(Refused { agent, said })
    });
    refused.collect()
}

/// The first agent's patch where it was tested alone.
fn alone(merge: &Merging, features: [u64; 2]) -> Option<Alone> {
    let suites = merge.alone.as_ref()?;
    let both_passed = suites.iter().all(Suite::passed);
    let ran = features.into_iter().zip(suites);
    let ran = ran.filter(|(_, suite)| !both_passed && suite.outcome != SuiteOutcome::NotTested);
    Some(Alone {
        agent: AGENTS[0],
        suites: ran
            .map(|(feature, suite)| AloneSuite {
                note: note(feature, suite),
                exit_code: suite.exit_code,
                tests_passed: suite.counts.passed,
                tests_failed: suite.counts.failed,
                test_output: suite.output.clone(),
            })
            .collect(),
    })
}

/// The verdict on a submission byte for byte.
fn by_bytes(judged: &Judgement, features: [u64; 2]) -> ByBytes {
    let suites = features.into_iter().zip(&judged.suites);
    ByBytes {
        both_passed: judged.both_passed(),
        suites: suites
            .map(|(feature, suite)| note(feature, suite))
            .collect(),
    }
}
