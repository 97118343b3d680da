//! The loop: ask the model, run what it asks for, show it the result.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use super::Failure;
use super::compaction::{self, Plan};
use super::config::{AgentConfig, Protocol, Submission};
use super::git::{self, Remote, Team};
use super::mailbox::Mailbox;
use super::observation::Observation;
use super::post::Desk;
use super::prompt::Prompts;
use super::transcript::{Told, Transcript};
use crate::bench::{RuleId, Spending, Usage};
use crate::guest::call::{GIT_FETCH, GIT_PUSH, SEND_MESSAGE};
use crate::model::chat::{ChatError, Message, Reply, Role, Tool};
use crate::model::client::Client;
use crate::model::ids::Ids;
use crate::model::refusal::{self, FAILED_TOOL_CALL};
use crate::model::tape::{Ended, GivenUp, Tape};
use crate::sandbox::{Answer, Backend, Call, Callee, Command, Sandbox, SandboxError, Spec};
use crate::store::result;

/// An agent that is to run.
pub struct Agent {
    /// `solo`, `agent1` or `agent2`.
    pub id: String,
    /// All agents of the pair; empty for one alone.
    pub team: Vec<String>,
    /// The features' descriptions.
    pub task: String,
    /// How it works.
    pub config: Arc<AgentConfig>,
    /// The model.
    pub client: Client,
    /// The model's window in tokens, where it is known.
    pub window: Option<u64>,
    /// Where its exchanges are recorded, or come from.
    pub tape: Tape,
    /// The pair's mailbox, when it may talk.
    pub mailbox: Option<Arc<Mailbox>>,
    /// The shared remote, when there is one.
    pub git: Option<Arc<Team>>,
    /// Its time limits.
    pub times: Times,
    /// What its sandbox is made from.
    pub spec: Spec,
    /// Where.
    pub backend: Backend,
    /// Told how it ended, before its sandbox is cleaned up.
    pub on_end: Arc<dyn Fn(&Status) + Send + Sync>,
    /// Told the name of its sandbox, once there is one.
    pub on_sandbox: Arc<dyn Fn(&str) + Send + Sync>,
    /// Whether its pair's sandbox ended before, in an earlier trial, without anybody knowing why.
    pub ended_before: bool,
    /// Told all that it has spent so far, after each call that was answered or may be billed.
    pub on_spent: Arc<dyn Fn(Spending) + Send + Sync>,
    /// Told each entry of its trajectory as it comes.
    pub on_log: Told,
    /// Told what the endpoint refused of earlier replies, so that it is sent no more.
    pub on_left_out: Arc<OnLeftOut>,
    /// Ends its sandbox: a fault, injected to show what becomes of it.
    pub death: Option<Death>,
}

/// When an injected fault ends an agent's sandbox.
#[derive(Debug)]
pub struct Death {
    /// After this many of its commands.
    pub after: u64,
    /// How many of the pair's agents are at work. It waits for the others to end: a peer that is lost
    /// in the middle of a call leaves a cost that nobody knows, or none, as it happens.
    pub at_work: watch::Receiver<usize>,
}

/// Told the names of fields that are sent no more.
pub type OnLeftOut = dyn Fn(&[String]) + Send + Sync;

/// Time limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// For one command.
    pub command: Duration,
    /// For the whole trial; `None` for no limit.
    pub trial: Option<Duration>,
    /// Whether time lost to the endpoint's rate limits counts.
    pub rate_limits_count: bool,
}

/// Why an agent should stop although it is not done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Halt {
    /// It should not.
    #[default]
    No,
    /// Its peer was lost, and the trial with it.
    PeerLost(String),
    /// The run is being ended.
    Abort,
}

impl AgentEnd {
    /// The end of an agent that never began.
    #[must_use]
    pub fn never(failure: Failure) -> Self {
        Self {
            status: Status::Failed(failure),
            patch: Vec::new(),
            cost: Some(0.0),
            steps: 0,
            usage: Usage::default(),
            usage_unknown: false,
            rate_limited: Duration::ZERO,
            log: Vec::new(),
            base: String::new(),
            closing: None,
        }
    }
}

