//! Arms and their differences for programs: every number, unrounded.

use serde::Serialize;

use super::{ArmsCompared, Figures};
use crate::json::pretty;
use crate::text::shown_json;

/// The version of these formats; it changes when a field changes its meaning or goes.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Document<T> {
    format: u32,
    regatta: &'static str,
    #[serde(flatten)]
    what: T,
}

#[derive(Serialize)]
struct Arms<'a> {
    arms: &'a [Figures],
    notes: &'a [String],
}

/// What is compared, as one JSON object.
#[must_use]
pub fn compared(it: &ArmsCompared) -> String {
    document(it)
}

/// Each arm by itself, as one JSON object.
#[must_use]
pub fn by_arm(arms: &[Figures], notes: &[String]) -> String {
    document(Arms { arms, notes })
}

fn document(what: impl Serialize) -> String {
    let document = Document {
        format: FORMAT,
        regatta: env!("CARGO_PKG_VERSION"),
        what,
    };
    let mut text = shown_json(&pretty(&document));
    text.push('\n');
    text
}
