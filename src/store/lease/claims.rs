//! Claims: to take one, to break that of a holder that is gone, and to end one.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::entry::{Entry, Record, TRIES, is_gone, no_claim};
use super::holder::random_id;
use super::{ClaimKey, Holder};
use crate::error::{Error, Result};
use crate::files;
use crate::process;
use crate::store::RunDir;

/// The claims on what is in a run.
#[derive(Clone, Debug)]
pub struct Claims {
    dir: PathBuf,
}

/// What became of a try to take a claim.
#[derive(Debug)]
pub enum Took {
    /// It is ours.
    Ours(Claim),
    /// It is another's.
    Theirs(Holder),
}

/// A claim that was taken. It stands until it is given back, or broken because its holder was thought
/// to be gone; a value that is dropped leaves it as it is.
#[must_use]
#[derive(Debug)]
pub struct Claim {
    claims: Claims,
    key: ClaimKey,
    entry: Entry,
}

impl Claims {
    /// The claims of a run.
    #[must_use]
    pub fn of(run: &RunDir) -> Self {
        Self { dir: run.claims() }
    }

    fn place(&self, key: &ClaimKey) -> PathBuf {
        self.dir.join(key.file_name())
    }

    /// Takes a claim, if nobody has it.
    ///
    /// A directory with the claim in it is moved to the place of what is claimed. That takes the place
    /// of nothing or of an empty directory only.
    pub fn take(&self, key: &ClaimKey, holder: &Holder) -> Result<Took> {
        let place = self.place(key);
        let record = Record {
            key: key.clone(),
            nonce: random_id(),
            holder: holder.clone(),
        };
        let entry = Entry {
            place: place.clone(),
            id: holder.id.clone(),
            nonce: record.nonce.clone(),
            is_settled: false,
        };
        let mut made = self.make(&entry, &record)?;
        for _ in 0..TRIES {
            let moved = files::move_if_free(made.path(), &place);
            // It may have been done although the answer was lost.
            if moved.is_ok() || files::is_there(&entry.path())? {
                made.disable_cleanup(true);
                return Ok(Took::Ours(self.claim(key, entry)));
            }
            if let Err(error) = moved
                && !files::is_taken(&error)
                && error.kind() != ErrorKind::StaleNetworkFileHandle
            {
                return self.in_doubt(key, entry, &made, &error);
            }
            let theirs = match Entry::within(&place)? {
                Some(theirs) => theirs.read()?,
                None => None,
            };
            if let Some(theirs) = theirs {
                return Ok(Took::Theirs(theirs.holder));
            }
        }
        Err(no_claim(&place, "it has no claim, and is not empty"))
    }

    /// What became of a claim after an error that does not say whether it was taken: without its file
    /// it cannot be taken any more.
    fn in_doubt(
        &self,
        key: &ClaimKey,
        entry: Entry,
        made: &TempDir,
        error: &std::io::Error,
    ) -> Result<Took> {
        files::remove(&made.path().join(entry.file_name()))?;
        if files::is_there(&entry.path())? {
            return Ok(Took::Ours(self.claim(key, entry)));
        }
        let place = entry.place.display();
        Err(match error.kind() {
            ErrorKind::NotADirectory => no_claim(&entry.place, "it is no directory"),
            _ => Error::world(format!("cannot claim {key} by {place}: {error}")),
        })
    }

