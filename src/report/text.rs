//! The report for a terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::beyond;
use super::statistics::{Interval, Rate};
use super::summary::{Comparison, Contrast, Outcome, PairLine, Rates, Summary, columns, contrasts};
use super::time_limit;
use super::totals::Totals;
use crate::bench::setting::RunSetting;
use crate::hint;
use crate::store::begun::RULE;
use crate::text::{NAME, ends_in_one_line, one_line};

/// A table and what there is to know about the pairs that did not finish.
#[must_use]
pub fn render(summaries: &[Summary]) -> String {
    let mut out = table(summaries);
    for summary in summaries {
        out.push('\n');
        let _ = writeln!(
            out,
            "{}{}: {}",
            summary.run,
            setting(summary),
            summary.counts()
        );
        out.push_str(&rates(summary));
        if let Some(unread) = summary.not_read() {
            let _ = writeln!(out, "  WARNING: {unread}");
        }
        for mixed in &summary.mixed {
            let _ = writeln!(out, "  WARNING: {}", one_line(mixed, MIXED));
        }
        out.push_str(&guessed_price(summary));
        if let Some(told) = beyond::told(&summary.beyond_results, |name| one_line(name, NAME)) {
            let _ = writeln!(out, "  {told}");
        }
        out.push_str(&flagged(summary));
        out.push_str(&doubted(summary));
        if !summary.ungradeable.is_empty() {
            let pairs: Vec<&str> = summary.ungradeable.iter().map(String::as_str).collect();
            let _ = writeln!(
                out,
                "  {} with a feature that cannot be graded (`{}`): {}",
                plural(pairs.len(), "pair"),
                hint::command("eval --gold"),
                some(&pairs, 6)
            );
        }
        for damaged in &summary.damaged {
            let _ = writeln!(out, "  {}\n    {}", damaged.told(), damaged.named());
        }
        out.push_str(&failures(summary));
        out.push_str(&errors(summary));
        out.push_str(&flaky(summary));
    }
    out.push_str(&compared(summaries));
    if let Some(warning) = time_limit::warning(summaries, str::to_owned) {
        let _ = writeln!(out, "\n{warning}");
    }
    out.push('\n');
    out.push_str(&costs(summaries));
    out
}

/// The verdicts that count and are not beyond doubt, with what the doubt is.
pub(super) fn doubts(summary: &Summary) -> impl Iterator<Item = (&'static str, &[String])> {
    let doubts = [
        (
            "verdict time unclear: judged before the result ended, by times without a zone, or one of the times is missing",
            summary.verdict_time_unclear.as_slice(),
        ),
        (
            "another verdict byte for byte: upstream's rules change line ends, quotes and files that are no text",
            summary.verdict_not_by_bytes.as_slice(),
        ),
    ];
    doubts.into_iter().filter(|(_, pairs)| !pairs.is_empty())
}

fn doubted(summary: &Summary) -> String {
    let mut out = String::new();
    for (doubt, pairs) in doubts(summary) {
        let count = plural(pairs.len(), "pair");
        let pairs: Vec<&str> = pairs.iter().map(String::as_str).collect();
        let _ = writeln!(out, "  {doubt}: {count}: {}", some(&pairs, 6));
    }
    out
}

/// The setting, where it is known and the run's name does not end with it.
fn setting(summary: &Summary) -> String {
    let name = summary.setting.map_or("", RunSetting::name);
    if summary.run.as_str().ends_with(name) {
        String::new()
    } else {
        format!(", {name}")
    }
}

/// What was priced by another name than the model's.
fn guessed_price(summary: &Summary) -> String {
    let names: Vec<&str> = summary.priced_as.iter().map(String::as_str).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        "  price: that of `{}`, the bare name; `{}` has none of its own ([prices.models] gives one)\n",
        one_line(&names.join("`, `"), 100),
        one_line(summary.model.as_deref().unwrap_or("the model"), 100)
    )
}

