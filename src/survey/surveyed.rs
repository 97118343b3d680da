//! What a survey found of one pair.

use super::beyond::Beyond;
use super::damage::Harm;
use crate::bench::setting::Tree;
use crate::bench::{Cost, Pair, Usage};
use crate::evaluation::Verdict;
use crate::store::eval::{self, EvalFile};
use crate::store::stream;
use crate::store::{LedgerEntry, TrialRecord};
use crate::triage::{Finding, ToldError};

/// A pair with all that the disk says of it.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// The pair that was looked at.
    pub pair: Pair,
    /// The tree it stands in.
    pub tree: Tree,
    /// What stands at its `result.json`.
    pub standing: Standing,
    /// The hidden tests' verdict, when there is one.
    pub verdict: Option<Verdict>,
    /// What the evaluation wrote, when it can be read.
    pub evaluation: Option<EvalFile>,
    /// Whether its time contradicts the result's, by so little that it stands all the same.
    pub is_time_unclear: bool,
    /// Why it did not pass, where it was judged.
    pub why_not: Option<String>,
    /// What is wrong with the result, where it was judged.
    pub damage: Vec<Harm>,
    /// Why there is no result, or no verdict on a finished one, where a file of the run's says it.
    pub told: Option<ToldError>,
}

impl Surveyed {
    /// The trial whose result stands.
    #[must_use]
    pub fn trial(&self) -> Option<&str> {
        match &self.standing {
            Standing::Result(judged) => Some(judged.record.trial.as_str()),
            Standing::Missing | Standing::Unreadable(_) => None,
        }
    }

    /// Takes a pass that is void for a failure; says whether it is one.
    pub fn make_strict(&mut self) -> bool {
        let file = self.evaluation.as_mut();
        let is_void =
            self.verdict == Some(Verdict::Pass) && file.is_some_and(EvalFile::make_strict);
        if is_void {
            self.verdict = Some(Verdict::Fail);
            let own = self.evaluation.as_ref().and_then(|it| it.regatta.as_ref());
            self.why_not = own.map(|own| eval::why_not(&own.suites));
        }
        is_void
    }
}

/// What stands at a pair.
#[derive(Clone, Debug)]
pub enum Standing {
    /// There is no `result.json`.
    Missing,
    /// A file that is no result, and why.
    Unreadable(String),
    /// A result, and what triage says of it.
    Result(Box<Judged>),
}

/// A result with what triage says of it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What its `result.json` says, before a price or a ledger had a say.
    pub record: TrialRecord,
    /// Whether the trial finished, and if not by whose doing.
    pub finding: Finding,
    /// What there is to read, where the finding is an error that no rule knows.
    pub told: Option<ToldError>,
    /// Tokens, as far as the trajectories tell.
    pub usage: Option<Usage>,
    /// What it cost, as far as that is known.
    pub cost: Cost,
    /// The name by which a price was found, where it is not the model's own.
    pub priced_as: Option<String>,
    /// How the agents' own programs say that they ended, in the record's order.
    pub ends: Vec<Option<stream::LastEvent>>,
    /// Whose patch was seen to be more than a line or two, so that nobody has to look again.
    pub long_patches: Vec<bool>,
    /// What they spent beyond what the result says.
    pub beyond: Vec<Beyond>,
}

impl Judged {
    /// The text that says how the trial failed: what triage decided by, or what no rule knows.
    #[must_use]
    pub fn error_text(&self) -> Option<&str> {
        let told = || self.told.as_ref().map(|told| told.text.as_str());
        let diagnosis = self.finding.diagnosis();
        diagnosis
            .map(|diagnosis| diagnosis.evidence.text.as_str())
            .or_else(told)
    }
}

impl Judged {
    /// What the trial cost with what its agents' programs spent beyond the result.
    #[must_use]
    pub fn spent(&self) -> Cost {
        Cost {
            usd: self.cost.usd.map(|usd| usd + self.beyond_usd()),
            ..self.cost
        }
    }

    fn beyond_usd(&self) -> f64 {
        self.beyond.iter().map(|it| it.usd).sum()
    }

    /// What the trial adds to a total: all of it, or of one that is booked, what was not known when
    /// it was. Zeros may have been booked that are not believed any more.
    pub(super) fn unbooked(&self, booked: Option<&LedgerEntry>) -> Cost {
        let spent = self.spent();
        let is_nothing = |entry: &LedgerEntry| entry.cost == Some(0.0) && !entry.usage_unknown;
        let Some(booked) = booked.filter(|entry| !is_nothing(entry)) else {
            return spent;
        };
        let both = spent.usd.zip(booked.cost);
        let more = both.map_or(0.0, |(spent, booked)| spent - booked);
        Cost::whole(more.clamp(0.0, self.beyond_usd()))
    }
}

/// A pair at which this stands, without a verdict, for tests of what is made of it.
#[cfg(test)]
#[must_use]
pub fn at(pair: Pair, standing: Standing) -> Surveyed {
    Surveyed {
        pair,
        tree: Tree::Solo,
        standing,
        verdict: None,
        evaluation: None,
        is_time_unclear: false,
        why_not: None,
        damage: Vec::new(),
        told: None,
    }
}
