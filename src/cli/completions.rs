//! `regatta completions`.

use clap::Args;
use clap_complete::Shell;

use super::ui::Ui;
use crate::error::{Result, exit};

/// Print a completion script for a shell
#[derive(Debug, Args)]
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
