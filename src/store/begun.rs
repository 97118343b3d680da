//! Trials that an attempt began and that the ledger does not have: they run, or died with regatta.
//! What they cost counts before it is booked.

use std::collections::HashSet;

use super::events::OpenAttempt;
use super::ledger::CUT_OFF;
use super::{Cause, Diagnosis, Ledger, LedgerEntry};
use crate::bench::dataset::in_hand;
use crate::bench::image::image_name;
use crate::bench::{Pair, RuleId, Setting, Spending};

/// Why a trial has no result that was running when regatta died.
pub const DIED: &str = "regatta itself ended in this attempt";

/// The rule of a trial that was ended before it had a result.
const RULE: RuleId = RuleId::CUT_OFF;

/// What the trials of a run are told by.
#[derive(Clone, Copy, Debug)]
pub struct Begun<'a> {
    /// The pairs of its plan.
    pub pairs: &'a [Pair],
    /// The run's setting, which the lines get.
    pub setting: Setting,
    /// How many pairs run at once.
    pub concurrency: usize,
}

impl Begun<'_> {
    /// The lines that the ledger lacks: of trials that ended for this reason, or that run where there
    /// is none. `has_ended` says of a pair whether a result stands that the ledger lacks too.
    #[must_use]
    pub fn lines(
        &self,
        open: &OpenAttempt,
        ledger: &Ledger,
        has_ended: impl Fn(&Pair) -> bool,
        why: Option<&str>,
    ) -> Vec<LedgerEntry> {
        let begun = self.trials(open, ledger, has_ended).into_iter();
        begun
            .map(|pair| {
                let spent = open.spent_on(&pair, ledger);
                let is_all_known = open.is_all_known(&pair, ledger, self.setting.agents());
                LedgerEntry {
                    // Otherwise a call that was under way may be billed.
                    usage_unknown: !is_all_known,
                    ..line(pair, self.setting, open.attempt, why, spent)
                }
            })
            .collect()
    }

    /// The pairs that the engine said it had begun; where it says nothing, those that it had in hand
    /// and for whose task it had made more containers than trials that ended have used.
    fn trials(
        &self,
        open: &OpenAttempt,
        ledger: &Ledger,
        has_ended: impl Fn(&Pair) -> bool,
    ) -> Vec<Pair> {
        let of_attempt = ledger.entries().iter();
        let recorded: HashSet<&Pair> = of_attempt
            .filter(|entry| entry.attempt == Some(open.attempt))
            .map(|entry| &entry.pair)
            .collect();
        let mut named = open.named();
        let is_told = !named.is_empty();
        if !is_told {
            named.extend(&open.pairs);
        }
        let (ended, unfinished): (Vec<Pair>, Vec<Pair>) = self
            .pairs
            .iter()
            .filter(|pair| named.contains(pair))
            .cloned()
            .partition(|pair| recorded.contains(pair) || has_ended(pair));
        if is_told {
            return unfinished;
        }
        let mut free = open.images.clone();
        let mut has_used = |pair: &Pair| {
            let count = free.entry(image_name(&pair.task)).or_default();
            let had = *count > 0;
            *count = count.saturating_sub(self.setting.agents());
            had
        };
        for pair in &ended {
            has_used(pair);
        }
        let in_hand = in_hand(&unfinished, self.concurrency);
        in_hand.into_iter().filter(|pair| has_used(pair)).collect()
    }
}

/// The ledger's line for a trial that has no result: of its cost, what was booked while it ran.
fn line(
    pair: Pair,
    setting: Setting,
    attempt: u32,
    why: Option<&str>,
    spent: Option<Spending>,
) -> LedgerEntry {
    LedgerEntry {
        trial: format!("cut-off-{attempt}"),
        setting: Some(setting),
        pair,
        attempt: Some(attempt),
        status: why.map_or("Running", |_| CUT_OFF).to_owned(),
        agents: Vec::new(),
        diagnosis: why.map(|why| Diagnosis::new(Cause::Infra, RULE, "regatta", why)),
        void: why.is_some(),
        cost: spent.and_then(|spent| spent.cost),
        usage_unknown: true,
        usage: spent.map(|spent| spent.usage),
        started_at: None,
        duration_seconds: None,
        recorded_at: jiff::Timestamp::now(),
    }
}
