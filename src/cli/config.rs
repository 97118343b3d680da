//! `regatta config`.

use std::fmt::Write as _;

use clap::Args;

use super::options::{ConfigSource, Places};
use super::ui::Ui;
use crate::config::DEFAULT;
use crate::error::{Result, exit};
use crate::secret::masked;

/// Show the configuration in force, and where each value came from
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Print the commented defaults, the reference of every key
    #[arg(long)]
    default: bool,
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
    let mut layers = args.source.layers()?;
    args.places.apply(&mut layers)?;
    layers.config()?;
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
    ui.data(&lines)?;
    Ok(exit::OK)
}