/// How an agent ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It submitted.
    Submitted,
    /// It made as many model calls as it may.
    StepLimit,
    /// It spent as much as it may.
    CostLimit,
    /// It took as long as it may.
    TimeLimit,
    /// Its commands ended their own sandbox, for the second time in its pair; how.
    SandboxEnded(String),
    /// Something that is not its doing ended it.
    Failed(Failure),
    /// It was stopped with the run.
    Aborted,
}

impl Status {
    /// The word in results: upstream's, where it has one.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Submitted => "Submitted",
            Self::StepLimit => "LimitsExceeded",
            Self::CostLimit => "CostLimitExceeded",
            Self::TimeLimit => result::TIME_LIMIT,
            Self::SandboxEnded(_) => "SandboxEnded",
            Self::Failed(_) | Self::Aborted => "Error",
        }
    }

    /// How it is put to a peer.
    #[must_use]
    pub const fn told(&self) -> &'static str {
        match self {
            Self::Submitted => "submitted its work",
            Self::StepLimit | Self::CostLimit | Self::TimeLimit => "ran into a limit",
            Self::SandboxEnded(_) => "broke its sandbox",
            Self::Failed(_) | Self::Aborted => "died",
        }
    }
}

/// What an agent leaves.
#[derive(Debug)]
pub struct AgentEnd {
    /// How it ended.
    pub status: Status,
    /// Its work, submitted or not: git's own bytes.
    pub patch: Vec<u8>,
    /// What its calls cost in USD as far as it is known; `None` when no call's cost is.
    pub cost: Option<f64>,
    /// Model calls.
    pub steps: u64,
    /// Tokens, as far as the endpoint told.
    pub usage: Usage,
    /// Whether there were calls whose usage it did not tell.
    pub usage_unknown: bool,
    /// Time lost to rate limits.
    pub rate_limited: Duration,
    /// The whole conversation, in upstream's form.
    pub log: Vec<Value>,
    /// The commit that the patch is measured against.
    pub base: String,
    /// The removal of its sandbox, which goes on.
    pub closing: Option<JoinHandle<()>>,
}

enum Place {
    Starting(JoinHandle<Result<Sandbox, SandboxError>>),
    Ready(Box<Sandbox>),
    Gone,
}

/// Who answers the programs in an agent's sandbox.
struct Desks {
    desk: Option<Desk>,
    remote: Option<Remote>,
}

impl Callee for Desks {
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        Box::pin(async move {
            match (call.program.as_str(), &self.desk, &self.remote) {
                (SEND_MESSAGE, Some(desk), _) => desk.call(call).await,
                (GIT_PUSH, _, Some(remote)) => remote.push(call.body),
                (GIT_FETCH, _, Some(remote)) => {
                    remote
                        .fetch(call.args.first().map_or("", String::as_str))
                        .await
                }
                _ => Answer::text(127, format!("{}: there is no such call\n", call.program)),
            }
        })
    }
}

struct Turn {
    agent: Agent,
    desks: Desks,
    tape: Arc<Mutex<Tape>>,
    prompts: Prompts,
    place: Place,
    transcript: Transcript,
    announced: Vec<String>,
    begun: Instant,
    /// Time spent waiting for the sandbox, which is not the agent's.
    not_counted: Duration,
    rate_limited: Duration,
    /// The cost of the calls whose cost is known.
    cost: f64,
    /// Whether there were others.
    has_unknown_cost: bool,
    /// Whether there were calls whose usage is not known.
    has_unknown_usage: bool,
    /// Since when a call is under way.
    asking_since: Option<Instant>,
    usage: Usage,
    last_prompt: u64,
    steps: u64,
    commands: u64,
    /// Tool calls in a row that the endpoint could not read.
    unread: u32,
    /// The step before which the last summary could not be used.
    unusable_at: Option<u64>,
    /// Whether it is asked for again at every turn then; see [`Tape::asks_at_every_turn`].
    asks_again_at_once: bool,
    base: String,
}

/// A command that the model asks for.
struct Action {
    command: String,
    /// The tool's call that it comes from.
    call: Option<String>,
}

