//! From a pair's patches to its verdict.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::cache::{Cache, Key};
use super::clones::Clones;
use super::merge::{self, Applied, Manner, Merge};
use super::merging::{self, Merging};
use super::patch::{PatchReading, Prepared};
use super::suite::{Seen, Suite, SuiteOutcome};
use super::venue::Room;
use super::{RuleSet, Trouble, Venue, network, running};
use crate::bench::{Pair, RuleId, TaskKey, World};
use crate::files;
use crate::store::eval::PassWorth;

/// The rule of an evaluation that only the dataset can be blamed for.
pub const SUITE_BROKEN: RuleId = RuleId::SUITE_BROKEN;

/// The triage rule of infrastructure that a line of output falls under, if any: it tells a download
/// that failed from a test that did.
pub type OfInfrastructure = dyn Fn(&str) -> Option<RuleId> + Send + Sync;

/// What judging needs: a place, the rules, and what was found before. One serves many pairs at
/// once.
pub struct Judge {
    /// Where suites and merges run.
    pub venue: Venue,
    /// Whose rules say what is tested after a conflict, and which files of a patch are left out.
    pub rules: RuleSet,
    /// How long one suite may take.
    pub timeout: Duration,
    /// What merges and suites came to before, so that the same work is not done twice.
    pub cache: Arc<Cache>,
    /// Where patches are merged without a container; nowhere, when there is no such place.
    pub clones: Option<Clones>,
    /// Asks triage about a line of output; this room does not know triage.
    pub of_infrastructure: Arc<OfInfrastructure>,
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge")
            .field("venue", &self.venue)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// The patches of a finished pair.
#[derive(Clone, Debug)]
pub struct Work {
    /// One agent's, for both features; or two agents', for one feature each.
    pub patches: Vec<Vec<u8>>,
    /// Whether the patches are mended as upstream does it, or taken byte for byte.
    pub reading: PatchReading,
}

/// The verdict on a pair.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// What became of each agent's patch, and how they were merged (coop).
    pub merge: Option<Merging>,
    /// The features' suites, in their order.
    pub suites: [Suite; 2],
    /// The headers of what was left out, as it changes test files.
    pub left_out: Vec<String>,
    /// The headers of what was mended, as it does not apply as it was submitted.
    pub mended: Vec<String>,
    /// Why there is no verdict although nothing broke (0.0.11's failed merge).
    pub error: Option<String>,
    /// The same byte for byte, where upstream's rules change what was submitted; or what broke while
    /// that was looked at.
    pub by_bytes: Option<Result<Box<Judgement>, Trouble>>,
    /// What the features' passes are worth, where both pass; or what broke while that was looked
    /// at, which takes no verdict away.
    pub worth: Option<Result<[PassWorth; 2], Trouble>>,
}

impl Judgement {
    /// Whether both features' hidden tests pass.
    #[must_use]
    pub fn both_passed(&self) -> bool {
        self.error.is_none() && self.suites.iter().all(Suite::passed)
    }

    /// What broke while it was looked at what the verdict is worth.
    #[must_use]
    pub fn worth_trouble(&self) -> Option<&Trouble> {
        let of_pass = self.worth.as_ref().and_then(|worth| worth.as_ref().err());
        of_pass.or_else(|| self.by_bytes.as_ref()?.as_ref().err())
    }
}

/// How to tell of a pull, and the run that sandboxes are labelled with.
pub struct Asking<'a> {
    /// The run's name, which sandboxes are labelled with; `gold` where none is judged.
    pub run: &'a str,
    /// Gets what is said meanwhile: an image that is pulled, a merge that needs a container.
    pub note: &'a (dyn Fn(String) + Sync),
}

