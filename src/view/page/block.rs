//! A trial and a pair of the page in full.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::bench::Pair;
use crate::files;
use crate::store::dataset::task_dir;
use crate::store::eval::{self, Conflict, EvalFile, FeatureSeen, Printed};
use crate::store::{Cause, LedgerEntry, PairDir, RunDir};
use crate::survey::{Standing, Surveyed};
use crate::view::trial::{self, Trial};

/// The most of a patch that goes into a page, in bytes.
const MOST_OF_PATCH: u64 = 400_000;
/// The most of a suite's output, from its end, in bytes.
const MOST_OF_OUTPUT: usize = 20_000;
/// The most of a feature's text or of the dataset's patch, in bytes.
const MOST_OF_DATASET: u64 = 400_000;

/// A trial of the page.
#[derive(Debug, Serialize)]
pub struct TrialBlock {
    /// What its agents did.
    pub trial: Trial,
    /// What was submitted.
    pub patches: Vec<PatchPart>,
    /// The verdict, where there is one.
    pub verdict: Option<VerdictPart>,
    /// The trials of the pair that the ledger has.
    pub attempts: Vec<AttemptPart>,
    /// The files of the pair's directory.
    pub files: Vec<FilePart>,
}

/// What an agent submitted.
#[derive(Debug, Serialize)]
pub struct PatchPart {
    /// The agent.
    pub agent: String,
    /// Its feature.
    pub feature: Option<u64>,
    /// Where the patch is.
    pub path: PathBuf,
    /// Its text, as far as it is in the page.
    pub text: String,
    /// How many bytes of it are not in the page.
    pub cut: u64,
    /// Whether there is no such file.
    pub missing: bool,
}

/// What an evaluation says.
#[derive(Debug, Serialize)]
pub struct VerdictPart {
    /// The rule set; none for upstream's own.
    pub rules: Option<String>,
    /// How the patches merged.
    pub merge: Option<MergePart>,
    /// Where git could not merge.
    pub conflict: Option<Conflict>,
    /// What broke the evaluation.
    pub error: Option<String>,
    /// The two suites.
    pub features: Vec<SuitePart>,
}

/// How two patches merged.
#[derive(Debug, Serialize)]
pub struct MergePart {
    /// In one word.
    pub status: Option<String>,
    /// By what.
    pub strategy: Option<String>,
    /// The merged work's difference to the base.
    pub diff: Option<String>,
}

/// The suite of a feature.
#[derive(Debug, Serialize)]
pub struct SuitePart {
    /// The feature.
    pub feature: u64,
    /// Whether its hidden tests pass.
    pub passed: Option<bool>,
    /// How many passed.
    pub tests_passed: Option<i64>,
    /// How many failed.
    pub tests_failed: Option<i64>,
    /// Why, in a sentence.
    pub reason: Option<String>,
    /// The tests that did not pass, by name.
    pub failed_tests: Vec<String>,
    /// Whether the patch of its own agent alone passes it.
    pub alone: Option<bool>,
    /// The end of what it printed.
    pub output: Option<String>,
    /// How many bytes before that are not in the page.
    pub output_cut: usize,
}

/// A trial of the pair that was made.
#[derive(Debug, Serialize)]
pub struct AttemptPart {
    /// The attempt.
    pub attempt: Option<u32>,
    /// The trial's id.
    pub trial: String,
    /// How it ended.
    pub status: String,
    /// Whose doing it was that it did not finish.
    pub cause: Option<Cause>,
    /// By what text that was decided.
    pub evidence: Option<String>,
    /// What it cost in USD.
    pub cost: Option<f64>,
    /// How long it took, in seconds.
    pub seconds: Option<f64>,
}

/// A file of the pair's directory.
#[derive(Debug, Serialize)]
pub struct FilePart {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
}

/// A pair of the page, as the dataset has it.
#[derive(Debug, Serialize)]
pub struct PairBlock {
    /// Its features.
    pub features: Vec<FeaturePart>,
    /// The dataset's own patches.
    pub reference: Vec<ReferencePart>,
}

/// A feature's text.
#[derive(Debug, Serialize)]
pub struct FeaturePart {
    /// Its number.
    pub id: u64,
    /// The first line of its text.
    pub title: Option<String>,
    /// Its text.
    pub text: Option<String>,
}

/// The dataset's own patch for a feature.
#[derive(Debug, Serialize)]
pub struct ReferencePart {
    /// The feature.
    pub feature: u64,
    /// The patch.
    pub text: String,
}

impl TrialBlock {
    /// Of what stands at a pair of a run with this ledger, with its secrets: the page's mask takes
    /// them out of the whole block.
    pub(in crate::view) fn of(run: &RunDir, surveyed: &Surveyed, ledger: &[LedgerEntry]) -> Self {
        let dir = run.pair(surveyed.tree, &surveyed.pair);
        let booked = ledger.iter().filter(|it| it.pair == surveyed.pair);
        Self {
            trial: trial::read(run, surveyed.tree, &surveyed.pair),
            patches: patches(&dir, surveyed),
            verdict: surveyed
                .evaluation
                .as_ref()
                .map(|file| VerdictPart::of(file, eval::printed(&dir.eval()), &surveyed.pair)),
            attempts: booked.map(AttemptPart::of).collect(),
            files: listed(dir.path()),
        }
    }
}

