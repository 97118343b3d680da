//! `regatta eval`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::bar::{Bar, lock};
use super::clean::reap;
use super::gold::{self, Grading};
use super::options::{self, RunSelection, set};
use super::present::Present;
use super::ui::Ui;
use super::verdicts::{Ended, Plan};
use crate::bench::setting::RunSetting;
use crate::bench::{Pair, RuleSet, Setting};
use crate::config::{Config, Native};
use crate::demo;
use crate::engine::native::BackendKind;
use crate::error::{Error, Result, exit};
use crate::evaluation::cache::Cache;
use crate::evaluation::clones::Clones;
use crate::evaluation::{Judge, Venue, Verdict};
use crate::hint;
use crate::host;
use crate::model::price::PriceTable;
use crate::report::setting::setting_of_run;
use crate::report::{Format, Summary};
use crate::runner::Interrupt;
use crate::runner::judging::{Finished, Judged, Judging, Told};
use crate::sandbox::docker::{Docker, Endpoint};
use crate::sandbox::{Backend, Limits, namespace};
use crate::store::dataset::DatasetDir;
use crate::store::lock::RunLock;
use crate::store::{Manifest, Pass, RunDir};
use crate::text::{duration, one_line, plural};
use crate::triage::{Cause, Rules};

/// Judge finished pairs by the hidden tests
///
/// Writes upstream's `eval.json` beside each `result.json`. A pair that is judged already is left
/// alone, unless its trial, the dataset or its image is another one by now, or infrastructure broke
/// its evaluation.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Only runs of this setting: solo, coop-comm or coop-nocomm
    #[arg(long, value_name = "SETTING")]
    setting: Option<Setting>,
    /// Only the pairs of this subset
    #[arg(short, long, value_name = "NAME")]
    subset: Option<String>,
    /// Whose rules decide: 0.0.29 or 0.0.11 [default: 0.0.29]
    #[arg(long, value_name = "VERSION", value_parser = rule_sets())]
    rules: Option<RuleSet>,
    /// Pairs at the same time [default: 4]
    #[arg(short, long, value_name = "N")]
    concurrency: Option<String>,
    /// Where suites run: docker, namespace or process [default: where the run's agents had theirs]
    #[arg(long)]
    backend: Option<String>,
    /// The dataset [default: dataset/ in the checkout]
    #[arg(long, value_name = "DIR")]
    dataset_dir: Option<String>,
    /// The time for one feature's suite [default: 10m]
    #[arg(long, value_name = "TIME")]
    suite_timeout: Option<String>,
    /// Judge again what is judged, without what is known of earlier evaluations. Until every pair has
    /// its new verdict, --force goes on with what it has begun
    #[arg(long)]
    force: bool,
    /// Print what would be judged, judge nothing
    #[arg(long)]
    dry_run: bool,
    /// Instead of runs, judge the dataset: list the features whose tests pass on the untouched base,
    /// or fail with the dataset's own patch
    #[arg(long, conflicts_with_all = ["runs", "setting", "dry_run"])]
    gold: bool,
    #[command(flatten)]
    selection: RunSelection,
}

fn rule_sets() -> impl TypedValueParser<Value = RuleSet> {
    PossibleValuesParser::new(RuleSet::ALL.map(|(name, _)| name))
        .try_map(|name| name.parse::<RuleSet>())
}

impl EvalArgs {
    fn config(&self) -> Result<Config> {
        let mut layers = self.selection.layers()?;
        let flags = [
            ("experiment.concurrency", "--concurrency", &self.concurrency),
            ("evaluation.suite_backend", "--backend", &self.backend),
            ("upstream.dataset_dir", "--dataset-dir", &self.dataset_dir),
            (
                "evaluation.suite_timeout",
                "--suite-timeout",
                &self.suite_timeout,
            ),
        ];
        for (key, flag, value) in flags {
            set(&mut layers, key, flag, value.as_ref())?;
        }
        if let Some(rules) = self.rules {
            layers.set("evaluation.rules", rules.name(), "--rules")?;
        }
        layers.config()
    }
}

