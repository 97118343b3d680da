//! The heartbeat of a holder: a file `<id>.<count>` that is renamed with each beat.
//!
//! So a beat is one call of the server, and all beats are read by one listing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::Holder;
use super::holder::is_id;
use crate::error::{Error, Result};
use crate::files;
use crate::store::RunDir;

/// The most that its file has.
const MAX_BYTES: u64 = 64_000;

/// What shows others that a holder lives. It begins before the first claim.
#[derive(Debug)]
pub struct Heart {
    dir: PathBuf,
    holder: Holder,
    count: u64,
}

impl Heart {
    /// Begins to beat for a holder. The caller beats once each [`super::BEAT`].
    pub fn begin(run: &RunDir, holder: &Holder) -> Result<Self> {
        let heart = Self {
            dir: run.beats(),
            holder: holder.clone(),
            count: 0,
        };
        files::create_dir(&heart.dir)?;
        heart.write()?;
        Ok(heart)
    }

    /// One beat. After an error the next one tries again.
    pub fn beat(&mut self) -> Result<()> {
        let old = path(&self.dir, &self.holder.id, self.count);
        let new = path(&self.dir, &self.holder.id, self.count + 1);
        let moved = files::move_if_free(&old, &new);
        // It may have been done although the answer was lost.
        if moved.is_ok() || files::is_there(&new)? {
            self.count += 1;
            return Ok(());
        }
        if files::is_there(&old)? {
            let error = moved.err().map_or_else(String::new, |it| it.to_string());
            let old = old.display();
            return Err(Error::world(format!("no heartbeat in {old}: {error}")));
        }
        // Somebody has taken it away, thinking that we are gone.
        self.count += 1;
        self.write()
    }

    /// Ends in order: who gave all claims back is not waited for.
    pub fn stop(self) -> Result<()> {
        files::remove(&path(&self.dir, &self.holder.id, self.count))
    }

    fn write(&self) -> Result<()> {
        let text = serde_json::to_vec(&self.holder)
            .map_err(|error| Error::world(format!("cannot write a heartbeat: {error}")))?;
        files::write_atomic(&path(&self.dir, &self.holder.id, self.count), &text)
    }
}

fn path(dir: &Path, id: &str, count: u64) -> PathBuf {
    dir.join(format!("{id}.{count}"))
}

/// The heartbeats of a run.
pub(super) struct Beats {
    dir: PathBuf,
}

impl Beats {
    pub fn of(run: &RunDir) -> Self {
        Self { dir: run.beats() }
    }

    /// The count of each holder by its id, as the server has them now. Other files are passed over.
    pub fn counts(&self) -> Result<HashMap<String, u64>> {
        files::refresh(&self.dir)?;
        let mut counts: HashMap<String, u64> = HashMap::new();
        for path in files::list(&self.dir)? {
            let name = path.file_name().and_then(|name| name.to_str());
            let Some((id, count)) = name.and_then(|name| name.split_once('.')) else {
                continue;
            };
            if let (true, Ok(count)) = (is_id(id), count.parse()) {
                // One that beats while it is listed may come twice.
                let known = counts.entry(id.to_owned()).or_insert(count);
                *known = count.max(*known);
            }
        }
        Ok(counts)
    }

    /// The count of one holder, of which one is known: to ask whether that one is still there costs
    /// less than to list all.
    pub fn count_of(&self, id: &str, known: Option<u64>) -> Result<Option<u64>> {
        if let Some(count) = known
            && files::is_there(&path(&self.dir, id, count))?
        {
            return Ok(Some(count));
        }
        Ok(self.counts()?.remove(id))
    }

    /// Whose heartbeat it is; `None` where it has gone, or is none: the claims say it too.
    pub fn holder(&self, id: &str, count: u64) -> Option<Holder> {
        let bytes = files::read_up_to(&path(&self.dir, id, count), MAX_BYTES);
        let holder: Holder = serde_json::from_slice(&bytes.ok()??).ok()?;
        (holder.id == id).then_some(holder)
    }

    /// Takes the heartbeat of one that is gone away.
    pub fn remove(&self, id: &str) -> Result<()> {
        match self.counts()?.remove(id) {
            Some(count) => files::remove(&path(&self.dir, id, count)),
            None => Ok(()),
        }
    }
}
