//! Triage of one trial: its agents' errors, and whether its results only look finished.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use regex::Regex;

use super::{Cause, Diagnosis, Question, Rules, lost};
use crate::bench::image::image_name;
use crate::bench::{Pair, RuleId};
use crate::model::{refusal, reset};
use crate::store::events::ContainerFacts;
use crate::store::framework::Framework;
use crate::store::result::{ERROR, parse_harness_error};
use crate::store::trajectory::Trajectory;
use crate::store::words::{Author, KnownText};
use crate::store::{AgentRecord, TrialRecord};

/// What triage is given of a trial.
#[derive(Debug, Default)]
pub struct Case {
    /// The agents' trajectories, in the record's order; `None` where there is none.
    pub trajectories: Vec<Option<Trajectory>>,
    /// The agents' patches, in the record's order; `None` where one was not looked at.
    pub patches: Vec<Option<String>>,
    /// What else was said of each agent's end, in the order in which it is believed: by its program's
    /// stream, then by its trajectory. Only of agents whose status is an error.
    pub said: Vec<Vec<KnownText>>,
}

/// What there is to read where no rule decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldError {
    /// The rule that knows the text, where one does.
    pub rule: Option<RuleId>,
    /// Where it stands: a file, or a field of `result.json`.
    pub source: String,
    /// The text itself, as it stands there.
    pub text: String,
}

/// What triage says of a trial that has a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It finished, and nothing says otherwise.
    Finished,
    /// It says it finished, but infrastructure ended it: it is void and runs again.
    OnlyLooksFinished(Diagnosis),
    /// It ended in an error of this cause.
    Failed(Diagnosis),
    /// It ended in an error that no rule knows.
    Unmatched,
}

impl Finding {
    /// The diagnosis, where there is one.
    #[must_use]
    pub const fn diagnosis(&self) -> Option<&Diagnosis> {
        match self {
            Self::OnlyLooksFinished(diagnosis) | Self::Failed(diagnosis) => Some(diagnosis),
            Self::Finished | Self::Unmatched => None,
        }
    }

    /// Whether the result does not stand, whatever it says.
    #[must_use]
    pub const fn is_void(&self) -> bool {
        matches!(self, Self::OnlyLooksFinished(_))
    }

    /// Whether the pair has to run again, as far as attempts are left.
    ///
    /// An agent's own error is a result. A configuration error would come again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Finished => false,
            Self::OnlyLooksFinished(_) | Self::Unmatched => true,
            Self::Failed(diagnosis) => diagnosis.cause.passes(),
        }
    }
}

/// Examines a trial. A pair lives or dies together: one agent's broken world is the pair's.
#[must_use]
pub fn examine(
    pair: &Pair,
    record: &TrialRecord,
    case: &Case,
    facts: &ContainerFacts,
    rules: &Rules,
) -> Finding {
    let image = image_name(&pair.task);
    let mut failures: Vec<Option<Diagnosis>> = Vec::new();
    let mut void = None;
    for (index, agent) in record.agents.iter().enumerate() {
        let trajectory = case.trajectories.get(index).and_then(Option::as_ref);
        let patch = case.patches.get(index).and_then(Option::as_deref);
        let gone = trajectory
            .and_then(|trajectory| lost::in_trajectory(trajectory, facts))
            .or_else(|| patch.and_then(|patch| lost::in_patch(patch, facts)))
            .or_else(|| {
                let error = agent.error.as_deref().unwrap_or_default();
                let is_empty = error.is_empty() && patch.is_some_and(str::is_empty);
                is_empty
                    .then(|| lost::during(record, &image, facts))
                    .flatten()
            });
        if agent.status != ERROR {
            void = void.or(gone);
            continue;
        }
        failures.push(gone.or_else(|| ended_by(record, index, case, facts, rules)));
    }
    for diagnosis in failures.iter_mut().flatten() {
        read_reset(diagnosis, record, rules);
    }
    let found = |cause| {
        let mut known = failures.iter().flatten();
        known.find(|diagnosis| diagnosis.cause == cause).cloned()
    };
    let first = [Cause::Config, Cause::Limit, Cause::Infra];
    if let Some(diagnosis) = first.into_iter().find_map(found) {
        return Finding::Failed(diagnosis);
    }
    if let Some(diagnosis) = void {
        return if failures.is_empty() {
            Finding::OnlyLooksFinished(diagnosis)
        } else {
            Finding::Failed(diagnosis)
        };
    }
    if failures.iter().any(Option::is_none) {
        return Finding::Unmatched;
    }
    found(Cause::Agent).map_or(Finding::Finished, Finding::Failed)
}

/// What ended one agent in an error, by what is said of its end.
pub(super) fn ended_by(
    record: &TrialRecord,
    index: usize,
    case: &Case,
    facts: &ContainerFacts,
    rules: &Rules,
) -> Option<Diagnosis> {
    let trajectory = case.trajectories.get(index).and_then(Option::as_ref);
    let framework = Framework::of(record.agent_framework.as_deref());
    let spoke = spoke(&record.agents[index], trajectory, framework);
    let known = why(record, index, case, facts, rules)?;
    Some(in_its_place(known, spoke, rules))
}

/// Whether the model had answered an agent before its end.
fn spoke(agent: &AgentRecord, trajectory: Option<&Trajectory>, framework: Framework) -> bool {
    let seen = trajectory.is_some_and(|trajectory| trajectory.has_answer(framework));
    match agent.usage {
        Some(used) if used.output_tokens > 0 => true,
        Some(used) if used.is_nothing() => seen,
        // A first call that was refused may count as a step.
        _ if trajectory.is_some() => seen || (framework.steps_are_calls() && agent.steps > Some(1)),
        _ => agent.steps.is_none_or(|steps| steps > 0),
    }
}

