//! `regatta completions`.

use clap::Args;
use clap_complete::Shell;

use super::ui::Ui;
use crate::error::{Result, exit};

const EXAMPLES: &str = "\
Examples:
  regatta completions bash > ~/.local/share/bash-completion/completions/regatta
  regatta completions zsh > ~/.zfunc/_regatta
  regatta completions fish > ~/.config/fish/completions/regatta.fish";

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(args: &CompletionsArgs, command: &mut clap::Command, ui: &Ui) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "regatta", &mut script);
    ui.data(&String::from_utf8_lossy(&script))?;
    Ok(exit::OK)
}
