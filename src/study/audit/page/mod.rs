//! An audit as a page for people: what stands on it, whatever the format. Pure.

mod arms;
mod findings;
mod times;
mod turns;

use super::Audit;
use crate::text::{NAME, one_line};

/// A part of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// What it all comes to.
    Verdict(String),
    /// The heading of a part.
    Section(String),
    /// The heading of one finding.
    Item(String),
    /// A sentence or more.
    Text(String),
    /// One of several.
    Point(String),
    /// Rows of columns, of which the first are the heads.
    Table(Vec<Vec<String>>),
}

/// The page.
pub(super) fn page(audit: &Audit) -> Vec<Block> {
    let mut page = turns::verdict(audit);
    page.extend(arms::arms(audit));
    page.extend(findings::findings(audit));
    page.extend(times::incidents(audit));
    page.extend(arms::mixed(audit));
    page.extend(arms::gaps(audit));
    page.extend(findings::not_found(audit));
    page.extend(turns::contrasts(audit));
    page
}

/// A name as it may be shown.
fn name(text: &str) -> String {
    one_line(text, NAME)
}

/// A rate in percent: `12.5%`.
fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".to_owned(), |rate| format!("{:.1}%", 100.0 * rate))
}

/// Two rates, in percent: `12.5 → 10.0`.
fn from_to(one: Option<f64>, two: Option<f64>) -> String {
    let of =
        |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), |it| format!("{:.1}", 100.0 * it));
    format!("{} → {}", of(one), of(two))
}

/// What is between two rates, in percentage points: `+2.5`.
fn points(one: Option<f64>, two: Option<f64>) -> String {
    let between = one.zip(two).map(|(one, two)| two - one);
    between.map_or_else(String::new, |it| {
        format!("{:+.1}", positive_zero(100.0 * it))
    })
}

/// A number that does not round to `-0.0`.
fn positive_zero(number: f64) -> f64 {
    if number.abs() < 0.05 { 0.0 } else { number }
}

/// A heading and a text, or nothing where there is no text.
fn below(heading: &str, blocks: Vec<Block>) -> Vec<Block> {
    if blocks.is_empty() {
        return blocks;
    }
    let mut all = vec![Block::Section(heading.to_owned())];
    all.extend(blocks);
    all
}
