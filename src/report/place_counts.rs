//! Judged pairs of two agents, counted by where they fail. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::{PairLine, Place};
use crate::survey::Damage;

/// The judged pairs of two agents, by where they fail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlaceCounts {
    /// How many pairs there are in each place; a place without pairs is not there.
    pub pairs: BTreeMap<Place, usize>,
    /// How many of those where an agent could not do its part have an agent that submitted an empty
    /// patch.
    pub empty_submissions: usize,
    /// Pairs of which both agents' patches were judged alone.
    pub judged_alone: usize,
}

/// A line of the table of places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceLine {
    /// How many pairs.
    pub pairs: usize,
    /// Where they fail, in words.
    pub what: &'static str,
    /// Which agents, and whether they submitted nothing; empty where there is nothing to add.
    pub more: String,
}

impl PlaceCounts {
    /// Where these pairs fail; `None` where none of them is a judged pair of two agents.
    pub fn of<'a>(lines: impl IntoIterator<Item = &'a PairLine>) -> Option<Self> {
        let mut places = None;
        for line in lines {
            let Some(place) = line.place else { continue };
            let it: &mut Self = places.get_or_insert_default();
            *it.pairs.entry(place).or_default() += 1;
            let harms = &line.damage;
            let is_empty = harms.iter().any(|it| it.damage == Damage::EmptySubmission);
            it.empty_submissions += usize::from(is_empty && place.is_of_agents());
            it.judged_alone += usize::from(line.alone.iter().all(Option::is_some));
        }
        places
    }

    /// How many pairs there are in a place.
    #[must_use]
    pub fn count_of(&self, place: Place) -> usize {
        self.pairs.get(&place).copied().unwrap_or(0)
    }

    /// How many there are in all.
    #[must_use]
    pub fn all(&self) -> usize {
        self.pairs.values().sum()
    }

    /// How many fail as an agent could not do its part.
    #[must_use]
    pub fn of_agents(&self) -> usize {
        let places = Place::ALL.into_iter().filter(|place| place.is_of_agents());
        places.map(|place| self.count_of(place)).sum()
    }

    /// The table, if any pair was judged alone; without a line that nobody asked about.
    #[must_use]
    pub fn table(&self) -> Vec<PlaceLine> {
        if self.judged_alone == 0 {
            return Vec::new();
        }
        let line = |pairs, what, more: String| PlaceLine { pairs, what, more };
        let of = |place, what| line(self.count_of(place), what, String::new());
        let mut table = vec![
            of(Place::Passes, "pass"),
            line(
                self.of_agents(),
                "an agent could not do its part",
                self.which_agents(),
            ),
            of(Place::Merge, "both could, and the patches do not merge"),
            of(
                Place::Together,
                "both could, they merge, and the tests fail together",
            ),
        ];
        if self.count_of(Place::NotKnown) > 0 {
            table.push(of(
                Place::NotKnown,
                "not known: not both agents were judged alone",
            ));
        }
        table
    }

    /// `agent 1: 2, both: 1; with an empty patch: 1`.
    fn which_agents(&self) -> String {
        let named = [
            (Place::Agent1, "agent 1"),
            (Place::Agent2, "agent 2"),
            (Place::BothAgents, "both"),
        ];
        let named = named.map(|(place, name)| (self.count_of(place), name));
        let named = named.iter().filter(|(n, _)| *n > 0);
        let named: Vec<_> = named.map(|(n, name)| format!("{name}: {n}")).collect();
        let mut told = named.join(", ");
        if self.empty_submissions > 0 {
            let _ = write!(told, "; with an empty patch: {}", self.empty_submissions);
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::setting::Tree;
    use crate::report::made::{finished, judged, line, pair};
    use crate::survey::Harm;

    /// The line of a pair of two agents with this in its `eval.json`.
    fn coop(n: u64, json: &str) -> PairLine {
        let mut surveyed = judged(finished(pair(1, n)), json);
        surveyed.tree = Tree::Coop;
        line(&surveyed)
    }

    fn file(both: bool, merge: &str, alone: [&str; 2]) -> String {
        let [one, two] = alone.map(|it| match it {
            "" => "null".to_owned(),
            word => format!(r#"{{"passed":{word}}}"#),
        });
        format!(
            r#"{{"both_passed":{both},"merge":{{"status":"{merge}"}},
                "feature1_independent":{one},"feature2_independent":{two}}}"#
        )
    }

    #[test]
    fn a_failure_is_the_agents_then_the_merges_then_of_both_together() {
        use Place::{Agent1, Agent2, BothAgents, Merge, NotKnown, Passes, Together};

        for (both, merge, alone, wanted) in [
            (true, "clean", ["true", "true"], Passes),
            (true, "clean", ["false", "true"], Passes),
            (true, "conflicts", ["", ""], Passes),
            (false, "clean", ["false", "true"], Agent1),
            (false, "conflicts", ["true", "false"], Agent2),
            (false, "missing_input", ["false", "false"], BothAgents),
            (false, "conflicts", ["true", "true"], Merge),
            (false, "missing_input", ["true", "true"], Merge),
            (false, "clean", ["true", "true"], Together),
            (false, "identical", ["true", "true"], Together),
            (false, "of another kind", ["true", "true"], NotKnown),
            (false, "clean", ["false", ""], NotKnown),
            (false, "clean", ["", ""], NotKnown),
        ] {
            let place = coop(2, &file(both, merge, alone)).place;
            assert_eq!(place, Some(wanted), "{both} {merge} {alone:?}");
        }
    }

    #[test]
    fn one_agent_and_what_is_not_judged_have_no_place() {
        let verdict = file(false, "clean", ["true", "true"]);
        assert_eq!(line(&judged(finished(pair(1, 2)), &verdict)).place, None);
        assert_eq!(coop(2, r#"{"error":"it broke"}"#).place, None);
    }

    #[test]
    fn a_pass_that_does_not_count_has_no_known_place() {
        let mut surveyed = judged(
            finished(pair(1, 2)),
            r#"{"both_passed":true,"merge":{"status":"clean"},
                "feature1":{"passed":true},"feature2":{"passed":true},
                "feature1_independent":{"passed":true},"feature2_independent":{"passed":true},
                "regatta":{"rules":"0.0.29","trial":"x","suites":[{"feature":1,
                    "outcome":"passed","reason":"","failed_tests":[],"named_tests":1,
                    "tests_compared":"names","tests_missing":["one"],"steering_files":[]}]}}"#,
        );
        surveyed.tree = Tree::Coop;
        assert_eq!(line(&surveyed).place, Some(Place::Passes));
        assert!(surveyed.make_strict());
        assert_eq!(line(&surveyed).place, Some(Place::NotKnown));
    }

    #[test]
    fn places_are_counted_and_an_empty_patch_is_named() {
        let mut empty = coop(4, &file(false, "clean", ["false", "true"]));
        empty.damage = vec![Harm {
            damage: Damage::EmptySubmission,
            why: "agent1".to_owned(),
        }];
        let mut passed_empty = coop(5, &file(true, "clean", ["false", "true"]));
        passed_empty.damage.clone_from(&empty.damage);
        let lines = [
            coop(2, &file(false, "conflicts", ["true", "true"])),
            coop(3, &file(false, "clean", ["false", "false"])),
            empty,
            passed_empty,
            coop(6, &file(false, "clean", ["", "true"])),
        ];
        let places = PlaceCounts::of(&lines).unwrap();
        assert_eq!((places.all(), places.judged_alone), (5, 4));
        assert_eq!((places.of_agents(), places.empty_submissions), (2, 1));
        let table: Vec<_> = places
            .table()
            .into_iter()
            .map(|line| (line.pairs, line.more))
            .collect();
        let none = String::new;
        let which = "agent 1: 1, both: 1; with an empty patch: 1".to_owned();
        let wanted = [
            (1, none()),
            (2, which),
            (1, none()),
            (0, none()),
            (1, none()),
        ];
        assert_eq!(table, wanted);
    }

    #[test]
    fn without_a_verdict_alone_there_is_no_table() {
        let places = PlaceCounts::of(&[coop(2, &file(false, "clean", ["", "true"]))]).unwrap();
        assert_eq!(places.table(), []);
        assert_eq!(PlaceCounts::of(&[line(&finished(pair(1, 2)))]), None);
    }

    #[test]
    fn a_place_has_one_name_wherever_it_is_written() {
        for place in Place::ALL {
            assert_eq!(serde_json::json!(place), place.name());
        }
        let failures = Place::ALL.into_iter().filter_map(Place::of_failure);
        assert_eq!(failures.count(), 5);
    }
}
