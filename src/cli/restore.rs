//! `regatta restore`.

use std::fmt::Write as _;

use clap::Args;
use jiff::Timestamp;

use super::options::{ConfigSource, Places, SelectedRuns};
use super::tree;
use super::ui::Ui;
use super::width;
use crate::bench::pattern::Pattern;
use crate::bench::setting::{RunSetting, Tree};
use crate::bench::{Pair, RunName};
use crate::error::{Error, Result, exit, nearest};
use crate::experiment::setup;
use crate::hint;
use crate::model::price::{PriceTable, Total, cost_of};
use crate::report::setting::setting_of_run;
use crate::runner::forced::ForcedWorth;
use crate::runner::restore::Restoring;
use crate::runner::{record, restore};
use crate::store::aside::{self, KeptTrial};
use crate::store::events::History;
use crate::store::lock::RunLock;
use crate::store::restore::{Wanted, bring_back, finish};
use crate::store::{Ledger, Pass, RunDir, result};
use crate::survey::{Stand, Standing, Surveyed};
use crate::text::plural;

const EXAMPLES: &str = "\
Examples:
  regatta restore command-a-solo --list
  regatta restore command-a-solo dspy_task/8394/f3_f5 --dry-run";

/// Bring back results that were set aside, with their patches and verdicts
///
/// Of each pair the latest trial comes back whose result would stand; one that infrastructure broke
/// only by --trial. Under a forced pass that is open it is what stood before the pass, or what still
/// stands stays; the pass then leaves the pair alone. The result that stands now is set aside in turn: the same command again swaps
/// them back. No trial is paid or counted twice.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RestoreArgs {
    /// The run
    #[arg(value_name = "RUN")]
    run: RunName,
    /// The pairs, e.g. `dspy_task/8394/f3_f5` [default: all that have something set aside]
    #[arg(value_name = "PAIR")]
    pairs: Vec<String>,
    /// Bring back this trial of the one PAIR, as --list names it
    #[arg(long, value_name = "ID", requires = "pairs")]
    trial: Option<String>,
    /// List what was set aside, bring back nothing
    #[arg(long, conflicts_with = "trial")]
    list: bool,
    /// Show what would come back, write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    source: ConfigSource,
    #[command(flatten)]
    places: Places,
}

/// A pair with what was set aside of it.
struct Found {
    tree: Tree,
    pair: Pair,
    kept: Vec<KeptTrial>,
}

/// What comes back, and what is known of it.
type Chosen = (Wanted, KeptTrial);

/// What a restore does, by pair. A pair with nothing to bring back is in neither list.
#[derive(Default)]
struct Choices {
    back: Vec<Chosen>,
    /// Pairs whose result stays, which an open forced pass only leaves.
    stay: Vec<Pair>,
}

pub fn run(args: &RestoreArgs, ui: &Ui) -> Result<u8> {
    let reading = reading(args, ui)?;
    let run = &reading.runs[0];
    // First without the lock, which would write: where there is nothing to do, nothing is written.
    let found = find(run, args)?;
    if args.list {
        width::page(&list(run, &found, &reading.prices)?, ui)?;
        return Ok(exit::OK);
    }
    let mut chosen = choose(run, args, &found);
    let mut _lock = None;
    if !args.dry_run && (chosen.is_ok() || run.restore().exists()) {
        _lock = Some(RunLock::take(run).map_err(Error::into_usage)?);
        let done = finish(run)?;
        let mut found = find(run, args)?;
        if !done.is_empty() {
            ui.data(&format!(
                "{}: went on with a restore that was cut off: {} back\n",
                run.name(),
                plural(done.len(), "result")
            ))?;
            // Chosen once more, they would be swapped back.
            let is_done = |one: &Found| done.iter().any(|it| it.pair == one.pair);
            found.retain(|one| !is_done(one));
            if found.is_empty() {
                return Ok(exit::OK);
            }
        }
        chosen = choose(run, args, &found);
        if chosen.is_err() && !done.is_empty() {
            return Ok(exit::OK);
        }
    }
    let chosen = chosen?;
    let stand = Stand::read(run, &reading.rules, &reading.prices)?;
    let displaced = displaced(&stand, run, &reading, &chosen.back);
    if !args.dry_run {
        perform(run, &stand, &displaced, &chosen, args.pairs.is_empty())?;
    }
    if !chosen.stay.is_empty() {
        let verb = if args.dry_run {
            "would no longer replace"
        } else {
            "no longer replaces"
        };
        ui.data(&format!(
            "{}: the forced pass {verb} {}: what stands there stays\n",
            run.name(),
            plural(chosen.stay.len(), "result")
        ))?;
    }
    if !chosen.back.is_empty() {
        width::page(&told(run, &chosen.back, &displaced, args.dry_run), ui)?;
    }
    Ok(exit::OK)
}