pub async fn run(args: &EvalArgs, ui: &Ui) -> Result<u8> {
    let config = args.config()?;
    let mut interrupt = Interrupt::listen()?;
    ui.guard(&interrupt);
    if args.gold {
        reap(&config, std::iter::empty(), ui).await?;
        let rules = options::rules(&config)?;
        let subset = args.subset.as_ref().unwrap_or(&config.experiment.subset);
        let grading = Grading {
            subset,
            features: gold::features(&config, subset)?,
            judge: judge(&config, None, &rules, &cache(!args.force)).await?,
            config: &config,
        };
        return grading.grade(&mut interrupt, ui).await;
    }
    let found = args.selection.read(config)?;
    found.say_misnamed(ui);
    let runs: Vec<RunDir> = match args.setting {
        None => found.runs,
        Some(wanted) => {
            let of = |run: &RunDir| -> Result<bool> {
                Ok(setting_of_run(run, Manifest::read(run)?.as_ref())
                    == Some(RunSetting::Of(wanted)))
            };
            let mut chosen = Vec::new();
            for run in found.runs {
                if of(&run)? {
                    chosen.push(run);
                }
            }
            chosen
        }
    };
    let only = match &args.subset {
        None => None,
        Some(name) => {
            let dataset = options::dataset_alone(&found.config)?;
            Some(DatasetDir::open(dataset)?.pairs(name)?)
        }
    };
    let task = Task {
        present: Present::for_verdicts(&found.config, &runs).await,
        config: found.config,
        rules: found.rules,
        prices: found.prices,
        force: args.force,
        only,
    };
    if args.dry_run {
        for (run, pass) in runs.iter().zip(task.passes(&runs, args.force)?) {
            let plan = task.plan(run, &pass)?;
            ui.data(&plan.describe(run))?;
        }
        return Ok(exit::OK);
    }
    let code = task.judge(&runs, &mut interrupt, ui).await?.code;
    let summaries: Vec<_> = runs
        .iter()
        .map(|run| Summary::read(run, &task.rules, &task.prices))
        .collect::<Result<_>>()?;
    ui.data(&Format::Text.render(&summaries))?;
    Ok(code)
}

/// What is judged, and by what.
pub struct Task {
    pub config: Config,
    pub rules: Rules,
    pub prices: PriceTable,
    /// What the verdicts that stand are held against.
    pub present: Present,
    pub force: bool,
    /// The pairs that are looked at; all of them without.
    pub only: Option<Vec<Pair>>,
}

impl Task {
    /// Judges runs one after the other.
    pub async fn judge(
        &self,
        runs: &[RunDir],
        interrupt: &mut Interrupt,
        ui: &Ui,
    ) -> Result<Ended> {
        reap(&self.config, runs.iter(), ui).await?;
        let mut plans = Vec::new();
        let passes = self.passes(runs, self.force)?;
        // Who finishes a forced pass asks as little of what was known before.
        let is_anew = self.force || passes.iter().any(|pass| !pass.pairs.is_empty());
        for (run, pass) in runs.iter().zip(&passes) {
            let plan = self.plan(run, pass)?;
            self.tell_of_pass(run, pass, &plan, ui)?;
            if let Some(again) = plan.says_outdated() {
                ui.warn(format!("{}: {again}", run.name()));
            }
            if plan.others > 0 {
                ui.warn(format!(
                    "{}: {} judged by other rules than {}; their verdicts are not comparable, and --force judges them again",
                    run.name(),
                    plural(plan.others, "pair"),
                    self.config.evaluation.rules
                ));
            }
            plans.push(plan);
        }
        if plans.iter().all(|plan| plan.open.is_empty()) {
            if is_anew {
                self.close(runs, &HashMap::new(), ui)?;
            }
            ui.say("nothing to judge");
            return Ok(Ended {
                code: exit::OK,
                is_over: true,
            });
        }
        let cache = cache(!is_anew);
        let (mut code, mut is_over) = (exit::OK, true);
        let mut settled = HashMap::new();
        // All of the passes are written before any verdict is replaced: killed at any moment, the
        // same command goes on with what it had begun.
        let mut locks = HashMap::new();
        if self.force {
            for (run, pass) in runs.iter().zip(&passes) {
                locks.insert(run.name(), RunLock::take(run)?);
                if !pass.pairs.is_empty() {
                    pass.write(&run.eval_pass())?;
                }
            }
        }
        for (run, plan) in runs.iter().zip(plans) {
            if plan.open.is_empty() {
                continue;
            }
            let _lock = match locks.remove(run.name()) {
                Some(lock) => lock,
                None => RunLock::take(run)?,
            };
            // Where its agents' commands ran, unless something else is asked for.
            let manifest = Manifest::read(run)?;
            let backend = manifest.map(|manifest| manifest.backend);
            let mut judge = judge(&self.config, backend, &self.rules, &cache).await?;
            if !plan.open.iter().all(|finished| finished.tree.is_solo()) {
                judge.clones = clones(&judge.venue.backend, &self.config.native).await?;
            }
            let judge = Arc::new(judge);
            note_rules(run, self.config.evaluation.rules)?;
            let ended = self.one(run, plan, &judge, interrupt, ui).await;
            judge.venue.backend.close().await;
            let ended = ended?;
            if let Some(why) = ended.daemon_gone {
                return Err(Error::world(format!(
                    "the Docker daemon is gone: {}",
                    one_line(&why, 300)
                ))
                .hint("what was judged is kept; start the daemon, and the same command goes on"));
            }
            if ended.stopped {
                ui.say("interrupted; the same command goes on");
                (code, is_over) = (exit::INTERRUPTED, false);
                break;
            }
            if ended.troubles > 0 {
                code = exit::ERRORS;
            }
            is_over &= ended.troubles == ended.settled.len();
            settled.insert(run.name(), ended.settled);
        }
        drop(locks);
        if is_anew && is_over {
            self.close(runs, &settled, ui)?;
        }
        Ok(Ended { code, is_over })
    }

