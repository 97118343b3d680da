//! The runs asked for together: planned together, opened together.

use std::collections::BTreeMap;

use super::filter::PairFilter;
use super::news::{News, NewsSender};
use super::pins::{Pinned, begin_anew, changes, take_over};
use super::setup;
use crate::bench::run_name::prefix_of_model;
use crate::bench::{Pair, RunName, Setting};
use crate::config::Config;
use crate::engine::{EngineOptions, upstream};
use crate::error::{Error, Result};
use crate::files;
use crate::hint;
use crate::model::price::PriceTable;
use crate::report::Summary;
use crate::runner::Plan;
use crate::runner::preflight::{self, Level};
use crate::store::dataset::DatasetDir;
use crate::store::gold::Gold;
use crate::store::lock::RunLock;
use crate::store::manifest::{digest, digest_of_pairs};
use crate::store::{LedgerEntry, LogTree, Manifest, Pass, RunDir};
use crate::survey::{Stand, Surveyed};
use crate::text::plural;
use crate::triage::Rules;
use crate::version::VERSION;

/// An experiment as planned: its runs, and all that they are run with.
#[derive(Debug)]
pub struct Experiment {
    /// The configuration that it was planned from.
    pub config: Config,
    /// The engine that runs the pairs, with its options.
    pub options: EngineOptions,
    /// What there is to say of the plan, though it stands.
    pub notes: Vec<String>,
    /// The subset's name.
    pub subset: String,
    /// Every pair of the subset, in its order: the plan of each run.
    pub all: Vec<Pair>,
    /// Those of them that are asked for, in the same order: what runs, and what the end is about.
    pub pairs: Vec<Pair>,
    /// The runs, in the order in which they run.
    pub runs: Vec<(Setting, RunDir)>,
    /// The rules of triage: the shipped ones, and the user's if the configuration names a file.
    pub rules: Rules,
    /// Prices in USD per token, at the endpoint that this experiment asks.
    pub prices: PriceTable,
    price_source: String,
    tree: LogTree,
}

/// A run that is locked, with its manifest checked.
#[derive(Debug)]
pub struct OpenRun {
    pub(super) setting: Setting,
    pub(super) run: RunDir,
    pub(super) manifest: Manifest,
    /// What there is to say of it, though it goes on.
    pub(super) warning: Option<String>,
    _lock: RunLock,
}

impl OpenRun {
    /// The setting of all its pairs.
    #[must_use]
    pub const fn setting(&self) -> Setting {
        self.setting
    }

    /// The run's place in the log tree.
    #[must_use]
    pub const fn run(&self) -> &RunDir {
        &self.run
    }
}

impl Experiment {
    /// Plans an experiment from the dataset and what is installed; writes nothing.
    ///
    /// A dry run does without an installed CLI: it says so, and plans for the experiment's version.
    pub fn plan(config: &Config, filter: &PairFilter, dry_run: bool) -> Result<Self> {
        let dataset = setup::dataset(config)?;
        let all = DatasetDir::open(dataset.clone())?.pairs(&config.experiment.subset)?;
        let (prices, price_source) = setup::prices(config)?;
        let (options, mut notes) = setup::of_engine(config, dataset, &prices, dry_run)?;
        let subset = config.experiment.subset.clone();
        let pairs = filter.of(&all, &subset)?;
        if let EngineOptions::Native(options) = &options {
            options.check_workspaces(&pairs)?;
        }
        let prefix = match &config.experiment.name {
            Some(name) => name.clone(),
            None => prefix_of_model(&config.experiment.model),
        };
        // Checked before the setting's name is added, so that the message shows what was typed.
        prefix.parse::<RunName>()?;
        let tree = setup::log_tree(config);
        if let Some(gold) = Gold::read(tree.path())? {
            let spoiled = pairs.iter().filter(|pair| gold.spoils(pair)).count();
            if spoiled > 0 {
                notes.push(format!(
                    "{} with a feature that cannot be graded: {} lists them",
                    plural(spoiled, "pair"),
                    Gold::path(tree.path()).display()
                ));
            }
        }
        let settings = Setting::ALL
            .into_iter()
            .filter(|setting| config.experiment.settings.contains(setting));
        let runs = settings
            .map(|setting| Ok((setting, tree.run(&RunName::of(&prefix, setting)?))))
            .collect::<Result<_>>()?;
        Ok(Self {
            config: config.clone(),
            notes,
            subset,
            all,
            pairs,
            runs,
            rules: setup::rules(config)?,
            prices: prices.at(options.access().is_providers_own()),
            options,
            price_source,
            tree,
        })
    }

