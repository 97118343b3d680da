//! `regatta resume`.

use clap::Args;
use serde_json::json;

use super::asking::{WheelArgs, ask_target};
use super::target::{Target, find};
use crate::bench::RunName;
use crate::cli::options::SelectedRuns;
use crate::cli::tree;
use crate::cli::ui::Ui;
use crate::config::Config;
use crate::error::{Error, Result, exit};
use crate::experiment::setup::log_tree;
use crate::json;
use crate::runner::Plan;
use crate::store::manifest::GivenCommand;
use crate::store::wheel::Ask;
use crate::store::{Pass, RunDir};
use crate::survey::Stand;

const EXAMPLES: &str = "\
Examples:
  regatta resume
  regatta resume command-a-solo";

/// Begin pairs again after a pause, or print the command that resumes a run
///
/// On a run that does not go on it prints the command that ran it last, which resumes it, and runs
/// nothing.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ResumeArgs {
    /// A run [default: the one that goes on]
    #[arg(value_name = "RUN")]
    run: Option<RunName>,
    #[command(flatten)]
    wheel: WheelArgs,
}

pub fn run(args: &ResumeArgs, ui: &Ui) -> Result<u8> {
    let config = tree::config(&args.wheel.layers()?, ui)?;
    match find(&log_tree(&config), args.run.as_ref(), "resume")? {
        Target::Going(target) => {
            ask_target(&args.wheel, &target, args.run.as_ref(), Ask::Resume, ui)?;
        }
        Target::AtRest(run) => at_rest(&run, config, args.wheel.json, ui)?,
    }
    Ok(exit::OK)
}

/// Prints the command that resumes a run.
fn at_rest(run: &RunDir, config: Config, as_json: bool, ui: &Ui) -> Result<()> {
    let reading = SelectedRuns::named(std::slice::from_ref(run.name()), config)?;
    let stand = Stand::read(run, &reading.rules, &reading.prices)?;
    let pass = Pass::read_open(&run.pass())?;
    let left = Plan::of(&stand.surveyed, true, &pass).to_run;
    let name = run.name();
    let Some(manifest) = &stand.manifest else {
        return Err(
            Error::usage(format!("`{name}` does not go on, and it is not of regatta"))
                .hint("the cooperbench command that began it resumes it"),
        );
    };
    let asked = left.iter().filter(|pair| manifest.has_asked(pair));
    let left = asked.count();
    let command = manifest.command.as_ref();
    let line = command.map(|command| line(command, !pass.pairs.is_empty()));
    if as_json {
        let answer = json!({
            "done": false, "state": "at_rest", "runs": [name], "run": null,
            "said": [format!("it does not go on; {left} left")],
            "left": left, "command": line,
        });
        return ui.data(&format!("{}\n", json::line(&answer)));
    }
    let pairs = crate::text::plural(left, "pair");
    match line {
        _ if left == 0 => ui.say(format!("`{name}` does not go on, and nothing of it is left to run")),
        Some(line) => {
            ui.say(format!("`{name}` does not go on; this resumes it ({pairs} left):"));
            ui.data(&format!("{line}\n"))?;
        }
        None => ui.say(format!(
            "`{name}` does not go on; the `regatta run` command that began it resumes it ({pairs} left)"
        )),
    }
    Ok(())
}

/// Flags that are of one time only.
const ONCE: [&str; 2] = ["--accept-changes", "--dry-run"];

/// A command for a shell. `--force` goes on with a pass that is open, and would begin another one.
fn line(command: &GivenCommand, is_forcing: bool) -> String {
    let is_wanted =
        |word: &&String| !ONCE.contains(&word.as_str()) && (is_forcing || *word != "--force");
    let words = command.args.iter().filter(is_wanted);
    let quoted = |text: &str| {
        let quoted = shlex::try_quote(text);
        quoted.map_or_else(|_| text.to_owned(), std::borrow::Cow::into_owned)
    };
    let words = words.map(|word| format!(" {}", quoted(word)));
    let line = format!("regatta{}", words.collect::<String>());
    let here = std::env::current_dir().unwrap_or_default();
    if here.as_os_str() == command.directory.as_str() {
        line
    } else {
        format!("cd {} && {line}", quoted(&command.directory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_whole_and_begins_nothing_anew() {
        let args = ["run", "--force", "--accept-changes", "--name", "a b"];
        let mut command = GivenCommand {
            directory: "/srv/it's here".to_owned(),
            args: args.map(str::to_owned).to_vec(),
        };
        let there = r#"cd "/srv/it's here" && "#;
        assert_eq!(
            line(&command, false),
            format!("{there}regatta run --name 'a b'")
        );
        assert_eq!(
            line(&command, true),
            format!("{there}regatta run --force --name 'a b'")
        );
        command.directory = std::env::current_dir().unwrap().display().to_string();
        assert_eq!(line(&command, false), "regatta run --name 'a b'");
    }
}
