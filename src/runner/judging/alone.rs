//! Judging each agent's patch alone, beside a verdict that stands.

use std::sync::Arc;
use std::time::Instant;

use jiff::Zoned;

use super::{Ended, Finished, Judging, Next, Told, Waiting, work};
use crate::error::Result;
use crate::evaluation::alone::{self, AgentAlone};
use crate::evaluation::{Asking, Trouble, Verdict};
use crate::files;
use crate::store::eval::independent::{self, Independent, IndependentNote};
use crate::store::eval::{BrokenBy, SuiteNote, why_not};
use crate::store::pins::TaskFiles;
use crate::text::one_line;

/// What there is to do about one agent alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: its verdict stands, and is this.
    Known(bool),
    /// The pair's evaluation tested it alone, and the verdict is written down.
    Told(Independent),
    /// Its suite runs.
    Suite,
}

/// What was found of two agents.
type Found = [Option<AgentAlone>; 2];

impl Judging {
    /// Judges the agents of a pair alone that are not known yet. What is found is kept, also where the
    /// other one's suite broke.
    pub(super) async fn agents(
        &self,
        one: &Finished,
        needs: &[Need; 2],
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
        let Some((found, trouble, tries)) = self.found(one, needs, waiting, tell).await else {
            return Ok(None);
        };
        judged_with.world = self.judge.world(&one.pair.task).await.ok().flatten();
        let took = begun.elapsed();
        let suites = found.iter().zip(one.pair.features).enumerate();
        let suites =
            suites.filter_map(|(of, (it, feature))| Some(it.as_ref()?.record(of, feature)));
        let note = IndependentNote {
            rules: self.judge.rules,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            trial: one.record.trial.clone(),
            backend: self.judge.venue.backend.kind(),
            judged_with,
            tries,
            evaluated_at: Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
            broken_by: trouble.as_ref().map(|trouble| BrokenBy {
                cause: self.cause(&trouble.rule),
                rule: trouble.rule.clone(),
            }),
            error: trouble.as_ref().map(|trouble| trouble.text.clone()),
            suites: suites.collect(),
            verdict_sha256: String::new(),
        };
        let verdicts: [Option<Independent>; 2] = [0, 1].map(|of| match &needs[of] {
            Need::Known(_) => None,
            Need::Told(told) => Some(told.clone()),
            Need::Suite => found[of].as_ref().map(AgentAlone::verdict),
        });
        let passed = [0, 1].map(|of| match &needs[of] {
            Need::Known(passed) => Some(*passed),
            _ => verdicts[of].as_ref().map(|verdict| verdict.passed),
        });
        let line = alone::line(&one.pair, &note, passed, took)?;
        let why = match &note.error {
            Some(error) => error.clone(),
            None => why_not(&notes(&note)),
        };
        independent::add(&self.run.pair(one.tree, &one.pair).eval(), &verdicts, note)?;
        files::create_dir(&self.run.own())?;
        files::append_line(&self.run.own().join("evaluations.jsonl"), &line)?;
        tell(Told::JudgedAlone {
            pair: one.pair.clone(),
            passed,
            why: one_line(&why, 300),
            took,
        });
        let verdict = match (&trouble, passed) {
            (Some(trouble), _) => Verdict::Error(trouble.text.clone()),
            (None, [Some(true), Some(true)]) => Verdict::Pass,
            (None, _) => Verdict::Fail,
        };
        let cause = |rule: &str| self.cause(rule);
        let ended = Ended::of(&one.pair, verdict, trouble.as_ref(), cause);
        Ok(Some(ended))
    }

    /// What their suites come to, with trouble that another try does not mend, and with how many
    /// tries it took. `None` where an interrupt came between two tries.
    async fn found(
        &self,
        one: &Finished,
        needs: &[Need; 2],
        mut waiting: Waiting,
        tell: &Arc<dyn Fn(Told) + Send + Sync>,
    ) -> Option<(Found, Option<Trouble>, u32)> {
        let mut found = [None, None];
        let mut tries = 1;
        loop {
            let trouble = self.look(one, needs, &mut found, tell).await.err();
            let next = self.next(&one.pair, trouble.as_ref(), tries, &mut waiting, tell);
            match next.await {
                Next::Again => tries += 1,
                Next::Settled => return Some((found, trouble, tries)),
                Next::Stopped => return None,
            }
        }
    }

    /// Runs the suites that are needed and not found yet, side by side.
    async fn look(
        &self,
        one: &Finished,
        needs: &[Need; 2],
        found: &mut Found,
        tell: &Arc<dyn Fn(Told) + Send + Sync>,
    ) -> std::result::Result<(), Trouble> {
        let work = work(&self.run, one)?;
        let note = |text| tell(Told::Note(text));
        let asking = Asking {
            run: self.run.name().as_str(),
            note: &note,
        };
        let is_open = [0, 1].map(|of| needs[of] == Need::Suite && found[of].is_none());
        let agent = async |of: usize| {
            if !is_open[of] {
                return Ok(None);
            }
            let alone = self.judge.agent_alone(&one.pair, &work, of, &asking);
            alone.await.map(Some)
        };
        // Both to their ends: a sandbox is not left behind because the other one's was lost.
        let (first, second) = tokio::join!(Box::pin(agent(0)), Box::pin(agent(1)));
        let mut end = Ok(());
        for (place, judged) in found.iter_mut().zip([first, second]) {
            match judged {
                Ok(Some(judged)) => *place = Some(judged),
                Ok(None) => {}
                Err(trouble) => end = end.and(Err(trouble)),
            }
        }
        end
    }
}

/// The suites without what they printed.
fn notes(note: &IndependentNote) -> Vec<SuiteNote> {
    let suites = note.suites.iter();
    suites.map(|it| it.suite.note.clone()).collect()
}
