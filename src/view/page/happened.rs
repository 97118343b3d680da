//! What happened when: trials that ended, and what broke meanwhile.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::index::Happened;
use crate::error::Result;
use crate::report::{Outcome, Row};
use crate::store::RunDir;
use crate::store::event::Event;
use crate::store::events::each;
use crate::text::{duration, one_line};

/// The most of an incident's text, in characters.
const MOST: usize = 300;

/// The trials of a run that ended, and its incidents. Times are those of the clock on the wall of the
/// machine that ran it: results tell no zone.
pub fn happened(run: &RunDir, rows: &[Row]) -> Result<Vec<Happened>> {
    let name = run.name().to_string();
    let mut found = Vec::new();
    let mut tell = |at, kind, usd, text: Option<String>| {
        found.push(Happened {
            at,
            kind,
            run: name.clone(),
            usd,
            text: text.map(|text| one_line(&text, MOST)),
        });
    };
    for row in rows {
        let Some(at) = row.ended_at.map(|at| seconds(at.time())) else {
            continue;
        };
        tell(at, "trial_ended", row.cost_usd, None);
        if is_incident(row.outcome) {
            let evidence = row.evidence.as_deref().unwrap_or("no text");
            let pair = row.pair.as_deref().unwrap_or_default();
            tell(
                at,
                "trial_broken",
                None,
                Some(format!("{pair}: {evidence}")),
            );
        }
    }
    each(run, |line| {
        let at = seconds(TimeZone::system().to_datetime(line.at));
        if let Some((kind, text)) = incident(&line.event) {
            tell(at, kind, None, Some(text));
        }
    })?;
    Ok(found)
}

/// Whether an outcome is the world's doing.
const fn is_incident(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::InfraError | Outcome::LimitError | Outcome::ConfigError | Outcome::UnknownError
    )
}

/// An event that is an incident, with what there is to say.
fn incident(event: &Event) -> Option<(&'static str, String)> {
    Some(match event {
        Event::CallRetried { rule, text, .. } => ("call_retried", format!("{rule}: {text}")),
        Event::Pace { limit, why } => ("pace", format!("{limit} calls at once: {why}")),
        Event::ContainerRefused { name, message } => {
            ("container_refused", format!("{name}: {message}"))
        }
        Event::ContainerLost { container, .. } => ("container_lost", container.clone()),
        Event::DaemonUnreachable { message } => ("daemon_unreachable", message.clone()),
        Event::TrialCutOff { pair, why, .. } => ("trial_cut_off", format!("{pair}: {why}")),
        Event::BackOff { seconds, .. } => ("back_off", format!("waits {}", duration(*seconds))),
        _ => return None,
    })
}

/// Seconds since 1970 on a wall's clock.
fn seconds(at: DateTime) -> f64 {
    TimeZone::UTC
        .to_timestamp(at)
        .map_or(0.0, |at| at.as_duration().as_secs_f64())
}
