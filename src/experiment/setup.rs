//! What a configuration means: the dataset, the engine and its options, the rules, the prices.

use std::path::PathBuf;

use crate::bench::EngineKind;
use crate::config::Config;
use crate::demo;
use crate::engine::upstream::{self, Installed};
use crate::engine::{Access, EngineOptions, native};
use crate::error::{Error, Result};
use crate::files;
use crate::model::price::PriceTable;
use crate::store::LogTree;
use crate::store::manifest::digest;
use crate::triage::Rules;

/// The log tree of a configuration.
#[must_use]
pub fn log_tree(config: &Config) -> LogTree {
    let dir = config.upstream.logs_dir.clone();
    let dir = dir.unwrap_or_else(|| config.upstream.cooperbench_dir.join("logs"));
    LogTree::at(std::path::absolute(&dir).unwrap_or(dir))
}

/// The dataset's directory; the demo's is unpacked first. Upstream's CLI also needs the checkout.
pub fn dataset(config: &Config) -> Result<PathBuf> {
    let is_builtin = |dir: &PathBuf| dir.as_os_str() == demo::BUILTIN;
    let needs_checkout = config.experiment.engine == EngineKind::Upstream
        && !config.upstream.dataset_dir.as_ref().is_some_and(is_builtin);
    if needs_checkout && !config.upstream.cooperbench_dir.is_dir() {
        return Err(no_checkout(config));
    }
    dataset_alone(config)
}

/// The dataset's directory, for what needs nothing else of a checkout.
pub fn dataset_alone(config: &Config) -> Result<PathBuf> {
    let dir = &config.upstream.cooperbench_dir;
    match &config.upstream.dataset_dir {
        Some(dataset) if dataset.as_os_str() == demo::BUILTIN => demo::unpack(),
        Some(dataset) => Ok(dataset.clone()),
        None if dir.is_dir() => Ok(dir.join("dataset")),
        None => Err(no_checkout(config)),
    }
}

fn no_checkout(config: &Config) -> Error {
    let dir = config.upstream.cooperbench_dir.to_string_lossy();
    let quoted = shlex::try_quote(&dir).unwrap_or_default();
    Error::usage(format!("no CooperBench checkout at {dir}"))
        .hint(format!("clone it there (`git clone https://github.com/cooperbench/CooperBench {quoted}`), run regatta inside yours, or name yours with --cooperbench-dir"))
        .hint("to see regatta at work without it: `regatta run --profile demo`")
}

/// The options of the engine that a configuration names, and what there is to say about them.
///
/// A dry run does without an installed upstream CLI: it says so, and plans for the experiment's
/// version.
pub fn of_engine(
    config: &Config,
    dataset: PathBuf,
    prices: &PriceTable,
    dry_run: bool,
) -> Result<(EngineOptions, Vec<String>)> {
    check_engine(config)?;
    if config.experiment.engine == EngineKind::Native {
        let faults = match &config.upstream.dataset_dir {
            Some(dir) if dir.as_os_str() == demo::BUILTIN => demo::faults(&dataset)?,
            _ => demo::DemoFaults::default(),
        };
        let (mut options, notes) = native::NativeOptions::of_config(config, dataset, prices)?;
        options.dies = faults.sandbox_dies;
        return Ok((EngineOptions::Native(Box::new(options)), notes));
    }
    let installed = match Installed::find(&config.upstream) {
        Ok(installed) => Some(installed),
        Err(_) if dry_run && config.upstream.cooperbench_bin.is_none() => None,
        Err(error) => return Err(error),
    };
    let (options, mut notes) = upstream::UpstreamOptions::of_config(config, installed.as_ref())?;
    if installed.is_none() {
        notes.push(format!(
            "no cooperbench is installed here: planned as for {}, nothing about it was checked",
            upstream::command::PLANNED_VERSION
        ));
    }
    Ok((EngineOptions::Upstream(Box::new(options)), notes))
}

