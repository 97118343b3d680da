//! How a try of a chat call failed, and what follows from that.

use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use regex::Regex;

use crate::bench::RuleId;
use crate::model::asked::HeaderAdvice;
use crate::model::pace::RETRY_AFTER_MAX;
use crate::model::refusal::{
    self, BAD_REQUEST, CONTENT_POLICY, CONTEXT_WINDOW, FAILED_TOOL_CALL, MALFORMED, OVERLOADED,
    RATE_LIMIT, ROUTE_LOST,
};
use crate::model::reset;

/// How a try failed. No text in it has the key.
#[derive(Debug)]
pub enum CallFailure {
    /// No response came: the connection failed or broke.
    Unreachable {
        why: String,
        /// Whether the request cannot be sent at all: the URL is none.
        hopeless: bool,
        /// Whether it was sent, so that it may have been read.
        sent: bool,
    },
    /// No whole response came in time.
    TimedOut,
    /// An HTTP error came, or a 200 with an error in its body.
    Status {
        status: u16,
        body: String,
        retry_after: Option<Duration>,
        /// The triage rule that the status and the whole body come to.
        rule: RuleId,
        /// The one after answers to the same settings, where it is another.
        later: Option<RuleId>,
        /// Whether the response was a 200, with the error in its body.
        in_200: bool,
        /// Whether part of a reply came with it.
        began: bool,
        /// What of the whole body may name the fields that it refuses.
        refusing: String,
    },
    /// What came is no chat response, or a reply that is none.
    Malformed {
        why: String,
        body: String,
        /// The triage rule it falls under.
        rule: RuleId,
    },
}

/// The rules of refusals that may not come again a little later.
const PASSES: [RuleId; 8] = [
    RATE_LIMIT,
    OVERLOADED,
    RuleId::SERVER_ERROR,
    RuleId::TIMEOUT,
    RuleId::REQUEST_CANCELLED,
    MALFORMED,
    FAILED_TOOL_CALL,
    ROUTE_LOST,
];

/// The rules of an endpoint that is asked more than it can answer.
const OVERLOADS: [RuleId; 2] = [RATE_LIMIT, OVERLOADED];

/// The rules of refusals that may be a limit's of the account, and that limit's.
const LIMITS: [RuleId; 4] = [
    RATE_LIMIT,
    OVERLOADED,
    RuleId::QUOTA_EXHAUSTED,
    RuleId::PAYMENT_REQUIRED,
];
const USAGE_LIMIT: RuleId = RuleId::USAGE_LIMIT;

/// Those that waiting does not mend, unless the endpoint's own words say so.
const SPENT: [RuleId; 2] = [RuleId::QUOTA_EXHAUSTED, RuleId::PAYMENT_REQUIRED];

/// Those of refusals that are a limit's where they speak of one: some say it with the status of
/// anything.
const LIMITS_BY_WORDS: [RuleId; 4] = [
    BAD_REQUEST,
    RuleId::PERMISSION_DENIED,
    RuleId::SERVER_ERROR,
    MALFORMED,
];

/// How often a generation is asked for that its endpoint could not use.
const GENERATIONS: u32 = 3;

