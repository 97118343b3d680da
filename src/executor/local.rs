//! This machine as the place where trials run: its daemon, its Redis, its private directory.

use std::path::PathBuf;

use super::redis::Redis;
use crate::bench::Setting;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::upstream::{Options, Upstream};
use crate::error::Result;
use crate::sandbox::docker::Endpoint;

/// What a run needs from this machine.
#[derive(Debug)]
pub struct Local {
    config: Config,
    options: Options,
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
    /// This machine, for the upstream engine with these options.
    #[must_use]
    pub fn new(config: &Config, options: Options) -> Self {
        Self {
            config: config.clone(),
            options,
            runtime_dir: super::reaper::runtime_dirs()
                .into_iter()
                .next()
                .unwrap_or_else(std::env::temp_dir),
        }
    }

    /// Readies the engine for one setting, with the services that it needs.
    pub async fn prepare(&self, setting: Setting) -> Result<Prepared> {
        let redis = if setting.messaging() {
            Some(Redis::ready(&self.config.upstream.redis_url, &self.runtime_dir).await?)
        } else {
            None
        };
        let configured = self.config.upstream.redis_url.as_str();
        let upstream = Upstream {
            options: self.options.clone(),
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
