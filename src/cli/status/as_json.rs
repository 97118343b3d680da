//! The same for scripts.

use jiff::Timestamp;
use serde::Serialize;

use super::state::RunState;
use crate::report::{Outcome, Summary};
use crate::store::live::LiveWorker;

/// How a run stands.
#[derive(Debug, Serialize)]
pub struct RunStatus {
    run: String,
    state: String,
    holder: Option<String>,
    is_running: bool,
    is_paused: bool,
    pairs: usize,
    finished: usize,
    submitted: usize,
    missing: usize,
    left: usize,
    trials: Vec<TrialStatus>,
    workers: Vec<WorkerStatus>,
}

/// A trial that runs, where the engine tells.
#[derive(Debug, Serialize)]
struct TrialStatus {
    pair: String,
    begun_at: Timestamp,
    last_at: Timestamp,
    cost: Option<f64>,
    node: Option<String>,
}

/// A worker that is there.
#[derive(Debug, Serialize)]
struct WorkerStatus {
    worker: String,
    node: String,
    job: Option<String>,
    at_once: usize,
    pairs: Vec<String>,
}

impl RunStatus {
    /// Of a run in such a state, in words too.
    pub fn of(told: &str, state: &RunState, summary: &Summary) -> Self {
        let live = &state.live;
        let is_running = state.is_running();
        // A command that died tells nothing of what it left.
        let trials = live.trials.iter().filter(|_| is_running);
        let workers = live.workers.iter().filter(|_| is_running);
        let trials = trials.map(|(pair, trial)| TrialStatus {
            pair: pair.to_string(),
            begun_at: trial.begun_at,
            last_at: trial.last_at,
            cost: super::running::cost(trial).usd,
            node: live.workers.of(pair).map(LiveWorker::shown_node),
        });
        let workers = workers.map(|(id, worker)| WorkerStatus {
            worker: id.to_owned(),
            node: worker.shown_node(),
            job: worker.job.clone(),
            at_once: worker.at_once,
            pairs: worker.pairs.iter().map(ToString::to_string).collect(),
        });
        Self {
            run: summary.run.to_string(),
            state: told.to_owned(),
            holder: state.holder.clone(),
            is_running,
            is_paused: is_running && live.paused.is_some(),
            pairs: summary.pairs,
            finished: summary.finished,
            submitted: summary.submitted,
            missing: summary.count_of(Outcome::Missing),
            left: state.left,
            trials: trials.collect(),
            workers: workers.collect(),
        }
    }
}
