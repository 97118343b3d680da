//! What there is to judge of a run's agents alone.

use crate::runner::judging::Finished;
use crate::text::plural;

/// What there is to judge of a run's agents alone.
#[derive(Debug, Default)]
pub struct AlonePlan {
    /// Pairs with an agent of whom it is not known.
    pub open: Vec<Finished>,
    /// Pairs of two agents of both of whom it is known.
    pub judged: usize,
    /// Pairs that were judged by other rules, as pairs or alone.
    pub others: usize,
    /// Pairs of one agent, who is alone.
    pub one_agent: usize,
    /// Those of the open ones that were judged with another dataset or image.
    pub outdated: usize,
}

impl AlonePlan {
    /// Which are judged again, as the dataset or an image is another one by now.
    #[must_use]
    pub fn says_outdated(&self) -> Option<String> {
        (self.outdated > 0).then(|| {
            format!(
                "the agents of {} were judged alone with another dataset or image, and are judged again",
                plural(self.outdated, "pair")
            )
        })
    }
}
