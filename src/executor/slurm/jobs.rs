//! The jobs of a run's workers: submitted, looked at, given up.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::reception::Heard;
use crate::engine::{AttemptEnd, Reporter};
use crate::error::Result;
use crate::slurm::{JobId, JobScript, Slurm, TaskSeen, TaskState, why_pending};
use crate::store::cluster::DriverFile;
use crate::store::lease::Holder;
use crate::store::{Event, RunDir};
use crate::text::plural;

/// The queue is asked at most this often.
const OFTEN: Duration = Duration::from_secs(30);

/// At the least this often: it is asked less where nothing changes.
const SELDOM: Duration = Duration::from_mins(5);

/// Accounts are asked at most this often, and only where a worker is gone.
const ACCOUNTS: Duration = Duration::from_secs(5);

/// So many arrays in a row of which no worker ever came in end the attempt.
const BARREN: usize = 2;

/// The jobs of a run.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about Slurm"
)]
pub struct Jobs {
    slurm: Arc<Slurm>,
    run: RunDir,
    /// All that were submitted, by this command and those before it.
    ids: Vec<JobId>,
    /// What the queue said last; `None` before it was asked.
    queue: Option<Vec<TaskSeen>>,
    /// What the accounts said last.
    accounts: Vec<TaskSeen>,
    /// Whether there are accounts, as far as is known.
    has_accounts: bool,
    queue_at: Instant,
    asked_at: Instant,
    every: Duration,
    accounts_at: Instant,
    wants_news: bool,
    is_asking: bool,
    /// Whether it was told that Slurm does not answer.
    is_away: bool,
    told_reason: String,
    /// How many workers had come in when an array was submitted last, and how many arrays in a row
    /// brought none.
    joined_before: usize,
    barren: usize,
}

impl Jobs {
    /// Those of a run, of which these were submitted before.
    pub fn of(slurm: Arc<Slurm>, run: RunDir, ids: Vec<JobId>) -> Self {
        let now = Instant::now();
        Self {
            slurm,
            run,
            ids,
            queue: None,
            accounts: Vec::new(),
            has_accounts: true,
            queue_at: now,
            asked_at: now,
            every: OFTEN,
            accounts_at: now,
            wants_news: true,
            is_asking: false,
            is_away: false,
            told_reason: String::new(),
            joined_before: 0,
            barren: 0,
        }
    }

    /// Somebody is gone: accounts are asked for the reason.
    pub fn want_news(&mut self) {
        self.wants_news = true;
        self.every = OFTEN;
        self.queue_at = self.queue_at.min(self.asked_at + OFTEN);
    }

    /// Asks Slurm where it is time to; the answers are heard later.
    pub fn look(&mut self, now: Instant, heard: &UnboundedSender<Heard>) {
        if self.ids.is_empty() || self.is_asking {
            return;
        }
        let (slurm, ids) = (Arc::clone(&self.slurm), self.ids.clone());
        let heard = heard.clone();
        if now >= self.queue_at {
            self.is_asking = true;
            self.asked_at = now;
            self.queue_at = now + self.every;
            tokio::spawn(async move {
                let _ = heard.send(Heard::Queue(slurm.tasks(&ids).await));
            });
        } else if self.wants_news && now >= self.accounts_at {
            self.is_asking = true;
            self.accounts_at = now + ACCOUNTS;
            tokio::spawn(async move {
                let _ = heard.send(Heard::Accounted(slurm.accounted(&ids).await));
            });
        }
    }

    /// What the queue says.
    pub fn take_in_queue(&mut self, seen: Result<Vec<TaskSeen>>, events: &Reporter) {
        self.is_asking = false;
        match seen {
            Ok(seen) => {
                if std::mem::replace(&mut self.is_away, false) {
                    events(Event::note("Slurm answers again".to_owned()));
                }
                let is_same = self.queue.as_ref() == Some(&seen);
                self.every = if is_same {
                    (self.every * 2).min(SELDOM)
                } else {
                    OFTEN
                };
                self.tell_of_waiting(&seen, events);
                self.queue = Some(seen);
            }
            // The controller is away: workers go on without it.
            Err(error) => {
                self.every = OFTEN;
                if !std::mem::replace(&mut self.is_away, true) {
                    events(Event::note(format!(
                        "Slurm does not answer, and what runs goes on: {error}"
                    )));
                }
            }
        }
    }

    /// Tells why workers wait, when the reason changes.
    fn tell_of_waiting(&mut self, seen: &[TaskSeen], events: &Reporter) {
        let waiting: Vec<&TaskSeen> = seen
            .iter()
            .filter(|task| task.state == TaskState::Pending)
            .collect();
        let running = seen.len() - waiting.len();
        let Some(first) = waiting.first().filter(|_| running == 0) else {
            self.told_reason.clear();
            return;
        };
        if self.told_reason != first.reason {
            self.told_reason.clone_from(&first.reason);
            events(Event::note(format!(
                "{} of job {} wait in Slurm's queue: {}",
                plural(waiting.len(), "worker"),
                first.task.job,
                why_pending(&first.reason)
            )));
        }
    }