    /// The version of the upstream CLI, when it is the engine and is installed.
    #[must_use]
    pub fn upstream_version(&self) -> Option<upstream::installed::Version> {
        match &self.options {
            EngineOptions::Upstream(options) => options.version,
            EngineOptions::Native(_) => None,
        }
    }

    /// Whether only some pairs of the subset are asked for.
    #[must_use]
    pub const fn is_filtered(&self) -> bool {
        self.pairs.len() < self.all.len()
    }

    /// Whether sandboxes are containers, made by a daemon from the tasks' images.
    #[must_use]
    pub fn uses_docker(&self) -> bool {
        self.options.backend().has_images()
    }

    /// Locks every run and checks that each is what it was begun as; refuses before anything runs.
    pub async fn open(&self, accept_changes: bool, force: bool) -> Result<Vec<OpenRun>> {
        files::check_writable(self.tree.path()).map_err(|error| {
            error
                .into_usage()
                .hint("--logs-dir names another place for the log tree")
        })?;
        let mut locks = Vec::new();
        for (_, run) in &self.runs {
            locks.push(RunLock::take(run).map_err(Error::into_usage)?);
        }
        let began = self.begun_as()?;
        let pinned = self.pinned(&began).await;
        let mut open = Vec::new();
        for (nth, (old, lock)) in began.into_iter().zip(locks).enumerate() {
            let (setting, run) = &self.runs[nth];
            let (manifest, warning) = self.checked(nth, old, &pinned, accept_changes, force)?;
            open.push(OpenRun {
                setting: *setting,
                run: run.clone(),
                manifest,
                warning,
                _lock: lock,
            });
        }
        Ok(open)
    }

    /// Refuses runs that were begun as something else; a dry run asks the same. Gives what else there
    /// is to say of them.
    pub async fn check_manifests(&self, accept_changes: bool, force: bool) -> Result<Vec<String>> {
        let began = self.begun_as()?;
        let mut warnings = Vec::new();
        if began.iter().all(Option::is_none) {
            return Ok(warnings);
        }
        let pinned = self.pinned(&began).await;
        for (nth, old) in began.into_iter().enumerate() {
            warnings.extend(self.checked(nth, old, &pinned, accept_changes, force)?.1);
        }
        Ok(warnings)
    }

    /// The manifest that a run goes on with, and what there is to say of it.
    fn checked(
        &self,
        nth: usize,
        old: Option<Manifest>,
        pinned: &Pinned,
        accepts: bool,
        force: bool,
    ) -> Result<(Manifest, Option<String>)> {
        let (setting, run) = &self.runs[nth];
        let mut manifest = self.manifest(*setting, run)?;
        manifest.tasks = pinned.of(old.as_ref());
        let is_left = || -> Result<bool> {
            let passes = self.passes_in_force(force)?;
            let plan = Plan::of(&self.survey(*setting, run)?, true, &passes[nth]);
            Ok(!plan.to_run.is_empty())
        };
        let Some(old) = old else {
            manifest.ask(&self.pairs, None);
            return Ok((manifest, None));
        };
        let changes = changes(&manifest, &old);
        if !changes.is_empty() && !self.has_finished(*setting, run)? {
            manifest.tasks = pinned.of(None);
            manifest.ask(&self.pairs, None);
            let told = begin_anew(&mut manifest, old, run, changes);
            return Ok((manifest, Some(told)));
        }
        manifest.ask(&self.pairs, Some(&old));
        let warning = take_over(&mut manifest, old, run, accepts, is_left)?;
        Ok((manifest, warning))
    }

