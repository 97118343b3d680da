//! The runs asked for together: planned together, opened together, run one after the other.

use std::collections::BTreeMap;

use super::pins::{Keeper, Pinned, take_over};
use super::refusal::FirstRefusal;
use crate::bench::run_name::prefix_of_model;
use crate::bench::{Pair, RunName, Setting};
use crate::cli::eval::Task;
use crate::cli::options;
use crate::cli::present::Present;
use crate::cli::progress;
use crate::cli::ui::Ui;
use crate::cli::verdicts::Ended;
use crate::config::Config;
use crate::engine::{Options, native, upstream};
use crate::error::{Error, Kind, Result, exit};
use crate::executor::Here;
use crate::files;
use crate::hint;
use crate::model::price::PriceTable;
use crate::report::{Format, Outcome, Summary};
use crate::runner::preflight::{self, Level};
use crate::runner::{Interrupt, Plan, Policy, RunEnd, Runner, Sink};
use crate::store::dataset::DatasetDir;
use crate::store::gold::Gold;
use crate::store::lock::RunLock;
use crate::store::manifest::{digest, digest_of_pairs};
use crate::store::{Ledger, LogTree, Manifest, Pass, RunDir, restore};
use crate::text::plural;
use crate::triage::Rules;

/// An experiment as planned.
#[derive(Debug)]
pub struct Experiment {
    pub config: Config,
    pub options: Options,
    pub notes: Vec<String>,
    pub subset: String,
    pub pairs: Vec<Pair>,
    pub runs: Vec<(Setting, RunDir)>,
    pub rules: Rules,
    pub prices: PriceTable,
    price_source: String,
    tree: LogTree,
}

/// A run that is locked, with its manifest checked.
pub struct OpenRun {
    setting: Setting,
    run: RunDir,
    manifest: Manifest,
    /// What there is to say of it, though it goes on.
    warning: Option<String>,
    _lock: RunLock,
}

