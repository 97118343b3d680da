//! Errors that came together in time.

use std::collections::BTreeSet;

use super::super::Audit;
use super::super::incident::Incident;
use super::turns::alone;
use super::{Block, below, name};
use crate::text::{one_line, plural, some};

/// So many runs of an arm are named.
const RUNS: usize = 4;
/// So much of an error's text is shown, in characters.
const EVIDENCE: usize = 110;

/// The incidents in the order of time, then what came alone.
pub(super) fn incidents(audit: &Audit) -> Vec<Block> {
    let incidents = &audit.incidents;
    let mut told = BTreeSet::new();
    let mut page: Vec<Block> = Vec::new();
    for it in &incidents.together {
        // The words of a cause are told once.
        page.extend(incident(it, told.insert(it.rule.as_deref())));
    }
    if !incidents.alone.is_empty() {
        let alone = incidents
            .alone
            .iter()
            .map(|(rule, n)| format!("{} {n}", name(rule)));
        let alone = alone.collect::<Vec<_>>().join(", ");
        page.push(Block::Item(format!("errors that came alone: {alone}")));
    }
    page.extend(incidents.causes.iter().filter_map(|it| {
        let rule = name(it.rule.as_deref().unwrap_or("no rule knows it"));
        let turned = alone(&it.turns)?;
        let judged = plural(it.judged, "verdict");
        Some(Block::Item(format!(
            "{rule}: leaving out its {judged} alone turns {turned}"
        )))
    }));
    below("INCIDENTS, by the clock of their machine", page)
}

fn incident(incident: &Incident, is_first: bool) -> [Block; 2] {
    let (from, to) = (incident.from.to_minute(), incident.to.to_minute());
    // The day is said once.
    let day = from.split(' ').next().unwrap_or_default();
    let to = to.strip_prefix(day).map_or(to.as_str(), str::trim_start);
    let arms = incident.arms.iter().map(|arm| {
        let runs = arm.runs.iter();
        let runs: Vec<String> = runs
            .map(|(run, pairs)| format!("{} {}", name(run), pairs.len()))
            .collect();
        let runs: Vec<&str> = runs.iter().map(String::as_str).collect();
        format!(
            "{} {} of {} ({})",
            name(&arm.arm),
            arm.trials,
            arm.of,
            some(&runs, RUNS)
        )
    });
    let mut told = arms.collect::<Vec<_>>().join("; ");
    if incident.judged < incident.trials {
        told = format!("{told}; {} of them judged", incident.judged);
    }
    if let Some(evidence) = incident.evidence.as_ref().filter(|_| is_first) {
        told = format!("{told}: {}", one_line(evidence, EVIDENCE));
    }
    [
        Block::Item(format!(
            "{from} to {to} {}: {} of the {} that ended then",
            name(incident.rule.as_deref().unwrap_or("no rule knows it")),
            incident.trials,
            plural(incident.of, "trial"),
        )),
        Block::Text(told),
    ]
}