/// Refuses what only another engine can do.
fn check_engine(config: &Config) -> Result<()> {
    let engine = config.experiment.engine;
    let has = engine.settings();
    let mut settings = config.experiment.settings.iter();
    if let Some(setting) = settings.find(|setting| !has.contains(setting)) {
        let names: Vec<&str> = has.iter().map(|it| it.name()).collect();
        return Err(
            Error::usage(format!("the {engine} engine has no setting {setting}"))
                .hint(format!(
                    "run it with cooperbench {} or newer: --engine upstream",
                    upstream::installed::FIRST_WITH_TEAM
                ))
                .hint(format!("or ask for its own settings: {}", names.join(", "))),
        );
    }
    if engine == EngineKind::Upstream {
        check_builtin(config)?;
    }
    if engine == EngineKind::Native && !config.upstream.args.is_empty() {
        return Err(Error::usage(format!(
            "upstream.args is `{}`, and the native engine passes nothing to cooperbench",
            config.upstream.args.join(" ")
        ))
        .hint("take the key away, or run with --engine upstream"));
    }
    Ok(())
}

/// Refuses what stands for the demo's: upstream would take these words for a path and a URL.
fn check_builtin(config: &Config) -> Result<()> {
    let upstream = &config.upstream;
    let is_demos = |dir: &PathBuf| dir.as_os_str() == demo::BUILTIN;
    let told = if upstream.dataset_dir.as_ref().is_some_and(is_demos) {
        "upstream.dataset_dir is the demo's, whose tasks have no images: cooperbench cannot run them"
    } else if upstream.api_base.as_deref() == Some(demo::BUILTIN) {
        "upstream.api_base is the demo's model, which only the native engine can ask: cooperbench asks a URL"
    } else {
        return Ok(());
    };
    Err(Error::usage(told)
        .hint(
            "run it with --engine native --backend namespace, as `regatta run --profile demo` does",
        )
        .hint("or name a dataset and an endpoint of yours: --dataset-dir, --api-base"))
}

/// How the model is reached, for what needs nothing else of an engine.
pub fn access(config: &Config) -> Result<Access> {
    if config.experiment.engine == EngineKind::Native {
        return native::options::access(config);
    }
    upstream::command::access_of_config(config, Installed::find(&config.upstream).ok().as_ref())
}

/// The rules of a configuration.
pub fn rules(config: &Config) -> Result<Rules> {
    match &config.triage.rules_file {
        None => Ok(Rules::shipped()),
        Some(path) => {
            let text = files::read_text(path).map_err(Error::into_usage)?;
            Rules::with_user(&text, &path.display().to_string())
        }
    }
}

/// The prices of a configuration, and a word on where they come from for the manifest.
pub fn prices(config: &Config) -> Result<(PriceTable, String)> {
    // The same for both engines; the upstream CLI's own figures, where it has any, are its results'.
    let (mut table, mut sources) = (PriceTable::embedded(), vec!["regatta".to_owned()]);
    if let Some(path) = &config.prices.price_file {
        let text = files::read_text(path).map_err(Error::into_usage)?;
        table.extend_from_litellm(&text).map_err(|error| {
            Error::usage(format!("{} is no price file: {error}", path.display())).hint(
                "litellm's format is {\"model\": {\"input_cost_per_token\": 2.5e-06, \"output_cost_per_token\": 1e-05}}",
            )
        })?;
        sources.push(format!(
            "{} (sha256 {})",
            path.display(),
            &digest(text.as_bytes())[..16]
        ));
    }
    for (model, price) in &config.prices.models {
        if !price.is_believable() {
            return Err(Error::usage(format!(
                "the prices of `{model}` in [prices.models] must be USD per token, from 0 to 1"
            ))
            .hint("a price per million tokens is written with e-06: 2.5e-06 for $2.50"));
        }
        table.insert(model.clone(), *price);
        sources.push(format!("[prices.models] {model}"));
    }
    Ok((table, sources.join(", ")))
}