impl Judge {
    /// The verdict on a pair, and where both features pass what that is worth.
    pub async fn pair(
        &self,
        pair: &Pair,
        work: &Work,
        asking: &Asking<'_>,
    ) -> Result<Judgement, Trouble> {
        self.venue.ready(&pair.task, asking.note).await?;
        let raw: Vec<&[u8]> = work.patches.iter().map(Vec::as_slice).collect();
        let (mut patches, mut mended) = (Vec::new(), Vec::new());
        for patch in &raw {
            let taken = self.taken(&pair.task, patch, work.reading, asking).await?;
            patches.push(taken.patch);
            mended.extend(taken.mended);
        }
        let mut judgement = self.verdict(pair, &patches, work.reading, asking).await?;
        judgement.mended = mended;
        if judgement.both_passed() {
            let worth = self.worth(pair, &patches, work.reading, &judgement.suites, asking);
            judgement.worth = Some(Box::pin(worth).await);
        }
        if work.reading == PatchReading::Upstreams {
            let by_bytes = self.by_bytes(pair, &raw, &patches, &judgement, asking);
            judgement.by_bytes = Box::pin(by_bytes)
                .await
                .map(|it| it.map(Box::new))
                .transpose();
        }
        Ok(judgement)
    }

    /// The verdict of the rules on one agent's patch, or on two agents'.
    pub(super) async fn verdict(
        &self,
        pair: &Pair,
        patches: &[Prepared],
        reading: PatchReading,
        asking: &Asking<'_>,
    ) -> Result<Judgement, Trouble> {
        match patches {
            [one, two] => self.coop(pair, [one, two], reading, asking).await,
            alone => {
                let none = Prepared::default();
                let patch = alone.first().unwrap_or(&none);
                Ok(Judgement {
                    merge: None,
                    suites: self.both(pair, patch, asking).await?,
                    left_out: patch.dropped.clone(),
                    mended: Vec::new(),
                    error: None,
                    by_bytes: None,
                    worth: None,
                })
            }
        }
    }

    async fn coop(
        &self,
        pair: &Pair,
        [one, two]: [&Prepared; 2],
        reading: PatchReading,
        asking: &Asking<'_>,
    ) -> Result<Judgement, Trouble> {
        let merged = self.merged(pair, [&one.bytes, &two.bytes], reading, asking);
        let (mut merging, to_test) = Merging::of(merged.await?, &one.bytes, self.rules);
        let mut error = None;
        let suites = match to_test {
            Some(patch) => {
                merging.loses_bytes =
                    reading == PatchReading::Upstreams && merging::lacks_contents(&patch);
                let prepared = Prepared {
                    bytes: patch,
                    dropped: Vec::new(),
                };
                self.both(pair, &prepared, asking).await?
            }
            None if self.rules == RuleSet::V0_0_29 => {
                self.first_alone(pair, one, &mut merging, asking).await?
            }
            None => {
                merging.status = "error";
                merging.strategy = None;
                let why = "the patches conflict, and keeping both sides of each conflict does not merge them either";
                error = Some(why.to_owned());
                [Suite::not_tested(why), Suite::not_tested(why)]
            }
        };
        let left_out = [one, two].map(|patch| patch.dropped.clone()).concat();
        Ok(Judgement {
            merge: Some(merging),
            suites,
            left_out,
            mended: Vec::new(),
            error,
            by_bytes: None,
            worth: None,
        })
    }

    /// Where there is no merged work, upstream's later rules let the first agent's patch stand for
    /// both, if it passes both suites.
    async fn first_alone(
        &self,
        pair: &Pair,
        first: &Prepared,
        merging: &mut Merging,
        asking: &Asking<'_>,
    ) -> Result<[Suite; 2], Trouble> {
        let alone = match merging.applied[0] {
            Applied::Applied => Some(self.alone(pair, first, asking).await?),
            Applied::Skipped | Applied::Failed => None,
        };
        merging.alone.clone_from(&alone);
        Ok(match alone {
            Some(suites) if suites.iter().all(Suite::passed) => {
                merging.strategy = Some("solo-agent1");
                suites
            }
            _ => merging.fails(pair),
        })
    }