/// The run, with what it takes to judge it.
fn reading(args: &RestoreArgs, ui: &Ui) -> Result<SelectedRuns> {
    let mut layers = args.source.layers()?;
    args.places.apply(&mut layers)?;
    let config = tree::config(&layers, ui)?;
    Ok(SelectedRuns {
        rules: setup::rules(&config)?,
        prices: setup::prices(&config)?.0,
        runs: setup::log_tree(&config).select(std::slice::from_ref(&args.run))?,
        misnamed: Vec::new(),
        config,
    })
}

/// The pairs that are asked for, with what was set aside of them.
fn find(run: &RunDir, args: &RestoreArgs) -> Result<Vec<Found>> {
    let there = run.pairs()?;
    for typed in &args.pairs {
        let names: Vec<String> = there.iter().map(|(_, pair)| pair.to_string()).collect();
        if !there.iter().any(|(_, pair)| is_named(typed, pair)) {
            let error = Error::usage(format!(
                "run `{}` has no pair `{typed}` under {}",
                run.name(),
                run.path().display()
            ));
            return Err(match nearest(typed, names.iter().map(String::as_str)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!(
                    "a pair is written as in `dspy_task/8394/f3_f5`; `{}` shows those with something set aside",
                    listing(run)
                )),
            });
        }
    }
    let mut found = Vec::new();
    for (tree, pair) in there {
        if args.pairs.is_empty() || args.pairs.iter().any(|typed| is_named(typed, &pair)) {
            let kept = aside::kept(&run.pair(tree, &pair))?;
            found.push(Found { tree, pair, kept });
        }
    }
    Ok(found)
}

/// Whether a word is a pair's name, with or without the ending of its repository's.
fn is_named(typed: &str, pair: &Pair) -> bool {
    let pattern = Pattern::pair(typed).ok().filter(|it| !it.is_glob());
    pattern.map_or_else(|| pair.to_string() == *typed, |it| it.picks(pair))
}

/// What comes back, or why nothing does.
fn choose(run: &RunDir, args: &RestoreArgs, found: &[Found]) -> Result<Choices> {
    let ledger = Ledger::open_readonly(run)?;
    let pass = Pass::read_open(&run.pass())?;
    if let (Some(_), [_, _, ..]) = (&args.trial, args.pairs.as_slice()) {
        return Err(
            Error::usage("--trial names a trial of one pair, and several pairs are given")
                .hint("give one PAIR, or leave --trial out"),
        );
    }
    let mut chosen = Choices::default();
    for Found { tree, pair, kept } in found {
        let one = if let Some(id) = &args.trial {
            kept.iter()
                .find(|one| one.record.trial == *id || one.name == *id)
                .map_or(Restoring::Nothing, Restoring::Back)
        } else {
            let standing = result::trial(&run.pair(*tree, pair).result());
            restore::choose_under(&pass, kept, pair, standing.as_deref(), &ledger)
        };
        match one {
            Restoring::Stays => chosen.stay.push(pair.clone()),
            Restoring::Back(one) => chosen.back.push((
                Wanted {
                    pair: pair.clone(),
                    tree: *tree,
                    name: one.name.clone(),
                },
                one.clone(),
            )),
            Restoring::Nothing if args.pairs.is_empty() => {}
            Restoring::Nothing => return Err(nothing(run, args, pair, kept)),
        }
    }
    if chosen.back.is_empty() && chosen.stay.is_empty() {
        return Err(Error::usage(format!(
            "nothing to restore in run `{}`: no result that would stand was set aside",
            run.name()
        ))
        .hint(format!(
            "`{}` shows what is there; `--trial ID` brings back any of it",
            listing(run)
        )));
    }
    Ok(chosen)
}

/// The command that lists what was set aside.
fn listing(run: &RunDir) -> String {
    hint::command(&format!("restore {} --list", run.name()))
}

fn nothing(run: &RunDir, args: &RestoreArgs, pair: &Pair, kept: &[KeptTrial]) -> Error {
    let ids: Vec<&str> = kept.iter().map(|one| one.record.trial.as_str()).collect();
    let name = run.name();
    let text = match &args.trial {
        Some(id) => format!("no trial `{id}` of {pair} was set aside in run `{name}`"),
        None => format!("nothing to restore of {pair} in run `{name}`"),
    };
    Error::usage(text).hint(if ids.is_empty() {
        "nothing of this pair was set aside with a result".to_owned()
    } else {
        format!(
            "set aside are: {}; --trial ID brings back one of them, also one that would run again",
            ids.join(", ")
        )
    })
}

