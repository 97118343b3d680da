//! The runs asked for together: planned together, opened together.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::arms::{self, OtherRun, PlannedArm, PlannedRun};
use super::filter::{Among, PairFilter};
use super::news::{News, NewsSender};
use super::pins::{Pinned, begin_anew, changes, take_over};
use super::setup;
use crate::bench::run_name::prefix_of_model;
use crate::bench::{Pair, RunName};
use crate::config::{Config, ExecutorKind};
use crate::engine::EngineOptions;
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
use crate::store::manifest::{GivenCommand, digest, digest_of_pairs};
use crate::store::{LedgerEntry, LogTree, Manifest, Pass, RunDir, SubsetRef};
use crate::survey::{Stand, Surveyed};
use crate::text::plural;
use crate::triage::Rules;
use crate::version::VERSION;

/// An experiment as planned: its runs, and all that they are run with.
#[derive(Debug)]
pub struct Experiment {
    /// The configuration that it was planned from, for what is the same in all arms.
    pub config: Config,
    /// The first part of its runs' names.
    pub name: String,
    /// The arms that are asked for, each ready to run.
    pub arms: Vec<Arc<PlannedArm>>,
    /// What there is to say of the plan, though it stands.
    pub notes: Vec<String>,
    /// The subset's name.
    pub subset: String,
    /// Every pair of the subset, in its order: the plan of each run.
    pub all: Vec<Pair>,
    /// Those of them that are asked for, in the same order: what runs, and what the end is about.
    pub pairs: Vec<Pair>,
    /// What narrowed them down.
    pub filter: PairFilter,
    /// The runs, in the order in which they run.
    pub runs: Vec<PlannedRun>,
    /// Runs of this experiment that are there and not asked for: they count for the budget.
    pub others: Vec<OtherRun>,
    /// The rules of triage: the shipped ones, and the user's if the configuration names a file.
    pub rules: Rules,
    /// Prices in USD per token, wherever a model is asked.
    pub prices: PriceTable,
    /// The command that asks for it, to be kept in the manifests.
    pub command: Option<GivenCommand>,
    price_source: String,
    tree: LogTree,
}

/// What of the configured experiment a command is about.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The pairs.
    pub pairs: PairFilter,
    /// The arms, by name; none means all.
    pub arms: Vec<String>,
}

/// A run that is locked, with its manifest checked.
#[derive(Debug)]
pub struct OpenRun {
    pub(super) planned: PlannedRun,
    pub(super) manifest: Manifest,
    /// What there is to say of it, though it goes on.
    pub(super) warning: Option<String>,
    _lock: RunLock,
}

impl OpenRun {
    /// Its arm.
    #[must_use]
    pub fn arm(&self) -> &PlannedArm {
        &self.planned.arm
    }

    /// The run's place in the log tree.
    #[must_use]
    pub const fn run(&self) -> &RunDir {
        &self.planned.run
    }
}

impl Experiment {
    /// Plans an experiment from the dataset and what is installed; writes nothing.
    ///
    /// A dry run does without an installed CLI: it says so, and plans for the experiment's version.
    pub fn plan(config: &Config, scope: &Scope, dry_run: bool) -> Result<Self> {
        let arms = config.arms(&scope.arms)?;
        let dataset = DatasetDir::open(setup::dataset_alone(config)?)?;
        let all = dataset.pairs(&config.experiment.subset)?;
        let subset = SubsetRef::of(&config.experiment.subset).name();
        let pairs = scope.pairs.of(&all, Among::Subset(&subset, &dataset))?;
        let name = match &config.experiment.name {
            Some(name) => name.clone(),
            None => prefix_of_model(&config.experiment.model),
        };
        // Checked before the arm's name is added, so that the message shows what was typed.
        name.parse::<RunName>()?;
        let mut notes = Vec::new();
        let (prices, price_source) = setup::prices(config)?;
        let arms = arms::arms(config, &arms, &prices, &pairs, dry_run, &mut notes)?;
        let tree = setup::log_tree(config);
        let runs = arms::runs(&tree, &name, &arms, config)?;
        notes.extend(runs.notes);
        if let Some(gold) = Gold::read(tree.path())? {
            let spoiled = pairs.iter().filter(|pair| gold.spoils(pair)).count();
            if spoiled > 0 {
                notes.push(format!(
                    "{} with a feature that cannot be graded (listed in {})",
                    plural(spoiled, "pair"),
                    Gold::path(tree.path()).display()
                ));
            }
        }
        Ok(Self {
            config: config.clone(),
            name,
            arms,
            notes,
            subset,
            all,
            pairs,
            filter: scope.pairs.clone(),
            runs: runs.asked,
            others: runs.others,
            rules: setup::rules(config)?,
            prices,
            command: None,
            price_source,
            tree,
        })
    }

