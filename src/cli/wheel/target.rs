//! Which command is meant, and where it is reached.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::by_file;
use crate::bench::RunName;
use crate::error::{Error, Result};
use crate::hint;
use crate::json;
use crate::store::lock::{RunLock, driver_of};
use crate::store::wheel::{self, Answer, Hand, MAX_BYTES, WheelRequest};
use crate::store::{LogTree, RunDir};
use crate::text::plural;

/// How long a command may take to answer: everything of it runs on one thread.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is meant.
pub enum Target {
    /// A command whose runs go on.
    Going(GoingTarget),
    /// A run that nobody runs.
    AtRest(RunDir),
}

/// A command that is reached.
pub struct GoingTarget {
    run: RunDir,
    holder: String,
    /// The connection to its socket; by files where there is none.
    stream: Option<UnixStream>,
}

/// Finds what is meant: the run of this name, or the only command whose runs go on. `word` is the
/// command that looks for it.
pub fn find(tree: &LogTree, name: Option<&RunName>, word: &str) -> Result<Target> {
    if let Some(name) = name {
        let run = tree.select(std::slice::from_ref(name))?.remove(0);
        return match RunLock::holder(&run) {
            Some(holder) => reach(run, &holder).map(Target::Going),
            None => Ok(Target::AtRest(run)),
        };
    }
    let mut runs = tree.runs()?;
    let mut held: Vec<(String, Vec<RunDir>)> = Vec::new();
    for run in &runs {
        let Some(holder) = RunLock::holder(run) else {
            continue;
        };
        match held.iter_mut().find(|(other, _)| *other == holder) {
            Some((_, of_it)) => of_it.push(run.clone()),
            None => held.push((holder, vec![run.clone()])),
        }
    }
    match held.as_mut_slice() {
        [] if word == "resume" && runs.len() == 1 => Ok(Target::AtRest(runs.remove(0))),
        [] => Err(none_goes_on(tree, word)),
        // A socket of one of its runs may be missing.
        [(holder, of_it)] => {
            let last = of_it.pop();
            let reached = of_it.iter().find_map(|run| reach(run.clone(), holder).ok());
            match (reached, last) {
                (Some(target), _) => Ok(Target::Going(target)),
                (None, Some(run)) => reach(run, holder).map(Target::Going),
                (None, None) => Err(none_goes_on(tree, word)),
            }
        }
        several => Err(which(several, word)),
    }
}

fn none_goes_on(tree: &LogTree, word: &str) -> Error {
    let place = crate::files::from_here(tree.path());
    let error = Error::usage(format!("no run goes on under {}", place.display()));
    if word == "resume" {
        return error.hint(format!(
            "`{}` prints the command that resumes a run",
            hint::command("resume RUN")
        ));
    }
    error.hint(format!(
        "`{}` shows how the runs stand; --logs-dir names another tree",
        hint::command("status")
    ))
}

/// An error that says which commands there are.
fn which(held: &[(String, Vec<RunDir>)], word: &str) -> Error {
    let lines = held.iter().map(|(holder, runs)| {
        let names: Vec<&str> = runs.iter().map(|run| run.name().as_str()).collect();
        format!("\n  {} ({holder})", names.join(", "))
    });
    let commands = plural(held.len(), "command");
    let error = Error::usage(format!(
        "{commands} have runs:{}",
        lines.collect::<String>()
    ));
    let example = held[0].1.first();
    let example = example.map_or("RUN", |run| run.name().as_str());
    error.hint(format!(
        "name a run of the one that is meant: `{}`",
        hint::command(&format!("{word} {example}"))
    ))
}

/// An error for a run that nobody runs.
pub fn at_rest(run: &RunDir) -> Error {
    let name = run.name();
    Error::usage(format!("`{name}` does not go on")).hint(format!(
        "`{}` prints the command that resumes it",
        hint::command(&format!("resume {name}"))
    ))
}

/// Connects to the command that has a run.
fn reach(run: RunDir, holder: &str) -> Result<GoingTarget> {
    let stream = match wheel::connect(&run) {
        Ok(stream) => Some(stream),
        // Its command is on another host, and looks for files.
        Err(_) if driver_of(&run).is_some() => None,
        Err(error) => return Err(out_of_reach(&run, holder, &error)),
    };
    let holder = holder.to_owned();
    Ok(GoingTarget {
        run,
        holder,
        stream,
    })
}

fn out_of_reach(run: &RunDir, holder: &str, error: &io::Error) -> Error {
    let name = run.name();
    let here = this_host();
    if let Some((_, host)) = holder.rsplit_once(" on ")
        && host != here
    {
        return Error::world(format!(
            "`{name}` goes on on another host: {holder}, and this is {here}"
        ))
        .hint(format!("type the same command on {host}"));
    }
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Error::world(format!(
            "`{name}` is in use by {holder}, which cannot be asked for anything"
        ))
        .hint("it judges or restores, is just beginning or ending, or is of an older version; Ctrl-C ends it where it was typed"),
        _ => Error::world(format!(
            "cannot reach {holder} at {}: {error}",
            run.wheel().display()
        ))
        .hint("only the user who began a run may ask its command for something"),
    }
}

impl GoingTarget {
    /// Who is asked by files, if that is how.
    #[must_use]
    pub fn asked_by_files(&self) -> Option<&str> {
        self.stream.is_none().then_some(&*self.holder)
    }

    /// Asks, and waits for the answer.
    pub fn ask(&self, request: &WheelRequest) -> Result<Answer> {
        let failed = |error: &io::Error| {
            let name = self.run.name();
            match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::world(format!(
                    "the command that runs `{name}` did not answer within {} s",
                    PATIENCE.as_secs()
                ))
                .hint(
                    "it may be stopped (Ctrl-Z) or wait for a slow disk; it may still do it later",
                ),
                _ => Error::world(format!(
                    "the command that runs `{name}` went away before it answered: {error}"
                ))
                .hint(format!("`{}` shows how it stands", hint::command("status"))),
            }
        };
        let text = match &self.stream {
            Some(stream) => exchange(stream, request).map_err(|error| failed(&error))?,
            None => by_file::exchange(&self.run, &self.holder, request, by_file::PATIENCE)?,
        };
        if text.is_empty() {
            let kind = io::ErrorKind::UnexpectedEof;
            return Err(failed(&io::Error::new(kind, "it closed the connection")));
        }
        serde_json::from_slice(&text).map_err(|error| {
            let name = self.run.name();
            Error::world(format!(
                "the answer of the command that runs `{name}` cannot be read: {error}"
            ))
            .hint("it may be a regatta of another version")
        })
    }
}

fn exchange(mut stream: &UnixStream, request: &WheelRequest) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{}\n", json::line(request)).as_bytes())?;
    let mut text = Vec::new();
    stream.take(MAX_BYTES).read_to_end(&mut text)?;
    Ok(text)
}

fn this_host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// Who types.
pub fn hand() -> Hand {
    Hand {
        user: user(),
        host: this_host(),
    }
}

/// The user's name: as the machine has it, or as the environment says, or else the number.
fn user() -> String {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let users = crate::files::read_text(std::path::Path::new("/etc/passwd")).unwrap_or_default();
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    let told = || {
        ["USER", "LOGNAME"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok())
    };
    named.or_else(told).unwrap_or(uid)
}