impl Agent {
    /// Runs it to its end, whatever that is; its sandbox is on its way out afterwards.
    pub async fn run(self, mut halt: watch::Receiver<Halt>) -> AgentEnd {
        let mut turn = Turn::new(self);
        let outcome = tokio::select! {
            outcome = turn.drive() => outcome,
            reason = halted(&mut halt) => Ok(match reason {
                Halt::PeerLost(why) => Status::Failed(Failure::new(RuleId::PEER_LOST, why)),
                _ => Status::Aborted,
            }),
        };
        let status = match outcome {
            Ok(status) => status,
            // A replay ends where the recording's time was up.
            Err(failure) if failure.rule == TIME_LIMIT => Status::TimeLimit,
            Err(failure) => turn.ended_by(failure),
        };
        (turn.agent.on_end)(&status);
        turn.end(status).await
    }
}

/// The longest reply that is searched for a fenced block, in bytes: the expression is the user's,
/// and the time to search may grow with its size times this. Models write 128,000 tokens at most.
const LONGEST_FENCED: usize = 512 << 10;

/// What the model is told of a reply that ends in the middle.
const CUT: &str = "it was cut off at the limit of output tokens, before it was complete. Say less at once: write a long file in several commands";

/// How many tool calls in a row that the endpoint cannot read the model is told of.
const MOST_UNREAD: u32 = 2;

/// How a recording names the end of an agent whose time was up.
const TIME_LIMIT: RuleId = RuleId::of("time_limit");

/// How a recording names the end of an agent that ended its own sandbox.
const OWN_END: RuleId = RuleId::of("own_sandbox_ended");

/// Waits until there is a reason to halt; for ever, when there never will be one.
async fn halted(halt: &mut watch::Receiver<Halt>) -> Halt {
    let reason = halt.wait_for(|halt| *halt != Halt::No).await;
    if let Some(reason) = reason.ok().map(|reason| reason.clone()) {
        return reason;
    }
    std::future::pending().await
}

impl Turn {
    fn new(mut agent: Agent) -> Self {
        let ids = (!agent.tape.repeats_ids()).then(Ids::default);
        let asks_again_at_once = agent.tape.asks_at_every_turn();
        let tape = Arc::new(Mutex::new(std::mem::replace(&mut agent.tape, Tape::Off)));
        let peers = || agent.team.iter().filter(|id| **id != agent.id).cloned();
        let desk = agent.mailbox.as_ref().map(|mailbox| Desk {
            id: agent.id.clone(),
            peers: peers().collect(),
            mailbox: Arc::clone(mailbox),
            tape: Arc::clone(&tape),
        });
        let remote = agent.git.as_ref().map(|team| Remote {
            id: agent.id.clone(),
            team: Arc::clone(team),
            tape: Arc::clone(&tape),
        });
        let prompts = Prompts::new(&agent.config, variables(&agent));
        // The first call goes out while the sandbox is being made.
        let (spec, backend) = (agent.spec.clone(), agent.backend.clone());
        let starting = tokio::spawn(async move { Sandbox::start(&spec, &backend).await });
        Self {
            desks: Desks { desk, remote },
            tape,
            prompts,
            place: Place::Starting(starting),
            transcript: Transcript::new(Arc::clone(&agent.on_log), ids),
            announced: Vec::new(),
            begun: Instant::now(),
            not_counted: Duration::ZERO,
            rate_limited: Duration::ZERO,
            cost: 0.0,
            has_unknown_cost: false,
            has_unknown_usage: false,
            asking_since: None,
            usage: Usage::default(),
            last_prompt: 0,
            steps: 0,
            commands: 0,
            unread: 0,
            unusable_at: None,
            asks_again_at_once,
            base: String::new(),
            agent,
        }
    }