    /// Whether only some pairs of the subset are asked for.
    #[must_use]
    pub const fn is_filtered(&self) -> bool {
        self.pairs.len() < self.all.len()
    }

    /// Whether sandboxes of an arm are containers, made by a daemon from the tasks' images.
    #[must_use]
    pub fn uses_docker(&self) -> bool {
        let mut arms = self.arms.iter();
        arms.any(|arm| arm.options.backend().needs_daemon())
    }

    /// Locks every run and checks that each is what it was begun as; refuses before anything runs.
    pub async fn open(&self, accept_changes: bool, force: bool) -> Result<Vec<OpenRun>> {
        files::check_writable(self.tree.path()).map_err(|error| {
            error
                .into_usage()
                .hint("--logs-dir names another place for the log tree")
        })?;
        let mut locks = Vec::new();
        for one in &self.runs {
            locks.push(RunLock::take(&one.run).map_err(Error::into_usage)?);
        }
        let began = self.begun_as()?;
        let pinned = self.pinned(&began).await;
        let mut open = Vec::new();
        for (nth, (old, lock)) in began.into_iter().zip(locks).enumerate() {
            let (manifest, warning) = self.checked(nth, old, &pinned, accept_changes, force)?;
            open.push(OpenRun {
                planned: self.runs[nth].clone(),
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
        let planned = &self.runs[nth];
        let run = &planned.run;
        let mut manifest = self.manifest(planned)?;
        manifest.tasks = pinned.of(old.as_ref());
        let is_left = || -> Result<bool> {
            let passes = self.passes_in_force(force)?;
            let plan = Plan::of(&self.survey(planned)?, true, &passes[nth]);
            Ok(!plan.to_run.is_empty())
        };
        let Some(old) = old else {
            manifest.ask(&self.pairs, None);
            return Ok((manifest, None));
        };
        let changes = changes(&manifest, &old);
        if !changes.is_empty() && !self.has_finished(planned)? {
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
    fn has_finished(&self, one: &PlannedRun) -> Result<bool> {
        let stand = Stand::read(&one.run, &self.rules, &one.arm.prices)?;
        let stands = |surveyed: &[Surveyed]| {
            let plan = Plan::of(surveyed, true, &Pass::default());
            plan.to_run.len() < plan.total()
        };
        let mut trials = stand.books.ledger.entries().iter();
        Ok(trials.any(LedgerEntry::has_finished)
            || stands(&stand.surveyed)
            || stands(&self.survey_all(one)?))
    }

    /// The manifests that the runs have.
    fn begun_as(&self) -> Result<Vec<Option<Manifest>>> {
        self.runs
            .iter()
            .map(|one| Manifest::read(&one.run))
            .collect()
    }

    /// What the tasks are made of now.
    async fn pinned(&self, began: &[Option<Manifest>]) -> Pinned {
        let old = began.iter().flatten().flat_map(|old| old.tasks.values());
        let kinds = self.arms.iter().map(|arm| arm.options.backend());
        Pinned::now(&self.config, kinds, &self.all, old).await
    }

    fn manifest(&self, one: &PlannedRun) -> Result<Manifest> {
        let arm = &one.arm;
        let agent_config = match &arm.config.upstream.agent_config {
            Some(path) => Some(digest(&files::read(path)?)),
            None => None,
        };
        Ok(Manifest {
            run: one.run.name().clone(),
            experiment: Some(self.name.clone()),
            arm: Some(arm.name.clone()),
            repeat: Some(one.repeat),
            setting: arm.setting,
            engine: arm.options.engine().into(),
            engine_version: arm
                .options
                .upstream_version()
                .map(|version| format!("cooperbench {version}")),
            agent: arm.options.agent().to_owned(),
            model: arm.config.experiment.model.clone(),
            backend: arm.options.backend().into(),
            git: arm.config.experiment.git,
            api_base: arm.options.access().other_endpoint(),
            agent_config,
            limits: pinned_limits(arm),
            subset: self.subset.clone(),
            subset_digest: digest_of_pairs(&self.all),
            pairs: self.all.clone(),
            asked: None,
            tasks: BTreeMap::new(),
            prices: self.price_source.clone(),
            priced_as: arm
                .prices
                .find(&arm.options.access().model)
                .and_then(|found| found.bare.map(str::to_owned)),
            concurrency: Some(arm.options.concurrency()),
            regatta: VERSION.to_owned(),
            created_at: jiff::Timestamp::now(),
            judged_by: Vec::new(),
            accepted: Vec::new(),
            begun_anew: Vec::new(),
            set: Vec::new(),
            command: self.command.clone(),
            args: arm.options.args().to_vec(),
        })
    }

    /// Checks the world, cheaply, for every arm of which something is left to run; refuses when a
    /// check fails. An endpoint is looked at once.
    pub async fn preflight(&self, force: bool, news: &NewsSender) -> Result<()> {
        let outlook = self.outlook(&self.passes_in_force(force)?)?;
        let mut of_arms = Vec::new();
        let mut looked_at = HashMap::new();
        for arm in &self.arms {
            let of_arm = outlook.runs.iter().filter(|run| run.arm == arm.name);
            let left: HashSet<&Pair> = of_arm.flat_map(|run| &run.to_run).collect();
            if left.is_empty() {
                continue;
            }
            let left = self.pairs.iter().filter(|pair| left.contains(pair));
            let left: Vec<Pair> = left.cloned().collect();
            let mut checks = preflight::cheap(&arm.config, &arm.options, &left).await;
            if arm.config.executor.executor == ExecutorKind::Slurm {
                checks.extend(preflight::slurm(&arm.config, &self.tree).await);
            }
            let endpoint = (arm.options.engine(), arm.options.access().shown_endpoint());
            if !looked_at.contains_key(&endpoint) {
                let found = preflight::connection(&arm.config, &arm.options).await;
                looked_at.insert(endpoint.clone(), found);
            }
            checks.extend(looked_at[&endpoint].clone());
            of_arms.push((arm.name.as_str(), checks));
        }
        let mut failed = Vec::new();
        for check in preflight::of_all(of_arms) {
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
        let of_run = |one: &PlannedRun| {
            let mut stand = Stand::read(&one.run, &self.rules, &one.arm.prices)?;
            stand.surveyed.retain(|one| self.pairs.contains(&one.pair));
            Ok(Summary::of_run(&one.run, &stand))
        };
        self.runs.iter().map(of_run).collect()
    }

    /// The numbers of every run.
    pub fn summaries(&self) -> Result<Vec<Summary>> {
        self.runs
            .iter()
            .map(|one| Summary::read(&one.run, &self.rules, &one.arm.prices))
            .collect()
    }
}

/// What trials may use, by name: with other limits it is another experiment.
fn pinned_limits(arm: &PlannedArm) -> BTreeMap<String, Value> {
    let mut limits = match &arm.options {
        // What a stall ends leaves no result: `stall_timeout` is none of these.
        EngineOptions::Upstream(_) => BTreeMap::new(),
        EngineOptions::Native(options) => options.pinned(),
    };
    // Both engines end a trial after it; zero is no limit.
    let seconds = arm.config.limits.task_timeout.as_secs_f64();
    limits.insert("task_timeout_seconds".to_owned(), seconds.into());
    limits
}
