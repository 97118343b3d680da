//! The survey of a run: the store is read, triage is asked.

use std::path::PathBuf;

use super::beyond::Beyond;
use super::billed::Billed;
use super::harms::harms;
use super::surveyed::{Judged, Standing, Surveyed};
use crate::bench::Pair;
use crate::bench::setting::Tree;
use crate::error::Result;
use crate::evaluation::Verdict;
use crate::evaluation::of_trial::{OfTrial, TrialEvidence};
use crate::evaluation::reason;
use crate::model::price::{PriceTable, cost_of};
use crate::process;
use crate::store::eval::EvalFile;
use crate::store::events::ContainerFacts;
use crate::store::reasons::Reasons;
use crate::store::result::ERROR;
use crate::store::trajectory::Trajectory;
use crate::store::words::KnownText;
use crate::store::{
    AgentRecord, Ledger, PairDir, ResultFile, RunDir, Tag, TrialRecord, eval, result, stream,
    trajectory,
};
use crate::triage::{Case, Diagnosis, Finding, Question, Rules, ToldError, examine, is_free, told};

/// What is needed to judge the pairs of one run.
#[derive(Debug)]
pub struct Survey<'a> {
    /// The run whose pairs they are.
    pub run: &'a RunDir,
    /// The trials that are recorded: what was voided when it happened is only there.
    pub ledger: &'a Ledger,
    /// What its relay saw of containers that ended, by the daemon's word.
    pub facts: &'a ContainerFacts,
    /// The rules of today: an old result is judged by them too.
    pub rules: &'a Rules,
    /// Prices for what upstream has none for.
    pub prices: &'a PriceTable,
    /// What the run's summaries and its console say, for what stands without a reason; who acts
    /// while a run goes on needs none.
    pub reasons: Option<&'a Reasons>,
}

/// A patch shorter than this may be no patch: only then is a submitted trial's tail looked at.
const SHORT_PATCH: u64 = 400;

