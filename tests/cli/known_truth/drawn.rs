//! Many experiments in memory, through the same calls of the library.

use regatta::report::{Outcome, Row};
use regatta::statistics::{Interval, Tested};
use regatta::study::{Arm, ArmRun, Beside, Versus};

use super::planted::{ARMS, PAIRS, Planted, REPEATS};

const EXPERIMENTS: u32 = 200;

/// An arm as its rows.
fn arm(planted: &Planted, arm: usize) -> Arm {
    let name = ARMS[arm].name;
    let row = |repeat: usize, pair: usize| {
        let trial = planted.trials[arm][repeat][pair];
        let pair = &planted.pairs[pair];
        let passed = (!trial.is_damaged).then_some(trial.passed);
        Row {
            pair: Some(pair.to_string()),
            task: Some(pair.task.to_string()),
            asked: true,
            outcome: match passed {
                Some(true) => Outcome::Pass,
                Some(false) => Outcome::Fail,
                None => Outcome::InfraError,
            },
            passed,
            ..Row::default()
        }
    };
    let run = |repeat: usize| ArmRun {
        name: format!("{name}_{}", repeat + 1).parse().unwrap(),
        repeat: Some(repeat as u64 + 1),
        rows: (0..PAIRS).map(|pair| row(repeat, pair)).collect(),
        beside: Beside::default(),
    };
    Arm {
        name: name.to_owned(),
        runs: (0..REPEATS).map(run).collect(),
    }
}

/// What is counted of one contrast over all experiments.
#[derive(Default)]
struct Count {
    off: Vec<f64>,
    of_tasks: u32,
    of_pairs: u32,
    tasks_found: u32,
    pairs_found: u32,
}

fn covers(interval: Option<Interval>, truth: f64) -> u32 {
    let interval = interval.unwrap();
    u32::from(interval.low <= truth && truth <= interval.high)
}

fn found(tested: &Tested) -> u32 {
    u32::from(tested.p.unwrap().value <= 0.05)
}

#[test]
fn estimates_are_unbiased_intervals_cover_and_p_values_keep_their_level() {
    let mut counts: [Count; 3] = Default::default();
    for seed in 0..EXPERIMENTS {
        let planted = Planted::new(u64::from(seed));
        let arms = [0, 1, 2, 3].map(|n| arm(&planted, n));
        for (n, count) in counts.iter_mut().enumerate() {
            let contrast = Versus::of(&arms[n + 1], &arms[0]).difference.unwrap();
            assert!((contrast.share - planted.difference(n + 1, 0)).abs() < 1e-12);
            let effect = ARMS[n + 1].effect;
            let (tasks, pairs) = (&contrast.tasks_like_these, &contrast.these_pairs);
            count.off.push(contrast.share - effect);
            count.of_tasks += covers(tasks.interval, effect);
            count.of_pairs += covers(pairs.interval, planted.of_these_pairs(n + 1, 0));
            count.tasks_found += found(tasks);
            count.pairs_found += found(pairs);
        }
    }
    let all = f64::from(EXPERIMENTS);
    // Of 200, a share of 95% is seen as less than 90.4% in one case of a thousand, and one of 5% as more
    // than 10%.
    for (count, plan) in counts.iter().zip(&ARMS[1..]) {
        let mean = count.off.iter().sum::<f64>() / all;
        let squares: f64 = count.off.iter().map(|off| (off - mean).powi(2)).sum();
        let error = (squares / (all - 1.0) / all).sqrt();
        assert!(
            mean.abs() < 3.3 * error,
            "{}: off by {mean}, ±{error}",
            plan.name
        );
        for covering in [count.of_tasks, count.of_pairs] {
            assert!(
                f64::from(covering) >= 0.904 * all,
                "{}: {covering}",
                plan.name
            );
        }
    }
    let [same, more, less] = &counts;
    for alarms in [same.tasks_found, same.pairs_found] {
        assert!(f64::from(alarms) <= 0.1 * all, "{alarms} false alarms");
    }
    assert!(f64::from(more.tasks_found.min(less.tasks_found)) > 0.9 * all);
}