    /// What the accounts say; `None` where there are none.
    pub fn take_in_accounts(&mut self, seen: Result<Option<Vec<TaskSeen>>>) {
        self.is_asking = false;
        match seen {
            Ok(Some(seen)) => self.accounts = seen,
            // The queue has to do.
            Ok(None) => {
                self.wants_news = false;
                self.has_accounts = false;
            }
            Err(_) => {}
        }
    }

    /// What Slurm says of the job in which a worker ran, once that start of it is over.
    pub fn last_word(&self, holder: &Holder) -> Option<&TaskSeen> {
        let accounted = self.accounts.iter().filter(|seen| is_of(seen, holder));
        // Each start of a job is a record of its own, in their order.
        let of_start = accounted.into_iter().nth(holder.restart as usize);
        if self.has_accounts {
            return of_start.filter(|seen| !goes_on(&seen.state));
        }
        // The queue knows the last start alone.
        let mut queue = self.queue.iter().flatten();
        queue.find(|seen| {
            let is_it = seen
                .restarts
                .is_none_or(|restarts| restarts == holder.restart);
            is_of(seen, holder) && is_it && !goes_on(&seen.state)
        })
    }

    /// Whether that start of a job is over in which a worker ran.
    pub fn is_over(&self, holder: &Holder) -> bool {
        let mut queue = self.queue.iter().flatten();
        let is_later = |seen: &TaskSeen| seen.restarts.is_some_and(|it| it > holder.restart);
        self.last_word(holder).is_some() || queue.any(|seen| is_of(seen, holder) && is_later(seen))
    }

    /// How many workers Slurm may still start.
    fn coming(&self) -> usize {
        let queue = self.queue.iter().flatten();
        queue.filter(|task| !task.state.is_over()).count()
    }

    /// Submits workers where nobody is there and nobody will come. The end of the attempt, where that
    /// was done in vain.
    pub async fn care(
        &mut self,
        there: usize,
        joined: usize,
        wanted: usize,
        script: &JobScript,
        events: &Reporter,
    ) -> Result<Option<AttemptEnd>> {
        let is_unknown = !self.ids.is_empty() && self.queue.is_none();
        if there > 0 || is_unknown || self.coming() > 0 {
            return Ok(None);
        }
        if !self.ids.is_empty() {
            self.barren = if joined > self.joined_before {
                0
            } else {
                self.barren + 1
            };
        }
        if self.barren >= BARREN {
            return Ok(Some(AttemptEnd::Broke {
                status: format!("no worker of {} jobs came in", self.barren),
                tail: Self::last_lines(script),
                log: script.output_dir.clone(),
            }));
        }
        self.joined_before = joined;
        let mut script = script.clone();
        let limits = self.slurm.limits(script.partition.as_deref()).await?;
        script.tasks = limits.tasks_of(script.tasks.min(wanted).max(1));
        let id = self.slurm.submit(&script).await?;
        events(Event::note(format!(
            "{} submitted to Slurm as job {id}",
            plural(script.tasks, "worker")
        )));
        self.ids.push(id);
        self.remember()?;
        // They are there until the queue says something else.
        self.queue = None;
        self.every = OFTEN;
        self.queue_at = Instant::now() + OFTEN;
        Ok(None)
    }

    /// Writes down what was submitted, for the command that goes on after this one.
    fn remember(&self) -> Result<()> {
        if let Some(mut file) = DriverFile::read(&self.run)? {
            file.jobs = self.ids.iter().copied().collect();
            file.write(&self.run)?;
        }
        Ok(())
    }

    /// The last lines that workers printed.
    fn last_lines(script: &JobScript) -> Vec<String> {
        let Ok(mut files) = crate::files::list(&script.output_dir) else {
            return Vec::new();
        };
        let Some(last) = files.pop() else {
            return Vec::new();
        };
        let bytes = crate::files::read_last(&last, 4000).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(8);
        lines[from..]
            .iter()
            .map(|line| (*line).to_owned())
            .collect()
    }

    /// Ends all jobs.
    pub fn cancel(&self) {
        let (slurm, ids) = (Arc::clone(&self.slurm), self.ids.clone());
        tokio::spawn(async move {
            // Where Slurm does not answer, their workers end by the orders that they have.
            let _ = slurm.cancel(&ids).await;
        });
    }

    /// Takes what still waits out of the queue: the attempt is over.
    pub async fn leave_the_queue(&mut self) {
        if !self.ids.is_empty() {
            let _ = self.slurm.cancel_pending(&self.ids).await;
        }
        // Those that still run were told to leave.
        self.queue = Some(Vec::new());
        self.barren = 0;
    }
}

/// Whether something is said of the job in which a holder ran.
fn is_of(seen: &TaskSeen, holder: &Holder) -> bool {
    holder.job.as_deref() == Some(seen.task.to_string().as_str())
}

/// Whether a start of a job in this state is not over.
const fn goes_on(state: &TaskState) -> bool {
    matches!(
        state,
        TaskState::Pending | TaskState::Running | TaskState::Completing
    )
}
