//! Is the upstream CLI, and what it needs, fit?

use std::path::Path;
use std::time::Duration;

use super::{Check, Level};
use crate::config::Config;
use crate::engine::upstream::Installed;
use crate::host::redis::{self, RedisChoice};
use crate::process;
use crate::secret::masked_url;

/// Whether the CLI is installed, and whether it has the configured agent and backend.
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
    for setting in &config.experiment.settings {
        if let Err(error) = installed.check_setting(*setting) {
            checks.push(Check::failed("setting", &error));
        }
    }
    match installed
        .check_backend(config.experiment.backend)
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

/// Whether the settings with messages have a Redis: one that answers at this URL, or a private one that can be
/// started.
pub async fn redis(url: &str) -> Check {
    match redis::choose(url).await {
        RedisChoice::Configured => Check::pass("redis", format!("{} answers", masked_url(url))),
        RedisChoice::Private => Check::pass(
            "redis",
            format!(
                "none at {}; a private one is started for the runs that need it",
                masked_url(url)
            ),
        ),
        RedisChoice::None => Check::new(
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

/// Upstream's v2 takes a `solo.yaml` or `coop.yaml` in its working directory for its prompts.
pub fn prompts(dir: &Path) -> Check {
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
