//! Options that several commands share, and how they become a configuration.

use std::path::PathBuf;

use clap::Args;

use super::listing::profiles;
use super::tree;
use super::ui::Ui;
use crate::bench::RunName;
use crate::config::{Config, Layers};
use crate::error::{Error, Result};
use crate::experiment::setup::{log_tree, prices, rules};
use crate::model::price::PriceTable;
use crate::report::setting::setting_of_run;
use crate::store::{Manifest, RunDir};
use crate::triage::Rules;

/// Where the configuration comes from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Configuration")]
pub struct ConfigSource {
    /// The configuration file [default: regatta.toml, if there is one]
    #[arg(long, value_name = "FILE", env = "REGATTA_CONFIG")]
    config: Option<PathBuf>,
    /// A [profile.NAME] of the configuration file, or the built-in `demo`
    #[arg(long, value_name = "NAME", env = "REGATTA_PROFILE", value_parser = profiles(), hide_possible_values = true)]
    profile: Option<String>,
}

/// Where `CooperBench` and its logs are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Places")]
pub struct Places {
    /// The `CooperBench` checkout [default: repos/CooperBench]
    #[arg(long, value_name = "DIR")]
    cooperbench_dir: Option<String>,
    /// The log tree [default: logs/ in the checkout]
    #[arg(long, value_name = "DIR")]
    logs_dir: Option<String>,
}

/// The runs that a command reads, and how it reads them.
#[derive(Debug, Args)]
pub struct RunSelection {
    /// The runs [default: every run of the log tree]
    #[arg(value_name = "RUN")]
    runs: Vec<RunName>,
    #[command(flatten)]
    source: ConfigSource,
    #[command(flatten)]
    places: Places,
}

/// Runs that were found, with what it takes to judge them.
#[derive(Debug)]
pub struct SelectedRuns {
    pub config: Config,
    pub rules: Rules,
    pub prices: PriceTable,
    pub runs: Vec<RunDir>,
    /// Directories with results among them, where all were asked for, that no run can be named as.
    pub misnamed: Vec<String>,
}

impl SelectedRuns {
    /// The runs of these names, of every name where none is given.
    pub fn named(names: &[RunName], config: Config) -> Result<Self> {
        let runs = log_tree(&config).select(names)?;
        Self::of(runs, names.is_empty(), config)
    }

    fn of(runs: Vec<RunDir>, are_all: bool, config: Config) -> Result<Self> {
        Ok(Self {
            rules: rules(&config)?,
            prices: prices(&config)?.0,
            runs: in_order(runs),
            misnamed: if are_all {
                log_tree(&config).misnamed()?
            } else {
                Vec::new()
            },
            config,
        })
    }

    /// Says which directories are not read for their names.
    pub fn say_misnamed(&self, ui: &Ui) {
        for name in &self.misnamed {
            ui.warn(format!(
                "`{}` under {} has results and is not read, since no run can have this name: letters, digits, `.`, `_` and `-`; rename it",
                name.escape_debug(),
                log_tree(&self.config).path().display()
            ));
        }
    }
}

/// Runs as every command lists them: by setting, then by name.
fn in_order(mut runs: Vec<RunDir>) -> Vec<RunDir> {
    runs.sort_by_cached_key(|run| {
        // A manifest that cannot be read is told of where the run is.
        let manifest = Manifest::read(run).ok().flatten();
        (setting_of_run(run, manifest.as_ref()), run.name().clone())
    });
    runs
}

impl RunSelection {
    /// Whether runs are named, and not all asked for.
    pub const fn names_runs(&self) -> bool {
        !self.runs.is_empty()
    }

    /// Finds the runs, in the tree that has some, and reads rules and prices.
    pub fn open(&self, ui: &Ui) -> Result<SelectedRuns> {
        self.read(tree::config(&self.layers()?, ui)?)
    }

    /// The runs that were named.
    pub fn names(&self) -> &[RunName] {
        &self.runs
    }

    /// The layers below a command's own flags.
    pub fn layers(&self) -> Result<Layers> {
        let mut layers = self.source.layers()?;
        self.places.apply(&mut layers)?;
        Ok(layers)
    }

    /// Finds the runs for a configuration.
    pub fn read(&self, config: Config) -> Result<SelectedRuns> {
        SelectedRuns::named(&self.runs, config)
    }

    /// Finds those of the runs that are there, and why others are not.
    pub fn read_begun(&self, config: Config) -> Result<(SelectedRuns, Option<Error>)> {
        let tree = log_tree(&config);
        let mut runs = tree.runs()?;
        let missing = tree.select(&self.runs).err();
        runs.retain(|run| self.runs.is_empty() || self.runs.contains(run.name()));
        let found = SelectedRuns::of(runs, self.runs.is_empty(), config)?;
        Ok((found, missing))
    }
}

impl ConfigSource {
    /// The layers below the flags.
    pub fn layers(&self) -> Result<Layers> {
        let mut layers = Layers::defaults();
        layers.add_file(self.config.as_deref(), self.profile.as_deref())?;
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        layers.add_environment(variables)?;
        if let Ok(here) = std::env::current_dir() {
            layers.find_checkout(&here);
        }
        Ok(layers)
    }
}

impl Places {
    /// Adds these flags to the layers.
    pub fn apply(&self, layers: &mut Layers) -> Result<()> {
        set(
            layers,
            "upstream.cooperbench_dir",
            "--cooperbench-dir",
            self.cooperbench_dir.as_ref(),
        )?;
        set(
            layers,
            "upstream.logs_dir",
            "--logs-dir",
            self.logs_dir.as_ref(),
        )
    }
}

/// Sets a key from a flag, when the flag was given.
pub fn set(layers: &mut Layers, key: &str, flag: &str, value: Option<&String>) -> Result<()> {
    value.map_or(Ok(()), |value| layers.set(key, value, flag))
}
