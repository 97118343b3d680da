//! Which pairs of its subset a command is about.

use crate::bench::Pair;
use crate::error::{Error, Result};
use crate::text::plural;

/// Narrows a command down to some pairs of its subset. The runs stay those of the whole subset: their
/// names, their manifests, and what others have asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PairFilter {
    /// Only the first so many pairs, in the subset's order (`--smoke`).
    pub first: Option<usize>,
}

impl PairFilter {
    /// The pairs that it leaves of a subset, in its order; refuses a filter that cannot be met.
    pub fn of(&self, all: &[Pair], subset: &str) -> Result<Vec<Pair>> {
        let Some(n) = self.first else {
            return Ok(all.to_vec());
        };
        if n == 0 || n > all.len() {
            return Err(Error::usage(format!(
                "--smoke {n}: the subset `{subset}` has {}, so give 1 to {}",
                plural(all.len(), "pair"),
                all.len()
            )));
        }
        Ok(all[..n].to_vec())
    }
}
