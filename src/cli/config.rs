//! `regatta config`.

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
        ui.data(DEFAULT);
        return Ok(exit::OK);
    }
    let mut layers = args.source.layers()?;
    args.places.apply(&mut layers)?;
    layers.config()?;
    let rows: Vec<Vec<String>> = layers
        .list()
        .map(|(key, value, origin)| {
            let name = key.rsplit('.').next().unwrap_or_default();
            vec![
                format!("{key} = {}", masked(name, &value)),
                format!("# {origin}"),
            ]
        })
        .collect();
    let width = rows
        .iter()
        .map(|row| row[0].chars().count())
        .max()
        .unwrap_or(0)
        .min(70);
    let lines: String = rows
        .iter()
        .map(|row| format!("{:<width$}  {}\n", row[0], row[1]))
        .collect();
    ui.data(&lines);
    Ok(exit::OK)
}
