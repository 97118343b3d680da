//! Runs of one experiment held against each other. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use serde::Serialize;

use super::{Outcome, PairLine, Summary, mixed};
use crate::bench::{RunName, Setting};
use crate::statistics::{self, Difference};

/// Two settings of one experiment, on the pairs that were judged in both.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The run whose share is the first.
    pub first: RunName,
    /// The run whose share is taken from it.
    pub second: RunName,
    /// The first's share of passes less the second's, with its interval and test.
    pub difference: Difference,
    /// Its p-value adjusted by Holm over the differences of its experiment that have one.
    pub p_holm: Option<f64>,
    /// Whether their verdicts are by one rule set.
    pub same_rules: bool,
    /// Whether nothing is known to say that their datasets or images differ.
    pub same_tasks: bool,
}

/// Two runs that a question is about and that share no judged pair.
#[derive(Clone, Debug, Serialize)]
pub struct Unshared {
    /// The run whose share would be the first.
    pub first: RunName,
    /// The run whose share would be taken from it.
    pub second: RunName,
    /// How many pairs were judged in the first.
    pub judged_in_first: usize,
    /// How many pairs were judged in the second.
    pub judged_in_second: usize,
}

/// What a report says of two runs of one experiment.
#[derive(Clone, Debug)]
pub enum Contrasted {
    /// Pairs were judged in both, so that they can be held against each other.
    Shown(Comparison),
    /// There is nothing to see it by.
    Unshared(Unshared),
}

impl fmt::Display for Unshared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} less {}: no pair was judged in both ({} in the first, {} in the second)",
            self.first, self.second, self.judged_in_first, self.judged_in_second
        )
    }
}

/// The benchmark's questions: does talking help, and what does a second agent cost; and what do a
/// lead and a task list change.
const QUESTIONS: [(Setting, Setting); 6] = [
    (Setting::Team, Setting::CoopComm),
    (Setting::Team, Setting::CoopNocomm),
    (Setting::Team, Setting::Solo),
    (Setting::CoopComm, Setting::CoopNocomm),
    (Setting::CoopComm, Setting::Solo),
    (Setting::CoopNocomm, Setting::Solo),
];

/// What the benchmark asks of runs of one experiment. Of two runs of which none was judged there is
/// nothing to say.
#[must_use]
pub fn contrasts(summaries: &[Summary]) -> Vec<Contrasted> {
    let mut found = Vec::new();
    for first in summaries {
        for second in summaries {
            if let Some(experiment) = asked(first, second) {
                found.extend(contrast(first, second).map(|it| (experiment, it)));
            }
        }
    }
    adjust(&mut found);
    found.into_iter().map(|(_, it)| it).collect()
}

/// Adjusts the p-values of each experiment, which is a family.
fn adjust(found: &mut [(&str, Contrasted)]) {
    let mut families: BTreeMap<&str, Vec<(f64, &mut Option<f64>)>> = BTreeMap::new();
    for (experiment, contrasted) in found {
        if let Contrasted::Shown(it) = contrasted
            && let Ok(p) = it.difference.tested.p
        {
            let family = families.entry(experiment).or_default();
            family.push((p.value, &mut it.p_holm));
        }
    }
    for family in families.into_values() {
        let (p, places): (Vec<f64>, Vec<_>) = family.into_iter().unzip();
        for (place, adjusted) in places.into_iter().zip(statistics::holm(&p)) {
            *place = Some(adjusted);
        }
    }
}

/// The experiment that these are runs of, in two settings that a question is about.
fn asked<'a>(first: &'a Summary, second: &Summary) -> Option<&'a str> {
    let ((of_first, one), (of_second, other)) = (experiment(first)?, experiment(second)?);
    (of_first == of_second && QUESTIONS.contains(&(one, other))).then_some(of_first)
}

/// The experiment that a run is of, by the run's name without its setting.
fn experiment(summary: &Summary) -> Option<(&str, Setting)> {
    let setting = summary.setting?.known()?;
    let experiment = summary.run.as_str().strip_suffix(setting.name())?;
    Some((experiment, setting))
}