    /// A directory with a claim in it, that nobody looks into yet.
    fn make(&self, entry: &Entry, record: &Record) -> Result<TempDir> {
        let first = files::temporary_dir_in(&self.dir);
        let made = match first {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                files::create_dir(&self.dir)?;
                files::temporary_dir_in(&self.dir)
            }
            first => first,
        };
        let made = made.map_err(|error| {
            let dir = self.dir.display();
            Error::world(format!("cannot claim {} in {dir}: {error}", record.key))
        })?;
        let text = serde_json::to_vec(record)
            .map_err(|error| Error::world(format!("cannot write a claim: {error}")))?;
        files::write_synced(&made.path().join(entry.file_name()), &text)?;
        Ok(made)
    }

    fn claim(&self, key: &ClaimKey, entry: Entry) -> Claim {
        Claim {
            claims: self.clone(),
            key: key.clone(),
            entry,
        }
    }

    /// The claims that stand and are not settled.
    ///
    /// # Errors
    /// Names all that is there and is no claim: nobody knows who works there.
    pub fn standing(&self) -> Result<Vec<(ClaimKey, Holder)>> {
        self.read(false)
    }

    /// Who holds the claim on this, if it stands and is not settled.
    pub fn holder(&self, key: &ClaimKey) -> Result<Option<Holder>> {
        let entry = Entry::within(&self.place(key))?.filter(|entry| !entry.is_settled);
        let record = entry.map_or(Ok(None), |entry| entry.read())?;
        Ok(record.map(|record| record.holder))
    }

    /// The claims that are settled and not cleared: what came of them may be published in part.
    pub fn settled(&self) -> Result<Vec<(ClaimKey, Holder)>> {
        self.read(true)
    }

    fn read(&self, settled: bool) -> Result<Vec<(ClaimKey, Holder)>> {
        let read = process::in_parallel(&self.places()?, |place| {
            let entry = Entry::within(place)?;
            let entry = entry.filter(|entry| entry.is_settled == settled);
            entry.map_or(Ok(None), |entry| entry.read())
        });
        let (read, wrong): (Vec<_>, Vec<_>) = read.into_iter().partition(Result::is_ok);
        let wrong: Vec<Error> = wrong.into_iter().filter_map(Result::err).collect();
        if let Some(first) = wrong.first() {
            let all: Vec<String> = wrong.iter().map(ToString::to_string).collect();
            let error = Error::world(all.join("\n"));
            let hints = first.hints().iter();
            return Err(hints.fold(error, |error, hint| error.hint(hint.clone())));
        }
        let read = read.into_iter().filter_map(Result::ok).flatten();
        Ok(read.map(|record| (record.key, record.holder)).collect())
    }

    /// The claims by the names of their files, settled or not. What is no claim is passed over.
    pub(super) fn entries(&self) -> Result<Vec<Entry>> {
        let entries = process::in_parallel(&self.places()?, |place| Entry::within(place));
        Ok(entries
            .into_iter()
            .filter_map(Result::ok)
            .flatten()
            .collect())
    }

    /// The directories of what is or was claimed.
    fn places(&self) -> Result<Vec<PathBuf>> {
        files::refresh(&self.dir)?;
        let mut places = files::list(&self.dir)?;
        let is_ours = |path: &Path| {
            let name = path.file_name().unwrap_or_default();
            !name.as_encoded_bytes().starts_with(b".")
        };
        places.retain(|path| is_ours(path));
        Ok(places)
    }

    /// The claim of this holder on this, if it has one.
    fn held(&self, key: &ClaimKey, holder: &Holder) -> Result<Option<Entry>> {
        let entry = Entry::within(&self.place(key))?;
        Ok(entry.filter(|entry| entry.id == holder.id))
    }

    /// Breaks the claim of a holder that is gone. Of several who do, one is told so. False too where
    /// it is another's by now, or settled.
    pub fn break_claim(&self, key: &ClaimKey, holder: &Holder) -> Result<bool> {
        match self.held(key, holder)? {
            Some(entry) if !entry.is_settled => self.withdraw(&entry),
            _ => Ok(false),
        }
    }

    /// Settles the claim of a holder, before anything of it is published: from then on nobody breaks
    /// it or gives it back, and whoever drives the run publishes what came of it to the end. False
    /// where it does not stand. True too where it is settled already.
    pub fn settle(&self, key: &ClaimKey, holder: &Holder) -> Result<bool> {
        match self.held(key, holder)? {
            Some(entry) => entry.settle(),
            None => Ok(false),
        }
    }

    /// Ends a settled claim, once all that came of it is published. False where there is none.
    pub fn clear(&self, key: &ClaimKey, holder: &Holder) -> Result<bool> {
        match self.held(key, holder)? {
            Some(entry) if entry.is_settled => self.withdraw(&entry),
            _ => Ok(false),
        }
    }

    /// Ends a claim: whether it was we who did.
    ///
    /// Its file goes to a name that only we have. Its own name is only its own, so that nothing else
    /// can be moved by it.
    fn withdraw(&self, entry: &Entry) -> Result<bool> {
        let away = files::unused_name_in(&self.dir);
        if let Err(error) = files::move_if_free(&entry.path(), &away)
            && !files::is_there(&away)?
        {
            if is_gone(&error) {
                return Ok(false);
            }
            let path = entry.path();
            return Err(Error::world(format!(
                "cannot end the claim {}: {error}",
                path.display()
            )));
        }
        files::remove(&away)?;
        // Another may have taken its place; then it is not empty. One that stays is free as well.
        let _ = files::remove_empty_dir(&entry.place);
        Ok(true)
    }
}

impl Claim {
    /// What was claimed.
    #[must_use]
    pub const fn key(&self) -> &ClaimKey {
        &self.key
    }

    /// Whether nobody has broken it. It asks the server; an answer can be old the moment after, so
    /// what must not be done without a claim is done after [`Self::settle`].
    pub fn stands(&self) -> Result<bool> {
        let place = &self.entry.place;
        // What is known here of the place is forgotten first.
        if !files::refresh(place)? {
            return Ok(false);
        }
        for entry in [&self.entry, &self.entry.settled()] {
            if entry.read()?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// As [`Claims::settle`].
    pub fn settle(&self) -> Result<bool> {
        self.entry.settle()
    }

    /// Gives it back: another may take it. One that was broken or is settled is not touched.
    pub fn give_back(self) -> Result<()> {
        self.claims.withdraw(&self.entry).map(drop)
    }
}
