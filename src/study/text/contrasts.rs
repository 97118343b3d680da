//! The differences: a table, and what it says.

use std::fmt::Write as _;

use super::super::words::{self, Clear, interval_of_points, name, p_value, points};
use super::super::{ArmsCompared, Versus};
use super::arms::{fitted, none};
use crate::statistics::{Contrast, NoP, Tested};
use crate::text::paint::{bad, broken, good};
use crate::text::plural;

/// A table of what is compared, for each arm that something is taken from.
pub(super) fn tables(it: &ArmsCompared, width: Option<usize>) -> String {
    let mut out = String::new();
    let mut seconds: Vec<&str> = Vec::new();
    for contrast in &it.contrasts {
        if !seconds.contains(&contrast.second.as_str()) {
            seconds.push(&contrast.second);
        }
    }
    for second in seconds {
        let of = it.contrasts.iter().filter(|it| it.second == second);
        let head = [
            &format!("less {}", name(second)),
            "pairs",
            "points",
            "tasks like these",
            "p",
            "these pairs",
            "p",
        ];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        let (shared, unshared): (Vec<_>, Vec<_>) = of.partition(|it| it.difference.is_some());
        rows.extend(shared.into_iter().filter_map(row));
        out.push('\n');
        if rows.len() > 1 {
            out.push_str(&fitted(rows, width));
        }
        for contrast in unshared {
            let _ = writeln!(
                out,
                "{} less {}: {}",
                name(&contrast.first),
                name(second),
                words::nothing_in_common(contrast)
            );
        }
    }
    out
}

fn row(contrast: &Versus) -> Option<Vec<String>> {
    let difference = contrast.difference?;
    let interval = |it: Tested| it.interval.map_or_else(none, interval_of_points);
    let p = |p: Option<f64>| p.map_or_else(none, p_value);
    Some(vec![
        name(&contrast.first),
        difference.pairs.to_string(),
        points(difference.share),
        interval(difference.tasks_like_these),
        p(contrast.adjusted.tasks_like_these),
        interval(difference.these_pairs),
        p(contrast.adjusted.these_pairs),
    ])
}

/// What the differences say, in words.
pub(super) fn answer(it: &ArmsCompared) -> String {
    let mut out = String::new();
    let than = it.baseline.as_ref();
    let than = than.map_or_else(String::new, |it| format!(" than {}", name(it)));
    let groups = [
        (Clear::TasksLikeThese, ", clear for tasks like these"),
        (
            Clear::ThesePairs,
            ", clear for these pairs, not for other tasks",
        ),
    ];
    for (clear, what) in groups {
        for (is_more, word) in [(true, good("more")), (false, bad("less"))] {
            let is_it = |it: &Versus| {
                let share = it.difference.map_or(0.0, |it| it.share);
                (share > 0.0) == is_more
            };
            let heading = format!("passes {word}{than}{what}");
            out.push_str(&group(it, &heading, |it| {
                Clear::of(it) == clear && is_it(it)
            }));
        }
    }
    out.push_str(&group(it, "not clear", |it| {
        Clear::of(it) == Clear::Neither
    }));
    out.push_str(&group(it, "no test", |it| Clear::of(it) == Clear::Untested));
    let turned = it.contrasts.iter().filter(|it| {
        let bounds = it.bounds.filter(|bounds| bounds.sign_changes);
        bounds.is_some()
    });
    let turned: Vec<String> = turned.map(|contrast| arms(it, contrast)).collect();
    if !turned.is_empty() {
        let _ = writeln!(
            out,
            "{}: trials without a verdict could turn the sign: {}",
            broken("WARNING"),
            turned.join(", ")
        );
    }
    for contrast in it.contrasts.iter().filter(|it| !it.mixed.is_empty()) {
        let _ = writeln!(
            out,
            "{}: {} less {}: verdicts by different {}",
            broken("WARNING"),
            name(&contrast.first),
            name(&contrast.second),
            contrast.mixed.join(" and ")
        );
    }
    if out.is_empty() {
        out
    } else {
        format!("\n{out}")
    }
}

