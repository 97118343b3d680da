//! The command line: one file a command. An args struct's docs are its help.

mod arms;
mod audit;
mod bar;
mod clean;
mod compare;
mod completions;
mod config;
mod counts;
mod destination;
mod doctor;
mod engine_flags;
mod eval;
mod executor_flags;
mod given;
mod gold;
mod images;
mod internal;
mod listing;
mod news;
mod options;
mod page;
mod picking;
mod power;
mod progress;
mod report;
mod restore;
mod run;
mod running;
mod show;
mod slips;
mod status;
mod subset;
mod suspend;
mod tally;
mod tempo;
mod tree;
mod triage;
pub mod ui;
mod view;
mod wheel;
mod width;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::error::{Error, Result, exit};
use crate::version::VERSION;
use internal::HiddenCli;
use ui::{Ui, UiArgs};

/// Runs `CooperBench` experiments: plans, retries, triages, counts every dollar, and reports what
/// came out.
#[derive(Debug, Parser)]
#[command(name = "regatta", version = VERSION, max_term_width = 100, after_help = examples_and_exit_codes())]
struct Cli {
    #[command(flatten)]
    ui: UiArgs,
    #[command(subcommand)]
    command: Command,
}

/// What a stranger types first.
const EXAMPLES: &str = "\
Examples:
  regatta run --profile demo              # see it work: no Docker, no key
  regatta doctor                          # is this machine fit for a real run?
  regatta run --smoke 5 --setting solo    # the first 5 pairs
  regatta report";

fn examples_and_exit_codes() -> String {
    let lines = exit::MEANINGS.map(|(code, meaning)| format!("  {code:<4} {meaning}"));
    format!("{EXAMPLES}\n\nExit codes:\n{}", lines.join("\n"))
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArgs>),
    Eval(Box<eval::EvalArgs>),
    Report(report::ReportArgs),
    Compare(compare::CompareArgs),
    Audit(audit::AuditArgs),
    Power(Box<power::PowerArgs>),
    Show(show::ShowArgs),
    Restore(restore::RestoreArgs),
    Triage(triage::TriageArgs),
    Status(status::StatusArgs),
    Pause(wheel::pause::PauseArgs),
    Resume(wheel::resume::ResumeArgs),
    Cancel(wheel::cancel::CancelArgs),
    Set(wheel::set::SetArgs),
    View(view::ViewArgs),
    Subset(Box<subset::SubsetArgs>),
    Doctor(Box<doctor::DoctorArgs>),
    Images(images::ImagesArgs),
    Clean(clean::CleanArgs),
    Config(config::ConfigArgs),
    Completions(completions::CompletionsArgs),
}

/// The program: parses, runs, and turns the outcome into an exit code.
#[must_use]
pub fn main() -> ExitCode {
    let line: Vec<_> = std::env::args_os().collect();
    let (ui, ended) = if let Some(hidden) = HiddenCli::of(&line) {
        let ui = Ui::default();
        let ended = match hidden {
            Ok(hidden) => hidden.run(&ui),
            Err(said) => ui.parsed(&said),
        };
        (ui, ended)
    } else {
        match parse(&line) {
            Ok(cli) => {
                let ui = Ui::new(&cli.ui);
                let ended = dispatch(cli.command, &ui);
                (ui, ended)
            }
            Err(said) => {
                let ui = Ui::default();
                let ended = ui.parsed(&said);
                (ui, ended)
            }
        }
    };
    let code = ended.unwrap_or_else(|error| {
        ui.error(&error);
        error.kind().exit_code()
    });
    ExitCode::from(code)
}

/// Reads the command line, and keeps what of it is repeated in hints.
fn parse(line: &[OsString]) -> std::result::Result<Cli, clap::Error> {
    let mut program = Cli::command();
    let matches = program.try_get_matches_from_mut(line).map_err(|error| {
        let words: Vec<_> = line
            .iter()
            .map(|word| word.to_string_lossy().into())
            .collect();
        slips::explained(error, &program, &words)
    })?;
    crate::hint::remember(given::of(&program, &matches));
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut program))
}

fn dispatch(command: Command, ui: &Ui) -> Result<u8> {
    match command {
        Command::Run(args) => block_on(run::run(&args, ui)),
        Command::Eval(args) => block_on(eval::run(&args, ui)),
        Command::Report(args) => report::run(&args, ui),
        Command::Compare(args) => compare::run(&args, ui),
        Command::Audit(args) => audit::run(&args, ui),
        Command::Power(args) => power::run(&args, ui),
        Command::Show(args) => block_on(async { show::run(&args, ui) }),
        Command::Restore(args) => restore::run(&args, ui),
        Command::Triage(args) => triage::run(&args, ui),
        Command::Status(args) => block_on(status::run(&args, ui)),
        Command::Pause(args) => wheel::pause::run(&args, ui),
        Command::Resume(args) => wheel::resume::run(&args, ui),
        Command::Cancel(args) => wheel::cancel::run(&args, ui),
        Command::Set(args) => wheel::set::run(&args, ui),
        Command::View(args) => block_on(view::run(&args, ui)),
        Command::Subset(args) => subset::run(&args, ui),
        Command::Doctor(args) => block_on(doctor::run(&args, ui)),
        Command::Images(args) => block_on(images::run(&args, ui)),
        Command::Clean(args) => block_on(clean::run(&args, ui)),
        Command::Config(args) => config::run(&args, ui),
        Command::Completions(args) => completions::run(&args, &mut Cli::command(), ui),
    }
}

/// Threads that write files and look up names.
const BLOCKING_THREADS: usize = 16;

/// Everything runs on one thread: it waits, it does not compute. Children are spawned from it, so
/// that they die with it (see `process::child`).
fn block_on(future: impl Future<Output = Result<u8>>) -> Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // They wait for the disk; hundreds of them would only wait for each other.
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(|error| Error::world(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(future)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a help text's `Examples:`, without their remarks.
    fn examples(help: &str) -> Vec<String> {
        let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1);
        lines
            .take_while(|line| !line.is_empty())
            .map(|line| {
                line.split("  # ")
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_owned()
            })
            .collect()
    }

    #[test]
    fn every_command_has_examples_and_each_can_be_typed() {
        let mut program = Cli::command();
        let mut helps = vec![program.render_long_help().to_string()];
        let visible = program
            .get_subcommands_mut()
            .filter(|one| !one.is_hide_set() && one.get_name() != "help");
        helps.extend(visible.map(|one| one.render_long_help().to_string()));
        for help in helps {
            let examples = examples(&help);
            assert!(examples.len() >= 2, "{help}");
            for example in examples {
                let words = shlex::split(&example).unwrap();
                // What a shell does with the output is its own.
                let words = words.iter().take_while(|word| *word != ">");
                let matches = program.clone().try_get_matches_from(words);
                let parsed = matches.and_then(|matches| Cli::from_arg_matches(&matches));
                assert!(parsed.is_ok(), "{example}: {parsed:?}");
            }
        }
    }
}
