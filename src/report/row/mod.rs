//! One pair of one run as a row of a table: the columns of `--format csv` and `--format jsonl`, in
//! their order, with what the documentation says of each.

pub mod cell;
mod of_pair;
mod of_run;

use serde::Serialize;

use self::cell::{Cell, LocalTime, Value, ValueKind};
use super::Outcome;
use crate::store::Cause;

pub use of_run::rows;

/// What is to be known of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, with the unit where it has one.
    pub name: &'static str,
    /// What its values are.
    pub kind: ValueKind,
    /// Whether a row may have none: nothing in CSV, `null` in JSON.
    pub may_be_empty: bool,
    /// What it says, in Markdown.
    pub about: &'static str,
}

/// Makes the type of a row, and the list of its columns with their documentation.
macro_rules! columns {
    ($($(#[doc = $about:literal])+ $name:ident: $type:ty,)+) => {
        /// One pair of one run. What is not known is `None`, and never 0.
        #[derive(Clone, Debug, Default, PartialEq, Serialize)]
        pub struct Row {
            $($(#[doc = $about])+ pub $name: $type,)+
        }

        impl Row {
            /// Every column, in order.
            pub const COLUMNS: &'static [Column] = &[$(Column {
                name: stringify!($name),
                kind: <$type as Value>::KIND,
                may_be_empty: <$type as Value>::MAY_BE_EMPTY,
                about: concat!($($about),+),
            }),+];

            /// The values, in the order of the columns.
            #[must_use]
            pub fn cells(&self) -> Vec<Cell<'_>> {
                vec![$(self.$name.cell()),+]
            }
        }
    };
}