    async fn merged(
        &self,
        pair: &Pair,
        patches: [&[u8]; 2],
        reading: PatchReading,
        asking: &Asking<'_>,
    ) -> Result<Merge, Trouble> {
        let rules = self.rules;
        let manner = Manner { rules, reading };
        let ground = self.venue.ground(&pair.task).await;
        // The second form of what is kept of a merge.
        let mut key = Key::of("merge-2", ground.as_deref(), &pair.task.to_string());
        for part in [rules.name().as_bytes(), patches[0], patches[1]] {
            key.add(part);
        }
        key.add(&[u8::from(reading == PatchReading::AsItIs)]);
        let clones = self.clones.as_ref().zip(ground.as_deref());
        let work = async {
            if let Some((clones, image)) = clones {
                match clones.merge(image, asking.run, patches, manner).await {
                    Ok(Some(merge)) => return Ok(merge),
                    Ok(None) => {}
                    Err(trouble) => (asking.note)(format!(
                        "patches are merged in their tasks' images, as this machine cannot do it: {trouble}"
                    )),
                }
            }
            let merge = async |room: &mut Room| {
                if let Some((clones, image)) = clones {
                    clones.make(image, room).await;
                }
                merge::merge(room, patches, manner).await
            };
            self.venue.within(&pair.task, asking.run, merge).await
        };
        // Boxed: a future of this size in every caller is a large one.
        self.cache.once(key, Box::pin(work)).await
    }

    /// Both features' suites on one patch, side by side.
    async fn both(
        &self,
        pair: &Pair,
        patch: &Prepared,
        asking: &Asking<'_>,
    ) -> Result<[Suite; 2], Trouble> {
        let [first, second] = pair.features;
        // Both to their ends: a sandbox is not left behind because the other one's was lost.
        let (first, second) = tokio::join!(
            self.feature(&pair.task, first, patch, asking),
            self.feature(&pair.task, second, patch, asking)
        );
        Ok([first?, second?])
    }

    /// The same one after the other: where the first fails, the second does not matter.
    async fn alone(
        &self,
        pair: &Pair,
        patch: &Prepared,
        asking: &Asking<'_>,
    ) -> Result<[Suite; 2], Trouble> {
        let [first, second] = pair.features;
        let first = self.feature(&pair.task, first, patch, asking).await?;
        if !first.passed() {
            return Ok([first, Suite::not_tested("the first did not pass")]);
        }
        let second = self.feature(&pair.task, second, patch, asking).await?;
        Ok([first, second])
    }

    /// One feature's suite on a patch.
    ///
    /// Where no test is known to have run, the dataset's own patch is the control: if the suite
    /// runs with that, it is the patch's doing; if not, there is no verdict.
    pub(super) async fn feature(
        &self,
        task: &TaskKey,
        feature: u64,
        patch: &Prepared,
        asking: &Asking<'_>,
    ) -> Result<Suite, Trouble> {
        let mut suite = match self.seen(task, feature, Some(&patch.bytes), asking).await? {
            // What could not be loaded or put there may be the dataset's fault as well.
            Seen::Judged(suite)
                if matches!(
                    suite.outcome,
                    SuiteOutcome::NotLoaded | SuiteOutcome::TestsNotApplied
                ) =>
            {
                suite
            }
            Seen::Judged(mut suite) => {
                if suite.outcome == SuiteOutcome::NotApplied {
                    if patch.bytes.is_empty() {
                        "the patch is empty".clone_into(&mut suite.reason);
                    } else if let Some(path) = patch.path_outside() {
                        suite.reason =
                            format!("the patch names {path}, which is none of the repository's");
                    }
                }
                return Ok(suite);
            }
            Seen::Unclear(suite) => suite,
        };
        let own = self.dataset_file(task, feature, "feature.patch")?;
        match self.seen(task, feature, Some(&own), asking).await? {
            Seen::Judged(control)
                if matches!(control.outcome, SuiteOutcome::Passed | SuiteOutcome::Failed) =>
            {
                suite
                    .reason
                    .push_str("; with the dataset's own patch the suite does run");
                Ok(suite)
            }
            Seen::Judged(control) | Seen::Unclear(control) => {
                let text = format!(
                    "{}; nor does the suite of feature {feature} run with the dataset's own patch: {}",
                    suite.reason, control.reason
                );
                Err(self.explained(Trouble::new(SUITE_BROKEN, text)))
            }
        }
    }

