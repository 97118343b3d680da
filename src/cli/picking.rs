//! The flags that narrow a command down to some pairs.

use clap::Args;

use crate::bench::Pair;
use crate::bench::pattern::Pattern;
use crate::error::Result;
use crate::experiment::{Among, PairFilter};
use crate::store::{Manifest, RunDir};

/// Which pairs a command is about. A pair must fit one of each that is given.
#[derive(Debug, Args)]
pub struct PairArgs {
    /// Only pairs of this repository, e.g. dspy; may be given more than once. In these three * is any
    /// text and ? one character
    #[arg(long, value_name = "REPO", value_parser = Pattern::repo, help_heading = HEADING)]
    repo: Vec<Pattern>,
    /// Only pairs of this task, e.g. dspy/8394, or 8394 in any repository; may be given more than once
    #[arg(long, value_name = "TASK", value_parser = Pattern::task, help_heading = HEADING)]
    task: Vec<Pattern>,
    /// Only this pair, e.g. `dspy/8394/f3_f5`; may be given more than once
    #[arg(long, value_name = "PAIR", value_parser = Pattern::pair, help_heading = HEADING)]
    pair: Vec<Pattern>,
}

const HEADING: &str = "Pairs";

impl PairArgs {
    /// What they leave, and of that only the `first` so many.
    pub fn filter(&self, first: Option<usize>) -> PairFilter {
        PairFilter {
            repos: self.repo.clone(),
            tasks: self.task.clone(),
            pairs: self.pair.clone(),
            first,
        }
    }

    /// The pairs of these runs that they leave; none where nothing is narrowed down.
    pub fn of_runs(&self, runs: &[RunDir]) -> Result<Option<Vec<Pair>>> {
        let filter = self.filter(None);
        if filter == PairFilter::default() {
            return Ok(None);
        }
        let mut all = Vec::new();
        for run in runs {
            all.extend(match Manifest::read(run)? {
                Some(manifest) => manifest.pairs,
                None => run.pairs()?.into_iter().map(|(_, pair)| pair).collect(),
            });
        }
        all.sort();
        all.dedup();
        filter.of(&all, Among::Runs).map(Some)
    }
}
