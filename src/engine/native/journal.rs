//! What agents say and see, on disk while their trials run: of one that is killed, it is all there
//! is.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::oneshot;

use crate::engine::Reporter;
use crate::error::{Error, Result};
use crate::files;
use crate::secret::Mask;
use crate::store::Event;

/// Told each message of a conversation.
pub type Teller = Arc<dyn Fn(&Value) + Send + Sync>;

/// The longest that a written line stays out of the disk's reach. Our own end loses no line, the
/// machine's those of this time. To sync each line took as much CPU as all else that a trial does.
const SYNC_AFTER: Duration = Duration::from_secs(1);

/// How often waiting lines are written, at most: those of a busy moment by one write for each file.
/// After a quiet time the first line is written at once.
const WRITE_EVERY: Duration = Duration::from_millis(50);

/// The one writer of all running trajectories of an attempt: a thread, so that no agent waits for the
/// disk. On a slow one, more lines go into one write. It ends with the last that speaks to it.
#[derive(Debug)]
pub struct Journals {
    orders: Sender<Order>,
    writer: Thread,
}

/// The running trajectory of one agent.
pub struct Journal {
    path: Arc<Path>,
    orders: Sender<Order>,
    writer: Thread,
    mask: Mask,
}

/// What the writer is told.
#[derive(Debug)]
enum Order {
    /// A file begins with this line, as soon as there is another.
    Begin(Arc<Path>, String),
    /// One more line for a file that was begun, with its line end.
    Line(Arc<Path>, String),
    /// No more lines will come; told back when all are written.
    End(Arc<Path>, oneshot::Sender<()>),
}

impl Journals {
    /// Starts the writer; it reports the files that it has to give up.
    pub fn start(report: Reporter) -> Result<Self> {
        let (orders, told) = channel();
        let writer = Writer {
            report,
            files: HashMap::new(),
            unsynced: VecDeque::new(),
        };
        let started = thread::Builder::new()
            .name("journals".to_owned())
            .spawn(move || writer.run(&told))
            .map_err(|error| Error::world(format!("cannot start a thread: {error}")))?;
        Ok(Self {
            orders,
            writer: started.thread().clone(),
        })
    }

    /// Begins a running trajectory. The file is made with the first message, and begins with `head`.
    pub fn begin(&self, path: PathBuf, head: Value, mask: Mask) -> Journal {
        let path: Arc<Path> = path.into();
        let orders = self.orders.clone();
        // Here and below: a writer that is gone has broken, and lost lines and nothing else.
        let _ = orders.send(Order::Begin(Arc::clone(&path), line_of(head, &mask)));
        Journal {
            path,
            orders,
            writer: self.writer.clone(),
            mask,
        }
    }
}

impl Journal {
    /// Tells it what its agent says and sees.
    pub fn teller(&self) -> Teller {
        let (path, orders, mask) = (
            Arc::clone(&self.path),
            self.orders.clone(),
            self.mask.clone(),
        );
        Arc::new(move |message| {
            let line = line_of(message.clone(), &mask);
            let _ = orders.send(Order::Line(Arc::clone(&path), line));
        })
    }

    /// Waits until all is written. What a teller says after it is not.
    pub async fn end(self) -> PathBuf {
        let (done, written) = oneshot::channel();
        let _ = self.orders.send(Order::End(Arc::clone(&self.path), done));
        // Who waits is not kept for the writer's pause.
        self.writer.unpark();
        let _ = written.await;
        self.path.to_path_buf()
    }
}

/// Takes away running trajectories that a whole one has taken the place of.
pub fn remove(paths: &[PathBuf]) -> Result<()> {
    for path in paths {
        files::remove(path)?;
        // The trial's own, and the pair's for what is set aside.
        for dir in path.ancestors().skip(1).take(2) {
            files::remove_empty_dir(dir)?;
        }
    }
    Ok(())
}

/// A message as a line. One text goes to the thread that writes: the many small parts of a value
/// would be taken there and freed here, and for a thousand agents the allocator's locks cost more
/// than all else.
fn line_of(mut message: Value, mask: &Mask) -> String {
    mask.hide_in(&mut message);
    let mut line = message.to_string();
    line.push('\n');
    line
}

/// The state of the thread that writes.
struct Writer {
    report: Reporter,
    /// The trajectories that have begun and not ended, by path.
    files: HashMap<Arc<Path>, Running>,
    /// What was written and not yet synced, with the time at which it is, the earliest first.
    unsynced: VecDeque<(Instant, Arc<Path>)>,
}

/// A trajectory that has begun and not ended.
struct Running {
    /// The lines that wait to be written.
    waiting: String,
    /// Whether it stands in the queue of what is synced.
    is_queued: bool,
    /// Whether a write failed: then what came after it would not follow on what is there.
    is_broken: bool,
}

