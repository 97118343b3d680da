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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::words::KnownText;

    fn is_free_of(error: &str, said: &[(&str, Author)]) -> bool {
        let json = serde_json::json!({"run_id": "x", "agent": {"status": "Error", "error": error}});
        let record = TrialRecord::parse(json.to_string().as_bytes()).unwrap();
        let said = said.iter();
        let case = Case {
            said: vec![
                said.map(|(text, author)| KnownText::new("stream", *text, *author))
                    .collect(),
            ],
            ..Case::default()
        };
        let facts = ContainerFacts::default();
        is_free(&record, 0, &case, &facts, &Rules::shipped())
    }

    #[test]
    fn a_refused_call_and_a_program_that_never_began_bill_nothing() {
        let never_began = "No module named 'litellm'";
        assert!(is_free_of("litellm.RateLimitError: slow down", &[]));
        assert!(is_free_of(never_began, &[]));
        // What was refused decides, and what never began may stand behind it.
        assert!(is_free_of("it broke", &[(never_began, Author::Client)]));
        assert!(!is_free_of("it broke", &[]));
        assert!(!is_free_of("", &[(never_began, Author::Agent)]));
        assert!(!is_free_of("API Error: Server error mid-response", &[]));
    }
}
