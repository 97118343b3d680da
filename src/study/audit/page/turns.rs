//! What it all comes to, and the contrasts that say so.

use super::super::contrasts::{Audited, Side, Stated, Turned, TurnedAlone};
use super::super::seen::{Measure, Reading};
use super::super::{Audit, BaselineBy};
use super::{Block, below, name, positive_zero};
use crate::text::{by_number, plural, some};

/// So many arms are named.
const TOLD: usize = 6;

/// The sentences that it all comes to.
pub(super) fn verdict(audit: &Audit) -> Vec<Block> {
    let [verdicts, damaged, flagged] = audit.counts();
    let mut page = Vec::new();
    let doubtful = flagged - damaged;
    let found = match (damaged, doubtful) {
        (0, 0) => format!(
            "None of {} is damaged or doubtful",
            plural(verdicts, "verdict")
        ),
        (_, 0) => format!(
            "{damaged} of {} {} damaged",
            plural(verdicts, "verdict"),
            by_number(damaged, "is", "are")
        ),
        _ => format!(
            "{damaged} of {} {} damaged and {doubtful} more {} doubtful",
            plural(verdicts, "verdict"),
            by_number(damaged, "is", "are"),
            by_number(doubtful, "is", "are")
        ),
    };
    let baseline = name(audit.baseline.as_deref().unwrap_or_default());
    let stated = audit
        .contrasts
        .iter()
        .filter(|it| it.published.is_some())
        .count();
    let turned: Vec<&Audited> = audit.turned().collect();
    let sentence = match (stated, turned.len(), flagged) {
        (_, _, _) if audit.arms.len() < 2 => {
            format!("{found}. One arm: there is nothing to compare.")
        }
        (0, ..) => format!(
            "{found}. No arm shares a judged pair with {baseline}: there is nothing to compare."
        ),
        (_, 0, 0) => format!(
            "{found}: {} with {baseline} {} as published.",
            plural(stated, "contrast"),
            by_number(stated, "stands", "stand")
        ),
        (_, 0, _) => format!(
            "{found}. None of {} with {baseline} turns when they are left out.",
            plural(stated, "contrast")
        ),
        (_, n, _) => format!(
            "{found}. Left out, they turn {n} of {} with {baseline}:",
            plural(stated, "contrast")
        ),
    };
    page.push(Block::Verdict(sentence));
    page.extend(turned.into_iter().map(|it| Block::Point(told(it))));
    page
}

/// How a contrast turns.
fn told(audited: &Audited) -> String {
    let mut parts = Vec::new();
    let by = if audited.is_turned_by(Reading::Undamaged) {
        Reading::Undamaged
    } else {
        Reading::Unflagged
    };
    if let Some((before, after)) = audited.published.as_ref().zip(audited.by(by)) {
        let has = |what: Turned| {
            audited
                .turns
                .iter()
                .any(|it| it.by == by && it.what == what)
        };
        let difference = difference(before, Some(after));
        parts.push(if has(Turned::Sign) {
            format!("{difference} points, the sign turns")
        } else {
            format!("{difference} points")
        });
        if has(Turned::ThesePairs) {
            parts.push(format!(
                "p for these pairs {}",
                both_p(before.these_pairs, Some(after.these_pairs))
            ));
        }
        if has(Turned::TasksLikeThese) {
            parts.push(format!(
                "p for tasks like these {}",
                both_p(before.tasks_like_these, Some(after.tasks_like_these))
            ));
        }
    } else {
        parts.push("no pair is left to compare".to_owned());
    }
    if by == Reading::Unflagged {
        parts.push("only without what is doubtful too".to_owned());
    }
    format!(
        "{}, {}: {}",
        name(&audited.arm),
        measured(audited.measure),
        parts.join("; ")
    )
}

/// The contrasts that something alone turns: `a and b in merges`.
pub(super) fn alone(turned: &[TurnedAlone]) -> Option<String> {
    let of = |measure: Measure| {
        let turned = turned.iter().filter(|it| it.measure == measure);
        let arms: Vec<String> = turned.map(|it| name(&it.arm)).collect();
        let arms: Vec<&str> = arms.iter().map(String::as_str).collect();
        (!arms.is_empty()).then(|| format!("{} in {}", some(&arms, TOLD), measured(measure)))
    };
    let parts: Vec<String> = Measure::ALL.into_iter().filter_map(of).collect();
    (!parts.is_empty()).then(|| parts.join(" and "))
}

