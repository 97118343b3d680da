//! What a failure's own words say beyond its status.

use crate::agent::Failure;
use crate::bench::RuleId;
use crate::model::refusal;
use crate::triage::Rules;

/// The rule of a failure; of a refusal that its status alone does not explain, the provider's own
/// words tell more.
#[must_use]
pub fn refined(rules: &Rules, failure: &Failure) -> RuleId {
    const VAGUE: [RuleId; 4] = [
        RuleId::BAD_REQUEST,
        RuleId::CONVERSATION_REFUSED,
        RuleId::PERMISSION_DENIED,
        RuleId::RATE_LIMIT,
    ];
    let by_words = VAGUE
        .contains(&failure.rule)
        .then(|| rules.find(&failure.text, None))
        .flatten()
        // That a request is bad is no more than is known.
        .filter(|rule| refusal::later(&rule.id).is_none());
    by_words.map_or_else(|| failure.rule.clone(), |rule| rule.id.clone())
}
