//! Is the model fit: its key, and whether it answers.

use std::collections::BTreeMap;

use super::{Check, Level};
use crate::config::Config;
use crate::demo::BUILTIN;
use crate::model::probe::{ProbeError, probe};
use crate::model::provider::of_model;

/// Whether a key for the model is set.
pub fn key(model: &str, api_base: Option<&str>, env: &BTreeMap<String, String>) -> Check {
    if api_base == Some(BUILTIN) {
        return Check::pass("key", "the demo's model needs none");
    }
    let Some(provider) = of_model(model) else {
        return Check::new(
            "key",
            Level::Warn,
            format!("the provider of `{model}` is not known here"),
            "make sure that its key is set",
        );
    };
    if provider.key_variables.is_empty() {
        return Check::pass("key", format!("{} takes none by variable", provider.name));
    }
    if let Some((name, _)) = provider.key(env) {
        return Check::pass("key", format!("{name} is set"));
    }
    let names = provider.key_variables.join(" or ");
    let remedy = format!(
        "export {} (a placeholder does for an endpoint that asks for none)",
        provider.key_variables[0]
    );
    // An endpoint of the user's own may take any key, but litellm wants one to be there.
    let level = if api_base.is_some() {
        Level::Warn
    } else {
        Level::Fail
    };
    Check::new(
        "key",
        level,
        format!("{names} is not set, and {} models need it", provider.name),
        remedy,
    )
}

/// One small tool call to the model.
pub async fn model(config: &Config) -> Check {
    let name = &config.experiment.model;
    let provider = of_model(name);
    let Some((provider, wire)) = provider.and_then(|provider| Some((provider, provider.wire?)))
    else {
        return Check::new(
            "model",
            Level::Warn,
            format!("not asked: regatta does not speak to the provider of `{name}`"),
            "try one pair with --smoke 1",
        );
    };
    if config.upstream.api_base.as_deref() == Some(BUILTIN) {
        return Check::pass("model", "the demo's script");
    }
    let key = provider.key(&config.upstream.env).map(|(_, key)| key);
    match probe(
        &provider,
        wire,
        name,
        config.upstream.api_base.as_deref(),
        key.as_ref(),
    )
    .await
    {
        Ok(answer) if answer.called_tool => Check::pass(
            "model",
            format!(
                "{name} called the tool within {:.1} s",
                answer.took.as_secs_f64()
            ),
        ),
        Ok(_) => Check::new(
            "model",
            Level::Warn,
            format!("{name} answered, but did not call the tool"),
            "mini_swe_agent (v1) needs no tool calls, mini_swe_agent_v2 does",
        ),
        Err(error) => {
            let remedy = match &error {
                ProbeError::Refused {
                    status: 401 | 403, ..
                } => "the key is refused: check it, and that it may use this model",
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
                ProbeError::Unreachable { .. } => "check --api-base and the network",
                ProbeError::NoChat { .. } => "check --api-base: something else answers there",
            };
            Check::new("model", Level::Fail, error.to_string(), remedy)
        }
    }
}