    /// Whether a trial of a run came to a result that stays: one that stands, of the plan that the run
    /// had or has now, or one that was set aside and may come back.
    fn has_finished(&self, setting: Setting, run: &RunDir) -> Result<bool> {
        let stand = Stand::read(run, &self.rules, &self.prices)?;
        let stands = |surveyed: &[Surveyed]| {
            let plan = Plan::of(surveyed, true, &Pass::default());
            plan.to_run.len() < plan.total()
        };
        let mut trials = stand.books.ledger.entries().iter();
        Ok(trials.any(LedgerEntry::has_finished)
            || stands(&stand.surveyed)
            || stands(&self.survey_all(setting, run)?))
    }

    /// The manifests that the runs have.
    fn begun_as(&self) -> Result<Vec<Option<Manifest>>> {
        self.runs
            .iter()
            .map(|(_, run)| Manifest::read(run))
            .collect()
    }

    /// What the tasks are made of now.
    async fn pinned(&self, began: &[Option<Manifest>]) -> Pinned {
        let old = began.iter().flatten().flat_map(|old| old.tasks.values());
        Pinned::now(&self.config, &self.all, old).await
    }

    fn manifest(&self, setting: Setting, run: &RunDir) -> Result<Manifest> {
        let agent_config = match &self.config.upstream.agent_config {
            Some(path) => Some(digest(&files::read(path)?)),
            None => None,
        };
        Ok(Manifest {
            run: run.name().clone(),
            setting,
            engine: self.options.engine().into(),
            engine_version: self
                .upstream_version()
                .map(|version| format!("cooperbench {version}")),
            agent: self.options.agent().to_owned(),
            model: self.config.experiment.model.clone(),
            backend: self.options.backend().into(),
            git: self.config.experiment.git,
            api_base: self.options.access().other_endpoint(),
            agent_config,
            limits: match &self.options {
                EngineOptions::Upstream(_) => BTreeMap::new(),
                EngineOptions::Native(options) => options.pinned(),
            },
            subset: self.subset.clone(),
            subset_digest: digest_of_pairs(&self.all),
            pairs: self.all.clone(),
            asked: None,
            tasks: BTreeMap::new(),
            prices: self.price_source.clone(),
            priced_as: self
                .prices
                .find(&self.options.access().model)
                .and_then(|found| found.bare.map(str::to_owned)),
            concurrency: Some(self.options.concurrency()),
            regatta: VERSION.to_owned(),
            created_at: jiff::Timestamp::now(),
            judged_by: Vec::new(),
            accepted: Vec::new(),
            begun_anew: Vec::new(),
            args: self.options.args().to_vec(),
        })
    }

    /// Checks the world, cheaply; refuses when a check fails.
    pub async fn preflight(&self, news: &NewsSender) -> Result<()> {
        let checks = preflight::cheap(&self.config, &self.options, &self.pairs).await;
        let mut failed = Vec::new();
        for check in checks {
            match check.level {
                Level::Pass | Level::Warn => news.tell(News::Checked(check)),
                Level::Fail => failed.push(format!(
                    "{}: {}\n    {}",
                    check.name,
                    check.evidence,
                    check.remedy()
                )),
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        Err(
            Error::world(format!("preflight found:\n  {}", failed.join("\n  "))).hint(format!(
                "`{}` shows every check; --no-preflight starts all the same",
                hint::command("doctor")
            )),
        )
    }

    /// The numbers of every run over the pairs that are asked for.
    pub fn summaries_of_asked(&self) -> Result<Vec<Summary>> {
        let of_run = |(_, run): &(Setting, RunDir)| {
            let mut stand = Stand::read(run, &self.rules, &self.prices)?;
            stand.surveyed.retain(|one| self.pairs.contains(&one.pair));
            Ok(Summary::of_run(run, &stand))
        };
        self.runs.iter().map(of_run).collect()
    }

    /// The numbers of every run.
    pub fn summaries(&self) -> Result<Vec<Summary>> {
        self.runs
            .iter()
            .map(|(_, run)| Summary::read(run, &self.rules, &self.prices))
            .collect()
    }
}
