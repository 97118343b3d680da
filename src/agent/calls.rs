//! An agent's calls of its model: within its time, booked, and told of.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Mutex;

use super::Failure;
use super::account::Account;
use super::brief::{OnLeftOut, OnSpent};
use super::clock::Clock;
use super::end::Status;
use crate::bench::{RuleId, Usage};
use crate::model::chat::{ChatError, Message, Reply, Role, Tool};
use crate::model::client::Client;
use crate::model::refusal;
use crate::model::tape::{GivenUp, Tape};

/// The model of one agent.
pub struct Calls {
    client: Client,
    tape: Arc<Mutex<Tape>>,
    on_spent: Arc<OnSpent>,
    on_left_out: Arc<OnLeftOut>,
    account: Account,
    /// The replies to the agent so far, the unreadable ones included; summaries are none.
    pub steps: u64,
    /// Since when a call is under way.
    asking_since: Option<Instant>,
}

impl Calls {
    /// Those of an agent that has made none.
    pub fn new(
        client: Client,
        tape: Arc<Mutex<Tape>>,
        on_spent: Arc<OnSpent>,
        on_left_out: Arc<OnLeftOut>,
    ) -> Self {
        Self {
            client,
            tape,
            on_spent,
            on_left_out,
            account: Account::default(),
            steps: 0,
            asking_since: None,
        }
    }

    /// What they cost so far.
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// One call, within the time that is left; `None` when it is up.
    pub async fn call(
        &mut self,
        clock: &mut Clock,
        messages: &[Message],
        tools: &[Tool],
    ) -> Result<Option<Reply>, Failure> {
        let slowed = self.client.slowed();
        self.asking_since = Some(Instant::now());
        let Some(outcome) = self.within_time(clock, slowed, messages, tools).await else {
            return self.time_is_up(clock).map(|()| None);
        };
        self.asking_since = None;
        let wasted = self.client.take_wasted();
        self.waste(&wasted);
        let reply = match outcome {
            Ok(reply) => reply,
            Err(error) => {
                clock.lose(self.client.slowed().saturating_sub(slowed));
                self.account.unknown_if(error.may_be_billed());
                if error.may_be_billed() || !wasted.is_empty() {
                    (self.on_spent)(self.account.total());
                }
                return Err(self.failed(error));
            }
        };
        if !reply.left_out.is_empty() {
            (self.on_left_out)(&reply.left_out);
        }
        clock.lose(reply.rate_limited);
        self.account.book(&reply);
        (self.on_spent)(self.account.total());
        Ok(Some(reply))
    }

    /// What comes of a call while there is time; `None` when it is up. `slowed`: what the endpoint
    /// had slowed the client by before it.
    async fn within_time(
        &self,
        clock: &Clock,
        slowed: Duration,
        messages: &[Message],
        tools: &[Tool],
    ) -> Option<Result<Reply, ChatError>> {
        let mut tape = self.tape.lock().await;
        let call = tape.chat(&self.client, messages, tools);
        tokio::pin!(call);
        loop {
            let lost = self.client.slowed().saturating_sub(slowed);
            let left = clock.left_with(lost);
            if left == Some(Duration::ZERO) {
                return None;
            }
            let up = async {
                match left {
                    Some(left) => tokio::time::sleep(left).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                reply = &mut call => return Some(reply),
                // Time may have been lost meanwhile: look again.
                () = up => {}
            }
        }
    }

    /// The time is up in the middle of a call: the agent's own doing, unless it was this call that
    /// took the time. Then it is the endpoint's, which hangs or fails.
    fn time_is_up(&self, clock: &Clock) -> Result<(), Failure> {
        let waited = self.asking_since.map(|since| since.elapsed());
        if self.steps > 0 && !waited.is_some_and(|waited| clock.is_most(waited)) {
            return Ok(());
        }
        let waiting = self.client.waiting();
        if let Some(failed) = waiting.and_then(|waiting| waiting.failed) {
            return Err(self.failed(failed));
        }
        let seconds = waited.unwrap_or_default().as_secs();
        let why =
            format!("the model did not answer within {seconds} s, which took the trial's time");
        Err(Failure {
            keeps_work: true,
            ..Failure::new(RuleId::TIMEOUT, why)
        })
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

    /// Books generations that were no reply, by the tokens that each told.
    fn waste(&mut self, wasted: &[Usage]) {
        for usage in wasted {
            let cost = self.client.cost_of(*usage);
            self.account.waste(*usage, cost);
        }
    }

    /// Ends the recording, if there is one, and books the call that was given up on: it may be billed
    /// all the same. The error is a recording's that cannot be ended.
    pub async fn end(&mut self, status: &Status) -> Result<(), ChatError> {
        let mut call = GivenUp {
            was_asking: self.is_asking(),
            wasted: self.client.take_wasted(),
        };
        let mut outcome = Ok(());
        if let Some(ended) = status.recorded() {
            match self.tape.lock().await.end(ended, call.clone()) {
                Ok(given_up) => call = given_up,
                Err(error) => outcome = Err(error),
            }
        }
        self.account.unknown_if(call.was_asking);
        self.waste(&call.wasted);
        outcome
    }

    /// Whether a call is under way that may be billed: one that waits for its next try is not at the
    /// endpoint.
    fn is_asking(&self) -> bool {
        let waiting = self.client.waiting();
        let may_be_billed = waiting.is_none_or(|waiting| waiting.may_be_billed());
        self.asking_since.is_some() && may_be_billed
    }
}

/// What stands for a reply that the endpoint kept to itself.
pub fn unread() -> Reply {
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
