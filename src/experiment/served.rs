//! Where a command is asked while its runs go on: at the socket in each run's directory, and of runs on
//! a cluster by files too, which other hosts see.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::UCred;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{JoinHandle, JoinSet};

use super::news::NewsSender;
use super::planned::OpenRun;
use crate::config::ExecutorKind;
use crate::json;
use crate::process::about;
use crate::runner::Wheel;
use crate::store::RunDir;
use crate::store::wheel::{self, AskBox, Laid, MAX_BYTES, WheelRequest};

/// How long somebody may take to ask who has connected.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long nobody is accepted after one could not be.
const PAUSE: Duration = Duration::from_millis(100);

/// How often one looks for files.
const LOOK: Duration = Duration::from_secs(2);

/// A wheel that others can reach as long as this lasts.
#[derive(Debug)]
pub struct ServedWheel {
    wheel: Wheel,
    runs: Vec<RunDir>,
    tasks: Vec<JoinHandle<()>>,
}

impl ServedWheel {
    /// Listens in the directories of these runs, whose locks are held, and looks for files in those that
    /// run on a cluster. Where that cannot be, runs go on all the same, and it is said.
    #[must_use]
    pub fn begin(runs: &[OpenRun], wheel: Wheel, news: &NewsSender) -> Self {
        let mut served = Self {
            wheel,
            runs: Vec::new(),
            tasks: Vec::new(),
        };
        let mut failed = None;
        for open in runs {
            let run = open.run();
            let listener = wheel::bind(run).and_then(UnixListener::from_std);
            match listener {
                Ok(listener) => {
                    let listening = listen(listener, served.wheel.clone());
                    served.tasks.push(tokio::spawn(listening));
                    served.runs.push(run.clone());
                }
                Err(error) => {
                    let path = run.wheel();
                    failed.get_or_insert_with(|| format!("{}: {error}", path.display()));
                }
            }
            if open.arm().config.executor.executor != ExecutorKind::Here {
                match AskBox::open(run) {
                    Ok(asks) => {
                        let looking = look(asks, served.wheel.clone());
                        served.tasks.push(tokio::spawn(looking));
                    }
                    Err(error) => news.note(format!(
                        "pause, resume, cancel and set cannot reach this run from other hosts: {error}"
                    )),
                }
            }
        }
        if let Some(why) = failed {
            news.note(format!(
                "pause, resume, cancel and set cannot reach this run: cannot listen at {why}"
            ));
        }
        served
    }

    /// What is asked of the command.
    #[must_use]
    pub const fn wheel(&self) -> &Wheel {
        &self.wheel
    }
}

impl Drop for ServedWheel {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.runs.iter().for_each(wheel::remove);
    }
}

/// Answers all who connect.
async fn listen(listener: UnixListener, wheel: Wheel) {
    let mut answering = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // One who has gone again, or no descriptor free: the next may be served.
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                let answered = answer(stream, wheel.clone());
                answering.spawn(tokio::time::timeout(PATIENCE, answered));
            }
            Some(_) = answering.join_next() => {}
        }
    }
}

/// Answers what is asked by files.
async fn look(mut asks: AskBox, wheel: Wheel) {
    loop {
        answer_files(&mut asks, &wheel);
        tokio::time::sleep(LOOK).await;
    }
}

fn answer_files(asks: &mut AskBox, wheel: &Wheel) {
    for (id, laid) in asks.take() {
        let answer = match laid {
            Laid::Request(request) => wheel.ask(&request),
            Laid::OfAStranger => wheel.refused_to_a_stranger(),
            Laid::Unreadable(why) => wheel.not_understood(&why),
        };
        // Who asks is told that there is no answer.
        let _ = asks.answer(id, &answer);
    }
}

/// Reads what is asked, and answers it.
async fn answer(mut stream: UnixStream, wheel: Wheel) -> io::Result<()> {
    let may_ask = may_ask(&stream.peer_cred()?);
    let mut line = Vec::new();
    let (read, mut write) = stream.split();
    let mut read = BufReader::new(read.take(MAX_BYTES));
    read.read_until(b'\n', &mut line).await?;
    let answer = match serde_json::from_slice::<WheelRequest>(&line) {
        Ok(_) if !may_ask => wheel.refused_to_a_stranger(),
        Ok(request) => wheel.ask(&request),
        Err(error) => wheel.not_understood(&error.to_string()),
    };
    let mut text = json::line(&answer);
    text.push('\n');
    write.write_all(text.as_bytes()).await?;
    write.shutdown().await
}

/// Whether a process may ask: one of ours that is in no sandbox, where a model's commands run, or one
/// of root's, which could do all of it by itself.
fn may_ask(peer: &UCred) -> bool {
    let own = rustix::process::geteuid().as_raw();
    if peer.uid() != own {
        return peer.uid() == 0;
    }
    let namespace = |process: String| std::fs::read_link(about(process, "ns/user")).ok();
    let of_peer = peer.pid().and_then(|pid| namespace(pid.to_string()));
    of_peer.is_some() && of_peer == namespace("self".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;
    use crate::store::LogTree;
    use crate::store::wheel::{Answer, Ask, AskFile, AskState, Hand, WheelState};

    #[test]
    fn a_command_is_asked_by_files_too() {
        let dir = tempfile::tempdir().unwrap();
        let run = LogTree::at(dir.path()).run(&"a-solo".parse().unwrap());
        let (mut asks, wheel) = (AskBox::open(&run).unwrap(), Wheel::default());
        let mut asked = |ask| -> Answer {
            let (user, host) = ("ana".to_owned(), "login1".to_owned());
            let by = Hand { user, host };
            let request = WheelRequest { ask, run: None, by };
            let file = AskFile::put(&run, &request).unwrap().unwrap();
            answer_files(&mut asks, &wheel);
            let AskState::Answered(answer) = file.state().unwrap() else {
                panic!()
            };
            serde_json::from_slice(&answer).unwrap()
        };
        let paused = asked(Ask::Pause);
        assert_eq!((paused.done, paused.state), (true, WheelState::Paused));
        let resumed = asked(Ask::Resume);
        assert_eq!((resumed.done, resumed.state), (true, WheelState::Running));
        let settings = [("model".to_owned(), "x".to_owned())].into();
        assert!(!asked(Ask::Set { settings }).done);
        files::write_atomic(&run.asks().join("7.ask.json"), b"{").unwrap();
        answer_files(&mut asks, &wheel);
        let answer = files::read_text(&run.asks().join("7.answer.json")).unwrap();
        assert!(answer.contains("the request cannot be read: "), "{answer}");
    }
}
