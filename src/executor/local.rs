//! This machine as the place where trials run: its daemon, its Redis, its private directory.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::bench::Setting;
use crate::config::Config;
use crate::demo::BUILTIN;
use crate::engine::native::{self, Native};
use crate::engine::upstream::{self, Upstream};
use crate::engine::{Engine, Options};
use crate::error::{Error, Result};
use crate::host::reaper::{dir_prefix, runtime_dir};
use crate::host::redis::Redis;
use crate::model::script::Script;
use crate::sandbox::docker::Endpoint;
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
        let backend = crate::host::backend(options.backend, &options.rootfs)?;
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
            dir_prefix: dir_prefix(),
        };
        Ok(Prepared {
            engine: Engine::Upstream(Box::new(upstream)),
            redis,
        })
    }
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
