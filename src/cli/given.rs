//! What of a command line is repeated in hints.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use crate::hint::{Flag, Given};
use crate::secret::masked_url;

/// The flags that lead to the log tree and the dataset: every command is hinted at with them.
const PLACES: [&str; 5] = [
    "config",
    "profile",
    "cooperbench_dir",
    "logs_dir",
    "dataset_dir",
];

/// Commands that mean the same by the same flags.
const ALIKE: [&str; 2] = ["run", "doctor"];

/// Flags that are of one command only, also of the same command another time.
const ONCE: [&str; 6] = ["smoke", "trial", "format", "output", "by", "color"];

/// The flags to repeat, for each command that can be hinted at.
pub fn of(program: &Command, matches: &ArgMatches) -> Given {
    let Some((name, matches)) = matches.subcommand() else {
        return Given::new();
    };
    let Some(mut ran) = program.find_subcommand(name) else {
        return Given::new();
    };
    let mut matches = matches;
    // A command of a command, as `images pull` is.
    while let Some((inner, of_inner)) = matches.subcommand()
        && let Some(found) = ran.find_subcommand(inner)
    {
        (ran, matches) = (found, of_inner);
    }
    let typed: Vec<(&Arg, Vec<Flag>)> = ran
        .get_arguments()
        .filter(|arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine))
        .map(|arg| (arg, flags(arg, matches)))
        .collect();
    let mut given = Given::new();
    let commands = program.get_subcommands().filter(|one| !one.is_hide_set());
    for target in commands {
        let is_alike = target.get_name() == name
            || ALIKE.contains(&target.get_name()) && ALIKE.contains(&name);
        let has = |one: &Command, id: &str| one.get_arguments().any(|arg| arg.get_id() == id);
        // Of several commands, what all of them know.
        let known = |id: &str| {
            let mut inner = target.get_subcommands();
            has(target, id) || target.has_subcommands() && inner.all(|one| has(one, id))
        };
        let repeated = typed.iter().filter(|(arg, _)| {
            let id = arg.get_id().as_str();
            known(id) && (PLACES.contains(&id) || is_alike && !ONCE.contains(&id))
        });
        let flags = repeated.flat_map(|(_, flags)| flags.clone()).collect();
        given.insert(target.get_name().to_owned(), flags);
    }
    given
}

/// An argument as it was typed; nothing of one that is no flag, says what is done, or holds a
/// password.
fn flags(arg: &Arg, matches: &ArgMatches) -> Vec<Flag> {
    let id = arg.get_id().as_str();
    let Some(long) = arg.get_long() else {
        return Vec::new();
    };
    let name = format!("--{long}");
    if !arg.get_action().takes_values() {
        let is_setting = id == "git";
        return is_setting
            .then_some(Flag { name, value: None })
            .into_iter()
            .collect();
    }
    let values = matches.get_raw(id).into_iter().flatten();
    values
        .filter_map(|value| value.to_str())
        .filter(|value| masked_url(value) == *value)
        .map(|value| Flag {
            name: name.clone(),
            value: Some(value.to_owned()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    fn given(line: &str) -> Given {
        let program = Cli::command();
        let matches = program.clone().get_matches_from(line.split(' '));
        of(&program, &matches)
    }

    fn of_command(given: &Given, name: &str) -> String {
        let shown = |flag: &Flag| match &flag.value {
            Some(value) => format!("{}={value}", flag.name),
            None => flag.name.clone(),
        };
        given[name].iter().map(shown).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_hint_gets_what_its_command_knows_and_means_alike() {
        let run = given(
            "regatta run --profile p --logs-dir l --dataset-dir d --backend process --git --force --smoke 2 -m openai/m --setting solo --setting coop-comm --redis-url redis://:hush@h",
        );
        assert_eq!(of_command(&run, "restore"), "--profile=p --logs-dir=l");
        assert_eq!(
            of_command(&run, "eval"),
            "--dataset-dir=d --profile=p --logs-dir=l"
        );
        let doctor = of_command(&run, "doctor");
        for flag in ["--backend=process", "--git", "--model=openai/m"] {
            assert!(doctor.contains(flag), "{flag}: {doctor}");
        }
        assert!(doctor.contains("--setting=solo --setting=coop-comm"));
        for other in ["hush", "--force", "--smoke"] {
            assert!(!doctor.contains(other), "{other}: {doctor}");
        }
        // The same flag of another command may mean something else, and a run is named by the hint.
        let eval = given("regatta eval a-solo --backend process --config c --dry-run");
        assert_eq!(of_command(&eval, "eval"), "--backend=process --config=c");
        assert_eq!(of_command(&eval, "run"), "--config=c");
    }
}
