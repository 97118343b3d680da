//! Ends of an agent for which no call is billed.

use super::trial::{ended_by, words};
use super::{Case, Question, Rules};
use crate::store::TrialRecord;
use crate::store::events::ContainerFacts;
use crate::store::words::Author;

/// Whether what is said of an agent's end says that the call which ended it was refused, or that its
/// program never began. What it called before is not known from that.
#[must_use]
pub fn is_free(
    record: &TrialRecord,
    index: usize,
    case: &Case,
    facts: &ContainerFacts,
    rules: &Rules,
) -> bool {
    let ended = ended_by(record, index, case, facts, rules);
    let rule = ended.and_then(|found| rules.get(&found.evidence.rule));
    rule.is_some_and(|rule| rule.refused)
        || words(record, index, case)
            .iter()
            .filter(|words| words.author != Author::Agent)
            .any(|words| rules.say_unbegun(&Question::of(words, None)))
}
