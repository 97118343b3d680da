//! How a team worked together: upstream's `metrics`, from its shared task list.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::lenient;
use crate::bench::believable_seconds;

/// What a team's task list tells of its trial; `None` for what the file does not say.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TeamMetrics {
    /// Tasks on the list at the end: upstream puts one a feature there, agents may add some.
    pub tasks_total: Option<u64>,
    /// Those of them that were marked as done.
    pub tasks_done: Option<u64>,
    /// Those of them that belonged to nobody.
    pub unowned_at_end: Option<u64>,
    /// From the first task on the list to the first one that an agent took; `None` too where none did.
    pub time_to_first_claim_seconds: Option<f64>,
    /// How many tasks each agent took.
    pub claims_per_agent: BTreeMap<String, u64>,
    /// How many changes each agent made to tasks.
    pub updates_per_agent: BTreeMap<String, u64>,
}

impl TeamMetrics {
    /// Reads a `metrics`; `None` of an empty one, as without a task list.
    pub(super) fn of(metrics: &Value) -> Option<Self> {
        let fields = metrics.as_object().filter(|fields| !fields.is_empty())?;
        let number = |name| fields.get(name).and_then(lenient::to_number);
        let by_agent = |name| {
            let counts = fields.get(name).and_then(Value::as_object);
            let counts = counts.into_iter().flatten();
            let read = counts.filter_map(|(id, n)| Some((id.clone(), lenient::to_number(n)?)));
            read.collect()
        };
        let seconds = fields.get("time_to_first_claim_seconds");
        Some(Self {
            tasks_total: number("tasks_total"),
            tasks_done: number("tasks_done"),
            unowned_at_end: number("unowned_at_end"),
            time_to_first_claim_seconds: seconds
                .and_then(Value::as_f64)
                .and_then(believable_seconds),
            claims_per_agent: by_agent("claims_per_agent"),
            updates_per_agent: by_agent("updates_per_agent"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_task_list_tells_is_read_and_an_empty_one_tells_nothing() {
        let metrics = json!({"tasks_total": 3, "tasks_done": 2, "unowned_at_end": 0,
            "time_to_first_claim_seconds": 12.5,
            "claims_per_agent": {"agent2": 1, "agent3": 1}, "updates_per_agent": {"agent10": 4}});
        let read = TeamMetrics::of(&metrics).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), metrics);
        assert_eq!(TeamMetrics::of(&json!({})), None);
        assert_eq!(TeamMetrics::of(&json!(null)), None);
    }

    #[test]
    fn what_is_no_number_is_not_there() {
        let metrics = json!({"tasks_total": "many", "tasks_done": -1,
            "time_to_first_claim_seconds": null, "claims_per_agent": {"agent1": null},
            "updates_per_agent": 7});
        assert_eq!(TeamMetrics::of(&metrics), Some(TeamMetrics::default()));
    }
}
