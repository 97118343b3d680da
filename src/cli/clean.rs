//! `regatta clean`.

use clap::Args;

use super::ui::Ui;
use crate::error::{Result, exit};
use crate::executor::reaper::Leftovers;
use crate::sandbox::docker::{Docker, Endpoint};

/// Remove the containers, processes and directories that dead runs of ours left behind
///
/// Only what carries our mark, and whose owner is dead, is touched.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// Show what would be removed, remove nothing
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(args: &CleanArgs, ui: &Ui) -> Result<u8> {
    let docker = match reach().await {
        Ok(docker) => Some(docker),
        Err(error) => {
            ui.warn(format!("containers are not looked at: {error}"));
            None
        }
    };
    // Half a look is no clean bill.
    let code = if docker.is_some() {
        exit::OK
    } else {
        exit::WORLD
    };
    let found = Leftovers::find(docker.as_ref()).await?;
    if found.is_empty() {
        ui.say(if docker.is_some() {
            "nothing is left behind"
        } else {
            "no process and no directory is left behind"
        });
        return Ok(code);
    }
    let verb = if args.dry_run {
        "would remove"
    } else {
        "removed"
    };
    if !args.dry_run {
        found.remove(docker.as_ref()).await?;
    }
    for line in found.describe() {
        ui.data(&format!("{verb} {line}\n"))?;
    }
    Ok(code)
}

async fn reach() -> Result<Docker> {
    let docker = Docker::at(Endpoint::from_environment()?)?;
    docker.version().await?;
    Ok(docker)
}

/// Removes what dead runs of ours left behind; each start does.
pub async fn reap(ui: &Ui) -> Result<()> {
    // Without a daemon there is no container to look for.
    let docker = reach().await.ok();
    let found = Leftovers::find(docker.as_ref()).await?;
    found.remove(docker.as_ref()).await?;
    for line in found.describe() {
        ui.say(format!("removed, left by a dead run: {line}"));
    }
    Ok(())
}
