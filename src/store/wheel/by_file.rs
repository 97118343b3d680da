//! Asking by files, from a host where the socket of a run leads nowhere: `<id>.ask.json` in a
//! directory of the run, and `<id>.answer.json` beside it.
//!
//! Whoever asks renames the request into its place, and the command renames it again to take it: so a
//! request is taken whole, once, or taken back. Nothing here trusts the time of a file.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

use super::{Answer, MAX_BYTES, WheelRequest};
use crate::error::Result;
use crate::store::RunDir;
use crate::{files, json, text};

const ASK: &str = ".ask.json";
const TAKEN: &str = ".taken.json";
const ANSWER: &str = ".answer.json";

/// The most requests that are taken at one look.
const AT_ONCE: usize = 50;

/// How long an answer lies that nobody fetches.
const KEPT: Duration = Duration::from_mins(10);

/// A request that was laid down, by who asks.
#[derive(Debug)]
pub struct AskFile {
    dir: PathBuf,
    id: String,
}

/// What became of a request so far.
#[derive(Debug, PartialEq, Eq)]
pub enum AskState {
    /// It lies there.
    Waiting,
    /// The command has it.
    Taken,
    /// This was answered.
    Answered(Vec<u8>),
    /// It is gone without an answer.
    Gone,
}

impl AskFile {
    /// Lays a request down; `None` where no command looks for one.
    pub fn put(run: &RunDir, request: &WheelRequest) -> Result<Option<Self>> {
        let dir = run.asks();
        if !files::is_there(&dir)? {
            return Ok(None);
        }
        let id = text::hex(&fastrand::u64(..).to_be_bytes());
        let asked = json::line(request);
        files::write_private(&named(&dir, &id, ASK), asked.as_bytes())?;
        Ok(Some(Self { dir, id }))
    }

    /// Where it lies.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What became of it. An answer is told once.
    pub fn state(&self) -> Result<AskState> {
        // From the last step to the first: it cannot pass by while one looks.
        for (end, state) in [(ASK, AskState::Waiting), (TAKEN, AskState::Taken)] {
            if files::is_there(&named(&self.dir, &self.id, end))? {
                return Ok(state);
            }
        }
        let path = named(&self.dir, &self.id, ANSWER);
        if !files::is_there(&path)? {
            return Ok(AskState::Gone);
        }
        let bytes = read(&path).map(|(_, bytes)| bytes).unwrap_or_default();
        remove(&path);
        Ok(AskState::Answered(bytes))
    }

    /// Takes it back; whether that was in time, so that it is not done.
    #[must_use]
    pub fn take_back(&self) -> bool {
        fs::remove_file(named(&self.dir, &self.id, ASK)).is_ok()
    }
}

/// What was laid down.
#[derive(Debug)]
pub enum Laid {
    /// A request.
    Request(WheelRequest),
    /// A file of another user.
    OfAStranger,
    /// What is none, and why.
    Unreadable(String),
}

/// Where a command finds what is asked of it by files, for as long as this lasts.
#[derive(Debug)]
pub struct AskBox {
    dir: PathBuf,
    answered: Vec<(Instant, String)>,
}

impl AskBox {
    /// Opens that of a run, which is ours. What lies there was asked of an earlier command, and is
    /// done by nobody.
    pub fn open(run: &RunDir) -> Result<Self> {
        let dir = run.asks();
        files::create_dir(&dir)?;
        for end in [ASK, TAKEN, ANSWER] {
            remove_all(&dir, end);
        }
        Ok(Self {
            dir,
            answered: Vec::new(),
        })
    }

    /// Takes what lies there, each with its id.
    pub fn take(&mut self) -> Vec<(String, Laid)> {
        self.forget();
        let ids = ids(&self.dir, ASK).into_iter().take(AT_ONCE);
        ids.filter_map(|id| {
            let (ask, taken) = [ASK, TAKEN].map(|end| named(&self.dir, &id, end)).into();
            // A directory is nobody's request.
            let is_one = ask.symlink_metadata().is_ok_and(|meta| !meta.is_dir());
            // One that was taken back meanwhile is gone.
            let is_taken = is_one && files::rename(&ask, &taken).is_ok();
            is_taken.then(|| (id, laid(&taken)))
        })
        .collect()
    }

