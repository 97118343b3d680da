//! A scripted engine: it writes results as upstream would, at once, for the runner's own tests.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::SystemTime;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::{AttemptEnd, Batch, EndedAttempt, Orders, Reporter, Stop};
use crate::bench::Pair;
use crate::bench::image::image_name;
use crate::error::Result;
use crate::files;
use crate::store::Event;
use crate::store::scan::POLL;

/// What becomes of each pair, attempt by attempt.
#[derive(Debug, Default)]
pub struct FakeEngine {
    /// A pair's outcomes in order; the last one repeats. A pair without any submits.
    pub outcomes: HashMap<String, Vec<FakeOutcome>>,
    /// What the agents of a pair submit, one patch each in their order, where they submit. Without
    /// any no patch is written.
    pub patches: HashMap<String, Vec<Vec<u8>>>,
    /// How attempts end, in order; those after the last end in [`AttemptEnd::Done`].
    pub ends: Vec<AttemptEnd>,
    /// When attempts that do not end in [`AttemptEnd::Done`] were ended by force.
    pub killed_at: Option<SystemTime>,
    /// Whether an attempt's results appear all at once, before the runner looks.
    pub at_once: bool,
    /// Which pairs were run, attempt by attempt.
    pub ran: Mutex<Vec<Vec<String>>>,
}

/// What becomes of one trial.
#[derive(Clone, Debug)]
pub enum FakeOutcome {
    /// The agents submit; it costs this much.
    Submitted(f64),
    /// The first agent ends in this error; it costs this much.
    Error(String, f64),
    /// No result is written, as of a trial that was cut off.
    Nothing,
}

impl FakeEngine {
    /// Writes a result for each pair of the batch in turn, as its outcomes say.
    pub async fn attempt(
        &self,
        batch: &Batch,
        mut orders: watch::Receiver<Orders>,
        report: &Reporter,
    ) -> Result<EndedAttempt> {
        let mut names = Vec::new();
        let mut stopped = false;
        for pair in &batch.pairs {
            // Whoever gives orders is there as long as the attempt.
            let may_go_on = |now: &Orders| !now.paused || now.stop > Stop::No;
            let _ = orders.wait_for(may_go_on).await;
            if orders.borrow().stop > Stop::No {
                stopped = true;
                break;
            }
            if orders.borrow().cancelled.contains(pair) {
                continue;
            }
            names.push(pair.to_string());
            for agent in 0..batch.setting.agents() {
                report(Event::ContainerCreated {
                    container: format!("{pair}#{agent}"),
                    image: image_name(&pair.task),
                    name: None,
                });
            }
            self.run(batch, pair)?;
            // Lets the runner look at the store between trials, as it would between real ones.
            if !self.at_once {
                tokio::time::sleep(POLL * 2).await;
            }
        }
        let mut ran = self
            .ran
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        ran.push(names);
        if stopped {
            let killed_at = None;
            return Ok(EndedAttempt {
                how: AttemptEnd::Stopped,
                killed_at,
            });
        }
        let how = self.ends.get(ran.len() - 1).cloned();
        let how = how.unwrap_or(AttemptEnd::Done);
        Ok(EndedAttempt {
            killed_at: self.killed_at.filter(|_| how != AttemptEnd::Done),
            how,
        })
    }

    fn run(&self, batch: &Batch, pair: &Pair) -> Result<()> {
        let name = pair.to_string();
        let before = {
            let ran = self
                .ran
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            ran.iter().flatten().filter(|other| **other == name).count()
        };
        let outcome = match self.outcomes.get(&name).map(Vec::as_slice) {
            None | Some([]) => FakeOutcome::Submitted(0.5),
            Some(outcomes) => outcomes[before.min(outcomes.len() - 1)].clone(),
        };
        let (status, error, cost) = match outcome {
            FakeOutcome::Nothing => return Ok(()),
            FakeOutcome::Submitted(cost) => ("Submitted", Value::Null, cost),
            FakeOutcome::Error(text, cost) => ("Error", Value::String(text), cost),
        };
        let dir = batch.run.pair(batch.setting.tree(), pair);
        files::create_dir(dir.path())?;
        let patches = self.patches.get(&name).filter(|_| status == "Submitted");
        let features: &[Option<u64>] = match batch.setting.agents() {
            1 => &[None],
            _ => &pair.features.map(Some),
        };
        for (feature, patch) in features.iter().zip(patches.into_iter().flatten()) {
            files::write_atomic(&dir.patch(*feature), patch)?;
        }
        let agent = |status: &str, error: &Value| json!({"status": status, "cost": cost, "steps": 3, "error": error});
        let mut result = json!({
            "repo": pair.task.repo, "task_id": pair.task.task_id, "features": pair.features,
            "run_id": format!("{:08x}", fastrand::u32(..)), "run_name": batch.run.name(),
            "model": "scripted", "started_at": "2026-01-01T00:00:00", "ended_at": jiff::Zoned::now().datetime().to_string(), "duration_seconds": 1.0,
        });
        if batch.setting.agents() == 1 {
            result["agent"] = agent(status, &error);
        } else {
            result["agents"] = json!({"agent1": agent(status, &error), "agent2": agent("Submitted", &Value::Null)});
        }
        files::write_atomic(&dir.result(), format!("{result:#}").as_bytes())
    }
}
