//! `regatta eval`.

use std::fmt::Write as _;

use clap::Args;

use super::listing::one_of;
use super::options::{RunSelection, set};
use super::picking::PairArgs;
use super::ui::Ui;
use super::{gold, news, report, tree, width};
use crate::bench::setting::RunSetting;
use crate::bench::{BackendKind, RuleSet, Setting, Word};
use crate::config::{Config, Layers};
use crate::error::{Result, exit};
use crate::experiment::gold::{Grading, features};
use crate::experiment::judge::{cache, judge};
use crate::experiment::leftovers::reap;
use crate::experiment::{Among, JudgingEnd, NewsSender, Present, ToJudge, Verdicts, setup};
use crate::report::Summary;
use crate::report::setting::setting_of_run;
use crate::runner::Interrupt;
use crate::store::dataset::DatasetDir;
use crate::store::{Manifest, RunDir};
use crate::text::plural;

const EXAMPLES: &str = "\
Examples:
  regatta eval                                # every run that has results
  regatta eval command-a-solo --rules 0.0.11  # one run, by the other rule set
  regatta eval --pair dspy/8394/f3_f5         # one pair, in every run
  regatta eval --alone                        # and where pairs failed: with an agent, or together
  regatta eval --gold --subset lite           # which features can be judged at all";

/// Judge finished pairs by the hidden tests
///
/// Writes upstream's `eval.json` beside each `result.json`. A pair that is judged already is left
/// alone, unless its trial, the dataset or its image is another one by now, or infrastructure broke
/// its evaluation.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct EvalArgs {
    /// Only runs of this setting
    #[arg(long, value_name = "SETTING", value_parser = one_of::<Setting>())]
    setting: Option<Setting>,
    /// Only the pairs of this subset: a name in the dataset's subsets/, or the path of a file
    #[arg(short, long, value_name = "NAME")]
    subset: Option<String>,
    /// Whose rules decide [default: 0.0.29]
    #[arg(long, value_name = "VERSION", value_parser = one_of::<RuleSet>())]
    rules: Option<RuleSet>,
    /// Pairs at the same time [default: 4]
    #[arg(short, long, value_name = "N")]
    concurrency: Option<String>,
    /// Where suites run [default: where the run's agents had theirs]
    #[arg(long)]
    backend: Option<Word<BackendKind>>,
    /// The dataset [default: dataset/ in the checkout]
    #[arg(long, value_name = "DIR")]
    dataset_dir: Option<String>,
    /// The time for one feature's suite [default: 10m]
    #[arg(long, value_name = "TIME")]
    suite_timeout: Option<String>,
    /// Judge again what is judged, and read nothing from the cache of earlier evaluations. If it is
    /// stopped, the next eval judges the rest, with --force or without. Once that is done, --force judges
    /// all again
    #[arg(long)]
    force: bool,
    /// Judge each agent's patch by itself too, against its own feature. This adds to verdicts that
    /// stand, and replaces none: a pair without one is judged first. Reports then tell where pairs
    /// failed. A pair of one agent has nothing to add
    #[arg(long)]
    alone: bool,
    /// Pull no image: with --backend oci, images that are missing are otherwise pulled when they are
    /// wanted
    #[arg(long)]
    no_pull: bool,
    /// Print what would be judged, judge nothing
    #[arg(long)]
    dry_run: bool,
    /// Instead of runs, judge the dataset: list the features whose tests pass on the untouched base,
    /// or fail with the dataset's own patch
    #[arg(long, conflicts_with_all = ["runs", "setting", "dry_run", "alone"])]
    gold: bool,
    #[command(flatten)]
    picked: PairArgs,
    #[command(flatten)]
    selection: RunSelection,
}

impl EvalArgs {
    /// The runs of the setting that is asked for.
    fn chosen(&self, runs: Vec<RunDir>) -> Result<Vec<RunDir>> {
        let Some(wanted) = self.setting else {
            return Ok(runs);
        };
        let of = |run: &RunDir| -> Result<bool> {
            Ok(setting_of_run(run, Manifest::read(run)?.as_ref()) == Some(RunSetting::Of(wanted)))
        };
        let mut chosen = Vec::new();
        for run in runs {
            if of(&run)? {
                chosen.push(run);
            }
        }
        Ok(chosen)
    }