/// A line with these of the differences; nothing without any.
fn group(it: &ArmsCompared, heading: &str, is_of: impl Fn(&Versus) -> bool) -> String {
    let of = it.contrasts.iter().filter(|contrast| is_of(contrast));
    let told: Vec<String> = of
        .filter_map(|contrast| {
            let share = contrast.difference?.share;
            Some(format!("{} ({})", arms(it, contrast), points(share)))
        })
        .collect();
    if told.is_empty() {
        return String::new();
    }
    format!("{heading}: {}\n", told.join(", "))
}

/// A contrast by its arms: the baseline goes without saying.
fn arms(it: &ArmsCompared, contrast: &Versus) -> String {
    match it.baseline {
        Some(_) => name(&contrast.first),
        None => format!("{} less {}", name(&contrast.first), name(&contrast.second)),
    }
}

/// What the columns mean, and why a p-value is not there.
pub(super) fn legend(it: &ArmsCompared) -> String {
    let of = || it.contrasts.iter().filter_map(|it| it.difference);
    if of().count() == 0 {
        return String::new();
    }
    let mut out = String::from("\n");
    if let (Some(baseline), Some(is)) = (&it.baseline, it.baseline_is) {
        let _ = writeln!(out, "baseline: {}, {}", name(baseline), is.told());
    }
    out.push_str(
        "points: percentage points, mean over the pairs judged in both; 95% intervals\ntasks like these: what other tasks of this kind would show\nthese pairs: what more repeats of the same pairs would show\n",
    );
    let family = |is_of: fn(Contrast) -> bool| of().filter(|it| is_of(*it)).count();
    let tasks = family(|it| it.tasks_like_these.p.is_ok());
    let pairs = family(|it| it.these_pairs.p.is_ok());
    let by = match (tasks, pairs) {
        (0 | 1, 0 | 1) => String::new(),
        (0, n) | (n, 0) => format!(", adjusted by Holm over these {n}"),
        (tasks, pairs) if tasks == pairs => format!(", adjusted by Holm over these {tasks}"),
        (tasks, pairs) => format!(", adjusted by Holm over {tasks} and {pairs}"),
    };
    if tasks + pairs > 0 {
        let _ = writeln!(out, "p: two-sided{by}; * is at most 0.05");
    }
    let spreads = of().flat_map(|it| [it.tasks_like_these.interval, it.these_pairs.interval]);
    if spreads.flatten().any(words::has_no_spread) {
        out.push_str("no spread: nothing varies by which an interval could be told\n");
    }
    out.push_str(&without_p(it));
    let mcnemar: Vec<String> = it
        .contrasts
        .iter()
        .filter_map(|contrast| {
            let p = contrast.difference?.mcnemar?;
            Some(format!("{} {}", arms(it, contrast), unmarked(p)))
        })
        .collect();
    if !mcnemar.is_empty() {
        let _ = writeln!(
            out,
            "McNemar's p, as if no two pairs were of one task (too small where some are): {}",
            mcnemar.join(", ")
        );
    }
    out
}

/// Why a p-value is not there, and where.
fn without_p(it: &ArmsCompared) -> String {
    let mut reasons: Vec<(&str, NoP, Vec<String>)> = Vec::new();
    let compared = it.contrasts.iter().filter(|it| it.difference.is_some());
    for contrast in compared.clone() {
        let Some(difference) = contrast.difference else {
            continue;
        };
        for (what, tested) in [
            ("tasks like these", difference.tasks_like_these),
            ("these pairs", difference.these_pairs),
        ] {
            let Err(why) = tested.p else { continue };
            let arm = arms(it, contrast);
            match reasons.iter_mut().find(|it| it.0 == what && it.1 == why) {
                Some((.., arms)) => arms.push(arm),
                None => reasons.push((what, why, vec![arm])),
            }
        }
    }
    let all = compared.count();
    let lines = reasons.into_iter().map(|(what, why, arms)| {
        let of = if arms.len() < all {
            format!(" of {}", arms.join(", "))
        } else {
            String::new()
        };
        format!("no p for {what}{of}: {}\n", words::no_p(why))
    });
    lines.collect()
}

fn unmarked(p: f64) -> String {
    p_value(p).trim_end_matches('*').to_owned()
}

/// How many pairs and tasks a difference is over.
pub(super) fn over(pairs: usize, tasks: usize) -> String {
    format!("{} in {}", plural(pairs, "pair"), plural(tasks, "task"))
}
