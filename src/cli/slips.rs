//! Slips of the command line that clap has no word for.

use clap::Command;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use crate::bench::Setting;
use crate::config::BUILTIN_PROFILES;
use crate::error::nearest;

/// The same error, with what a word was likely meant as: `run solo`, `regatta demo`.
pub fn explained(mut error: Error, program: &Command, line: &[String]) -> Error {
    let (kind, of) = match error.kind() {
        ErrorKind::UnknownArgument => (ContextKind::InvalidArg, command_of(program, line)),
        ErrorKind::InvalidSubcommand => (
            ContextKind::InvalidSubcommand,
            program.find_subcommand("run"),
        ),
        _ => return error,
    };
    let (Some(ContextValue::String(word)), Some(of)) = (error.get(kind), of) else {
        return error;
    };
    if let Some(meant) = meant(word, of) {
        let name = of.get_name();
        let tip = StyledStr::from(format!("did you mean 'regatta {name} {meant}'?"));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

/// The command that a line is of.
fn command_of<'a>(program: &'a Command, line: &[String]) -> Option<&'a Command> {
    let mut words = line.iter().skip(1);
    words.find_map(|word| program.find_subcommand(word))
}

/// The flag and value that a word alone stands for.
fn meant(word: &str, of: &Command) -> Option<String> {
    let has = |long: &str| of.get_arguments().any(|arg| arg.get_long() == Some(long));
    let settings = Setting::ALL.map(Setting::name);
    let profiles = BUILTIN_PROFILES.map(|(name, _)| name);
    for (flag, words) in [("setting", &settings[..]), ("profile", &profiles[..])] {
        let near = nearest(word, words.iter().copied());
        if let (Some(near), true) = (near, has(flag)) {
            return Some(format!("--{flag} {near}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    fn said(line: &str) -> String {
        let program = Cli::command();
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let error = program.clone().try_get_matches_from(&words).unwrap_err();
        explained(error, &program, &words).to_string()
    }

    #[test]
    fn a_word_alone_is_answered_with_the_flag_that_it_is_for() {
        for (line, meant) in [
            ("regatta run solo", "regatta run --setting solo"),
            ("regatta -v run coop-com", "regatta run --setting coop-comm"),
            ("regatta doctor demo", "regatta doctor --profile demo"),
            ("regatta demo", "regatta run --profile demo"),
            ("regatta solo", "regatta run --setting solo"),
        ] {
            let said = said(line);
            let tip = format!("tip: did you mean '{meant}'?");
            assert!(said.contains(&tip), "{line}: {said}");
        }
        for line in ["regatta run --nonsense", "regatta clean solo"] {
            assert!(!said(line).contains("did you mean"), "{line}");
        }
        let said = said("regatta reprot");
        assert!(said.contains("'report'"), "{said}");
    }
}