    fn layers(&self) -> Result<Layers> {
        let mut layers = self.selection.layers()?;
        let flags = [
            ("experiment.concurrency", "--concurrency", &self.concurrency),
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
        if self.no_pull {
            layers.set("images.pull", "false", "--no-pull")?;
        }
        if let Some(backend) = &self.backend {
            layers.set("evaluation.suite_backend", backend.as_str(), "--backend")?;
        }
        if let Some(rules) = self.rules {
            layers.set("evaluation.rules", rules.name(), "--rules")?;
        }
        Ok(layers)
    }
}

pub async fn run(args: &EvalArgs, ui: &Ui) -> Result<u8> {
    let layers = args.layers()?;
    let mut interrupt = Interrupt::listen()?;
    ui.guard(&interrupt);
    if args.gold {
        return grade(args, &layers.config()?, &mut interrupt, ui).await;
    }
    let found = args.selection.read(tree::config(&layers, ui)?)?;
    found.say_misnamed(ui);
    let runs = args.chosen(found.runs)?;
    let only = match &args.subset {
        None => args.picked.of_runs(&runs)?,
        Some(name) => {
            let dataset = DatasetDir::open(setup::dataset_alone(&found.config)?)?;
            let filter = args.picked.filter(None);
            Some(filter.of(&dataset.pairs(name)?, Among::Subset(name, &dataset))?)
        }
    };
    let verdicts = Verdicts {
        present: Present::for_verdicts(&found.config, &runs).await,
        config: found.config,
        rules: found.rules,
        prices: found.prices,
        force: args.force,
        without_cache: args.force,
        alone: args.alone,
        only,
    };
    if args.dry_run {
        for (run, pass) in runs.iter().zip(verdicts.passes(&runs, args.force)?) {
            let plan = verdicts.plan(run, &pass)?;
            let told = verdicts.says_of_pass(run, &pass, &plan)?;
            width::page(&describe(&plan, told, run, args.alone), ui)?;
        }
        return Ok(exit::OK);
    }
    let judge = async |news: &NewsSender| verdicts.judge(&runs, &mut interrupt, news).await;
    let (end, has_worked) = news::shown(ui, judge).await;
    let end = end.map_err(|error| tree::mend(error, "eval", &verdicts.config, &runs))?;
    let code = code(end, ui);
    let summaries: Vec<_> = runs
        .iter()
        .map(|run| Summary::read(run, &verdicts.rules, &verdicts.prices))
        .collect::<Result<_>>()?;
    if has_worked {
        width::at_the_end(&summaries, ui)?;
    } else {
        ui.say(format!(
            "nothing to judge: every finished pair has its verdict{}; `{}` shows the report",
            if args.alone {
                ", and so has each agent alone"
            } else {
                ""
            },
            report::command_in(&setup::log_tree(&verdicts.config), "report", &summaries)?
        ));
    }
    Ok(code)
}

/// Grades the dataset's features (`--gold`); gives the exit code.
async fn grade(args: &EvalArgs, config: &Config, interrupt: &mut Interrupt, ui: &Ui) -> Result<u8> {
    let subset = args.subset.as_ref().unwrap_or(&config.experiment.subset);
    let (graded, _) = news::shown(ui, async |news| {
        reap(config, std::iter::empty(), news).await?;
        let rules = setup::rules(config)?;
        let grading = Grading {
            subset,
            features: features(config, subset, &args.picked.filter(None))?,
            judge: judge(config, None, &rules, &cache(!args.force)).await?,
            config,
        };
        grading.grade(interrupt, news).await
    })
    .await;
    match graded? {
        Some(found) => gold::conclude(&found, ui),
        None => Ok(interrupted(ui)),
    }
}

fn interrupted(ui: &Ui) -> u8 {
    ui.say("interrupted; the same command goes on");
    exit::INTERRUPTED
}

/// The exit code of how judging ended.
pub fn code(end: JudgingEnd, ui: &Ui) -> u8 {
    if end.is_interrupted {
        return interrupted(ui);
    }
    if end.troubles > 0 {
        exit::ERRORS
    } else {
        exit::OK
    }
}

/// What a dry run says of one run: the counts, then each pair that would be judged.
fn describe(plan: &ToJudge, of_pass: Option<String>, run: &RunDir, alone: bool) -> String {
    let mut text = format!(
        "{}: {} to judge, {} judged, {} not finished\n",
        run.name(),
        plan.open.len(),
        plan.judged,
        plan.unfinished
    );
    for again in [of_pass, plan.says_outdated()].into_iter().flatten() {
        let _ = writeln!(text, "  {again}");
    }
    for one in &plan.open {
        let _ = writeln!(text, "  {}", one.pair);
    }
    if alone {
        // The agents of a pair that is judged now follow, if it gets a verdict.
        let follow = plan.open.iter().filter(|one| !one.tree.is_solo()).count();
        let _ = writeln!(
            text,
            "  each agent alone: {} to judge, {} judged",
            plural(plan.alone.open.len() + follow, "pair"),
            plan.alone.judged
        );
        if let Some(again) = plan.alone.says_outdated() {
            let _ = writeln!(text, "  {again}");
        }
        for one in &plan.alone.open {
            let _ = writeln!(text, "  {} alone", one.pair);
        }
    }
    text
}
