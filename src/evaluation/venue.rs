//! Where suites and merges run: sandboxes with the repository as the image has it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::Trouble;
use crate::bench::image::image_name;
use crate::bench::{TaskKey, World};
use crate::files;
use crate::json;
use crate::sandbox::{
    Backend, CommandEnd, Output, Repository, Sandbox, SandboxError, SandboxLimits, Source, Spec,
};
use crate::store::dataset;
use crate::store::workspace::world_of;
use crate::text::plural;

/// How much of what a script prints is kept: its beginning and its end.
const KEPT: usize = 8 << 20;
/// How long git may take over what is not a suite.
const GIT: Duration = Duration::from_mins(5);
/// The runner in a task's image.
const RUNNER_OF_IMAGE: &str = "/usr/local/bin/runner.sh";

/// Where suites and merges run.
#[derive(Clone, Debug)]
pub struct Venue {
    /// What makes the sandboxes of suites and merges; it need not be that of the agents.
    pub backend: Backend,
    /// What a sandbox may use.
    pub limits: Arc<SandboxLimits>,
    /// The dataset's directory, with runners, hidden tests and gold patches.
    pub dataset: PathBuf,
    /// Directories with the tasks' repositories, for backends without images; by default they are
    /// in the dataset.
    pub workspaces: Option<PathBuf>,
}

/// A sandbox of a task.
pub struct Room {
    sandbox: Sandbox,
    repo: String,
    patches: String,
    runner: String,
    base: String,
}

impl Venue {
    /// A task's directory in the dataset.
    #[must_use]
    pub fn task_dir(&self, task: &TaskKey) -> PathBuf {
        dataset::task_dir(&self.dataset, task)
    }

    /// What the outcome of a suite depends on besides the patches: the image's id. `None` where
    /// that is this machine, which changes without a sign.
    pub async fn ground(&self, task: &TaskKey) -> Option<String> {
        self.backend.image_id(&image_name(task)).await
    }

    /// What a task's repository and tools come from: its image, or else its workspace. `None` where
    /// that cannot be read.
    pub async fn world(&self, task: &TaskKey) -> Option<World> {
        if self.backend.has_images() {
            return self.backend.image_world(&image_name(task)).await;
        }
        let workspace = dataset::workspace(&self.dataset, self.workspaces.as_deref(), task);
        let digest = tokio::task::spawn_blocking(move || world_of(&workspace));
        digest.await.ok()?
    }

    /// What a suite may use, for the key of its outcome: arms may differ in it.
    #[must_use]
    pub fn terms(&self) -> String {
        let rootfs = self.backend.rootfs().unwrap_or(Path::new(""));
        format!("{} {}", rootfs.display(), json::pretty(&*self.limits))
    }

    /// What names a world for what is kept of it. What else is on this machine is not in it.
    #[must_use]
    pub fn name_of(&self, world: &World) -> String {
        let digest = world.digest();
        if self.backend.has_images() {
            return digest.to_owned();
        }
        let rootfs = self.backend.rootfs().unwrap_or(Path::new(""));
        format!("{} {} {digest}", self.backend.name(), rootfs.display())
    }

    /// Pulls a task's image where it is not there; `note` is told of it.
    pub async fn ready(
        &self,
        task: &TaskKey,
        note: &(dyn Fn(String) + Sync),
    ) -> Result<(), Trouble> {
        Ok(self.backend.ready(&image_name(task), note).await?)
    }

    /// Works in a sandbox of its own, of a task that is ready.
    pub async fn within<T>(
        &self,
        task: &TaskKey,
        run: &str,
        work: impl AsyncFnOnce(&mut Room) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let workspace = dataset::workspace(&self.dataset, self.workspaces.as_deref(), task);
        let source = self.backend.source(image_name(task), workspace);
        let spec = spec(source, run, &self.limits);
        Room::within(&spec, &self.backend, async |room| {
            if !spec.source.is_image() {
                let runner = self.task_dir(task).join("runner.sh");
                let runner = files::read(&runner).map_err(|error| Trouble::dataset(&error))?;
                let path = room.runner.clone();
                room.sandbox.write(&path, &runner).await?;
            }
            work(room).await
        })
        .await
    }
}

/// What a sandbox of an evaluation is made from.
#[must_use]
pub fn spec(source: Source, run: &str, limits: &Arc<SandboxLimits>) -> Spec {
    Spec {
        source,
        run: run.to_owned(),
        trial: "evaluation".to_owned(),
        agent: "evaluation".to_owned(),
        env: IndexMap::new(),
        messaging: false,
        git: false,
        limits: Arc::clone(limits),
        repository: Repository::AsItIs,
    }
}

