//! One attempt: start the CLI behind the relay, watch it, and leave nothing of it behind.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::process::Child;
use tokio::sync::watch;

use super::command::{Cover, upstream_would_run};
use super::invocation::Invocation;
use super::{Relay, Upstream, UpstreamOptions};
use crate::bench::Setting;
use crate::engine::{AttemptEnd, Batch, EndedAttempt, Orders, Reporter, Stop};
use crate::error::{Error, Result};
use crate::files;
use crate::hint;
use crate::process;
use crate::sandbox::docker::Docker;
use crate::sandbox::docker::client::{OWNER_LABEL, RUN_LABEL};
use crate::secret::PageMask;
use crate::store::event::{Event, Lost};

/// How often deadlines, stop requests and the daemon are looked at.
const TICK: Duration = Duration::from_millis(200);
/// How long a process group may take to end after SIGTERM before SIGKILL.
const TERM_GRACE: Duration = Duration::from_secs(5);
/// How long after its last container was ended a trial may take to write its result. Nothing but
/// writing a few files is left to it then.
const SETTLED: Duration = Duration::from_secs(2);
/// How long the daemon may be away before the attempt is given up: a restart takes seconds.
const DAEMON_GRACE: Duration = Duration::from_secs(8);

impl Upstream {
    /// Runs one attempt to its end.
    pub async fn attempt(
        &self,
        batch: &Batch,
        orders: watch::Receiver<Orders>,
        report: &Reporter,
    ) -> Result<EndedAttempt> {
        let invocation = self.prepare(batch, orders.borrow().concurrency)?;
        let Tapped { dir, docker, relay } = self.tap(batch, report, invocation.mask())?;
        let log = batch.run.attempt_log(batch.attempt);
        let child = start(&invocation, &dir.path().join(SOCKET), &log)?;
        let leader = child.id().unwrap_or_default();
        let mut watched = Watched {
            engine: self,
            relay,
            docker,
            report,
            orders,
            is_draining: false,
            gentle_since: None,
            daemon_lost_since: None,
        };
        let (end, mut child) = watched.until_end(child, &log).await;
        let how = watched.or_daemon_gone(end).await;
        // Compared with the times of results: by the clock that those have.
        let killed_at = (!how.is_its_own()).then(|| files::clock_of(&batch.run.own()));
        end_group(&mut child, leader, &how).await;
        let how = watched.clean_up(batch, how).await;
        Ok(EndedAttempt { how, killed_at })
    }

    /// What is to be run, with the files that it reads written.
    fn prepare(&self, batch: &Batch, concurrency: Option<usize>) -> Result<Invocation> {
        let Batch {
            run,
            setting,
            attempt,
            pairs,
            plan,
            ..
        } = batch;
        let cover = Cover {
            pairs,
            is_whole_subset: upstream_would_run(run, *setting, plan, pairs),
        };
        let options = UpstreamOptions {
            concurrency: concurrency.unwrap_or(self.options.concurrency),
            ..self.options.clone()
        };
        let invocation = options.invocation(run, *setting, *attempt, cover, &self.redis_url);
        invocation.write_files()?;
        Ok(invocation)
    }

    /// Puts the relay before the daemon.
    fn tap(&self, batch: &Batch, report: &Reporter, mask: PageMask) -> Result<Tapped> {
        let docker = Docker::at(self.daemon.clone())?;
        let dir = tempfile::Builder::new()
            .prefix(&self.dir_prefix)
            .tempdir_in(&self.runtime_dir)
            .map_err(|error| {
                Error::world(format!(
                    "cannot make a directory in {}: {error}",
                    self.runtime_dir.display()
                ))
            })?;
        let relay = Relay::start(
            &dir.path().join(SOCKET),
            docker.clone(),
            self.daemon.clone(),
            vec![
                (RUN_LABEL.to_owned(), batch.run.name().to_string()),
                (OWNER_LABEL.to_owned(), process::Owner::this().label()),
            ],
            report.clone(),
            mask,
        )?;
        Ok(Tapped { dir, docker, relay })
    }
}