/// Whether a pair that was judged passed.
fn verdict(line: &PairLine) -> Option<bool> {
    line.outcome
        .is_judged()
        .then(|| line.outcome == Outcome::Pass)
}

/// How two runs differ; nothing where neither was judged.
fn contrast(first: &Summary, second: &Summary) -> Option<Contrasted> {
    let shared = shared(first, second);
    let outcomes = shared
        .iter()
        .filter_map(|(one, other)| Some((one.task.as_str(), verdict(one)?, verdict(other)?)));
    if let Some(difference) = statistics::difference(outcomes) {
        let rules = shared
            .iter()
            .flat_map(|(one, other)| [&one.rules, &other.rules]);
        return Some(Contrasted::Shown(Comparison {
            first: first.run.clone(),
            second: second.run.clone(),
            difference,
            p_holm: None,
            same_rules: rules.collect::<HashSet<_>>().len() == 1,
            same_tasks: !mixed::are_mixed(shared.iter().copied()),
        }));
    }
    let judged = |of: &Summary| of.lines.iter().filter_map(verdict).count();
    let [judged_in_first, judged_in_second] = [judged(first), judged(second)];
    (judged_in_first + judged_in_second > 0).then(|| {
        Contrasted::Unshared(Unshared {
            first: first.run.clone(),
            second: second.run.clone(),
            judged_in_first,
            judged_in_second,
        })
    })
}