    /// Answers one.
    pub fn answer(&mut self, id: String, answer: &Answer) -> Result<()> {
        let path = named(&self.dir, &id, ANSWER);
        let written = files::write_atomic(&path, json::line(answer).as_bytes());
        // Last: who asks sees that it is under way until there is an answer.
        remove(&named(&self.dir, &id, TAKEN));
        self.answered.push((Instant::now(), id));
        written
    }

    /// Removes the answers that nobody has fetched.
    fn forget(&mut self) {
        let is_old = |at: &Instant| at.elapsed() > KEPT;
        for (_, id) in self.answered.extract_if(.., |(at, _)| is_old(at)) {
            remove(&named(&self.dir, &id, ANSWER));
        }
    }
}

impl Drop for AskBox {
    /// What was not taken is done by nobody. Answers stay to be fetched.
    fn drop(&mut self) {
        remove_all(&self.dir, ASK);
        remove_all(&self.dir, TAKEN);
    }
}

fn named(dir: &Path, id: &str, end: &str) -> PathBuf {
    dir.join(format!("{id}{end}"))
}

/// The ids of the files with this end.
fn ids(dir: &Path, end: &str) -> Vec<String> {
    // A network file system keeps for a while what it knows of a directory.
    let listed = files::refresh(dir).and_then(|_| files::list(dir));
    let paths = listed.unwrap_or_default().into_iter();
    let id = |path: PathBuf| Some(path.file_name()?.to_str()?.strip_suffix(end)?.to_owned());
    let is_id = |id: &String| {
        (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    paths.filter_map(id).filter(is_id).collect()
}

fn remove_all(dir: &Path, end: &str) {
    for id in ids(dir, end) {
        remove(&named(dir, &id, end));
    }
}

/// Removes a file, if it is there and we may.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

/// Reads a request that was taken.
fn laid(path: &Path) -> Laid {
    let own = rustix::process::geteuid().as_raw();
    let may_ask = |meta: &Metadata| [own, 0].contains(&meta.uid());
    match path.symlink_metadata() {
        Ok(meta) if !may_ask(&meta) => return Laid::OfAStranger,
        Ok(_) => {}
        Err(error) => return Laid::Unreadable(error.to_string()),
    }
    match read(path) {
        // It was another's before we opened it.
        Ok((meta, _)) if !may_ask(&meta) => Laid::OfAStranger,
        Ok((_, bytes)) => match serde_json::from_slice(&bytes) {
            Ok(request) => Laid::Request(request),
            Err(error) => Laid::Unreadable(error.to_string()),
        },
        Err(error) => Laid::Unreadable(error.to_string()),
    }
}

/// Reads an ordinary file that is no link, has no second name, and is no longer than it may be.
fn read(path: &Path) -> io::Result<(Metadata, Vec<u8>)> {
    if !path.symlink_metadata()?.is_file() {
        return Err(io::Error::other("it is no ordinary file"));
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let meta = file.metadata()?;
    // Another user can give a file of ours a name in here.
    if !meta.is_file() || meta.nlink() > 1 {
        return Err(io::Error::other("it is no ordinary file of one name"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!(
            "it has more than {MAX_BYTES} bytes"
        )));
    }
    Ok((meta, bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::store::LogTree;
    use crate::store::wheel::{Ask, Hand, WheelState};

    fn run(dir: &tempfile::TempDir) -> RunDir {
        LogTree::at(dir.path()).run(&"a-solo".parse().unwrap())
    }

    fn pause() -> WheelRequest {
        WheelRequest {
            ask: Ask::Pause,
            run: None,
            by: Hand {
                user: "ana".to_owned(),
                host: "login1".to_owned(),
            },
        }
    }

    fn answer() -> Answer {
        Answer {
            done: true,
            state: WheelState::Paused,
            runs: Vec::new(),
            run: None,
            said: Vec::new(),
            hint: None,
        }
    }

    fn names(dir: &Path) -> Vec<String> {
        let paths = files::list(dir).unwrap().into_iter();
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        paths.map(name).collect()
    }

    #[test]
    fn a_request_is_taken_once_and_its_answer_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let run = run(&dir);
        assert!(AskFile::put(&run, &pause()).unwrap().is_none());
        let mut asks = AskBox::open(&run).unwrap();
        let asked = AskFile::put(&run, &pause()).unwrap().unwrap();
        let mode = named(asked.dir(), &asked.id, ASK)
            .metadata()
            .unwrap()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(asked.state().unwrap(), AskState::Waiting);
        let [(id, Laid::Request(request))] = &asks.take()[..] else {
            panic!()
        };
        assert_eq!(*request, pause());
        assert_eq!(asked.state().unwrap(), AskState::Taken);
        // It is done by now.
        assert!(!asked.take_back() && asks.take().is_empty());
        asks.answer(id.clone(), &answer()).unwrap();
        let text = json::line(&answer()).into_bytes();
        assert_eq!(asked.state().unwrap(), AskState::Answered(text));
        assert_eq!(asked.state().unwrap(), AskState::Gone);
        assert_eq!(names(&run.asks()), Vec::<String>::new());
    }

    #[test]
    fn what_is_taken_back_or_older_than_the_command_is_not_done() {
        let dir = tempfile::tempdir().unwrap();
        let run = run(&dir);
        let mut first = AskBox::open(&run).unwrap();
        let asked = AskFile::put(&run, &pause()).unwrap().unwrap();
        assert!(asked.take_back() && first.take().is_empty());
        let asked = AskFile::put(&run, &pause()).unwrap().unwrap();
        first.take();
        first.answer(asked.id.clone(), &answer()).unwrap();
        let late = AskFile::put(&run, &pause()).unwrap().unwrap();
        drop(first);
        assert_eq!(late.state().unwrap(), AskState::Gone);
        assert_eq!(names(&run.asks()), [format!("{}{ANSWER}", asked.id)]);
        // One that was killed has left these.
        for end in [ASK, TAKEN] {
            files::write_atomic(&named(&run.asks(), "dead", end), b"{}").unwrap();
        }
        let mut second = AskBox::open(&run).unwrap();
        assert!(second.take().is_empty());
        assert_eq!(names(&run.asks()), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_request_is_said_to_be_none_and_is_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let run = run(&dir);
        let mut asks = AskBox::open(&run).unwrap();
        let place = |name: &str| run.asks().join(format!("{name}{ASK}"));
        let secret = dir.path().join("secret");
        files::write_atomic(&secret, json::line(&pause()).as_bytes()).unwrap();
        symlink(&secret, place("link")).unwrap();
        symlink("/dev/zero", place("device")).unwrap();
        fs::hard_link(&secret, place("second")).unwrap();
        files::create_dir(&place("directory")).unwrap();
        let half = &json::line(&pause())[..20];
        files::write_atomic(&place("half"), half.as_bytes()).unwrap();
        let huge = File::create(place("huge")).unwrap();
        huge.set_len(MAX_BYTES + 1).unwrap();
        files::write_atomic(&place("no-id"), b"{}").unwrap();
        files::write_atomic(&run.asks().join(".regatta-1"), b"{}").unwrap();
        let mut found: Vec<(String, String)> = Vec::new();
        for (id, laid) in asks.take() {
            let Laid::Unreadable(why) = laid else {
                panic!("{id}: {laid:?}")
            };
            asks.answer(id.clone(), &answer()).unwrap();
            found.push((id, why));
        }
        let whys: Vec<(&str, bool)> = found
            .iter()
            .map(|(id, why)| (id.as_str(), why.contains("no ordinary file")))
            .collect();
        let [device, half, huge, link, second] = whys[..] else {
            panic!("{found:?}")
        };
        assert_eq!((device, link), (("device", true), ("link", true)));
        assert_eq!((half, huge), (("half", false), ("huge", false)));
        assert_eq!(second, ("second", true));
        assert!(asks.take().is_empty() && secret.is_file());
    }

    #[test]
    fn a_file_of_another_user_is_refused_whoever_it_names() {
        let dir = tempfile::tempdir().unwrap();
        let run = run(&dir);
        let mut asks = AskBox::open(&run).unwrap();
        let asked = AskFile::put(&run, &pause()).unwrap().unwrap();
        let path = named(asked.dir(), &asked.id, ASK);
        // Only root can make one here; who is not has nothing to show.
        if std::os::unix::fs::chown(&path, Some(12_345), None).is_err() {
            return;
        }
        let all = fs::Permissions::from_mode(0o666);
        fs::set_permissions(&path, all).unwrap();
        let [(_, Laid::OfAStranger)] = &asks.take()[..] else {
            panic!()
        };
    }
}
