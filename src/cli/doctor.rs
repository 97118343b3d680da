//! `regatta doctor`.

use std::collections::HashMap;

use clap::{Args, ValueEnum};

use super::engine_flags::{NativeArgs, UpstreamArgs, set_settings, set_words};
use super::executor_flags::ExecutorArgs;
use super::listing::settings;
use super::options::{ConfigSource, Places, set};
use super::ui::{Ui, mark};
use super::width;
use crate::bench::{BackendKind, EngineKind, Word};
use crate::config::{Config, ExecutorKind};
use crate::engine::EngineOptions;
use crate::error::{Result, exit};
use crate::experiment::setup;
use crate::hint;
use crate::json;
use crate::runner::preflight::{self, Check, Level};
use crate::store::dataset::DatasetDir;
use crate::text::plural;

const EXAMPLES: &str = "\
Examples:
  regatta doctor                              # would `regatta run` work here?
  regatta doctor --engine native --backend namespace
  regatta doctor --no-model-call --format json";

/// Check whether this machine is fit: every check, its evidence, what to do
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DoctorArgs {
    /// The format
    #[arg(long, value_enum, default_value_t = DoctorFormat::Text)]
    format: DoctorFormat,
    /// The model to check [default: command-a-03-2025]
    #[arg(short, long)]
    model: Option<String>,
    /// The engine to check [default: upstream]
    #[arg(long)]
    engine: Option<Word<EngineKind>>,
    /// The backend to check [default: docker]
    #[arg(long)]
    backend: Option<Word<BackendKind>>,
    /// The agent framework to check
    #[arg(short, long)]
    agent: Option<String>,
    /// The subset whose images are looked for
    #[arg(short, long)]
    subset: Option<String>,
    /// The settings to check [default: all]
    #[arg(long, value_name = "SETTING", value_parser = settings())]
    setting: Vec<String>,
    /// Pairs at the same time
    #[arg(short, long, value_name = "N")]
    concurrency: Option<String>,
    /// Do not ask the model: it costs one small call
    #[arg(long)]
    no_model_call: bool,
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

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DoctorFormat {
    Text,
    Json,
}

pub async fn run(args: &DoctorArgs, ui: &Ui) -> Result<u8> {
    let mut layers = args.source.layers()?;
    args.places.apply(&mut layers)?;
    let flags = [
        ("experiment.model", "--model", &args.model),
        ("experiment.agent", "--agent", &args.agent),
        ("experiment.subset", "--subset", &args.subset),
        ("experiment.concurrency", "--concurrency", &args.concurrency),
    ];
    for (key, flag, value) in flags {
        set(&mut layers, key, flag, value.as_ref())?;
    }
    set_words(&mut layers, args.engine.as_ref(), args.backend.as_ref())?;
    args.upstream.apply(&mut layers)?;
    args.native.apply(&mut layers)?;
    args.executor.apply(&mut layers)?;
    set_settings(&mut layers, &args.setting)?;
    let checks = all(&layers.config()?, args).await?;
    match args.format {
        DoctorFormat::Json => {
            ui.data(&format!("{}\n", json::pretty(&checks)))?;
        }
        DoctorFormat::Text => {
            let is_command = |line: &str| {
                let mut all = checks.iter().flat_map(|check| &check.commands);
                all.any(|command| command == line.trim_start())
            };
            width::list(&render(&checks, ui.verbosity() > 0), is_command, ui)?;
        }
    }
    let failed = checks.iter().any(|check| check.level == Level::Fail);
    Ok(if failed { exit::WORLD } else { exit::OK })
}

/// The checks of every arm, each once where it is the same for all.
async fn all(config: &Config, args: &DoctorArgs) -> Result<Vec<Check>> {
    // The settings of one configuration are checked together.
    if config.own_arms.is_empty() {
        return Ok(of_arm(config, args, &mut HashMap::new()).await);
    }
    let arms = config.arms(&[])?;
    let mut asked = HashMap::new();
    let mut checks = Vec::new();
    for arm in &arms {
        let found = of_arm(&arm.config, args, &mut asked).await;
        checks.push((arm.name.as_str(), found));
    }
    Ok(preflight::of_all(checks))
}

/// The checks of one arm. A model is called once at each endpoint by each engine; `asked` has what
/// came of it.
async fn of_arm(
    config: &Config,
    args: &DoctorArgs,
    asked: &mut HashMap<(EngineKind, String, String, Option<String>), Check>,
) -> Vec<Check> {
    let mut checks = Vec::new();
    let found = setup::dataset(config)
        .and_then(DatasetDir::open)
        .and_then(|dataset| Ok((dataset.pairs(&config.experiment.subset)?, dataset)));
    let pairs = match found {
        Ok((pairs, dataset)) => {
            let evidence = format!(
                "{}: `{}` has {}",
                dataset.path().display(),
                config.experiment.subset,
                plural(pairs.len(), "pair")
            );
            checks.push(Check::pass("dataset", evidence));
            pairs
        }
        Err(error) => {
            checks.push(Check::failed("dataset", &error));
            Vec::new()
        }
    };
    if config.experiment.engine == EngineKind::Upstream {
        checks.extend(preflight::cooperbench(config));
        checks.push(preflight::python(config).await);
    }
    let dataset = setup::dataset(config).unwrap_or_default();
    let options = setup::prices(config).and_then(|(prices, _)| {
        // What is wrong with the installed CLI was said above: the rest is checked without it.
        setup::of_engine(config, dataset.clone(), &prices, false)
            .or_else(|_| setup::of_engine(config, dataset, &prices, true))
    });
    let options = match options {
        Ok((options, _)) => options,
        Err(error) => {
            // Without them it is not known who would be asked: nobody is.
            checks.push(Check::failed("options", &error));
            return checks;
        }
    };
    checks.push(Check::pass("engine", in_force(&options)));
    checks.extend(preflight::endpoint(options.access()));
    checks.extend(preflight::connection(config, &options).await);
    checks.extend(preflight::cheap(config, &options, &pairs).await);
    if config.executor.executor == ExecutorKind::Slurm {
        let tree = setup::log_tree(config);
        let said = preflight::slurm(config, &tree).await;
        let is_there = said.iter().all(|check| check.level != Level::Fail);
        checks.extend(said);
        if is_there {
            checks.extend(preflight::on_a_node(config, &options, &tree).await);
        }
    }
    let call = (
        options.engine(),
        options.access().model.clone(),
        options.access().shown_endpoint(),
        options.access().key_variable.clone(),
    );
    match (asked.get(&call), setup::rules(config)) {
        _ if args.no_model_call => {}
        (Some(answered), _) => checks.push(answered.clone()),
        (None, Ok(rules)) => {
            let answered = preflight::model(config, &options, &rules).await;
            asked.insert(call, answered.clone());
            checks.push(answered);
        }
        (None, Err(error)) => checks.push(Check::failed("rules", &error)),
    }
    checks
}

/// What a run with these flags would be, in one line.
fn in_force(options: &EngineOptions) -> String {
    format!(
        "{}, agent {}, backend {}, {} at a time, model {} at {}",
        options.engine(),
        options.agent(),
        options.backend(),
        plural(options.concurrency(), "pair"),
        options.access().model,
        options.access().shown_endpoint()
    )
}

/// How many of a check's commands are shown without `-v`.
const COMMANDS: usize = 4;

/// A check's commands, one a line, to be copied as they stand.
fn commands(check: &Check, is_verbose: bool, text: &mut String) {
    use std::fmt::Write as _;
    let all = &check.commands;
    // One more line tells as much as that there is one more.
    let most = if is_verbose || all.len() == COMMANDS + 1 {
        all.len()
    } else {
        COMMANDS
    };
    for command in all.iter().take(most) {
        let _ = writeln!(text, "{:24}{command}", "");
    }
    if all.len() > most {
        let more = all.len() - most;
        let all = hint::command("doctor -v");
        let _ = writeln!(text, "{:24}and {more} more: `{all}` shows them all", "");
    }
}

fn render(checks: &[Check], is_verbose: bool) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for check in checks {
        let word = match check.level {
            Level::Pass => "pass",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        let _ = writeln!(
            text,
            "{}  {:<14}  {}",
            mark(word),
            check.name,
            check.evidence
        );
        for remedy in &check.remedies {
            let _ = writeln!(text, "{:22}→ {remedy}", "");
        }
        commands(check, is_verbose, &mut text);
    }
    let count = |level| checks.iter().filter(|check| check.level == level).count();
    let _ = writeln!(
        text,
        "\n{} pass, {} warn, {} fail",
        count(Level::Pass),
        count(Level::Warn),
        count(Level::Fail)
    );
    text
}
