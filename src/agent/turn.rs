//! The loop: ask the model, run what it asks for, show it the result.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Map, json};
use tokio::sync::{Mutex, watch};

use super::Failure;
use super::action::{Action, bash_tool};
use super::brief::{Agent, Halt};
use super::calls::{Calls, unread};
use super::clock::Clock;
use super::compaction::{CompactionPlan, Due};
use super::config::{AgentConfig, Protocol};
use super::desks::Desks;
use super::end::{AgentEnd, Status};
use super::observation::Observation;
use super::prompt::Prompts;
use super::transcript::Transcript;
use super::workplace::{Fittings, Workplace};
use crate::bench::RuleId;
use crate::model::chat::{Reply, Role, Tool};
use crate::model::ids::Ids;
use crate::model::refusal::FAILED_TOOL_CALL;
use crate::model::tape::Tape;

/// How many tool calls in a row that the endpoint cannot read the model is told of.
const MOST_UNREAD: u32 = 2;

/// An agent at work, from its first message to its end.
struct Turn {
    config: Arc<AgentConfig>,
    prompts: Prompts,
    transcript: Transcript,
    due: Due,
    calls: Calls,
    workplace: Workplace,
    desks: Desks,
    clock: Clock,
    /// Tool calls in a row that the endpoint could not read.
    unread: u32,
}

impl Agent {
    /// Runs it to its end, whatever that is; its sandbox is on its way out afterwards.
    pub async fn run(self, mut halt: watch::Receiver<Halt>) -> AgentEnd {
        let (on_end, ended_before) = (Arc::clone(&self.on_end), self.ended_before);
        let mut turn = Turn::new(self);
        let outcome = tokio::select! {
            outcome = turn.drive() => outcome,
            reason = Halt::reason(&mut halt) => Ok(match reason {
                Halt::PeerLost(why) => Status::Failed(Failure::new(RuleId::PEER_LOST, why)),
                _ => Status::Aborted,
            }),
        };
        let status = outcome.unwrap_or_else(|failure| Status::of(failure, ended_before));
        on_end(&status);
        turn.end(status, ended_before).await
    }
}

impl Turn {
    fn new(mut agent: Agent) -> Self {
        let prompts = Prompts::new(&agent.config, agent.variables());
        let ids = (!agent.tape.repeats_ids()).then(Ids::default);
        let due = Due::new(agent.window, agent.tape.asks_at_every_turn());
        let tape = std::mem::replace(&mut agent.tape, Tape::Off);
        let tape = Arc::new(Mutex::new(tape));
        let desks = Desks::of(&agent, &tape);
        let fittings = Fittings {
            id: agent.id,
            team: agent.git.map(|_| agent.team),
            on_sandbox: agent.on_sandbox,
            death: agent.death,
        };
        Self {
            prompts,
            transcript: Transcript::new(agent.on_log, ids),
            due,
            calls: Calls::new(agent.client, tape, agent.on_spent, agent.on_left_out),
            // The first call goes out while the sandbox is being made, if its image is known to start.
            workplace: Workplace::start(agent.spec, agent.backend, fittings),
            desks,
            clock: Clock::start(agent.times),
            unread: 0,
            config: agent.config,
        }
    }

    async fn drive(&mut self) -> Result<Status, Failure> {
        self.begin()?;
        self.workplace.trusted(&mut self.clock).await?;
        loop {
            if let Some(status) = self.limit() {
                return Ok(status);
            }
            for news in self.desks.news().await? {
                self.transcript.say(Role::User, news);
            }
            let (mut reply, actions) = match self.ask().await {
                Ok(Some(mut reply)) => {
                    self.unread = 0;
                    self.transcript.tell_apart(&mut reply.message.tool_calls);
                    let actions = Action::all_of(&reply, &self.config.protocol);
                    (reply, actions)
                }
                Ok(None) => return Ok(Status::TimeLimit),
                Err(failure) => {
                    let why = self.told_of(failure)?;
                    (unread(), Err(why))
                }
            };
            if matches!(self.config.protocol, Protocol::Fenced(_)) {
                // None was offered, and nothing would answer it.
                reply.message.tool_calls.clear();
            }
            self.transcript.reply(&reply, actions.is_ok());
            match actions {
                Err(why) => self.guide(&why)?,
                Ok(actions) => {
                    if let Some(status) = self.act(actions).await? {
                        return Ok(status);
                    }
                }
            }
        }
    }

    /// Says what the task is.
    fn begin(&mut self) -> Result<(), Failure> {
        let (config, none) = (&self.config, Map::new());
        let render = |name, template: &str| self.prompts.render(name, template, &none);
        let system = render("system", &config.system_template)?;
        let task = render("instance", &config.instance_template)?;
        self.transcript.begin(system, task);
        Ok(())
    }

    /// The limit that the agent has reached.
    fn limit(&self) -> Option<Status> {
        let (steps, cost) = (self.config.step_limit, self.config.cost_limit);
        if steps > 0 && self.calls.steps >= steps {
            return Some(Status::StepLimit);
        }
        if cost > 0.0 && self.calls.account().has_spent(cost) {
            return Some(Status::CostLimit);
        }
        self.clock.is_up().then_some(Status::TimeLimit)
    }

