//! `regatta run`.

mod detach;
mod end;
mod matrix;
mod next;
mod plan;
mod smoke;

use std::sync::Arc;

use clap::Args;

use super::engine_flags::{NativeArgs, UpstreamArgs, set_settings, set_words};
use super::executor_flags::ExecutorArgs;
use super::listing::settings;
use super::options::{ConfigSource, Places, set};
use super::picking::PairArgs;
use super::ui::Ui;
use super::{eval, news, width};
use crate::bench::{BackendKind, EngineKind, Word};
use crate::config::Config;
use crate::engine::EngineOptions;
use crate::error::{Result, exit};
use crate::experiment::{
    AsConfigured, Executed, ExecutionOptions, Experiment, NewsSender, PlannedArm, Scope,
};
use crate::runner::Interrupt;
use crate::secret::masked_url;
use crate::store::manifest::GivenCommand;

const EXAMPLES: &str = "\
Examples:
  regatta run --dry-run                            # what would run, and how
  regatta run --setting solo --smoke 5             # the first 5 pairs in one setting
  regatta run -s mine.json --repo dspy             # of a subset of yours, one repository
  regatta run --engine native -c 8 --budget 100    # without Python, at most about $100
  regatta run --profile demo                       # no Docker, no key";

/// Run the settings of an experiment, attempt by attempt, until every pair has finished
///
/// The same command resumes what was interrupted: a finished pair never runs twice.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are switches of a command line"
)]
pub struct RunArgs {
    /// The settings; may be given more than once. `all` is without team, which only upstream has
    /// [default: all]
    #[arg(long, value_name = "SETTING", value_parser = settings())]
    setting: Vec<String>,
    /// Run only this arm of the configuration's; may be given more than once [default: all]
    #[arg(long, value_name = "NAME")]
    arm: Vec<String>,
    /// How often each arm runs [default: 1]
    #[arg(long, value_name = "N")]
    repeats: Option<String>,
    /// Run only the first N pairs of the subset, and check them; with --repo, --task or --pair, of what
    /// these leave. The runs stay those of the whole subset: without --smoke, the same command runs the
    /// rest
    #[arg(long, value_name = "N", value_parser = pairs)]
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
    /// The subset: a name in the dataset's subsets/, or the path of a file, such as mine.json [default:
    /// lite]
    #[arg(short, long)]
    subset: Option<String>,
    /// Pairs at the same time [default: 4]
    #[arg(short, long, value_name = "N")]
    concurrency: Option<String>,
    /// Where agents' commands run; with upstream in docker only [default: docker]
    #[arg(long)]
    backend: Option<Word<BackendKind>>,
    /// Who executes trials [default: upstream]
    #[arg(long)]
    engine: Option<Word<EngineKind>>,
    /// Judge what finished by the hidden tests, as `regatta eval` does
    #[arg(long)]
    eval: bool,
    /// Set aside the results that stand and run every pair that is asked for again. If it is stopped,
    /// --force again runs the rest of these pairs; once they are done, --force sets aside all again.
    /// Without --force, no result that stands is replaced. `regatta restore` brings back what was set
    /// aside
    #[arg(long)]
    force: bool,
    /// Go on with a run whose model, agent, subset, dataset, images or flags are no longer those it was
    /// begun with
    #[arg(long)]
    accept_changes: bool,
    /// Start even when a preflight check fails
    #[arg(long)]
    no_preflight: bool,
    /// Pull no image: with --backend oci, images that are missing are otherwise pulled before the first
    /// trial
    #[arg(long)]
    no_pull: bool,
    /// With --executor slurm: submit the command as a job of its own, and return. The endpoint's key
    /// comes from `api_key_file` then
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    picked: PairArgs,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    upstream: UpstreamArgs,
    #[command(flatten)]
    native: NativeArgs,
    #[command(flatten)]
    executor: ExecutorArgs,
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
    /// Wait at most this long for an account's limit to reset; one that resets later ends the run
    /// [default: 6h]
    #[arg(long, value_name = "TIME")]
    max_wait: Option<String>,
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

/// A number of pairs.
fn pairs(text: &str) -> std::result::Result<usize, &'static str> {
    text.parse()
        .map_err(|_| "a number of pairs is wanted, e.g. 5")
}

