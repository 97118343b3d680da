//! `regatta clean`.

use clap::Args;

use super::options::{ConfigSource, Places};
use super::tree;
use super::ui::Ui;
use crate::config::{Config, Layers};
use crate::error::{Result, exit};
use crate::executor::slurm::JobsLeft;
use crate::experiment::judge::{KEPT, kept};
use crate::experiment::leftovers::{places, reach, store};
use crate::experiment::setup::log_tree;
use crate::files;
use crate::host::reaper::Leftovers;
use crate::sandbox::docker::DockerEndpoint;

const EXAMPLES: &str = "\
Examples:
  regatta clean --dry-run     # what would go
  regatta clean --cache";

/// Remove what dead runs of ours left: containers, processes, directories and the like
///
/// Also volumes, and layers of images that were being unpacked. Only what carries our mark, and whose
/// owner is dead, is touched; and with --cache what `eval` keeps for later. Half-written files are looked for in the log tree, and
/// jobs on a cluster by its runs.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CleanArgs {
    /// Show what would be removed, remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Also empty the cache of `eval`: outcomes of suites and merges, and clones of tasks' bases
    #[arg(long)]
    cache: bool,
    #[command(flatten)]
    source: ConfigSource,
    #[command(flatten)]
    places: Places,
}

impl CleanArgs {
    fn layers(&self) -> Result<Layers> {
        let mut layers = self.source.layers()?;
        self.places.apply(&mut layers)?;
        Ok(layers)
    }
}

pub async fn run(args: &CleanArgs, ui: &Ui) -> Result<u8> {
    let (docker, code) = match reach().await {
        Ok(docker) => (Some(docker), exit::OK),
        Err(_) if !DockerEndpoint::is_anywhere() => (None, exit::OK),
        Err(error) => {
            ui.warn(format!("containers and volumes are not looked at: {error}"));
            // Half a look is no clean bill.
            (None, exit::WORLD)
        }
    };
    let verb = if args.dry_run {
        "would remove"
    } else {
        "removed"
    };
    if args.cache {
        empty_cache(args.dry_run, verb, ui)?;
    }
    let layers = args.layers()?;
    let config = layers.config()?;
    tree::say_untouched(&layers, &config, ui);
    let mut places = places(&config);
    places.push((log_tree(&config).path().to_owned(), files::OF_A_TREE));
    let store = store(&config);
    let found = Leftovers::find(docker.as_ref(), store.as_ref(), &places).await?;
    let has_jobs = cancel_jobs(&config, args.dry_run, ui).await?;
    if found.is_empty() && has_jobs {
        return Ok(code);
    }
    if found.is_empty() {
        ui.say(if code == exit::OK {
            "nothing is left behind"
        } else {
            "no process and no directory is left behind"
        });
        return Ok(code);
    }
    if !args.dry_run {
        found.remove(docker.as_ref(), store.as_ref()).await?;
    }
    for line in found.describe() {
        ui.data(&format!("{verb} {line}\n"))?;
    }
    Ok(code)
}

/// Cancels the jobs of runs whose drivers are dead; whether there were any.
async fn cancel_jobs(config: &Config, is_dry: bool, ui: &Ui) -> Result<bool> {
    let left = match JobsLeft::find(&log_tree(config)).await {
        Ok(Some(left)) => left,
        Ok(None) => return Ok(false),
        Err(error) => {
            ui.warn(format!("jobs on the cluster are not looked at: {error}"));
            return Ok(false);
        }
    };
    if !is_dry {
        left.cancel().await?;
    }
    let verb = if is_dry { "would cancel" } else { "cancelled" };
    for (job, run) in &left.jobs {
        ui.data(&format!("{verb} job {job} of {}\n", run.name()))?;
    }
    Ok(!left.jobs.is_empty())
}

/// Removes what `eval` keeps, at once: one that runs sees it whole or not at all.
fn empty_cache(is_dry: bool, verb: &str, ui: &Ui) -> Result<()> {
    for dir in KEPT.into_iter().filter_map(kept) {
        if !dir.is_dir() || dir.is_symlink() {
            continue;
        }
        let megabytes = files::size_of_tree(&dir)?.div_ceil(1_000_000);
        if !is_dry {
            files::remove_tree(&dir)?;
        }
        ui.data(&format!(
            "{verb} the cache {} ({megabytes} MB)\n",
            dir.display()
        ))?;
    }
    Ok(())
}
