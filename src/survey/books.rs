//! What a survey of a run reads first.

use super::of_run::Survey;
use crate::error::Result;
use crate::model::price::PriceTable;
use crate::store::events::ContainerFacts;
use crate::store::reasons::Reasons;
use crate::store::{Ledger, RunDir};
use crate::triage::Rules;

/// What a run's own files hold, as judging its pairs needs it; reading them touches nothing.
#[derive(Debug)]
pub struct Books {
    /// The trials that are recorded; it is read, not written to.
    pub ledger: Ledger,
    facts: ContainerFacts,
    reasons: Reasons,
}

impl Books {
    /// Reads the books of a run; empty ones when it has none.
    pub fn read(run: &RunDir) -> Result<Self> {
        Self::with(run, ContainerFacts::of_run(run)?)
    }

    /// Reads the others, where the events have been read.
    pub(super) fn with(run: &RunDir, facts: ContainerFacts) -> Result<Self> {
        Ok(Self {
            ledger: Ledger::open_readonly(run)?,
            facts,
            reasons: Reasons::of_run(run),
        })
    }

    /// A survey of the run by these books.
    #[must_use]
    pub const fn survey<'a>(
        &'a self,
        run: &'a RunDir,
        rules: &'a Rules,
        prices: &'a PriceTable,
    ) -> Survey<'a> {
        Survey {
            run,
            ledger: &self.ledger,
            facts: &self.facts,
            rules,
            prices,
            reasons: Some(&self.reasons),
        }
    }
}
