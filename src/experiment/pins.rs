//! What the tasks of a run are made of: held against what it was begun with, and noted at their
//! first use.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::present::Present;
use super::refusal::FirstRefusal;
use super::setup;
use crate::bench::image::image_name;
use crate::bench::{BackendKind, Pair, Pin, TaskKey, World};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::host;
use crate::runner::{Event, Sink};
use crate::store::dataset::workspace;
use crate::store::manifest::{Changed, task_changes};
use crate::store::workspace::world_of;
use crate::store::{Manifest, RunDir};

/// The tasks of a plan as they are now.
pub struct Pinned {
    tasks: BTreeMap<String, Pin>,
    keys: BTreeMap<String, TaskKey>,
    present: Present,
}

impl Pinned {
    /// Looks at the dataset, and at the images and workspaces that `old` names.
    pub async fn now(
        config: &Config,
        kinds: impl Iterator<Item = BackendKind>,
        pairs: &[Pair],
        old: impl Iterator<Item = &Pin>,
    ) -> Self {
        let mut present = Present::of(config);
        let is_image = |pin: &Pin| pin.world.as_ref().is_some_and(World::is_image);
        if old.into_iter().any(is_image) {
            present.ask_for_images(kinds).await;
        }
        let keys = pairs.iter().map(|pair| &pair.task);
        Self {
            tasks: present.tasks(pairs),
            keys: keys.map(|key| (key.to_string(), key.clone())).collect(),
            present,
        }
    }

    /// The tasks, each with the world of the kind that its run names.
    pub fn of(&self, old: Option<&Manifest>) -> BTreeMap<String, Pin> {
        let mut tasks = self.tasks.clone();
        for (name, pin) in &mut tasks {
            let was = old.and_then(|old| old.tasks.get(name)?.world.as_ref());
            let key = self.keys.get(name);
            pin.world = key.and_then(|key| self.present.world(key, was));
        }
        tasks
    }
}

/// Takes over what a run's manifest keeps, or refuses a run that was begun as something else; gives
/// what there is to say otherwise. Whether a pair is left to run is asked where tasks changed.
pub fn take_over(
    manifest: &mut Manifest,
    old: Manifest,
    run: &RunDir,
    accepts: bool,
    is_left: impl FnOnce() -> Result<bool>,
) -> Result<Option<String>> {
    let mut changes = manifest.changes_from(&old);
    let of_tasks = task_changes(&manifest.tasks, &old.tasks);
    let is_idle = !accepts && changes.is_empty() && !of_tasks.is_empty() && !is_left()?;
    let mut warning = None;
    if is_idle {
        // Nothing runs with it: the run stays what it was.
        warning = Some(format!(
            "the dataset or images of `{}` are no longer those it was begun with, and nothing is left to run:\n  {}",
            run.name(),
            of_tasks.join("\n  ")
        ));
        manifest.tasks = old.tasks;
    } else {
        changes.extend(of_tasks);
        for (task, pin) in &mut manifest.tasks {
            *pin = std::mem::take(pin).or_world_of(old.tasks.get(task));
        }
    }
    if !changes.is_empty() && !accepts {
        return Err(changed_manifest(run, &changes));
    }
    manifest.created_at = old.created_at;
    manifest.accepted = old.accepted;
    manifest.begun_anew = old.begun_anew;
    manifest.judged_by = old.judged_by;
    manifest.set = old.set;
    if !changes.is_empty() {
        let at = Timestamp::now();
        manifest.accepted.push(Changed { at, changes });
    }
    Ok(warning)
}

/// What a run that was begun as something else would change, of its manifest and its tasks.
pub fn changes(manifest: &Manifest, old: &Manifest) -> Vec<String> {
    let mut changes = manifest.changes_from(old);
    changes.extend(task_changes(&manifest.tasks, &old.tasks));
    changes
}

/// Lets a run of which no trial has finished begin anew as something else; gives what is said of it.
/// What it has cost so far stays in its ledger.
pub fn begin_anew(
    manifest: &mut Manifest,
    old: Manifest,
    run: &RunDir,
    changes: Vec<String>,
) -> String {
    let told = format!(
        "no trial of `{}` has finished, so it begins anew with other settings (its manifest keeps both):\n  {}",
        run.name(),
        changes.join("\n  ")
    );
    manifest.created_at = old.created_at;
    manifest.accepted = old.accepted;
    manifest.judged_by = old.judged_by;
    manifest.set = old.set;
    manifest.begun_anew = old.begun_anew;
    let at = Timestamp::now();
    manifest.begun_anew.push(Changed { at, changes });
    told
}

/// An error for a run that cannot be resumed as asked.
fn changed_manifest(run: &RunDir, changes: &[String]) -> Error {
    Error::usage(format!(
        "run `{}` was begun as something else:\n  {}",
        run.name(),
        changes.join("\n  ")
    ))
    .hint("take another --name, or --accept-changes to go on with the new ones (the manifest keeps both)")
}

/// Notes in a run's manifest what each task's repository and tools come from, when it is first used,
/// and says what there is to say of the first call that the model refused.
///
/// It hears what happens before it is shown.
pub struct Keeper {
    events: UnboundedSender<Event>,
    over: oneshot::Sender<()>,
    listening: JoinHandle<()>,
}

