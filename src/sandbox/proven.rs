//! Images of which a sandbox has started in this process: what is wrong with an image shows the first
//! time, and a model that is asked before has been paid for nothing.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::spec::Source;

static PROVEN: Mutex<Option<HashSet<String>>> = Mutex::new(None);

impl Source {
    /// Whether a sandbox of it is known to start: there is nothing to know of a directory.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        let Self::Image(image) = self else {
            return true;
        };
        let proven = PROVEN.lock().unwrap_or_else(PoisonError::into_inner);
        proven.as_ref().is_some_and(|proven| proven.contains(image))
    }

    /// Notes that a sandbox of it has started.
    pub(super) fn prove(&self) {
        if let Self::Image(image) = self {
            let mut proven = PROVEN.lock().unwrap_or_else(PoisonError::into_inner);
            proven.get_or_insert_default().insert(image.clone());
        }
    }
}
