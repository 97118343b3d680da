//! Judging finished pairs: as many at a time as asked, each again when infrastructure broke it.

mod alone;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Interrupt, backoff};
use crate::bench::setting::Tree;
use crate::bench::{Pair, RuleId};
use crate::engine::Stop;
use crate::error::{Error, Result};
use crate::evaluation::patch::PatchReading;
use crate::evaluation::record::{self, Evaluation};
use crate::evaluation::{Asking, Judge, Judgement, Trouble, Verdict, Work};
use crate::files;
use crate::hint;
use crate::store::eval::{self, EvalRecord, Kept};
use crate::store::pins::TaskFiles;
use crate::store::result::FRAMEWORK;
use crate::store::{RunDir, TrialRecord, aside};
use crate::text::one_line;
use crate::triage::{Cause, Rules};

pub use alone::Need;

/// The largest patch that is judged, in bytes.
const MAX_PATCH: u64 = 128 << 20;

/// A finished pair that is to be judged.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The task, and its two features that are judged together.
    pub pair: Pair,
    /// The tree of its result. It says whether one patch is judged or two.
    pub tree: Tree,
    /// Its result. It says which trial the verdict is of, and whose engine wrote the patches.
    pub record: TrialRecord,
    /// Whether a verdict stands, which this one replaces.
    pub has_verdict: bool,
    /// What is asked for.
    pub asked: Asked,
}

/// What is asked about a finished pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Its verdict.
    Verdict,
    /// Only what its pass is worth: the verdict stands otherwise.
    Worth,
    /// What each agent's patch does alone: the verdict stands, and this is added to it.
    Alone([Need; 2]),
}

/// Judges the finished pairs of one run.
#[derive(Debug)]
pub struct Judging {
    /// Merges patches and runs suites, for all pairs of the run.
    pub judge: Arc<Judge>,
    /// The run's place in the log tree, where verdicts are written.
    pub run: RunDir,
    /// The rules of triage. Trouble is tried again if their cause for it is infrastructure.
    pub rules: Arc<Rules>,
    /// Pairs at the same time.
    pub concurrency: usize,
    /// How often a pair is tried whose evaluation infrastructure broke.
    pub tries: u32,
    /// The wait between tries: the first, and the longest.
    pub backoff: (Duration, Duration),
}

/// What is told while it goes on.
#[derive(Clone, Debug)]
pub enum Told {
    /// The evaluation of a pair begins.
    Begun {
        /// The pair.
        pair: Pair,
    },
    /// A pair was judged, or given up on.
    Judged {
        /// The pair that was judged.
        pair: Pair,
        /// Pass, fail, or the error in place of a verdict.
        verdict: Verdict,
        /// The reason, where it did not pass; of a pass, what is flagged.
        why: String,
        /// Wall-clock time of all tries, with the waits between them.
        took: Duration,
    },
    /// The agents of a pair were judged alone, or given up on.
    JudgedAlone {
        /// The pair, whose verdict stands.
        pair: Pair,
        /// Whether each agent's patch passes its own feature; `None` where that is not known.
        passed: [Option<bool>; 2],
        /// The reason, where one did not pass, or is not known.
        why: String,
        /// Wall-clock time of all tries, with the waits between them.
        took: Duration,
    },
    /// A pair is tried again.
    Again {
        /// The pair whose evaluation broke.
        pair: Pair,
        /// The trouble of the try that broke, in one line.
        why: String,
    },
    /// A signal asks for a stop: the pairs that are judged now are finished, and no other begins.
    Stopping {
        /// Its name: `Ctrl-C`, `SIGTERM` or `SIGHUP`.
        signal: &'static str,
        /// How many pairs are judged now.
        running: usize,
    },
    /// A line for the user that is no pair's outcome.
    Note(String),
}

/// How the judging of a run ended: pairs by outcome, and what kept it from going on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JudgingResult {
    /// Pairs both of whose features passed.
    pub passed: usize,
    /// At least one did not.
    pub failed: usize,
    /// Pairs whose evaluation ended in an error, without a verdict.
    pub errors: usize,
    /// Those of them that another evaluation may mend.
    pub troubles: usize,
    /// The pairs of these that nothing but mending changes: their trouble is not of infrastructure.
    pub settled: Vec<Pair>,
    /// Whether it was stopped before all were judged.
    pub stopped: bool,
    /// The daemon is gone: nothing more was begun.
    pub daemon_gone: Option<String>,
}