impl Keeper {
    /// Begins to listen, and passes all on.
    pub fn begin(
        run: RunDir,
        pairs: &[Pair],
        config: &Config,
        refusal: FirstRefusal,
        observer: UnboundedSender<Event>,
    ) -> Self {
        let (events, heard) = unbounded_channel();
        let (over, is_over) = oneshot::channel();
        let listening = Listening {
            run,
            pairs: pairs.to_vec(),
            config: config.clone(),
            refusal,
            observer,
            noted: BTreeSet::new(),
        };
        Self {
            events,
            over,
            listening: tokio::spawn(listening.listen(heard, is_over)),
        }
    }

    /// A sender to this keeper. What it sends goes on to the observer given to [`Self::begin`].
    pub fn observer(&self) -> UnboundedSender<Event> {
        self.events.clone()
    }

    /// Waits until all that was heard is noted.
    pub async fn end(self) {
        let _ = self.over.send(());
        // It is ours, and ends: a panic in it is none of the run's.
        let _ = self.listening.await;
    }
}

struct Listening {
    run: RunDir,
    pairs: Vec<Pair>,
    config: Config,
    refusal: FirstRefusal,
    observer: UnboundedSender<Event>,
    /// The tasks that were looked at, or are known.
    noted: BTreeSet<String>,
}

impl Listening {
    async fn listen(
        mut self,
        mut heard: UnboundedReceiver<Event>,
        mut is_over: oneshot::Receiver<()>,
    ) {
        loop {
            // What is still in the channel when it is over was sent before that.
            let event = tokio::select! {
                biased;
                event = heard.recv() => event,
                _ = &mut is_over => return,
            };
            let Some(event) = event else {
                return;
            };
            let used = self.used(&event);
            let refused = self.refusal.after(&event);
            let _ = self.observer.send(event);
            let sink = Sink::new(&self.run, self.observer.clone());
            if let Some(text) = refused {
                sink.emit(Event::Note { text });
            }
            for task in used {
                let told = self.note(&task).await.unwrap_or_else(|error| {
                    let what = format!("what {task} ran on was not noted in the manifest");
                    Some(format!("{what}: {error}"))
                });
                if let Some(text) = told {
                    sink.emit(Event::Note { text });
                }
            }
        }
    }

    /// The tasks whose first use an event tells of.
    fn used(&mut self, event: &Event) -> Vec<TaskKey> {
        let backend = self.config.experiment.backend;
        let used: Vec<TaskKey> = match event {
            Event::ContainerCreated { image, .. } if backend.has_images() => {
                self.tasks(|task| image.ends_with(&image_name(task)))
            }
            Event::TrialStarted { pair } if backend.copies_workspace() => vec![pair.task.clone()],
            _ => Vec::new(),
        };
        let is_new = |task: &TaskKey| self.noted.insert(task.to_string());
        used.into_iter().filter(is_new).collect()
    }

    /// The tasks of the run that are so.
    fn tasks(&self, is_meant: impl Fn(&TaskKey) -> bool) -> Vec<TaskKey> {
        let tasks: BTreeSet<_> = self.pairs.iter().map(|pair| &pair.task).collect();
        let meant = tasks.into_iter().filter(|task| is_meant(task));
        meant.cloned().collect()
    }

    /// Notes what a task's world is, where its run's manifest does not know; says so where that is
    /// another one than it was: an image that was not here at the start was pulled since.
    async fn note(&self, task: &TaskKey) -> Result<Option<String>> {
        let Some(manifest) = Manifest::read(&self.run)? else {
            return Ok(None);
        };
        let Some(pin) = manifest.tasks.get(&task.to_string()) else {
            return Ok(None);
        };
        // Workspaces were all looked at before anything ran.
        if pin.world.as_ref().is_some_and(|world| !world.is_image()) {
            return Ok(None);
        }
        let now = Pin {
            files: BTreeMap::new(),
            world: self.world(task).await?,
        };
        let changes = now.changes_from(pin);
        if !changes.is_empty() {
            return Ok(Some(format!(
                "{task} is no longer what the run was begun with: {}; the results of the run are not comparable with each other",
                changes.join(", ")
            )));
        }
        if pin.world.is_none()
            && now.world.is_some()
            // While the daemon was asked, something may have been set.
            && let Some(mut manifest) = Manifest::read(&self.run)?
            && let Some(pin) = manifest.tasks.get_mut(&task.to_string())
        {
            pin.world = now.world;
            manifest.write(&self.run)?;
        }
        Ok(None)
    }

    async fn world(&self, task: &TaskKey) -> Result<Option<World>> {
        let kind = self.config.experiment.backend;
        if !kind.copies_workspace() {
            return host::image(kind, &self.config, &image_name(task)).await;
        }
        let dataset = setup::dataset_alone(&self.config)?;
        let dir = workspace(&dataset, self.config.native.workspaces.as_deref(), task);
        let world = tokio::task::spawn_blocking(move || world_of(&dir)).await;
        Ok(world.ok().flatten())
    }
}
