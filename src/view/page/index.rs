//! The page's index: everything but what is looked at one by one.

use std::collections::BTreeMap;

use serde::Serialize;

use super::running::RunningContainer;
use crate::report::{Outcome, Row};
use crate::store::Cause;

/// What the page's script reads first.
#[derive(Debug, Default, Serialize)]
pub struct Index {
    /// The version of the page's data.
    pub format: u32,
    /// The version of Regatta.
    pub regatta: &'static str,
    /// When the page was made: UTC, to the second.
    pub made_at: String,
    /// What the page is of.
    pub title: String,
    /// What is to be said of it, a sentence each.
    pub notes: Vec<String>,
    /// Where blocks are that the page itself does not have: the beginning of their addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks: Option<String>,
    /// Whether the page is served while runs go on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_live: bool,
    /// The block with the texts that several others have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<String>,
    /// The arms, in their order.
    pub arms: Vec<ArmPart>,
    /// The runs, arm by arm.
    pub runs: Vec<RunPart>,
    /// The pairs of all runs, in order.
    pub pairs: Vec<PairPart>,
    /// What stands for each pair in each run.
    pub trials: Vec<TrialPart>,
    /// How arms differ.
    pub contrasts: Vec<ContrastPart>,
    /// Trials that ended and incidents, by time.
    pub timeline: Vec<Happened>,
    /// The containers in use, of a page that is served.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerPart>,
}

/// A container in use.
#[derive(Debug, Serialize)]
pub struct ContainerPart {
    /// The run.
    pub run: String,
    /// What is known of it.
    #[serde(flatten)]
    pub container: RunningContainer,
}

/// An arm of the page.
#[derive(Debug, Default, Serialize)]
pub struct ArmPart {
    /// Its name.
    pub name: String,
    /// Its setting.
    pub setting: Option<&'static str>,
    /// Its model.
    pub model: Option<String>,
    /// Pairs that some run of it names.
    pub pairs: usize,
    /// Trials that were judged.
    pub judged: usize,
    /// Its rate of passes.
    pub mean: Option<MeanPart>,
    /// Pairs of all its runs, by what they count as.
    pub outcomes: BTreeMap<Outcome, usize>,
    /// Judged trials by how their patches merged.
    pub merges: BTreeMap<String, usize>,
    /// Judged trials of two agents by where they fail, as far as some were judged alone.
    pub places: Option<BTreeMap<&'static str, usize>>,
    /// What all its trials cost in USD, as far as that is known.
    pub cost: Option<f64>,
    /// Trials whose cost is unknown, or known in part.
    pub cost_unknown: u64,
    /// Its cost over its passes, in USD; `None` without a pass.
    pub cost_per_pass: Option<f64>,
    /// Mean wall-clock seconds of the trials that stand.
    pub seconds: Option<f64>,
    /// Prompt tokens of the trials that stand.
    pub input_tokens: Option<u64>,
    /// Completion tokens of the trials that stand.
    pub output_tokens: Option<u64>,
}

/// A rate of passes: the mean over pairs of each pair's own.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MeanPart {
    /// The share, from 0 to 1.
    pub share: f64,
    /// The lower end of its 95% interval.
    pub low: Option<f64>,
    /// The upper end of it.
    pub high: Option<f64>,
}

/// A run of the page.
#[derive(Debug, Serialize)]
pub struct RunPart {
    /// Its name.
    pub name: String,
    /// Its arm's place in the index.
    pub arm: usize,
    /// Which repeat of the arm it is.
    pub repeat: Option<u64>,
    /// Whether it goes on, and begins nothing new for now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_paused: bool,
    /// The workers that run its trials on other machines, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<String>,
}

/// A pair of the page.
#[derive(Debug, Serialize)]
pub struct PairPart {
    /// `repo/task/fi_fj`.
    pub name: String,
    /// `repo/task`.
    pub task: String,
    /// The block with its features; none where no dataset is at hand.
    pub block: Option<String>,
}

/// What stands for a pair in a run.
#[derive(Debug, Serialize)]
pub struct TrialPart {
    /// The run's place in the index.
    pub run: usize,
    /// The pair's place in the index.
    pub pair: usize,
    /// What it counts as.
    pub outcome: Outcome,
    /// Whose doing it was that it did not finish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The triage rule that decided that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why it did not finish or not pass, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How its patches merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<String>,
    /// How many of its two features pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features_passed: Option<u64>,
    /// What is wrong with its result.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damage: Vec<String>,
    /// What its pass is flagged for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flagged: Option<String>,
    /// Where the work of its two agents fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<&'static str>,
    /// What it cost, in USD.
    pub cost: Option<f64>,
    /// How long it took, in seconds.
    pub seconds: Option<f64>,
    /// How many trials there were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u64>,
    /// Whether a trial of it runs now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_running: bool,
    /// When that began: seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<f64>,
    /// The node whose worker runs it, where it runs on another machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Whether it had a result while the page was served, and has none any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_gone: bool,
    /// The block with its trajectory, verdict and patches; none where there is no result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<String>,
}

/// How two arms differ.
#[derive(Debug, Serialize)]
pub struct ContrastPart {
    /// The first arm's place in the index.
    pub first: usize,
    /// The place of the arm that is taken from it.
    pub second: usize,
    /// The first's rate less the second's, from -1 to 1.
    pub share: f64,
    /// The lower end of its 95% interval.
    pub low: Option<f64>,
    /// The upper end of it.
    pub high: Option<f64>,
    /// The p-value.
    pub p: Option<f64>,
    /// The same, adjusted for all that the page shows.
    pub p_adjusted: Option<f64>,
    /// Why there is no p-value.
    pub no_p: Option<String>,
    /// Pairs that were judged in both.
    pub pairs: usize,
    /// The tasks that they are from.
    pub tasks: usize,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Happened {
    /// When: seconds since 1970 on the clock of the machine that ran it.
    pub at: f64,
    /// `trial_ended`, or an incident's kind.
    pub kind: &'static str,
    /// The run.
    pub run: String,
    /// What a trial cost, in USD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd: Option<f64>,
    /// What an incident was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl TrialPart {
    /// Of a row of the table.
    pub(super) fn of(row: &Row, run: usize, pair: usize, block: Option<String>) -> Self {
        let damage = row.damage.iter().flat_map(|it| it.split('+'));
        Self {
            run,
            pair,
            outcome: row.outcome,
            cause: row.cause,
            rule: row.rule.clone(),
            why: row
                .evidence
                .as_deref()
                .map(|text| crate::text::one_line(text, 400)),
            merge: row.merge.clone(),
            features_passed: row.features_passed,
            damage: damage.map(str::to_owned).collect(),
            flagged: row.flagged_why.clone(),
            place: row.failed_at,
            cost: row.cost_usd,
            seconds: row.duration_s,
            attempts: row.trials,
            is_running: false,
            since: None,
            node: None,
            is_gone: false,
            block,
        }
    }
}
