//! `regatta images list`, `verify`, `remove` and `prune`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{on_disk, short, size, store};
use crate::cli::options::ConfigSource;
use crate::cli::ui::Ui;
use crate::error::{Error, Result, exit};
use crate::images::{ImageName, LeftOut, ListedImage, Store};
use crate::json;
use crate::text::{fit, plural};

const OF_LIST: &str = "\
Examples:
  regatta images list
  regatta images list --format json";

/// List the images of the store, with their size
#[derive(Debug, Args)]
#[command(after_help = OF_LIST)]
pub struct ListArgs {
    /// The format
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    format: ListFormat,
    #[command(flatten)]
    source: ConfigSource,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ListFormat {
    Text,
    Json,
}

pub fn list(args: &ListArgs, ui: &Ui) -> Result<u8> {
    let store = store(&args.source)?;
    let images = store.images()?;
    if let ListFormat::Json = args.format {
        let all: Vec<_> = images.iter().map(|it| as_json(it, &store)).collect();
        ui.data(&format!("{}\n", json::pretty(&all)))?;
        return Ok(exit::OK);
    }
    let dir = store.dir().display();
    if images.is_empty() {
        ui.say(format!(
            "no image is in {dir}; `regatta images pull` gets those of a subset"
        ));
        return Ok(exit::OK);
    }
    let mut rows = vec![
        ["image", "size", "layers", "pulled", "from"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(images.iter().map(row));
    let mut text = fit::spaced(&rows, 2);
    let _ = writeln!(
        text,
        "\n{} in {dir}, {} on disk: layers that several share are there once",
        plural(images.len(), "image"),
        size(on_disk(&store)?)
    );
    ui.data(&text)?;
    Ok(exit::OK)
}

fn row(image: &ListedImage) -> Vec<String> {
    let layers = image.image.layers.len();
    let layers = match image.missing {
        0 => layers.to_string(),
        missing => format!("{layers} ({missing} missing)"),
    };
    vec![
        short(&image.image.name).to_owned(),
        size(image.bytes),
        layers,
        image.pulled.strftime("%Y-%m-%d %H:%M").to_string(),
        image.from.clone(),
    ]
}

fn as_json(image: &ListedImage, store: &Store) -> serde_json::Value {
    let mut left_out = LeftOut::default();
    let layers: BTreeSet<_> = image.image.layers.iter().collect();
    for layer in layers.into_iter().filter_map(|layer| store.known(layer)) {
        left_out += layer.left_out;
    }
    json!({
        "name": image.image.name,
        "manifest": image.image.manifest,
        "config": image.image.config_digest,
        "architecture": image.image.config.architecture,
        "layers": image.image.layers,
        "missing_layers": image.missing,
        "bytes": image.bytes,
        "own_bytes": image.own,
        "left_out": left_out,
        "from": image.from,
        "pulled": image.pulled,
    })
}

const OF_VERIFY: &str = "\
Examples:
  regatta images verify
  regatta images verify alpine:3.20
  regatta images verify && regatta run";

/// Look whether the layers of the store, or of some images, still have what was unpacked
#[derive(Debug, Args)]
#[command(after_help = OF_VERIFY)]
pub struct VerifyArgs {
    /// The images [default: all]
    #[arg(value_name = "IMAGE")]
    images: Vec<ImageName>,
    #[command(flatten)]
    source: ConfigSource,
}

pub fn verify(args: &VerifyArgs, ui: &Ui) -> Result<u8> {
    let store = store(&args.source)?;
    check_there(&store, &args.images, "nothing is looked at")?;
    let bar = ui.clone();
    let layers = store.verify(&args.images, &|done, of| {
        if bar.room().is_some() {
            bar.show(&[format!("{done}/{of} layers")]);
        }
    })?;
    ui.show(&[]);
    let wrong: Vec<_> = layers.iter().filter(|it| !it.wrong.is_empty()).collect();
    for layer in &wrong {
        for why in &layer.wrong {
            ui.data(&format!("{}: {why}\n", layer.layer.short()))?;
        }
        for image in &layer.images {
            ui.data(&format!("  of {}\n", short(image)))?;
        }
    }
    if wrong.is_empty() {
        ui.say(format!(
            "{} as they were unpacked",
            plural(layers.len(), "layer")
        ));
        return Ok(exit::OK);
    }
    Err(Error::world(format!(
        "{} of {} not as they were unpacked",
        wrong.len(),
        plural(layers.len(), "layer")
    ))
    .hint("`regatta images remove IMAGE` and `regatta images pull IMAGE` bring them anew"))
}

const OF_REMOVE: &str = "\
Examples:
  regatta images remove alpine:3.20
  regatta images remove akhatua/cooperbench-dspy:task8394";

/// Remove images, and the layers that no other image names
#[derive(Debug, Args)]
#[command(after_help = OF_REMOVE)]
pub struct RemoveArgs {
    /// The images
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<ImageName>,
    #[command(flatten)]
    source: ConfigSource,
}

pub fn remove(args: &RemoveArgs, ui: &Ui) -> Result<u8> {
    let store = store(&args.source)?;
    check_there(&store, &args.images, "nothing is removed")?;
    for name in &args.images {
        if let Some(gone) = store.remove(name)? {
            let kept = match gone.in_use {
                0 => String::new(),
                n => format!(
                    "; {} in use, `regatta images prune` removes them later",
                    plural(n, "layer")
                ),
            };
            ui.data(&format!(
                "removed {} ({} of {}){kept}\n",
                short(&name.to_string()),
                size(gone.bytes),
                plural(gone.layers, "layer")
            ))?;
        }
    }
    Ok(exit::OK)
}

/// Refuses names of images that are not in the store; `so` says what comes of it.
fn check_there(store: &Store, names: &[ImageName], so: &str) -> Result<()> {
    let there = store.images()?;
    for name in names.iter().map(ToString::to_string) {
        if !there.iter().any(|it| it.image.name == name) {
            return Err(Error::usage(format!(
                "{} is not in {}: {so}",
                short(&name),
                store.dir().display()
            ))
            .hint("`regatta images list` shows those that are"));
        }
    }
    Ok(())
}

const OF_PRUNE: &str = "\
Examples:
  regatta images prune --dry-run     # what would go
  regatta images prune";

/// Remove layers that no image names and nothing uses, and what is left of pulls
#[derive(Debug, Args)]
#[command(after_help = OF_PRUNE)]
pub struct PruneArgs {
    /// Show what would be removed, remove nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    source: ConfigSource,
}

pub fn prune(args: &PruneArgs, ui: &Ui) -> Result<u8> {
    let store = store(&args.source)?;
    let gone = store.prune(args.dry_run)?;
    let verb = if args.dry_run {
        "would remove"
    } else {
        "removed"
    };
    if gone.layers + gone.flat + gone.partial == 0 {
        ui.say("every layer is of an image or in use: nothing to remove");
        return Ok(exit::OK);
    }
    let mut parts = Vec::new();
    if gone.layers > 0 {
        parts.push(format!(
            "{} ({})",
            plural(gone.layers, "layer"),
            size(gone.bytes)
        ));
    }
    if gone.flat > 0 {
        parts.push(plural(gone.flat, "merged directory").replace("directorys", "directories"));
    }
    if gone.partial > 0 {
        let bytes = size(gone.partial_bytes);
        parts.push(format!(
            "{} of pulls that were cut ({bytes})",
            plural(gone.partial, "file")
        ));
    }
    ui.data(&format!("{verb} {}\n", parts.join(", ")))?;
    if gone.in_use > 0 {
        ui.say(format!("{} in use and stay", plural(gone.in_use, "layer")));
    }
    Ok(exit::OK)
}
