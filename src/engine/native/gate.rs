//! How many trials run at once, while that may change.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A gate that lets so many trials in.
pub struct Gate {
    places: Arc<Semaphore>,
    /// How many there are to be.
    wanted: usize,
    /// How many there are, those in use too: more than are wanted until enough come free.
    there: usize,
}

impl Gate {
    /// A gate with so many places.
    pub fn of(places: usize) -> Self {
        let places = bounded(places);
        Self {
            places: Arc::new(Semaphore::new(places)),
            wanted: places,
            there: places,
        }
    }

    /// Gives it so many places. Nobody is sent away: what is in use goes when it comes free, at the
    /// next call.
    pub fn resize(&mut self, places: usize) {
        self.wanted = bounded(places);
        if self.there < self.wanted {
            self.places.add_permits(self.wanted - self.there);
            self.there = self.wanted;
        } else {
            self.there -= self.places.forget_permits(self.there - self.wanted);
        }
    }

    /// Whether places still have to go: until then nobody is let in.
    pub const fn is_too_wide(&self) -> bool {
        self.there > self.wanted
    }

    /// Waits for a place.
    pub async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.places).acquire_owned().await.ok()
    }
}

fn bounded(places: usize) -> usize {
    places.clamp(1, Semaphore::MAX_PERMITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_gets_wider_at_once_and_narrower_as_places_come_free() {
        let mut gate = Gate::of(1);
        let first = gate.enter().await;
        gate.resize(3);
        let (second, third) = (gate.enter().await, gate.enter().await);
        gate.resize(1);
        assert!(gate.is_too_wide());
        drop(first);
        gate.resize(1);
        assert!(gate.is_too_wide());
        drop(second);
        gate.resize(1);
        assert!(!gate.is_too_wide());
        // The one place is in use.
        assert_eq!(gate.places.available_permits(), 0);
        drop(third);
        assert_eq!(gate.places.available_permits(), 1);
        gate.resize(usize::MAX);
        assert_eq!(gate.places.available_permits(), Semaphore::MAX_PERMITS);
    }
}
