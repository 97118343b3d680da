//! `regatta triage`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;

use super::options::RunSelection;
use super::picking::PairArgs;
use super::ui::Ui;
use super::width;
use crate::bench::Pair;
use crate::error::{Result, exit};
use crate::hint;
use crate::report::{Outcome, Summary};
use crate::store::events::{History, OpenAttempt};
use crate::store::lock::RunLock;
use crate::store::{Ledger, RunDir};
use crate::survey::{Judged, Stand, Standing, Surveyed};
use crate::text::{NAME, ends_in_one_line, one_line, plural};
use crate::triage::{Finding, Rules, ToldError};

const EXAMPLES: &str = "\
Examples:
  regatta triage --explain --dry-run      # why pairs did not finish
  regatta triage --explain --dry-run --pair dspy/8394/f3_f5
  regatta triage command-a-coop-comm";

/// Tag results with their cause again, from what is on disk, with today's rules
///
/// A result whose cause is `infra` or `limit` gets `"infra_error": true`; one that no longer applies loses it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TriageArgs {
    /// Show what would be tagged, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Show every pair that did not finish: its cause, the rule, and the text that decided
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    picked: PairArgs,
    #[command(flatten)]
    selection: RunSelection,
}

pub fn run(args: &TriageArgs, ui: &Ui) -> Result<u8> {
    let found = args.selection.open(ui)?;
    found.say_misnamed(ui);
    let only = args.picked.of_runs(&found.runs)?;
    let mut causes = Causes::default();
    for run in &found.runs {
        let _lock = if args.dry_run {
            None
        } else {
            Some(RunLock::take(run)?)
        };
        let mut stand = Stand::read(run, &found.rules, &found.prices)?;
        if let Some(only) = &only {
            stand.surveyed.retain(|it| only.contains(&it.pair));
            if stand.surveyed.is_empty() {
                continue;
            }
        }
        let changed = triage(run, args, &found.rules, &stand, ui)?;
        let verb = if args.dry_run {
            "would change"
        } else {
            "changed"
        };
        let summary = Summary::of_run(run, &stand);
        causes.add(&summary);
        let text = format!(
            "{}: {} ({} {verb})\n",
            run.name(),
            summary.counts(),
            plural(changed, "tag")
        );
        width::page(&text, ui)?;
    }
    if args.explain && found.runs.len() > 1 {
        width::page(&causes.table(found.runs.len()), ui)?;
    }
    Ok(exit::OK)
}

/// How many pairs of all runs ended by each cause.
#[derive(Default)]
struct Causes {
    pairs: BTreeMap<(&'static str, String), usize>,
}

impl Causes {
    fn add(&mut self, summary: &Summary) {
        for line in &summary.lines {
            let is_open = matches!(line.outcome, Outcome::UnknownError | Outcome::Unreadable);
            let rule = match &line.rule {
                Some(rule) => rule.to_string(),
                None if is_open => "no rule matches".to_owned(),
                None => continue,
            };
            *self.pairs.entry((line.outcome.name(), rule)).or_default() += 1;
        }
    }