impl Writer {
    fn run(mut self, told: &Receiver<Order>) {
        loop {
            let next = match self.unsynced.front() {
                None => told.recv().map_err(RecvTimeoutError::from),
                Some((due, _)) => told.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            let is_to_rest = match next {
                Ok(first) => self.obey(std::iter::once(first).chain(told.try_iter())),
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if is_to_rest {
                self.pause(Instant::now() + WRITE_EVERY);
            }
        }
        while let Some((due, _)) = self.unsynced.front() {
            self.sync_due(*due);
        }
    }

    /// Syncs what is due, then rests until that time or until somebody waits.
    fn pause(&mut self, until: Instant) {
        loop {
            let now = Instant::now();
            if now >= until {
                return;
            }
            if !self.sync_due(now) {
                thread::park_timeout(until - now);
                return;
            }
        }
    }

    /// Takes in what is told, then writes each file once; says whether there was anything to write.
    fn obey(&mut self, orders: impl Iterator<Item = Order>) -> bool {
        let (mut told, mut ended) = (Vec::new(), Vec::new());
        for order in orders {
            match order {
                Order::Begin(path, head) => {
                    let running = Running {
                        waiting: head,
                        is_queued: false,
                        is_broken: false,
                    };
                    self.files.insert(path, running);
                }
                Order::Line(path, line) => {
                    if let Some(running) = self.files.get_mut(&path) {
                        running.waiting.push_str(&line);
                        told.push(path);
                    }
                }
                Order::End(path, done) => ended.push((path, done)),
            }
        }
        for path in &told {
            self.write(path);
        }
        for (path, done) in ended {
            self.files.remove(&path);
            // Nobody waits any more where the trial was dropped.
            let _ = done.send(());
        }
        !told.is_empty()
    }

    /// Writes what waits for a file; nothing, if an earlier line of the same orders has taken it along.
    fn write(&mut self, path: &Arc<Path>) {
        let Some(running) = self.files.get_mut(path) else {
            return;
        };
        let lines = std::mem::take(&mut running.waiting);
        if lines.is_empty() || running.is_broken {
            return;
        }
        if let Err(error) = files::append_lines_unsynced(path, &lines) {
            running.is_broken = true;
            (self.report)(given_up(path, &error));
            return;
        }
        if !running.is_queued {
            running.is_queued = true;
            let due = Instant::now() + SYNC_AFTER;
            self.unsynced.push_back((due, Arc::clone(path)));
        }
    }

    /// Syncs the file that has waited longest, if its time has come by `now`, and says whether one
    /// was due. One that is gone was replaced by a whole trajectory.
    fn sync_due(&mut self, now: Instant) -> bool {
        let Some((_, path)) = self.unsynced.pop_front_if(|(due, _)| *due <= now) else {
            return false;
        };
        let synced = files::sync(&path);
        if let Some(running) = self.files.get_mut(&path) {
            running.is_queued = false;
            running.is_broken |= synced.is_err();
        }
        if let Err(error) = synced {
            (self.report)(given_up(&path, &error));
        }
        true
    }
}

fn given_up(path: &Path, error: &Error) -> Event {
    let path = path.display();
    Event::note(format!(
        "{path} is no longer written while its trial runs: {error}"
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;

    fn journals() -> (Journals, Arc<Mutex<Vec<Event>>>) {
        let said = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&said);
        let report: Reporter = Arc::new(move |report| to.lock().unwrap().push(report));
        (Journals::start(report).unwrap(), said)
    }

    #[tokio::test]
    async fn lines_of_many_files_keep_their_order_and_all_are_there_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let (journals, said) = journals();
        let of = |name: usize| dir.path().join(format!("pair{name}/running.jsonl"));
        let begun: Vec<_> = (0..20)
            .map(|name| journals.begin(of(name), json!({"head": name}), Mask::default()))
            .collect();
        for nth in 0..100 {
            for journal in &begun {
                journal.teller()(&json!({"nth": nth}));
            }
        }
        for (name, journal) in begun.into_iter().enumerate() {
            let late = journal.teller();
            assert_eq!(journal.end().await, of(name));
            late(&json!({"nth": "after its end"}));
            let mut wanted = vec![json!({"head": name}).to_string()];
            wanted.extend((0..100).map(|nth| json!({"nth": nth}).to_string()));
            let wanted = wanted.join("\n") + "\n";
            assert_eq!(files::read_text(&of(name)).unwrap(), wanted);
        }
        assert!(said.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_file_without_a_message_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let (journals, _) = journals();
        let path = dir.path().join("pair/running.jsonl");
        let journal = journals.begin(path.clone(), json!({}), Mask::default());
        journal.end().await;
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_given_up_once_and_costs_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let (journals, said) = journals();
        let stands_in_the_way = dir.path().join("pair");
        files::write_atomic(&stands_in_the_way, b"a file").unwrap();
        let broken = journals.begin(stands_in_the_way.join("a"), json!({}), Mask::default());
        let whole = journals.begin(dir.path().join("b"), json!({}), Mask::default());
        for _ in 0..3 {
            broken.teller()(&json!({}));
            whole.teller()(&json!({}));
        }
        broken.end().await;
        assert_eq!(
            files::read_text(&whole.end().await).unwrap(),
            "{}\n{}\n{}\n{}\n"
        );
        let said = said.lock().unwrap();
        assert_eq!(said.len(), 1, "{said:?}");
        let Event::Note { text } = &said[0] else {
            panic!("{said:?}");
        };
        assert!(text.contains("is no longer written"), "{text}");
    }
}