/// The relay's socket in its directory.
const SOCKET: &str = "docker.sock";

/// A daemon with the relay before it.
struct Tapped {
    /// Where the relay's socket is.
    dir: tempfile::TempDir,
    docker: Docker,
    relay: Relay,
}

/// Starts the CLI: its daemon is the relay, and what it prints goes to the log.
fn start(invocation: &Invocation, socket: &Path, log: &Path) -> Result<Child> {
    let output = log_file(log)?;
    let errors = output
        .try_clone()
        .map_err(|error| Error::world(format!("cannot write {}: {error}", log.display())))?;
    let keys = invocation.keys.iter();
    let keys = keys.map(|(name, key)| (name, key.as_ref().map_or("", |key| key.value.expose())));
    process::child(&invocation.program)?
        .args(&invocation.args)
        .current_dir(&invocation.dir)
        .envs(&invocation.env)
        .envs(keys)
        .env("DOCKER_HOST", format!("unix://{}", socket.display()))
        .env_remove("DOCKER_CONTEXT")
        .env_remove("DOCKER_TLS_VERIFY")
        .env_remove("DOCKER_CERT_PATH")
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(|error| {
            Error::world(format!(
                "cannot start {}: {error}",
                invocation.program.display()
            ))
        })
}

impl AttemptEnd {
    /// Whether the CLI ended by itself.
    const fn is_its_own(&self) -> bool {
        matches!(self, Self::Done | Self::Broke { .. })
    }
}

/// The attempt while it runs.
struct Watched<'a> {
    engine: &'a Upstream,
    relay: Relay,
    docker: Docker,
    report: &'a Reporter,
    orders: watch::Receiver<Orders>,
    /// Whether it was paused: the CLI gives up on a container that is held back for two minutes, so
    /// that what runs comes to its end, and the rest is another attempt's.
    is_draining: bool,
    gentle_since: Option<Instant>,
    daemon_lost_since: Option<Instant>,
}

impl Watched<'_> {
    async fn until_end(&mut self, mut child: Child, log: &Path) -> (AttemptEnd, Child) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                status = child.wait() => {
                    let end = match status {
                        Ok(status) if status.success() => AttemptEnd::Done,
                        Ok(status) => AttemptEnd::Broke {
                            status: in_words(status),
                            tail: tail_of(log),
                            log: log.to_path_buf(),
                        },
                        Err(error) => AttemptEnd::Broke {
                            status: error.to_string(),
                            tail: Vec::new(),
                            log: log.to_path_buf(),
                        },
                    };
                    return (end, child);
                }
                _ = tick.tick() => {
                    if let Some(end) = self.look().await {
                        return (end, child);
                    }
                }
            }
        }
    }

    /// An attempt whose last containers found no daemon ended for that, however its process ended.
    async fn or_daemon_gone(&self, end: AttemptEnd) -> AttemptEnd {
        let Some(message) = self.relay.unreachable().filter(|_| end.is_its_own()) else {
            return end;
        };
        let begun = Instant::now();
        while begun.elapsed() < DAEMON_GRACE {
            if self.docker.version().await.is_ok() {
                return end;
            }
            tokio::time::sleep(TICK).await;
        }
        AttemptEnd::DaemonGone(message)
    }

    /// Looks at everything that can end an attempt from outside.
    async fn look(&mut self) -> Option<AttemptEnd> {
        self.relay.tell_commands();
        let stop = {
            let orders = self.orders.borrow();
            self.is_draining |= orders.paused;
            if self.is_draining {
                orders.stop.max(Stop::Drain)
            } else {
                orders.stop
            }
        };
        if stop > Stop::No {
            self.relay.hold_new_containers();
            let nothing_runs =
                self.relay.in_use() == 0 && self.relay.last_activity().elapsed() >= SETTLED;
            if stop == Stop::Now || nothing_runs {
                return Some(AttemptEnd::Stopped);
            }
        }
        if stop >= Stop::Gently {
            let since = *self.gentle_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= self.engine.grace {
                return Some(AttemptEnd::Stopped);
            }
        }
        if let Some(message) = self.relay.unreachable() {
            let since = *self.daemon_lost_since.get_or_insert_with(Instant::now);
            if self.docker.version().await.is_ok() {
                self.daemon_lost_since = None;
            } else if since.elapsed() >= DAEMON_GRACE {
                return Some(AttemptEnd::DaemonGone(message));
            }
        } else {
            self.daemon_lost_since = None;
        }
        if !self.engine.task_timeout.is_zero() {
            for (container, age) in self.relay.older_than(self.engine.task_timeout) {
                self.end_overdue(&container, age).await;
            }
        }
        let stall = self.engine.stall_timeout;
        (!stall.is_zero() && self.relay.last_activity().elapsed() >= stall)
            .then_some(AttemptEnd::Stalled)
    }

    /// Leaves no container and no volume of an attempt that ended so; says how it ended.
    async fn clean_up(self, batch: &Batch, how: AttemptEnd) -> AttemptEnd {
        // A closed relay first: nothing of the group's can make a container any more.
        drop(self.relay);
        let Err(error) = remove_what_is_ours(&self.docker, batch).await else {
            return how;
        };
        if matches!(how, AttemptEnd::DaemonGone(_)) {
            return how;
        }
        (self.report)(Event::note(format!(
            "containers or volumes may be left: {error}; `{}` removes them",
            hint::command("clean")
        )));
        // Upstream may have ended by itself just before its daemon did.
        if how.is_its_own() && self.docker.version().await.is_err() {
            return AttemptEnd::DaemonGone(error.to_string());
        }
        how
    }

    async fn end_overdue(&self, container: &str, age: Duration) {
        let lost = Lost {
            reason: "task_timeout".to_owned(),
            detail: format!(
                "ended after {} s, over the task timeout of {} s",
                age.as_secs(),
                self.engine.task_timeout.as_secs()
            ),
        };
        self.relay.give_up(container, lost.clone());
        (self.report)(Event::container_lost(container.to_owned(), lost));
        if let Err(error) = self.docker.remove(container).await {
            (self.report)(Event::note(error.to_string()));
        }
    }
}

