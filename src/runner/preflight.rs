//! Is this machine fit? Each check with its evidence and what to do.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use serde::Serialize;

use crate::bench::image::image_name;
use crate::bench::{Pair, Setting};
use crate::config::Config;
use crate::engine::upstream::{Installed, Options};
use crate::error::Error;
use crate::executor::reaper::Leftovers;
use crate::executor::redis::{self, Choice};
use crate::model::probe::{ProbeError, probe};
use crate::model::provider::of_model;
use crate::process;
use crate::sandbox::docker::{Docker, Endpoint};
use crate::secret::{Secret, masked_url};

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Fit.
    Pass,
    /// Works, but look.
    Warn,
    /// Would not work.
    Fail,
}

/// A check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// How it came out.
    pub level: Level,
    /// What was seen.
    pub evidence: String,
    /// What to do about it; empty for a pass.
    pub remedy: String,
}

impl Check {
    /// A check that passed.
    pub fn pass(name: &'static str, evidence: impl Into<String>) -> Self {
        Self::new(name, Level::Pass, evidence, "")
    }

    /// A check with a remedy.
    pub fn new(
        name: &'static str,
        level: Level,
        evidence: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            name,
            level,
            evidence: evidence.into(),
            remedy: remedy.into(),
        }
    }

    /// A check that failed with an error.
    #[must_use]
    pub fn failed(name: &'static str, error: &Error) -> Self {
        Self::new(
            name,
            Level::Fail,
            error.to_string(),
            error.hints().join("; "),
        )
    }
}

/// The usual soft limit of open files. Every agent takes sockets to the model and the relay, and a
/// coop pair is two agents.
const WANTED_FILES: u64 = 1024;

/// The checks that cost nothing: before every run.
pub async fn cheap(config: &Config, options: &Options, pairs: &[Pair]) -> Vec<Check> {
    let mut checks = vec![key(
        &config.experiment.model,
        config.upstream.api_base.as_deref(),
        options,
    )];
    checks.push(free_disk(config));
    checks.push(open_files());
    checks.push(prompts(&options.dir));
    if config.experiment.settings.contains(&Setting::CoopComm) {
        checks.push(redis(&config.upstream.redis_url).await);
    }
    checks.extend(docker(pairs).await);
    checks
}

/// The installed CLI.
#[must_use]
pub fn cooperbench(config: &Config) -> Vec<Check> {
    let installed = match Installed::find(&config.upstream) {
        Ok(installed) => installed,
        Err(error) => return vec![Check::failed("cooperbench", &error)],
    };
    let agents: Vec<&str> = installed.agents.iter().map(String::as_str).collect();
    let mut checks = vec![Check::pass(
        "cooperbench",
        format!(
            "{} at {}, agents: {}",
            installed.version,
            installed.bin.display(),
            agents.join(", ")
        ),
    )];
    match installed
        .check_backend(&config.experiment.backend)
        .and_then(|()| installed.agent(&config.experiment.agent))
    {
        Err(error) => checks.push(Check::failed("agent", &error)),
        Ok((agent, None)) => checks.push(Check::pass("agent", agent)),
        Ok((_, Some(note))) => checks.push(Check::new(
            "agent",
            Level::Warn,
            note,
            "do not compare its results with those of the other agent",
        )),
    }
    checks
}

/// The interpreter of the installed CLI.
pub async fn python(config: &Config) -> Check {
    let Ok(installed) = Installed::find(&config.upstream) else {
        return Check::new(
            "python",
            Level::Warn,
            "not checked: no cooperbench",
            "install cooperbench first",
        );
    };
    let python = installed.bin.with_file_name("python");
    match process::capture(&python, &["--version"], Duration::from_secs(20)).await {
        Ok(output) if output.status.success() => Check::pass(
            "python",
            String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        ),
        Ok(output) => Check::new(
            "python",
            Level::Fail,
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            "make the venv anew",
        ),
        Err(error) => Check::failed("python", &error),
    }
}

/// The daemon, the subset's images, and leftovers of ours.
pub async fn docker(pairs: &[Pair]) -> Vec<Check> {
    let connected = match Endpoint::from_environment().and_then(Docker::at) {
        Ok(docker) => docker.version().await.map(|version| (docker, version)),
        Err(error) => Err(error),
    };
    let (docker, version) = match connected {
        Ok(connected) => connected,
        Err(error) => return vec![Check::failed("docker", &error)],
    };
    let mut checks = vec![Check::pass("docker", version)];
    if process::on_path("docker").is_none() {
        checks.push(Check::new(
            "docker program",
            Level::Warn,
            "no `docker` on PATH",
            "mini_swe_agent_v2 needs it: install the client (docker.io or docker-cli)",
        ));
    }
    checks.push(images(&docker, pairs).await);
    checks.push(match Leftovers::find(Some(&docker)).await {
        Ok(found) if found.is_empty() => Check::pass("leftovers", "none"),
        Ok(found) => Check::new(
            "leftovers",
            Level::Warn,
            found.describe().join("; "),
            "`regatta clean` removes them; so does the next run",
        ),
        Err(error) => Check::failed("leftovers", &error),
    });
    checks
}

