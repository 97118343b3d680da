//! What `send_message` does.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::Failure;
use super::mailbox::{Departure, Letter, Mailbox, Waited};
use crate::model::chat::ChatError;
use crate::model::tape::Tape;
use crate::sandbox::{Call, CallAnswer};

/// How long `--wait` waits, as upstream's does.
const WAIT: Duration = Duration::from_mins(1);

/// One agent must not be able to fill the other's window: bytes a message, and messages.
const MAX_MESSAGE: usize = 16_000;
const MAX_MESSAGES: usize = 200;

/// The forms that are understood.
const FORMS: &str = "  send_message [--wait] <agent> <<'MSG'
  your text
  MSG
  send_message [--wait] <agent> \"your text\"
";

/// One agent's access to the mailbox of its pair.
pub struct Desk {
    pub id: String,
    pub peers: Vec<String>,
    pub mailbox: Arc<Mailbox>,
    pub tape: Arc<Mutex<Tape>>,
}

/// What became of a call, for a recording: the rest follows from the words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Gone,
    Sent,
    Answered(Vec<(String, usize)>),
    Departed,
    TimedOut,
}

struct Parsed {
    wait: bool,
    to: String,
    text: String,
}

impl Desk {
    /// Answers a call of `send_message`.
    pub async fn call(&self, call: Call) -> CallAnswer {
        let parsed = match self.parse(call) {
            Ok(parsed) => parsed,
            Err(why) => {
                let text =
                    format!("send_message: {why}, so nothing was sent. Use one of:\n{FORMS}");
                return CallAnswer::text(1, text);
            }
        };
        match self.send(&parsed).await {
            Ok(answer) => answer,
            Err(error) => CallAnswer::text(1, format!("send_message: not sent: {error}\n")),
        }
    }

    fn parse(&self, call: Call) -> Result<Parsed, String> {
        let mut wait = false;
        let mut words = Vec::new();
        let mut args = call.args.into_iter();
        for arg in args.by_ref() {
            match arg.as_str() {
                "--wait" => wait = true,
                option if option.starts_with('-') && words.is_empty() => {
                    return Err(format!("there is no option `{option}`"));
                }
                _ => words.push(arg),
            }
            // What follows the receiver and --wait is the message, whatever it begins with.
            if words.len() == 2 {
                break;
            }
        }
        words.extend(args);
        let Some((to, text)) = words.split_first() else {
            return Err("it names no agent".to_owned());
        };
        if !self.peers.contains(to) {
            return Err(format!(
                "there is no agent `{to}` to write to (there is {})",
                self.peers.join(", ")
            ));
        }
        let text = if text.is_empty() {
            String::from_utf8_lossy(&call.body)
                .trim_end_matches('\n')
                .to_owned()
        } else {
            text.join(" ")
        };
        if text.trim().is_empty() {
            return Err("the message is empty".to_owned());
        }
        if text.len() > MAX_MESSAGE {
            return Err(format!(
                "the message has {} bytes, more than the {MAX_MESSAGE} that a colleague can be expected to read",
                text.len()
            ));
        }
        if self.mailbox.sent_by(&self.id) >= MAX_MESSAGES {
            return Err(format!(
                "you have sent {MAX_MESSAGES} messages, which is all there are"
            ));
        }
        Ok(Parsed {
            wait,
            to: to.clone(),
            text,
        })
    }

    async fn send(&self, parsed: &Parsed) -> Result<CallAnswer, ChatError> {
        let Parsed { wait, to, text } = parsed;
        let replayed: Option<Outcome> = self.tape.lock().await.replayed("send_message").await?;
        let (outcome, letters) = match replayed {
            Some(outcome) => {
                let letters = self.replay(&outcome, to, text).await;
                (outcome, letters)
            }
            None => self.live(*wait, to, text).await,
        };
        self.tape
            .lock()
            .await
            .record_note("send_message", &outcome)?;
        Ok(self.answer(&outcome, &letters, to))
    }

    async fn live(&self, wait: bool, to: &str, text: &str) -> (Outcome, Vec<Letter>) {
        if self.mailbox.send(&self.id, to, text).is_none() {
            return (Outcome::Gone, Vec::new());
        }
        if !wait {
            return (Outcome::Sent, Vec::new());
        }
        match self.mailbox.wait(&self.id, to, WAIT).await {
            Waited::Answered(letters) => (Outcome::Answered(keys(&letters)), letters),
            Waited::Departed => (Outcome::Departed, Vec::new()),
            Waited::TimedOut => (Outcome::TimedOut, Vec::new()),
        }
    }