    /// Says how far a forced pass is that goes on, and that one by other rules is not done.
    fn tell_of_pass(&self, run: &RunDir, pass: &Pass, plan: &Plan, ui: &Ui) -> Result<()> {
        let covered = |one: &&Finished| pass.covers(&one.pair);
        let left = plan.open.iter().filter(covered).count();
        let all = pass.pairs.len();
        if left > 0 && left < all {
            ui.say(format!(
                "{}: the forced evaluation begun at {:.0} goes on: {left} of its {} left",
                run.name(),
                pass.begun_at,
                plural(all, "pair")
            ));
        }
        if let Some(again) = plan.replaces() {
            ui.say(format!("{}: {again}", run.name()));
        }
        let other = Pass::read_open(&run.eval_pass())?;
        let ours = self.config.evaluation.rules.name();
        if let Some(rules) = other.rules.filter(|rules| rules != ours) {
            let name = run.name();
            let rest = hint::command(&format!("eval {name} --rules {rules}"));
            ui.warn(format!(
                "{name}: a forced evaluation by the rules of {rules} is not finished; `{rest}` finishes it"
            ));
        }
        Ok(())
    }

    async fn one(
        &self,
        run: &RunDir,
        plan: Plan,
        judge: &Arc<Judge>,
        interrupt: &mut Interrupt,
        ui: &Ui,
    ) -> Result<Judged> {
        let total = plan.open.len();
        let again = match plan.again + plan.outdated.len() {
            0 => String::new(),
            again => format!(" ({again} of them again)"),
        };
        ui.say(format!(
            "{}: {} to judge by the rules of {}{again}, {} judged already",
            run.name(),
            plural(total, "pair"),
            self.config.evaluation.rules,
            plan.judged
        ));
        let attempts = &self.config.attempts;
        let judging = Arc::new(Judging {
            judge: Arc::clone(judge),
            run: run.clone(),
            rules: Arc::new(self.rules.clone()),
            concurrency: self.config.experiment.concurrency,
            tries: attempts.max_attempts,
            backoff: (attempts.backoff, attempts.backoff_max),
        });
        let tally = Tally::begin(ui, run.name().as_str(), total);
        let told = Arc::clone(&tally);
        let tell = move |what| lock(&told).take_in(what);
        let ended = judging.all(plan.open, interrupt, Arc::new(tell)).await;
        lock(&tally).bar.finish();
        ended
    }
}

/// How far the judging of a run is.
struct Tally {
    bar: Bar,
    passed: usize,
    failed: usize,
    errors: usize,
}

impl Tally {
    fn begin(ui: &Ui, run: &str, total: usize) -> Arc<Mutex<Self>> {
        let mut tally = Self {
            bar: Bar::new(ui.clone()),
            passed: 0,
            failed: 0,
            errors: 0,
        };
        tally.bar.begin(run, 0, total);
        tally.bar.draw(tally.counts(" · "));
        Arc::new(Mutex::new(tally))
    }

    fn counts(&self, between: &str) -> String {
        let Self {
            passed,
            failed,
            errors,
            ..
        } = self;
        let errors = plural(*errors, "error");
        format!("{passed} pass{between}{failed} fail{between}{errors}")
    }

