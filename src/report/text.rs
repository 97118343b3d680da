//! The report for a terminal.

mod compared;
mod costs;
mod failures;
mod hue;
mod places;
mod short;
mod table;

use std::fmt::Write as _;

use super::statistics::{Interval, Rate};
use super::words::{self, doubts, not_looked_at, time_limits};
use super::{Outcome, Rates, Summary, beyond};
use crate::bench::setting::RunSetting;
use crate::hint;
use crate::text::fit::wrapped;
use crate::text::paint::{broken, strong};
use crate::text::{NAME, one_line, plural, some};
use compared::compared;
use costs::costs;
use failures::{errors, failures, flaky};
pub use short::at_the_end;
use table::table;

/// The most of what is said of a run that mixes datasets.
const MIXED: usize = 500;

/// This many failed pairs are told one by one; JSON and `JUnit` have them all.
const TOLD: usize = 12;

/// A table and what there is to know about the pairs that did not finish, in colour and within a
/// terminal's width, in columns. Without a width it is complete, and every line as long as it is.
#[must_use]
pub fn render(summaries: &[Summary], width: Option<usize>) -> String {
    let mut out = table(summaries, width);
    for summary in summaries {
        out.push('\n');
        let _ = writeln!(
            out,
            "{}{}: {}",
            strong(&summary.run),
            setting(summary),
            hue::counts(summary)
        );
        if let Some(asked) = summary.told_asked() {
            let _ = writeln!(out, "  {asked}");
        }
        out.push_str(&rates(summary, width));
        if let Some(unread) = summary.not_read() {
            let _ = writeln!(out, "  {}: {unread}", broken("WARNING"));
        }
        for mixed in &summary.mixed {
            let mixed = one_line(mixed, MIXED);
            let _ = writeln!(out, "  {}: {mixed}", broken("WARNING"));
        }
        for told in summary.teams.told(|name| one_line(name, NAME)) {
            let _ = writeln!(out, "  {told}");
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
    out.push_str(&compared(summaries, width));
    if let Some(warning) = time_limits(summaries, str::to_owned) {
        let _ = writeln!(out, "\n{warning}");
    }
    out.push('\n');
    out.push_str(&costs(summaries));
    width.map_or_else(|| out.clone(), |width| wrapped(&out, width))
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
fn rates(summary: &Summary, width: Option<usize>) -> String {
    let mut out = String::new();
    let Rates {
        strict,
        judged,
        features,
        merges,
        rules,
        places,
    } = &summary.rates;
    let (Some(strict), Some(judged)) = (strict, judged) else {
        return out;
    };
    let mut told = vec![format!("  passed {}", share(strict))];
    if judged.of != strict.of {
        told.push(format!("of those judged {}", share(judged)));
    }
    if let Some(features) = features {
        told.push(format!("features {} of {}", features.passed, features.of));
    }
    let line = told.join("; ");
    let fits = width.is_none_or(|width| line.len() <= width);
    let _ = writeln!(out, "{}", if fits { line } else { told.join(";\n    ") });
    if !merges.is_empty() {
        let _ = writeln!(out, "  merges: {}", words::merges(merges));
    }
    if let Some(places) = places {
        out.push_str(&places::told(places));
    }
    if rules.len() > 1 {
        let rules = rules.iter().map(|(rules, n)| format!("{n} by {rules}"));
        let rules = rules.collect::<Vec<_>>().join(", ");
        let again = hint::command(&format!("eval {} --force", summary.run));
        let _ = writeln!(
            out,
            "  {}: judged by different rules, which are not comparable: {rules}; `{again}` judges all by one",
            broken("WARNING")
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
        let _ = writeln!(out, "  {} · {pair}\n    {why}", broken("flagged"));
    }
    if flagged.len() > TOLD {
        let more = plural(flagged.len() - TOLD, "more flagged pair");
        let _ = writeln!(out, "  {more}: --format json has them all");
    }
    out
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
