//! A sandbox's network of its own, which reaches outside by pasta.

use std::io::Write as _;
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use regatta::config::NetworkBy;
use regatta::sandbox::SandboxLimits;
use regatta::sandbox::namespace::Uplink;

use crate::place::{Box_, Kind, limits};
use crate::support::wait_until;

/// An address of this machine that is not its loopback's. No packet is sent.
fn outer_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.77:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then_some(address)
}

/// Whether this machine has what the tests are about.
fn has_pasta() -> bool {
    Uplink::of(NetworkBy::Pasta).is_ok() && outer_address().is_some()
}

/// Answers whoever connects with a word; the port, and how many have connected.
fn listens(address: IpAddr, word: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.and_then(|mut stream| stream.write_all(word.as_bytes()));
        }
    });
    (port, count)
}

fn with_network(kind: Kind) -> Box_ {
    let limits = SandboxLimits {
        network: true,
        ..limits()
    };
    Box_::with(kind, |spec| spec.limits = Arc::new(limits)).unwrap()
}

/// The number of the process that waits for a sandbox.
fn waiting(sandbox: &Box_) -> u32 {
    let name = sandbox.sandbox.name();
    name.rsplit(' ').next().unwrap().parse().unwrap()
}

/// The numbers of a process's children that were started by this name.
fn children(of: u32, name: &str) -> Vec<u32> {
    let listed = std::process::Command::new("pgrep")
        .args(["-P", &of.to_string(), "-f", &format!("^[^ ]*/{name} ")])
        .output()
        .unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    listed.lines().map(|line| line.parse().unwrap()).collect()
}

fn has_ended(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    stat.map_or(true, |stat| stat.contains(") Z"))
}

#[test]
fn outside_is_reached_and_the_machines_loopback_is_not() {
    if !has_pasta() {
        return;
    }
    let address = outer_address().unwrap();
    let (outer, _) = listens(address, "outside\n");
    let (inner, reached) = listens([127, 0, 0, 1].into(), "loopback\n");
    // Neither by its own addresses, nor by that of the gateway, from which nothing need ever answer: it is
    // enough that the connection has begun before one that is answered.
    let script = format!(
        "for host in 127.0.0.1 198.18.0.2 0.0.0.0; do ! (: < /dev/tcp/$host/{inner}) || exit 1; done 2> /dev/null
         (: < /dev/tcp/198.18.0.1/{inner}) > /dev/null 2>&1 &
         until grep -q ' 010012C6:' /proc/net/tcp || ! kill -0 $! 2> /dev/null; do :; done
         cat < /dev/tcp/{address}/{outer}
         kill -9 $! 2> /dev/null || true"
    );
    for kind in [Kind::Namespace, Kind::Oci] {
        let mut sandbox = with_network(kind);
        assert_eq!(sandbox.run(&script), "outside\n");
        assert_eq!(reached.load(Ordering::SeqCst), 0);
        // Names are asked of servers outside of this machine's loopback.
        let names = sandbox.run("cat /etc/resolv.conf");
        let servers = names.lines().filter(|line| line.starts_with("nameserver"));
        for server in servers {
            assert!(!server.contains(" 127."), "{names}");
        }
        assert!(names.contains("nameserver"), "{names}");
        // No socket without a file of this machine's is in reach.
        let sockets = sandbox.run("cat /proc/net/unix");
        assert!(!sockets.contains(" @"), "{sockets}");
        sandbox.close();
    }
}

#[test]
fn pasta_ends_with_its_sandbox_whatever_ends_that() {
    if !has_pasta() {
        return;
    }
    for kind in [Kind::Namespace, Kind::Oci] {
        let sandbox = with_network(kind);
        let pasta = children(waiting(&sandbox), "pasta");
        assert_eq!(pasta.len(), 1);
        sandbox.close();
        wait_until("the end of pasta", || has_ended(pasta[0]));

        // Killed alone, as the kernel does when Regatta itself is.
        let sandbox = with_network(kind);
        let waiting = waiting(&sandbox);
        let pasta = children(waiting, "pasta");
        assert_eq!(pasta.len(), 1);
        let killed = std::process::Command::new("kill")
            .args(["-9", &waiting.to_string()])
            .status();
        assert!(killed.unwrap().success());
        wait_until("the end of pasta", || has_ended(pasta[0]));
        sandbox.close();
    }
}

#[test]
fn commands_cannot_see_pasta_and_it_is_none_of_their_processes() {
    if !has_pasta() {
        return;
    }
    let mut sandbox = with_network(Kind::Oci);
    let seen = sandbox.run("cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
    assert!(!seen.contains("pasta"), "{seen}");
    sandbox.run("(: < /dev/tcp/127.0.0.1/9) || true; kill -9 -1 || true");
    let pasta = children(waiting(&sandbox), "pasta");
    assert!(!has_ended(pasta[0]));
    sandbox.close();
}

/// A program by that name that does nothing is an error that says so, and no sandbox with the host's
/// network.
#[test]
fn a_network_that_cannot_be_had_is_an_error() {
    if !Path::new("/dev/net/tun").exists() || !has_pasta() {
        return;
    }
    let network = |script: &str| {
        let dir = tempfile::tempdir().unwrap();
        let made = format!("chmod 755 . && printf '{script}' > pasta && chmod 755 pasta");
        let made = std::process::Command::new("sh")
            .args(["-c", &made])
            .current_dir(dir.path())
            .status();
        assert!(made.unwrap().success());
        let uplink = Uplink::Pasta(dir.path().join("pasta"));
        let root = regatta::sandbox::namespace::Root::Shown {
            rootfs: "/".into(),
            workspace: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let probed = regatta::sandbox::namespace::probe(root, None, uplink.network());
        runtime.block_on(probed).unwrap().unwrap_err()
    };
    regatta::process::set_program(crate::support::REGATTA.into());
    let why = network("#!/bin/sh\\necho no device for you >&2\\nexit 3\\n");
    assert_eq!(
        why,
        "the network of the namespace: `pasta` ended: no device for you"
    );
    let why = network("nothing that runs");
    assert!(why.contains("`pasta` ended"), "{why}");
}