/// The pass rates of a run that was judged.
fn rates(summary: &Summary) -> String {
    let mut out = String::new();
    let Rates {
        strict,
        judged,
        features,
        merges,
        rules,
    } = &summary.rates;
    let (Some(strict), Some(judged)) = (strict, judged) else {
        return out;
    };
    let _ = write!(out, "  passed {}", share(strict));
    if judged.of != strict.of {
        let _ = write!(out, "; of those judged {}", share(judged));
    }
    if let Some(features) = features {
        let _ = write!(out, "; features {} of {}", features.passed, features.of);
    }
    out.push('\n');
    if !merges.is_empty() {
        let merges = merges
            .iter()
            .map(|(word, n)| format!("{n} {}", word.replace('_', " ")));
        let _ = writeln!(out, "  merges: {}", merges.collect::<Vec<_>>().join(", "));
    }
    if rules.len() > 1 {
        let rules = rules.iter().map(|(rules, n)| format!("{n} by {rules}"));
        let rules = rules.collect::<Vec<_>>().join(", ");
        let again = hint::command(&format!("eval {} --force", summary.run));
        let _ = writeln!(
            out,
            "  WARNING: judged by different rules, which are not comparable: {rules}; `{again}` judges all by one"
        );
    }
    out
}

/// The passes that are worth another look, and those that do not count.
fn flagged(summary: &Summary) -> String {
    let mut out = String::new();
    if let Some(void) = summary.strict_verdicts {
        let _ = writeln!(
            out,
            "  --strict-verdicts: {void} of the passes counted as failed"
        );
    }
    if let Some(told) = not_looked_at(summary) {
        let look = hint::command(&format!("eval {} --force", summary.run));
        let _ = writeln!(out, "  {told}; `{look}` looks");
    }
    let Some(told) = summary.flagged.told(summary.count_of(Outcome::Pass)) else {
        return out;
    };
    let _ = writeln!(out, "  flagged passes: {told}");
    let flagged = summary.lines.iter();
    let flagged: Vec<_> = flagged
        .filter_map(|line| Some((&line.pair, line.flagged.as_ref()?)))
        .collect();
    for (pair, flagged) in flagged.iter().take(TOLD) {
        let why = one_line(&flagged.why, 300);
        let _ = writeln!(out, "  flagged · {pair}\n    {why}");
    }
    if flagged.len() > TOLD {
        let more = plural(flagged.len() - TOLD, "more flagged pair");
        let _ = writeln!(out, "  {more}: --format json has them all");
    }
    out
}

/// How many passes nobody looked at, where that is of importance: strictly, or beside flagged ones.
pub(super) fn not_looked_at(summary: &Summary) -> Option<String> {
    let is_told = summary.strict_verdicts.is_some() || summary.flagged.passes > 0;
    let n = summary.not_looked_at;
    (is_told && n > 0).then(|| {
        let passes = summary.count_of(Outcome::Pass);
        format!("{n} of {passes} passes were not looked at")
    })
}

/// `8 of 9, 88.9% (95% interval 52.0 to 98.2)`.
fn share(rate: &Rate) -> String {
    let mut text = format!("{} of {}, {:.1}%", rate.passed, rate.of, 100.0 * rate.share);
    if let Some(Interval { low, high }) = rate.interval {
        let _ = write!(
            text,
            " (95% interval {:.1} to {:.1})",
            100.0 * low,
            100.0 * high
        );
    }
    text
}

/// How settings of one experiment differ.
fn compared(summaries: &[Summary]) -> String {
    let found = contrasts(summaries);
    if found.is_empty() {
        return String::new();
    }
    let mut out =
        String::from("\ndifferences on the pairs judged in both, in percentage points:\n");
    let (mut rows, mut unshared) = (Vec::new(), String::new());
    for contrast in &found {
        let Comparison {
            first,
            second,
            difference,
            same_rules,
            same_tasks,
        } = match contrast {
            Contrast::Shown(comparison) => comparison,
            Contrast::Unshared(nothing) => {
                let _ = writeln!(unshared, "  {nothing}");
                continue;
            }
        };
        let points = |share: f64| format!("{:+.1}", 100.0 * share);
        let interval = difference.interval.map_or_else(
            || match difference.tasks {
                1 => "no interval: one task".to_owned(),
                _ => "no interval: tasks don't vary".to_owned(),
            },
            |it| format!("95% interval {} to {}", points(it.low), points(it.high)),
        );
        rows.push(vec![
            format!("  {first} less {second}"),
            points(difference.share),
            interval,
            format!("McNemar p {}", p_value(difference.mcnemar_p)),
            format!(
                "{} passed in the first only, {} in the second, of {}",
                difference.only_first,
                difference.only_second,
                plural(difference.pairs, "pair")
            ),
            match (same_rules, same_tasks) {
                (true, true) => String::new(),
                (false, true) => "WARNING: different rules".to_owned(),
                (true, false) => "WARNING: different datasets or images".to_owned(),
                (false, false) => "WARNING: different rules, and datasets or images".to_owned(),
            },
        ]);
    }
    out.push_str(&aligned(&rows));
    out.push_str(&unshared);
    out
}

