//! The first refused call of a run says what `doctor` would have said.

use crate::bench::RuleId;
use crate::engine::{Access, EngineOptions};
use crate::runner::Event;
use crate::runner::preflight::Refusal;
use crate::triage::{Cause, Rules};

/// Calls that never got an answer are no refusals to triage, which counts what may be billed; to who
/// set up the endpoint they are. In upstream's errors these may also be of other connections.
const UNANSWERED: [RuleId; 3] = [
    RuleId::CONNECTION,
    RuleId::TIMEOUT,
    RuleId::MALFORMED_RESPONSE,
];

/// Waits for the first refused call.
pub struct FirstRefusal {
    rules: Rules,
    access: Access,
    is_native: bool,
    is_told: bool,
}

impl FirstRefusal {
    /// For a run that begins: no call of it was refused yet.
    pub fn new(rules: Rules, options: &EngineOptions) -> Self {
        Self {
            rules,
            access: options.access().clone(),
            is_native: matches!(options, EngineOptions::Native(_)),
            is_told: false,
        }
    }

    /// What is said after an event, if that is of the first refused call.
    pub fn after(&mut self, event: &Event) -> Option<String> {
        let Event::TrialEnded {
            diagnosis: Some(diagnosis),
            ..
        } = event
        else {
            return None;
        };
        let rule = self.rules.get(&diagnosis.evidence.rule)?;
        let is_refusal = rule.refused || self.is_native && UNANSWERED.contains(&rule.id);
        if self.is_told || !is_refusal || rule.cause == Cause::Agent {
            return None;
        }
        self.is_told = true;
        let text = &diagnosis.evidence.text;
        let Refusal { what, remedy } = Refusal::of(&self.rules, &self.access, &rule.id, text);
        Some(format!("the model refused a call: {what}; {remedy}"))
    }
}
