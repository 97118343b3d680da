//! What makes sandboxes on this machine.

use std::sync::Arc;

use super::images;
use super::reaper::{dir_prefix, runtime_dir};
use crate::bench::BackendKind;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::sandbox::HostPlace;
use crate::sandbox::docker::{Docker, DockerEndpoint, DockerPlace};
use crate::sandbox::group::Groups;
use crate::sandbox::oci::{self, OciPlace, OciPulls, ReadiedImages};
use crate::sandbox::tools::Tools;
use crate::sandbox::{Backend, fake, namespace};

/// Refuses a kind of sandbox that cannot be made on this machine.
pub async fn check(kind: BackendKind) -> Result<()> {
    match kind {
        BackendKind::Docker => {
            Docker::at(DockerEndpoint::from_environment()?)?
                .version()
                .await?;
            Ok(())
        }
        BackendKind::Oci => oci::check().await,
        BackendKind::Namespace => namespace::check().await,
        BackendKind::Process | BackendKind::Fake => Ok(()),
    }
}

/// Which users and groups there are in such sandboxes, for people.
pub async fn ids(kind: BackendKind) -> Option<String> {
    if kind != BackendKind::Oci {
        return None;
    }
    let why = oci::why_one_id()
        .await
        .unwrap_or_else(|error| Some(error.to_string()));
    Some(match why {
        None => "files may have other owners".to_owned(),
        Some(why) => format!("other owners are only pretended: {why}"),
    })
}

/// Where sandboxes are made on this machine, with the guest's program ready.
pub fn backend(kind: BackendKind, config: &Config) -> Result<Backend> {
    let tools = || Tools::prepare(&runtime_dir(), &dir_prefix()).map(Arc::new);
    let host = || -> Result<Arc<HostPlace>> {
        Ok(Arc::new(HostPlace {
            rootfs: config.native.rootfs.clone(),
            tools: tools()?,
            groups: (kind == BackendKind::Namespace)
                .then(|| Groups::ours().ok())
                .flatten(),
        }))
    };
    Ok(match kind {
        BackendKind::Oci => {
            let store = images::store(config)?;
            let registries = images::registries(config);
            Backend::Oci(Arc::new(OciPlace {
                pulls: OciPulls::into(&store, registries, config.images.pull),
                store,
                tools: tools()?,
                groups: Groups::ours().ok(),
                scratch: config.native.scratch.clone(),
                readied: ReadiedImages::default(),
            }))
        }
        BackendKind::Namespace => Backend::Namespace(host()?),
        BackendKind::Process => {
            // Its commands are our user's: our environment, keys and all, is none of theirs.
            let hidden = rustix::process::DumpableBehavior::NotDumpable;
            rustix::process::set_dumpable_behavior(hidden)
                .map_err(|error| Error::world(format!("cannot hide our memory: {error}")))?;
            Backend::Process(host()?)
        }
        BackendKind::Fake => Backend::Fake(Arc::new(fake::FakeScript::default())),
        BackendKind::Docker => {
            let endpoint = DockerEndpoint::from_environment()?;
            let docker = Docker::at(endpoint.clone())?;
            Backend::Docker(Arc::new(DockerPlace::new(docker, endpoint, tools()?)))
        }
    })
}
