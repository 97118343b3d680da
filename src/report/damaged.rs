//! How many judged results are damaged, and in which numbers they are.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Outcome;
use crate::survey::{Damage, Harm};
use crate::text::{one_line, plural, some};

/// Results that are damaged in one way.
#[derive(Clone, Debug, Serialize)]
pub struct Damaged {
    /// The way in which they are damaged.
    pub damage: Damage,
    /// By what they count as.
    pub outcomes: BTreeMap<Outcome, usize>,
    /// The rates that contain them.
    pub rates: Vec<&'static str>,
    /// The pairs, `repo/task/fi_fj`, in the report's order.
    pub pairs: Vec<String>,
    /// What is known of the first.
    pub first: String,
}

/// Counts a pair under each way in which it is damaged.
pub fn count(all: &mut Vec<Damaged>, pair: &str, outcome: Outcome, harms: &[Harm]) {
    for Harm { damage, why } in harms {
        let known = all.iter().position(|it| it.damage == *damage);
        let at = known.unwrap_or_else(|| {
            all.push(Damaged {
                damage: *damage,
                outcomes: BTreeMap::new(),
                rates: vec!["strict"],
                pairs: Vec::new(),
                first: why.clone(),
            });
            all.len() - 1
        });
        let damaged = &mut all[at];
        *damaged.outcomes.entry(outcome).or_default() += 1;
        damaged.pairs.push(pair.to_owned());
        if outcome.is_judged() && damaged.rates.len() == 1 {
            damaged.rates.extend(["judged", "features"]);
        }
    }
}

impl Damaged {
    /// `2 pass, 32 fail`.
    #[must_use]
    pub fn counts(&self) -> String {
        let counts = self.outcomes.iter();
        let counts: Vec<_> = counts
            .map(|(outcome, n)| format!("{n} {}", outcome.name()))
            .collect();
        counts.join(", ")
    }

    /// What it is, how many, what they count as and in which rates, in one line.
    #[must_use]
    pub fn told(&self) -> String {
        format!(
            "{} · {}: {} ({}); in the rates {}",
            self.damage.name(),
            plural(self.pairs.len(), "pair"),
            self.damage.about(),
            self.counts(),
            self.rates.join(", ")
        )
    }

    /// The first of its pairs, and what is known of the very first.
    #[must_use]
    pub fn named(&self) -> String {
        let pairs: Vec<&str> = self.pairs.iter().map(String::as_str).collect();
        format!(
            "{} (the first: {})",
            some(&pairs, 6),
            one_line(&self.first, 120)
        )
    }
}
