//! The report as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::summary::columns;
use super::words::{self, doubts, footnotes, not_looked_at, tested, time, time_limits};
use super::{Contrasted, Outcome, Place, PlaceCounts, Summary, Totals, beyond, contrasts};
use crate::statistics::Rate;
use crate::text::{NAME, ends_in_one_line, one_line};

/// A table of the runs and a list of the pairs that did not finish, or whose evaluation broke.
#[must_use]
pub fn render(summaries: &[Summary]) -> String {
    let mut out = table(summaries);
    for summary in summaries {
        if let Some(asked) = summary.told_asked() {
            let _ = writeln!(out, "\n{}: {asked}.", cell(summary.run.as_str()));
        }
    }
    for summary in summaries {
        for name in &summary.priced_as {
            let _ = writeln!(
                out,
                "\n{}: priced as {}, the bare name; {} has no price of its own.",
                cell(summary.run.as_str()),
                cell(&one_line(name, 100)),
                cell(&one_line(
                    summary.model.as_deref().unwrap_or("the model"),
                    100
                ))
            );
        }
    }
    for summary in summaries {
        if let Some(told) = beyond::told(&summary.beyond_results, cell) {
            let _ = writeln!(out, "\n{}: {told}.", cell(summary.run.as_str()));
        }
    }
    for summary in summaries {
        for told in summary.teams.told(cell) {
            let _ = writeln!(out, "\n{}: {told}.", cell(summary.run.as_str()));
        }
    }
    for summary in summaries {
        for warning in summary.mixed.iter().chain(&summary.not_read()) {
            let run = cell(summary.run.as_str());
            let _ = writeln!(out, "\n{run}: WARNING: {}.", cell(warning));
        }
    }
    out.push_str(&rates(summaries));
    out.push_str(&flagged(summaries));
    out.push_str(&doubted(summaries));
    out.push_str(&damaged(summaries));
    if let Some(warning) = time_limits(summaries, cell) {
        let _ = writeln!(out, "\n{warning}.");
    }
    out.push_str(&open_pairs(summaries));
    out
}

/// The runs with their counts and costs, and their sum.
fn table(summaries: &[Summary]) -> String {
    let columns = columns(summaries);
    let names: Vec<String> = columns
        .iter()
        .map(|outcome| outcome.name().replace('_', " "))
        .collect();
    let mut out = format!(
        "| run | pairs | finished | {} | cost | total spent | time |\n|---|{}\n",
        names.join(" | "),
        "--:|".repeat(columns.len() + 5)
    );
    for summary in summaries {
        let counts: Vec<String> = columns
            .iter()
            .map(|outcome| summary.count_of(*outcome).to_string())
            .collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} |",
            cell(summary.run.as_str()),
            summary.pairs,
            summary.finished,
            counts.join(" | "),
            summary.headline_cost,
            summary.total_spent,
            time(summary.trial_seconds, summary.trial_seconds_unknown),
        );
    }
    if summaries.len() > 1 {
        let totals = Totals::of(summaries);
        let counts = columns
            .iter()
            .map(|outcome| totals.count_of(*outcome).to_string());
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} |",
            totals.name(),
            totals.pairs,
            totals.finished,
            counts.collect::<Vec<_>>().join(" | "),
            totals.headline_cost,
            totals.total_spent,
            time(totals.trial_seconds, totals.trial_seconds_unknown),
        );
    }
    out
}

/// The pairs that did not finish, or whose evaluation broke, run by run.
fn open_pairs(summaries: &[Summary]) -> String {
    let mut out = String::new();
    for summary in summaries {
        let open = summary
            .lines
            .iter()
            .filter(|line| !line.outcome.is_finished() || line.outcome == Outcome::EvalError)
            .filter(|line| !line.not_asked);
        let mut listed = String::new();
        for line in open {
            let rule = line
                .rule
                .as_deref()
                .map(|rule| format!(" ({})", cell(rule)))
                .unwrap_or_default();
            let why = line
                .why
                .as_deref()
                .map(|why| format!(": {}", cell(&ends_in_one_line(why, 200))))
                .unwrap_or_default();
            let _ = writeln!(
                listed,
                "- {} — {}{rule}{why}",
                cell(&line.pair),
                line.outcome.name()
            );
        }
        if !listed.is_empty() {
            let _ = write!(
                out,
                "\n### {}: not finished, or its evaluation broke\n\n{listed}",
                cell(summary.run.as_str())
            );
        }
    }
    out
}

