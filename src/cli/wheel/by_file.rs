//! Asking a command on another host, by a file in the run's directory.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::hint;
use crate::store::RunDir;
use crate::store::wheel::{AskFile, AskState, WheelRequest};

/// How long the command may take to answer: it looks every few seconds, and a shared file system may
/// show a file late.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The wait between two looks for the answer.
const LOOK: Duration = Duration::from_millis(300);

/// Asks the command that has a run, and waits for the answer for so long.
pub fn exchange(
    run: &RunDir,
    holder: &str,
    request: &WheelRequest,
    patience: Duration,
) -> Result<Vec<u8>> {
    let name = run.name();
    let status = || hint::command(&format!("status {name}"));
    let Some(asked) = AskFile::put(run, request)? else {
        return Err(Error::world(format!(
            "`{name}` goes on under {holder}, which does not look for requests: there is no {}",
            run.asks().display()
        ))
        .hint("it is just beginning or ending, or is of an older version"));
    };
    let begun = Instant::now();
    loop {
        let state = asked.state()?;
        match state {
            AskState::Answered(answer) => return Ok(answer),
            AskState::Gone => {
                return Err(Error::world(format!(
                    "{holder}, which runs `{name}`, ended before it answered"
                ))
                .hint(format!("`{}` shows how it stands", status())));
            }
            _ if begun.elapsed() < patience => sleep(LOOK),
            state => {
                let waited = format!(
                    "{holder}, which runs `{name}`, did not answer within {} s to the request in {}",
                    patience.as_secs(),
                    asked.dir().display()
                );
                // It may have been taken since.
                let is_undone = state == AskState::Waiting && asked.take_back();
                let (what, hint) = if is_undone {
                    ("it is taken back, and not done", "its node may be down")
                } else {
                    ("it may still be done", "it has the request")
                };
                return Err(Error::world(format!("{waited}: {what}")).hint(format!(
                    "{hint}, or the file system may be slow: `{}` shows when it was heard of last; if it is dead, the same `regatta run` takes over",
                    status()
                )));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::LogTree;
    use crate::store::wheel::{Ask, AskBox, Hand};

    #[test]
    fn one_who_waits_in_vain_is_told_what_became_of_the_request() {
        let dir = tempfile::tempdir().unwrap();
        let run = LogTree::at(dir.path()).run(&"a-solo".parse().unwrap());
        let (user, host) = ("ana".to_owned(), "login1".to_owned());
        let by = Hand { user, host };
        let request = WheelRequest {
            ask: Ask::Pause,
            run: None,
            by,
        };
        let ask = |patience| exchange(&run, "process 7 on n1", &request, patience).unwrap_err();
        let says = |error: &Error, words: &str| {
            assert!(error.to_string().contains(words), "{error}");
        };
        says(&ask(Duration::ZERO), "which does not look for requests");
        let mut asks = AskBox::open(&run).unwrap();
        let undone = ask(Duration::ZERO);
        says(
            &undone,
            "process 7 on n1, which runs `a-solo`, did not answer within 0 s",
        );
        says(&undone, "it is taken back, and not done");
        assert!(undone.hints()[0].contains("`regatta status a-solo`"));
        assert!(asks.take().is_empty());
        // The command ends while one waits.
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| ask(PATIENCE));
            while asks.take().is_empty() {
                std::thread::yield_now();
            }
            drop(asks);
            says(&waiting.join().unwrap(), "ended before it answered");
        });
    }
}