impl CallFailure {
    /// Whether the same call may succeed a little later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { hopeless, .. } => !hopeless,
            Self::TimedOut => true,
            // A conversation that fills the window fills it the next time too.
            Self::Malformed { rule, .. } => *rule != CONTEXT_WINDOW,
            // A spent quota is no pace, and a server that fails on a conversation's length fails
            // again.
            Self::Status { rule, .. } => PASSES.contains(rule),
        }
    }

    /// Whether it may where the endpoint answered others with the same settings.
    pub fn may_pass_later(&self) -> bool {
        matches!(self, Self::Status { later: Some(rule), .. } if PASSES.contains(rule))
    }

    /// What it is where the endpoint answered the same conversation before.
    pub fn after_answers(mut self) -> Self {
        if let Self::Status {
            rule,
            later: Some(later),
            ..
        } = &mut self
        {
            rule.clone_from(later);
        }
        self
    }

    /// How often a call is made at most that may be made so often: a generation that went wrong
    /// costs as much as one that did not.
    pub fn tries(&self, most: u32) -> u32 {
        let is_generation = [FAILED_TOOL_CALL, CONTENT_POLICY].contains(&self.rule());
        if is_generation {
            most.min(GENERATIONS)
        } else {
            most
        }
    }

    /// Whether the pause before the next try is the endpoint's wish, so that its time is not the
    /// agent's: it has too much to do, or says how long to wait.
    pub fn asks_for_a_pause(&self) -> bool {
        OVERLOADS.contains(&self.rule())
            || matches!(
                self,
                Self::Status {
                    retry_after: Some(_),
                    ..
                }
            )
    }

    /// A refusal with the time at which it says, in its headers or in its whole body, that it passes.
    ///
    /// One that lasts longer than a call is ever held back is a limit of the account: the trial
    /// ends, and the run waits. What it says of the time goes before the body, for triage to read. One
    /// that passes sooner is a limit of a rate.
    pub fn resetting(mut self, whole: &str, asked: HeaderAdvice, now: Timestamp) -> Self {
        let Self::Status {
            rule,
            later,
            body,
            retry_after,
            ..
        } = &mut self
        else {
            return self;
        };
        *retry_after = asked.wait;
        // A gateway gives each refusal a header: without such words it says nothing.
        let by_words = LIMITS_BY_WORDS.contains(rule) && is_of_a_limit(rule, whole);
        if !(LIMITS.contains(rule) || by_words) {
            return self;
        }
        let said = reset::resets_at(whole, Some(now))
            .and_then(|at| Duration::try_from(at.duration_since(now)).ok());
        *retry_after = asked.wait.or(said).or(asked.window);
        // A gateway gives each refusal a header; money does not come back with it.
        let comes_back = said.is_some() || !SPENT.contains(rule);
        let Some(wait) = *retry_after else {
            return self;
        };
        if wait > RETRY_AFTER_MAX {
            if let Ok(at) = now.checked_add(wait) {
                (*rule, *later) = (USAGE_LIMIT, None);
                *body = format!("it resets at {at:.0}: {body}");
            }
        } else if comes_back && !OVERLOADS.contains(rule) {
            (*rule, *later) = (RATE_LIMIT, None);
        }
        self
    }

    /// Whether the try may be billed all the same.
    pub fn may_be_billed(&self) -> bool {
        match self {
            Self::Unreachable { sent, .. } => *sent,
            Self::TimedOut | Self::Malformed { .. } => true,
            Self::Status {
                rule,
                in_200,
                began,
                ..
            } => {
                // A gateway that gave up says nothing of the model behind it.
                *began
                    || [FAILED_TOOL_CALL, RuleId::TIMEOUT].contains(rule)
                    || *in_200 && PASSES.contains(rule) && ![RATE_LIMIT, OVERLOADED].contains(rule)
            }
        }
    }

    /// The triage rule it falls under.
    pub fn rule(&self) -> RuleId {
        match self {
            Self::Unreachable { .. } => RuleId::CONNECTION,
            Self::TimedOut => RuleId::TIMEOUT,
            Self::Status { rule, .. } | Self::Malformed { rule, .. } => rule.clone(),
        }
    }
}

/// Whether a refusal speaks of a limit of the account or of a rate, whatever its status. A bad request
/// may be over a limit of tokens or messages that no time lifts.
fn is_of_a_limit(rule: &RuleId, body: &str) -> bool {
    let said = refusal::by_the_endpoint(body);
    if *rule == BAD_REQUEST {
        ACCOUNT_WORDS.is_match(&said)
    } else {
        LIMIT_WORDS.is_match(&said)
    }
}

/// An account's limits, and a rate's.
const OF_AN_ACCOUNT: &str = r"\b(?:usage|session|weekly|daily|monthly|hourly|rate|plan|spend(?:ing)?|account|5-?hour)[ _-](?:limits?|caps?|quotas?)\b|\bquotas?\b|\brate_limit|\brate[- ]limited\b|限额|使用上限";

static ACCOUNT_WORDS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(r"(?i){OF_AN_ACCOUNT}|\btoo many requests\b")).expect("tested")
});

