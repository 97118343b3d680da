//! Who is gone, as one observer sees it, by its own clock.

use std::collections::hash_map::Entry::Vacant;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::Holder;
use super::claims::Claims;
use super::entry::Entry;
use super::heart::Beats;
use crate::error::Result;
use crate::store::RunDir;

/// An observer of holders. What it knows is its own: no two observers, and no two machines, compare
/// their clocks.
///
/// A holder is gone when its count was seen unchanged for the expiry. Each look adds at most a third
/// of it, so that it takes three looks and more: while a server hangs, an observer hangs like all
/// others, and must not be the first to find them silent.
#[derive(Debug)]
pub struct Watcher {
    expiry: Duration,
    seen: HashMap<String, Sighting>,
    read_at: Option<Instant>,
}

/// What was seen of a holder.
#[derive(Debug)]
struct Sighting {
    holder: Option<Holder>,
    count: Option<u64>,
    at: Instant,
    unchanged: Duration,
    /// Gone, and without a claim when these were read.
    has_nothing: bool,
}

impl Sighting {
    const fn of(holder: Option<Holder>, count: Option<u64>, at: Instant) -> Self {
        Self {
            holder,
            count,
            at,
            unchanged: Duration::ZERO,
            has_nothing: false,
        }
    }

    fn look(&mut self, count: Option<u64>, now: Instant, most: Duration) {
        if count == self.count {
            self.unchanged += now.saturating_duration_since(self.at).min(most);
        } else {
            self.count = count;
            self.unchanged = Duration::ZERO;
            self.has_nothing = false;
        }
        self.at = self.at.max(now);
    }

    fn is_gone(&self, expiry: Duration) -> bool {
        self.unchanged >= expiry || self.holder.as_ref().is_some_and(Holder::is_dead)
    }
}

impl Watcher {
    /// One that has seen nothing yet.
    #[must_use]
    pub fn new(expiry: Duration) -> Self {
        Self {
            expiry,
            seen: HashMap::new(),
            read_at: None,
        }
    }

    /// The holders of standing claims that are gone. It is asked about once each [`super::BEAT`].
    ///
    /// The claims are read when a holder may be gone, and else once an expiry.
    pub fn look(&mut self, run: &RunDir, now: Instant) -> Result<Vec<Holder>> {
        let beats = Beats::of(run);
        let counts = beats.counts()?;
        let most = self.expiry / 3;
        for (id, sighting) in &mut self.seen {
            sighting.look(counts.get(id).copied(), now, most);
        }
        for (id, count) in counts {
            if let Vacant(vacant) = self.seen.entry(id) {
                let holder = beats.holder(vacant.key(), count);
                vacant.insert(Sighting::of(holder, Some(count), now));
            }
        }
        let is_due = self
            .read_at
            .is_none_or(|at| now.saturating_duration_since(at) >= self.expiry);
        let expiry = self.expiry;
        let mut seen = self.seen.values();
        if is_due || seen.any(|it| !it.has_nothing && it.is_gone(expiry)) {
            self.read_at = Some(now);
            return self.read_claims(run, now);
        }
        Ok(Vec::new())
    }

    fn read_claims(&mut self, run: &RunDir, now: Instant) -> Result<Vec<Holder>> {
        let entries = Claims::of(run).entries()?;
        let standing: Vec<&Entry> = entries.iter().filter(|it| !it.is_settled).collect();
        for entry in &standing {
            let sighting = self.seen.entry(entry.id.clone());
            let sighting = sighting.or_insert_with(|| Sighting::of(None, None, now));
            // A heart begins before the first claim: without one its file was taken away.
            if sighting.holder.is_none() {
                let record = entry.read().ok().flatten();
                sighting.holder = record.map(|record| record.holder);
            }
        }
        let holding: BTreeSet<&str> = standing.iter().map(|entry| &*entry.id).collect();
        // One that gave all back and ended is forgotten.
        self.seen
            .retain(|id, it| it.count.is_some() || holding.contains(&**id));
        let expiry = self.expiry;
        for (id, sighting) in &mut self.seen {
            sighting.has_nothing = sighting.is_gone(expiry) && !holding.contains(&**id);
        }
        let mut gone = Vec::new();
        for id in holding {
            let sighting = &self.seen[id];
            if sighting.is_gone(expiry) {
                gone.extend(self.known(id, &standing)?);
            }
        }
        Ok(gone)
    }

    /// A holder with claims by its id; `None` where these have gone meanwhile.
    ///
    /// # Errors
    /// Where neither its heartbeat nor its claims say who it is.
    fn known(&self, id: &str, standing: &[&Entry]) -> Result<Option<Holder>> {
        let holder = self.seen.get(id).and_then(|it| it.holder.clone());
        let mut claim = standing.iter().filter(|entry| entry.id == id);
        match (holder, claim.next()) {
            (None, Some(claim)) => Ok(claim.read()?.map(|record| record.holder)),
            (holder, _) => Ok(holder),
        }
    }

    /// Whether one holder is gone, for who watches nobody else.
    pub fn is_gone(&mut self, run: &RunDir, holder: &Holder, now: Instant) -> Result<bool> {
        let known = self.seen.get(&holder.id).and_then(|it| it.count);
        let count = Beats::of(run).count_of(&holder.id, known)?;
        let first = || Sighting::of(Some(holder.clone()), count, now);
        let sighting = self.seen.entry(holder.id.clone()).or_insert_with(first);
        sighting.look(count, now, self.expiry / 3);
        Ok(sighting.is_gone(self.expiry))
    }

    /// Forgets one that is gone and whose claims are broken, and takes its heartbeat away.
    pub fn forget(&mut self, run: &RunDir, holder: &Holder) -> Result<()> {
        self.seen.remove(&holder.id);
        Beats::of(run).remove(&holder.id)
    }
}