impl Experiment {
    /// Plans an experiment from the dataset and what is installed; writes nothing.
    ///
    /// A dry run does without an installed CLI: it says so, and plans for the experiment's version.
    pub fn plan(config: &Config, smoke: Option<usize>, dry_run: bool) -> Result<Self> {
        let dataset = options::dataset(config)?;
        let all = DatasetDir::open(dataset.clone())?.pairs(&config.experiment.subset)?;
        let (prices, price_source) = options::prices(config)?;
        let (mut options, mut notes) = options::of_engine(config, dataset, &prices, dry_run)?;
        if let (Options::Upstream(options), true) = (&mut options, smoke.is_some()) {
            options.subset = None;
        }
        let (pairs, subset) = first_pairs(all, &config.experiment.subset, smoke)?;
        if let Options::Native(options) = &options {
            options.check_workspaces(&pairs)?;
        }
        let mut prefix = match &config.experiment.name {
            Some(name) => name.clone(),
            None => prefix_of_model(&config.experiment.model),
        };
        // Checked before the setting's name is added, so that the message shows what was typed.
        prefix.parse::<RunName>()?;
        if let Some(n) = smoke {
            prefix = format!("{prefix}-smoke{n}");
        }
        let tree = options::log_tree(config);
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
            pairs,
            runs,
            rules: options::rules(config)?,
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
            Options::Upstream(options) => options.version,
            Options::Native(_) => None,
        }
    }

    /// Whether containers are made.
    #[must_use]
    pub fn uses_docker(&self) -> bool {
        match &self.options {
            Options::Upstream(_) => true,
            Options::Native(options) => options.backend == native::BackendKind::Docker,
        }
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
        let warning = match old {
            Some(old) => take_over(&mut manifest, old, run, accepts, is_left)?,
            None => None,
        };
        Ok((manifest, warning))
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
        Pinned::now(&self.config, &self.pairs, old).await
    }

    fn manifest(&self, setting: Setting, run: &RunDir) -> Result<Manifest> {
        let agent_config = match &self.config.upstream.agent_config {
            Some(path) => Some(digest(&files::read(path)?)),
            None => None,
        };
        Ok(Manifest {
            run: run.name().clone(),
            setting,
            engine: self.options.engine().to_owned(),
            engine_version: self
                .upstream_version()
                .map(|version| format!("cooperbench {version}")),
            agent: self.options.agent().to_owned(),
            model: self.config.experiment.model.clone(),
            backend: self.options.backend().to_owned(),
            git: self.config.experiment.git,
            api_base: self.options.access().other_endpoint(),
            agent_config,
            limits: match &self.options {
                Options::Upstream(_) => BTreeMap::new(),
                Options::Native(options) => options.pinned(),
            },
            subset: self.subset.clone(),
            subset_digest: digest_of_pairs(&self.pairs),
            pairs: self.pairs.clone(),
            tasks: BTreeMap::new(),
            prices: self.price_source.clone(),
            priced_as: self
                .prices
                .find(&self.options.access().model)
                .and_then(|found| found.bare.map(str::to_owned)),
            concurrency: Some(self.options.concurrency()),
            regatta: crate::cli::VERSION.to_owned(),
            created_at: jiff::Timestamp::now(),
            judged_by: Vec::new(),
            accepted: Vec::new(),
        })
    }

    /// Checks the world, cheaply; refuses when a check fails.
    pub async fn preflight(&self, ui: &Ui) -> Result<()> {
        let checks = preflight::cheap(&self.config, &self.options, &self.pairs).await;
        let mut failed = Vec::new();
        for check in checks {
            match check.level {
                Level::Pass => ui.detail(format!("{}: {}", check.name, check.evidence)),
                Level::Warn => ui.warn(format!(
                    "{}: {}; {}",
                    check.name, check.evidence, check.remedy
                )),
                Level::Fail => failed.push(format!(
                    "{}: {}\n    {}",
                    check.name, check.evidence, check.remedy
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

    /// Runs the settings in order; stops at the first that the world, the budget or the user ends.
    pub async fn run(
        &self,
        runs: Vec<OpenRun>,
        force: bool,
        interrupt: &Interrupt,
        ui: &Ui,
    ) -> Result<RunEnd> {
        for note in &self.notes {
            ui.warn(note);
        }
        let mut worst = RunEnd::Complete;
        for open in &runs {
            open.manifest.write(&open.run)?;
            if let Some(warning) = &open.warning {
                ui.warn(warning);
            }
        }
        for open in &runs {
            restore::finish(&open.run)?;
        }
        // All of them before anything is set aside in any: killed at any moment, the same command
        // goes on with what it had begun.
        let passes = self.passes_in_force(force)?;
        if force {
            // A pass that can do nothing is not begun.
            if self.is_spent_before(&passes)? {
                return Ok(RunEnd::Budget);
            }
            for (open, pass) in runs.iter().zip(&passes) {
                pass.write(&open.run.pass())?;
            }
        } else {
            for (setting, run) in &self.runs {
                if let Some(held) = self.held(*setting, run)? {
                    ui.say(held);
                }
            }
        }
        let (observer, events) = tokio::sync::mpsc::unbounded_channel();
        let shown = tokio::spawn(progress::show(ui.clone(), events));
        let mut failure = None;
        for (open, pass) in runs.iter().zip(passes) {
            let refusal = FirstRefusal::new(self.rules.clone(), &self.options);
            let keeper = Keeper::begin(
                open.run.clone(),
                &self.pairs,
                &self.config,
                refusal,
                observer.clone(),
            );
            let sink = Sink::new(open.run.clone(), keeper.observer());
            let ended = self.run_one(open, pass, sink, interrupt).await;
            keeper.end().await;
            match ended {
                Ok(RunEnd::Complete) => {}
                Ok(RunEnd::Errors) => worst = RunEnd::Errors,
                Ok(end) => {
                    worst = end;
                    break;
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        drop(observer);
        // The terminal's side ends with the channel.
        let _ = shown.await;
        failure.map_or(Ok(worst), Err)
    }

    async fn run_one(
        &self,
        open: &OpenRun,
        pass: Pass,
        sink: Sink,
        interrupt: &Interrupt,
    ) -> Result<RunEnd> {
        let ready = Here::ready(&self.config, &self.options, &self.rules, open.setting);
        let here = match ready.await {
            Ok(here) => here,
            Err(error) if error.kind() == Kind::World => {
                return Ok(RunEnd::World(format!(
                    "{error}; {}",
                    error.hints().join("; ")
                )));
            }
            Err(error) => return Err(error),
        };
        if let Some(url) = here.private_redis() {
            sink.emit(crate::runner::Event::Note {
                text: format!("a private Redis serves {} at {url}", open.run.name()),
            });
        }
        let mut runner = Runner {
            run: open.run.clone(),
            setting: open.setting,
            pairs: self.pairs.clone(),
            policy: self.policy(&open.run)?,
            rules: self.rules.clone(),
            prices: self.prices.clone(),
            ledger: Ledger::open(&open.run)?,
            sink: sink.clone(),
            interrupt: interrupt.clone(),
            pass,
            facts: std::cell::RefCell::default(),
        };
        let end = runner.run(&here).await?;
        sink.emit(crate::runner::Event::RunEnded {
            run: open.run.name().clone(),
            end: end.name().to_owned(),
        });
        Ok(end)
    }

    fn policy(&self, run: &RunDir) -> Result<Policy> {
        let mut elsewhere = 0.0;
        for (setting, other) in self
            .runs
            .iter()
            .filter(|(_, other)| other.name() != run.name())
        {
            elsewhere += self.spent_on(*setting, other)?;
        }
        let config = &self.config;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of GB"
        )]
        let min_free_bytes = (config.limits.min_free_disk_gb * 1e9) as u64;
        Ok(Policy {
            max_attempts: config.attempts.max_attempts,
            concurrency: self.options.concurrency(),
            backoff: config.attempts.backoff,
            backoff_max: config.attempts.backoff_max,
            max_wait: config.attempts.max_wait,
            breaker_trials: config.breaker.breaker_trials,
            budget: config.limits.budget.map(|budget| (budget, elsewhere)),
            min_free_bytes,
            grace: config.limits.grace,
        })
    }

    /// Judges what finished.
    pub async fn judge(&self, force: bool, interrupt: &mut Interrupt, ui: &Ui) -> Result<Ended> {
        let runs: Vec<RunDir> = self.runs.iter().map(|(_, run)| run.clone()).collect();
        let task = Task {
            present: Present::for_verdicts(&self.config, &runs).await,
            config: self.config.clone(),
            rules: self.rules.clone(),
            prices: self.prices.clone(),
            force,
            only: None,
        };
        task.judge(&runs, interrupt, ui).await
    }

    /// The numbers of every run.
    pub fn summaries(&self) -> Result<Vec<Summary>> {
        self.runs
            .iter()
            .map(|(_, run)| Summary::read(run, &self.rules, &self.prices))
            .collect()
    }

    /// Prints the report and what the end means; gives the exit code.
    pub fn conclude(&self, end: &RunEnd, ui: &Ui) -> Result<u8> {
        let summaries = self.summaries()?;
        ui.data(&Format::Text.render(&summaries))?;
        Ok(match end {
            RunEnd::Complete => exit::OK,
            RunEnd::Errors => {
                let open: usize = summaries.iter().map(Summary::unfinished).sum();
                let count =
                    |outcome| -> usize { summaries.iter().map(|it| it.count_of(outcome)).sum() };
                let infra = count(Outcome::InfraError) + count(Outcome::LimitError);
                // Another attempt changes nothing of what is the agents' own.
                let what_next = if count(Outcome::AgentError) == open {
                    "says why; they are the agents' own errors, and stay"
                } else {
                    "says why, and the same command tries again"
                };
                let names: Vec<&str> = summaries.iter().map(|one| one.run.as_str()).collect();
                let why = hint::command(&format!("triage --explain {}", names.join(" ")));
                ui.warn(format!(
                    "{} did not finish, {infra} of them for infrastructure; `{why}` {what_next}",
                    plural(open, "pair")
                ));
                exit::ERRORS
            }
            RunEnd::World(why) => {
                ui.error(
                    &Error::world(why)
                        .hint("what ran is kept; mend this, and the same command goes on (with --accept-changes when it was the model or the endpoint)"),
                );
                exit::WORLD
            }
            RunEnd::Limit(why) => {
                ui.error(&Error::world(why).hint(
                    "what ran is kept; the same command goes on from then, or --max-wait waits longer",
                ));
                exit::WORLD
            }
            RunEnd::Budget => {
                ui.warn("the budget is spent; what ran is kept, and the same command with a larger --budget goes on");
                exit::BUDGET
            }
            RunEnd::Interrupted => {
                ui.say("interrupted; the same command resumes");
                exit::INTERRUPTED
            }
        })
    }
}

fn first_pairs(all: Vec<Pair>, subset: &str, smoke: Option<usize>) -> Result<(Vec<Pair>, String)> {
    let Some(n) = smoke else {
        return Ok((all, subset.to_owned()));
    };
    if n == 0 || n > all.len() {
        return Err(Error::usage(format!(
            "--smoke {n}: the subset `{subset}` has {}, so give 1 to {}",
            plural(all.len(), "pair"),
            all.len()
        )));
    }
    let pairs = all.into_iter().take(n).collect();
    Ok((pairs, format!("{subset}, first {n}")))
}
