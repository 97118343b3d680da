//! Which pairs a subset of the user's has: chosen from others, step by step.

use std::path::Path;

use super::filter::{Among, PairFilter};
use super::pair_list;
use crate::bench::Pair;
use crate::bench::sample::Sample;
use crate::error::{Error, Result};
use crate::hint;
use crate::store::SubsetRef;
use crate::store::dataset::DatasetDir;
use crate::store::gold::Gold;
use crate::text::plural;

/// What pairs are chosen from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PairSource {
    /// All of the dataset's.
    Dataset,
    /// A subset's, by its name or path.
    Subset(String),
    /// Those that a list names.
    List {
        /// What it is called, for people.
        name: String,
        /// A pair a line.
        text: String,
    },
}

/// How pairs are chosen. What is drawn is drawn last.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What they are chosen from.
    pub from: PairSource,
    /// What picks some of them.
    pub filter: PairFilter,
    /// Whether only those are taken whose features can be graded.
    pub gradeable: bool,
    /// What is drawn of those that are left.
    pub sample: Sample,
}

/// The pairs that were chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The pairs, in the order of what they were chosen from.
    pub pairs: Vec<Pair>,
    /// How many there were to choose from.
    pub of: usize,
    /// What was left out: how many, and why.
    pub left_out: Vec<(usize, String)>,
}

impl PairSource {
    /// What it is, for people: `the subset lite`.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::Dataset => "the dataset".to_owned(),
            Self::Subset(text) => format!("the subset {}", SubsetRef::of(text).name()),
            Self::List { name, .. } => format!("the list {name}"),
        }
    }
}

impl Choice {
    /// Chooses pairs of a dataset. The log tree at `logs` says which features can be graded.
    pub fn choose(&self, dataset: &DatasetDir, logs: &Path) -> Result<Chosen> {
        let (all, repeated) = self.all(dataset)?;
        let among = match &self.from {
            PairSource::Dataset => Among::Dataset(dataset),
            PairSource::Subset(name) => Among::From(name, dataset),
            PairSource::List { name, .. } => Among::List(name, dataset),
        };
        let mut left = self.filter.of(&all, among)?;
        let mut left_out = vec![
            (repeated, "given twice".to_owned()),
            (
                all.len() - left.len(),
                format!("by {}", self.filter.flags()),
            ),
        ];
        if !matches!(self.from, PairSource::Subset(_)) {
            dataset.check(&left)?;
        }
        if self.gradeable {
            self.keep_gradeable(&mut left, &mut left_out, logs)?;
        }
        let drawn = self.sample.of(&left);
        if let Some(most) = self.sample.per_task {
            if most == 0 {
                return Err(Error::usage("--per-task 0 leaves nothing: give 1 or more"));
            }
            left_out.push((drawn.over_per_task, format!("by --per-task {most}")));
        }
        left_out.retain(|(count, _)| *count > 0);
        if let Some(count) = self.sample.count {
            let there = drawn.drawn_from;
            if count == 0 || count > there {
                let (pairs, from) = (plural(there, "pair"), self.from.told());
                let have = match told(&left_out) {
                    None => format!("{from} has {pairs}"),
                    Some(left_out) => format!("{pairs} of {from} left ({left_out})"),
                };
                let told = format!("--sample {count}: {have}, so give 1 to {there}");
                return Err(Error::usage(told));
            }
            left_out.push((
                there - count,
                format!("not drawn by seed {}", self.sample.seed),
            ));
            left_out.retain(|(count, _)| *count > 0);
        }
        Ok(Chosen {
            pairs: drawn.pairs,
            of: all.len() + repeated,
            left_out,
        })
    }

    /// All that there is to choose from, and how many were given more than once.
    fn all(&self, dataset: &DatasetDir) -> Result<(Vec<Pair>, usize)> {
        if let PairSource::Subset(name) = &self.from {
            return Ok((dataset.pairs(name)?, 0));
        }
        let all = dataset.whole()?;
        if all.is_empty() {
            let root = dataset.path().display();
            return Err(Error::usage(format!("no dataset at {root}: it has no task with two features"))
                .hint("point --dataset-dir at a directory such as CooperBench's `dataset/`, with the tasks in it"));
        }
        let PairSource::List { name, text } = &self.from else {
            return Ok((all, 0));
        };
        let listed = pair_list::read(text, name, &all)?;
        Ok((listed.pairs, listed.repeated))
    }

    /// Keeps the pairs of which both features were found to be gradeable.
    fn keep_gradeable(
        &self,
        left: &mut Vec<Pair>,
        left_out: &mut Vec<(usize, String)>,
        logs: &Path,
    ) -> Result<()> {
        let grades = match &self.from {
            PairSource::Subset(name) => {
                let name = shlex::try_quote(name).unwrap_or_default();
                let command = hint::command(&format!("eval --gold -s {name}"));
                format!("`{command}` grades the features of this subset")
            }
            PairSource::Dataset | PairSource::List { .. } => {
                let command = hint::command("eval --gold -s FILE");
                format!(
                    "write them to a FILE without --gradeable first; `{command}` grades the features of its pairs"
                )
            }
        };
        let path = Gold::path(logs);
        let Some(gold) = Gold::read(logs)? else {
            return Err(Error::usage(format!(
                "--gradeable: no {}, so it is not known which features can be graded",
                path.display()
            ))
            .hint(grades));
        };
        let before = left.len();
        left.retain(|pair| !gold.spoils(pair));
        let spoiled = before - left.len();
        left.retain(|pair| gold.can_grade(pair));
        let unknown = before - spoiled - left.len();
        left_out.push((spoiled, "with a feature that cannot be graded".to_owned()));
        left_out.push((unknown, "with a feature that was not graded yet".to_owned()));
        if left.is_empty() {
            left_out.retain(|(count, _)| *count > 0);
            let told = told(left_out).unwrap_or_default();
            return Err(Error::usage(format!(
                "--gradeable leaves no pair, by {}: {told}",
                path.display()
            ))
            .hint(grades));
        }
        Ok(())
    }
}

/// What was left out, in one line; none where all was taken.
#[must_use]
pub fn told(left_out: &[(usize, String)]) -> Option<String> {
    let parts: Vec<String> = left_out
        .iter()
        .map(|(count, why)| format!("{count} {why}"))
        .collect();
    (!parts.is_empty()).then(|| format!("left out: {}", parts.join(", ")))
}