impl Judging {
    /// Judges all of them; `tell` is told of each.
    pub async fn all(
        self: &Arc<Self>,
        finished: Vec<Finished>,
        interrupt: &mut Interrupt,
        tell: Arc<dyn Fn(Told) + Send + Sync>,
    ) -> Result<JudgingResult> {
        let gate = Arc::new(Semaphore::new(self.concurrency));
        let mut running = JoinSet::new();
        let mut open = finished.into_iter();
        let mut next = open.next();
        let mut ended = JudgingResult::default();
        let mut is_told = false;
        let waits = Arc::new(AtomicUsize::new(0));
        loop {
            let came = interrupt.came().stop;
            if came == Stop::Gently && !is_told && !running.is_empty() {
                is_told = true;
                let signal = interrupt.came().signal;
                // What waits for another try ends at once.
                let running = running.len().saturating_sub(waits.load(Ordering::Relaxed));
                tell(Told::Stopping { signal, running });
            }
            if came > Stop::No || ended.daemon_gone.is_some() {
                ended.stopped |= came > Stop::No && next.is_some();
                next = None;
            }
            if came == Stop::Now {
                // What they left is marked, and removed by the next start or `regatta clean`.
                ended.stopped |= !running.is_empty();
                running.abort_all();
                while running.join_next().await.is_some() {}
            }
            if next.is_none() && running.is_empty() {
                break;
            }
            tokio::select! {
                permit = Arc::clone(&gate).acquire_owned(), if next.is_some() => {
                    if let (Ok(permit), Some(one)) = (permit, next.take()) {
                        let (this, tell) = (Arc::clone(self), Arc::clone(&tell));
                        let waiting = Waiting { interrupt: interrupt.clone(), waits: Arc::clone(&waits) };
                        running.spawn(async move {
                            let outcome = this.one(&one, waiting, &tell).await;
                            drop(permit);
                            outcome
                        });
                        next = open.next();
                    }
                }
                Some(done) = running.join_next() => {
                    let outcome = done.map_err(|error| Error::world(format!("an evaluation broke: {error}")))??;
                    let Some(outcome) = outcome else {
                        ended.stopped = true;
                        continue;
                    };
                    match &outcome.verdict {
                        Verdict::Pass => ended.passed += 1,
                        Verdict::Fail => ended.failed += 1,
                        Verdict::Error(_) => ended.errors += 1,
                    }
                    ended.troubles += usize::from(outcome.is_trouble);
                    ended.settled.extend(outcome.settled);
                    ended.daemon_gone = ended.daemon_gone.or(outcome.daemon_gone);
                }
                () = interrupt.changed() => {}
            }
        }
        Ok(ended)
    }

    /// Judges a pair, or its agents; `None` where an interrupt came while it waited for another try.
    /// Then nothing is written, and the next evaluation judges it.
    async fn one(
        &self,
        one: &Finished,
        waiting: Waiting,
        tell: &Arc<dyn Fn(Told) + Send + Sync>,
    ) -> Result<Option<Ended>> {
        match &one.asked {
            Asked::Verdict | Asked::Worth => self.pair(one, waiting, tell).await,
            Asked::Alone(needs) => Box::pin(self.agents(one, needs, waiting, tell)).await,
        }
    }