impl Survey<'_> {
    /// What stands for one pair: its result, its verdict, and what is wrong with them. Reads only.
    #[must_use]
    pub fn pair(&self, tree: Tree, pair: &Pair) -> Surveyed {
        let dir = self.run.pair(tree, pair);
        let standing = match result::read(&dir.result()) {
            ResultFile::Missing => Standing::Missing,
            ResultFile::Unreadable(why) => Standing::Unreadable(why),
            ResultFile::Read(record) => Standing::Result(Box::new(self.judge(tree, pair, *record))),
        };
        // A verdict on a trial that no longer stands is none.
        let evaluation = eval::read(&dir.eval());
        let of_trial = match (&evaluation, &standing) {
            (Some(Ok(file)), Standing::Result(judged)) => {
                self.of_trial(&dir, pair, &judged.record, file)
            }
            _ => OfTrial::Yes,
        };
        let (evaluation, outdated) = match of_trial {
            OfTrial::Yes | OfTrial::Unclear => (evaluation, None),
            OfTrial::No => (
                None,
                evaluation.and_then(std::result::Result::ok).map(Box::new),
            ),
        };
        let told = evaluation
            .is_none()
            .then(|| self.told(pair, &standing))
            .flatten();
        let verdict = evaluation.as_ref().map(Verdict::of);
        let evaluation = evaluation.and_then(std::result::Result::ok);
        let why_not = evaluation
            .as_ref()
            .filter(|_| verdict == Some(Verdict::Fail))
            .and_then(|file| reason::of(file, pair.features, || eval::outputs(&dir.eval())));
        let damage = match (&standing, &evaluation, &verdict) {
            (Standing::Result(judged), Some(file), Some(verdict)) if file.is_verdict() => {
                harms(&dir, judged, file, verdict)
            }
            _ => Vec::new(),
        };
        Surveyed {
            pair: pair.clone(),
            tree,
            told,
            standing,
            damage,
            verdict,
            evaluation,
            outdated,
            why_not,
            is_time_unclear: of_trial == OfTrial::Unclear,
        }
    }

    /// Whether a verdict is of the trial whose result stands beside it.
    fn of_trial(
        &self,
        dir: &PairDir,
        pair: &Pair,
        record: &TrialRecord,
        file: &EvalFile,
    ) -> OfTrial {
        let evidence = TrialEvidence {
            record,
            known: self.ledger.find(pair, &record.trial),
        };
        let written = |path: PathBuf| path.metadata().and_then(|meta| meta.modified()).ok();
        evidence.decide(file, || [dir.result(), dir.eval()].map(written))
    }

    /// Why a pair has no result, or a finished one no verdict, by the run's own files.
    fn told(&self, pair: &Pair, standing: &Standing) -> Option<ToldError> {
        let reasons = self.reasons?;
        let words = match standing {
            Standing::Missing => reasons.missing(pair),
            Standing::Result(judged) if judged.finding == Finding::Finished => {
                reasons.unjudged(pair, judged.record.ended_at.as_deref())
            }
            Standing::Unreadable(_) | Standing::Result(_) => None,
        }?;
        let rule = self.rules.ask(&Question::of(&words, None));
        Some(ToldError {
            rule: rule.map(|rule| rule.id.clone()),
            source: words.source,
            text: words.text,
        })
    }

    /// What triage says of a result, and what that cost. Reads trajectories only where they can
    /// matter.
    #[must_use]
    pub fn judge(&self, tree: Tree, pair: &Pair, record: TrialRecord) -> Judged {
        let dir = self.run.pair(tree, pair);
        let known = self.ledger.find(pair, &record.trial);
        // Our own engine says itself what it saw.
        let is_native = record.agent_framework.as_deref() == Some(result::FRAMEWORK);
        let is_long = |agent: &AgentRecord| {
            let patch = dir.patch(agent.feature).metadata();
            patch.map(|meta| meta.len() >= SHORT_PATCH)
        };
        let mut long_patches = Vec::new();
        let mut case = Case::default();
        for agent in &record.agents {
            // Trajectories are large. One is read for its tokens, unless ledger or result have them,
            // and for its end, unless nothing there can change the finding.
            let in_ledger = known.is_some_and(|entry| entry.usage.is_some());
            let untold = agent.usage.is_none() && !in_ledger;
            let long = (!is_native && record.is_submitted()).then(|| is_long(agent));
            long_patches.push(matches!(long, Some(Ok(true))));
            let is_suspect = !record.is_submitted() || matches!(long, Some(Ok(false)));
            let wanted = untold || record.is_error() || is_suspect;
            let trajectory = wanted
                .then(|| trajectory::read(&dir.trajectory(agent.feature)))
                .flatten();
            let patch = if is_suspect {
                crate::files::read_up_to(&dir.patch(agent.feature), SHORT_PATCH)
                    .ok()
                    .flatten()
                    .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            } else {
                None
            };
            let is_error = agent.status == ERROR && !is_native;
            case.said.push(if is_error {
                said(&dir, agent, trajectory.as_ref())
            } else {
                Vec::new()
            });
            case.trajectories.push(trajectory);
            case.patches.push(patch);
        }
        // What the harness voided when it happened stays void: it is not in the files.
        let void = known
            .filter(|entry| entry.void)
            .and_then(|entry| entry.diagnosis.clone());
        let finding = void.map_or_else(
            || examine(pair, &record, &case, self.facts, self.rules),
            Finding::OnlyLooksFinished,
        );
        let told =
            (finding == Finding::Unmatched).then(|| told(&record, &case, self.facts, self.rules));
        let ends: Vec<_> = record
            .agents
            .iter()
            .map(|agent| {
                (!is_native)
                    .then(|| stream::ended(&dir, &agent.id))
                    .flatten()
            })
            .collect();
        let billed = Billed::of(&dir, &record, &case.trajectories, &ends, |agent| {
            is_free(&record, agent, &case, self.facts, self.rules)
        });
        let booked = known.filter(|_| !billed.is_doubted);
        let usage = billed.used().or_else(|| booked?.usage);
        let (cost, priced_as) = cost_of(&billed.record, usage, self.prices);
        Judged {
            finding,
            told,
            usage,
            cost,
            priced_as,
            beyond: Beyond::of(&record, &ends),
            ends,
            long_patches,
            record,
        }
    }

    /// The same of many, in their order and on several threads.
    #[must_use]
    pub fn all(&self, pairs: &[(Tree, Pair)]) -> Vec<Surveyed> {
        process::in_parallel(pairs, |(tree, pair)| self.pair(*tree, pair))
    }

    /// Tags a result with its cause, or takes a tag away that no longer applies; true when the
    /// file changed. Errors that no rule knows stay as they are.
    pub fn tag(
        &self,
        tree: Tree,
        pair: &Pair,
        judged: &Judged,
        attempt: Option<u32>,
    ) -> Result<bool> {
        if !self.would_tag(judged) {
            return Ok(false);
        }
        let tag = judged
            .finding
            .diagnosis()
            .map(|diagnosis| tag_of(&judged.record, diagnosis, attempt));
        result::write_tag(&self.run.pair(tree, pair).result(), tag.as_ref())
    }

    /// Whether a result's tag does not say what triage says today.
    #[must_use]
    pub fn would_tag(&self, judged: &Judged) -> bool {
        let record = &judged.record;
        let Some(now) = judged.finding.diagnosis() else {
            return record.infra_error || record.tag.is_some();
        };
        let is_infra = now.cause.passes();
        let says = |tag: &Tag| tag.cause == now.cause && now.evidence.agrees_with(&tag.evidence);
        !record.tag.as_ref().is_some_and(says) || record.infra_error != is_infra
    }
}

/// What is said of the end of an agent that ended in an error, beside its result.
fn said(dir: &PairDir, agent: &AgentRecord, trajectory: Option<&Trajectory>) -> Vec<KnownText> {
    let stream = stream::read(dir, &agent.id);
    let mut said = stream.words;
    // Where its program tells how it ended, its last message is only that.
    if !stream.is_told {
        let path = dir.trajectory(agent.feature);
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        said.extend(trajectory.and_then(|trajectory| trajectory.last_words(&file)));
    }
    said
}

fn tag_of(record: &TrialRecord, diagnosis: &Diagnosis, attempt: Option<u32>) -> Tag {
    Tag {
        cause: diagnosis.cause,
        evidence: diagnosis.evidence.clone(),
        attempt: attempt.or_else(|| record.tag.as_ref()?.attempt),
        trial: record.trial.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}
