//! Is the model fit: its key, and whether it answers.

use super::{Check, Level};
use crate::engine::native::TapeMode;
use crate::engine::{Access, Options};
use crate::hint;
use crate::model::probe::{ProbeError, probe};

/// Whether a key for the model is set.
pub fn key(options: &Options) -> Check {
    let access = options.access();
    if is_replay(options) {
        return Check::pass("key", "a replay needs none");
    }
    if access.is_builtin() {
        return Check::pass("key", "the demo's model needs none");
    }
    if let Some(key) = &access.key {
        return Check::pass("key", format!("{} is set", key.by));
    }
    if access.unclear.is_some() {
        return Check::new(
            "key",
            Level::Warn,
            format!("the endpoint is {}", access.shown_endpoint()),
            "make sure that its key is set",
        );
    }
    let Some(provider) = access.provider else {
        return Check::new(
            "key",
            Level::Warn,
            format!("the provider of `{}` is not known here", access.model),
            "make sure that its key is set",
        );
    };
    if provider.key_variables.is_empty() {
        return Check::pass("key", format!("{} takes none by variable", provider.name));
    }
    let names = provider.key_variables.join(" or ");
    let remedy = format!(
        "export {} (a placeholder does for an endpoint that asks for none)",
        provider.key_variables[0]
    );
    // An endpoint of the user's own may take any key, but litellm wants one to be there.
    let level = if access.is_providers_own() || access.endpoint.is_none() {
        Level::Fail
    } else {
        Level::Warn
    };
    Check::new(
        "key",
        level,
        format!("{names} is not set, and {} models need it", provider.name),
        remedy,
    )
}

fn is_replay(options: &Options) -> bool {
    matches!(options, Options::Native(options) if matches!(options.tape, TapeMode::Replay(_)))
}

/// Settings of the endpoint that do not count although they are there.
#[must_use]
pub fn endpoint(access: &Access) -> Option<Check> {
    (!access.notes.is_empty()).then(|| {
        Check::new(
            "endpoint",
            Level::Warn,
            access.notes.join("; "),
            format!("asked is {}", access.shown_endpoint()),
        )
    })
}

/// One small tool call to the model, where and as a run would ask it.
pub async fn model(options: &Options) -> Check {
    let access = options.access();
    let name = &access.model;
    if is_replay(options) {
        return Check::pass("model", "not asked: a replay asks none");
    }
    if access.is_builtin() {
        return Check::pass("model", "the demo's script");
    }
    let not_asked = |why: String| {
        let evidence = format!("not asked: {why}");
        Check::new(
            "model",
            Level::Warn,
            evidence,
            format!("try one pair with `{}`", hint::command("run --smoke 1")),
        )
    };
    if let Some(why) = &access.unclear {
        return not_asked(why.clone());
    }
    let wire = access.provider.and_then(|provider| provider.wire);
    let (Some(wire), Some(endpoint)) = (wire, &access.endpoint) else {
        return not_asked(format!(
            "regatta does not speak to the provider of `{name}`"
        ));
    };
    let key = access.key.as_ref().map(|key| &key.value);
    match probe(wire, name, &endpoint.value, key).await {
        Ok(answer) if answer.called_tool => Check::pass(
            "model",
            format!(
                "{name} at {} called the tool within {:.1} s",
                access.shown_endpoint(),
                answer.took.as_secs_f64()
            ),
        ),
        Ok(_) => Check::new(
            "model",
            Level::Warn,
            format!(
                "{name} at {} answered, but did not call the tool",
                access.shown_endpoint()
            ),
            match options {
                Options::Upstream(_) => {
                    "mini_swe_agent (v1) needs no tool calls, mini_swe_agent_v2 does"
                }
                Options::Native(_) => {
                    "agents need it, unless --agent-config has an `action_regex`: serve the model with tool calls on"
                }
            },
        ),
        Err(error) => {
            let remedy = match &error {
                ProbeError::Refused {
                    status: 401 | 403, ..
                } => "the key is refused: check it, and that it may use this model",
                ProbeError::Refused {
                    status: 300..=399, ..
                } => {
                    "it sends elsewhere, and no redirect is followed: name the endpoint itself with --api-base"
                }
                ProbeError::Refused { status: 402, .. } => "the account has no credit left",
                ProbeError::Refused { status: 404, .. } => {
                    "no such model or path: for Cohere --api-base is the full URL, for openai/* the base"
                }
                ProbeError::Refused { status: 429, .. } => {
                    "the rate limit is reached: wait, or lower the concurrency"
                }
                ProbeError::Refused { .. } => {
                    "the endpoint is there, but refuses: its message says why"
                }
                ProbeError::Unreachable { .. } => {
                    "check the endpoint (--api-base names another) and the network"
                }
                ProbeError::NoChat { .. } => {
                    "something else answers there: --api-base names another endpoint"
                }
            };
            Check::new(
                "model",
                Level::Fail,
                format!("{error} (named by {})", endpoint.by),
                remedy,
            )
        }
    }
}
