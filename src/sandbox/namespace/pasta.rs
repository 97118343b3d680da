//! A network of its own for a sandbox, which reaches outside through `pasta` (of the project passt).

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Mode, OFlags, open};
use rustix::thread::UnshareFlags;

use super::companion::Companion;
use super::confine::leave;
use super::network::bring_up_loopback;
use super::plan::{Network, Resolver};
use crate::config::NetworkBy;
use crate::{files, process};

/// A sandbox's address and its gateway, of a range that nobody has (RFC 2544): with the machine's own
/// address, which is pasta's default, a sandbox would reach itself there.
const ADDRESS: &str = "198.18.0.2";
const GATEWAY: &str = "198.18.0.1";
const MASK: &str = "255.255.255.252";
/// Where pasta answers for a name server that only this machine's loopback has.
const NAMES: &str = "198.18.0.1";

/// By what sandboxes reach the network here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uplink {
    /// They share this machine's network: why, where that was not asked for.
    Shared(Option<String>),
    /// By this program.
    Pasta(PathBuf),
}

impl Uplink {
    /// What this machine has of what is asked for; or what is missing.
    pub fn of(by: NetworkBy) -> Result<Self, String> {
        match (by, pasta()) {
            (NetworkBy::Host, _) => Ok(Self::Shared(None)),
            (_, Ok(program)) => Ok(Self::Pasta(program)),
            (NetworkBy::Auto, Err(why)) => Ok(Self::Shared(Some(why))),
            (NetworkBy::Pasta, Err(why)) => Err(format!(
                "{why}, and `network_by = \"pasta\"` in [native] wants it: install it, or set `network_by = \"host\"`, which shares this machine's network"
            )),
        }
    }

    /// The network of a sandbox that has one.
    #[must_use]
    pub fn network(&self) -> Network {
        let text = |path: &str| files::read_text(Path::new(path)).unwrap_or_default();
        let ours = text("/etc/resolv.conf");
        match self {
            Self::Shared(_) => Network::Shared(Resolver {
                text: ours,
                is_forwarded: false,
            }),
            Self::Pasta(program) => {
                let behind = || text("/run/systemd/resolve/resolv.conf");
                Network::Through(program.clone(), resolver(&ours, behind))
            }
        }
    }

    /// For people: what sandboxes have, and why.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Shared(why) => {
                let why = why.as_ref().map(|why| format!(" ({why})"));
                let why = why.unwrap_or_default();
                format!("sandboxes share this machine's network, its loopback included{why}")
            }
            Self::Pasta(program) => format!(
                "sandboxes have one of their own, through {}",
                program.display()
            ),
        }
    }
}

/// The program, where it is there and can work.
fn pasta() -> Result<PathBuf, String> {
    let program = process::on_path("pasta")
        .ok_or_else(|| "there is no `pasta`: on Debian, `apt-get install passt`".to_owned())?;
    let device = open(
        "/dev/net/tun",
        OFlags::RDWR | OFlags::CLOEXEC,
        Mode::empty(),
    );
    device
        .map(|_| program)
        .map_err(|error| format!("`pasta` cannot open /dev/net/tun: {error}"))
}

/// What a sandbox of its own network asks for names: those servers of this machine that stand outside
/// of it, or pasta in their place. `behind` is what a resolver of this machine asks itself.
fn resolver(ours: &str, behind: impl FnOnce() -> String) -> Resolver {
    let is_server = |line: &str| line.trim_start().starts_with("nameserver");
    let is_reached = |line: &&str| {
        let address = line.split_whitespace().nth(1);
        let address = address.and_then(|it| it.parse::<std::net::IpAddr>().ok());
        address.is_some_and(|it| !it.is_loopback() && !it.is_unspecified())
    };
    let servers = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| is_server(line));
        lines.filter(is_reached).map(str::to_owned).collect()
    };
    let mut found = servers(ours);
    if found.is_empty() {
        found = servers(&behind());
    }
    let is_forwarded = found.is_empty();
    if is_forwarded {
        found.push(format!("nameserver {NAMES}"));
    }
    let rest = ours.lines().filter(|line| !is_server(line));
    let lines: Vec<String> = found
        .into_iter()
        .chain(rest.map(str::to_owned))
        .map(|line| line + "\n")
        .collect();
    Resolver {
        text: lines.concat(),
        is_forwarded,
    }
}

/// Goes into a network namespace of our own, from which the program reaches outside.
pub fn connect(program: &Path, resolver: &Resolver) -> io::Result<()> {
    let mut command = Command::new(program);
    command.args(["--foreground", "--quiet", "--netns-only", "--config-net"]);
    command.args(["-I", "eth0", "-a", ADDRESS, "-n", MASK, "-g", GATEWAY]);
    // Nothing of this machine's loopback goes in, by whatever address, and nothing in there comes out.
    command.args([
        "--no-map-gw",
        "-t",
        "none",
        "-u",
        "none",
        "-T",
        "none",
        "-U",
        "none",
    ]);
    if resolver.is_forwarded {
        command.args(["--dns-forward", NAMES]);
    }
    // Its number comes when all is done: before that it goes into namespaces itself, which sandboxes forbid.
    command.args(["--pid", "/proc/self/fd/1"]);
    // By its path, pasta may not open what belongs to a process with more powers than its own.
    command.args(["--netns", "/proc/self/fd/0"]);
    let ours = |us: u32| -> io::Result<_> {
        let path = format!("/proc/{us}/ns/net");
        Ok(open(path, OFlags::RDONLY, Mode::empty())?)
    };
    let pasta = Companion::waiting(command, ours)?;
    leave(UnshareFlags::NEWNET)?;
    bring_up_loopback()?;
    pasta.work(Companion::has_spoken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_asked_of_servers_that_are_reached_from_a_network_of_its_own() {
        let of = |ours: &str, behind: &str| resolver(ours, || behind.to_owned());
        let found = of(
            "search a.b\nnameserver 127.0.0.1\nnameserver 10.0.0.53\noptions ndots:2\n",
            "",
        );
        assert_eq!(
            found.text,
            "nameserver 10.0.0.53\nsearch a.b\noptions ndots:2\n"
        );
        assert!(!found.is_forwarded);
        let stub = "nameserver 127.0.0.53\noptions edns0\n";
        let found = of(stub, "# real\nnameserver 192.0.2.1\nnameserver fd00::1\n");
        assert_eq!(
            found.text,
            "nameserver 192.0.2.1\nnameserver fd00::1\noptions edns0\n"
        );
        for (ours, behind) in [
            (stub, ""),
            ("", ""),
            ("nameserver ::1", stub),
            ("nameserver fe80::1%eth0", ""),
        ] {
            let found = of(ours, behind);
            assert!(found.is_forwarded, "{ours}");
            assert!(
                found.text.starts_with("nameserver 198.18.0.1\n"),
                "{found:?}"
            );
        }
    }
}
