//! What of a trial was billed, where its result alone does not say.

use crate::bench::Usage;
use crate::model::price::used_nothing;
use crate::store::framework::Framework;
use crate::store::result::ERROR;
use crate::store::stream::{self, Answers, LastEvent};
use crate::store::trajectory::Trajectory;
use crate::store::{AgentRecord, PairDir, TrialRecord};

/// A trial as it was billed.
#[derive(Debug)]
pub(super) struct Billed {
    /// The record, with the tokens of agents whose result has none, and without counts that are not
    /// believed.
    pub record: TrialRecord,
    /// Whether an agent's tokens are not known, whatever was booked of them before: its counts were
    /// zero, and are not believed.
    pub is_doubted: bool,
}

impl Billed {
    /// Reads a trial. `is_free` says of an agent whether the call that ended it is not billed, or
    /// its program never began.
    pub fn of(
        dir: &PairDir,
        record: &TrialRecord,
        trajectories: &[Option<Trajectory>],
        ends: &[Option<LastEvent>],
        is_free: impl Fn(usize) -> bool,
    ) -> Self {
        let framework = Framework::of(record.agent_framework.as_deref());
        let mut billed = Self {
            record: record.clone(),
            is_doubted: false,
        };
        let agents = billed
            .record
            .agents
            .iter_mut()
            .zip(trajectories)
            .enumerate();
        for (index, (agent, trajectory)) in agents {
            let trajectory = trajectory.as_ref();
            let answered = trajectory.is_some_and(|it| it.has_answer(framework));
            // Who came to an end of its own made calls, whoever counted.
            let may_be_untrue = framework.counts_at_the_end()
                || (framework != Framework::Native && agent.status != ERROR);
            if may_be_untrue && says_nothing(agent) {
                let answers = stream::answers(dir, &agent.id);
                let is_true = zeros_are_true(agent, framework, &answers, answered);
                if !is_true.unwrap_or_else(|| is_free(index)) {
                    let total = ends.get(index).and_then(|end| end.as_ref()?.cost());
                    agent.usage = trajectory.and_then(|trajectory| trajectory.usage);
                    billed.is_doubted |= agent.usage.is_none();
                    doubt(agent, &answers, total);
                }
                continue;
            }
            count_calls(agent, trajectory, framework, || is_free(index));
            let Some(trajectory) = trajectory else {
                continue;
            };
            let is_error = agent.status == ERROR;
            if framework != Framework::Native && is_error && says_nothing(agent) && answered {
                (agent.usage, agent.steps) = (None, None);
            }
            if agent.usage.is_none() {
                agent.usage = trajectory.usage;
                // The cost is that of the answers that told.
                agent.usage_unknown |= trajectory.is_untold && agent.cost > Some(0.0);
            }
        }
        billed
    }

    /// The tokens, where each of its agents that made calls tells its own: one agent's are not the
    /// pair's.
    pub fn used(&self) -> Option<Usage> {
        if self.is_doubted {
            return None;
        }
        let mut sum = None;
        for agent in &self.record.agents {
            match agent.usage {
                Some(used) => *sum.get_or_insert_default() += used,
                None if agent.steps == Some(0) => {}
                None => return None,
            }
        }
        sum
    }
}

/// Whether a result says that an agent cost nothing because it used nothing.
fn says_nothing(agent: &AgentRecord) -> bool {
    agent.cost == Some(0.0) && used_nothing(agent)
}

/// Whether counts of zero are true, of a framework whose counts are zero until its end comes; `None`
/// where only the words of the end can say.
fn zeros_are_true(
    agent: &AgentRecord,
    framework: Framework,
    answers: &Answers,
    answered: bool,
) -> Option<bool> {
    // Only Claude Code's own files tell its words from its model's.
    let by_trajectory = answered && !(answers.has_events && framework == Framework::Claude);
    if answers.any || by_trajectory || agent.status != ERROR {
        return Some(false);
    }
    // SWE-agent's counts come with this.
    let is_status = |error: &str| error.starts_with("Exit status: ");
    let was_told = (framework.steps_come_with_tokens() && agent.steps > Some(0))
        || agent.error.as_deref().is_some_and(is_status);
    (was_told || answers.is_summed).then_some(true)
}

/// Takes counts of zero back. What is known instead is what the program says that all of it cost, or
/// a part: what it noted with its model's answers.
fn doubt(agent: &mut AgentRecord, answers: &Answers, total: Option<f64>) {
    agent.steps = None;
    if let Some(total) = total.filter(|total| *total > 0.0) {
        agent.cost = Some(total);
    } else if agent.usage.is_none() && answers.usage.is_some() {
        (agent.usage, agent.usage_unknown) = (answers.usage, true);
    }
}

/// The steps of an agent that ended in an error before any answer came.
///
/// v2 counts a refused call as a step, v1 does not count one whose answer it could not read. Only
/// the error tells: a call that was refused is free, of another the cost is unknown.
fn count_calls(
    agent: &mut AgentRecord,
    trajectory: Option<&Trajectory>,
    framework: Framework,
    is_free: impl Fn() -> bool,
) {
    let tells = agent.usage.is_some_and(|used| !used.is_nothing());
    let is_unanswered = trajectory.is_some_and(Trajectory::is_unanswered);
    if agent.status != ERROR || agent.cost != Some(0.0) || tells || !is_unanswered {
        return;
    }
    let is_free = is_free();
    agent.steps = Some(u64::from(!is_free));
    if !is_free && framework != Framework::Native {
        agent.usage = None;
    }
}

#[cfg(test)]
mod tests;
