//! This machine as an executor: an engine in this process, and the services that it needs.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Executor;
use crate::bench::Setting;
use crate::config::Config;
use crate::demo::BUILTIN;
use crate::engine::native::{self, Native};
use crate::engine::upstream::{self, Upstream};
use crate::engine::{Batch, EndedAttempt, Engine, EngineOptions, Orders, Reporter};
use crate::error::{Error, Result};
use crate::host;
use crate::host::reaper::{dir_prefix, runtime_dir};
use crate::host::redis::Redis;
use crate::model::script::ModelScript;
use crate::sandbox::docker::{Docker, DockerEndpoint};
use crate::triage::Rules;

/// This machine, ready for the batches of one setting.
#[derive(Debug)]
pub struct Here {
    engine: Engine,
    /// For a setting with messages; it has to live as long as the engine runs.
    redis: Option<Redis>,
}

impl Here {
    /// Readies an engine with these options for one setting, with the services that it needs.
    pub async fn ready(
        config: &Config,
        options: &EngineOptions,
        rules: &Rules,
        setting: Setting,
    ) -> Result<Self> {
        match options {
            EngineOptions::Upstream(options) => upstream(config, options, setting).await,
            EngineOptions::Native(options) => Ok(Self {
                engine: Engine::Native(Box::new(native(config, options, rules).await?)),
                redis: None,
            }),
        }
    }

    /// Its engine alone, for who needs no service beside it.
    #[must_use]
    pub fn into_engine(self) -> Engine {
        self.engine
    }

    /// The URL of the Redis that was started for it, if one was.
    #[must_use]
    pub fn private_redis(&self) -> Option<&str> {
        match &self.redis {
            Some(redis @ Redis::Private { .. }) => Some(redis.url()),
            Some(Redis::Configured(_)) | None => None,
        }
    }
}

impl Executor for Here {
    async fn attempt(
        &self,
        batch: &Batch,
        orders: watch::Receiver<Orders>,
        events: &Reporter,
    ) -> Result<EndedAttempt> {
        self.engine.attempt(batch, orders, events).await
    }

    fn obeys_within(&self) -> bool {
        self.engine.obeys_within()
    }
}

async fn native(config: &Config, options: &native::NativeOptions, rules: &Rules) -> Result<Native> {
    let backend = host::backend(options.backend, config)?;
    let base = if options.client.base == BUILTIN {
        serve_demo(options).await?
    } else {
        options.client.base.clone()
    };
    Ok(Native {
        options: options.clone(),
        backend,
        base,
        rules: Arc::new(rules.clone()),
        grace: config.limits.grace,
        pace: None,
        played: Arc::default(),
    })
}

async fn upstream(
    config: &Config,
    options: &upstream::UpstreamOptions,
    setting: Setting,
) -> Result<Here> {
    let configured = config.upstream.redis_url.as_str();
    let runtime_dir = runtime_dir();
    let redis = if setting.messaging() {
        let gateway = gateway(options, setting).await?;
        Some(Redis::ready(configured, &runtime_dir, gateway).await?)
    } else {
        None
    };
    let upstream = Upstream {
        options: options.clone(),
        daemon: DockerEndpoint::from_environment()?,
        task_timeout: config.limits.task_timeout,
        stall_timeout: config.limits.stall_timeout,
        grace: config.limits.grace,
        redis_url: redis.as_ref().map_or(configured, Redis::url).to_owned(),
        runtime_dir,
        dir_prefix: dir_prefix(),
    };
    Ok(Here {
        engine: Engine::Upstream(Box::new(upstream)),
        redis,
    })
}

/// Where containers see this machine, if agents ask Redis in theirs: those of a team ask for its task
/// list, and those that are programs for their messages. mini-swe-agent's ask from this machine.
async fn gateway(
    options: &upstream::UpstreamOptions,
    setting: Setting,
) -> Result<Option<std::net::IpAddr>> {
    if setting != Setting::Team && options.agent.starts_with("mini_swe_agent") {
        return Ok(None);
    }
    let docker = Docker::at(DockerEndpoint::from_environment()?)?;
    let gateway = docker.gateway().await;
    Ok(gateway.and_then(|address| address.parse().ok()))
}

/// Serves the demo's model on loopback, in this process, for as long as it lasts; gives its base.
async fn serve_demo(options: &native::NativeOptions) -> Result<String> {
    let script = ModelScript::for_dataset(&options.dataset, None)?;
    let failed = |error| Error::world(format!("cannot listen on the loopback address: {error}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tokio::spawn(script.serve(listener));
    Ok(format!("http://{address}/v1"))
}