/// Limits of a rate pass within so long, by themselves: one that resets later is an account's.
const RATE: SignedDuration = SignedDuration::from_mins(1);

/// Reads when the limit that was met resets; a rate limit that lasts is a limit.
fn read_reset(diagnosis: &mut Diagnosis, record: &TrialRecord, rules: &Rules) {
    let rule = rules.get(&diagnosis.evidence.rule);
    if !rule.is_some_and(|rule| rule.resets) {
        return;
    }
    let said = record.ended();
    diagnosis.resets_at = reset::resets_at(&diagnosis.evidence.text, said);
    let lasts = |at: Timestamp| said.is_some_and(|said| at.duration_since(said) > RATE);
    if diagnosis.cause != Cause::Limit && diagnosis.resets_at.is_some_and(lasts) {
        diagnosis.cause = Cause::Limit;
    }
}

/// What is said of an agent's end, the most trustworthy first.
pub(super) fn words(record: &TrialRecord, index: usize, case: &Case) -> Vec<KnownText> {
    let agent: &AgentRecord = &record.agents[index];
    let source = if record.agents.len() == 1 {
        "agent.error".to_owned()
    } else {
        format!("agents.{}.error", agent.id)
    };
    let error = agent.error.as_deref().unwrap_or_default();
    let mut words = vec![KnownText::new(source, error, Author::Harness)];
    words.extend(case.said.get(index).into_iter().flatten().cloned());
    words
}

/// The cause that an agent's first words give which say why; where none do, which say where.
fn why(
    record: &TrialRecord,
    index: usize,
    case: &Case,
    facts: &ContainerFacts,
    rules: &Rules,
) -> Option<Diagnosis> {
    let trajectory = case.trajectories.get(index).and_then(Option::as_ref);
    let class = trajectory
        .and_then(Trajectory::exception)
        .map(|(class, _)| class);
    let mut vague = None;
    // What no words say is said elsewhere, an exception's class with its own words among it.
    let words = words(record, index, case).into_iter();
    for said in words.filter(|said| !said.text.trim().is_empty()) {
        // The class was recorded with the harness's error.
        let class = class.filter(|_| said.author == Author::Harness);
        let Some(found) = of_words(&said, class, facts, rules) else {
            continue;
        };
        let rule = rules.get(&found.evidence.rule);
        if !rule.is_some_and(|rule| rule.vague) {
            return Some(found);
        }
        vague = vague.or(Some(found));
    }
    vague
}

/// What there is to read of a trial that no rule knows: the first words of the agent that no rule
/// knows, or that there are none.
#[must_use]
pub fn told(record: &TrialRecord, case: &Case, facts: &ContainerFacts, rules: &Rules) -> ToldError {
    let errors = (0..record.agents.len()).filter(|index| {
        record.agents[*index].status == ERROR && why(record, *index, case, facts, rules).is_none()
    });
    let mut said = errors.flat_map(|index| words(record, index, case));
    let first = said.find(|words| !words.text.trim().is_empty());
    first.map_or_else(
        || ToldError {
            rule: None,
            source: "regatta".to_owned(),
            text: "nothing says why: no error in result.json, none in the agent's stream or log, and its trajectory does not end with words".to_owned(),
        },
        |words| ToldError {
            rule: None,
            source: words.source,
            text: words.text,
        },
    )
}

/// A refusal as the conversation puts it: one of the first request says nothing about an agent, and
/// one after others were answered nothing about a setting.
fn in_its_place(diagnosis: Diagnosis, spoke: bool, rules: &Rules) -> Diagnosis {
    let rule = &diagnosis.evidence.rule;
    let meant = match diagnosis.cause {
        Cause::Agent if !spoke => refusal::at_first(rule),
        Cause::Config if spoke => refusal::later(rule),
        _ => None,
    };
    match meant.and_then(|rule| rules.get(&rule)) {
        Some(rule) => Diagnosis::new(
            rule.cause,
            rule.id.clone(),
            &diagnosis.evidence.source,
            &diagnosis.evidence.text,
        ),
        None => diagnosis,
    }
}

/// The name upstream's v2 gives a container, as it stands in a failed `docker run`'s text.
static CONTAINER_NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\bminisweagent-[0-9a-f]{8}\b").expect("tested"));

fn of_words(
    words: &KnownText,
    class: Option<&str>,
    facts: &ContainerFacts,
    rules: &Rules,
) -> Option<Diagnosis> {
    let text = words.text.as_str();
    let found = |rule: &super::Rule, source: &str, text: &str| {
        Diagnosis::new(rule.cause, rule.id.clone(), source, text)
    };
    if words.author != Author::Harness {
        let rule = rules.ask(&Question::of(words, None))?;
        return Some(found(rule, &words.source, text));
    }
    if let Some((rule, text)) = parse_harness_error(text)
        && let Some(rule) = rules.get(&rule)
    {
        return Some(found(rule, &words.source, text));
    }
    if let Some(diagnosis) = lost::known(text, facts) {
        return Some(diagnosis);
    }
    // Upstream drops what the daemon said when `docker run` failed; the relay kept it.
    let daemon = CONTAINER_NAME
        .find(text)
        .and_then(|name| facts.refused.get(name.as_str()));
    if let Some(message) = daemon
        && let Some(rule) = rules.find(message, None)
    {
        return Some(found(rule, "docker daemon", message));
    }
    let rule = rules.ask(&Question::of(words, class))?;
    let (source, shown) = daemon.map_or((words.source.as_str(), text), |message| {
        ("docker daemon", message.as_str())
    });
    Some(found(rule, source, shown))
}

#[cfg(test)]
mod tests;
