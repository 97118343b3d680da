//! `regatta doctor`.

use clap::{Args, ValueEnum};

use super::options::{self, ConfigSource, Places, set};
use super::ui::{Ui, mark};
use crate::config::Config;
use crate::error::{Result, exit};
use crate::runner::preflight::{self, Check, Level};
use crate::store::dataset::DatasetDir;

/// Check whether this machine is fit: every check, its evidence, what to do
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// text or json
    #[arg(long, value_enum, default_value_t = DoctorFormat::Text)]
    format: DoctorFormat,
    /// The model to check [default: command-a-03-2025]
    #[arg(short, long)]
    model: Option<String>,
    /// The engine to check: upstream or native
    #[arg(long)]
    engine: Option<String>,
    /// The backend to check
    #[arg(long)]
    backend: Option<String>,
    /// The agent framework to check
    #[arg(short, long)]
    agent: Option<String>,
    /// The subset whose images are looked for
    #[arg(short, long)]
    subset: Option<String>,
    /// The cooperbench program
    #[arg(long, value_name = "FILE")]
    cooperbench_bin: Option<String>,
    /// The dataset
    #[arg(long, value_name = "DIR")]
    dataset_dir: Option<String>,
    /// The model's endpoint
    #[arg(long, value_name = "URL")]
    api_base: Option<String>,
    /// The Redis for coop-comm
    #[arg(long, value_name = "URL")]
    redis_url: Option<String>,
    /// Do not ask the model: it costs one small call
    #[arg(long)]
    no_model_call: bool,
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
        ("experiment.engine", "--engine", &args.engine),
        ("experiment.backend", "--backend", &args.backend),
        ("experiment.agent", "--agent", &args.agent),
        ("experiment.subset", "--subset", &args.subset),
        (
            "upstream.cooperbench_bin",
            "--cooperbench-bin",
            &args.cooperbench_bin,
        ),
        ("upstream.dataset_dir", "--dataset-dir", &args.dataset_dir),
        ("upstream.api_base", "--api-base", &args.api_base),
        ("upstream.redis_url", "--redis-url", &args.redis_url),
    ];
    for (key, flag, value) in flags {
        set(&mut layers, key, flag, value.as_ref())?;
    }
    let checks = all(&layers.config()?, args).await;
    match args.format {
        DoctorFormat::Json => {
            let text = serde_json::to_string_pretty(&checks).unwrap_or_default();
            ui.data(&format!("{text}\n"))?;
        }
        DoctorFormat::Text => ui.data(&render(&checks))?,
    }
    let failed = checks.iter().any(|check| check.level == Level::Fail);
    Ok(if failed { exit::WORLD } else { exit::OK })
}

async fn all(config: &Config, args: &DoctorArgs) -> Vec<Check> {
    let mut checks = Vec::new();
    let found = options::dataset(config)
        .and_then(DatasetDir::open)
        .and_then(|dataset| Ok((dataset.pairs(&config.experiment.subset)?, dataset)));
    let pairs = match found {
        Ok((pairs, dataset)) => {
            let evidence = format!(
                "{}: `{}` has {} pairs",
                dataset.path().display(),
                config.experiment.subset,
                pairs.len()
            );
            checks.push(Check::pass("dataset", evidence));
            pairs
        }
        Err(error) => {
            checks.push(Check::failed("dataset", &error));
            Vec::new()
        }
    };
    if config.experiment.engine == "upstream" {
        checks.extend(preflight::cooperbench(config));
        checks.push(preflight::python(config).await);
    }
    let dataset = options::dataset(config).unwrap_or_default();
    let options = options::prices(config).and_then(|(prices, _)| {
        // What is wrong with the installed CLI was said above: the rest is checked without it.
        options::of_engine(config, dataset.clone(), &prices, false)
            .or_else(|_| options::of_engine(config, dataset, &prices, true))
    });
    match options {
        Ok((options, _)) => checks.extend(preflight::cheap(config, &options, &pairs).await),
        Err(error) => checks.push(Check::failed("options", &error)),
    }
    if !args.no_model_call {
        checks.push(preflight::model(config).await);
    }
    checks
}

fn render(checks: &[Check]) -> String {
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
        if !check.remedy.is_empty() {
            let _ = writeln!(text, "      {:<14}  → {}", "", check.remedy);
        }
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