    async fn pair(
        &self,
        one: &Finished,
        waiting: Waiting,
        tell: &Arc<dyn Fn(Told) + Send + Sync>,
    ) -> Result<Option<Ended>> {
        let begun = Instant::now();
        tell(Told::Begun {
            pair: one.pair.clone(),
        });
        // Before the suites read them: what changes meanwhile is seen by the next evaluation.
        let files = TaskFiles::of(self.judge.venue.dataset.clone());
        let mut judged_with = files.of_verdict(&one.pair);
        let Some((judged, tries)) = self.until_settled(one, waiting, tell).await else {
            return Ok(None);
        };
        let took = begun.elapsed();
        judged_with.world = self.judge.world(&one.pair.task).await.ok().flatten();
        let record = Evaluation {
            pair: &one.pair,
            tree: one.tree,
            trial: &one.record.trial,
            rules: self.judge.rules,
            backend: self.judge.venue.backend.kind(),
            judged_with,
            tries,
            cause: &|rule| self.cause(rule),
        }
        .record(&judged);
        let verdict = match (&record.error, record.both_passed) {
            (Some(error), _) => Verdict::Error(error.clone()),
            (None, true) => Verdict::Pass,
            (None, false) => Verdict::Fail,
        };
        let dir = self.run.pair(one.tree, &one.pair);
        // Trouble is no verdict, and does not take the place of one; nor does one that says no more.
        let is_worth = one.asked == Asked::Worth;
        let says_more = judged.is_ok() && !(is_worth && trouble(&judged).is_some());
        if says_more || !one.has_verdict {
            // Also one of another trial, which upstream left there.
            if eval::read(&dir.eval()).is_some_and(|file| file.is_ok_and(|it| it.is_verdict())) {
                aside::verdict(&dir)?;
            }
            let kept = is_worth.then(|| Kept::of(&dir.eval())).flatten();
            eval::write_with(&dir.eval(), &record, kept.as_ref())?;
        }
        // Every evaluation is noted, also one whose outcome took no verdict's place.
        self.append(&one.pair, &record, &verdict, took)?;
        let again = hint::command(&format!("eval {}", self.run.name()));
        let why = match (&record.error, trouble(&judged)) {
            (Some(error), _) => one_line(error, 200),
            (None, Some(trouble)) => format!(
                "what it is worth is not known, and the next `{again}` looks again: {trouble}"
            ),
            (None, None) if record.both_passed => eval::flags(&record.regatta.suites),
            (None, None) => eval::why_not(&record.regatta.suites),
        };
        tell(Told::Judged {
            pair: one.pair.clone(),
            verdict: verdict.clone(),
            why: one_line(&why, 300),
            took,
        });
        let gone = trouble(&judged).and_then(daemon_gone);
        let ended = Ended::of(&one.pair, verdict, judged.as_ref().err(), |rule| {
            self.cause(rule)
        });
        Ok(Some(Ended {
            daemon_gone: gone,
            ..ended
        }))
    }

    /// Tries until there is a verdict, or trouble that another try does not mend; with how many tries
    /// it took. `None` where an interrupt came between two tries.
    async fn until_settled(
        &self,
        one: &Finished,
        mut waiting: Waiting,
        tell: &Arc<dyn Fn(Told) + Send + Sync>,
    ) -> Option<(std::result::Result<Judgement, Trouble>, u32)> {
        let mut tries = 1;
        loop {
            let judged = self.attempt(one, tell).await;
            let broke = trouble(&judged);
            match self.next(&one.pair, broke, tries, &mut waiting, tell).await {
                Next::Again => tries += 1,
                Next::Settled => return Some((judged, tries)),
                Next::Stopped => return None,
            }
        }
    }

    /// What follows a try, with the wait before another one.
    async fn next(
        &self,
        pair: &Pair,
        trouble: Option<&Trouble>,
        tries: u32,
        waiting: &mut Waiting,
        tell: &Arc<dyn Fn(Told) + Send + Sync>,
    ) -> Next {
        let mends = |trouble: &&Trouble| self.is_worth_another(trouble) && tries < self.tries;
        let Some(trouble) = trouble.filter(mends) else {
            return Next::Settled;
        };
        tell(Told::Again {
            pair: pair.clone(),
            why: one_line(&trouble.text, 300),
        });
        let (base, max) = self.backoff;
        let wait = backoff::wait(base, max, tries, fastrand::f64());
        if waiting.wait(wait).await {
            Next::Again
        } else {
            Next::Stopped
        }
    }

    async fn attempt(
        &self,
        one: &Finished,
        tell: &Arc<dyn Fn(Told) + Send + Sync>,
    ) -> std::result::Result<Judgement, Trouble> {
        let work = work(&self.run, one)?;
        let note = |text| tell(Told::Note(text));
        let asking = Asking {
            run: self.run.name().as_str(),
            note: &note,
        };
        self.judge.pair(&one.pair, &work, &asking).await
    }

