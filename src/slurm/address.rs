//! The address of this machine at which the nodes of the cluster reach it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs as _, UdpSocket};

use super::Slurm;
use crate::error::{Error, Result};

/// Any port: nothing is sent.
const PORT: u16 = 9;

impl Slurm {
    /// The address from which the controller is reached: nodes reach this machine there too, as a rule.
    pub async fn local_address(&self) -> Result<IpAddr> {
        let config = self.configuration().await?.unwrap_or_default();
        let hosts = controllers(&config);
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

/// The hosts or addresses of the controllers: `SlurmctldHost[0] = head(10.0.0.1)`.
fn controllers(config: &str) -> Vec<String> {
    let of_line = |line: &str| {
        let (name, value) = line.split_once('=')?;
        let is_it = name.trim().starts_with("SlurmctldHost");
        let value = value.trim();
        let within = value
            .split_once('(')
            .and_then(|(_, rest)| rest.strip_suffix(')'));
        let host = within.unwrap_or(value);
        (is_it && !host.is_empty()).then(|| host.to_owned())
    };
    config.lines().filter_map(of_line).collect()
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
    fn a_controller_is_known_by_its_address_or_else_by_its_name() {
        let config = "SlurmUser = slurm(101)\nSlurmctldHost[0]        = head(192.0.2.1)\nSlurmctldHost[1] = spare\n";
        assert_eq!(controllers(config), ["192.0.2.1", "spare"]);
        assert!(controllers("").is_empty());
    }

    #[test]
    fn the_way_to_oneself_begins_at_oneself() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(towards("127.0.0.1"), Some(loopback));
    }
}