    fn table(self, runs: usize) -> String {
        let mut rows: Vec<_> = self.pairs.into_iter().collect();
        rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut text = format!("causes in {}:\n", plural(runs, "run"));
        if rows.is_empty() {
            text.push_str("  none\n");
        }
        for ((outcome, rule), count) in rows {
            let rule = one_line(&rule, NAME);
            let _ = writeln!(text, "  {outcome} · {rule} · {}", plural(count, "pair"));
        }
        text
    }
}

fn triage(run: &RunDir, args: &TriageArgs, rules: &Rules, stand: &Stand, ui: &Ui) -> Result<usize> {
    let survey = stand.books.survey(run, rules, &stand.prices);
    let open = History::of_run(run)?.open;
    let is_running = args.dry_run && RunLock::holder(run).is_some();
    let is_asked = |pair: &Pair| {
        let manifest = stand.manifest.as_ref();
        manifest.is_none_or(|manifest| manifest.has_asked(pair))
    };
    let (mut changed, mut unasked) = (0, 0);
    for surveyed in &stand.surveyed {
        let judged = match &surveyed.standing {
            Standing::Result(judged) => judged,
            Standing::Missing if !is_asked(&surveyed.pair) => {
                unasked += 1;
                continue;
            }
            other => {
                if args.explain {
                    let ledger = &stand.books.ledger;
                    let mut unbooked = stand.unbooked.iter();
                    let is_begun = matches!(other, Standing::Missing)
                        && unbooked.any(|trial| trial.pair == surveyed.pair);
                    let begun = open.as_ref().filter(|_| is_begun);
                    let mut text = match begun {
                        Some(_) if is_running => format!("{}: it is running\n", surveyed.pair),
                        Some(open) => explain_killed(run, surveyed, open),
                        None => explain_none(&surveyed.pair, other, ledger),
                    };
                    text.push_str(&say(surveyed.told.as_ref()));
                    width::page(&text, ui)?;
                }
                continue;
            }
        };
        if args.explain {
            let name = surveyed.pair.to_string();
            let text = match (&judged.finding, &surveyed.told) {
                (Finding::Finished, None) => String::new(),
                (Finding::Finished, told) => format!(
                    "{name}: finished, and its evaluation broke\n{}",
                    say(told.as_ref())
                ),
                _ => explain(&name, judged, rules),
            };
            width::page(&text, ui)?;
        }
        changed += usize::from(if args.dry_run {
            survey.would_tag(judged)
        } else {
            survey.tag(surveyed.tree, &surveyed.pair, judged, None)?
        });
    }
    if args.explain && unasked > 0 {
        ui.data(&format!(
            "{}: {} not asked for so far\n",
            run.name(),
            plural(unasked, "pair")
        ))?;
    }
    Ok(changed)
}

/// What is left of a trial that was running when its attempt died.
fn explain_killed(run: &RunDir, surveyed: &Surveyed, open: &OpenAttempt) -> String {
    let pair = &surveyed.pair;
    let kept = run.pair(surveyed.tree, pair).aside();
    let of_trial = open.trial_of(pair).map(|trial| kept.join(trial));
    let kept = of_trial.filter(|dir| dir.is_dir()).unwrap_or(kept);
    let said = if kept.is_dir() {
        format!("; what it said is in {}", kept.display())
    } else {
        String::new()
    };
    format!(
        "{pair}: missing\n  it was running when attempt {} died{said}\n  do: the same command books it and runs it again\n",
        open.attempt
    )
}

/// Why a pair has no result that can be read.
fn explain_none(pair: &Pair, standing: &Standing, ledger: &Ledger) -> String {
    if let Standing::Unreadable(why) = standing {
        return format!(
            "{pair}: unreadable\n  why: {why}\n  do: run it again, which sets the file aside\n"
        );
    }
    let mut trials = ledger.entries().iter().rev();
    let last = trials
        .find(|entry| entry.pair == *pair)
        .and_then(|entry| entry.diagnosis.as_ref());
    match last {
        None => format!("{pair}: missing\n  it was not run yet\n"),
        Some(diagnosis) => format!(
            "{pair}: missing\n  its last trial left no result that stands: {} ({})\n",
            ends_in_one_line(&diagnosis.evidence.text, SHOWN),
            diagnosis.evidence.rule
        ),
    }
}

/// A text that stands for a pair without a result or without a verdict.
fn say(told: Option<&ToldError>) -> String {
    let Some(told) = told else {
        return String::new();
    };
    let rule = told.rule.as_deref().unwrap_or("no rule matches");
    let text = ends_in_one_line(&told.text, SHOWN);
    format!(
        "  rule: {rule} (from {})\n  text: {text}\n",
        one_line(&told.source, NAME)
    )
}

/// The most of a text that is shown, in characters: `report --format json` has all of it.
const SHOWN: usize = 400;

fn explain(pair: &str, judged: &Judged, rules: &Rules) -> String {
    let mut text = String::new();
    let Some(diagnosis) = judged.finding.diagnosis() else {
        let _ = writeln!(text, "{pair}: no rule matches");
        if let Some(told) = &judged.told {
            let source = one_line(&told.source, NAME);
            let error = ends_in_one_line(&told.text, SHOWN);
            let _ = writeln!(text, "  text: {error}\n  from: {source}");
        }
        text.push_str("  it stays as it is; a rule of yours can decide it ([triage] rules_file)\n");
        return text;
    };
    let evidence = &diagnosis.evidence;
    let void = if matches!(judged.finding, Finding::OnlyLooksFinished(_)) {
        ", though its status says that it finished"
    } else {
        ""
    };
    let _ = writeln!(
        text,
        "{pair}: {}{void}\n  rule: {} (from {})\n  text: {}",
        diagnosis.cause,
        evidence.rule,
        one_line(&evidence.source, NAME),
        ends_in_one_line(&evidence.text, SHOWN)
    );
    if let Some(rule) = rules.get(&evidence.rule) {
        let advice = hint::in_text(&rule.advice);
        let _ = writeln!(text, "  that is: {}\n  do: {advice}", rule.about);
    }
    text
}
