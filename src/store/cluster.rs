//! What a run keeps while workers on other machines run its trials: `regatta/cluster/`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::lease::Holder;
use super::result::{ResultFile, read};
use super::{LogTree, PairDir, RunDir};
use crate::error::{Error, Result};
use crate::{files, json};

/// `driver.json`: where workers reach the driver of a run, and what it has submitted. Only its user may
/// read it.
#[derive(Clone, Serialize, Deserialize)]
pub struct DriverFile {
    /// Where it listens; `None` once it has ended in order.
    pub address: Option<SocketAddr>,
    /// The secret of the connection, in hexadecimal.
    pub secret: String,
    /// Who it is.
    pub holder: Holder,
    /// The version of this program.
    pub version: String,
    /// The jobs of its workers, as Slurm numbers them.
    pub jobs: BTreeSet<u64>,
}

impl DriverFile {
    /// The driver of a run, if one ever was.
    pub fn read(run: &RunDir) -> Result<Option<Self>> {
        let path = run.cluster_driver();
        if !path.exists() {
            return Ok(None);
        }
        let bytes = files::read(&path)?;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Error::world(format!("{} is no driver's file: {error}", path.display()))
                .hint("remove it when no worker of the run lives (`squeue --me`); the next command makes it anew")
        })
    }

    /// Writes it, for the eyes of the user only.
    pub fn write(&self, run: &RunDir) -> Result<()> {
        files::write_private(&run.cluster_driver(), json::line(self).as_bytes())
    }
}

/// The run in the tree of a worker: what it writes, before the driver has it.
#[must_use]
pub fn workers_run(run: &RunDir, worker: &str) -> RunDir {
    LogTree::at(run.workers().join(worker)).run(run.name())
}

/// Moves what a trial left in a worker's tree to where the run has it, the result last, in the place of
/// an earlier trial's. Without a result there nothing is moved; whether it was. The worker's claim must be
/// settled.
pub fn collect(from: &PairDir, to: &PairDir) -> Result<bool> {
    let (result, standing) = (from.result(), to.result());
    if !result.exists() {
        return Ok(false);
    }
    files::create_dir(to.path())?;
    move_all(from.path(), to.path(), &result)?;
    files::rename(&result, &standing)?;
    files::sync_dir(to.path())?;
    // What is left are empty directories.
    let _ = files::remove_tree(from.path());
    Ok(true)
}

/// Moves the entries of a directory into another, but for one file.
fn move_all(from: &Path, to: &Path, but: &Path) -> Result<()> {
    for path in files::list(from)? {
        let Some(target) = path.file_name().map(|name| to.join(name)) else {
            continue;
        };
        if path == but {
            continue;
        }
        if path.is_dir() && target.is_dir() {
            move_all(&path, &target, but)?;
        } else {
            files::rename(&path, &target)?;
        }
    }
    Ok(())
}

/// Whether a trial left a result with an error.
#[must_use]
pub fn has_error(dir: &PairDir) -> bool {
    match read(&dir.result()) {
        ResultFile::Read(record) => record.agents.iter().any(|agent| agent.error.is_some()),
        _ => false,
    }
}
