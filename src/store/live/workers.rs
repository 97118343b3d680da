//! The workers of a run, where its trials run on other machines.

use std::collections::{BTreeMap, BTreeSet};

use crate::bench::Pair;
use crate::store::event::Event;
use crate::text::{fit, one_line, plural};

/// The longest list of nodes that is told with each of them, in columns.
const NODES: usize = 50;

/// The longest name of a node that is shown.
const NODE: usize = 24;

/// A worker that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveWorker {
    /// Where it runs.
    pub node: String,
    /// Its job and task of the cluster, if it is one.
    pub job: Option<String>,
    /// How many pairs it runs at once.
    pub at_once: usize,
    /// The pairs whose trials it runs.
    pub pairs: BTreeSet<Pair>,
}

impl LiveWorker {
    /// The node's name as it is shown: it is another's text.
    #[must_use]
    pub fn shown_node(&self) -> String {
        one_line(&self.node, NODE)
    }
}

/// The workers that are there, by their ids, and whose each trial is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveWorkers {
    all: BTreeMap<String, LiveWorker>,
    whose: BTreeMap<Pair, String>,
}

impl LiveWorkers {
    /// What an event tells of them.
    pub fn take_in(&mut self, event: &Event) {
        match event {
            Event::WorkerStarted {
                worker,
                node,
                job,
                at_once,
            } => {
                let there = LiveWorker {
                    node: node.clone(),
                    job: job.clone(),
                    at_once: *at_once,
                    pairs: BTreeSet::new(),
                };
                self.all.insert(worker.clone(), there);
            }
            Event::WorkerEnded { worker, .. } => {
                let gone = self.all.remove(worker);
                for pair in gone.into_iter().flat_map(|it| it.pairs) {
                    self.whose.remove(&pair);
                }
            }
            Event::TrialPlaced { pair, worker } => {
                self.free(pair);
                if let Some(there) = self.all.get_mut(worker) {
                    there.pairs.insert(pair.clone());
                    self.whose.insert(pair.clone(), worker.clone());
                }
            }
            Event::TrialEnded { pair, .. } | Event::TrialCutOff { pair, .. } => self.free(pair),
            Event::AttemptStarted { .. } | Event::AttemptEnded { .. } => {
                self.whose.clear();
                self.all.values_mut().for_each(|it| it.pairs.clear());
            }
            Event::RunStarted { .. } | Event::RunEnded { .. } => *self = Self::default(),
            _ => {}
        }
    }

    /// No worker runs this pair any more.
    fn free(&mut self, pair: &Pair) {
        let worker = self.whose.remove(pair);
        if let Some(worker) = worker.and_then(|id| self.all.get_mut(&id)) {
            worker.pairs.remove(pair);
        }
    }

    /// Each with its id.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &LiveWorker)> {
        self.all.iter().map(|(id, worker)| (id.as_str(), worker))
    }

    /// The worker that runs a pair.
    #[must_use]
    pub fn of(&self, pair: &Pair) -> Option<&LiveWorker> {
        self.all.get(self.whose.get(pair)?)
    }

    /// How many there are on which nodes, and how many trials they run; `None` without any:
    /// `3 workers on n1 (2), n2 (1): 2 trials`.
    #[must_use]
    pub fn in_words(&self) -> Option<String> {
        if self.all.is_empty() {
            return None;
        }
        let mut by_node: BTreeMap<String, usize> = BTreeMap::new();
        for worker in self.all.values() {
            *by_node.entry(worker.shown_node()).or_default() += 1;
        }
        let each = by_node
            .iter()
            .map(|(node, count)| format!("{node} ({count})"));
        let each = each.collect::<Vec<_>>().join(", ");
        let nodes = match by_node.keys().next() {
            Some(only) if by_node.len() == 1 => only.clone(),
            _ if fit::width(&each) > NODES => plural(by_node.len(), "node"),
            _ => each,
        };
        let workers = plural(self.all.len(), "worker");
        let trials = plural(self.whose.len(), "trial");
        Some(format!("{workers} on {nodes}: {trials}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::TaskKey;

    fn pair(task: u64) -> Pair {
        Pair::new(TaskKey::new("a_task", task), 1, 2)
    }

    fn started(worker: &str, node: &str) -> Event {
        Event::WorkerStarted {
            worker: worker.to_owned(),
            node: node.to_owned(),
            job: Some("12_3".to_owned()),
            at_once: 1,
        }
    }

    fn placed(task: u64, worker: &str) -> Event {
        Event::TrialPlaced {
            pair: pair(task),
            worker: worker.to_owned(),
        }
    }

    fn cut_off(task: u64) -> Event {
        Event::TrialCutOff {
            attempt: 1,
            pair: pair(task),
            why: "x".to_owned(),
            cost: None,
            usage_unknown: true,
        }
    }

    fn after(events: &[Event]) -> LiveWorkers {
        let mut workers = LiveWorkers::default();
        for event in events {
            workers.take_in(event);
        }
        workers
    }

    #[test]
    fn workers_are_told_by_node_with_what_they_run() {
        assert_eq!(LiveWorkers::default().in_words(), None);
        let mut events = vec![started("a", "n1")];
        assert_eq!(
            after(&events).in_words().unwrap(),
            "1 worker on n1: 0 trials"
        );
        events.extend([started("b", "n2"), started("c", "n1")]);
        events.extend([placed(1, "a"), placed(2, "b"), placed(3, "nobody")]);
        let workers = after(&events);
        let words = "3 workers on n1 (2), n2 (1): 2 trials";
        assert_eq!(workers.in_words().unwrap(), words);
        assert_eq!(workers.of(&pair(2)).unwrap().node, "n2");
        assert_eq!(workers.of(&pair(3)), None);
        events.extend((0..30).map(|n| started(&format!("w{n}"), &format!("node{n}"))));
        let words = "33 workers on 32 nodes: 2 trials";
        assert_eq!(after(&events).in_words().unwrap(), words);
    }

    #[test]
    fn a_pair_is_one_workers_until_its_trial_ends_or_the_worker() {
        let mut events = vec![started("a", "n1"), started("b", "n2")];
        events.extend([placed(1, "a"), placed(2, "a"), placed(1, "b")]);
        let workers = after(&events);
        assert_eq!(workers.of(&pair(1)).unwrap().node, "n2");
        let pairs: Vec<usize> = workers.iter().map(|(_, it)| it.pairs.len()).collect();
        assert_eq!(pairs, [1, 1]);
        events.push(cut_off(1));
        events.push(Event::WorkerEnded {
            worker: "a".to_owned(),
            node: "n1".to_owned(),
            why: None,
        });
        let workers = after(&events);
        assert_eq!(workers.in_words().unwrap(), "1 worker on n2: 0 trials");
        assert_eq!(workers.of(&pair(2)), None);
    }

    #[test]
    fn the_name_of_a_node_is_anybodys_text() {
        let workers = after(&[started("a", "n\u{1b}[2J1\nx")]);
        let words = workers.in_words().unwrap();
        assert!(!words.contains(['\u{1b}', '\n']), "{words:?}");
    }
}
