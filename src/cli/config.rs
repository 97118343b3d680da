//! `regatta config`.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};

use super::options::{ConfigSource, Places};
use super::ui::Ui;
use crate::config::{ARMS, DEFAULT};
use crate::error::{Result, exit};
use crate::experiment::setup;
use crate::secret::masked;

const EXAMPLES: &str = "\
Examples:
  regatta config                        # the values in force, and where each comes from
  regatta config --default              # every key with its meaning
  regatta config --profile demo
  regatta config --example arms > regatta.toml     # a study to begin with";

/// The example files that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Example {
    Arms,
}

/// Show the configuration in force, and where each value came from
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ConfigArgs {
    /// Print the commented defaults, the reference of every key
    #[arg(long)]
    default: bool,
    /// Print an example file: `arms` is a study of four arms and three repeats
    #[arg(long, value_name = "WHICH", conflicts_with = "default")]
    example: Option<Example>,
    #[command(flatten)]
    source: ConfigSource,
    #[command(flatten)]
    places: Places,
}

pub fn run(args: &ConfigArgs, ui: &Ui) -> Result<u8> {
    if args.default {
        ui.data(DEFAULT)?;
        return Ok(exit::OK);
    }
    if let Some(Example::Arms) = args.example {
        ui.data(ARMS)?;
        return Ok(exit::OK);
    }
    let mut layers = args.source.layers()?;
    args.places.apply(&mut layers)?;
    let config = layers.config()?;
    // All of the file is looked at here.
    config.arms(&[])?;
    let rows: Vec<(String, &str)> = layers
        .list()
        .map(|(key, value, origin)| {
            let name = key.rsplit('.').next().unwrap_or_default();
            (format!("{key} = {}", masked(name, &value)), origin)
        })
        .collect();
    let widths = rows.iter().map(|(value, _)| value.chars().count());
    let width = widths.max().unwrap_or(0).min(70);
    let mut lines = String::new();
    for (value, origin) in rows {
        let _ = writeln!(lines, "{value:<width$}  # {origin}");
    }
    for (origin, values) in layers.arm_tables() {
        let _ = writeln!(lines, "\n{:<width$}  # {origin}", "[[arm]]");
        for (word, value) in values {
            let _ = writeln!(lines, "{word} = {}", masked(word, &value));
        }
    }
    // Comments: with them it is still a configuration.
    match setup::access(&config) {
        Ok(access) => {
            let _ = writeln!(lines, "# endpoint in force: {}", access.shown_endpoint());
            let key = access
                .key
                .map_or_else(|| "none is set".to_owned(), |key| key.by);
            let _ = writeln!(lines, "# key in force: {key}");
            for note in access.notes {
                let _ = writeln!(lines, "# {note}");
            }
        }
        Err(error) => {
            let _ = writeln!(lines, "# endpoint in force: none; {error}");
        }
    }
    ui.data(&lines)?;
    Ok(exit::OK)
}