columns! {
    /// The experiment that the run is of: the first part of the names of its runs.
    experiment: Option<String>,
    /// The arm of the experiment. The setting, if there are no arms.
    arm: Option<String>,
    /// Which repeat of the arm the run is, from 1.
    repeat: Option<u64>,
    /// The run's name.
    run: String,
    /// `solo`, `coop-comm`, `coop-nocomm`, `team`, or `coop (messaging unknown)`.
    setting: Option<&'static str>,
    /// The subset that the run was planned by.
    subset: Option<String>,
    /// The pair, `<repo>/<task id>/f<i>_f<j>`. Empty for a pair that upstream counted and that
    /// nothing on disk names.
    pair: Option<String>,
    /// The repository's directory in the dataset.
    repo: Option<String>,
    /// The task, `<repo>/<task id>`. Pairs of one task are alike: group by it.
    task: Option<String>,
    /// The features, `f<i>_f<j>`.
    features: Option<String>,
    /// The model, by the result. Without a result, by the plan.
    model: Option<String>,
    /// The agent framework, by the result. Without a result, by the plan.
    agent: Option<String>,
    /// `upstream` or `native`.
    engine: Option<String>,
    /// The version of the engine's tool, for example `cooperbench 0.0.29`.
    engine_version: Option<String>,
    /// Where the agents' commands ran: `docker`, `oci`, `namespace`, `process`.
    backend: Option<String>,
    /// The id of the trial whose result stands.
    trial: Option<String>,
    /// The attempt that made it, from 1.
    attempt: Option<u64>,
    /// What the pair counts as: see [Outcomes](../concepts/outcomes.md).
    outcome: Outcome,
    /// Whether both features' hidden tests pass. Empty if the pair was not judged.
    passed: Option<bool>,
    /// False if no command has asked for the pair yet, and it has no result.
    asked: bool,
    /// The agents' statuses, joined by `+`, equal neighbours once.
    status: Option<String>,
    /// Whose doing it was that the trial did not finish, or that its evaluation broke: `infra`,
    /// `limit`, `config` or `agent`.
    cause: Option<Cause>,
    /// The triage rule that decided that.
    rule: Option<String>,
    /// The text that it was decided by. For a `fail`, why the pair failed.
    evidence: Option<String>,
    /// Where that text comes from: a field of `result.json`, or a file.
    evidence_source: Option<String>,
    /// Whether the result does not stand although it looks finished.
    void: Option<bool>,
    /// What is wrong with a judged result, joined by `+`: `empty_submission`, `suite_timeout`,
    /// `ended_by_error`. Empty if nothing is known to be.
    damage: Option<String>,
    /// The rule set that judged the pair. `unknown` for an evaluation that does not say.
    rules: Option<String>,
    /// How the two patches merged: `clean`, `conflicts`, `missing_input`, `identical`, `error`. Empty
    /// for one agent.
    merge: Option<String>,
    /// Where a cooperative pair failed: `agent1` or `agent2` (that agent's patch alone does not pass
    /// its own feature), `both_agents`, `merge` (both do, and the patches do not merge) or `together`
    /// (both do, they merge, and the tests fail). Empty for a pass, for one agent, and if
    /// [`eval --alone`](../guide/evaluating.md#each-agent-alone) has not looked.
    failed_at: Option<&'static str>,
    /// How many of the two features' hidden tests pass: 0, 1 or 2.
    features_passed: Option<u64>,
    /// The first feature.
    feature1: Option<u64>,
    /// Whether its hidden tests pass.
    feature1_passed: Option<bool>,
    /// What its suite came to: `passed`, `failed`, `not_loaded`, `not_applied`, and so on. Empty for
    /// upstream's own evaluation.
    feature1_outcome: Option<String>,
    /// How many of its hidden tests passed, as upstream counts them.
    feature1_tests_passed: Option<i64>,
    /// How many of its hidden tests failed, as upstream counts them.
    feature1_tests_failed: Option<i64>,
    /// Whether its hidden tests pass on the patch of its own agent alone, if that was tested.
    feature1_alone_passed: Option<bool>,
    /// The second feature.
    feature2: Option<u64>,
    /// As for the first.
    feature2_passed: Option<bool>,
    /// As for the first.
    feature2_outcome: Option<String>,
    /// As for the first.
    feature2_tests_passed: Option<i64>,
    /// As for the first.
    feature2_tests_failed: Option<i64>,
    /// As for the first.
    feature2_alone_passed: Option<bool>,
    /// The verdict on the submission byte for byte, if upstream's rules change it before the tests.
    passed_by_bytes: Option<bool>,
    /// Whether the pass is [flagged](../guide/evaluating.md#what-a-pass-is-worth). Empty for other
    /// pairs, and if nobody looked.
    flagged: Option<bool>,
    /// What it is flagged for.
    flagged_why: Option<String>,
    /// Whether a pass with files that steer tests passes without them.
    passed_without_steering: Option<bool>,
    /// How many agents the result has.
    agents: Option<u64>,
    /// The size of the agents' patches together, in bytes.
    patch_bytes: Option<u64>,
    /// Messages that the agents sent each other.
    messages: Option<u64>,
    /// Tasks on a team's list at the end. Empty for the other settings, as the following ones.
    team_tasks_total: Option<u64>,
    /// Those of them that were marked as done.
    team_tasks_done: Option<u64>,
    /// Those of them that belonged to nobody.
    team_unowned_at_end: Option<u64>,
    /// How many tasks the team's agents took.
    team_claims: Option<u64>,
    /// How many changes they made to tasks.
    team_updates: Option<u64>,
    /// Seconds from the first task on the list to the first that an agent took.
    team_first_claim_s: Option<f64>,
    /// Model calls of all agents together.
    steps: Option<u64>,
    /// Prompt tokens, with those that a cache had or took.
    input_tokens: Option<u64>,
    /// Completion tokens, with those of reasoning.
    output_tokens: Option<u64>,
    /// Those of the prompt tokens that came from a cache.
    cached_tokens: Option<u64>,
    /// Those of the prompt tokens that were written to a cache.
    cache_write_tokens: Option<u64>,
    /// Those of the completion tokens that were reasoning.
    reasoning_tokens: Option<u64>,
    /// What is known of the cost of the result that stands.
    cost_usd: Option<f64>,
    /// Whether some or all of that cost is unknown. Empty without a result.
    has_unknown_cost: Option<bool>,
    /// Trials of the pair, with those that no longer stand. Empty if the run has no ledger.
    trials: Option<u64>,
    /// Those that failed or were cut off before the one that stands.
    failed_trials: Option<u64>,
    /// What is known of the cost of all these trials: what the pair cost you.
    spent_usd: Option<f64>,
    /// How many of these trials have a cost that is unknown, or known in part.
    spent_unknown_trials: u64,
    /// Wall-clock time of the trial that stands, in seconds.
    duration_s: Option<f64>,
    /// The seconds of it that the agent who waited longest spent waiting for rate limits and overloads.
    /// Only the native engine tells.
    waited_s: Option<f64>,
    /// When the trial began: local time of its machine, without a zone.
    started_at: Option<LocalTime>,
    /// When the trial ended.
    ended_at: Option<LocalTime>,
    /// When the pair was judged.
    evaluated_at: Option<LocalTime>,
    /// SHA-256 over the pairs of the subset.
    subset_sha256: Option<String>,
    /// SHA-256 of the agent configuration, if there is one.
    agent_config_sha256: Option<String>,
    /// SHA-256 over the digests of the dataset's files that the run was begun with, of this pair.
    task_files_sha256: Option<String>,
    /// The image that the run was begun with, or the directory: its kind and digest.
    task_world: Option<String>,
    /// As `task_files_sha256`, of the files that the verdict depends on. It has no `feature.md`, so
    /// the two differ.
    judged_files_sha256: Option<String>,
    /// The image that the pair was judged with, or the directory.
    judged_world: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_the_fields_in_their_order() {
        let row = Row::default();
        let json = serde_json::to_string(&row).unwrap();
        let keys = Row::COLUMNS
            .iter()
            .map(|it| json.find(&format!("\"{}\":", it.name)));
        let places: Vec<usize> = keys.map(Option::unwrap).collect();
        assert!(places.is_sorted(), "{json}");
        assert_eq!(json.matches(':').count(), Row::COLUMNS.len());
        assert_eq!(row.cells().len(), Row::COLUMNS.len());
    }

    #[test]
    fn a_row_of_which_nothing_is_known_has_nulls_and_no_zeros() {
        let empty = Row::default();
        let cells = empty.cells();
        for (column, cell) in Row::COLUMNS.iter().zip(&cells) {
            assert_eq!(column.may_be_empty, *cell == Cell::Empty, "{}", column.name);
        }
    }
}
