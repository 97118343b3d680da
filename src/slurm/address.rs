//! The address of this machine at which the nodes of the cluster reach it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs as _, UdpSocket};

use super::Slurm;
use crate::error::{Error, Result};

/// Any port: nothing is sent.
const PORT: u16 = 9;

impl Slurm {
    /// The address from which the controller is reached: nodes reach this machine there too, as a rule.
    pub async fn local_address(&self) -> Result<IpAddr> {
        let hosts = self.limits(None).await?.controllers;
        let unknown = |why: &str| {
            Error::world(format!(
                "the address at which workers reach this machine is not known: {why}"
            ))
            .hint("name it: address = \"192.0.2.7\" in [executor]")
        };
        let Some(host) = hosts.first() else {
            return Err(unknown("Slurm does not name its controller"));
        };
        towards(host).ok_or_else(|| unknown(&format!("there is no way to the controller {host}")))
    }
}

/// This machine's address on the way to a host.
fn towards(host: &str) -> Option<IpAddr> {
    let target = (host, PORT).to_socket_addrs().ok()?.next()?;
    let any: IpAddr = if target.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(target).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_oneself_begins_at_oneself() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(towards("127.0.0.1"), Some(loopback));
    }
}