async fn images(docker: &Docker, pairs: &[Pair]) -> Check {
    let mut wanted: Vec<String> = pairs.iter().map(|pair| image_name(&pair.task)).collect();
    wanted.sort();
    wanted.dedup();
    let present = match docker.present_images().await {
        Ok(present) => present,
        Err(error) => return Check::failed("images", &error),
    };
    // Podman names them with their registry.
    let find = |name: &String| {
        let mut tags = present.iter();
        tags.find(|(tag, _)| *tag == name || tag.ends_with(&format!("/{name}")))
            .map(|(_, size)| *size)
    };
    let missing: Vec<&String> = wanted.iter().filter(|name| find(name).is_none()).collect();
    if missing.is_empty() {
        return Check::pass("images", format!("all {} are present", wanted.len()));
    }
    let sizes: Vec<u64> = wanted.iter().filter_map(find).collect();
    let disk = if sizes.is_empty() {
        "their size is not known before one is pulled".to_owned()
    } else {
        let mean = sizes.iter().sum::<u64>() as f64 / sizes.len() as f64;
        format!(
            "about {:.1} GB if they are like the {} that are present (layers they share count once)",
            mean * missing.len() as f64 / 1e9,
            sizes.len()
        )
    };
    let first: Vec<&str> = missing.iter().take(3).map(|name| name.as_str()).collect();
    let more = if missing.len() > 3 { ", …" } else { "" };
    Check::new(
        "images",
        Level::Warn,
        format!(
            "{} of {} are missing ({}{more}); {disk}",
            missing.len(),
            wanted.len(),
            first.join(", ")
        ),
        "pull them first (`docker pull NAME`): upstream gives a pull 120 s",
    )
}

async fn redis(url: &str) -> Check {
    match redis::choose(url).await {
        Choice::Configured => Check::pass("redis", format!("{} answers", masked_url(url))),
        Choice::Private => Check::pass(
            "redis",
            format!(
                "none at {}; a private one is started for coop-comm",
                masked_url(url)
            ),
        ),
        Choice::None => Check::new(
            "redis",
            Level::Fail,
            format!(
                "none answers at {}, and there is no redis-server",
                masked_url(url)
            ),
            "install redis-server, or point --redis-url at one; solo and coop-nocomm need none",
        ),
    }
}

fn free_disk(config: &Config) -> Check {
    let logs = config
        .upstream
        .logs_dir
        .clone()
        .unwrap_or_else(|| config.upstream.cooperbench_dir.join("logs"));
    let existing = logs
        .ancestors()
        .find(|dir| dir.exists())
        .unwrap_or(Path::new("."));
    let existing = if existing.as_os_str().is_empty() {
        Path::new(".")
    } else {
        existing
    };
    let Ok(stat) = rustix::fs::statvfs(existing) else {
        return Check::new(
            "free disk",
            Level::Warn,
            format!("{} cannot be asked", existing.display()),
            "check it by hand",
        );
    };
    let free = (stat.f_bavail * stat.f_frsize) as f64 / 1e9;
    let wanted = config.limits.min_free_disk_gb;
    let evidence = format!("{free:.1} GB where {} is", logs.display());
    if free < wanted {
        let remedy = format!("free some: at least {wanted} GB are wanted (min_free_disk_gb)");
        return Check::new("free disk", Level::Fail, evidence, remedy);
    }
    Check::pass("free disk", evidence)
}

fn open_files() -> Check {
    let limit = getrlimit(Resource::Nofile).current;
    match limit {
        Some(limit) if limit < WANTED_FILES => Check::new(
            "open files",
            Level::Warn,
            format!("the limit is {limit}"),
            format!("raise it: `ulimit -n {}`", WANTED_FILES * 4),
        ),
        Some(limit) => Check::pass("open files", format!("the limit is {limit}")),
        None => Check::pass("open files", "no limit"),
    }
}

/// Upstream's v2 takes a `solo.yaml` or `coop.yaml` in its working directory for its prompts.
fn prompts(dir: &Path) -> Check {
    let found = ["solo.yaml", "coop.yaml"]
        .into_iter()
        .find(|name| dir.join(name).exists());
    match found {
        Some(name) => Check::new(
            "prompts",
            Level::Warn,
            format!(
                "{} replaces the agent's built-in prompt",
                dir.join(name).display()
            ),
            "move it away unless that is what you want",
        ),
        None => Check::pass("prompts", "the agent's own"),
    }
}

fn key(model: &str, api_base: Option<&str>, options: &Options) -> Check {
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
    let set = |name: &&&str| {
        std::env::var_os(name).is_some_and(|value| !value.is_empty())
            || options.env.contains_key(**name)
    };
    if let Some(name) = provider.key_variables.iter().find(set) {
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
pub async fn model(config: &Config, env_key: impl Fn(&str) -> Option<String>) -> Check {
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
    let key = provider
        .key_variables
        .iter()
        .find_map(|name| env_key(name))
        .map(Secret::new);
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