    fn cause(&self, rule: &str) -> Cause {
        self.rules.get(rule).map_or(Cause::Infra, |rule| rule.cause)
    }

    fn is_worth_another(&self, trouble: &Trouble) -> bool {
        // Another try finds neither a daemon that is gone nor an image that the registry refused.
        let stays = [RuleId::DAEMON_UNREACHABLE, RuleId::IMAGE_REFUSED];
        self.cause(&trouble.rule) == Cause::Infra && !stays.contains(&trouble.rule)
    }

    fn append(
        &self,
        pair: &Pair,
        record: &EvalRecord,
        verdict: &Verdict,
        took: Duration,
    ) -> Result<()> {
        let line = record::line(pair, record, verdict, took)?;
        files::create_dir(&self.run.own())?;
        files::append_line(&self.run.own().join("evaluations.jsonl"), &line)
    }
}

/// The patches; one that is not there is empty, as upstream has it.
fn work(run: &RunDir, one: &Finished) -> std::result::Result<Work, Trouble> {
    let dir = run.pair(one.tree, &one.pair);
    let read = |path: &Path| -> std::result::Result<Vec<u8>, Trouble> {
        let bytes = files::read_up_to(path, MAX_PATCH);
        let bytes =
            bytes.map_err(|error| Trouble::new(RuleId::PATCH_UNREADABLE, error.to_string()))?;
        Ok(bytes.unwrap_or_default())
    };
    let features: Vec<Option<u64>> = if one.tree.is_solo() {
        vec![None]
    } else {
        one.pair.features.into_iter().map(Some).collect()
    };
    let patches = features
        .into_iter()
        .map(|feature| read(&dir.patch(feature)));
    // Our own engine's patches are what git wrote.
    let is_own = one.record.agent_framework.as_deref() == Some(FRAMEWORK);
    Ok(Work {
        patches: patches.collect::<std::result::Result<_, _>>()?,
        reading: if is_own {
            PatchReading::AsItIs
        } else {
            PatchReading::Upstreams
        },
    })
}

/// What broke an evaluation, or the look at what a pass is worth.
fn trouble(judged: &std::result::Result<Judgement, Trouble>) -> Option<&Trouble> {
    match judged {
        Ok(judgement) => judgement.worth_trouble(),
        Err(trouble) => Some(trouble),
    }
}

/// The daemon's end, where that is what broke.
fn daemon_gone(trouble: &Trouble) -> Option<String> {
    (trouble.rule == RuleId::DAEMON_UNREACHABLE).then(|| trouble.text.clone())
}

/// What follows a try.
enum Next {
    /// Another one.
    Again,
    /// Nothing: there is a verdict, or trouble that another try does not mend.
    Settled,
    /// Nothing: an interrupt came.
    Stopped,
}

/// The waits between tries of one pair.
struct Waiting {
    interrupt: Interrupt,
    /// How many pairs wait now.
    waits: Arc<AtomicUsize>,
}

impl Waiting {
    /// Waits so long, or until an interrupt comes; whether none came.
    async fn wait(&mut self, time: Duration) -> bool {
        self.waits.fetch_add(1, Ordering::Relaxed);
        if self.interrupt.came().stop == Stop::No {
            tokio::select! {
                () = tokio::time::sleep(time) => {}
                () = self.interrupt.changed() => {}
            }
        }
        self.waits.fetch_sub(1, Ordering::Relaxed);
        self.interrupt.came().stop == Stop::No
    }
}

struct Ended {
    settled: Option<Pair>,
    verdict: Verdict,
    is_trouble: bool,
    daemon_gone: Option<String>,
}

impl Ended {
    /// The end of a pair, and what left it without a verdict.
    fn of(
        pair: &Pair,
        verdict: Verdict,
        trouble: Option<&Trouble>,
        cause: impl Fn(&str) -> Cause,
    ) -> Self {
        let settled = trouble.filter(|trouble| cause(&trouble.rule) != Cause::Infra);
        Self {
            settled: settled.map(|_| pair.clone()),
            verdict,
            is_trouble: trouble.is_some(),
            daemon_gone: trouble.and_then(daemon_gone),
        }
    }
}