    /// Trouble of a suite, with what to set where it had no network.
    fn explained(&self, trouble: Trouble) -> Trouble {
        if self.venue.limits.network {
            trouble
        } else {
            network::explained(trouble)
        }
    }

    /// The rule of infrastructure that the end of an output falls under.
    fn infrastructure(&self, output: &str) -> Option<RuleId> {
        let mut lines = output.lines().rev().filter(|line| !line.trim().is_empty());
        let mut last = lines.by_ref().take(LAST_LINES);
        last.find_map(|line| (self.of_infrastructure)(line))
    }

    /// What a feature's suite shows on a patch, or on the base.
    pub(super) async fn seen(
        &self,
        task: &TaskKey,
        feature: u64,
        patch: Option<&[u8]>,
        asking: &Asking<'_>,
    ) -> Result<Seen, Trouble> {
        let tests = self.dataset_file(task, feature, "tests.patch")?;
        let ground = self.venue.ground(task).await;
        let mut key = Key::of("suite", ground.as_deref(), &task.to_string());
        key.add(self.venue.terms().as_bytes());
        key.add(&tests);
        key.add(patch.unwrap_or(b"the base"));
        key.add(&[u8::from(patch.is_some())]);
        let work = async {
            let run = async |room: &mut Room| running::run(room, &tests, patch, self.timeout).await;
            let seen = self.venue.within(task, asking.run, run).await;
            let seen = seen.map_err(|trouble| self.explained(trouble))?;
            // Asked here, so that what a download broke is not kept as if the suite had shown it.
            if let Seen::Unclear(suite) = &seen
                && let Some(rule) = self.infrastructure(&suite.output)
            {
                let trouble = Trouble::new(rule, suite.reason.clone());
                return Err(self.explained(trouble));
            }
            Ok(seen)
        };
        // Boxed: a future of this size in every caller is a large one.
        self.cache.once(key, Box::pin(work)).await
    }

    /// What a task's repository and tools come from; a workspace is read once a command.
    pub async fn world(&self, task: &TaskKey) -> Result<Option<World>, Trouble> {
        let mut key = Key::of("world", None, &task.to_string());
        // Runs on other backends share the cache.
        key.add(self.venue.backend.name().as_bytes());
        let world = async { Ok(self.venue.world(task).await) };
        self.cache.once(key, world).await
    }

    pub(super) fn dataset_file(
        &self,
        task: &TaskKey,
        feature: u64,
        name: &str,
    ) -> Result<Vec<u8>, Trouble> {
        let dir = self.venue.task_dir(task).join(format!("feature{feature}"));
        let bytes = files::read(&dir.join(name)).map_err(|error| Trouble::dataset(&error))?;
        // Mended as agents' patches are, but nothing is left out: these are the tests.
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let mut text = text.to_vec();
        text.push(b'\n');
        Ok(text)
    }

    /// Whether a feature can be graded at all: its tests must pass with the dataset's own patch and
    /// not on the base. Gives the reason when it cannot.
    pub async fn ungradeable(
        &self,
        task: &TaskKey,
        feature: u64,
        asking: &Asking<'_>,
    ) -> Result<Option<String>, Trouble> {
        self.venue.ready(task, asking.note).await?;
        let own = self.dataset_file(task, feature, "feature.patch")?;
        let gold = self.seen(task, feature, Some(&own), asking).await?;
        let (Seen::Judged(suite) | Seen::Unclear(suite)) = &gold;
        if !suite.passed() {
            let why = format!("its own patch does not pass: {}", suite.reason);
            let has_run = matches!(gold, Seen::Judged(_));
            return Ok(Some(if has_run || self.venue.limits.network {
                why
            } else {
                format!("{why}; suites have no network: {}", network::SETTING)
            }));
        }
        // Kept for the pairs that pass.
        self.gold(task, feature, asking).await?;
        let base = self.seen(task, feature, None, asking).await?;
        let (Seen::Judged(suite) | Seen::Unclear(suite)) = &base;
        Ok(suite
            .passed()
            .then(|| format!("its tests pass on the untouched base: {}", suite.reason)))
    }
}

/// How many lines of an output are asked for a cause.
const LAST_LINES: usize = 30;