/// What the verdicts come to, and how settings differ.
fn rates(summaries: &[Summary]) -> String {
    let mut out = String::new();
    let percent = |rate: &Option<Rate>| match rate {
        None => "—".to_owned(),
        Some(rate) => {
            let interval = rate.interval.map_or_else(String::new, |it| {
                format!(" ({:.1} to {:.1})", 100.0 * it.low, 100.0 * it.high)
            });
            format!("{:.1}%{interval}", 100.0 * rate.share)
        }
    };
    if summaries
        .iter()
        .any(|summary| summary.rates.judged.is_some())
    {
        out.push_str("\n| run | passed, of all pairs (95% interval) | of those judged | features | merges | rules |\n|---|--:|--:|--:|---|---|\n");
    }
    let listed = |counts: &BTreeMap<String, usize>| {
        let counts = counts.iter().map(|(word, n)| format!("{n} {}", cell(word)));
        counts.collect::<Vec<_>>().join(", ")
    };
    for summary in summaries
        .iter()
        .filter(|summary| summary.rates.judged.is_some())
    {
        let rates = &summary.rates;
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            cell(summary.run.as_str()),
            percent(&rates.strict),
            percent(&rates.judged),
            percent(&rates.features),
            cell(&words::merges(&rates.merges)),
            listed(&rates.rules)
        );
    }
    out.push_str(&places(summaries));
    out.push_str(&compared(summaries));
    out
}

/// Where the work of two agents fails, of the runs in which they were judged alone.
fn places(summaries: &[Summary]) -> String {
    let named = summaries.iter();
    let named = named.map(|summary| (summary.run.as_str(), summary.rates.places.as_ref()));
    place_table("pairs", named)
}

/// A table of places, of those of which somebody was judged alone; nothing without one.
pub fn place_table<'a>(
    what: &str,
    named: impl Iterator<Item = (&'a str, Option<&'a PlaceCounts>)>,
) -> String {
    let mut rows = String::new();
    for (name, places) in named {
        let Some(places) = places.filter(|places| places.judged_alone > 0) else {
            continue;
        };
        let counts = Place::ALL.map(|place| places.count_of(place).to_string());
        let _ = writeln!(
            rows,
            "| {} | {} | {} | {} |",
            cell(name),
            places.all(),
            counts.join(" | "),
            places.empty_submissions
        );
    }
    if rows.is_empty() {
        return rows;
    }
    format!(
        "\n| where {what} fail, by each agent's patch alone | judged | pass | agent 1 could not | agent 2 could not | neither could | both could, no merge | both could, merged, tests fail | not known | an agent's patch empty |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n{rows}"
    )
}

