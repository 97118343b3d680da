//! What a pass is worth: whether every hidden test ran, and whether they pass without what the
//! submission does to steer them. Upstream's verdict is not touched by it.

use super::cache::Key;
use super::census::{Census, OwnTests};
use super::judge::{Judge, SUITE_BROKEN};
use super::patch::{PatchReading, Prepared};
use super::steering::strip::{Stripped, strip};
use super::suite::{Seen, Suite, SuiteOutcome};
use super::venue::Room;
use super::{Asking, Trouble, output, steering};
use crate::bench::{Pair, TaskKey};
use crate::files;
use crate::store::eval::{Compared, KnownVerdict, PassWorth};

/// The largest runner that is read, in bytes.
const MAX_RUNNER: u64 = 16 << 20;

/// A verdict without what steers, with its reason.
type Without = (KnownVerdict, String);

impl Judge {
    /// What the passes of both features are worth.
    pub(super) async fn worth(
        &self,
        pair: &Pair,
        patches: &[Prepared],
        reading: PatchReading,
        suites: &[Suite; 2],
        asking: &Asking<'_>,
    ) -> Result<[PassWorth; 2], Trouble> {
        let [first, second] = pair.features;
        let (one, two) = tokio::join!(
            self.missing(&pair.task, first, &suites[0], asking),
            self.missing(&pair.task, second, &suites[1], asking)
        );
        let (one, two) = (one?, two?);
        let (files, without) = self.steering(pair, patches, reading, asking).await?;
        let worth = |(tests_compared, tests_missing), without: Option<Without>| {
            let (verdict_without_steering, without_steering) = without.unzip();
            PassWorth {
                tests_compared,
                tests_missing,
                steering_files: files.clone(),
                verdict_without_steering,
                without_steering,
            }
        };
        let [first, second] = without.map_or([None, None], |both| both.map(Some));
        Ok([worth(one, first), worth(two, second)])
    }

    /// The files of a submission that steer tests, and the verdicts without them.
    async fn steering(
        &self,
        pair: &Pair,
        patches: &[Prepared],
        reading: PatchReading,
        asking: &Asking<'_>,
    ) -> Result<(Vec<String>, Option<[Without; 2]>), Trouble> {
        let runner = self.runner(&pair.task)?;
        let [one, two] = pair
            .features
            .map(|feature| self.dataset_file(&pair.task, feature, "feature.patch"));
        let runner = steering::harness(&String::from_utf8_lossy(&runner), &[&one?, &two?]);
        let (mut files, mut rest, mut is_known) = (Vec::new(), Vec::new(), true);
        for patch in patches {
            if steering::named(&patch.bytes, &runner).is_empty() {
                rest.push(patch.clone());
                continue;
            }
            let stripped = self
                .stripped(&pair.task, &patch.bytes, &runner, asking)
                .await?;
            is_known &= stripped.patch.is_some() || stripped.files.is_empty();
            files.extend(stripped.files);
            rest.push(Prepared {
                bytes: stripped.patch.unwrap_or_else(|| patch.bytes.clone()),
                dropped: Vec::new(),
            });
        }
        files.sort();
        files.dedup();
        if files.is_empty() {
            return Ok((files, None));
        }
        if !is_known {
            let why = "git does not take the patch without them";
            let unknown = || (KnownVerdict::Unknown(()), why.to_owned());
            return Ok((files, Some([unknown(), unknown()])));
        }
        let without = self.without(pair, &rest, reading, asking).await?;
        Ok((files, Some(without)))
    }

    /// The verdicts on a submission that steers nothing.
    async fn without(
        &self,
        pair: &Pair,
        rest: &[Prepared],
        reading: PatchReading,
        asking: &Asking<'_>,
    ) -> Result<[Without; 2], Trouble> {
        // Where nothing else was submitted, the base is what there is.
        let suites = if rest.iter().all(|patch| patch.bytes.is_empty()) {
            let [first, second] = pair.features;
            let (one, two) = tokio::join!(
                self.seen(&pair.task, first, None, asking),
                self.seen(&pair.task, second, None, asking)
            );
            one.and_then(|one| {
                let of = |(Seen::Judged(suite) | Seen::Unclear(suite))| suite;
                Ok([of(one), of(two?)])
            })
        } else {
            let judgement = self.verdict(pair, rest, reading, asking).await;
            judgement.map(|judgement| judgement.suites)
        };
        match suites {
            Ok(suites) => Ok(suites.map(|suite| (verdict_of(&suite), suite.reason))),
            // The suite does not run: that it did with them is upstream's verdict.
            Err(trouble) if trouble.rule == SUITE_BROKEN => {
                let unknown = || (KnownVerdict::Unknown(()), trouble.text.clone());
                Ok([unknown(), unknown()])
            }
            // Nothing follows from what broke, and another look may tell.
            Err(trouble) => Err(trouble),
        }
    }

    /// A patch without what steers tests.
    async fn stripped(
        &self,
        task: &TaskKey,
        patch: &[u8],
        runner: &str,
        asking: &Asking<'_>,
    ) -> Result<Stripped, Trouble> {
        let ground = self.venue.ground(task).await;
        let mut key = Key::of("steering", ground.as_deref(), &task.to_string());
        key.add(patch);
        key.add(runner.as_bytes());
        let work = async |room: &mut Room| strip(room, patch, runner).await;
        let work = self.venue.within(task, asking.run, work);
        self.cache.once(key, Box::pin(work)).await
    }

    /// The task's runner, as the dataset has it.
    fn runner(&self, task: &TaskKey) -> Result<Vec<u8>, Trouble> {
        let path = self.venue.task_dir(task).join("runner.sh");
        let runner = files::read_up_to(&path, MAX_RUNNER);
        let runner = runner.map_err(|error| Trouble::dataset(&error))?;
        Ok(runner.unwrap_or_default())
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
            // The suite itself: that it did run with the submission is upstream's verdict.
            Err(trouble) if trouble.rule == SUITE_BROKEN => {
                return Ok((Compared::Nothing, Vec::new()));
            }
            Err(trouble) => return Err(trouble),
        };
        let own = OwnTests::of(
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
        let runner = self.runner(task)?;
        let world = self.world(task).await?;
        let world = world.map(|world| self.venue.name_of(&world));
        let mut key = Key::of("gold", world.as_deref(), &task.to_string());
        for part in [&own, &tests, &runner] {
            key.add(part);
        }
        let work = async {
            let (Seen::Judged(suite) | Seen::Unclear(suite)) =
                self.seen(task, feature, Some(&own), asking).await?;
            if !matches!(suite.outcome, SuiteOutcome::Passed | SuiteOutcome::Failed) {
                return Err(Trouble::new(SUITE_BROKEN, suite.reason));
            }
            Ok(Census::of(&suite.output))
        };
        self.cache.once(key, Box::pin(work)).await
    }
}

/// What a suite says that ran without what steers.
fn verdict_of(suite: &Suite) -> KnownVerdict {
    match suite.outcome {
        SuiteOutcome::Passed => KnownVerdict::Verdict(true),
        SuiteOutcome::Failed if output::not_loaded(&suite.output) => KnownVerdict::Unknown(()),
        // There is no merge any more, by the rules.
        SuiteOutcome::Failed | SuiteOutcome::NotTested => KnownVerdict::Verdict(false),
        SuiteOutcome::NotLoaded
        | SuiteOutcome::NotApplied
        | SuiteOutcome::TestsNotApplied
        | SuiteOutcome::DidNotRun => KnownVerdict::Unknown(()),
    }
}