static LIMIT_WORDS: LazyLock<Regex> = LazyLock::new(|| {
    let others = r"\b(?:requests?|messages?|tokens?)[ _-](?:limits?|caps?|quotas?)\b|\blimits? (?:is |are |was |were |has been |have been )?(?:reached|exceeded|hit)\b|\b(?:hit|reached|exceeded) (?:your|the) (?:[\w'-]+ ){0,4}(?:limits?|caps?)\b";
    Regex::new(&format!("(?i){OF_AN_ACCOUNT}|{others}")).expect("tested")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_lasts_is_a_limit_with_its_time_and_is_not_tried_again() {
        let now: Timestamp = "2026-11-28T03:25:00Z".parse().unwrap();
        let refused = |rule: &str, body: &str, retry_after: Option<u64>| {
            let failure = CallFailure::Status {
                status: 429,
                body: body.to_owned(),
                retry_after: None,
                rule: RuleId::from(rule),
                later: None,
                in_200: false,
                began: false,
                refusing: String::new(),
            };
            let asked = HeaderAdvice {
                wait: retry_after.map(Duration::from_secs),
                window: None,
            };
            let failure = failure.resetting(body, asked, now);
            let (rule, may_pass) = (failure.rule().to_string(), failure.may_pass());
            let CallFailure::Status {
                body, retry_after, ..
            } = failure
            else {
                unreachable!()
            };
            (rule, may_pass, body, retry_after.map(|wait| wait.as_secs()))
        };
        let limit =
            |body: &str, wait| ("usage_limit".to_owned(), false, body.to_owned(), Some(wait));
        assert_eq!(
            refused("rate_limit", "no more", Some(7200)),
            limit("it resets at 2026-11-28T05:25:00Z: no more", 7200)
        );
        assert_eq!(
            refused("rate_limit", "tokens per day, try again in 1h 1s", None),
            limit(
                "it resets at 2026-11-28T04:25:01Z: tokens per day, try again in 1h 1s",
                3601
            )
        );
        assert_eq!(
            refused("quota_exhausted", "spent until 2026-11-29", None).0,
            "usage_limit"
        );
        let pace = refused("rate_limit", "try again in 20s", None);
        assert_eq!((&*pace.0, pace.1, pace.3), ("rate_limit", true, Some(20)));
        let pace = refused("rate_limit", "resets tomorrow", Some(7));
        assert_eq!((&*pace.0, pace.1, pace.3), ("rate_limit", true, Some(7)));
        let other = refused("bad_request", "try again in 2h", None);
        assert_eq!((&*other.0, other.3), ("bad_request", None));
        // A gateway gives each refusal a header, and a setting may be over a limit, too.
        for (rule, body) in [
            ("permission_denied", "Forbidden"),
            ("permission_denied", "Your API key does not have permission"),
            (
                "bad_request",
                "max_tokens exceeds the token limit of this model",
            ),
            (
                "bad_request",
                "'tools': array too long. Your request exceeded the limit of 128",
            ),
        ] {
            let refused = refused(rule, body, Some(30));
            assert_eq!((&*refused.0, refused.1), (rule, false), "{body}");
        }
        let limited = refused("permission_denied", "Out of call volume quota", Some(5310));
        assert_eq!(limited.0, "usage_limit");
        let limited = refused("bad_request", "You've hit your usage limit", Some(30));
        assert_eq!(limited.0, "rate_limit");
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_is_refused_is_not() {
        let refused = |status| CallFailure::Status {
            status,
            body: String::new(),
            retry_after: None,
            rule: refusal::rule_of(status, ""),
            later: refusal::later_of(status, ""),
            in_200: false,
            began: false,
            refusing: String::new(),
        };
        for status in [
            408, 409, 421, 423, 424, 425, 429, 498, 499, 500, 502, 503, 504, 507, 520, 521, 522,
            523, 524, 525, 526, 529, 530,
        ] {
            assert!(refused(status).may_pass(), "{status}");
        }
        for status in [
            301, 302, 400, 401, 402, 403, 404, 405, 410, 413, 418, 422, 426, 451, 501,
        ] {
            assert!(!refused(status).may_pass(), "{status}");
        }
        // Others were answered.
        for (status, may_pass) in [
            (302, true),
            (404, true),
            (405, true),
            (401, false),
            (410, false),
        ] {
            assert_eq!(refused(status).may_pass_later(), may_pass, "{status}");
            let after = refused(status).after_answers();
            assert_eq!(after.may_pass(), may_pass, "{status}");
            assert!(!after.may_be_billed());
        }
        for status in [408, 504, 524] {
            assert!(refused(status).may_be_billed(), "{status}");
        }
        assert!(CallFailure::TimedOut.may_pass());
    }
}
