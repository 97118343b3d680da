//! Messages between the agents of a pair, in this process.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// A message that was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    /// The sender's id, e.g. `agent1`.
    pub from: String,
    /// The receiver's id, e.g. `agent2`.
    pub to: String,
    /// How many the sender sent before it.
    pub number: usize,
    /// The message, as its sender wrote it.
    pub text: String,
    /// When it was sent, in seconds of Unix time.
    pub at: f64,
}

/// How an agent ended, as its peer is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    /// What completes a sentence about the agent, e.g. `ran into a limit`: what
    /// [`Status::told`](super::end::Status::told) gives.
    pub how: String,
    /// Where its work can be looked at, where it can.
    pub branch: Option<String>,
}

/// How waiting for an answer ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Waited {
    /// Unread messages are there; they are taken from the inbox.
    Answered(Vec<Letter>),
    /// The peer ended without one.
    Departed,
    /// The time to wait was up before any message came.
    TimedOut,
}

/// The mailbox of a pair.
#[derive(Debug, Default)]
pub struct Mailbox {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    inboxes: HashMap<String, VecDeque<Letter>>,
    sent: Vec<Letter>,
    departed: HashMap<String, Departure>,
    /// Who waits, and for whom.
    waiting: HashSet<(String, String)>,
}

/// Somebody who waits, until this is dropped.
struct Waiting<'a> {
    mailbox: &'a Mailbox,
    pair: (String, String),
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.mailbox.state().waiting.remove(&self.pair);
    }
}

impl Mailbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message; `None` when nobody is left to read it.
    pub fn send(&self, from: &str, to: &str, text: &str) -> Option<Letter> {
        if self.state().departed.contains_key(to) {
            return None;
        }
        Some(self.deliver(from, to, text))
    }

    /// Sends a message whatever became of the receiver; a recording knows that it was in time.
    pub fn deliver(&self, from: &str, to: &str, text: &str) -> Letter {
        let mut state = self.state();
        let letter = Letter {
            from: from.to_owned(),
            to: to.to_owned(),
            number: state.sent.iter().filter(|sent| sent.from == from).count(),
            text: text.to_owned(),
            at: now(),
        };
        state.sent.push(letter.clone());
        let inbox = state.inboxes.entry(to.to_owned()).or_default();
        inbox.push_back(letter.clone());
        drop(state);
        self.changed.notify_waiters();
        letter
    }

    /// Takes the unread messages of an agent.
    pub fn take(&self, agent: &str) -> Vec<Letter> {
        let mut state = self.state();
        state
            .inboxes
            .get_mut(agent)
            .map(std::mem::take)
            .unwrap_or_default()
            .into()
    }

    /// Takes these messages of an agent, by sender and number, as soon as they are there.
    pub async fn take_exactly(&self, agent: &str, wanted: &[(String, usize)]) -> Vec<Letter> {
        self.until(|state| {
            let inbox = state.inboxes.entry(agent.to_owned()).or_default();
            let is_wanted =
                |letter: &Letter| wanted.contains(&(letter.from.clone(), letter.number));
            if inbox.iter().filter(|letter| is_wanted(letter)).count() < wanted.len() {
                return None;
            }
            let (taken, left) = std::mem::take(inbox)
                .into_iter()
                .partition::<Vec<_>, _>(is_wanted);
            *inbox = left.into();
            Some(taken)
        })
        .await
    }

    /// Waits for a message from anybody, at most so long and no longer than the peer is there.
    pub async fn wait(&self, agent: &str, peer: &str, timeout: Duration) -> Waited {
        let pair = (agent.to_owned(), peer.to_owned());
        self.state().waiting.insert(pair.clone());
        // Also when nobody waits for the end of the waiting any more.
        let _waiting = Waiting {
            mailbox: self,
            pair,
        };
        let waited = tokio::time::timeout(
            timeout,
            self.until(|state| {
                let inbox = state.inboxes.get_mut(agent);
                if let Some(inbox) = inbox.filter(|inbox| !inbox.is_empty()) {
                    return Some(Waited::Answered(std::mem::take(inbox).into()));
                }
                state
                    .departed
                    .contains_key(peer)
                    .then_some(Waited::Departed)
            }),
        )
        .await;
        waited.unwrap_or(Waited::TimedOut)
    }

    /// Waits until an agent has ended.
    pub async fn until_departed(&self, agent: &str) {
        self.until(|state| state.departed.contains_key(agent).then_some(()))
            .await;
    }

    async fn until<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            // Enrolled before looking: a change in between is not missed.
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(found) = look(&mut self.state()) {
                return found;
            }
            changed.await;
        }
    }

    /// Whether somebody is blocked until this agent answers.
    pub fn is_awaited_by(&self, agent: &str, peer: &str) -> bool {
        let pair = (peer.to_owned(), agent.to_owned());
        self.state().waiting.contains(&pair)
    }

    /// Notes that an agent has ended; those who wait for it learn it.
    pub fn depart(&self, agent: &str, departure: Departure) {
        self.state().departed.insert(agent.to_owned(), departure);
        self.changed.notify_waiters();
    }

    /// How an agent ended, if it did.
    pub fn departure(&self, agent: &str) -> Option<Departure> {
        self.state().departed.get(agent).cloned()
    }

    /// How many messages an agent has sent.
    pub fn sent_by(&self, agent: &str) -> usize {
        let state = self.state();
        state.sent.iter().filter(|sent| sent.from == agent).count()
    }

    /// Everything that was sent, in order.
    pub fn conversation(&self) -> Vec<Letter> {
        self.state().sent.clone()
    }
}

