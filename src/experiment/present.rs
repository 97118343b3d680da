//! What a dataset and its images are now, to be held against what runs and verdicts were made with.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::setup;
use crate::bench::image::image_name;
use crate::bench::{BackendKind, Pair, Pin, TaskKey, Word, World};
use crate::config::Config;
use crate::host;
use crate::sandbox::ImageIds;
use crate::store::dataset::workspace;
use crate::store::pins::TaskFiles;
use crate::store::workspace::{older_world_of, world_of};
use crate::store::{Manifest, RunDir};

/// The dataset and the images of this machine; each thing is looked at when it is first asked for.
#[derive(Debug)]
pub struct Present {
    config: Config,
    files: OnceLock<Option<TaskFiles>>,
    images: ImageIds,
    /// Also by the older digest, where that is asked for.
    workspaces: Mutex<HashMap<(TaskKey, bool), Option<World>>>,
}

impl Present {
    /// The dataset of a configuration, with no image known.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            config: config.clone(),
            files: OnceLock::new(),
            images: ImageIds::default(),
            workspaces: Mutex::default(),
        }
    }

    /// The same with the images, where a verdict on these runs may name one.
    pub async fn for_verdicts(config: &Config, runs: &[RunDir]) -> Self {
        let asked = config.evaluation.suite_backend;
        let was_judged = |run: &RunDir| run.own().join("evaluations.jsonl").is_file();
        let of = |run: &RunDir| {
            let of_run = || Some(Manifest::read(run).ok()??.backend);
            let backend = asked.map(Word::Known).or_else(of_run);
            backend.map_or(Some(config.experiment.backend), |word| word.known())
        };
        let mut present = Self::of(config);
        let judged = runs.iter().filter(|run| was_judged(run));
        present.ask_for_images(judged.filter_map(of)).await;
        present
    }

    /// Asks what these backends have for their images; where nothing answers, none is known, and that
    /// is no change.
    pub async fn ask_for_images(&mut self, kinds: impl Iterator<Item = BackendKind>) {
        let kinds: HashSet<BackendKind> = kinds.collect();
        for kind in BackendKind::ALL.into_iter().filter(|it| kinds.contains(it)) {
            self.images.extend(host::images(kind, &self.config).await);
        }
    }

    /// What the tasks of these pairs are made of, but for their worlds.
    pub fn tasks(&self, pairs: &[Pair]) -> BTreeMap<String, Pin> {
        self.files()
            .map(|files| files.of_tasks(pairs))
            .unwrap_or_default()
    }

    /// What is another than when a verdict was made, by name.
    pub fn changes(&self, pair: &Pair, judged_with: &Pin) -> Vec<String> {
        let Some(files) = self.files() else {
            return Vec::new();
        };
        let mut now = files.of_verdict(pair);
        now.world = self.world(&pair.task, judged_with.world.as_ref());
        let changes = now.differences(judged_with).into_iter();
        changes.map(str::to_owned).collect()
    }

    /// What a task's world is now, of the kind that it was.
    pub fn world(&self, task: &TaskKey, was: Option<&World>) -> Option<World> {
        match was? {
            was @ (World::ImageConfig(_) | World::ImageManifest(_)) => {
                self.images.world(&image_name(task), Some(was)).cloned()
            }
            World::WorkTree(_) => self.workspace(task, false),
            was @ World::Workspace(_) => {
                let older = self.workspace(task, true)?;
                // What is the same by the older digest is so by the one that is kept from now on.
                if older == *was {
                    self.workspace(task, false)
                } else {
                    Some(older)
                }
            }
        }
    }

    fn workspace(&self, task: &TaskKey, is_older: bool) -> Option<World> {
        let known = || {
            self.workspaces
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let key = (task.clone(), is_older);
        if let Some(known) = known().get(&key) {
            return known.clone();
        }
        let dataset = setup::dataset_alone(&self.config).ok()?;
        let dir = workspace(&dataset, self.config.native.workspaces.as_deref(), task);
        let world = if is_older {
            older_world_of(&dir)
        } else {
            world_of(&dir)
        };
        known().insert(key, world.clone());
        world
    }

    fn files(&self) -> Option<&TaskFiles> {
        let files = self.files.get_or_init(|| {
            let dataset = setup::dataset_alone(&self.config).ok()?;
            Some(TaskFiles::of(dataset))
        });
        files.as_ref()
    }
}