/// A p-value with its sign: one that rounds to zero is not zero.
pub(super) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("= {p:.3}")
    }
}

/// A duration for people: `1h 02m`, `3m 20s`, `12s`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped"
    )]
    let whole = seconds.clamp(0.0, 1e12).round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m {seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h {minutes:02}m"),
    }
}

/// Trials' time together, of which some may not be known.
#[must_use]
pub fn time(seconds: f64, unknown: usize) -> String {
    match (seconds, unknown) {
        (seconds, 0) => duration(seconds),
        (0.0, _) => "unknown".to_owned(),
        (seconds, n) => format!("{} + {n} unknown", duration(seconds)),
    }
}

fn table(summaries: &[Summary]) -> String {
    let columns = columns(summaries);
    let mut rows = vec![{
        let mut head: Vec<String> = ["run", "pairs", "finished"].map(str::to_owned).to_vec();
        head.extend(
            columns
                .iter()
                .map(|outcome| outcome.name().replace('_', " ")),
        );
        head.extend(["cost", "spent", "time"].map(str::to_owned));
        head
    }];
    for summary in summaries {
        let mut row = vec![
            summary.run.to_string(),
            summary.pairs.to_string(),
            summary.finished.to_string(),
        ];
        row.extend(
            columns
                .iter()
                .map(|outcome| summary.count_of(*outcome).to_string()),
        );
        row.push(summary.headline_cost.to_string());
        row.push(summary.total_spent.to_string());
        row.push(time(summary.trial_seconds, summary.trial_seconds_unknown));
        rows.push(row);
    }
    if summaries.len() > 1 {
        let totals = Totals::of(summaries);
        let counts = [totals.pairs, totals.finished].into_iter();
        let counts = counts.chain(columns.iter().map(|outcome| totals.count_of(*outcome)));
        let mut row = vec![totals.name()];
        row.extend(counts.map(|count| count.to_string()));
        row.push(totals.headline_cost.to_string());
        row.push(totals.total_spent.to_string());
        row.push(time(totals.trial_seconds, totals.trial_seconds_unknown));
        rows.push(row);
    }
    aligned(&rows)
}