/// The pairs that were judged in both runs, in the order of the first.
fn shared<'a>(first: &'a Summary, second: &'a Summary) -> Vec<(&'a PairLine, &'a PairLine)> {
    let of_second: HashMap<&str, &PairLine> = second
        .lines
        .iter()
        .filter(|line| line.outcome.is_judged())
        .map(|line| (line.pair.as_str(), line))
        .collect();
    first
        .lines
        .iter()
        .filter(|line| line.outcome.is_judged())
        .filter_map(|line| Some((line, *of_second.get(line.pair.as_str())?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made::{failed, finished, judged, pair, run, with_verdict};
    use crate::survey::Surveyed;
    use crate::triage::Cause;

    /// Which runs are held against each other, the first before the second.
    fn told(summaries: &[Summary]) -> Vec<String> {
        let told = contrasts(summaries).into_iter().map(|it| match it {
            Contrasted::Shown(it) => format!("{} {}", it.first, it.second),
            Contrasted::Unshared(it) => format!("{} {} unshared", it.first, it.second),
        });
        told.collect()
    }

    fn passed(n: u64) -> Surveyed {
        with_verdict(pair(1, n), [true, true])
    }

    #[test]
    fn runs_of_one_experiment_are_compared_by_its_questions() {
        let run = |name: &str, setting| run(name, setting, &[passed(2)], &[]);
        let summaries = [
            run("x-solo", Setting::Solo),
            run("x-coop-comm", Setting::CoopComm),
            run("x-coop-nocomm", Setting::CoopNocomm),
            run("y-solo", Setting::Solo),
            run("odd", Setting::CoopComm),
        ];
        let wanted = [
            "x-coop-comm x-solo",
            "x-coop-comm x-coop-nocomm",
            "x-coop-nocomm x-solo",
        ];
        assert_eq!(told(&summaries), wanted);
    }

    #[test]
    fn only_pairs_that_were_judged_in_both_count() {
        let fails = |n| with_verdict(pair(1, n), [true, false]);
        let coop = [
            passed(2),
            passed(3),
            fails(4),
            finished(pair(1, 5)),
            passed(7),
        ];
        let solo = [
            fails(2),
            passed(3),
            passed(4),
            passed(5),
            failed(pair(1, 7), Cause::Infra),
        ];
        let summaries = [
            run("x-coop-comm", Setting::CoopComm, &coop, &[]),
            run("x-solo", Setting::Solo, &solo, &[]),
        ];
        let found = contrasts(&summaries);
        let [Contrasted::Shown(comparison)] = found.as_slice() else {
            panic!("{found:?}");
        };
        let difference = comparison.difference;
        assert_eq!((difference.pairs, difference.tasks), (3, 1));
        assert_eq!((difference.only_first, difference.only_second), (1, 1));
        assert!(comparison.same_rules && comparison.same_tasks);
    }

    #[test]
    fn each_experiment_is_a_family_of_tests() {
        let tried = |passed: u64| {
            let verdict = |task| with_verdict(pair(task, 2), [true, task <= passed]);
            (1..=8).map(verdict).collect::<Vec<_>>()
        };
        let of = |name: &str, setting, passed| run(name, setting, &tried(passed), &[]);
        let summaries = [
            of("x-coop-comm", Setting::CoopComm, 8),
            of("x-coop-nocomm", Setting::CoopNocomm, 8),
            of("x-solo", Setting::Solo, 0),
            of("y-coop-comm", Setting::CoopComm, 8),
            of("y-solo", Setting::Solo, 0),
        ];
        let found = contrasts(&summaries).into_iter().map(|it| match it {
            Contrasted::Shown(it) => (it.difference.tested.p.unwrap().value, it.p_holm.unwrap()),
            Contrasted::Unshared(it) => panic!("{it}"),
        });
        let least = 2.0 / 256.0;
        let wanted = [
            (1.0, 1.0),
            (least, 3.0 * least),
            (least, 3.0 * least),
            (least, least),
        ];
        assert_eq!(found.collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn verdicts_by_different_rules_are_named() {
        let own = r#"{"both_passed":true,"regatta":{"rules":"0.0.29","trial":"x"}}"#;
        let summaries = [
            run("x-coop-comm", Setting::CoopComm, &[passed(2)], &[]),
            run(
                "x-solo",
                Setting::Solo,
                &[judged(finished(pair(1, 2)), own)],
                &[],
            ),
        ];
        let found = contrasts(&summaries);
        assert!(
            matches!(&found[..], [Contrasted::Shown(it)] if !it.same_rules),
            "{found:?}"
        );
    }

    #[test]
    fn runs_that_share_no_judged_pair_are_told_of_if_one_was_judged() {
        let of = |coop: &[Surveyed], solo: &[Surveyed]| {
            contrasts(&[
                run("x-coop-comm", Setting::CoopComm, coop, &[]),
                run("x-solo", Setting::Solo, solo, &[]),
            ])
        };
        let found = of(&[passed(2), passed(3)], &[finished(pair(1, 2)), passed(4)]);
        let [Contrasted::Unshared(unshared)] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(
            unshared.to_string(),
            "x-coop-comm less x-solo: no pair was judged in both (2 in the first, 1 in the second)"
        );
        assert_eq!(
            of(&[finished(pair(1, 2))], &[finished(pair(1, 2))]).len(),
            0
        );
    }

    #[test]
    fn a_difference_is_the_first_run_less_the_second() {
        let fails = with_verdict(pair(1, 3), [true, false]);
        let summaries = [
            run(
                "x-coop-comm",
                Setting::CoopComm,
                &[passed(2), passed(3)],
                &[],
            ),
            run("x-solo", Setting::Solo, &[passed(2), fails], &[]),
        ];
        let found = contrasts(&summaries);
        let [Contrasted::Shown(comparison)] = found.as_slice() else {
            panic!("{found:?}");
        };
        let difference = comparison.difference;
        assert_eq!((difference.only_first, difference.only_second), (1, 0));
    }

    #[test]
    fn a_run_that_was_judged_alone_is_told_of() {
        let (judged, open) = ([passed(2)], [finished(pair(1, 2))]);
        for (coop, solo, counts) in [(&judged, &open, (1, 0)), (&open, &judged, (0, 1))] {
            let found = contrasts(&[
                run("x-coop-comm", Setting::CoopComm, coop, &[]),
                run("x-solo", Setting::Solo, solo, &[]),
            ]);
            let [Contrasted::Unshared(it)] = found.as_slice() else {
                panic!("{found:?}");
            };
            assert_eq!((it.judged_in_first, it.judged_in_second), counts);
        }
    }
}
