//! `regatta run`.

mod experiment;
mod plan;
mod smoke;

use clap::Args;

use super::clean::reap;
use super::options::{ConfigSource, Places, set};
use super::ui::Ui;
use crate::config::Config;
use crate::engine::Options;
use crate::error::{Result, exit};
use crate::runner::{Interrupt, RunEnd};
use experiment::Experiment;

/// Run the settings of an experiment, attempt by attempt, until every pair has finished
///
/// The same command resumes what was interrupted: a finished pair never runs twice.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are switches of a command line"
)]
pub struct RunArgs {
    /// solo, coop-comm, coop-nocomm or all; may be given more than once [default: all]
    #[arg(long, value_name = "SETTING")]
    setting: Vec<String>,
    /// Run the first N pairs of the subset only, under names of their own, and check them
    #[arg(long, value_name = "N")]
    smoke: Option<usize>,
    /// Print what would run, run nothing
    #[arg(long)]
    dry_run: bool,
    /// The beginning of the runs' names [default: from the model: command-a-03-2025 gives command-a]
    #[arg(long, value_name = "PREFIX")]
    name: Option<String>,
    /// The model, by litellm's name [default: command-a-03-2025]
    #[arg(short, long)]
    model: Option<String>,
    /// The agent framework [default: `mini_swe_agent`]
    #[arg(short, long)]
    agent: Option<String>,
    /// The subset, a name in the dataset's subsets/ [default: lite]
    #[arg(short, long)]
    subset: Option<String>,
    /// Pairs at the same time [default: 4]
    #[arg(short, long, value_name = "N")]
    concurrency: Option<String>,
    /// Where agents' commands run: docker; native also has namespace and process [default: docker]
    #[arg(long)]
    backend: Option<String>,
    /// Who executes trials: upstream or native [default: upstream]
    #[arg(long)]
    engine: Option<String>,
    /// Judge what finished by the hidden tests, as `regatta eval` does
    #[arg(long)]
    eval: bool,
    /// Begin anew: results that stand are set aside first
    #[arg(long)]
    force: bool,
    /// Go on with a run whose model, agent, subset or flags are no longer those it was begun with
    #[arg(long)]
    accept_changes: bool,
    /// Start even when a preflight check fails
    #[arg(long)]
    no_preflight: bool,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    upstream: UpstreamArgs,
    #[command(flatten)]
    native: NativeArgs,
    #[command(flatten)]
    source: ConfigSource,
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
struct Limits {
    /// Passes over the pairs that are not finished [default: 3]
    #[arg(long, value_name = "N")]
    max_attempts: Option<String>,
    /// End a trial after this long, e.g. 10m; 0s never does [default: 10m]
    #[arg(long, value_name = "TIME")]
    task_timeout: Option<String>,
    /// How long running pairs may still finish after the first Ctrl-C [default: 20s]
    #[arg(long, value_name = "TIME")]
    grace: Option<String>,
    /// Stop when this much is spent, failed trials included [default: no limit]
    #[arg(long, value_name = "USD")]
    budget: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Native engine")]
struct NativeArgs {
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

#[derive(Debug, Args)]
#[command(next_help_heading = "Engines")]
struct UpstreamArgs {
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

impl RunArgs {
    /// The configuration that the flags, the environment and the files mean.
    fn config(&self) -> Result<Config> {
        let mut layers = self.source.layers()?;
        self.places.apply(&mut layers)?;
        let flags = [
            ("experiment.name", "--name", &self.name),
            ("experiment.model", "--model", &self.model),
            ("experiment.agent", "--agent", &self.agent),
            ("experiment.subset", "--subset", &self.subset),
            ("experiment.concurrency", "--concurrency", &self.concurrency),
            ("experiment.backend", "--backend", &self.backend),
            ("experiment.engine", "--engine", &self.engine),
            (
                "attempts.max_attempts",
                "--max-attempts",
                &self.limits.max_attempts,
            ),
            (
                "limits.task_timeout",
                "--task-timeout",
                &self.limits.task_timeout,
            ),
            ("limits.grace", "--grace", &self.limits.grace),
            ("limits.budget", "--budget", &self.limits.budget),
            (
                "upstream.cooperbench_bin",
                "--cooperbench-bin",
                &self.upstream.cooperbench_bin,
            ),
            (
                "upstream.dataset_dir",
                "--dataset-dir",
                &self.upstream.dataset_dir,
            ),
            ("upstream.api_base", "--api-base", &self.upstream.api_base),
            (
                "upstream.agent_config",
                "--agent-config",
                &self.upstream.agent_config,
            ),
            (
                "upstream.redis_url",
                "--redis-url",
                &self.upstream.redis_url,
            ),
            ("prices.price_file", "--prices", &self.upstream.prices),
            (
                "native.command_timeout",
                "--command-timeout",
                &self.native.command_timeout,
            ),
            ("native.record", "--record", &self.native.record),
            ("native.replay", "--replay", &self.native.replay),
        ];
        if self.eval {
            layers.set("evaluation.after_run", "true", "--eval")?;
        }
        if self.upstream.git {
            layers.set("experiment.git", "true", "--git")?;
        }
        for (key, flag, value) in flags {
            set(&mut layers, key, flag, value.as_ref())?;
        }
        if !self.setting.is_empty() && !self.setting.iter().any(|setting| setting == "all") {
            for setting in &self.setting {
                setting.parse::<crate::bench::Setting>()?;
            }
            layers.set("experiment.settings", &self.setting.join(","), "--setting")?;
        }
        layers.config()
    }
}

pub async fn run(args: &RunArgs, ui: &Ui) -> Result<u8> {
    let config = args.config()?;
    let experiment = Experiment::plan(&config, args.smoke, args.dry_run)?;
    if args.dry_run {
        // Without an installed CLI its version is unknown, and would differ from any manifest's.
        let is_known = match &experiment.options {
            Options::Upstream(options) => options.version.is_some(),
            Options::Native(_) => true,
        };
        if is_known {
            experiment.check_manifests(args.accept_changes)?;
        }
        ui.data(&plan::render(&experiment, args.force).await?)?;
        return Ok(exit::OK);
    }
    let mut interrupt = Interrupt::listen()?;
    ui.guard(&interrupt);
    let runs = experiment.open(args.accept_changes)?;
    if !args.no_preflight {
        experiment.preflight(ui).await?;
    }
    reap(&config, ui).await?;
    let end = experiment.run(runs, args.force, &interrupt, ui).await?;
    let judged = match end {
        RunEnd::Complete | RunEnd::Errors if config.evaluation.after_run => {
            experiment.judge(args.force, &mut interrupt, ui).await
        }
        _ => Ok(exit::OK),
    };
    let code = experiment.conclude(&end, ui)?;
    // What ran is reported also where it could not be judged.
    let code = match judged? {
        exit::OK => code,
        other => other,
    };
    match args.smoke {
        Some(n) if code != exit::INTERRUPTED => smoke::check(&experiment, n, code, ui).await,
        _ => Ok(code),
    }
}