/// Rows as columns: the first to the left, the others to the right.
#[must_use]
pub fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            if column == 0 {
                let _ = write!(line, "{cell:<width$}");
            } else {
                let _ = write!(line, "  {cell:>width$}");
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The most of what is said of a run that mixes datasets.
const MIXED: usize = 500;

/// This many failed pairs are told one by one; JSON and `JUnit` have them all.
const TOLD: usize = 12;

/// The pairs that did not pass, where an evaluation of ours says why.
fn failures(summary: &Summary) -> String {
    let failed: Vec<(&str, &str)> = summary
        .lines
        .iter()
        .filter(|line| line.outcome == Outcome::Fail)
        .filter_map(|line| Some((line.pair.as_str(), line.why.as_deref()?)))
        .collect();
    let mut out = String::new();
    for (pair, why) in failed.iter().take(TOLD) {
        let _ = writeln!(out, "  fail · {pair}\n    {}", one_line(why, 200));
    }
    if failed.len() > TOLD {
        let more = plural(failed.len() - TOLD, "more failed pair");
        let _ = writeln!(out, "  {more}: --format json has them all");
    }
    out
}

/// The pairs that did not finish, grouped by what stopped them.
fn errors(summary: &Summary) -> String {
    let mut out = String::new();
    for outcome in Outcome::ALL.into_iter().filter(|outcome| {
        !matches!(
            outcome,
            Outcome::Pass | Outcome::Fail | Outcome::Unjudged | Outcome::Missing
        )
    }) {
        let mut groups: Vec<(&str, &PairLine, Vec<&str>)> = Vec::new();
        for line in summary.lines.iter().filter(|line| line.outcome == outcome) {
            let rule = match (&line.rule, outcome) {
                (Some(rule), _) => rule,
                (None, Outcome::Unreadable) => line.why.as_deref().unwrap_or("no text"),
                (None, _) => "no rule matches",
            };
            match groups.iter_mut().find(|(known, ..)| *known == rule) {
                Some((_, _, pairs)) => pairs.push(&line.pair),
                None => groups.push((rule, line, vec![&line.pair])),
            }
        }
        for (rule, first, pairs) in groups {
            let name = outcome.name();
            let why = first.why.as_deref().unwrap_or("no text");
            let _ = writeln!(out, "  {name} · {rule} · {}", plural(pairs.len(), "pair"));
            let _ = writeln!(out, "    {}", ends_in_one_line(why, 200));
            if let Some(source) = first.source_to_show() {
                let _ = writeln!(out, "    from {}", one_line(source, NAME));
            }
            let _ = writeln!(out, "    {}", some(&pairs, 6));
        }
    }
    let missing: Vec<&str> = summary
        .lines
        .iter()
        .filter(|line| line.outcome == Outcome::Missing)
        .map(|line| line.pair.as_str())
        .collect();
    if !missing.is_empty() && missing.len() < summary.pairs {
        let _ = writeln!(out, "  missing: {}", some(&missing, 6));
    }
    out.push_str(&cut_off(summary));
    out
}

/// The pairs without a result whose last trial was cut off.
fn cut_off(summary: &Summary) -> String {
    let mut out = String::new();
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in &summary.lines {
        let is_cut = line.outcome == Outcome::Missing && line.rule == Some(RULE);
        if let Some(why) = line.why.as_deref().filter(|_| is_cut) {
            reasons.entry(why).or_default().push(&line.pair);
        }
    }
    for (why, pairs) in reasons {
        let count = plural(pairs.len(), "pair");
        let _ = writeln!(out, "  missing · {RULE} · {count}, to run again");
        let _ = writeln!(out, "    {}", ends_in_one_line(why, 200));
        let _ = writeln!(out, "    {}", some(&pairs, 6));
    }
    out
}

fn flaky(summary: &Summary) -> String {
    let flaky: Vec<String> = summary
        .lines
        .iter()
        .filter(|line| line.failed_trials > 0 && line.outcome.is_finished())
        .map(|line| format!("{} ({} trials)", line.pair, line.failed_trials + 1))
        .collect();
    if flaky.is_empty() {
        return String::new();
    }
    let flaky: Vec<&str> = flaky.iter().map(String::as_str).collect();
    format!(
        "  finished after more than one trial: {}\n",
        some(&flaky, 6)
    )
}

fn costs(summaries: &[Summary]) -> String {
    let totals = Totals::of(summaries);
    let (headline, spent) = (totals.headline_cost, totals.total_spent);
    let mut out = totals.tokens();
    let _ = write!(
        out,
        "cost of the results that stand: {headline}\ntotal spent on every trial:     {spent}\n"
    );
    if headline.unknown > 0 || spent.unknown > 0 {
        out.push_str("  unknown: no price for the model's calls, counts that nobody wrote, or a call that was cut off and may be billed; give prices with [prices] or price_file\n");
    }
    for summary in summaries
        .iter()
        .filter(|summary| summary.unreadable_ledger_lines > 0)
    {
        let lines = summary.unreadable_ledger_lines;
        let _ = writeln!(
            out,
            "  {}: {lines} lines of the ledger cannot be read and are not counted",
            summary.run
        );
    }
    let without: Vec<&str> = summaries
        .iter()
        .filter(|summary| !summary.has_ledger)
        .map(|summary| summary.run.as_str())
        .collect();
    let whose = match without.as_slice() {
        [] => return out,
        [run] => format!("{run} has no ledger"),
        runs if runs.len() == summaries.len() => {
            format!("none of the {} runs has a ledger", runs.len())
        }
        runs => format!("{} runs have no ledger ({})", runs.len(), some(runs, 6)),
    };
    let _ = writeln!(
        out,
        "  {whose}: trials that were overwritten are not counted"
    );
    out
}

/// A number with its word: `1 pair`, `2 pairs`.
#[must_use]
pub fn plural(n: usize, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

pub(super) fn some(items: &[&str], most: usize) -> String {
    let mut shown = items[..items.len().min(most)].join(", ");
    if items.len() > most {
        let _ = write!(shown, " and {} more", items.len() - most);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errors_text_cannot_drive_the_terminal() {
        assert_eq!(one_line("a\x1b[2J\nb", 20), "a [2J b");
        assert_eq!(one_line("abcdef", 4), "abc…");
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(12.4), "12s");
        assert_eq!(duration(200.0), "3m 20s");
        assert_eq!(duration(3725.0), "1h 02m");
        assert_eq!(time(0.0, 0), "0s");
        assert_eq!(time(0.0, 3), "unknown");
        assert_eq!(time(90.0, 1), "1m 30s + 1 unknown");
    }
}