impl Room {
    /// Works in a sandbox, and ends it whatever came of that.
    pub async fn within<T>(
        spec: &Spec,
        backend: &Backend,
        work: impl AsyncFnOnce(&mut Self) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let sandbox = Sandbox::start(spec, backend).await?;
        let home = sandbox.home().to_owned();
        let mut room = Self {
            base: sandbox.base().to_owned(),
            repo: format!("{home}/repo"),
            patches: if backend.kind().isolates() {
                "/patches".to_owned()
            } else {
                // The machine's own root is nobody's to write to.
                format!("{home}/patches")
            },
            runner: match spec.source {
                Source::Image(_) => RUNNER_OF_IMAGE.to_owned(),
                Source::Tree(_) => format!("{home}/runner.sh"),
            },
            sandbox,
        };
        let done = work(&mut room).await;
        room.sandbox.close().await;
        done
    }

    /// The commit that patches apply to, as the sandbox's setup printed it.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Puts a patch where the runner looks for it.
    pub async fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), SandboxError> {
        let path = format!("{}/{name}", self.patches);
        self.sandbox.write(&path, bytes).await
    }

    /// Reads a file that a script left beside the patches.
    pub async fn get(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, SandboxError> {
        let path = format!("{}/{name}", self.patches);
        self.sandbox.read(&path, limit).await
    }

    /// Runs git's commands in the repository; `$P` is the directory of the patches.
    pub async fn git(&mut self, script: &str) -> Result<Output, SandboxError> {
        let Self { repo, patches, .. } = self;
        let script = format!("cd '{repo}' || exit 96\nP='{patches}'\n{script}");
        self.sandbox.run_script(&script, GIT, KEPT).await
    }

    /// Runs the task's runner on patches that were put there.
    pub async fn run(
        &mut self,
        patches: &[&str],
        timeout: Duration,
    ) -> Result<Output, SandboxError> {
        let Self {
            repo,
            patches: dir,
            runner,
            ..
        } = self;
        let words = patches.join(" ");
        // A runner of a dataset without images may ask where it is.
        let places = if runner == RUNNER_OF_IMAGE {
            String::new()
        } else {
            format!("export REPO='{repo}' PATCHES='{dir}'; ")
        };
        let script = format!("cd '{repo}' || exit 96\n{places}exec bash '{runner}' {words}");
        self.sandbox.run_script(&script, timeout, KEPT).await
    }
}

/// What was printed, as text, with a word about what is missing in the middle.
#[must_use]
pub fn text(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.head).into_owned();
    if output.elided > 0 {
        let _ = write!(text, "\n[{} left out]\n", plural(output.elided, "byte"));
    }
    text.push_str(&String::from_utf8_lossy(&output.tail));
    text
}

/// The exit code; `None` when the time was up.
#[must_use]
pub const fn exit_code(output: &Output) -> Option<i32> {
    match output.end {
        CommandEnd::Exited(code) => Some(code),
        CommandEnd::TimedOut => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;
    use crate::images::{Digest, ImageConfig, Store, StoredImage};
    use crate::sandbox::docker::{Docker, DockerEndpoint, DockerPlace};
    use crate::sandbox::oci::OciPlace;
    use crate::sandbox::tools::Tools;

    fn venue(backend: Backend) -> Venue {
        Venue {
            backend,
            limits: Arc::new(SandboxLimits::of_a_script()),
            dataset: PathBuf::new(),
            workspaces: None,
        }
    }

    #[tokio::test]
    async fn an_image_of_our_store_is_the_ground_that_the_same_is_with_docker() {
        let dir = files::temporary_dir().unwrap();
        let tools = Arc::new(Tools::prepare(dir.path(), "tools-").unwrap());
        let store = Store::open(&dir.path().join("store")).unwrap();
        let task = TaskKey::new("gull_task", 7);
        let config_digest = Digest::of(b"its configuration");
        let image = StoredImage {
            name: format!("docker.io/{}", image_name(&task)),
            manifest: Some(Digest::of(b"its manifest")),
            config_digest: config_digest.clone(),
            config: ImageConfig::default(),
            layers: Vec::new(),
        };
        store.add(image, "a test").unwrap();
        let place = OciPlace::of_store(store, Arc::clone(&tools), None);
        let oci = venue(Backend::Oci(Arc::new(place)));
        // What Docker's classic store calls the image's id.
        let id = config_digest.to_string();
        assert_eq!(oci.ground(&task).await, Some(id.clone()));
        let world = oci.world(&task).await.unwrap();
        assert_eq!(world, World::ImageConfig(id.clone()));
        assert_eq!(oci.name_of(&world), id);
        // With the same limits, the rest of the key is the same too.
        let endpoint = DockerEndpoint::Unix("/nonexistent".into());
        let daemon = Docker::at(endpoint.clone()).unwrap();
        let docker = DockerPlace::new(daemon, endpoint, tools);
        assert_eq!(
            oci.terms(),
            venue(Backend::Docker(Arc::new(docker))).terms()
        );
        let other = TaskKey::new("gull_task", 8);
        assert_eq!(oci.ground(&other).await, None);
        let error = oci.ready(&other, &|_| {}).await.unwrap_err();
        assert_eq!(error.rule, crate::bench::RuleId::IMAGE_PULL);
        assert!(
            error.text.contains("`regatta images pull"),
            "{}",
            error.text
        );
    }
}
