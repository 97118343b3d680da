//! Is the model fit: its key, and whether it answers.

use std::sync::Arc;
use std::time::Duration;

use super::{Check, Level};
use crate::agent::Failure;
use crate::config::Config;
use crate::engine::native::{TapeMode, refined};
use crate::engine::{Access, EngineOptions};
use crate::hint;
use crate::model::chat::{ChatError, Tool};
use crate::model::client::{ClientOptions, MAX_BODY, following_http, http};
use crate::model::pace::Pace;
use crate::model::probe::{ProbeAnswer, probe};
use crate::model::refusal;
use crate::text::one_line;
use crate::triage::{Cause, Rules};

/// Whether a key for the model is set.
pub fn key(options: &EngineOptions) -> Check {
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
    if let Some(name) = &access.key_variable {
        let evidence = format!("{name} is not set, which api_key_env names for the key");
        return Check::new("key", Level::Fail, evidence, format!("export {name}"));
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

fn is_replay(options: &EngineOptions) -> bool {
    matches!(options, EngineOptions::Native(options) if matches!(options.tape, TapeMode::Replay(_)))
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

/// One small call to the model, where and as a run would ask it.
pub async fn model(config: &Config, options: &EngineOptions, rules: &Rules) -> Check {
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
    let Some(Asked {
        client,
        tools,
        follows,
    }) = Asked::by(config, options)
    else {
        return not_asked(format!(
            "regatta does not speak to the provider of `{name}`"
        ));
    };
    let http = if follows {
        following_http(&client.base)
    } else {
        http(&client.base)
    };
    let http = match http {
        Ok(http) => http,
        Err(error) => return Check::failed("model", &error),
    };
    match probe(http, client, &tools).await {
        Ok(answer) => answered(options, &answer, tools.is_empty()),
        Err(error) => refused(access, rules, error),
    }
}

/// What an answer says, where a tool was to be called or there was none.
fn answered(options: &EngineOptions, answer: &ProbeAnswer, has_no_tool: bool) -> Check {
    let access = options.access();
    let (name, shown) = (&access.model, access.shown_endpoint());
    if !answer.called_tool && !has_no_tool {
        return Check::new(
            "model",
            Level::Warn,
            format!("{name} at {shown} answered, but did not call the tool"),
            match options {
                EngineOptions::Upstream(_) => "agents need it: serve the model with tool calls on",
                EngineOptions::Native(_) => {
                    "agents need it, unless --agent-config has an `action_regex`: serve the model with tool calls on"
                }
            },
        );
    }
    let did = if has_no_tool {
        "answered"
    } else {
        "called the tool"
    };
    let seconds = answer.took.as_secs_f64();
    Check::pass(
        "model",
        format!("{name} at {shown} {did} within {seconds:.1} s"),
    )
}

/// What it says that the call failed.
fn refused(access: &Access, rules: &Rules, error: ChatError) -> Check {
    let is_answer = matches!(error, ChatError::Status { .. });
    let failure = Failure::from(error);
    let rule = refined(rules, &failure);
    // Nothing was answered before, as at a run's first call.
    let rule = refusal::at_first(&rule).unwrap_or(rule);
    // A run tries again what its endpoint may not say the next time.
    let passes = rules
        .get(&rule)
        .is_some_and(|rule| rule.cause == Cause::Infra);
    let level = if is_answer && passes {
        Level::Warn
    } else {
        Level::Fail
    };
    let Refusal { what, remedy } = Refusal::of(rules, access, &rule, &failure.text);
    Check::new("model", level, what, remedy)
}

/// How the agents of a run ask the model.
struct Asked {
    client: ClientOptions,
    tools: Vec<Tool>,
    /// Whether they go where an endpoint sends them.
    follows: bool,
}

impl Asked {
    /// `None` where only the agent can ask.
    fn by(config: &Config, options: &EngineOptions) -> Option<Self> {
        match options {
            EngineOptions::Native(options) => Some(Self {
                client: options.client.clone(),
                tools: options.tools(),
                follows: false,
            }),
            EngineOptions::Upstream(options) => Some(Self {
                client: litellms(config, &options.access)?,
                tools: options.tools(),
                // litellm's clients do (`follow_redirects=True`).
                follows: true,
            }),
        }
    }
}

/// The call that litellm makes, as far as we speak to the provider.
fn litellms(config: &Config, access: &Access) -> Option<ClientOptions> {
    let endpoint = access.endpoint.as_ref()?;
    Some(ClientOptions {
        model: access.model.clone(),
        wire: access.provider?.wire?,
        base: endpoint.value.clone(),
        key: access.key.as_ref().map(|key| key.value.clone()),
        extra: access.parameters.clone(),
        price: None,
        timeout: config.native.call_timeout,
        tries: 1,
        backoff: Duration::ZERO,
        backoff_max: Duration::ZERO,
        max_body: MAX_BODY,
        pace: Arc::new(Pace::new(1, None)),
    })
}

/// The most of an endpoint's words that is shown, in characters.
const SHOWN: usize = 500;

/// What there is to say of a call that failed: by `doctor`, and by the first such call of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What happened, and who named the endpoint.
    pub what: String,
    /// The advice of the rule, or to read the endpoint's message if there is no such rule.
    pub remedy: String,
}

impl Refusal {
    /// By the rule that the call fell under.
    #[must_use]
    pub fn of(rules: &Rules, access: &Access, rule: &str, text: &str) -> Self {
        let text = one_line(text, SHOWN);
        let named_by = access.endpoint.as_ref().map(|endpoint| &endpoint.by);
        Self {
            what: named_by.map_or_else(|| text.clone(), |by| format!("{text} (named by {by})")),
            remedy: rules.get(rule).map_or_else(
                || "read the endpoint's message".to_owned(),
                |rule| rule.advice.clone(),
            ),
        }
    }
}