impl RunArgs {
    /// The pairs of the subset and the arms that are asked for.
    fn scope(&self) -> Scope {
        Scope {
            pairs: self.picked.filter(self.smoke),
            arms: self.arm.clone(),
        }
    }

    /// The configuration that the flags, the environment and the files mean.
    fn config(&self) -> Result<Config> {
        let mut layers = self.source.layers()?;
        self.places.apply(&mut layers)?;
        let flags = [
            ("experiment.name", "--name", &self.name),
            ("experiment.repeats", "--repeats", &self.repeats),
            ("experiment.model", "--model", &self.model),
            ("experiment.agent", "--agent", &self.agent),
            ("experiment.subset", "--subset", &self.subset),
            ("experiment.concurrency", "--concurrency", &self.concurrency),
            (
                "attempts.max_attempts",
                "--max-attempts",
                &self.limits.max_attempts,
            ),
            ("attempts.max_wait", "--max-wait", &self.limits.max_wait),
            (
                "limits.task_timeout",
                "--task-timeout",
                &self.limits.task_timeout,
            ),
            ("limits.grace", "--grace", &self.limits.grace),
            ("limits.budget", "--budget", &self.limits.budget),
        ];
        if self.no_pull {
            layers.set("images.pull", "false", "--no-pull")?;
        }
        if self.eval {
            layers.set("evaluation.after_run", "true", "--eval")?;
        }
        set_words(&mut layers, self.engine.as_ref(), self.backend.as_ref())?;
        self.upstream.apply(&mut layers)?;
        self.native.apply(&mut layers)?;
        self.executor.apply(&mut layers)?;
        for (key, flag, value) in flags {
            set(&mut layers, key, flag, value.as_ref())?;
        }
        set_settings(&mut layers, &self.setting)?;
        layers.config()
    }
}

/// The command as it was typed, for whoever resumes it.
fn given() -> GivenCommand {
    let words = std::env::args_os().skip(1);
    GivenCommand {
        directory: std::env::current_dir()
            .unwrap_or_default()
            .display()
            .to_string(),
        args: words
            .map(|word| masked_url(&word.to_string_lossy()))
            .collect(),
    }
}

pub async fn run(args: &RunArgs, ui: &Ui) -> Result<u8> {
    let config = args.config()?;
    let mut experiment = Experiment::plan(&config, &args.scope(), args.dry_run)?;
    if args.dry_run {
        // Without an installed CLI its version is unknown, and would differ from any manifest's.
        let is_known = |arm: &Arc<PlannedArm>| match &arm.options {
            EngineOptions::Upstream(options) => options.version.is_some(),
            EngineOptions::Native(_) => true,
        };
        if experiment.arms.iter().all(is_known) {
            let warnings = experiment
                .check_manifests(args.accept_changes, args.force)
                .await?;
            experiment.notes.extend(warnings);
        }
        let text = plan::render(&experiment, args.force, args.detach).await?;
        width::list(&text, plan::is_command, ui)?;
        return Ok(exit::OK);
    }
    if args.detach {
        return detach::submit(&experiment, ui).await;
    }
    experiment.command = Some(given());
    let mut interrupt = Interrupt::listen()?;
    ui.guard(&interrupt);
    let asked = ExecutionOptions {
        force: args.force,
        accept_changes: args.accept_changes,
        without_preflight: args.no_preflight,
    };
    let execute = async |news: &NewsSender| {
        let executed = experiment.execute(&AsConfigured, asked, &mut interrupt, news);
        executed.await
    };
    let (executed, has_worked) = news::shown(ui, execute).await;
    let Executed { end, judged } = executed?;
    let judged = judged.map(|end| end.map_or(exit::OK, |end| eval::code(end, ui)));
    let summaries = experiment.summaries()?;
    let code = end::conclude(&experiment, &summaries, &end, has_worked, ui)?;
    // What ran is reported also where it could not be judged.
    let code = match judged? {
        exit::OK => code,
        other => other,
    };
    if args.smoke.is_none() {
        next::say(&experiment, &summaries, &end, has_worked, ui)?;
    }
    match args.smoke {
        Some(_) if code != exit::INTERRUPTED => smoke::check(&experiment, &end, code, ui).await,
        _ => Ok(code),
    }
}
