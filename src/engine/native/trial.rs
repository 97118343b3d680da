//! One trial: the agents of a pair, side by side.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::journal;
use super::options::TapeMode;
use super::record::{self, Made};
use super::{Report, Shared};
use crate::agent::{
    Agent, AgentEnd, Death, Departure, Failure, Halt, Mailbox, OnLeftOut, Status, Team,
};
use crate::bench::image::image_name;
use crate::bench::{Pair, RuleId, Spending};
use crate::error::Result;
use crate::files;
use crate::model::client::Client;
use crate::model::refusal;
use crate::model::tape::Tape;
use crate::sandbox::{Repository, Source, Spec};
use crate::triage::{Cause, Rules};

/// How many commands an injected death lets pass.
const COMMANDS_BEFORE_DEATH: u64 = 2;

/// More recordings of one pair than anybody makes.
const MAX_TAPES: usize = 10_000;

/// How a trial ended, as far as the attempt needs to know.
#[derive(Debug, Default)]
pub struct TrialEnd {
    /// The daemon's words, when it was the end of it.
    pub daemon_gone: Option<String>,
    /// The removals of its sandboxes, which go on.
    pub closing: Vec<JoinHandle<()>>,
}

/// Runs a pair and writes what came of it; one that is aborted writes nothing.
pub async fn run(
    shared: &Shared,
    pair: &Pair,
    permit: OwnedSemaphorePermit,
    mut halt: watch::Receiver<Halt>,
) -> Result<TrialEnd> {
    (shared.report)(Report::TrialStarted { pair: pair.clone() });
    let made = Made::now();
    let crew = Crew::of(shared);
    let nth = tape_number(shared, pair, &crew.all_ids());
    let (mut agents, mut journals) = (Vec::new(), Vec::new());
    for (index, features) in crew.features(pair).into_iter().enumerate() {
        let id = crew.all_ids()[index];
        let tape = tape(shared, pair, id, nth)?;
        let journal = record::journal(shared, pair, &made, id, &features);
        let mut agent = agent(shared, pair, &made, id, &crew, &features, tape)?;
        agent.on_log = journal.teller();
        agents.push(agent);
        journals.push(journal);
    }
    let pulled = tokio::select! {
        pulled = pull(shared, pair) => pulled,
        // Nothing has been paid yet.
        () = aborted(&mut halt) => return Ok(TrialEnd::default()),
    };
    let mut running = JoinSet::new();
    let count = agents.len();
    for (index, agent) in agents.into_iter().enumerate() {
        let stopped = crew.stop.subscribe();
        let failed = pulled.clone().err();
        running.spawn(async move {
            let end = match failed {
                Some(failure) => AgentEnd::never(failure),
                None => agent.run(stopped).await,
            };
            (index, end)
        });
    }
    let mut found: Vec<Option<AgentEnd>> = (0..count).map(|_| None).collect();
    while !running.is_empty() {
        tokio::select! {
            Some(ended) = running.join_next() => match ended {
                Ok((index, end)) => found[index] = Some(end),
                Err(error) => {
                    // A fault of ours: the pair is lost, and the other agent with it.
                    let why = format!("the agent's task broke: {error}");
                    halt_pair(&crew.stop, why.clone());
                    if let Some(place) = found.iter_mut().find(|end| end.is_none()) {
                        *place = Some(AgentEnd::never(Failure::new(RuleId::HARNESS_FAULT, why)));
                    }
                }
            },
            () = aborted(&mut halt) => {
                crew.stop.send_replace(Halt::Abort);
                halt = never();
            }
        }
    }
    let mut kept = Vec::new();
    for journal in journals {
        kept.push(journal.end().await);
    }
    let mut ends: Vec<AgentEnd> = found.into_iter().flatten().collect();
    for end in &mut ends {
        if let Status::Failed(failure) = &mut end.status {
            failure.rule = refined(&shared.rules, failure);
        }
    }
    let closing = ends
        .iter_mut()
        .filter_map(|end| end.closing.take())
        .collect();
    if ends.len() < count || ends.iter().any(|end| end.status == Status::Aborted) {
        return Ok(TrialEnd {
            daemon_gone: None,
            closing,
        });
    }
    let daemon_gone = ends.iter().find_map(|end| match &end.status {
        Status::Failed(failure) if failure.rule == RuleId::DAEMON_UNREACHABLE => {
            Some(failure.text.clone())
        }
        _ => None,
    });
    // The next pair begins while this one's files are written and its sandboxes are removed; none
    // does on a daemon that is gone.
    let held = daemon_gone.is_some().then_some(permit);
    let letters = crew.mailbox.map(|mailbox| mailbox.conversation());
    record::write(shared, pair, &made, ends, letters.unwrap_or_default()).await?;
    journal::remove(&kept)?;
    drop(held);
    Ok(TrialEnd {
        daemon_gone,
        closing,
    })
}