    /// Makes true what the recording says.
    async fn replay(&self, outcome: &Outcome, to: &str, text: &str) -> Vec<Letter> {
        if *outcome != Outcome::Gone {
            self.mailbox.deliver(&self.id, to, text);
        }
        match outcome {
            Outcome::Gone | Outcome::Departed => self.mailbox.until_departed(to).await,
            Outcome::Answered(keys) => return self.mailbox.take_exactly(&self.id, keys).await,
            Outcome::Sent | Outcome::TimedOut => {}
        }
        Vec::new()
    }

    fn answer(&self, outcome: &Outcome, letters: &[Letter], to: &str) -> CallAnswer {
        let mut text = format!("Message sent to {to}\n");
        let mut code = 0;
        match outcome {
            Outcome::Sent => {}
            Outcome::Answered(_) => {
                for Letter {
                    from, text: said, ..
                } in letters
                {
                    let _ = writeln!(text, "\n[Reply from {from}]: {said}");
                }
            }
            Outcome::TimedOut => {
                let _ = writeln!(text, "\nNo reply within {} s.", WAIT.as_secs());
            }
            Outcome::Departed => {
                let _ = writeln!(text, "\nNo reply: {}", self.news(to));
            }
            Outcome::Gone => {
                text = format!("NOT sent, and no reply will come: {}\n", self.news(to));
                code = 1;
            }
        }
        CallAnswer::text(code, text)
    }

    /// How a peer ended, and where its work is.
    fn news(&self, peer: &str) -> String {
        match self.mailbox.departure(peer) {
            Some(departure) => departure.news(peer),
            None => format!("{peer} has ended."),
        }
    }

    /// What the agent is told before its next turn: messages, and peers that have ended.
    pub async fn receive(&self, announced: &mut Vec<String>) -> Result<Vec<String>, Failure> {
        #[derive(Serialize, Deserialize)]
        struct Inbox {
            letters: Vec<(String, usize)>,
            departed: Vec<String>,
            awaited_by: Vec<String>,
        }
        let mut tape = self.tape.lock().await;
        let replayed: Option<Inbox> = tape.replayed("inbox").await?;
        let (letters, departed, awaited_by) = if let Some(inbox) = replayed {
            for peer in &inbox.departed {
                self.mailbox.until_departed(peer).await;
            }
            let letters = self.mailbox.take_exactly(&self.id, &inbox.letters).await;
            (letters, inbox.departed, inbox.awaited_by)
        } else {
            let is_new = |peer: &&String| {
                !announced.contains(*peer) && self.mailbox.departure(peer).is_some()
            };
            let waits = |peer: &&String| self.mailbox.is_awaited_by(&self.id, peer);
            (
                self.mailbox.take(&self.id),
                self.peers.iter().filter(is_new).cloned().collect(),
                self.peers.iter().filter(waits).cloned().collect(),
            )
        };
        tape.record_note(
            "inbox",
            &Inbox {
                letters: keys(&letters),
                departed: departed.clone(),
                awaited_by: awaited_by.clone(),
            },
        )?;
        drop(tape);
        let mut news = Vec::new();
        for Letter { from, text, .. } in letters {
            let blocked = if awaited_by.contains(&from) {
                format!(" — {from} is BLOCKED until you answer: reply with send_message first")
            } else {
                String::new()
            };
            news.push(format!("[Message from {from}{blocked}]: {text}"));
        }
        for peer in departed {
            news.push(format!("[{peer} has ended] {}", self.news(&peer)));
            announced.push(peer);
        }
        Ok(news)
    }
}

impl Departure {
    /// For people and for peers.
    fn news(&self, peer: &str) -> String {
        let work = self.branch.as_ref().map_or_else(
            || "Its work cannot be seen from here: keep your own change self-contained.".to_owned(),
            |branch| {
                format!(
                    "What it pushed is on {branch}: `git fetch origin && git diff HEAD...{branch}`."
                )
            },
        );
        format!(
            "{peer} {} and will not read or answer anything any more. {work}",
            self.how
        )
    }
}

