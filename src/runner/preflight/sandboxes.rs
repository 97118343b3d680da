//! Are sandboxes fit that this program makes itself?

use std::path::Path;

use super::{Check, Level, disk, docker};
use crate::bench::image::image_name;
use crate::bench::{BackendKind, Pair};
use crate::config::Config;
use crate::engine::native::NativeOptions;
use crate::evaluation::network;
use crate::hint;
use crate::host;
use crate::images::Store;
use crate::sandbox::group::Groups;
use crate::sandbox::oci;
use crate::text::{by_number, plural};

/// The name of the check whether this user may make namespaces.
pub(super) const NAMESPACES: &str = "namespaces";

/// What the native engine's sandboxes need.
pub async fn sandboxes(config: &Config, options: &NativeOptions, pairs: &[Pair]) -> Vec<Check> {
    let kind = options.backend;
    if kind.needs_daemon() {
        return docker::docker(pairs, false).await;
    }
    if !kind.needs_namespaces() {
        return Vec::new();
    }
    let mut checks = vec![namespaces(kind).await];
    if kind.has_images() {
        checks.extend(images(config, pairs));
    }
    checks.push(reach(options, pairs));
    checks
}

async fn namespaces(kind: BackendKind) -> Check {
    match host::check(kind).await {
        Ok(()) => {
            let overlay = if kind.has_images() {
                ", and lay directories over one another in them"
            } else {
                ""
            };
            let mut evidence = format!("this user may make them{overlay}; {}", memory());
            if let Some(ids) = host::ids(kind).await {
                evidence.push_str("; ");
                evidence.push_str(&ids);
            }
            Check::pass(NAMESPACES, evidence)
        }
        Err(error) => Check::failed(NAMESPACES, &error),
    }
}

/// What holds a namespace to its memory.
fn memory() -> String {
    match Groups::ours() {
        Ok(groups) => format!("cgroups in {} limit memory", groups.dir().display()),
        Err(why) => format!("the guest watches memory, as no cgroup is delegated: {why}"),
    }
}

/// Whether sandboxes reach the network, and whether suites want it.
fn reach(options: &NativeOptions, pairs: &[Pair]) -> Check {
    let tasks = pairs.iter().map(|pair| &pair.task);
    match network::lack(&options.dataset, &options.limits, tasks) {
        Some((what, remedy)) => Check::new("network", Level::Warn, what, remedy),
        None if options.limits.network => Check::pass("network", "sandboxes have one"),
        None => Check::pass("network", "sandboxes have none"),
    }
}

/// Images for people: how many are there, what they take, what is missing.
struct Stock {
    wanted: Vec<String>,
    missing: Vec<String>,
    /// Bytes on the disk of those that are there; layers that several share count once.
    bytes: u64,
}

impl Stock {
    fn of(store: Option<&Store>, pairs: &[Pair]) -> Self {
        let mut wanted: Vec<String> = pairs.iter().map(|pair| image_name(&pair.task)).collect();
        wanted.sort();
        wanted.dedup();
        let known = |name: &String| oci::known(store?, name).ok().flatten();
        let there: Vec<_> = wanted.iter().filter_map(known).collect();
        let missing = wanted.iter().filter(|name| known(name).is_none());
        let mut layers: Vec<_> = there.iter().flat_map(|image| &image.layers).collect();
        layers.sort();
        layers.dedup();
        let bytes = layers.iter().filter_map(|layer| store?.known(layer));
        Self {
            missing: missing.cloned().collect(),
            bytes: bytes.map(|layer| layer.bytes).sum(),
            wanted,
        }
    }

    /// Bytes that the missing ones may take, where some are there to tell.
    fn wanted_bytes(&self) -> Option<u64> {
        let there = u64::try_from(self.wanted.len() - self.missing.len()).ok()?;
        let missing = u64::try_from(self.missing.len()).ok()?;
        self.bytes
            .checked_div(there)
            .map(|mean| mean.saturating_mul(missing))
    }
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

/// The images of the store, and the disk that it is on.
fn images(config: &Config, pairs: &[Pair]) -> Vec<Check> {
    let (dir, store) = match config.images.store_dir() {
        Ok(dir) => match host::existing_store(config) {
            Ok(store) => (dir, store),
            Err(error) => return vec![Check::failed("images", &error)],
        },
        Err(error) => return vec![Check::failed("images", &error)],
    };
    let stock = Stock::of(store.as_ref(), pairs);
    let is_read_only = store.is_some_and(|store| store.is_read_only());
    let mut checks = vec![there(config, &dir, &stock, is_read_only)];
    // Nothing comes into one that is only read.
    if !is_read_only {
        checks.push(room(config, &dir, &stock));
    }
    checks
}

fn there(config: &Config, dir: &Path, stock: &Stock, is_read_only: bool) -> Check {
    let (all, missing) = (stock.wanted.len(), stock.missing.len());
    let held = if stock.bytes > 0 {
        format!(" ({} on disk)", gigabytes(stock.bytes))
    } else {
        String::new()
    };
    let place = dir.display();
    if missing == 0 {
        let them = match all {
            1 => "the one is".to_owned(),
            n => format!("all {n} are"),
        };
        return Check::pass("images", format!("{them} in {place}{held}"));
    }
    let size = match stock.wanted_bytes() {
        None => "their size is not known before one is pulled".to_owned(),
        Some(bytes) => format!("about {} if they are like the others", gigabytes(bytes)),
    };
    let verb = by_number(missing, "is", "are");
    let command = hint::command(&pull(config, &stock.missing));
    let (level, state, remedy) = if is_read_only {
        let remedy = format!(
            "`{command}` on a machine that may write there, or another store: [images] store in regatta.toml"
        );
        (Level::Fail, "missing in the read-only store", remedy)
    } else if config.images.pull {
        let remedy = format!("`{command}` does it now; a run does it before its first trial");
        (Level::Pass, "yet to be pulled into", remedy)
    } else {
        let remedy =
            format!("`{command}` pulls: a run does not (--no-pull, or pull = false in [images])");
        (Level::Fail, "missing in", remedy)
    };
    let evidence = format!("{missing} of {all} {verb} {state} {place}{held}; {size}");
    Check::new("images", level, evidence, remedy)
}

/// The command that pulls what is missing: a few by their names, or the subset's.
fn pull(config: &Config, missing: &[String]) -> String {
    if missing.len() <= FEW {
        format!("images pull {}", missing.join(" "))
    } else {
        format!("images pull -s {}", config.experiment.subset)
    }
}

/// How many images a command names.
const FEW: usize = 2;

fn room(config: &Config, dir: &Path, stock: &Stock) -> Check {
    let check = disk("image disk", dir, config.limits.min_free_disk_gb);
    let free = super::free_at(dir);
    match (stock.wanted_bytes(), free) {
        (Some(wanted), Some(free)) if check.level == Level::Pass && wanted > free => Check::new(
            "image disk",
            Level::Warn,
            format!(
                "{} and {} may take {}",
                check.evidence,
                plural(stock.missing.len(), "image"),
                gigabytes(wanted)
            ),
            "free some, or keep images on another disk: store = \"DIR\" in [images]",
        ),
        _ => check,
    }
}
