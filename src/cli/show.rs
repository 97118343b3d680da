//! `regatta show`.

use clap::Args;

use super::options::{RunSelection, SelectedRuns};
use super::ui::Ui;
use super::width;
use crate::bench::Pair;
use crate::bench::pattern::Pattern;
use crate::bench::setting::Tree;
use crate::error::{Error, Result, exit, nearest};
use crate::files;
use crate::hint;
use crate::report::{Summary, pair_line::PairLine};
use crate::store::RunDir;
use crate::survey::Stand;
use crate::text::fit::wrapped;
use crate::text::{NAME, one_line, plural};
use crate::view::hidden_tests::HiddenTests;
use crate::view::show::{Fold, Known, conversation, foot, head, lanes, outcome, patches, suites};
use crate::view::{PageMask, trial};

const EXAMPLES: &str = "\
Examples:
  regatta show ferry/1/f1_f2 demo-solo      # what the agent did, turn by turn
  regatta show ferry/1/f1_f2                # the one run that has it, or a list of them
  regatta show 'ferry/2/f2_*' demo-coop-comm --messages
  regatta show ferry/2/f2_f3 demo-coop-nocomm --diff --tests";

/// The most of a patch that is shown, in bytes.
const PATCH: u64 = 16_000_000;

/// How many pairs are named where a word fits several.
const LISTED: usize = 12;

/// How much of a reason stands in a list of runs, in characters.
const WHY: usize = 60;

/// Show one trial: its agents' turns, their messages, how it ended
///
/// Reads the log tree only, also one that upstream's own CLI wrote. What is long is folded. On a
/// terminal it goes through $PAGER.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ShowArgs {
    /// The pair, e.g. `dspy/8394/f3_f5`. In it * is any text and ? one character, as long as one pair
    /// fits
    #[arg(value_name = "PAIR", value_parser = Pattern::pair)]
    pair: Pattern,
    /// All of every text
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    parts: PartArgs,
    #[command(flatten)]
    selection: RunSelection,
}

/// What is shown in the place of the turns.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Parts, in place of the turns")]
struct PartArgs {
    /// The agents' patches
    #[arg(long)]
    diff: bool,
    /// The hidden tests: those that fail, and the end of their output
    #[arg(long)]
    tests: bool,
    /// The messages between the agents
    #[arg(long)]
    messages: bool,
}

pub fn run(args: &ShowArgs, ui: &Ui) -> Result<u8> {
    let found = args.selection.open(ui)?;
    let all = places(&found.runs)?;
    let pair = the_one(&args.pair, &all)?;
    let places: Vec<&Place> = all.iter().filter(|place| place.pair == pair).collect();
    if places.len() > 1 && !args.selection.names_runs() {
        return list(&pair, &places, &found, ui);
    }
    let mut text = String::new();
    for place in places {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&told(place, &found, args)?);
    }
    ui.paged(&text)?;
    Ok(exit::OK)
}

/// Where a trial stands.
struct Place<'a> {
    run: &'a RunDir,
    tree: Tree,
    pair: Pair,
}

/// Every trial of these runs.
fn places(runs: &[RunDir]) -> Result<Vec<Place<'_>>> {
    let mut all = Vec::new();
    for run in runs {
        let pairs = run.pairs()?.into_iter();
        all.extend(pairs.map(|(tree, pair)| Place { run, tree, pair }));
    }
    Ok(all)
}

