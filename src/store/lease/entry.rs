//! A claim's file: `<holder's id>-<nonce>` in the directory of what is claimed. Once it is settled,
//! `.settled` is behind its name.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::holder::is_id;
use super::{ClaimKey, Holder};
use crate::error::{Error, Result};
use crate::files;

/// The most that a claim's file has. A pair of a hundred features and long names take 3 kB.
const MAX_BYTES: u64 = 64_000;

/// How often one looks again where a claim came and went meanwhile.
pub(super) const TRIES: usize = 20;

/// The end of the name of a claim that is settled.
const SETTLED: &str = ".settled";

/// What a claim's file has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub key: ClaimKey,
    pub nonce: String,
    pub holder: Holder,
}

/// A claim by the name of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The directory of what is claimed.
    pub place: PathBuf,
    pub id: String,
    pub nonce: String,
    pub is_settled: bool,
}

impl Entry {
    /// A claim by its file's name; `None` for any other.
    fn of(place: &Path, name: &str) -> Option<Self> {
        let (name, is_settled) = match name.strip_suffix(SETTLED) {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (id, nonce) = name.split_once('-')?;
        (is_id(id) && is_id(nonce)).then(|| Self {
            place: place.to_owned(),
            id: id.to_owned(),
            nonce: nonce.to_owned(),
            is_settled,
        })
    }

    /// The claim in the directory of what is claimed, as the server has it now; `None` where there is
    /// none.
    ///
    /// # Errors
    /// Where the directory has something else: nobody knows whether it is free.
    pub fn within(place: &Path) -> Result<Option<Self>> {
        let Some(paths) = list(place)? else {
            return Ok(None);
        };
        let mut foreign = None;
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            match Self::of(place, &name) {
                Some(entry) => return Ok(Some(entry)),
                // What a file system or an editor has for a moment.
                None if name.starts_with('.') => {}
                None => foreign = Some(path),
            }
        }
        match foreign {
            Some(path) => Err(no_claim(&path, "its name is none of a claim")),
            None => Ok(None),
        }
    }

    /// The same claim, once it is settled.
    pub fn settled(&self) -> Self {
        Self {
            is_settled: true,
            ..self.clone()
        }
    }

    /// Settles it, if it stands. True too where it is settled already.
    pub fn settle(&self) -> Result<bool> {
        if self.is_settled {
            return Ok(true);
        }
        let settled = self.settled().path();
        match files::move_if_free(&self.path(), &settled) {
            Ok(()) => Ok(true),
            // By another, or by us, and the answer was lost.
            Err(_) if files::is_there(&settled)? => Ok(true),
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => {
                let path = self.path();
                let text = format!("cannot settle the claim {}: {error}", path.display());
                Err(Error::world(text))
            }
        }
    }

    pub fn file_name(&self) -> String {
        let end = if self.is_settled { SETTLED } else { "" };
        format!("{}-{}{end}", self.id, self.nonce)
    }

    pub fn path(&self) -> PathBuf {
        self.place.join(self.file_name())
    }

    /// What its file has; `None` where it has gone.
    pub fn read(&self) -> Result<Option<Record>> {
        let path = self.path();
        let bytes = match files::read_up_to(&path, MAX_BYTES) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(None),
            // On NFS a file that goes while it is read is an error of its own.
            Err(error) => {
                return if files::is_there(&path)? {
                    Err(error)
                } else {
                    Ok(None)
                };
            }
        };
        if bytes.is_empty() {
            return Err(no_claim(&path, "it is empty"));
        }
        let record: Record =
            serde_json::from_slice(&bytes).map_err(|error| no_claim(&path, &error.to_string()))?;
        let is_of_this_name = record.nonce == self.nonce && record.holder.id == self.id;
        let place = self.place.file_name().unwrap_or_default();
        if !is_of_this_name || *place != *record.key.file_name() {
            let why = format!("it is one on {} under another name", record.key);
            return Err(no_claim(&path, &why));
        }
        Ok(Some(record))
    }
}

/// What is in the directory of what is claimed, as the server has it now; `None` where there is none.
fn list(place: &Path) -> Result<Option<Vec<PathBuf>>> {
    let mut tries = 0;
    loop {
        if !files::refresh(place)? {
            return Ok(None);
        }
        match files::list(place) {
            Ok(paths) => return Ok(Some(paths)),
            Err(_) if place.is_file() => return Err(no_claim(place, "it is no directory")),
            // On NFS one that goes while it is listed, or has another in its place, is an error.
            Err(error) if tries == TRIES => return Err(error),
            Err(_) => tries += 1,
        }
    }
}

/// Whether what was to be moved is not there.
pub(super) fn is_gone(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::StaleNetworkFileHandle
    )
}

/// An error for what stands where a claim should.
pub(super) fn no_claim(path: &Path, why: &str) -> Error {
    Error::world(format!("{} is no claim: {why}", path.display())).hint(
        "while it is there nobody works on this: once no worker of the run is left, move it away",
    )
}
