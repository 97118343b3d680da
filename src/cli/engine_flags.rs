//! The flags of the engines, which `run` and `doctor` share: what is checked is what would run.

use clap::Args;

use super::options::set;
use crate::bench::{BackendKind, EngineKind, Setting, Word};
use crate::config::Layers;
use crate::error::Result;

/// How the native engine runs trials.
#[derive(Debug, Args)]
#[command(next_help_heading = "Native engine")]
pub struct NativeArgs {
    /// The time for one command of an agent, e.g. 300s
    #[arg(long, value_name = "TIME")]
    command_timeout: Option<String>,
    /// Keep every exchange with the model in this directory
    #[arg(long, value_name = "DIR")]
    record: Option<String>,
    /// Answer from a recording instead of the model; a request that differs is an error
    #[arg(long, value_name = "DIR")]
    replay: Option<String>,
}

/// What engines work with.
#[derive(Debug, Args)]
#[command(next_help_heading = "Engines")]
pub struct UpstreamArgs {
    /// The cooperbench program [default: .venv/bin/cooperbench in the checkout, then PATH]
    #[arg(long, value_name = "FILE")]
    cooperbench_bin: Option<String>,
    /// The dataset [default: dataset/ in the checkout]
    #[arg(long, value_name = "DIR")]
    dataset_dir: Option<String>,
    /// The model's endpoint; for Cohere the full URL that is posted to
    #[arg(long, value_name = "URL")]
    api_base: Option<String>,
    /// A configuration for the agent, in mini-swe-agent's form
    #[arg(long, value_name = "FILE")]
    agent_config: Option<String>,
    /// Let the two agents of a pair share a git remote
    #[arg(long)]
    git: bool,
    /// A price file in litellm's format
    #[arg(long, value_name = "FILE")]
    prices: Option<String>,
    /// The Redis for coop-comm [default: `redis://localhost:6379`, or a private one]
    #[arg(long, value_name = "URL")]
    redis_url: Option<String>,
}

impl NativeArgs {
    /// Adds these flags to the layers.
    pub fn apply(&self, layers: &mut Layers) -> Result<()> {
        let flags = [
            (
                "native.command_timeout",
                "--command-timeout",
                &self.command_timeout,
            ),
            ("native.record", "--record", &self.record),
            ("native.replay", "--replay", &self.replay),
        ];
        for (key, flag, value) in flags {
            set(layers, key, flag, value.as_ref())?;
        }
        Ok(())
    }
}

impl UpstreamArgs {
    /// Adds these flags to the layers.
    pub fn apply(&self, layers: &mut Layers) -> Result<()> {
        let flags = [
            (
                "upstream.cooperbench_bin",
                "--cooperbench-bin",
                &self.cooperbench_bin,
            ),
            ("upstream.dataset_dir", "--dataset-dir", &self.dataset_dir),
            ("upstream.api_base", "--api-base", &self.api_base),
            (
                "upstream.agent_config",
                "--agent-config",
                &self.agent_config,
            ),
            ("upstream.redis_url", "--redis-url", &self.redis_url),
            ("prices.price_file", "--prices", &self.prices),
        ];
        if self.git {
            layers.set("experiment.git", "true", "--git")?;
        }
        for (key, flag, value) in flags {
            set(layers, key, flag, value.as_ref())?;
        }
        Ok(())
    }
}

/// Adds `--engine` and `--backend` to the layers, where they are checked with what else is set.
pub fn set_words(
    layers: &mut Layers,
    engine: Option<&Word<EngineKind>>,
    backend: Option<&Word<BackendKind>>,
) -> Result<()> {
    if let Some(engine) = engine {
        layers.set("experiment.engine", engine.as_str(), "--engine")?;
    }
    if let Some(backend) = backend {
        layers.set("experiment.backend", backend.as_str(), "--backend")?;
    }
    Ok(())
}

/// Adds `--setting` to the layers; none and `all` leave the configuration's.
pub fn set_settings(layers: &mut Layers, settings: &[String]) -> Result<()> {
    if settings.is_empty() || settings.iter().any(|setting| setting == "all") {
        return Ok(());
    }
    for setting in settings {
        setting.parse::<Setting>()?;
    }
    layers.set("experiment.settings", &settings.join(","), "--setting")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::bench::word::Listed;
    use crate::cli::Cli;

    /// What a command takes a flag's word for.
    fn flag<K: Listed + Send + Sync>(command: &str, name: &str, word: &str) -> Word<K> {
        let line = ["regatta", command, &format!("--{name}"), word];
        let matches = Cli::command().get_matches_from(line);
        let matches = matches.subcommand_matches(command).unwrap();
        matches.get_one::<Word<K>>(name).unwrap().clone()
    }

    #[test]
    fn the_words_of_flags_are_the_names_and_another_is_checked_later() {
        for command in ["run", "doctor"] {
            for engine in EngineKind::ALL {
                assert!(flag(command, "engine", engine.name()) == engine);
            }
        }
        for command in ["run", "doctor", "eval"] {
            for backend in BackendKind::ALL {
                assert!(flag(command, "backend", backend.name()) == backend);
            }
            let slip = flag::<BackendKind>(command, "backend", "dokcer");
            assert_eq!(slip, Word::Unknown("dokcer".to_owned()));
        }
    }
}
