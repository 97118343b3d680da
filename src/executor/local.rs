//! This machine as the place where trials run: its daemon, its Redis, its private directory.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;

use super::redis::Redis;
use crate::bench::Setting;
use crate::config::Config;
use crate::demo::BUILTIN;
use crate::engine::native::{self, BackendKind, Native};
use crate::engine::upstream::{self, Upstream};
use crate::engine::{Engine, Options};
use crate::error::{Error, Result};
use crate::model::script::Script;
use crate::sandbox::docker::{Docker, Endpoint, Place};
use crate::sandbox::group::Groups;
use crate::sandbox::spec::HostPlace;
use crate::sandbox::tools::Tools;
use crate::sandbox::{Backend, fake};
use crate::triage::Rules;

/// What a run needs from this machine.
#[derive(Debug)]
pub struct Local {
    config: Config,
    options: Options,
    rules: Rules,
    runtime_dir: PathBuf,
}

/// An engine, and the services that have to live as long as it runs.
#[derive(Debug)]
pub struct Prepared {
    /// The engine.
    pub engine: Engine,
    /// The Redis, for a setting with messages.
    pub redis: Option<Redis>,
}

impl Local {
    /// This machine, for the engine with these options.
    #[must_use]
    pub fn new(config: &Config, options: Options, rules: Rules) -> Self {
        Self {
            config: config.clone(),
            options,
            rules,
            runtime_dir: runtime_dir(),
        }
    }

    /// Readies the engine for one setting, with the services that it needs.
    pub async fn prepare(&self, setting: Setting) -> Result<Prepared> {
        match &self.options {
            Options::Upstream(options) => self.upstream(options, setting).await,
            Options::Native(options) => Ok(Prepared {
                engine: Engine::Native(Box::new(self.native(options).await?)),
                redis: None,
            }),
        }
    }

    async fn native(&self, options: &native::Options) -> Result<Native> {
        let backend = backend(options.backend, &options.rootfs)?;
        let base = if options.client.base == BUILTIN {
            serve_demo(options).await?
        } else {
            options.client.base.clone()
        };
        Ok(Native {
            options: options.clone(),
            backend,
            base,
            rules: Arc::new(self.rules.clone()),
            grace: self.config.limits.grace,
            played: Arc::default(),
        })
    }

    async fn upstream(&self, options: &upstream::Options, setting: Setting) -> Result<Prepared> {
        let redis = if setting.messaging() {
            Some(Redis::ready(&self.config.upstream.redis_url, &self.runtime_dir).await?)
        } else {
            None
        };
        let configured = self.config.upstream.redis_url.as_str();
        let upstream = Upstream {
            options: options.clone(),
            daemon: Endpoint::from_environment()?,
            task_timeout: self.config.limits.task_timeout,
            stall_timeout: self.config.limits.stall_timeout,
            grace: self.config.limits.grace,
            redis_url: redis.as_ref().map_or(configured, Redis::url).to_owned(),
            runtime_dir: self.runtime_dir.clone(),
            dir_prefix: super::reaper::dir_prefix(),
        };
        Ok(Prepared {
            engine: Engine::Upstream(Box::new(upstream)),
            redis,
        })
    }
}

/// Where sandboxes are made on this machine, with the guest's program ready.
pub fn backend(kind: BackendKind, rootfs: &Path) -> Result<Backend> {
    let tools = || Tools::prepare(&runtime_dir(), &super::reaper::dir_prefix()).map(Arc::new);
    let host = || -> Result<Arc<HostPlace>> {
        Ok(Arc::new(HostPlace {
            rootfs: rootfs.to_owned(),
            tools: tools()?,
            groups: (kind == BackendKind::Namespace)
                .then(|| Groups::ours().ok())
                .flatten(),
        }))
    };
    Ok(match kind {
        BackendKind::Namespace => Backend::Namespace(host()?),
        BackendKind::Process => {
            // Its commands are our user's: our environment, keys and all, is none of theirs.
            let hidden = rustix::process::DumpableBehavior::NotDumpable;
            rustix::process::set_dumpable_behavior(hidden)
                .map_err(|error| Error::world(format!("cannot hide our memory: {error}")))?;
            Backend::Process(host()?)
        }
        BackendKind::Fake => Backend::Fake(Arc::new(fake::Script::default())),
        BackendKind::Docker => {
            let endpoint = Endpoint::from_environment()?;
            let docker = Docker::at(endpoint.clone())?;
            Backend::Docker(Arc::new(Place::new(docker, endpoint, tools()?)))
        }
    })
}

/// The first of the directories where what is private to a process may be.
fn runtime_dir() -> PathBuf {
    let dirs = super::reaper::runtime_dirs();
    dirs.into_iter().next().unwrap_or_else(std::env::temp_dir)
}

/// Serves the demo's model on loopback, in this process, for as long as it lasts; gives its base.
async fn serve_demo(options: &native::Options) -> Result<String> {
    let script = Script::for_dataset(&options.dataset, None)?;
    let failed = |error| Error::world(format!("cannot listen on the loopback address: {error}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tokio::spawn(script.serve(listener));
    Ok(format!("http://{address}/v1"))
}
