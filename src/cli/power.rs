//! `regatta power`.

use std::path::PathBuf;

use clap::Args;

use super::arms::ArmSelection;
use super::destination::Destination;
use super::listing::one_of;
use super::ui::Ui;
use super::width;
use crate::error::{Result, exit};
use crate::study::StudyFormat;
use crate::study::power::{Assumed, Power, Sought};

const EXAMPLES: &str = "\
Examples:
  regatta power                             # what more of every arm would tell
  regatta power quiet talk --effect 5       # talk less quiet, and 5 points
  regatta power quiet talk --repeats 5      # from 5 repeats on
  regatta power --rate 30 --tasks 30 --pairs 100 --repeats 3   # before the first run";

/// Say how many more repeats or tasks a question takes, and what they cost
///
/// It sees by finished runs what tasks, pairs and repeats differ by. The first arm is the baseline.
/// With --rate it reads nothing, and takes what is assumed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PowerArgs {
    /// The difference to be found, in percentage points
    #[arg(long, value_name = "POINTS", default_value = "10", value_parser = effect)]
    effect: f64,
    /// Think of more from this many repeats on [default: those that there are; 1 with --rate]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeats: Option<u32>,
    /// What a trial costs, in USD [default: its mean on disk]
    #[arg(long, value_name = "USD", value_parser = amount)]
    cost_per_trial: Option<f64>,
    /// The format
    #[arg(long, default_value = "text", value_parser = one_of::<StudyFormat>())]
    format: StudyFormat,
    /// Write to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    assumptions: Assumptions,
    #[command(flatten)]
    selection: ArmSelection,
}

/// What is assumed instead of read.
#[derive(Debug, Args)]
#[command(next_help_heading = "Without runs")]
struct Assumptions {
    /// The pass rate of the baseline, in percent
    #[arg(long, value_name = "PERCENT", value_parser = percent, requires = "tasks", requires = "pairs", conflicts_with = "arms")]
    rate: Option<f64>,
    /// How many tasks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000), requires = "rate")]
    tasks: Option<u32>,
    /// How many pairs, spread evenly over the tasks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), requires = "rate")]
    pairs: Option<u32>,
    /// The share of the variance that is between tasks (the intraclass correlation)
    #[arg(long, value_name = "SHARE", default_value = "0.2", value_parser = share, requires = "rate")]
    icc: f64,
    /// The share of the variance that is between the pairs of a task
    #[arg(long, value_name = "SHARE", default_value = "0.4", value_parser = share, requires = "rate")]
    pair_icc: f64,
    /// The share of what is between tasks and pairs that is the same in both arms
    #[arg(long, value_name = "SHARE", default_value = "0.5", value_parser = share, requires = "rate")]
    shared: f64,
}

pub fn run(args: &PowerArgs, ui: &Ui) -> Result<u8> {
    let sought = Sought {
        effect: args.effect / 100.0,
        repeats: args.repeats,
        cost_per_trial: args.cost_per_trial,
    };
    let power = if let Some(assumed) = args.assumed() {
        Power::of_assumed(assumed, &sought)?
    } else {
        Power::of_arms(&args.selection.open(ui)?, &sought)?
    };
    if args.output.is_none() && args.format == StudyFormat::Text {
        width::page(&power.text(), ui)?;
        return Ok(exit::OK);
    }
    let mut to = Destination::of(args.output.as_deref(), ui)?;
    to.write(&power.render(args.format))?;
    to.finish()?;
    Ok(exit::OK)
}

impl PowerArgs {
    fn assumed(&self) -> Option<Assumed> {
        let it = &self.assumptions;
        let count = |n: Option<u32>| n.map_or(1, |n| n as usize);
        Some(Assumed {
            rate: it.rate? / 100.0,
            tasks: count(it.tasks),
            pairs: count(it.pairs),
            repeats: self.repeats.unwrap_or(1),
            icc: it.icc,
            pair_icc: it.pair_icc,
            shared: it.shared,
        })
    }
}

/// A number that fits, or what would.
fn number(text: &str, what: &str, fits: impl Fn(f64) -> bool) -> std::result::Result<f64, String> {
    let number = text.parse().ok().filter(|number| fits(*number));
    number.ok_or_else(|| format!("it is not {what}"))
}

fn effect(text: &str) -> std::result::Result<f64, String> {
    let what = "a number of percentage points above 0 and up to 100, such as 10";
    number(text, what, |it| it > 0.0 && it <= 100.0)
}

fn percent(text: &str) -> std::result::Result<f64, String> {
    let what = "a percentage from 0 to 100, such as 30";
    number(text, what, |it| (0.0..=100.0).contains(&it))
}

fn share(text: &str) -> std::result::Result<f64, String> {
    let what = "a share from 0 to 1, such as 0.2";
    number(text, what, |it| (0.0..=1.0).contains(&it))
}

fn amount(text: &str) -> std::result::Result<f64, String> {
    let what = "an amount of USD, such as 0.85";
    number(text, what, |it| (0.0..1e9).contains(&it))
}
