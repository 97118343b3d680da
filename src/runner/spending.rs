//! What trials that run have spent so far: the budget counts it before they end.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::bench::{Pair, Spending};
use crate::store::{Event, Ledger};

/// An agent of a trial: the pair, the trial, the agent.
type Spender = (Pair, String, String);

/// The spending of trials that are not in the ledger yet.
#[derive(Debug, Default)]
pub(super) struct Underway {
    spent: Mutex<HashMap<Spender, Spending>>,
    /// The agents whose trial was ended.
    ended: Mutex<HashSet<Spender>>,
    /// The pairs whose trial is lost, and not booked yet.
    lost: Mutex<HashSet<Pair>>,
    /// Woken when an agent's spending is noted, so that the budget is counted at once.
    pub changed: Notify,
}

impl Underway {
    /// Takes in what an engine tells.
    pub fn note(&self, event: &Event) {
        if let Event::TrialLost { pair, .. } = event {
            let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
            lost.insert(pair.clone());
        }
        if let Event::Spent {
            pair,
            trial,
            agent,
            spending,
            ended,
        } = event
        {
            let spender = (pair.clone(), trial.clone(), agent.clone());
            if *ended {
                let mut of_ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
                of_ended.insert(spender.clone());
            }
            let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
            spent.insert(spender, *spending);
            self.changed.notify_one();
        }
    }

    /// Whether a trial of a pair was ended, with so many agents.
    pub fn has_ended(&self, pair: &Pair, agents: usize) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.iter().filter(|(of, _, _)| of == pair).count() >= agents
    }

    /// The pairs whose trial is lost, and not booked yet.
    pub fn lost(&self) -> Vec<Pair> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.iter().cloned().collect()
    }

    /// Leaves out a pair's trials: the ledger has them by another name.
    pub fn forget(&self, pair: &Pair) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.remove(pair);
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.retain(|(of, _, _), _| of != pair);
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.retain(|(of, _, _)| of != pair);
    }

    /// The sum of what is known, in USD, of trials that the ledger does not have.
    pub fn known_cost(&self, ledger: &Ledger) -> f64 {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.retain(|(pair, trial, _), _| !ledger.has(pair, trial));
        let costs = spent.values().filter_map(|spending| spending.cost);
        costs.fold(0.0, |sum, cost| sum + cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::made::{entry, ledger, pair};

    fn spent(trial: &str, agent: &str, cost: Option<f64>) -> Event {
        Event::Spent {
            pair: pair(2),
            trial: trial.to_owned(),
            agent: agent.to_owned(),
            spending: Spending {
                cost,
                ..Spending::default()
            },
            ended: false,
        }
    }

    #[tokio::test]
    async fn each_agent_counts_with_its_latest_sum_until_the_ledger_has_the_trial() {
        let (_dir, mut ledger) = ledger(&[]);
        let underway = Underway::default();
        let is = |ledger: &Ledger| format!("{:.2}", underway.known_cost(ledger));
        assert_eq!(is(&ledger), "0.00");
        for event in [
            spent("a", "agent1", Some(0.25)),
            spent("a", "agent1", Some(0.5)),
            spent("a", "agent2", Some(1.0)),
            spent("b", "agent1", Some(2.0)),
            spent("b", "agent2", None),
        ] {
            underway.note(&event);
        }
        underway.changed.notified().await;
        assert_eq!(is(&ledger), "3.50");
        ledger.record(entry(&pair(2), "b")).unwrap();
        assert_eq!(is(&ledger), "1.50");
    }
}