/// The time now, in seconds since the Unix epoch, with fractions.
#[must_use]
pub fn now() -> f64 {
    jiff::Timestamp::now().as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(5);

    fn departed(how: &str) -> Departure {
        Departure {
            how: how.to_owned(),
            branch: None,
        }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn messages_arrive_once_and_in_order() {
        let mailbox = Mailbox::default();
        mailbox.send("agent1", "agent2", "a").unwrap();
        mailbox.send("agent1", "agent2", "b").unwrap();
        let texts: Vec<_> = mailbox.take("agent2").into_iter().map(|l| l.text).collect();
        assert_eq!(texts, ["a", "b"]);
        assert!(mailbox.take("agent2").is_empty());
        assert_eq!(mailbox.conversation().len(), 2);
    }

    #[test]
    fn nobody_can_write_to_one_who_is_gone() {
        let mailbox = Mailbox::default();
        mailbox.depart("agent2", departed("submitted"));
        assert_eq!(mailbox.send("agent1", "agent2", "a"), None);
        assert!(mailbox.conversation().is_empty());
    }

    #[test]
    fn waiting_ends_at_the_answer_and_the_peer_sees_who_waits() {
        block_on(async {
            let mailbox = Mailbox::default();
            let answer = async {
                while !mailbox.is_awaited_by("agent2", "agent1") {
                    tokio::task::yield_now().await;
                }
                mailbox.send("agent2", "agent1", "yes").unwrap();
            };
            let (waited, ()) = tokio::join!(mailbox.wait("agent1", "agent2", LONG), answer);
            assert!(matches!(waited, Waited::Answered(letters) if letters[0].text == "yes"));
            assert!(!mailbox.is_awaited_by("agent2", "agent1"));
        });
    }

    #[test]
    fn waiting_ends_when_the_peer_does_or_in_time() {
        block_on(async {
            let mailbox = Mailbox::default();
            let brief = Duration::from_millis(1);
            assert_eq!(
                mailbox.wait("agent1", "agent2", brief).await,
                Waited::TimedOut
            );
            let end = async { mailbox.depart("agent2", departed("died")) };
            let (waited, ()) = tokio::join!(mailbox.wait("agent1", "agent2", LONG), end);
            assert_eq!(waited, Waited::Departed);
        });
    }

    #[test]
    fn a_replay_takes_exactly_what_the_recording_had() {
        block_on(async {
            let mailbox = Mailbox::default();
            mailbox.send("agent1", "agent2", "early").unwrap();
            let wanted = [("agent1".to_owned(), 1)];
            let later = async { mailbox.send("agent1", "agent2", "wanted").unwrap() };
            let (taken, _) = tokio::join!(mailbox.take_exactly("agent2", &wanted), later);
            assert_eq!(taken[0].text, "wanted");
            assert_eq!(mailbox.take("agent2")[0].text, "early");
        });
    }
}
