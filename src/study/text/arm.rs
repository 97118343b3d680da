//! What there is to know of an arm.

use std::fmt::Write as _;

use super::super::Figures;
use super::super::figures::{OfK, RunShare, Share};
use super::super::words::{interval, name, percent};
use super::contrasts::over;
use super::details::named;
use crate::bench::cost::dollars;
use crate::report::PlaceCounts;
use crate::report::place_counts::PlaceLine;
use crate::text::paint::strong;
use crate::text::{duration, exact, plural};

/// The k that are told, besides the largest.
const TOLD_K: [u32; 6] = [1, 2, 3, 5, 10, 20];

/// An arm by itself.
pub(super) fn block(arm: &Figures) -> String {
    let setting = arm.setting.filter(|setting| !arm.arm.ends_with(setting));
    let setting = setting.map_or_else(String::new, |it| format!(", {it}"));
    let counts: Vec<String> = arm
        .outcomes
        .iter()
        .map(|(outcome, n)| format!("{n} {}", outcome.name()))
        .collect();
    let tasks = arm.pass_rate.map_or(0, |rate| rate.tasks);
    let mut out = format!(
        "{}{setting}: {}, {}: {}\n",
        strong(name(&arm.arm)),
        plural(arm.runs.len(), "run"),
        match tasks {
            0 => plural(arm.pairs, "pair"),
            tasks => over(arm.pairs, tasks),
        },
        counts.join(", ")
    );
    out.push_str(&rates(arm));
    out.push_str(&runs(arm));
    if let Some(features) = &arm.features {
        let _ = writeln!(out, "  features {}", share(features));
    }
    if !arm.merges.is_empty() {
        let merges = arm.merges.iter().map(|(word, it)| {
            let word = word.replace('_', " ");
            format!("{word} {}", share(it))
        });
        let merges: Vec<String> = merges.collect();
        let _ = writeln!(out, "  merges: {}", merges.join(", "));
    }
    out.push_str(&places(arm));
    out.push_str(&spent(arm));
    out
}

/// Where two agents fail, if each was judged alone.
fn places(arm: &Figures) -> String {
    let table = arm.places.as_ref().map(PlaceCounts::table);
    let table = table.unwrap_or_default();
    if table.is_empty() {
        return String::new();
    }
    let mut out = String::from("  where trials fail, by each agent's patch alone:\n");
    for PlaceLine { pairs, what, more } in table {
        let more = if more.is_empty() {
            more
        } else {
            format!(" ({more})")
        };
        let share = 100.0 * pairs as f64 / arm.judged as f64;
        let _ = writeln!(out, "    {pairs:>4} {share:>5.1}%  {what}{more}");
    }
    out
}

/// How often it passed.
fn rates(arm: &Figures) -> String {
    let Some(rate) = arm.pass_rate else {
        return "  none was judged: there is no rate\n".to_owned();
    };
    let intervals = [
        ("tasks like these", rate.tasks_like_these),
        ("these pairs", rate.these_pairs),
    ];
    let intervals: Vec<String> = intervals
        .into_iter()
        .filter_map(|(what, it)| Some(format!("{what} {}", interval(it?))))
        .collect();
    let told = if intervals.is_empty() {
        String::new()
    } else {
        format!(" (95% interval for {})", intervals.join(", for "))
    };
    let mut out = format!("  passed {}%{told}\n", percent(rate.share));
    if let (Some(strict), Some(best), true) = (arm.strict, arm.best_case, arm.judged < arm.trials) {
        let _ = writeln!(
            out,
            "  {} without a verdict: {}% if they fail, {}% if they pass",
            plural(arm.trials - arm.judged, "trial"),
            percent(strict),
            percent(best)
        );
    }
    // With fewer pairs it is another question: those who have so many trials are not the others.
    let of_all = arm.of_k.iter().filter(|it| it.pairs == rate.pairs);
    let most = of_all.clone().next_back().map_or(0, |it| it.k);
    if most > 1 {
        let told = of_all.filter(|it| TOLD_K.contains(&it.k) || it.k == most);
        let told: Vec<&OfK> = told.collect();
        for (what, of) in [
            ("pass@k", (|it| it.pass_at) as fn(&OfK) -> f64),
            ("pass^k", |it| it.pass_hat),
        ] {
            let told = told
                .iter()
                .map(|it| format!("{} at {}", percent(of(it)), it.k));
            let told: Vec<String> = told.collect();
            let _ = writeln!(out, "  {what}: {}", told.join(", "));
        }
    }
    out
}

/// What its repeats say apart.
fn runs(arm: &Figures) -> String {
    let mut out = String::new();
    if arm.runs.len() < 2 {
        return out;
    }
    if let Some([low, high]) = arm.range() {
        let share = |run: &RunShare| run.share().map(percent).unwrap_or_default();
        let same = low.share() == high.share();
        let _ = if same {
            writeln!(out, "  single runs: {}% each", share(low))
        } else {
            writeln!(
                out,
                "  single runs: {}% ({}) to {}% ({})",
                share(low),
                low.run,
                share(high),
                high.run
            )
        };
    }
    let changing: Vec<String> = arm
        .changing
        .iter()
        .map(|it| format!("{} {}/{}", name(&it.pair), it.passed, it.of))
        .collect();
    if arm.of_k.len() > 1 {
        let _ = match changing.as_slice() {
            [] => writeln!(out, "  no pair's verdict changes between repeats"),
            changing => writeln!(
                out,
                "  verdict changes between repeats: {}",
                named(changing, "pair")
            ),
        };
    }
    out
}

/// `88.9% (24.0 to 99.5)`.
fn share(it: &Share) -> String {
    let mut out = format!("{}%", percent(it.share));
    if let Some(it) = it.interval {
        let _ = write!(out, " ({})", interval(it));
    }
    out
}

/// What it cost, and how long it took.
fn spent(arm: &Figures) -> String {
    let spent = &arm.spent;
    let mut out = format!(
        "  cost {} for {}",
        spent.cost,
        plural(spent.results, "result")
    );
    if let Some(usd) = spent.cost_per_pass {
        let _ = write!(out, ", {} per pass", dollars(usd));
    }
    let _ = writeln!(out, "; {} with all that was tried", spent.spent);
    if let Some(tokens) = spent.tokens() {
        let _ = writeln!(out, "  {tokens}");
    }
    if let Some(each) = spent.seconds_per_trial() {
        let unknown = match spent.seconds_unknown {
            0 => String::new(),
            n => format!("; {n} unknown"),
        };
        let waited = if spent.waited_unknown < spent.results {
            let more = match spent.waited_unknown {
                0 => String::new(),
                n => format!(" + {n} unknown"),
            };
            let working = (spent.seconds - spent.waited_seconds).max(0.0);
            format!(
                ": {} working, {}{more} waiting for rate limits",
                exact(working),
                exact(spent.waited_seconds)
            )
        } else {
            String::new()
        };
        let _ = writeln!(
            out,
            "  time {} together, {} each{waited}{unknown}",
            duration(spent.seconds),
            exact(each)
        );
    }
    out
}
