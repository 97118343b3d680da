//! Volumes that carry our label. Upstream's teams share one each, which upstream never removes.

use bollard::errors::Error as ApiError;
use bollard::models::VolumeCreateRequest;
use bollard::query_parameters as query;

use super::Docker;
use super::client::{AGAIN, OWNER_LABEL, REMOVALS, RUN_LABEL, labelled};
use crate::bench::RunName;
use crate::error::Result;
use crate::process::Owner;

/// A volume with our label, as the daemon lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OurVolume {
    /// Its name, by which it is removed.
    pub name: String,
    /// The run it belongs to.
    pub run: String,
    /// The process that made it, by its label; `None` where the label cannot be read.
    pub owner: Option<Owner>,
}

impl Docker {
    /// Makes a volume with these labels; one that is there stays as it is.
    pub async fn make_volume(&self, name: &str, labels: &[(String, String)]) -> Result<()> {
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(labels.iter().cloned().collect()),
            ..VolumeCreateRequest::default()
        };
        let made = self.api.create_volume(request).await;
        made.map(|_| ())
            .map_err(|error| self.failed(&format!("make the volume {name}"), &error))
    }

    /// The volumes that carry our label, of one run or of all.
    pub async fn our_volumes(&self, run: Option<&RunName>) -> Result<Vec<OurVolume>> {
        let options = query::ListVolumesOptionsBuilder::new()
            .filters(&labelled(run))
            .build();
        let found = self.api.list_volumes(Some(options)).await;
        let found = found.map_err(|error| self.failed("list the volumes", &error))?;
        let ours = found.volumes.unwrap_or_default().into_iter().map(|volume| {
            let label = |name: &str| volume.labels.get(name);
            OurVolume {
                run: label(RUN_LABEL).cloned().unwrap_or_default(),
                owner: label(OWNER_LABEL).and_then(|label| Owner::parse(label)),
                name: volume.name,
            }
        });
        Ok(ours.collect())
    }

    /// Removes a volume; one that is gone is no error.
    pub async fn remove_volume(&self, name: &str) -> Result<()> {
        let mut tries = 1;
        loop {
            let options = None::<query::RemoveVolumeOptions>;
            let removed = self.api.remove_volume(name, options).await;
            let status = match &removed {
                Err(ApiError::DockerResponseServerError { status_code, .. }) => Some(*status_code),
                _ => None,
            };
            match (removed, status) {
                (Ok(()), _) | (Err(_), Some(404)) => return Ok(()),
                // A container that has it goes at this moment.
                (Err(_), Some(409)) if tries < REMOVALS => tokio::time::sleep(AGAIN).await,
                (Err(error), _) => {
                    return Err(self.failed(&format!("remove the volume {name}"), &error));
                }
            }
            tries += 1;
        }
    }

    /// The address of this machine as its containers see it; `None` where the daemon does not say.
    pub async fn gateway(&self) -> Option<String> {
        let options = None::<query::InspectNetworkOptions>;
        let bridge = self.api.inspect_network("bridge", options).await.ok()?;
        let mut subnets = bridge.ipam?.config?.into_iter();
        subnets.find_map(|subnet| subnet.gateway)
    }
}
