//! What an engine obeys while an attempt goes on.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::bench::Pair;

/// All that an engine obeys, as it is now. It can be written to a file and read by another process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// Whether it should go on.
    pub stop: Stop,
    /// Whether nothing new begins for now. What runs goes on. An engine that cannot wait comes to its
    /// end as by [`Stop::Drain`].
    pub paused: bool,
    /// Pairs at the same time; `None` leaves it at what the engine was made with. An engine that reads
    /// it once reads it at the beginning of an attempt.
    pub concurrency: Option<usize>,
    /// Pairs whose trials are ended, or not begun, by an engine that can.
    pub cancelled: BTreeSet<Pair>,
}

/// Whether an engine should go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Go on, and begin new trials.
    #[default]
    No,
    /// Begin nothing new; what runs may finish, however long it takes.
    Drain,
    /// Begin nothing new; what runs may finish within the grace.
    Gently,
    /// End everything at once, running trials too.
    Now,
}

impl From<Stop> for Orders {
    fn from(stop: Stop) -> Self {
        Self {
            stop,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::TaskKey;

    #[test]
    fn orders_that_were_written_are_read_back() {
        let orders = Orders {
            stop: Stop::Gently,
            paused: true,
            concurrency: Some(8),
            cancelled: BTreeSet::from([Pair::new(TaskKey::new("gull_task", 7), 1, 2)]),
        };
        let written = json!({
            "stop": "gently",
            "paused": true,
            "concurrency": 8,
            "cancelled": [{"repo": "gull_task", "task_id": 7, "features": [1, 2]}],
        });
        assert_eq!(serde_json::to_value(&orders).unwrap(), written);
        assert_eq!(serde_json::from_value::<Orders>(written).unwrap(), orders);
    }
}