    async fn drive(&mut self) -> Result<Status, Failure> {
        let none = Map::new();
        let config = Arc::clone(&self.agent.config);
        let system = self
            .prompts
            .render("system", &config.system_template, &none)?;
        let task = self
            .prompts
            .render("instance", &config.instance_template, &none)?;
        self.transcript.begin(system, task);
        loop {
            if config.step_limit > 0 && self.steps >= config.step_limit {
                return Ok(Status::StepLimit);
            }
            if config.cost_limit > 0.0 && self.cost >= config.cost_limit {
                return Ok(Status::CostLimit);
            }
            if self.left() == Some(Duration::ZERO) {
                return Ok(Status::TimeLimit);
            }
            if let Some(desk) = &self.desks.desk {
                for news in desk.receive(&mut self.announced).await? {
                    self.transcript.say(Role::User, news);
                }
            }
            let (mut reply, actions) = match self.ask().await {
                Ok(Some(mut reply)) => {
                    self.unread = 0;
                    self.transcript.tell_apart(&mut reply.message.tool_calls);
                    let actions = self.actions(&reply);
                    (reply, actions)
                }
                Ok(None) => return Ok(Status::TimeLimit),
                Err(failure) => {
                    let why = self.told_of(failure)?;
                    (unread(), Err(why))
                }
            };
            if matches!(config.protocol, Protocol::Fenced(_)) {
                // None was offered, and nothing would answer it.
                reply.message.tool_calls.clear();
            }
            match actions {
                Err(why) => {
                    self.transcript.reply(&reply, false);
                    let more = Map::from_iter([
                        ("error".to_owned(), json!(why)),
                        ("actions".to_owned(), json!([])),
                    ]);
                    let template = &config.format_error_template;
                    let guidance = self.prompts.render("format error", template, &more)?;
                    self.transcript.say(Role::User, guidance);
                }
                Ok(actions) => {
                    self.transcript.reply(&reply, true);
                    if let Some(status) = self.act(actions).await? {
                        return Ok(status);
                    }
                }
            }
        }
    }

    /// How much of the trial's time is left; `None` without a limit.
    fn left(&self) -> Option<Duration> {
        self.left_with(Duration::ZERO)
    }

    /// The same, when so much more was lost to rate limits.
    fn left_with(&self, lost: Duration) -> Option<Duration> {
        let mut limit = self.agent.times.trial?;
        if !self.agent.times.rate_limits_count {
            limit += self.rate_limited + lost;
        }
        Some((limit + self.not_counted).saturating_sub(self.begun.elapsed()))
    }

    /// How the conversation is to be shortened, if it is.
    fn plan(&self) -> Option<Plan> {
        let since = self.unusable_at.map(|at| self.steps.saturating_sub(at));
        if since.is_some_and(compaction::is_too_early) && !self.asks_again_at_once {
            return None;
        }
        let history = &self.transcript.history;
        let compaction = &self.agent.config.compaction;
        compaction.plan(history, self.last_prompt, self.agent.window)
    }

    /// Asks for a summary, and puts it in the place of what it sums up. Where there is none that can
    /// be used, the conversation stays as it is. `false` when the time is up.
    async fn summarise(&mut self, plan: &Plan) -> Result<bool, Failure> {
        let prompt = &self.agent.config.compaction.prompt;
        let question = plan.question(prompt, &self.transcript.history);
        let (reply, fault) = match self.call(&question, &[]).await {
            Ok(None) => return Ok(false),
            Ok(Some(reply)) if reply.is_cut => (reply, Some("it was cut off".to_owned())),
            Ok(Some(reply)) if reply.message.content.trim().is_empty() => {
                (reply, Some("it is empty".to_owned()))
            }
            Ok(Some(reply)) => (reply, None),
            Err(failure)
                if compaction::is_of_a_summary(&failure.rule) && !self.asks_again_at_once =>
            {
                (unread(), Some(failure.text))
            }
            Err(failure) => return Err(failure),
        };
        self.transcript.summary(&reply, fault.as_deref());
        if fault.is_some() {
            self.unusable_at = Some(self.steps);
        } else {
            self.transcript.shorten(plan, &reply.message.content);
        }
        Ok(true)
    }

    /// One reply of the model, after shortening the conversation where it has to be; `None` when
    /// the time is up.
    async fn ask(&mut self) -> Result<Option<Reply>, Failure> {
        if let Some(plan) = self.plan()
            && !self.summarise(&plan).await?
        {
            return Ok(None);
        }
        let tools: &[Tool] = match self.agent.config.protocol {
            Protocol::Tools => &[bash_tool()],
            Protocol::Fenced(_) => &[],
        };
        let history = std::mem::take(&mut self.transcript.history);
        let reply = self.call(&history, tools).await;
        self.transcript.history = history;
        if let Ok(Some(reply)) = &reply {
            self.steps += 1;
            self.last_prompt = reply.usage.map_or_else(
                // About four characters a token, where the endpoint does not say.
                || {
                    self.transcript
                        .history
                        .iter()
                        .map(|message| message.length() as u64)
                        .sum::<u64>()
                        / 4
                },
                |usage| usage.input_tokens,
            );
        }
        reply
    }

