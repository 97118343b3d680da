//! What a configuration means for the native engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::agent::config::Protocol;
use crate::agent::{AgentConfig, Times, bash_tool, rehearse};
use crate::bench::{BackendKind, Pair, Price};
use crate::config::{self, Config};
use crate::demo;
use crate::engine::access::{Access, AccessSources, Asker, Named};
use crate::error::{Error, Result};
use crate::files;
use crate::model::chat::Tool;
use crate::model::client::{ClientOptions, MAX_BODY};
use crate::model::pace::Pace;
use crate::model::price::PriceTable;
use crate::model::provider::{Wire, of_model};
use crate::sandbox::SandboxLimits;
use crate::secret::Secret;
use crate::store::dataset;

/// What is the same for every attempt of an experiment.
#[derive(Clone, Debug)]
pub struct NativeOptions {
    /// The model, by litellm's name.
    pub model: String,
    /// The model's endpoint, its key, and who named them.
    pub access: Access,
    /// How it is called; its base is the configured one, or the provider's.
    pub client: ClientOptions,
    /// Its window in tokens, where it is known.
    pub window: Option<u64>,
    /// The prompts, limits and protocol of every agent.
    pub agent: Arc<AgentConfig>,
    /// The time limits of commands and trials.
    pub times: Times,
    /// Pairs at the same time.
    pub concurrency: usize,
    /// The kind of backend that makes the sandboxes.
    pub backend: BackendKind,
    /// What one sandbox may use: memory, CPUs, processes, network.
    pub limits: Arc<SandboxLimits>,
    /// Whether the agents of a pair share a git remote.
    pub git: bool,
    /// Whether exchanges with the model are recorded, or come from a recording.
    pub tape: TapeMode,
    /// The dataset's directory, with `<repo>/task<id>/feature<n>/`.
    pub dataset: PathBuf,
    /// Where the repositories of tasks are, for backends without images: `<repo>/task<id>`.
    pub workspaces: Option<PathBuf>,
    /// The root file system that namespaces show.
    pub rootfs: PathBuf,
    /// A fault to inject: the first sandbox of this pair dies in the first attempt.
    pub dies: Option<demo::FaultPlace>,
}

impl NativeOptions {
    /// What an agent and its sandbox may use, by name: with other limits it is another experiment.
    ///
    /// `call_timeout` is one: an answer that takes longer never comes, and its time is the trial's.
    /// `call_tries` and `setup_timeout` are none: they say when a trial is given up that then runs
    /// again, and who resumes after a bad night may wait longer.
    #[must_use]
    pub fn pinned(&self) -> BTreeMap<String, Value> {
        let SandboxLimits {
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
            (
                "call_timeout_seconds",
                json!(self.client.timeout.as_secs_f64()),
            ),
            ("rate_limits_count", json!(self.times.rate_limits_count)),
            ("memory_bytes", json!(memory_bytes)),
            ("cpus", json!(cpus)),
            ("pids", json!(pids)),
            ("network", json!(network)),
        ];
        // Its programs are the agents' tools, where an image's are not.
        let shows_host = self.backend.needs_namespaces() && !self.backend.has_images();
        let rootfs = shows_host.then(|| {
            let path = std::path::absolute(&self.rootfs);
            let path = path.unwrap_or_else(|_| self.rootfs.clone());
            ("rootfs", json!(path.to_string_lossy()))
        });
        let limits = limits.into_iter().chain(rootfs);
        limits
            .map(|(name, limit)| (name.to_owned(), limit))
            .collect()
    }
}

/// What becomes of exchanges with the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TapeMode {
    /// They go to the endpoint and are not recorded.
    Off,
    /// They are kept in this directory.
    Record(PathBuf),
    /// They come from this directory.
    Replay(PathBuf),
}

impl NativeOptions {
    /// The options that a configuration means, and what there is to say about them.
    pub fn of_config(
        config: &Config,
        dataset: PathBuf,
        prices: &PriceTable,
    ) -> Result<(Self, Vec<String>)> {
        let mut notes = Vec::new();
        let model = config.experiment.model.clone();
        let wire = wire(&model)?;
        let mut agent = agent_config(config)?;
        if let Some(path) = &config.upstream.agent_config {
            rehearse(&agent).map_err(|error| {
                Error::usage(format!("{}: {error}", path.display()))
                    .hint("templates are Jinja's; nothing was run")
            })?;
        }
        if !agent.ignored.is_empty() {
            notes.push(format!(
                "the agent configuration has keys that mean nothing here: {}",
                agent.ignored.join(", ")
            ));
        }
        if let Some(what) = agent.asks_for_more() {
            notes.push(format!("the agent configuration's prompts speak of {what}"));
        }
        let access = of_agent(config, &agent)?;
        let native = &config.native;
        agent.step_limit = native.step_limit.unwrap_or(agent.step_limit);
        agent.cost_limit = native.cost_limit.unwrap_or(agent.cost_limit);
        let backend = config.experiment.backend;
        let found = prices.at(access.is_providers_own()).find(&model);
        match found {
            None => notes.push(format!(
                "there is no price for `{model}` at {}: costs will be unknown; give one with --prices or [prices.models]",
                access.shown_endpoint()
            )),
            Some(found) => notes.extend(found.bare.map(|bare| {
                format!("`{model}` has no price of its own: that of `{bare}` is taken")
            })),
        }
        let price = found.map(|found| found.price);
        let limits = SandboxLimits::of_config(native, backend);
        let trial = config.limits.task_timeout;
        let options = Self {
            client: client(config, &agent, &access, wire, price),
            window: prices.window(&model),
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
            access,
            model,
        };
        if !options.backend.isolates() {
            notes.push("--backend process isolates nothing: the model's commands run as you, on your files".to_owned());
        }
        if !options.backend.runs_commands() {
            notes.push("--backend fake runs no command: what comes out means nothing".to_owned());
        }
        Ok((options, notes))
    }

