//! Trials whose workers are gone, until it is known why.

use std::time::Duration;

use tokio::time::Instant;

use super::crew::Member;
use super::jobs::Jobs;
use crate::bench::{Pair, RuleId};
use crate::files;
use crate::slurm::{JobScript, TaskSeen, TaskState};
use crate::store::Event;
use crate::store::lease::Holder;

/// How long Slurm is waited for to say why a worker is gone: it notices a node that is gone after its
/// `SlurmdTimeout`, and accounts are written a while later.
const NAMED_WITHIN: Duration = Duration::from_mins(2);

/// A trial whose worker is gone.
#[derive(Debug)]
pub struct LostTrial {
    pair: Pair,
    node: String,
    holder: Option<Holder>,
    why: String,
    since: Instant,
}

impl LostTrial {
    /// One of a worker, as far as the driver has seen why.
    pub fn of(pair: Pair, member: Option<&Member>, why: String) -> Self {
        Self {
            pair,
            node: member.map_or_else(String::new, |member| member.node.clone()),
            holder: member.map(|member| member.holder.clone()),
            why,
            since: Instant::now(),
        }
    }

    /// The event that tells of it, where it is known why or nobody will say; otherwise itself.
    pub fn named(self, jobs: &Jobs, script: &JobScript) -> Result<Event, Box<Self>> {
        let word = self
            .holder
            .as_ref()
            .and_then(|holder| jobs.last_word(holder));
        let Some(seen) = word else {
            if self.holder.is_some() && self.since.elapsed() < NAMED_WITHIN {
                return Err(Box::new(self));
            }
            return Ok(self.told(&RuleId::CUT_OFF, None));
        };
        let state = match &seen.state {
            // Without cgroups only slurmstepd's own words tell that it was for memory.
            TaskState::Failed => told_in_output(script, seen).unwrap_or(TaskState::Failed),
            // It left in order at a signal, and nobody ended the job: its time was nearly up.
            TaskState::Completed if self.why == "SIGTERM" => TaskState::Timeout,
            state => state.clone(),
        };
        let rule = state.rule().unwrap_or(RuleId::CUT_OFF);
        let told = format!("Slurm says {} of job {}", seen.state, seen.task);
        Ok(self.told(&rule, Some(&told)))
    }

    fn told(&self, rule: &RuleId, slurm: Option<&str>) -> Event {
        let mut why = format!("its worker on {} is gone: {}", self.node, self.why);
        if let Some(slurm) = slurm {
            why.push_str("; ");
            why.push_str(slurm);
        }
        Event::TrialLost {
            pair: self.pair.clone(),
            rule: rule.to_string(),
            why,
        }
    }
}

/// What slurmstepd has written into a task's output about its end.
fn told_in_output(script: &JobScript, seen: &TaskSeen) -> Option<TaskState> {
    const MOST: u64 = 16_000;
    let bytes = files::read_last(&script.output_of(seen.task), MOST).ok()?;
    TaskState::told_by(&String::from_utf8_lossy(&bytes))
}