/// The one pair that a word fits.
fn the_one(pattern: &Pattern, all: &[Place<'_>]) -> Result<Pair> {
    let mut fitting: Vec<&Pair> = all.iter().map(|place| &place.pair).collect();
    fitting.sort();
    fitting.dedup();
    let names: Vec<String> = fitting.iter().map(ToString::to_string).collect();
    fitting.retain(|pair| pattern.picks(pair));
    let typed = one_line(pattern.typed(), NAME);
    match fitting.as_slice() {
        [one] => Ok((*one).clone()),
        [] => {
            let error = Error::usage(format!("no trial of `{typed}` in these runs"));
            let near = nearest(&pattern.in_full(), names.iter().map(String::as_str));
            let near = near.filter(|_| !pattern.is_glob());
            Err(match near {
                Some(near) => error.hint(format!("did you mean `{}`?", one_line(near, NAME))),
                None => error.hint(format!(
                    "`{}` names every pair of them",
                    hint::command("report --format csv")
                )),
            })
        }
        several => {
            let names = several.iter().map(|pair| one_line(&pair.to_string(), NAME));
            let mut listed = names.take(LISTED).collect::<Vec<_>>().join(", ");
            if let Some(more) = several.len().checked_sub(LISTED + 1) {
                listed = format!("{listed} and {} more", more + 1);
            }
            Err(
                Error::usage(format!("`{typed}` fits {}", plural(several.len(), "pair")))
                    .hint(format!("name one of them: {listed}")),
            )
        }
    }
}

/// What the report says of a trial's pair; nothing of one that is in no plan.
fn line_of(place: &Place<'_>, found: &SelectedRuns) -> Result<(Option<String>, Option<PairLine>)> {
    let stand = Stand::read(place.run, &found.rules, &found.prices)?;
    let summary = Summary::of_run(place.run, &stand);
    let name = place.pair.to_string();
    let line = summary.lines.into_iter().find(|line| line.pair == name);
    Ok((summary.setting.map(|setting| setting.to_string()), line))
}

/// Lists the runs that have a pair.
fn list(pair: &Pair, places: &[&Place<'_>], found: &SelectedRuns, ui: &Ui) -> Result<u8> {
    let mut rows = Vec::new();
    for place in places {
        let (_, line) = line_of(place, found)?;
        let outcome_of = line.as_ref().map(|line| line.outcome).unwrap_or_default();
        let why = line.and_then(|line| line.why).unwrap_or_default();
        rows.push((
            place.run.name().to_string(),
            outcome_of,
            one_line(&why, WHY),
        ));
    }
    let widest = rows.iter().map(|(run, ..)| run.len()).max().unwrap_or(0);
    let mut text = format!("{pair} is in {}:\n", plural(rows.len(), "run"));
    for (run, came_out, why) in &rows {
        let gap = " ".repeat(14_usize.saturating_sub(came_out.name().len()));
        let line = format!("  {run:widest$}  {}{gap}{why}", outcome(*came_out));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    width::page(&text, ui)?;
    let command = hint::command(&format!("show {pair} {}", rows[0].0));
    ui.say(format!("one of them: `{command}`"));
    Ok(exit::OK)
}

/// A trial as text.
fn told(place: &Place<'_>, found: &SelectedRuns, args: &ShowArgs) -> Result<String> {
    let mask = PageMask::of_environment();
    let mut trial = trial::read(place.run, place.tree, &place.pair);
    trial.hide(&mask);
    let (setting, line) = line_of(place, found)?;
    let known = line.map(|line| Known {
        outcome: line.outcome,
        why: line.why,
        rule: line.rule.map(|rule| rule.to_string()),
        setting: None,
        cost: line.cost,
        merge: line.merge,
    });
    let known = Known {
        setting,
        ..known.unwrap_or_default()
    };
    let fold = Fold {
        is_full: args.full,
        columns: width::columns(),
    };
    let fitted = |text: String| match fold.columns {
        Some(columns) => wrapped(&text, columns),
        None => text,
    };
    let head = fitted(head(&trial, &known));
    let PartArgs {
        diff,
        tests,
        messages,
    } = args.parts;
    if !(diff || tests || messages) {
        return Ok(format!(
            "{head}{}\n{}",
            lanes(&trial, fold),
            fitted(foot(&trial))
        ));
    }
    let mut text = head.lines().next().unwrap_or_default().to_owned() + "\n";
    if messages {
        text.push_str(&conversation(&trial, fold));
    }
    if tests {
        let tests = HiddenTests::read(place.run, place.tree, &place.pair, &mask);
        text.push_str(&suites(tests.as_ref(), fold));
    }
    if diff {
        text.push_str(&patches(&trial, fold, |path| {
            match files::read_up_to(path, PATCH) {
                Ok(bytes) => {
                    let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
                    Ok(mask.hide(&text).into_owned())
                }
                Err(error) => Err(error.to_string()),
            }
        }));
    }
    Ok(text)
}