    /// One call, within the time that is left.
    async fn call(
        &mut self,
        messages: &[crate::model::chat::Message],
        tools: &[Tool],
    ) -> Result<Option<Reply>, Failure> {
        let tape = Arc::clone(&self.tape);
        let slowed = self.agent.client.slowed();
        self.asking_since = Some(Instant::now());
        let reply = {
            let mut tape = tape.lock().await;
            let call = tape.chat(&self.agent.client, messages, tools);
            tokio::pin!(call);
            loop {
                let lost = self.agent.client.slowed().saturating_sub(slowed);
                let left = self.left_with(lost);
                if left == Some(Duration::ZERO) {
                    return self.time_is_up();
                }
                let up = async {
                    match left {
                        Some(left) => tokio::time::sleep(left).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    reply = &mut call => break reply,
                    // Time may have been lost meanwhile: look again.
                    () = up => {}
                }
            }
        };
        self.asking_since = None;
        let wasted = self.agent.client.take_wasted();
        self.book(&wasted);
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => {
                self.rate_limited += self.agent.client.slowed().saturating_sub(slowed);
                self.has_unknown_usage |= error.may_be_billed();
                if error.may_be_billed() || !wasted.is_empty() {
                    (self.agent.on_spent)(self.spending());
                }
                return Err(self.failed(error));
            }
        };
        if !reply.left_out.is_empty() {
            (self.agent.on_left_out)(&reply.left_out);
        }
        self.has_unknown_usage |= reply.discarded || reply.usage.is_none();
        self.rate_limited += reply.rate_limited;
        match reply.cost {
            Some(cost) => self.cost += cost,
            None => self.has_unknown_cost = true,
        }
        if let Some(usage) = reply.usage {
            self.usage += usage;
        }
        (self.agent.on_spent)(self.spending());
        Ok(Some(reply))
    }

    /// Books generations that were no reply, by the tokens that each told.
    fn book(&mut self, wasted: &[Usage]) {
        for usage in wasted {
            self.usage += *usage;
            match self.agent.client.cost_of(*usage) {
                Some(cost) => self.cost += cost,
                None => self.has_unknown_cost = true,
            }
        }
    }

    /// A failed call, as this conversation puts it: the same refusal means something else before
    /// the model has said anything, and after it was answered with the same settings.
    fn failed(&self, error: ChatError) -> Failure {
        let rule = error.rule();
        let meant = if self.steps == 0 {
            refusal::at_first(&rule)
        } else {
            refusal::later(&rule)
        };
        let mut failure = Failure::from(error);
        if let Some(rule) = meant {
            failure.rule = rule;
        }
        failure
    }

    /// What the model is told of a tool call that the endpoint could not read, up to so many in a
    /// row; every other failure, and one more, ends the agent.
    fn told_of(&mut self, failure: Failure) -> Result<String, Failure> {
        if failure.rule != FAILED_TOOL_CALL || self.unread >= MOST_UNREAD {
            return Err(failure);
        }
        self.unread += 1;
        self.steps += 1;
        // The rest names the endpoint, which is none of the model's business.
        let body = failure.text.split_once("): ").map_or("", |(_, body)| body);
        Ok(format!("its tool call could not be read: {body}"))
    }

    /// What is known of all calls so far.
    fn spending(&self) -> Spending {
        Spending {
            // Without a price nothing is known, not that it is nothing.
            cost: (self.cost > 0.0 || !self.has_unknown_cost).then_some(self.cost),
            usage: self.usage,
            usage_unknown: self.has_unknown_usage,
        }
    }

    /// Whether a call is under way that may be billed: one that waits for its next try is not at the
    /// endpoint.
    fn is_asking(&self) -> bool {
        let waiting = self.agent.client.waiting();
        let may_be_billed = waiting.is_none_or(|waiting| waiting.may_be_billed());
        self.asking_since.is_some() && may_be_billed
    }

