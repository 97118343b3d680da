//! What a configuration means for the native engine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::agent::{AgentConfig, Times, rehearse};
use crate::bench::{Pair, Price};
use crate::config::{self, Config};
use crate::demo;
use crate::error::{Error, Result};
use crate::model::client::{ClientOptions, MAX_BODY};
use crate::model::pace::Pace;
use crate::model::price::PriceTable;
use crate::model::provider::{Provider, Wire, of_model};
use crate::sandbox::Limits;
use crate::store::dataset;

/// What is the same for every attempt of an experiment.
#[derive(Clone, Debug)]
pub struct Options {
    /// The model, by litellm's name.
    pub model: String,
    /// Its provider.
    pub provider: Provider,
    /// How it is called; its base is the configured one, or the provider's.
    pub client: ClientOptions,
    /// Its window in tokens, where it is known.
    pub window: Option<u64>,
    /// The agent's configuration.
    pub agent: Arc<AgentConfig>,
    /// Its time limits.
    pub times: Times,
    /// Pairs at the same time.
    pub concurrency: usize,
    /// Where sandboxes are made.
    pub backend: BackendKind,
    /// What they may use.
    pub limits: Arc<Limits>,
    /// Whether the agents of a pair share a git remote.
    pub git: bool,
    /// Whether exchanges with the model are recorded, or come from a recording.
    pub tape: TapeMode,
    /// The dataset.
    pub dataset: PathBuf,
    /// Where the repositories of tasks are, for backends without images: `<repo>/task<id>`.
    pub workspaces: Option<PathBuf>,
    /// The root file system that namespaces show.
    pub rootfs: PathBuf,
    /// A fault to inject: the first sandbox of this pair dies in the first attempt.
    pub dies: Option<demo::Place>,
}

impl Options {
    /// What an agent and its sandbox may use, by name: with other limits it is another experiment.
    #[must_use]
    pub fn pinned(&self) -> BTreeMap<String, Value> {
        let Limits {
            memory_bytes,
            cpus,
            pids,
            network,
            setup_timeout: _,
        } = *self.limits;
        let limits = [
            ("steps", json!(self.agent.step_limit)),
            ("cost", json!(self.agent.cost_limit)),
            ("command_seconds", json!(self.times.command.as_secs_f64())),
            ("rate_limits_count", json!(self.times.rate_limits_count)),
            ("memory_bytes", json!(memory_bytes)),
            ("cpus", json!(cpus)),
            ("pids", json!(pids)),
            ("network", json!(network)),
        ];
        limits.map(|(name, limit)| (name.to_owned(), limit)).into()
    }
}

/// Where sandboxes are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendKind {
    /// Containers.
    Docker,
    /// Linux namespaces.
    Namespace,
    /// Plain processes.
    Process,
    /// A script, for benchmarks of everything else.
    Fake,
}

impl BackendKind {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 4] = [
        ("docker", Self::Docker),
        ("namespace", Self::Namespace),
        ("process", Self::Process),
        ("fake", Self::Fake),
    ];
}

/// What becomes of exchanges with the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TapeMode {
    /// Nothing.
    Off,
    /// They are kept in this directory.
    Record(PathBuf),
    /// They come from this directory.
    Replay(PathBuf),
}

impl Options {
    /// The options that a configuration means, and what there is to say about them.
    pub fn of_config(
        config: &Config,
        dataset: PathBuf,
        prices: &PriceTable,
    ) -> Result<(Self, Vec<String>)> {
        let mut notes = Vec::new();
        let model = config.experiment.model.clone();
        let (provider, wire) = provider(&model)?;
        let mut agent = match &config.upstream.agent_config {
            None => AgentConfig::default(),
            Some(path) if !path.is_file() => {
                return Err(Error::usage(format!(
                    "no agent configuration at {}",
                    path.display()
                )));
            }
            Some(path) => {
                let agent = AgentConfig::read(path)?;
                rehearse(&agent).map_err(|error| {
                    Error::usage(format!("{}: {error}", path.display()))
                        .hint("templates are Jinja's; nothing was run")
                })?;
                agent
            }
        };
        if !agent.ignored.is_empty() {
            notes.push(format!(
                "the agent configuration has keys that mean nothing here: {}",
                agent.ignored.join(", ")
            ));
        }
        if let Some(what) = agent.asks_for_more() {
            notes.push(format!("the agent configuration's prompts speak of {what}"));
        }
        let native = &config.native;
        agent.step_limit = native.step_limit.unwrap_or(agent.step_limit);
        agent.cost_limit = native.cost_limit.unwrap_or(agent.cost_limit);
        let backend = backend(&config.experiment.backend)?;
        let price = prices.get(&model);
        if price.is_none() {
            notes.push(format!(
                "there is no price for `{model}`: costs will be unknown; give one with --prices or [prices.models]"
            ));
        }
        let limits = Limits::of_config(native, backend == BackendKind::Namespace);
        let trial = config.limits.task_timeout;
        let options = Self {
            client: client(config, &agent, &provider, wire, price),
            window: price.and_then(|price| price.max_input_tokens),
            times: Times {
                command: native.command_timeout,
                trial: (!trial.is_zero()).then_some(trial),
                rate_limits_count: native.rate_limits_count,
            },
            agent: Arc::new(agent),
            concurrency: config.experiment.concurrency,
            backend,
            limits: Arc::new(limits),
            git: config.experiment.git,
            tape: tape(native)?,
            dataset,
            workspaces: native.workspaces.clone(),
            rootfs: native.rootfs.clone(),
            dies: None,
            provider,
            model,
        };
        if options.backend == BackendKind::Process {
            notes.push("--backend process isolates nothing: the model's commands run as you, on your files".to_owned());
        }
        if options.backend == BackendKind::Fake {
            notes.push("--backend fake runs no command: what comes out means nothing".to_owned());
        }
        Ok((options, notes))
    }