    fn take_in(&mut self, told: Told) {
        match told {
            Told::Note(text) => self.bar.line(text),
            Told::Again { pair, why } => self.bar.line(format_args!("  {pair}  again: {why}")),
            Told::Judged {
                pair,
                verdict,
                why,
                took,
            } => {
                let (count, word) = match verdict {
                    Verdict::Pass => (&mut self.passed, "pass"),
                    Verdict::Fail => (&mut self.failed, "fail"),
                    Verdict::Error(_) => (&mut self.errors, "error"),
                };
                *count += 1;
                self.bar.step();
                let why = if why.is_empty() {
                    why
                } else {
                    format!("  ({why})")
                };
                let took = duration(took.as_secs_f64());
                let (position, counts) = (self.bar.position(), self.counts(", "));
                self.bar.line(format_args!(
                    "  {pair}  {word}  {took}  [{position}, {counts}]{why}"
                ));
                self.bar.draw(self.counts(" · "));
            }
        }
    }
}

/// Notes the rule set in the run's manifest, where it has one.
fn note_rules(run: &RunDir, rules: RuleSet) -> Result<()> {
    let Some(mut manifest) = Manifest::read(run)? else {
        return Ok(());
    };
    let name = rules.name().to_owned();
    if manifest.judged_by.contains(&name) {
        return Ok(());
    }
    manifest.judged_by.push(name);
    manifest.write(run)
}

/// What an evaluation keeps for later ones, in the user's cache: outcomes of suites and merges, and
/// clones of tasks' bases. All of it can be made again.
pub const KEPT: [&str; 2] = [SUITES, CLONES];
const SUITES: &str = "suites";
const CLONES: &str = "clones";

/// Where one of [`KEPT`] is, for a user with a cache.
pub fn kept(name: &str) -> Option<PathBuf> {
    demo::cache_dir().map(|dir| dir.join("regatta").join(name))
}

/// What is known of earlier evaluations.
pub fn cache(reads: bool) -> Arc<Cache> {
    Arc::new(Cache::new(kept(SUITES), reads))
}

/// Where patches are merged without a container, if suites have one and this machine has such a
/// place.
async fn clones(suites: &Backend, native: &Native) -> Result<Option<Clones>> {
    let (Backend::Docker(_), Some(dir)) = (suites, kept(CLONES)) else {
        return Ok(None);
    };
    if namespace::check().await.is_err() {
        return Ok(None);
    }
    let backend = host::backend(BackendKind::Namespace, &native.rootfs)?;
    let limits = Limits::of_config(native, true);
    Ok(Some(Clones::new(dir, backend, &limits)))
}

/// The judge that a configuration means, on a backend that is there: the one that is asked for, the
/// run's, or the configuration's.
pub async fn judge(
    config: &Config,
    of_run: Option<String>,
    rules: &Rules,
    cache: &Arc<Cache>,
) -> Result<Judge> {
    let asked = config.evaluation.suite_backend.clone();
    let name = asked.or(of_run);
    let name = name.as_ref().unwrap_or(&config.experiment.backend);
    let kind = BackendKind::ALL.iter().find(|(known, _)| known == name);
    let kind = match kind {
        Some((_, kind @ (BackendKind::Docker | BackendKind::Namespace | BackendKind::Process))) => {
            *kind
        }
        _ => {
            return Err(Error::usage(format!("no suite runs with --backend {name}"))
                .hint("docker, namespace and process are there"));
        }
    };
    let dataset = options::dataset_alone(config)?;
    match kind {
        BackendKind::Docker => {
            Docker::at(Endpoint::from_environment()?)?.version().await?;
        }
        BackendKind::Namespace => namespace::check().await?,
        BackendKind::Process | BackendKind::Fake => {}
    }
    let native = &config.native;
    let rules = rules.clone();
    Ok(Judge {
        venue: Venue {
            backend: host::backend(kind, &native.rootfs)?,
            limits: Arc::new(Limits::of_config(native, kind == BackendKind::Namespace)),
            dataset: std::path::absolute(&dataset).unwrap_or(dataset),
            workspaces: native.workspaces.clone(),
        },
        rules: config.evaluation.rules,
        timeout: config.evaluation.suite_timeout,
        cache: Arc::clone(cache),
        clones: None,
        of_infrastructure: Arc::new(move |line| {
            let rule = rules.find(line, None)?;
            (rule.cause == Cause::Infra).then(|| rule.id.clone())
        }),
    })
}