fn log_file(path: &Path) -> Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    let open = crate::files::open_to_write(path, options.append(true));
    open.map_err(|error| Error::world(format!("cannot write {}: {error}", path.display())))
}

/// Ends what is left of a child's process group.
///
/// A group that is stopped gets SIGKILL at once: on SIGINT upstream goes on, and records cut-off
/// work as submitted. What is left after a clean end is v2's background `docker stop`; we remove
/// the containers ourselves, faster, so it need not be waited for.
async fn end_group(child: &mut Child, leader: u32, end: &AttemptEnd) {
    if leader == 0 {
        return;
    }
    if end.is_its_own() || *end == AttemptEnd::Stalled {
        process::signal_group(leader, Signal::TERM);
        let begun = Instant::now();
        while process::group_exists(leader) && begun.elapsed() < TERM_GRACE {
            // Reaping the leader lets the group vanish; waiting again after that returns at once.
            let _ = tokio::time::timeout(TICK, child.wait()).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    process::signal_group(leader, Signal::KILL);
    // The leader is ours to reap; an error means that it is reaped.
    let _ = child.wait().await;
}

async fn remove_what_is_ours(docker: &Docker, batch: &Batch) -> Result<()> {
    let ours = process::Owner::this();
    for container in docker.our_containers(Some(batch.run.name())).await? {
        if container.owner.as_ref() == Some(&ours) {
            docker.remove(&container.id).await?;
        }
    }
    if batch.setting == Setting::Team {
        for volume in docker.our_volumes(Some(batch.run.name())).await? {
            if volume.owner.as_ref() == Some(&ours) {
                docker.remove_volume(&volume.name).await?;
            }
        }
    }
    Ok(())
}

fn in_words(status: std::process::ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// The last lines that were printed, for a message.
fn tail_of(log: &Path) -> Vec<String> {
    let bytes = crate::files::read_end(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(8)..]
        .iter()
        .map(ToString::to_string)
        .collect()
}