/// Waits until the run is being ended; for ever, when it never will be.
async fn aborted(halt: &mut watch::Receiver<Halt>) {
    if halt.wait_for(|halt| *halt == Halt::Abort).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A reason to halt that never comes.
fn never() -> watch::Receiver<Halt> {
    watch::channel(Halt::No).1
}

/// Tells the pair to halt, unless it was told before.
fn halt_pair(stop: &watch::Sender<Halt>, why: String) {
    stop.send_if_modified(|halt| {
        let first = *halt == Halt::No;
        if first {
            *halt = Halt::PeerLost(why);
        }
        first
    });
}

/// What is done as soon as an agent ends: its peer learns it, and halts when the trial is lost.
fn announce(shared: &Shared, crew: &Crew, id: &str) -> Arc<dyn Fn(&Status) + Send + Sync> {
    let (mailbox, git, id) = (crew.mailbox.clone(), crew.git.clone(), id.to_owned());
    let (rules, stop) = (Arc::clone(&shared.rules), Arc::clone(&crew.stop));
    let at_work = Arc::clone(&crew.at_work);
    Arc::new(move |status| {
        at_work.send_modify(|count| *count = count.saturating_sub(1));
        if let Some(mailbox) = &mailbox {
            let has_pushed = git.as_ref().is_some_and(|git| git.has_pushed(&id));
            let branch = has_pushed.then(|| format!("origin/{id}"));
            let how = status.told().to_owned();
            mailbox.depart(&id, Departure { how, branch });
        }
        if let Some(why) = lost(&rules, status) {
            halt_pair(&stop, why);
        }
    })
}

/// Who works on a pair, and what they share.
struct Crew {
    /// The agents' ids; none for one alone.
    ids: Vec<String>,
    mailbox: Option<Arc<Mailbox>>,
    git: Option<Arc<Team>>,
    /// Tells them to halt: for the run's reasons, and for the pair's own.
    stop: Arc<watch::Sender<Halt>>,
    /// How many of them have not ended.
    at_work: Arc<watch::Sender<usize>>,
}

impl Crew {
    fn of(shared: &Shared) -> Self {
        let setting = shared.batch.setting;
        let ids: Vec<String> = match setting.agents() {
            1 => Vec::new(),
            count => (1..=count).map(|nth| format!("agent{nth}")).collect(),
        };
        Self {
            mailbox: setting.messaging().then(Arc::default),
            git: (shared.options.git && ids.len() > 1).then(Arc::default),
            stop: Arc::default(),
            at_work: Arc::new(watch::Sender::new(setting.agents())),
            ids,
        }
    }

    fn all_ids(&self) -> Vec<&str> {
        if self.ids.is_empty() {
            vec!["solo"]
        } else {
            self.ids.iter().map(String::as_str).collect()
        }
    }

    /// The features of each agent: both for one alone, one each for two.
    fn features(&self, pair: &Pair) -> Vec<Vec<u64>> {
        if self.ids.is_empty() {
            vec![pair.features.to_vec()]
        } else {
            pair.features.iter().map(|feature| vec![*feature]).collect()
        }
    }
}

/// Why a trial is lost with an agent that ended so, when that is not the agent's own doing.
fn lost(rules: &Rules, status: &Status) -> Option<String> {
    let Status::Failed(failure) = status else {
        return None;
    };
    let rule = refined(rules, failure);
    let cause = rules.get(&rule).map(|rule| rule.cause);
    (cause != Some(Cause::Agent)).then(|| format!("its peer was lost ({rule}): {}", failure.text))
}

/// The rule of a failure; of a refusal that its status alone does not explain, the provider's own
/// words tell more.
#[must_use]
pub fn refined(rules: &Rules, failure: &Failure) -> RuleId {
    const VAGUE: [RuleId; 4] = [
        RuleId::BAD_REQUEST,
        RuleId::CONVERSATION_REFUSED,
        RuleId::PERMISSION_DENIED,
        RuleId::RATE_LIMIT,
    ];
    let by_words = VAGUE
        .contains(&failure.rule)
        .then(|| rules.find(&failure.text, None))
        .flatten()
        // That a request is bad is no more than is known.
        .filter(|rule| refusal::later(&rule.id).is_none());
    by_words.map_or_else(|| failure.rule.clone(), |rule| rule.id.clone())
}

async fn pull(shared: &Shared, pair: &Pair) -> std::result::Result<(), Failure> {
    let note = |text| (shared.report)(Report::Note(text));
    let pulled = shared.backend.ready(&image_name(&pair.task), &note).await;
    pulled.map_err(Failure::from)
}

fn agent(
    shared: &Shared,
    pair: &Pair,
    made: &Made,
    id: &str,
    crew: &Crew,
    features: &[u64],
    tape: Tape,
) -> Result<Agent> {
    let options = &shared.options;
    let dir = options.dataset.join(&pair.task.repo);
    let dir = dir.join(format!("task{}", pair.task.task_id));
    let mut parts = Vec::new();
    for feature in features {
        let text = files::read_text(&dir.join(format!("feature{feature}/feature.md")))?;
        parts.push(match features {
            [_] => text,
            // As upstream puts two features to one agent.
            _ => format!("## Feature {feature}\n\n{text}"),
        });
    }
    let source = (shared.backend).source(image_name(&pair.task), options.workspace(&pair.task));
    let is_last = crew.all_ids().last() == Some(&id);
    let dies = options.dies.as_ref().filter(|dies| {
        dies.is_pair(pair)
            && dies.setting == shared.batch.setting
            && shared.batch.attempt == 1
            && is_last
    });
    let death = dies.map(|_| Death {
        after: COMMANDS_BEFORE_DEATH,
        at_work: crew.at_work.subscribe(),
    });
    let report = Arc::clone(&shared.report);
    let spent = spent(shared, pair, made, id);
    let image = match &source {
        Source::Image(image) => image.clone(),
        Source::Tree(_) => shared.backend.name().to_owned(),
    };
    Ok(Agent {
        on_end: announce(shared, crew, id),
        on_sandbox: Arc::new(move |sandbox| {
            report(Report::ContainerCreated {
                container: sandbox.to_owned(),
                image: image.clone(),
            });
        }),
        on_spent: spent,
        on_log: Arc::new(|_| {}),
        on_left_out: left_out(shared),
        id: id.to_owned(),
        team: crew.ids.clone(),
        task: parts.join("\n\n---\n\n"),
        config: Arc::clone(&options.agent),
        client: Client::new(shared.http.clone(), shared.client.clone()),
        window: options.window,
        tape,
        mailbox: crew.mailbox.clone(),
        git: crew.git.clone(),
        times: options.times,
        spec: Spec {
            source,
            run: shared.batch.run.name().to_string(),
            trial: made.trial.clone(),
            agent: id.to_owned(),
            env: options.agent.env.clone(),
            messaging: crew.mailbox.is_some(),
            git: crew.git.is_some(),
            limits: Arc::clone(&options.limits),
            repository: Repository::ForAgent,
        },
        backend: shared.backend.clone(),
        ended_before: shared.batch.ended_before.contains(pair),
        death,
    })
}

/// Books what an agent spends while its trial runs: one that is cut off leaves no result.
fn spent(
    shared: &Shared,
    pair: &Pair,
    made: &Made,
    id: &str,
) -> Arc<dyn Fn(Spending) + Send + Sync> {
    let report = Arc::clone(&shared.report);
    let (pair, trial, agent) = (pair.clone(), made.trial.clone(), id.to_owned());
    Arc::new(move |spending| {
        report(Report::Spent {
            pair: pair.clone(),
            trial: trial.clone(),
            agent: agent.clone(),
            spending,
        });
    })
}

/// Says once what an endpoint refuses of the replies that it gave.
fn left_out(shared: &Shared) -> Arc<OnLeftOut> {
    let (report, said) = (Arc::clone(&shared.report), Arc::clone(&shared.left_out));
    Arc::new(move |names| {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        let new = names.iter().filter(|name| said.insert((*name).clone()));
        let new: Vec<_> = new.map(|name| format!("`{name}`")).collect();
        if !new.is_empty() {
            report(Report::Note(format!(
                "the endpoint refuses {} of its own earlier replies: calls go on without",
                new.join(", ")
            )));
        }
    })
}

/// Which of a pair's recordings this trial makes or plays: each trial that came to an end has one.
fn tape_number(shared: &Shared, pair: &Pair, ids: &[&str]) -> usize {
    match &shared.options.tape {
        TapeMode::Off => 0,
        TapeMode::Record(dir) => {
            let is_whole = |nth: &usize| {
                let mut paths = ids.iter().map(|id| tape_path(dir, shared, pair, id, *nth));
                paths.all(|path| Tape::is_whole(&path))
            };
            (1..=MAX_TAPES).find(|nth| !is_whole(nth)).unwrap_or(1)
        }
        TapeMode::Replay(_) => {
            let mut played = shared.played.lock().unwrap_or_else(PoisonError::into_inner);
            let count = played.entry(pair.to_string()).or_default();
            *count += 1;
            *count
        }
    }
}

fn tape_path(dir: &Path, shared: &Shared, pair: &Pair, id: &str, nth: usize) -> PathBuf {
    dir.join(shared.batch.run.name().as_str())
        .join(pair.task.to_string())
        .join(pair.dir_name())
        .join(format!("{id}-{nth}.jsonl"))
}

fn tape(shared: &Shared, pair: &Pair, id: &str, nth: usize) -> Result<Tape> {
    let path = |dir: &Path| tape_path(dir, shared, pair, id, nth);
    match &shared.options.tape {
        TapeMode::Off => Ok(Tape::Off),
        TapeMode::Record(dir) => Tape::record(&path(dir), shared.mask()),
        TapeMode::Replay(dir) => Tape::replay(&path(dir)),
    }
}