    /// The tools that its agents are given.
    #[must_use]
    pub fn tools(&self) -> Vec<Tool> {
        match self.agent.protocol {
            Protocol::Tools => vec![bash_tool()],
            Protocol::Fenced(_) => Vec::new(),
        }
    }

    /// Refuses pairs whose repositories are not there, for backends without images.
    pub fn check_workspaces(&self, pairs: &[Pair]) -> Result<()> {
        if !self.backend.copies_workspace() {
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

/// How the native engine reaches the model of a configuration.
pub fn access(config: &Config) -> Result<Access> {
    let agent = agent_config(config)?;
    of_agent(config, &agent)
}

fn of_agent(config: &Config, agent: &AgentConfig) -> Result<Access> {
    let beside = AccessSources {
        agent: agent.access.clone(),
        ..AccessSources::default()
    };
    let mut access = Access::of_config(config, Asker::Native, beside)?;
    if let Some(path) = &config.upstream.api_key_file {
        access.key = Some(Named {
            value: key_in(path)?,
            by: "api_key_file".to_owned(),
        });
    }
    Ok(access)
}

/// The key that a file holds.
fn key_in(path: &Path) -> Result<Secret> {
    let shown = path.display();
    if !path.is_file() {
        return Err(
            Error::usage(format!("api_key_file: there is no file {shown}"))
                .hint("write the endpoint's key into it, and nothing else; then chmod 600"),
        );
    }
    if !files::is_private(path) {
        return Err(
            Error::usage(format!("api_key_file: others may read {shown}")).hint(format!(
                "`chmod 600 {shown}`, and make a new key where others could"
            )),
        );
    }
    let text = files::read_text(path).map_err(Error::into_usage)?;
    let key = text.trim();
    if key.is_empty() || key.contains(char::is_whitespace) || key.contains(char::is_control) {
        // What stands there may be the key.
        return Err(
            Error::usage(format!("api_key_file: {shown} does not hold one word"))
                .hint("write the endpoint's key into it, and nothing else"),
        );
    }
    Ok(Secret::new(key))
}

fn agent_config(config: &Config) -> Result<AgentConfig> {
    match &config.upstream.agent_config {
        None => Ok(AgentConfig::default()),
        Some(path) if !path.is_file() => Err(Error::usage(format!(
            "no agent configuration at {}",
            path.display()
        ))
        .hint("name a file with --agent-config (YAML, in mini-swe-agent's form), or leave it out")),
        Some(path) => AgentConfig::read(path),
    }
}

fn wire(model: &str) -> Result<Wire> {
    if let Some(wire) = of_model(model).and_then(|provider| provider.wire) {
        return Ok(wire);
    }
    Err(Error::usage(format!(
        "the native engine cannot speak to the provider of `{model}`"
    ))
    .hint("it speaks OpenAI's chat completions (openai/NAME, with --api-base for vLLM, a LiteLLM proxy and the like) and Cohere's v2 chat (command-…, cohere/NAME)")
    .hint("--engine upstream speaks to whatever litellm does"))
}

fn tape(native: &config::NativeConfig) -> Result<TapeMode> {
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

fn client(
    config: &Config,
    agent: &AgentConfig,
    access: &Access,
    wire: Wire,
    price: Option<Price>,
) -> ClientOptions {
    let native = &config.native;
    ClientOptions {
        model: config.experiment.model.clone(),
        wire,
        // A provider that has a wire format has an endpoint.
        base: access
            .endpoint
            .as_ref()
            .map_or_else(String::new, |it| it.value.clone()),
        key: access.key.as_ref().map(|key| key.value.clone()),
        extra: agent.model_kwargs.clone(),
        price,
        timeout: native.call_timeout,
        tries: native.call_tries,
        backoff: FIRST_BACKOFF,
        backoff_max: LONGEST_BACKOFF,
        max_body: MAX_BODY,
        pace: Arc::new(Pace::new(1, None)),
        retries: Arc::default(),
    }
}

/// Back-off between tries of a call, as mini-swe-agent's (4 to 60 s), but beginning earlier.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_mins(1);
