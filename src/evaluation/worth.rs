//! What a pass is worth: whether every hidden test ran, and whether they pass without what the
//! submission does to steer them. Upstream's verdict is not touched by it.

use super::cache::Key;
use super::census::{Census, Own};
use super::judge::{Judge, SUITE_BROKEN};
use super::patch::Prepared;
use super::suite::{Outcome, Seen, Suite};
use super::{Asking, Trouble};
use crate::bench::{Pair, TaskKey};
use crate::files;
use crate::store::eval::{Compared, Worth};

/// The largest runner that is read, in bytes.
const MAX_RUNNER: u64 = 16 << 20;

impl Judge {
    /// What the passes of both features are worth.
    pub(super) async fn worth(
        &self,
        pair: &Pair,
        _patches: &[Prepared],
        suites: &[Suite; 2],
        asking: &Asking<'_>,
    ) -> Result<[Worth; 2], Trouble> {
        let [first, second] = pair.features;
        let (one, two) = tokio::join!(
            self.missing(&pair.task, first, &suites[0], asking),
            self.missing(&pair.task, second, &suites[1], asking)
        );
        let worth = |(tests_compared, tests_missing)| Worth {
            tests_compared,
            tests_missing,
            steering_files: Vec::new(),
            verdict_without_steering: None,
            without_steering: None,
        };
        Ok([worth(one?), worth(two?)])
    }

    /// What ran with the dataset's own patch and not in this suite.
    async fn missing(
        &self,
        task: &TaskKey,
        feature: u64,
        suite: &Suite,
        asking: &Asking<'_>,
    ) -> Result<(Compared, Vec<String>), Trouble> {
        let gold = match self.gold(task, feature, asking).await {
            Ok(gold) => gold,
            Err(trouble) if trouble.of_sandbox => return Err(trouble),
            // The suite itself: that it did run with the submission is upstream's verdict.
            Err(_) => return Ok((Compared::Nothing, Vec::new())),
        };
        let own = Own::of(
            &self.dataset_file(task, feature, "feature.patch")?,
            &self.dataset_file(task, feature, "tests.patch")?,
        );
        Ok(gold.missing_in(&Census::of(&suite.output), &own))
    }

    /// What runs of a feature's suite with the dataset's own patch. Made once, and kept on every
    /// backend: where there is no image, by the task's files and its workspace.
    pub(super) async fn gold(
        &self,
        task: &TaskKey,
        feature: u64,
        asking: &Asking<'_>,
    ) -> Result<Census, Trouble> {
        let own = self.dataset_file(task, feature, "feature.patch")?;
        let tests = self.dataset_file(task, feature, "tests.patch")?;
        let runner = self.venue.task_dir(task).join("runner.sh");
        let runner =
            files::read_up_to(&runner, MAX_RUNNER).map_err(|error| Trouble::dataset(&error))?;
        // A workspace is read once a command.
        let named = Key::of("world", None, &task.to_string());
        let world = async { Ok(self.venue.world(task).await) };
        let world: Option<String> = self.cache.once(named, world).await?;
        let mut key = Key::of("gold", world.as_deref(), &task.to_string());
        for part in [&own, &tests, &runner.unwrap_or_default()] {
            key.add(part);
        }
        let work = async {
            let (Seen::Judged(suite) | Seen::Unclear(suite)) =
                self.seen(task, feature, Some(&own), asking).await?;
            if !matches!(suite.outcome, Outcome::Passed | Outcome::Failed) {
                return Err(Trouble::new(SUITE_BROKEN, suite.reason));
            }
            Ok(Census::of(&suite.output))
        };
        self.cache.once(key, Box::pin(work)).await
    }
}
