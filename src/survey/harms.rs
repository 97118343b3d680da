//! Whether a judged result is damaged: what its agents' programs and upstream's evaluation left.

use super::damage::{Damage, Harm};
use super::surveyed::Judged;
use crate::evaluation::{Verdict, reason};
use crate::files;
use crate::store::eval::{self, EvalFile, FeatureSeen};
use crate::store::result::ERROR;
use crate::store::{AgentRecord, PairDir, stream};
use crate::triage::Question;

/// A patch of more bytes than this is not looked at: blanks are no work, and nobody writes so many.
const BLANK: u64 = 64;

/// What is wrong with a result that was judged.
pub fn harms(dir: &PairDir, judged: &Judged, file: &EvalFile, verdict: &Verdict) -> Vec<Harm> {
    let record = &judged.record;
    let mut found = Vec::new();
    let mut harm = |damage, why: String| found.push(Harm { damage, why });
    let agents = || record.agents.iter().zip(&judged.ends);
    let numbered = record.agents.iter().enumerate();
    let empty: Vec<&str> = numbered
        .filter(|(_, agent)| agent.status != ERROR)
        .filter(|(index, _)| judged.long_patches.get(*index) != Some(&true))
        .filter(|(_, agent)| is_empty(dir, agent))
        .map(|(_, agent)| agent.id.as_str())
        .collect();
    if !empty.is_empty() {
        harm(Damage::EmptySubmission, empty.join(" and "));
    }
    if file.regatta.is_none() && is_time_up(dir, file) {
        harm(Damage::SuiteTimeout, "by upstream's evaluation".to_owned());
    }
    let mut ended: Vec<String> = agents()
        .filter(|(agent, _)| agent.status != ERROR)
        .filter_map(|(agent, end)| {
            let words = end.as_ref()?.words()?;
            let is_programs = !Question::of(&words, None).is_own;
            is_programs.then(|| format!("{}: {}", agent.id, words.text))
        })
        .collect();
    if *verdict == Verdict::Pass {
        let errors = record.agents.iter().filter(|agent| agent.status == ERROR);
        let is_one = errors.clone().count() == 1;
        // What triage found is of one agent.
        let found = judged.finding.diagnosis().filter(|_| is_one);
        ended.extend(errors.map(|agent| {
            let why = found
                .map(|found| found.evidence.text.clone())
                .or_else(|| agent.error.clone())
                .or_else(|| said(dir, agent))
                .unwrap_or_else(|| "no error recorded".to_owned());
            format!("{}: {why}", agent.id)
        }));
    }
    if !ended.is_empty() {
        harm(Damage::EndedByError, ended.join("; "));
    }
    found
}

/// What an agent's program says of its end.
fn said(dir: &PairDir, agent: &AgentRecord) -> Option<String> {
    let words = stream::read(dir, &agent.id).words.into_iter().next()?;
    Some(words.text)
}

/// Whether an agent's patch is there and holds nothing.
fn is_empty(dir: &PairDir, agent: &AgentRecord) -> bool {
    let path = dir.patch(agent.feature);
    let is_short = path.metadata().is_ok_and(|meta| meta.len() <= BLANK);
    is_short
        && matches!(files::read_up_to(&path, BLANK), Ok(Some(bytes)) if bytes.trim_ascii().is_empty())
}

/// Whether a suite of upstream's evaluation did not end in time.
fn is_time_up(dir: &PairDir, file: &EvalFile) -> bool {
    let seen = [&file.feature1, &file.feature2];
    // Only of these does the code not say that a suite came to its end; outputs may be large.
    let may_be = |seen: &&FeatureSeen| {
        seen.passed != Some(true) && seen.exit_code.is_none_or(|code| code < 0)
    };
    if !seen
        .iter()
        .filter_map(|it| it.as_ref())
        .any(|it| may_be(&it))
    {
        return false;
    }
    let outputs = eval::outputs(&dir.eval());
    seen.into_iter().zip(&outputs).any(|(seen, output)| {
        let seen = seen.as_ref().filter(may_be);
        seen.is_some_and(|seen| reason::is_time_up(seen, output.as_deref()))
    })
}
