//! An image whose repository was made ready, for all sandboxes that begin so.
//!
//! To make one ready for an agent takes a dozen programs, git among them, and copies of git's objects:
//! more than the rest of a start. What comes of it depends on the image and the agent's name only. So
//! it is done once, in a sandbox of its own, and what that one wrote lies below the others as one layer
//! more.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use indexmap::IndexMap;
use tokio::sync::OnceCell;

use super::scratch::Scratch;
use crate::sandbox::Output;

/// So many are kept for agents: pairs are run image by image, and each may be as large as its
/// repository. Of one that stays as it is, only what was said is.
const KEPT: usize = 16;

/// What decides how a repository is when it is ready.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Readying {
    /// The image's directories, which are named by their content.
    pub trees: Vec<PathBuf>,
    /// The variables that programs see.
    pub env: Vec<(String, String)>,
    /// The agent's id, unless the repository stays as it is.
    pub agent: Option<String>,
}

/// What was written when a repository was made ready, and what was said.
#[derive(Debug)]
pub struct Readied {
    /// The directory above the image's, where the repository was made ready for an agent.
    pub above: Option<Scratch>,
    /// What the script of the set-up printed.
    pub said: Output,
}

/// Those that were made last.
#[derive(Debug, Default)]
pub struct ReadiedImages(Mutex<IndexMap<Readying, Making>>);

/// Made by the first who wants it; the others wait. `None` where it cannot be made.
type Making = Arc<OnceCell<Option<Arc<Readied>>>>;

impl ReadiedImages {
    /// The one that is ready so; `make` makes it the first time.
    pub async fn get(
        &self,
        readying: Readying,
        make: impl Future<Output = Option<Readied>>,
    ) -> Option<Arc<Readied>> {
        let making = self.making(readying);
        let readied = making.get_or_init(async || make.await.map(Arc::new));
        readied.await.clone()
    }

    fn making(&self, readying: Readying) -> Making {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let making = all.shift_remove(&readying).unwrap_or_default();
        let mut of_agents = all.keys().filter(|it| it.agent.is_some());
        let oldest = of_agents.next().cloned();
        if of_agents.count() + 1 >= KEPT
            && let Some(oldest) = oldest
        {
            // It goes with the last sandbox that uses it.
            all.shift_remove(&oldest);
        }
        all.insert(readying, Arc::clone(&making));
        making
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::frame::CommandEnd;

    /// Whether it was made only now.
    async fn is_new(images: &ReadiedImages, agent: Option<usize>) -> bool {
        let readying = Readying {
            trees: Vec::new(),
            env: Vec::new(),
            agent: agent.map(|number| format!("agent{number}")),
        };
        let mut is_new = false;
        let make = async {
            is_new = true;
            let said = Output {
                end: CommandEnd::Exited(0),
                head: Vec::new(),
                tail: Vec::new(),
                elided: 0,
            };
            Some(Readied { above: None, said })
        };
        assert!(images.get(readying, make).await.is_some());
        is_new
    }

    #[tokio::test]
    async fn those_that_were_used_last_are_kept() {
        let images = ReadiedImages::default();
        for agent in [None].into_iter().chain((0..KEPT).map(Some)) {
            assert!(is_new(&images, agent).await, "{agent:?}");
        }
        assert!(!is_new(&images, Some(0)).await);
        assert!(is_new(&images, Some(KEPT)).await);
        assert!(!is_new(&images, Some(0)).await);
        assert!(is_new(&images, Some(1)).await);
        assert!(!is_new(&images, None).await);
    }
}