    /// Refuses pairs whose repositories are not there, for backends without images.
    pub fn check_workspaces(&self, pairs: &[Pair]) -> Result<()> {
        if !matches!(self.backend, BackendKind::Namespace | BackendKind::Process) {
            return Ok(());
        }
        let missing = pairs
            .iter()
            .map(|pair| (pair, self.workspace(&pair.task)))
            .find(|(_, dir)| !dir.is_dir());
        let Some((pair, dir)) = missing else {
            return Ok(());
        };
        Err(Error::usage(format!(
            "no repository for {} at {}",
            pair.task,
            dir.display()
        ))
        .hint("backends without images copy a task's repository from <dataset>/<repo>/task<id>/workspace, or from [native] workspaces; --backend docker takes it from the task's image"))
    }

    /// The directory of a task's repository, for backends without images.
    #[must_use]
    pub fn workspace(&self, task: &crate::bench::TaskKey) -> PathBuf {
        dataset::workspace(&self.dataset, self.workspaces.as_deref(), task)
    }
}

fn provider(model: &str) -> Result<(Provider, Wire)> {
    let found = of_model(model);
    if let Some(provider) = found
        && let Some(wire) = provider.wire
    {
        return Ok((provider, wire));
    }
    Err(Error::usage(format!(
        "the native engine cannot speak to the provider of `{model}`"
    ))
    .hint("it speaks OpenAI's chat completions (openai/NAME, with --api-base for vLLM, a LiteLLM proxy and the like) and Cohere's v2 chat (command-…, cohere/NAME)")
    .hint("--engine upstream speaks to whatever litellm does"))
}

fn backend(name: &str) -> Result<BackendKind> {
    let known = BackendKind::ALL;
    let found = known.iter().find(|(known, _)| *known == name);
    found.map(|(_, kind)| *kind).ok_or_else(|| {
        Error::usage(format!(
            "no backend `{name}` for the native engine: it is one of {}",
            known.map(|(name, _)| name).join(", ")
        ))
    })
}

fn tape(native: &config::Native) -> Result<TapeMode> {
    match (&native.record, &native.replay) {
        (None, None) => Ok(TapeMode::Off),
        (Some(dir), None) => Ok(TapeMode::Record(dir.clone())),
        (None, Some(dir)) if dir.is_dir() => Ok(TapeMode::Replay(dir.clone())),
        (None, Some(dir)) => Err(Error::usage(format!("no recording at {}", dir.display()))
            .hint("--replay takes the directory that --record was given")),
        (Some(_), Some(_)) => Err(Error::usage("--record and --replay at the same time")
            .hint("a replay makes no new exchanges: there is nothing to record")),
    }
}

/// The variable that names the endpoint, as upstream's first agent reads it.
const API_BASE_VAR: &str = "MSWEA_MODEL_API_BASE";

fn client(
    config: &Config,
    agent: &AgentConfig,
    provider: &Provider,
    wire: Wire,
    price: Option<Price>,
) -> ClientOptions {
    let from_environment = || {
        std::env::var(API_BASE_VAR)
            .ok()
            .filter(|base| !base.is_empty())
    };
    let base = config.upstream.api_base.clone();
    let base = base
        .or_else(from_environment)
        .or_else(|| agent.api_base.clone())
        .unwrap_or_else(|| provider.endpoint.to_owned());
    let key = provider.key(&config.upstream.env).map(|(_, key)| key);
    let native = &config.native;
    ClientOptions {
        model: config.experiment.model.clone(),
        wire,
        base,
        key: key.or_else(|| agent.api_key.clone()),
        extra: agent.model_kwargs.clone(),
        price,
        timeout: native.call_timeout,
        tries: native.call_tries,
        backoff: FIRST_BACKOFF,
        backoff_max: LONGEST_BACKOFF,
        max_body: MAX_BODY,
        pace: Arc::new(Pace::new(1, None)),
    }
}

/// Back-off between tries of a call, as mini-swe-agent's (4 to 60 s), but beginning earlier.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_mins(1);