fn patches(dir: &PairDir, surveyed: &Surveyed) -> Vec<PatchPart> {
    let Standing::Result(judged) = &surveyed.standing else {
        return Vec::new();
    };
    let agents = judged.record.agents.iter();
    agents
        .map(|agent| {
            let path = dir.patch(agent.feature);
            let start = files::read_start(&path, MOST_OF_PATCH).ok().flatten();
            let (bytes, cut) = start.clone().unwrap_or_default();
            PatchPart {
                agent: agent.id.clone(),
                feature: agent.feature,
                text: String::from_utf8_lossy(&bytes).into_owned(),
                cut,
                missing: start.is_none(),
                path,
            }
        })
        .collect()
}

impl VerdictPart {
    fn of(file: &EvalFile, printed: Printed, pair: &Pair) -> Self {
        let own = file.regatta.as_ref();
        let seen = [&file.feature1, &file.feature2];
        let alone = [&file.feature1_independent, &file.feature2_independent];
        let features = pair
            .all_features()
            .zip(seen)
            .zip(alone)
            .zip(printed.outputs);
        let suites = features
            .enumerate()
            .map(|(at, (((feature, seen), alone), output))| {
                let note = own.and_then(|own| own.suites.get(at));
                SuitePart::of(feature, seen.as_ref(), output).with(
                    note.map(|note| (note.reason.clone(), note.failed_tests.clone())),
                    alone.as_ref().and_then(|it| it.passed),
                )
            });
        Self {
            rules: own.map(|own| own.rules.to_string()),
            merge: file.merge.as_ref().map(|merge| MergePart {
                status: merge.status.clone(),
                strategy: printed.strategy,
                diff: printed.diff,
            }),
            conflict: printed.conflict,
            error: file.error.clone(),
            features: suites.collect(),
        }
    }
}

impl SuitePart {
    fn of(feature: u64, seen: Option<&FeatureSeen>, output: Option<String>) -> Self {
        let output = output.filter(|text| !text.is_empty());
        let cut = output.as_ref().map_or(0, |text| {
            let at = text.len().saturating_sub(MOST_OF_OUTPUT);
            text.ceil_char_boundary(at)
        });
        Self {
            feature,
            passed: seen.and_then(|seen| seen.passed),
            tests_passed: seen.and_then(|seen| seen.tests_passed),
            tests_failed: seen.and_then(|seen| seen.tests_failed),
            reason: None,
            failed_tests: Vec::new(),
            alone: None,
            output: output.map(|text| text[cut..].to_owned()),
            output_cut: cut,
        }
    }

    fn with(mut self, note: Option<(String, Vec<String>)>, alone: Option<bool>) -> Self {
        if let Some((reason, failed_tests)) = note {
            self.reason = Some(reason);
            self.failed_tests = failed_tests;
        }
        self.alone = alone;
        self
    }
}

impl AttemptPart {
    fn of(entry: &LedgerEntry) -> Self {
        let diagnosis = entry.diagnosis.as_ref();
        Self {
            attempt: entry.attempt,
            trial: entry.trial.clone(),
            status: entry.status.clone(),
            cause: diagnosis.map(|it| it.cause),
            evidence: diagnosis.map(|it| it.evidence.text.clone()),
            cost: entry.cost,
            seconds: entry.duration_seconds,
        }
    }
}

/// The files of a directory; what cannot be listed is not there.
fn listed(dir: &Path) -> Vec<FilePart> {
    let paths = files::list(dir).unwrap_or_default().into_iter();
    paths
        .filter_map(|path| {
            let meta = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
            let size = meta.len();
            Some(FilePart { path, size })
        })
        .collect()
}

impl PairBlock {
    /// Of a pair in a dataset; `None` where no text of it is there.
    pub(in crate::view) fn of(dataset: &Path, pair: &Pair) -> Option<Self> {
        let task = task_dir(dataset, &pair.task);
        let text = |feature: u64, name: &str| {
            let path = task.join(format!("feature{feature}")).join(name);
            let (bytes, _) = files::read_start(&path, MOST_OF_DATASET).ok()??;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        let features: Vec<FeaturePart> = pair
            .all_features()
            .map(|id| {
                let text = text(id, "feature.md");
                let lines = text.iter().flat_map(|text| text.lines());
                let mut titles = lines.map(|line| line.trim_matches(['#', '*', ' ']));
                FeaturePart {
                    id,
                    title: titles
                        .find(|line| !line.is_empty())
                        .map(|line| line.replace("**", "")),
                    text,
                }
            })
            .collect();
        let is_there = features.iter().any(|feature| feature.text.is_some());
        let reference = pair.all_features().filter_map(|feature| {
            let text = text(feature, "feature.patch")?;
            Some(ReferencePart { feature, text })
        });
        is_there.then(|| Self {
            features,
            reference: reference.collect(),
        })
    }
}
