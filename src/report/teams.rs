//! How teams worked together, by what their task lists tell, and trials of more than two features.
//! Pure.

use serde::Serialize;

use crate::store::result::TeamMetrics;
use crate::survey::{Standing, Surveyed};
use crate::text::{by_number, plural, some};

/// What of a run's trials is more than two agents with a feature each.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Teams {
    /// What the task lists of the results that stand tell together; `None` where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamSums>,
    /// Pairs of more than two features: only the first two are judged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more_features: Vec<String>,
}

/// The sums over task lists.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TeamSums {
    /// Results that stand and whose task list is known.
    pub trials: usize,
    /// Tasks on the lists at the end.
    pub tasks_total: u64,
    /// Those of them that were marked as done.
    pub tasks_done: u64,
    /// Those of them that belonged to nobody.
    pub unowned_at_end: u64,
    /// How many tasks agents took.
    pub claims: u64,
    /// How many changes agents made to tasks.
    pub updates: u64,
    /// Trials in which an agent took a task.
    pub claimed: usize,
    /// Over those, the median of the seconds from the first task to the first that was taken.
    pub median_seconds_to_first_claim: Option<f64>,
}

impl Teams {
    /// Of a run as the survey found it.
    #[must_use]
    pub fn of(surveyed: &[Surveyed]) -> Self {
        let metrics = surveyed.iter().filter_map(|it| match &it.standing {
            Standing::Result(judged) => judged.record.team.as_ref(),
            Standing::Missing | Standing::Unreadable(_) => None,
        });
        let of_more = surveyed.iter().filter(|it| !it.pair.more.is_empty());
        Self {
            team: TeamSums::of(metrics),
            more_features: of_more.map(|it| it.pair.to_string()).collect(),
        }
    }

    /// What there is to say, a sentence each without its end; `name` writes pairs for where they are
    /// shown.
    pub(super) fn told(&self, name: impl Fn(&str) -> String) -> Vec<String> {
        let mut told = Vec::new();
        told.extend(self.team.as_ref().map(TeamSums::told));
        if !self.more_features.is_empty() {
            let names: Vec<String> = self.more_features.iter().map(|it| name(it)).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            told.push(format!(
                "{} of more than two features, of which the first two are judged, as upstream does: {}",
                plural(names.len(), "pair"),
                some(&names, 6)
            ));
        }
        told
    }
}

impl TeamSums {
    fn of<'a>(metrics: impl Iterator<Item = &'a TeamMetrics>) -> Option<Self> {
        let mut sums = Self::default();
        let mut seconds = Vec::new();
        for one in metrics {
            sums.trials += 1;
            sums.tasks_total += one.tasks_total.unwrap_or(0);
            sums.tasks_done += one.tasks_done.unwrap_or(0);
            sums.unowned_at_end += one.unowned_at_end.unwrap_or(0);
            sums.claims += one.claims_per_agent.values().sum::<u64>();
            sums.updates += one.updates_per_agent.values().sum::<u64>();
            seconds.extend(one.time_to_first_claim_seconds);
        }
        sums.claimed = seconds.len();
        seconds.sort_by(f64::total_cmp);
        // Of an even number the mean of the two in the middle.
        let middle = |up: usize| {
            seconds
                .get((seconds.len() + up).checked_sub(1)? / 2)
                .copied()
        };
        let middle = middle(0).zip(middle(1));
        sums.median_seconds_to_first_claim = middle.map(|(low, high)| f64::midpoint(low, high));
        (sums.trials > 0).then_some(sums)
    }

    fn told(&self) -> String {
        let told = format!(
            "team: {} of {} done, {} without an owner at the end ({}); {}, {}",
            self.tasks_done,
            plural(self.tasks_total, "task"),
            self.unowned_at_end,
            plural(self.trials, "trial"),
            plural(self.claims, "claim"),
            plural(self.updates, "update"),
        );
        match self.median_seconds_to_first_claim {
            None => told,
            Some(seconds) => {
                let of = by_number(
                    self.claimed,
                    "in one trial",
                    "median over those with a claim",
                );
                format!("{told}; first claim after {seconds:.1} s ({of})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Cost, Pair};
    use crate::report::made::{at, finished, pair, result};
    use crate::triage::Finding;

    fn metrics(done: u64, seconds: Option<f64>) -> TeamMetrics {
        let claims = seconds.map(|_| ("agent2".to_owned(), 1));
        TeamMetrics {
            tasks_total: Some(2),
            tasks_done: Some(done),
            unowned_at_end: Some(0),
            time_to_first_claim_seconds: seconds,
            claims_per_agent: claims.into_iter().collect(),
            updates_per_agent: [("agent1".to_owned(), 1), ("agent3".to_owned(), 2)].into(),
        }
    }

    fn of(pair: Pair, team: Option<TeamMetrics>) -> Surveyed {
        let mut standing = result("t", "Submitted", Finding::Finished, Cost::whole(1.0));
        if let Standing::Result(judged) = &mut standing {
            judged.record.team = team;
        }
        at(pair, standing)
    }

    #[test]
    fn the_task_lists_of_the_results_that_stand_are_summed() {
        let told = |teams: &[Option<TeamMetrics>]| {
            let numbered = teams.iter().cloned().zip(2..);
            let surveyed: Vec<_> = numbered.map(|(team, n)| of(pair(1, n), team)).collect();
            Teams::of(&surveyed).told(str::to_owned)
        };
        assert_eq!(told(&[None]), [""; 0]);
        assert_eq!(
            told(&[Some(metrics(2, Some(7.5))), None]),
            [
                "team: 2 of 2 tasks done, 0 without an owner at the end (1 trial); 1 claim, 3 updates; first claim after 7.5 s (in one trial)"
            ]
        );
        let [one, two] = [Some(4.0), Some(7.0)].map(|seconds| Some(metrics(1, seconds)));
        assert_eq!(
            told(&[one, Some(metrics(0, None)), two]),
            [
                "team: 2 of 6 tasks done, 0 without an owner at the end (3 trials); 2 claims, 9 updates; first claim after 5.5 s (median over those with a claim)"
            ]
        );
    }

    #[test]
    fn pairs_of_more_features_are_named() {
        let three = Pair::of_text("a_task/1/f1_f2_f3").unwrap();
        let teams = Teams::of(&[finished(pair(1, 2)), finished(three)]);
        assert_eq!(teams.team, None);
        assert_eq!(
            teams.told(str::to_owned),
            [
                "1 pair of more than two features, of which the first two are judged, as upstream does: a_task/1/f1_f2_f3"
            ]
        );
    }
}
