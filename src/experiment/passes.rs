//! The forced passes of the runs that are asked for together: they begin and end together, so that
//! the same command never does again what it has done in one of them.

use jiff::Timestamp;

use super::arms::PlannedRun;
use super::news::NewsSender;
use super::planned::Experiment;
use crate::bench::{Pair, Total};
use crate::error::Result;
use crate::runner::{Plan, forced};
use crate::store::pass::{self, Covered};
use crate::store::{Manifest, Pass, result};
use crate::survey::spent::spent;
use crate::survey::stand::unbooked;
use crate::survey::{Books, Surveyed};

impl Experiment {
    /// The forced passes that are open, or would be with `--force`; reads only. Empty ones where
    /// there is none.
    pub fn passes(&self, force: bool) -> Result<Vec<Pass>> {
        if !force {
            let open = |one: &PlannedRun| Pass::read_open(&one.run.pass());
            return self.runs.iter().map(open).collect();
        }
        let mut runs = Vec::new();
        for PlannedRun { arm, run, .. } in &self.runs {
            let covered = |pair: &Pair| Covered {
                pair: pair.clone(),
                was: result::trial(&run.pair(arm.setting.tree(), pair).result()),
            };
            let pairs = self.pairs.iter().map(covered).collect();
            runs.push((Pass::read(&run.pass())?, pairs));
        }
        Ok(pass::forced(runs, Timestamp::now()))
    }

    /// The passes that the runs are run with. Without `--force` none replaces anything: a result that
    /// stands is set aside only by who asks for it.
    pub fn passes_in_force(&self, force: bool) -> Result<Vec<Pass>> {
        let passes = self.passes(force)?;
        Ok(if force {
            passes
        } else {
            passes.iter().map(|_| Pass::default()).collect()
        })
    }

    /// What is said, without `--force`, of a pass that has results still to replace.
    pub fn held(&self, one: &PlannedRun) -> Result<Option<String>> {
        let pass = Pass::read_open(&one.run.pass())?;
        let surveyed = self.survey_all(one)?;
        Ok(forced::held(one.run.name(), &pass, &surveyed))
    }

    /// Closes the forced passes of this command when they are all done: until then, `--force` goes
    /// on with each of them.
    pub fn close_passes(&self, news: &NewsSender) -> Result<()> {
        let passes = self.passes(false)?;
        let mut is_done = true;
        for (one, pass) in self.runs.iter().zip(&passes) {
            // Also of pairs that this command is not about: the pass is not done before them.
            let surveyed = self.survey_all(one)?;
            // An error of the configuration is one that only mending changes: it keeps no pass open.
            let left = Plan::of(&surveyed, false, pass).to_run;
            is_done &= !left.iter().any(|pair| pass.covers(pair));
        }
        if !is_done {
            return Ok(());
        }
        for (PlannedRun { run, .. }, mut pass) in self.runs.iter().zip(passes) {
            if !pass.pairs.is_empty() {
                pass.leave(&self.all, Timestamp::now());
                pass.write(&run.pass())?;
                news.note(format!(
                    "{}: the forced pass begun at {:.0} is done; --force begins another",
                    run.name(),
                    pass.begun_at
                ));
            }
        }
        Ok(())
    }

    /// What is known of what a run has cost so far, in USD.
    pub fn spent_on(&self, one: &PlannedRun) -> Result<f64> {
        Ok(self.stock(one)?.1.usd)
    }

    /// What stands for every pair of a run, and what the run has cost so far, with what of it is
    /// unknown.
    pub(super) fn stock(&self, one: &PlannedRun) -> Result<(Vec<Surveyed>, Total)> {
        let run = &one.run;
        let books = Books::read(run)?;
        let surveyed = self.surveyed(&self.all, one, &books);
        let unbooked = unbooked(run, Manifest::read(run)?.as_ref(), &books.ledger, &surveyed)?;
        let trials = books.ledger.entries().iter().chain(&unbooked);
        let total = spent(trials, &surveyed).total;
        Ok((surveyed, total))
    }

    /// What stands for each pair of a run that is asked for.
    pub fn survey(&self, one: &PlannedRun) -> Result<Vec<Surveyed>> {
        self.survey_of(&self.pairs, one)
    }

    /// What stands for every pair of a run.
    pub fn survey_all(&self, one: &PlannedRun) -> Result<Vec<Surveyed>> {
        self.survey_of(&self.all, one)
    }

    fn survey_of(&self, pairs: &[Pair], one: &PlannedRun) -> Result<Vec<Surveyed>> {
        Ok(self.surveyed(pairs, one, &Books::read(&one.run)?))
    }

    fn surveyed(&self, pairs: &[Pair], one: &PlannedRun, books: &Books) -> Vec<Surveyed> {
        let survey = books.survey(&one.run, &self.rules, &one.arm.prices);
        let tree = one.setting().tree();
        pairs.iter().map(|pair| survey.pair(tree, pair)).collect()
    }
}