    /// The time is up in the middle of a call: the agent's own doing, unless it was this call that
    /// took the time. Then it is the endpoint's, which hangs or fails.
    fn time_is_up(&self) -> Result<Option<Reply>, Failure> {
        let waited = self.asking_since.map(|since| since.elapsed());
        let limit = self.agent.times.trial.unwrap_or(Duration::MAX);
        if self.steps == 0 || waited.is_some_and(|waited| waited > limit / 2) {
            let waiting = self.agent.client.waiting();
            if let Some(failed) = waiting.and_then(|waiting| waiting.failed) {
                return Err(self.failed(failed));
            }
            return Err(Failure {
                keeps_work: true,
                ..Failure::new(
                    RuleId::TIMEOUT,
                    format!(
                        "the model did not answer within {} s, which took the trial's time",
                        waited.unwrap_or_default().as_secs()
                    ),
                )
            });
        }
        Ok(None)
    }

    /// The commands that a reply asks for, or what is wrong with it.
    fn actions(&self, reply: &Reply) -> Result<Vec<Action>, String> {
        // What is wrong with half a reply is that it is half.
        self.commands_of(reply)
            .map_err(|why| if reply.is_cut { CUT.to_owned() } else { why })
    }

    fn commands_of(&self, reply: &Reply) -> Result<Vec<Action>, String> {
        if let Protocol::Fenced(regex) = &self.agent.config.protocol {
            let length = reply.message.content.len();
            if length > LONGEST_FENCED {
                return Err(format!(
                    "it must have at most {LONGEST_FENCED} bytes, and has {length}"
                ));
            }
            let found: Vec<_> = regex.captures_iter(&reply.message.content).collect();
            let [block] = found.as_slice() else {
                return Err(format!(
                    "it must have exactly one bash block, and has {}",
                    found.len()
                ));
            };
            let command = block.get(1).map_or("", |found| found.as_str());
            return Ok(vec![Action {
                command: command.trim().to_owned(),
                call: None,
            }]);
        }
        if reply.message.tool_calls.is_empty() {
            return Err("it calls no tool".to_owned());
        }
        let mut actions = Vec::new();
        for call in &reply.message.tool_calls {
            if call.name.is_empty() {
                return Err("its tool call names no tool".to_owned());
            }
            if call.name != "bash" {
                return Err(format!("there is no tool `{}`", call.name));
            }
            let arguments: Value = serde_json::from_str(&call.arguments)
                .map_err(|error| format!("the tool's arguments are not JSON: {error}"))?;
            let Some(command) = arguments.get("command").and_then(Value::as_str) else {
                return Err("the tool's arguments have no text `command`".to_owned());
            };
            if command.contains('\0') {
                return Err("the command holds a NUL character".to_owned());
            }
            actions.push(Action {
                command: command.to_owned(),
                call: Some(call.id.clone()),
            });
        }
        Ok(actions)
    }

    /// Runs the commands of one reply; how the agent ended, if it did.
    async fn act(&mut self, actions: Vec<Action>) -> Result<Option<Status>, Failure> {
        let mut status = None;
        for Action { command, call } in actions {
            let left = self.left();
            let observation = if status.is_some() {
                Observation::not_run("not run: the agent had ended before")
            } else if left == Some(Duration::ZERO) {
                status = Some(Status::TimeLimit);
                Observation::not_run("not run: the time was up")
            } else {
                let limit = self.agent.times.command;
                let timeout = left.map_or(limit, |left| left.min(limit));
                self.execute(&command, timeout).await?
            };
            if status.is_none() && observation.submits() {
                status = Some(Status::Submitted);
            }
            let more = Map::from_iter([("output".to_owned(), observation.as_json())]);
            let template = &self.agent.config.observation_template;
            let content = self.prompts.render("observation", template, &more)?;
            self.transcript
                .observe(call.as_deref(), content, &observation);
        }
        Ok(status)
    }