const fn measured(measure: Measure) -> &'static str {
    match measure {
        Measure::Pass => "passes",
        Measure::Merge => "merges",
    }
}

/// Every contrast.
pub(super) fn contrasts(audit: &Audit) -> Vec<Block> {
    let mut page = Vec::new();
    let baseline = name(audit.baseline.as_deref().unwrap_or_default());
    for measure in Measure::ALL {
        let rows: Vec<_> = audit
            .contrasts
            .iter()
            .filter(|it| it.measure == measure)
            .collect();
        let stated: Vec<_> = rows
            .iter()
            .filter_map(|it| Some((*it, it.published.as_ref()?)))
            .collect();
        if !stated.is_empty() {
            let head = [
                measured(measure),
                "pairs",
                "difference",
                "p, these pairs",
                "p, tasks like these",
            ];
            let mut table = vec![head.map(str::to_owned).to_vec()];
            table.extend(stated.iter().map(|(audited, before)| row(audited, before)));
            page.push(Block::Table(table));
        }
        let nothing: Vec<String> = rows
            .iter()
            .filter(|it| it.published.is_none())
            .map(|it| name(&it.arm))
            .collect();
        if !nothing.is_empty() {
            page.push(Block::Text(format!(
                "{}: no judged pair in common with {baseline}: {}",
                measured(measure),
                nothing.join(", ")
            )));
        }
    }
    if page.is_empty() {
        return page;
    }
    let by = match audit.baseline_by {
        BaselineBy::Flag => "",
        BaselineBy::Experiment => ", the experiment's first arm; --baseline takes another",
        BaselineBy::Name => ", the first arm by name; --baseline takes another",
    };
    let mut all = below(&format!("CONTRASTS with {baseline}{by}"), page);
    all.insert(
        1,
        Block::Text(
            "As published → without what is damaged, in percentage points, with p by Holm over the arms. ! marks what turns: its sign or its side of 5%; ? what turns only without what is doubtful too."
                .to_owned(),
        ),
    );
    all
}

fn row(audited: &Audited, before: &Stated) -> Vec<String> {
    let after = audited.undamaged.as_ref();
    let mark = if audited.is_turned_by(Reading::Undamaged) {
        "! "
    } else if audited.is_turned_by(Reading::Unflagged) {
        "? "
    } else {
        "  "
    };
    let pairs = match after {
        Some(after) if after.pairs != before.pairs => format!("{} → {}", before.pairs, after.pairs),
        _ => before.pairs.to_string(),
    };
    vec![
        format!("{mark}{}", name(&audited.arm)),
        pairs,
        difference(before, after),
        both_p(before.these_pairs, after.map(|it| it.these_pairs)),
        both_p(before.tasks_like_these, after.map(|it| it.tasks_like_these)),
    ]
}

/// `+6.0 → +14.0`.
fn difference(before: &Stated, after: Option<&Stated>) -> String {
    let of = |it: &Stated| format!("{:+.1}", positive_zero(100.0 * it.difference));
    match after {
        Some(after) => format!("{} → {}", of(before), of(after)),
        None => format!("{} → none", of(before)),
    }
}

/// `0.180 → <0.001`.
fn both_p(before: Side, after: Option<Side>) -> String {
    let (before, after) = (p(before), after.map_or_else(|| "none".to_owned(), p));
    if before == after && before.starts_with(|c: char| c.is_alphabetic()) {
        return before;
    }
    format!("{before} → {after}")
}

/// An adjusted p-value, or why there is none.
fn p(side: Side) -> String {
    match side.adjusted_p {
        Some(p) if p < 0.001 => "<0.001".to_owned(),
        // Three digits would not tell its side of 5%.
        Some(p) if (p - 0.05).abs() < 0.0005 => format!("{p:.5}"),
        Some(p) => format!("{p:.3}"),
        None => match side.no_p {
            Some("one_repeat") => "one repeat".to_owned(),
            Some(_) => "under 6 tasks".to_owned(),
            None => "none".to_owned(),
        },
    }
}
