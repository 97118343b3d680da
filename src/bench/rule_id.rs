//! The names of triage's rules.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// The name of a triage rule: one that ships, or one of a user's file.
///
/// Whoever sees a failure names its rule, and only triage knows what the rule says. Rules that the
/// code itself names are constants here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(Cow<'static, str>);

impl RuleId {
    /// A name that the code has.
    #[must_use]
    pub const fn of(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for RuleId {
    fn from(name: &str) -> Self {
        Self(Cow::Owned(name.to_owned()))
    }
}

impl Deref for RuleId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

macro_rules! named {
    ($($constant:ident = $name:literal),+ $(,)?) => {
        #[expect(missing_docs, reason = "rules.toml says what each is about")]
        impl RuleId {
            $(pub const $constant: Self = Self::of($name);)+

            /// All that the code names; a test holds them against those that ship.
            pub const NAMED: &'static [Self] = &[$(Self::$constant),+];
        }
    };
}

named! {
    AGENT_CONFIG_TEMPLATE = "agent_config_template",
    AUTHENTICATION = "authentication",
    BAD_BASE_URL = "bad_base_url",
    BAD_REQUEST = "bad_request",
    BAD_REQUEST_TEXT = "bad_request_text",
    CANCELLED = "cancelled",
    CONNECTION = "connection",
    CONTAINER_LOST = "container_lost",
    CONTAINER_OOM = "container_oom",
    CONTENT_POLICY = "content_policy",
    CONTENT_POLICY_CLASS = "content_policy_class",
    CONTEXT_WINDOW = "context_window",
    CONTEXT_WINDOW_TEXT = "context_window_text",
    CONVERSATION_REFUSED = "conversation_refused",
    CUT_OFF = "cut_off",
    DAEMON_UNREACHABLE = "daemon_unreachable",
    DATASET_FILE = "dataset_file",
    DEPENDENCY_DOWNLOAD = "dependency_download",
    FAILED_TOOL_CALL = "failed_tool_call",
    FIRST_PROMPT_FILTERED = "first_prompt_filtered",
    FIRST_PROMPT_TOO_LONG = "first_prompt_too_long",
    HARNESS_FAULT = "harness_fault",
    HOST_IO = "host_io",
    IMAGE_PULL = "image_pull",
    IMAGE_REFUSED = "image_refused",
    MALFORMED_RESPONSE = "malformed_response",
    MERGE_BROKEN = "merge_broken",
    NO_SHELL = "no_shell",
    NODE_FAIL = "node_fail",
    OVERLOADED = "overloaded",
    PATCH_UNREADABLE = "patch_unreadable",
    PAYMENT_REQUIRED = "payment_required",
    PEER_LOST = "peer_lost",
    PERMISSION_DENIED = "permission_denied",
    PREEMPTED = "preempted",
    QUOTA_EXHAUSTED = "quota_exhausted",
    RATE_LIMIT = "rate_limit",
    REDIRECT = "redirect",
    REPLAY = "replay",
    REPOSITORY_UNUSABLE = "repository_unusable",
    REQUEST_CANCELLED = "request_cancelled",
    REQUEST_OVER_RATE = "request_over_rate",
    REQUEST_TOO_LARGE = "request_too_large",
    ROUTE_LOST = "route_lost",
    SANDBOX_ENDED = "sandbox_ended",
    SANDBOX_REFUSED = "sandbox_refused",
    SANDBOX_SETUP = "sandbox_setup",
    SANDBOX_START = "sandbox_start",
    SERVER_ERROR = "server_error",
    SLURM_CANCELLED = "slurm_cancelled",
    SLURM_OOM = "slurm_oom",
    SLURM_TIMEOUT = "slurm_timeout",
    SUITE_BROKEN = "suite_broken",
    SUITE_TIMEOUT = "suite_timeout",
    TASK_TIMEOUT = "task_timeout",
    TIMEOUT = "timeout",
    UNKNOWN_MODEL = "unknown_model",
    USAGE_LIMIT = "usage_limit",
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn files_have_the_name_and_nothing_else() {
        assert_eq!(json!(RuleId::CONTAINER_OOM), json!("container_oom"));
        let of_a_user: RuleId = serde_json::from_value(json!("mine")).unwrap();
        assert_eq!(of_a_user, RuleId::of("mine"));
    }

    #[test]
    fn each_rule_is_named_once_in_order() {
        let mut names: Vec<&str> = RuleId::NAMED.iter().map(RuleId::as_str).collect();
        assert!(names.is_sorted());
        names.dedup();
        assert_eq!(names.len(), RuleId::NAMED.len());
    }

    #[test]
    fn a_rule_is_shown_and_read_as_its_name() {
        let rule = RuleId::of("mine");
        assert_eq!(&*rule, "mine");
        assert_eq!(format!("{rule:<6}|"), "mine  |");
    }
}