    async fn execute(&mut self, command: &str, timeout: Duration) -> Result<Observation, Failure> {
        self.ready().await?;
        let Place::Ready(sandbox) = &mut self.place else {
            return Err(Failure::new(RuleId::CONTAINER_LOST, "the sandbox is gone"));
        };
        if self.commands == 0 {
            // What ended it before its first command is not the agent's doing.
            sandbox.check().await?;
        }
        self.commands += 1;
        if let Some(death) = &mut self.agent.death
            && self.commands > death.after
        {
            // An error says that nobody is at work any more.
            let _ = death.at_work.wait_for(|count| *count <= 1).await;
            sandbox.kill().await;
        }
        let script = Command {
            script: command,
            timeout,
        };
        match sandbox.run(script, Some(&self.desks)).await {
            Ok(output) => Ok(Observation::of(&output, timeout)),
            Err(error) => Err(self.sandbox_failed(error)),
        }
    }

    /// The failure of a sandbox in which commands of the agent's have run, and may still run.
    fn sandbox_failed(&self, error: SandboxError) -> Failure {
        if error.is_unexplained() && self.commands > 0 {
            return Failure::new(RuleId::SANDBOX_ENDED, error.to_string());
        }
        error.into()
    }

    /// What a failure is to the agent. A sandbox that ends once without a cause may be anything, and
    /// the trial is made again; one that does so again is the agent's own doing. Otherwise an agent
    /// that fails could buy another trial, and take its peer's along.
    fn ended_by(&self, failure: Failure) -> Status {
        let is_own = failure.rule == RuleId::SANDBOX_ENDED && self.agent.ended_before;
        if is_own || failure.rule == OWN_END {
            Status::SandboxEnded(failure.text)
        } else {
            Status::Failed(failure)
        }
    }

    /// Waits until the sandbox is there.
    async fn ready(&mut self) -> Result<(), Failure> {
        let Place::Starting(starting) = &mut self.place else {
            return Ok(());
        };
        let waiting = Instant::now();
        let started = starting.await;
        self.not_counted += waiting.elapsed();
        let started = match started {
            Ok(started) => started,
            Err(error) => Err(SandboxError::Refused(format!("its task ended: {error}"))),
        };
        match started {
            Ok(sandbox) => {
                (self.agent.on_sandbox)(&sandbox.name());
                sandbox.base().clone_into(&mut self.base);
                // Kept first: what follows may be dropped in the middle.
                self.place = Place::Ready(Box::new(sandbox));
                if self.agent.git.is_some()
                    && let Place::Ready(sandbox) = &mut self.place
                {
                    git::set_up(&self.agent.id, &self.agent.team, sandbox).await?;
                }
                Ok(())
            }
            Err(error) => {
                self.place = Place::Gone;
                Err(error.into())
            }
        }
    }

    /// Collects what is left and ends the sandbox.
    async fn end(mut self, mut status: Status) -> AgentEnd {
        let mut patch = Vec::new();
        let mut closing = None;
        match &status {
            Status::Failed(failure) if failure.keeps_work => {
                // What was done until then is kept, where it can still be had.
                patch = self.work(true).await.unwrap_or_default();
            }
            Status::Failed(_) | Status::SandboxEnded(_) | Status::Aborted => {}
            _ => match self.work(status != Status::Submitted).await {
                Ok(work) => patch = work,
                Err(failure) => status = self.ended_by(failure),
            },
        }
        match std::mem::replace(&mut self.place, Place::Gone) {
            Place::Ready(sandbox) => closing = Some(tokio::spawn(sandbox.close())),
            // Nobody waits for it any more, but it has to go.
            Place::Starting(starting) => {
                closing = Some(tokio::spawn(async move {
                    if let Ok(Ok(sandbox)) = starting.await {
                        sandbox.close().await;
                    }
                }));
            }
            Place::Gone => {}
        }
        // It was given up on, and may be billed all the same.
        let mut call = GivenUp {
            was_asking: self.is_asking(),
            wasted: self.agent.client.take_wasted(),
        };
        if status != Status::Aborted {
            let ended = match &status {
                Status::Failed(failure) if failure.rule == RuleId::PEER_LOST => Ended::Halted,
                Status::Failed(Failure { rule, text, .. }) => Ended::Failed {
                    rule: rule.clone(),
                    error: text.clone(),
                },
                Status::SandboxEnded(how) => Ended::Failed {
                    rule: OWN_END,
                    error: how.clone(),
                },
                Status::TimeLimit => Ended::Failed {
                    rule: TIME_LIMIT,
                    error: "the time was up".to_owned(),
                },
                _ => Ended::Itself,
            };
            match self.tape.lock().await.end(ended, call.clone()) {
                Ok(given_up) => call = given_up,
                Err(error) => status = Status::Failed(error.into()),
            }
        }
        let error = match &status {
            Status::Failed(failure) => Some(failure.text.as_str()),
            Status::SandboxEnded(how) => Some(how.as_str()),
            _ => None,
        };
        self.has_unknown_usage |= call.was_asking;
        self.book(&call.wasted);
        let submission = String::from_utf8_lossy(&patch);
        self.transcript.end(status.word(), &submission, error);
        AgentEnd {
            status,
            patch,
            cost: self.spending().cost,
            usage_unknown: self.has_unknown_usage,
            steps: self.steps,
            usage: self.usage,
            rate_limited: self.rate_limited,
            log: self.transcript.into_log(),
            base: self.base,
            closing,
        }
    }

