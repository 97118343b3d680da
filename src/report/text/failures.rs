//! The pairs that did not pass, and what is known of why.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{TOLD, hue};
use crate::bench::RuleId;
use crate::report::{Outcome, PairLine, Summary};
use crate::text::paint::{bad, broken};
use crate::text::{NAME, ends_in_one_line, one_line, plural, some};

/// The pairs that did not pass, where an evaluation of ours says why.
pub(super) fn failures(summary: &Summary) -> String {
    let failed: Vec<(&str, &str)> = summary
        .lines
        .iter()
        .filter(|line| line.outcome == Outcome::Fail)
        .filter_map(|line| Some((line.pair.as_str(), line.why.as_deref()?)))
        .collect();
    let mut out = String::new();
    for (pair, why) in failed.iter().take(TOLD) {
        let _ = writeln!(
            out,
            "  {} · {pair}\n    {}",
            bad("fail"),
            one_line(why, 200)
        );
    }
    if failed.len() > TOLD {
        let more = plural(failed.len() - TOLD, "more failed pair");
        let _ = writeln!(out, "  {more}: --format json has them all");
    }
    out
}

/// The pairs that did not finish, grouped by what stopped them.
pub(super) fn errors(summary: &Summary) -> String {
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
            let name = hue::of(outcome, outcome.name());
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
        .filter(|line| line.outcome == Outcome::Missing && !line.not_asked)
        .map(|line| line.pair.as_str())
        .collect();
    if !missing.is_empty() && missing.len() < summary.pairs - summary.unasked() {
        let _ = writeln!(out, "  missing: {}", some(&missing, 6));
    }
    out.push_str(&cut_off(summary));
    out
}

/// Where the reason of a trial stands that was ended before it had a result.
const ENDED: Option<&str> = Some("regatta");

/// The pairs without a result whose last trial was cut off, cancelled or lost.
fn cut_off(summary: &Summary) -> String {
    let mut out = String::new();
    let mut reasons: BTreeMap<(&RuleId, &str), Vec<&str>> = BTreeMap::new();
    for line in &summary.lines {
        let is_ended = line.outcome == Outcome::Missing && line.source.as_deref() == ENDED;
        let rule = line.rule.as_ref().filter(|_| is_ended);
        if let (Some(rule), Some(why)) = (rule, line.why.as_deref()) {
            reasons.entry((rule, why)).or_default().push(&line.pair);
        }
    }
    for ((rule, why), pairs) in reasons {
        let count = plural(pairs.len(), "pair");
        let missing = broken("missing");
        let _ = writeln!(out, "  {missing} · {rule} · {count}, to run again");
        let _ = writeln!(out, "    {}", ends_in_one_line(why, 200));
        let _ = writeln!(out, "    {}", some(&pairs, 6));
    }
    out
}

pub(super) fn flaky(summary: &Summary) -> String {
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