    /// One reply of the model, after shortening the conversation where it has to be; `None` when
    /// the time is up.
    async fn ask(&mut self) -> Result<Option<Reply>, Failure> {
        let (history, steps) = (&self.transcript.history, self.calls.steps);
        let plan = self.due.plan(&self.config.compaction, history, steps);
        if let Some(plan) = plan
            && !self.summarise(&plan).await?
        {
            return Ok(None);
        }
        let tools: &[Tool] = match self.config.protocol {
            Protocol::Tools => &[bash_tool()],
            Protocol::Fenced(_) => &[],
        };
        let history = &self.transcript.history;
        let reply = self.calls.call(&mut self.clock, history, tools).await;
        if let Ok(Some(reply)) = &reply {
            self.calls.steps += 1;
            self.due.answered(reply.usage, history);
        }
        reply
    }

    /// Asks for a summary, and puts it in the place of what it sums up. Where there is none that can
    /// be used, the conversation stays as it is. `false` when the time is up.
    async fn summarise(&mut self, plan: &CompactionPlan) -> Result<bool, Failure> {
        let question = plan.question(&self.config.compaction.prompt, &self.transcript.history);
        let (reply, fault) = match self.calls.call(&mut self.clock, &question, &[]).await {
            Ok(None) => return Ok(false),
            Ok(Some(reply)) if reply.is_cut => (reply, Some("it was cut off".to_owned())),
            Ok(Some(reply)) if reply.message.content.trim().is_empty() => {
                (reply, Some("it is empty".to_owned()))
            }
            Ok(Some(reply)) => (reply, None),
            Err(failure) if self.due.goes_on_without(&failure.rule) => {
                (unread(), Some(failure.text))
            }
            Err(failure) => return Err(failure),
        };
        self.transcript.summary(&reply, fault.as_deref());
        if fault.is_some() {
            self.due.was_unusable(self.calls.steps);
        } else {
            self.transcript.shorten(plan, &reply.message.content);
        }
        Ok(true)
    }

    /// What the model is told of a tool call that the endpoint could not read, up to so many in a
    /// row; every other failure, and one more, ends the agent.
    fn told_of(&mut self, failure: Failure) -> Result<String, Failure> {
        if failure.rule != FAILED_TOOL_CALL || self.unread >= MOST_UNREAD {
            return Err(failure);
        }
        self.unread += 1;
        self.calls.steps += 1;
        // The rest names the endpoint, which is none of the model's business.
        let body = failure.text.split_once("): ").map_or("", |(_, body)| body);
        Ok(format!("its tool call could not be read: {body}"))
    }

    /// Says what is wrong with the last reply.
    fn guide(&mut self, why: &str) -> Result<(), Failure> {
        let more = Map::from_iter([
            ("error".to_owned(), json!(why)),
            ("actions".to_owned(), json!([])),
        ]);
        let template = &self.config.format_error_template;
        let guidance = self.prompts.render("format error", template, &more)?;
        self.transcript.say(Role::User, guidance);
        Ok(())
    }

    /// Runs the commands of one reply; how the agent ended, if it did.
    async fn act(&mut self, actions: Vec<Action>) -> Result<Option<Status>, Failure> {
        let mut status = None;
        for Action { command, call } in actions {
            let observation = if status.is_some() {
                Observation::not_run("not run: the agent had ended before")
            } else if let Some(timeout) = self.clock.for_a_command() {
                let (desks, clock) = (&self.desks, &mut self.clock);
                let ran = self.workplace.run(&command, timeout, desks, clock);
                ran.await?
            } else {
                status = Some(Status::TimeLimit);
                Observation::not_run("not run: the time was up")
            };
            if status.is_none() && observation.submits() {
                status = Some(Status::Submitted);
            }
            let more = Map::from_iter([("output".to_owned(), observation.as_json())]);
            let template = &self.config.observation_template;
            let content = self.prompts.render("observation", template, &more)?;
            self.transcript
                .observe(call.as_deref(), content, &observation);
        }
        Ok(status)
    }

    /// Collects what is left and ends the sandbox.
    async fn end(mut self, mut status: Status, ended_before: bool) -> AgentEnd {
        let patch = match self.work(&status).await {
            Ok(patch) => patch,
            Err(failure) => {
                status = Status::of(failure, ended_before);
                Vec::new()
            }
        };
        let closing = self.workplace.close();
        if let Err(error) = self.calls.end(&status).await {
            status = Status::Failed(error.into());
        }
        let submission = String::from_utf8_lossy(&patch);
        self.transcript
            .end(status.word(), &submission, status.error());
        let spent = self.calls.account().total();
        AgentEnd {
            status,
            patch,
            cost: spent.cost,
            usage_unknown: spent.usage_unknown,
            steps: self.calls.steps,
            usage: spent.usage,
            rate_limited: self.clock.rate_limited(),
            log: self.transcript.into_log(),
            base: self.workplace.into_base(),
            closing,
        }
    }

    /// The work of an agent that ended so, where it can still be had.
    async fn work(&mut self, status: &Status) -> Result<Vec<u8>, Failure> {
        let submission = self.config.submission;
        let clock = &mut self.clock;
        match status {
            Status::Failed(failure) if failure.keeps_work => {
                let work = self.workplace.work(submission, true, clock).await;
                Ok(work.unwrap_or_default())
            }
            Status::Failed(_) | Status::SandboxEnded(_) | Status::Aborted => Ok(Vec::new()),
            Status::Submitted => self.workplace.work(submission, false, clock).await,
            Status::StepLimit | Status::CostLimit | Status::TimeLimit => {
                self.workplace.work(submission, true, clock).await
            }
        }
    }
}
