//! One trial: a pair is run, and what came of it is written.

use std::sync::{Arc, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::JoinHandle;

use super::Shared;
use super::crew::{Crew, aborted};
use super::journal;
use super::record::{self, Made};
use super::refined::refined;
use super::tapes::{tape, tape_number};
use crate::agent::{Agent, AgentEnd, Failure, Halt, InjectedDeath, OnLeftOut, OnSpent, Status};
use crate::bench::image::image_name;
use crate::bench::{Pair, RuleId, Spending};
use crate::error::Result;
use crate::files;
use crate::model::client::Client;
use crate::model::tape::Tape;
use crate::sandbox::Source;
use crate::sandbox::{Repository, Spec};
use crate::store::Event;

/// How many commands an injected death lets pass.
const COMMANDS_BEFORE_DEATH: u64 = 2;

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
    (shared.report)(Event::TrialStarted { pair: pair.clone() });
    let made = Made::now();
    let crew = Crew::of(shared.batch.setting, shared.options.git);
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
        () = aborted(&mut halt) => {
            let nothing = Spending { cost: Some(0.0), ..Spending::default() };
            for id in crew.all_ids() {
                (shared.report)(spent(pair, &made, id, nothing, true));
            }
            return Ok(TrialEnd::default());
        }
    };
    let count = agents.len();
    let mut ends = crew.work(agents, &pulled, halt).await;
    let mut kept = Vec::new();
    for journal in journals {
        kept.push(journal.end().await);
    }
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
        if ends.len() == count {
            for (id, end) in crew.all_ids().into_iter().zip(&ends) {
                (shared.report)(spent(pair, &made, id, end.spending(), true));
            }
        }
        return Ok(TrialEnd {
            daemon_gone: None,
            closing,
        });
    }
    let daemon_gone = daemon_gone(&ends);
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

/// The daemon's words, where it was the end of one of them.
fn daemon_gone(ends: &[AgentEnd]) -> Option<String> {
    ends.iter().find_map(|end| match &end.status {
        Status::Failed(failure) if failure.rule == RuleId::DAEMON_UNREACHABLE => {
            Some(failure.text.clone())
        }
        _ => None,
    })
}

async fn pull(shared: &Shared, pair: &Pair) -> std::result::Result<(), Failure> {
    let note = |text| (shared.report)(Event::note(text));
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
    let death = dies.map(|_| InjectedDeath {
        after: COMMANDS_BEFORE_DEATH,
        at_work: crew.at_work.subscribe(),
    });
    let report = Arc::clone(&shared.report);
    let spent = books(shared, pair, made, id);
    let image = match &source {
        Source::Image(image) => image.clone(),
        Source::Tree(_) => shared.backend.name().to_owned(),
    };
    Ok(Agent {
        on_end: crew.announce(&shared.rules, id),
        on_sandbox: Arc::new(move |sandbox| {
            report(Event::ContainerCreated {
                container: sandbox.to_owned(),
                image: image.clone(),
                name: None,
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
fn books(shared: &Shared, pair: &Pair, made: &Made, id: &str) -> Arc<OnSpent> {
    let report = Arc::clone(&shared.report);
    let (pair, made, agent) = (pair.clone(), made.clone(), id.to_owned());
    Arc::new(move |spending| report(spent(&pair, &made, &agent, spending, false)))
}

/// What an agent has spent; all that it ever spends if its trial was `ended`.
fn spent(pair: &Pair, made: &Made, agent: &str, spending: Spending, ended: bool) -> Event {
    Event::Spent {
        pair: pair.clone(),
        trial: made.trial.clone(),
        agent: agent.to_owned(),
        spending,
        ended,
    }
}

/// Says once what an endpoint refuses of the replies that it gave.
fn left_out(shared: &Shared) -> Arc<OnLeftOut> {
    let (report, said) = (Arc::clone(&shared.report), Arc::clone(&shared.left_out));
    Arc::new(move |names| {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        let new = names.iter().filter(|name| said.insert((*name).clone()));
        let new: Vec<_> = new.map(|name| format!("`{name}`")).collect();
        if !new.is_empty() {
            report(Event::note(format!(
                "the endpoint refuses {} of its own earlier replies: calls go on without",
                new.join(", ")
            )));
        }
    })
}
