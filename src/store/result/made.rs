//! Trials that the tests of pure rules make up.

use super::{AgentRecord, TrialRecord};

/// A trial of these agents, of which nothing else is known.
#[must_use]
pub fn record(agents: Vec<AgentRecord>) -> TrialRecord {
    TrialRecord {
        trial: "c0ffee11".to_owned(),
        run_name: None,
        agent_framework: None,
        model: None,
        setting: None,
        messages_sent: None,
        started_at: None,
        ended_at: None,
        duration_seconds: None,
        agents,
        whole_cost: None,
        is_upstreams_error: false,
        infra_error: false,
        tag: None,
        team: None,
    }
}

/// An agent that ended so, and is said to have cost so many USD in so many steps.
#[must_use]
pub fn agent(id: &str, status: &str, cost: f64, steps: u64) -> AgentRecord {
    AgentRecord {
        id: id.to_owned(),
        feature: None,
        status: status.to_owned(),
        cost: Some(cost),
        steps: Some(steps),
        error: None,
        usage_unknown: false,
        waited_seconds: None,
        usage: None,
    }
}