    /// The agent's work as a patch: what it submitted, or whatever it had done when it ended
    /// otherwise.
    async fn work(&mut self, is_unfinished: bool) -> Result<Vec<u8>, Failure> {
        if is_unfinished && matches!(self.place, Place::Starting(_)) {
            return Ok(Vec::new());
        }
        self.ready().await?;
        let Place::Ready(sandbox) = &mut self.place else {
            return Ok(Vec::new());
        };
        let work = match self.agent.config.submission {
            Submission::PatchFile if !is_unfinished => {
                match sandbox.read("patch.txt", MAX_PATCH).await {
                    Ok(bytes) => Ok(normal(&bytes)),
                    // It was asked for and is not there: nothing is submitted.
                    Err(SandboxError::Refused(_)) => Ok(Vec::new()),
                    Err(error) => Err(error),
                }
            }
            _ => sandbox.diff().await,
        };
        work.map_err(|error| self.sandbox_failed(error))
    }
}

/// What stands for a reply that the endpoint kept to itself.
fn unread() -> Reply {
    Reply {
        message: Message::text(Role::Assistant, ""),
        usage: None,
        cost: None,
        left_out: Vec::new(),
        raw: Value::Null,
        rate_limited: Duration::ZERO,
        discarded: false,
        is_cut: false,
    }
}

/// The largest `patch.txt` that is taken, in bytes.
const MAX_PATCH: u64 = 64 << 20;

/// A patch that an agent wrote, with the newline at its end that `git apply` wants and agents forget.
/// Nothing else is taken away: a blank line may belong to a hunk, or end a binary one.
fn normal(patch: &[u8]) -> Vec<u8> {
    let mut patch = patch.to_vec();
    if patch.trim_ascii().is_empty() {
        patch.clear();
    } else if patch.last() != Some(&b'\n') {
        patch.push(b'\n');
    }
    patch
}

/// The one tool that agents are given.
#[must_use]
pub fn bash_tool() -> Tool {
    Tool {
        name: "bash".to_owned(),
        description: "Execute a bash command".to_owned(),
        parameters: json!({
            "type": "object",
            "properties": {
                "command": {"type": "string", "description": "The bash command to execute"},
            },
            "required": ["command"],
        }),
    }
}

/// What templates may name, as upstream's may.
fn variables(agent: &Agent) -> Map<String, Value> {
    let uname = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    let alone = agent.team.len() < 2;
    let vars = json!({
        "task": agent.task,
        "agent_id": (!alone).then_some(&agent.id),
        "agents": agent.team,
        "messaging_enabled": agent.mailbox.is_some(),
        "git_enabled": agent.git.is_some(),
        "command_timeout": agent.times.command.as_secs(),
        "timeout": agent.times.command.as_secs(),
        "cwd": "/workspace/repo",
        "system": text(uname.sysname()),
        "node": text(uname.nodename()),
        "release": text(uname.release()),
        "version": text(uname.version()),
        "machine": text(uname.machine()),
        "n_model_calls": 0,
        "model_cost": 0.0,
    });
    match vars {
        Value::Object(vars) => vars,
        _ => Map::new(),
    }
}