/// How settings of one experiment differ.
fn compared(summaries: &[Summary]) -> String {
    let mut out = String::new();
    let found = contrasts(summaries);
    if found.iter().any(|it| matches!(it, Contrasted::Shown(_))) {
        out.push_str("\n| difference | points (95% interval) | p | passed in the first only | in the second only | pairs |\n|---|--:|--:|--:|--:|--:|\n");
    }
    let (mut shown, mut unshared) = (Vec::new(), String::new());
    for contrast in &found {
        let comparison = match contrast {
            Contrasted::Shown(comparison) => comparison,
            Contrasted::Unshared(nothing) => {
                let _ = writeln!(unshared, "\n{}", cell(&nothing.to_string()));
                continue;
            }
        };
        shown.push(comparison);
        let it = &comparison.difference;
        let interval = it.tested.interval.map_or_else(String::new, |interval| {
            format!(
                " ({:+.1} to {:+.1})",
                100.0 * interval.low,
                100.0 * interval.high
            )
        });
        let rules = match (comparison.same_rules, comparison.same_tasks) {
            (true, true) => "",
            (false, true) => " (different rules)",
            (true, false) => " (different datasets or images)",
            (false, false) => " (different rules, and datasets or images)",
        };
        let _ = writeln!(
            out,
            "| {} less {}{rules} | {:+.1}{interval} | {} | {} | {} | {} |",
            cell(comparison.first.as_str()),
            cell(comparison.second.as_str()),
            100.0 * it.share,
            tested(comparison)
                .trim_start_matches("p = ")
                .trim_start_matches("p "),
            it.only_first,
            it.only_second,
            it.pairs
        );
    }
    for note in footnotes(&shown) {
        let _ = writeln!(out, "\n{note}");
    }
    out.push_str(&unshared);
    out
}

/// The passes that are worth another look, and those that do not count; nothing where there are none.
fn flagged(summaries: &[Summary]) -> String {
    let mut rows = String::new();
    for summary in summaries {
        let flags = summary.flagged;
        if flags.passes == 0 && summary.strict_verdicts.is_none() {
            continue;
        }
        let void = summary.strict_verdicts;
        let void = void.map_or_else(|| "—".to_owned(), |void| void.to_string());
        let _ = writeln!(
            rows,
            "| {} | {} | {} | {} | {} | {} | {void} |",
            cell(summary.run.as_str()),
            flags.passes,
            flags.tests_missing,
            flags.steering_files,
            flags.failing_without,
            flags.unknown_without
        );
    }
    if rows.is_empty() {
        return rows;
    }
    for summary in summaries {
        if let Some(told) = not_looked_at(summary) {
            let _ = writeln!(
                rows,
                "\n{}: {told}; `regatta eval --force` looks.",
                cell(summary.run.as_str())
            );
        }
    }
    format!(
        "\n| run | flagged passes | tests missing | files that steer tests | failing without them | not known without them | counted as failed |\n|---|--:|--:|--:|--:|--:|--:|\n{rows}"
    )
}

/// The pairs whose verdict is not beyond doubt.
fn doubted(summaries: &[Summary]) -> String {
    let mut out = String::new();
    for summary in summaries {
        for (doubt, pairs) in doubts(summary) {
            let pairs: Vec<String> = pairs.iter().map(|pair| cell(pair)).collect();
            let run = cell(summary.run.as_str());
            let _ = writeln!(out, "\n{run}: {doubt}: {}.", pairs.join(", "));
        }
    }
    out
}

/// The judged results that are not what they look like.
fn damaged(summaries: &[Summary]) -> String {
    let mut out = String::new();
    for summary in summaries {
        for damaged in &summary.damaged {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} |",
                cell(summary.run.as_str()),
                damaged.damage.name(),
                damaged.pairs.len(),
                damaged.counts(),
                damaged.rates.join(", "),
                cell(&damaged.named())
            );
        }
    }
    if out.is_empty() {
        return out;
    }
    format!(
        "\n| run | damaged results | pairs | count as | in the rates | which |\n|---|---|--:|---|---|---|\n{out}"
    )
}

/// Text that cannot break out of a table's cell or start markup: errors are untrusted.
#[must_use]
pub fn cell(text: &str) -> String {
    escaped(&one_line(text, NAME))
}

/// A line of anybody's as Markdown has it.
#[must_use]
pub fn escaped(line: &str) -> String {
    let mut out = String::new();
    for c in line.chars() {
        match c {
            '|' | '\\' | '`' | '*' | '[' | ']' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn untrusted_text_stays_text() {
        assert_eq!(cell("a|b <img> [x](y)"), "a\\|b &lt;img&gt; \\[x\\](y)");
        assert_eq!(cell("a\n| b\u{202e}c"), "a \\| b\u{fffd}c");
    }
}
