//! The triage rule that a failed call falls under.

use super::chat::ChatError;
use crate::bench::RuleId;

impl ChatError {
    /// The id of the triage rule that it falls under, as `src/triage/rules.toml` has it.
    #[must_use]
    pub fn rule(&self) -> RuleId {
        match self {
            Self::Unreachable { .. } => RuleId::CONNECTION,
            Self::TimedOut { .. } => RuleId::TIMEOUT,
            Self::Malformed { rule, .. }
            | Self::Status { rule, .. }
            | Self::Recorded { rule, .. } => rule.clone(),
            Self::Replay { .. } => RuleId::REPLAY,
            Self::Tape { .. } => RuleId::HOST_IO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::refusal;
    use super::*;

    fn status(status: u16, body: &str) -> ChatError {
        ChatError::Status {
            url: "http://localhost/v1/chat/completions".to_owned(),
            status,
            body: body.to_owned(),
            refusing: String::new(),
            tries: 1,
            rule: refusal::rule_of(status, body),
            in_200: false,
            may_be_billed: false,
        }
    }

    #[test]
    fn every_failure_falls_under_a_rule_that_there_is() {
        let failures = [
            ChatError::Unreachable {
                url: String::new(),
                why: String::new(),
                tries: 1,
                may_be_billed: false,
            },
            ChatError::TimedOut {
                url: String::new(),
                seconds: 1,
                tries: 1,
            },
            ChatError::Malformed {
                url: String::new(),
                why: String::new(),
                body: String::new(),
                tries: 1,
                rule: refusal::MALFORMED,
                may_be_billed: true,
            },
            ChatError::Tape {
                path: String::new(),
                why: String::new(),
            },
            status(422, "too many tokens: total number of tokens"),
            status(400, "content_filter"),
            status(400, "tool_use_failed"),
            status(400, "insufficient_quota"),
            status(400, "model_not_found"),
            status(429, "Request too large for m on tokens per minute"),
        ];
        let rules = include_str!("../triage/rules.toml");
        for failure in failures
            .into_iter()
            .chain((200..600).map(|number| status(number, "")))
        {
            let rule = failure.rule();
            let of_status = match &failure {
                ChatError::Status { status, .. } => refusal::later_of(*status, ""),
                _ => None,
            };
            for rule in [
                Some(rule.clone()),
                refusal::at_first(&rule),
                refusal::later(&rule),
                of_status,
            ] {
                let line = rule.map(|rule| format!("id = \"{rule}\""));
                let is_there = |line: &String| rules.lines().any(|other| other == line);
                assert!(line.as_ref().is_none_or(is_there), "{line:?}");
            }
        }
    }

    #[test]
    fn a_recorded_failure_keeps_its_rule() {
        let error = ChatError::Recorded {
            rule: RuleId::AUTHENTICATION,
            error: "401".to_owned(),
            may_be_billed: false,
        };
        assert_eq!(error.rule(), RuleId::AUTHENTICATION);
        assert_eq!(error.to_string(), "401");
    }
}