/// What stands where results come back.
fn displaced(
    stand: &Stand,
    run: &RunDir,
    reading: &SelectedRuns,
    chosen: &[Chosen],
) -> Vec<Surveyed> {
    let survey = stand.books.survey(run, &reading.rules, &stand.prices);
    let one = |(wanted, _): &Chosen| survey.pair(wanted.tree, &wanted.pair);
    chosen.iter().map(one).collect()
}

/// Brings them back. What is displaced is recorded first, so that its cost is not forgotten; and a
/// forced pass that is open leaves these pairs alone, as it would set them aside again.
fn perform(
    run: &RunDir,
    stand: &Stand,
    displaced: &[Surveyed],
    chosen: &Choices,
    is_whole_run: bool,
) -> Result<()> {
    // Before anything is written: they may be unreadable.
    let mut pass = Pass::read_open(&run.pass())?;
    Pass::read_open(&run.eval_pass())?;
    let open = History::of_run(run)?.open;
    // As an attempt's own results are recorded: it is not taken for one that was cut off.
    let attempt = |pair: &Pair| {
        let open = open.as_ref()?;
        open.pairs.contains(pair).then_some(open.attempt)
    };
    let setting = setting_of_run(run, stand.manifest.as_ref()).and_then(RunSetting::known);
    let entries = displaced.iter().filter_map(|one| match &one.standing {
        Standing::Result(judged) => {
            let attempt = attempt(&one.pair);
            Some(record::of_result(&one.pair, setting, attempt, judged))
        }
        _ => None,
    });
    Ledger::open(run)?.record_all(entries.collect())?;
    let wanted: Vec<Wanted> = chosen
        .back
        .iter()
        .map(|(wanted, _)| wanted.clone())
        .collect();
    let mut pairs = chosen.stay.clone();
    pairs.extend(wanted.iter().map(|one| one.pair.clone()));
    if is_whole_run {
        // Of the rest nothing is there to restore: the pass is called off.
        pairs.extend(pass.pairs.iter().map(|covered| covered.pair.clone()));
    }
    if pairs.iter().any(|pair| pass.covers(pair)) {
        pass.leave(&pairs, Timestamp::now());
        pass.write(&run.pass())?;
    }
    if wanted.is_empty() {
        return Ok(());
    }
    bring_back(run, &wanted)
}

/// What is said in the end: each pair, and what it is all worth.
fn told(run: &RunDir, chosen: &[Chosen], displaced: &[Surveyed], is_dry: bool) -> String {
    let mut text = String::new();
    for ((wanted, kept), now) in chosen.iter().zip(displaced) {
        let instead = match &now.standing {
            Standing::Result(judged) => format!(", in the place of {}", judged.record.trial),
            Standing::Unreadable(_) => ", in the place of a result that cannot be read".to_owned(),
            Standing::Missing => String::new(),
        };
        let judged = if kept.is_judged { ", judged" } else { "" };
        let pair = &wanted.pair;
        let _ = writeln!(text, "  {pair}  {}{judged}{instead}", kept.record.trial);
    }
    let (verb, aside) = if is_dry {
        ("would restore", "would be set aside")
    } else {
        ("restored", "set aside")
    };
    let _ = write!(
        text,
        "{}: {verb} {}",
        run.name(),
        plural(chosen.len(), "result")
    );
    let worth = ForcedWorth::of(displaced.iter());
    if worth.pairs > 0 {
        let _ = write!(text, "; {aside}: {worth}");
    }
    text.push('\n');
    text
}

fn list(run: &RunDir, found: &[Found], prices: &PriceTable) -> Result<String> {
    let ledger = Ledger::open_readonly(run)?;
    let pass = Pass::read_open(&run.pass())?;
    let mut text = String::new();
    for Found { tree, pair, kept } in found.iter().filter(|one| !one.kept.is_empty()) {
        let now = result::trial(&run.pair(*tree, pair).result());
        let chosen = match restore::choose_under(&pass, kept, pair, now.as_deref(), &ledger) {
            Restoring::Back(one) => Some(&one.name),
            Restoring::Stays | Restoring::Nothing => None,
        };
        let now = now.map_or_else(
            || "no result stands".to_owned(),
            |id| format!("{id} stands"),
        );
        let _ = writeln!(text, "{pair}: {now}");
        for one in kept {
            let mut cost = Total::default();
            cost.add(match ledger.find(pair, &one.record.trial) {
                Some(entry) => entry.cost(),
                None => cost_of(&one.record, None, prices).0,
            });
            let judged = if one.is_judged { ", judged" } else { "" };
            let next = if chosen == Some(&one.name) {
                "  <- comes back"
            } else {
                ""
            };
            let _ = writeln!(
                text,
                "  {}  {}, cost {cost}{judged}{next}",
                one.record.trial,
                one.record.status(),
            );
        }
    }
    if text.is_empty() {
        let _ = writeln!(text, "{}: nothing was set aside", run.name());
    }
    Ok(text)
}