fn keys(letters: &[Letter]) -> Vec<(String, usize)> {
    letters
        .iter()
        .map(|letter| (letter.from.clone(), letter.number))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::call::SEND_MESSAGE;

    fn said(answer: &CallAnswer) -> String {
        String::from_utf8_lossy(&answer.bytes).into_owned()
    }

    fn desk() -> Desk {
        Desk {
            id: "agent1".to_owned(),
            peers: vec!["agent2".to_owned()],
            mailbox: Arc::default(),
            tape: Arc::new(Mutex::new(Tape::Off)),
        }
    }

    fn call(args: &[&str], body: &str) -> Call {
        Call {
            program: SEND_MESSAGE.to_owned(),
            args: args.iter().map(ToString::to_string).collect(),
            body: body.as_bytes().to_vec(),
        }
    }

    fn answer(desk: &Desk, args: &[&str], body: &str) -> CallAnswer {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(desk.call(call(args, body)))
    }

    #[test]
    fn both_forms_send() {
        let desk = desk();
        for (args, body) in [
            (&["agent2"][..], "hello\n"),
            (&["agent2", "hello"], ""),
            (&["--", "agent2"], ""),
        ] {
            let answer = answer(&desk, args, body);
            assert_eq!(answer.code, u8::from(args[0] == "--"), "{}", said(&answer));
        }
        let texts: Vec<_> = desk
            .mailbox
            .take("agent2")
            .into_iter()
            .map(|l| l.text)
            .collect();
        assert_eq!(texts, ["hello", "hello"]);
    }

    #[test]
    fn a_malformed_call_names_the_accepted_forms_and_sends_nothing() {
        let desk = desk();
        for (args, body, why) in [
            (&[][..], "", "names no agent"),
            (&["--wait"], "text", "names no agent"),
            (&["agent2"], "\n", "is empty"),
            (&["-t", "60", "agent2"], "text", "no option `-t`"),
            (&["agent7", "text"], "", "no agent `agent7`"),
        ] {
            let answer = answer(&desk, args, body);
            assert_eq!(answer.code, 1);
            assert!(said(&answer).contains(why), "{}", said(&answer));
            assert!(said(&answer).contains("<<'MSG'"), "{}", said(&answer));
        }
        assert!(desk.mailbox.conversation().is_empty());
    }

    #[test]
    fn a_message_to_one_who_is_gone_fails_and_says_how_it_ended() {
        let desk = desk();
        let departure = Departure {
            how: "ran into a limit".to_owned(),
            branch: Some("origin/agent2".to_owned()),
        };
        desk.mailbox.depart("agent2", departure);
        let answer = answer(&desk, &["--wait", "agent2", "hello"], "");
        assert_eq!(answer.code, 1);
        assert!(said(&answer).contains("NOT sent"), "{}", said(&answer));
        assert!(
            said(&answer).contains("ran into a limit") && said(&answer).contains("origin/agent2")
        );
    }

    fn received(desk: &Desk, announced: &mut Vec<String>) -> Vec<String> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(desk.receive(announced))
            .unwrap()
    }

    #[test]
    fn a_peers_end_is_announced_once_with_how_it_ended() {
        let desk = desk();
        let mut announced = Vec::new();
        assert!(received(&desk, &mut announced).is_empty());
        desk.mailbox.send("agent2", "agent1", "bye").unwrap();
        let departure = Departure {
            how: "died".to_owned(),
            branch: None,
        };
        desk.mailbox.depart("agent2", departure);
        let news = received(&desk, &mut announced);
        assert_eq!(news[0], "[Message from agent2]: bye");
        assert!(
            news[1].starts_with("[agent2 has ended] agent2 died"),
            "{news:?}"
        );
        assert!(received(&desk, &mut announced).is_empty());
    }

    #[tokio::test]
    async fn the_receiver_is_told_who_is_blocked_on_it() {
        let desk = desk();
        let peer = Desk {
            id: "agent2".to_owned(),
            peers: vec!["agent1".to_owned()],
            mailbox: Arc::clone(&desk.mailbox),
            tape: Arc::new(Mutex::new(Tape::Off)),
        };
        let asking = peer.call(call(&["--wait", "agent1", "which file?"], ""));
        let answering = async {
            while !desk.mailbox.is_awaited_by("agent1", "agent2") {
                tokio::task::yield_now().await;
            }
            let news = desk.receive(&mut Vec::new()).await.unwrap();
            assert!(news[0].contains("agent2 is BLOCKED"), "{news:?}");
            desk.call(call(&["agent2", "mine"], "")).await;
        };
        let (answer, ()) = tokio::join!(asking, answering);
        assert!(
            said(&answer).contains("[Reply from agent1]: mine"),
            "{}",
            said(&answer)
        );
    }
}
