//! What a sandbox is started from, and must not reach: a terminal, and whatever else a child gets
//! from its parent or can name. Each test starts itself again inside a pseudo-terminal.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::Command;

use regatta::sandbox::CommandEnd;

use crate::place::{Box_, Kind, text};

/// Set in the test that was started again.
const INSIDE: &str = "REGATTA_TEST_IN_TERMINAL";

/// Runs a test's body where there is a terminal to reach: this very test, once more, under
/// `script`, which gives it a pseudo-terminal as a shell's has.
fn in_a_terminal(name: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        let terminal = std::fs::File::open("/dev/tty");
        assert!(terminal.is_ok(), "the test has no terminal: {terminal:?}");
        return body();
    }
    let this = std::env::current_exe().unwrap();
    let words = [
        this.to_str().unwrap(),
        name,
        "--exact",
        "--nocapture",
        "--include-ignored",
    ];
    let output = Command::new("script")
        // As under `nohup`: what is ignored here is not ignored by a sandbox's commands.
        .args([
            "-qec",
            &format!("trap '' HUP USR1; exec {}", shlex(&words)),
            "/dev/null",
        ])
        .env(INSIDE, "1")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "it did not run: {said}");
}

fn shlex(words: &[&str]) -> String {
    let quoted = words.iter().map(|word| format!("'{word}'"));
    quoted.collect::<Vec<_>>().join(" ")
}

/// What a command may try to get at a terminal, a line each: none of them may end with 0.
const TRIES: [&str; 5] = [
    "exec 3<> /dev/tty",
    "echo typed > /dev/tty",
    "setsid -w sh -c 'exec 3<> /dev/tty'",
    "head -c 1 < /dev/tty",
    // Field 7 of stat: the terminal's device.
    "test \"$(sed 's/.*) //' /proc/self/stat | cut -d ' ' -f 5)\" != 0",
];

fn no_command_has_a_terminal(kind: Kind) {
    let mut sandbox = Box_::start(kind);
    for script in TRIES {
        sandbox.fails(script);
    }
    // The session is the sandbox's own: nobody outside is in it.
    let session = "sed 's/.*) //' /proc/self/stat | cut -d ' ' -f 4";
    let theirs = sandbox.run(session);
    let ours = Command::new("sh").args(["-c", session]).output().unwrap();
    assert_ne!(theirs, String::from_utf8_lossy(&ours.stdout));
    // Signals that are ignored outside have their default inside.
    let ignored = sandbox.run("grep SigIgn /proc/self/status");
    // The C library keeps signals 32 and 33 to itself; nobody sends them.
    let mask = u64::from_str_radix(ignored.trim_start_matches("SigIgn:").trim(), 16).unwrap();
    assert_eq!(mask & 0x7fff_ffff, 0, "{ignored}");
    sandbox.close();
}

#[test]
fn a_namespace_has_no_terminal() {
    in_a_terminal("terminal::a_namespace_has_no_terminal", || {
        no_command_has_a_terminal(Kind::Namespace);
    });
}

#[test]
fn an_image_has_no_terminal() {
    in_a_terminal("terminal::an_image_has_no_terminal", || {
        no_command_has_a_terminal(Kind::Oci);
    });
}

#[test]
fn a_process_has_no_terminal() {
    in_a_terminal("terminal::a_process_has_no_terminal", || {
        no_command_has_a_terminal(Kind::Process);
    });
}

#[test]
#[ignore = "needs Docker: just e2e"]
fn a_container_has_no_terminal() {
    in_a_terminal("terminal::a_container_has_no_terminal", || {
        no_command_has_a_terminal(Kind::Docker);
    });
}

/// Upstream's CLI and whatever else is started as a child of ours.
#[test]
fn a_child_has_no_terminal() {
    in_a_terminal("terminal::a_child_has_no_terminal", || {
        regatta::process::set_program(crate::support::REGATTA.into());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let output = runtime.block_on(async {
            let mut child = regatta::process::child("sh").unwrap();
            child.args(["-c", "exec 3<> /dev/tty"]).output().await
        });
        assert!(!output.unwrap().status.success());
    });
}

/// No device of a namespace is a terminal that somebody else has.
#[test]
fn no_device_leads_to_a_terminal_of_the_hosts() {
    in_a_terminal(
        "terminal::no_device_leads_to_a_terminal_of_the_hosts",
        || {
            let mut sandbox = Box_::start(Kind::Namespace);
            assert_eq!(sandbox.run("ls /dev/pts | grep -v ptmx || true"), "");
            let consoles = "ls -d /dev/console /dev/tty[0-9]* /dev/vcs* /dev/input 2> /dev/null";
            assert_eq!(sandbox.run(&format!("{consoles} || true")), "");
            // Programs that want a terminal of their own get one.
            assert!(
                sandbox
                    .run("script -qec 'tty' /dev/null")
                    .contains("/dev/pts/0")
            );
            sandbox.close();
        },
    );
}

/// In a user namespace of its own, a command would have every capability again.
#[test]
fn no_namespace_can_be_made_inside() {
    for kind in [Kind::Namespace, Kind::Oci] {
        let mut sandbox = Box_::start(kind);
        for flag in [
            "--user", "--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup",
        ] {
            for script in [
                format!("unshare {flag} true"),
                format!("unshare --user --map-root-user {flag} --fork true"),
            ] {
                let tried = sandbox.try_run(&script).unwrap();
                assert_ne!(tried.end, CommandEnd::Exited(0), "{script}");
                let why = text(&tried);
                assert!(why.contains("not permitted"), "{script}: {why}");
            }
        }
        // Should the filter be circumvented: the kernel's own limit.
        let limits = sandbox.run("cat /proc/sys/user/max_*_namespaces | sort -u");
        assert_eq!(limits, "0\n");
        sandbox.close();
    }
}

#[test]
#[ignore = "needs Python: just e2e"]
fn what_a_process_inherits_is_out_of_reach() {
    let python = |script: &str| {
        format!(
            "python3 - <<'END'\nimport ctypes, errno, os\nlibc = ctypes.CDLL(None, use_errno=True)\n{script}\nEND"
        )
    };
    let denied = |call: &str| {
        python(&format!(
            "result = libc.{call}\nassert result == -1 and ctypes.get_errno() in (errno.EPERM, errno.ENOSYS), (result, ctypes.get_errno())"
        ))
    };
    let mut sandbox = Box_::start(Kind::Namespace);
    // 250 is keyctl, 248 add_key and 249 request_key on x86_64; 219, 217 and 218 on aarch64.
    let keys = if cfg!(target_arch = "x86_64") {
        [250, 248, 249]
    } else {
        [219, 217, 218]
    };
    for call in keys {
        // KEYCTL_GET_KEYRING_ID of the session's and of the user's keyring.
        for ring in [-3, -4] {
            sandbox.run(&denied(&format!("syscall({call}, 0, {ring}, 0)")));
        }
    }
    // Typing into a terminal of its own is refused as well.
    sandbox.run(&python(
        "import fcntl, pty\nmain, end = pty.openpty()\nfor request in (0x5412, 0x541c):\n  try:\n    fcntl.ioctl(end, request, b'x')\n  except PermissionError:\n    continue\n  raise SystemExit('typed')",
    ));
    // Nothing of the machine's as a whole can be read or changed.
    for script in [
        "test -s /proc/keys",
        "test -s /proc/key-users",
        "head -c 1 /proc/kcore | grep -q .",
        "test -s /proc/timer_list",
        "echo 1 > /proc/sys/kernel/shmmax",
        "echo h > /proc/sysrq-trigger",
        "ipcs -m | grep -q 0x",
        "ls /dev/shm | grep .",
        "test \"$(nice)\" -lt 0",
        "nice -n -5 true 2>&1 | grep -q . && exit 1 || test \"$(nice -n -5 nice)\" -lt 0",
        "test \"$(ulimit -c)\" != 0",
    ] {
        sandbox.fails(script);
    }
    assert_eq!(sandbox.run("umask"), "0022\n");
    sandbox.close();
}

/// A shared network has the host's abstract sockets, a desktop's and a daemon's among them.
#[test]
#[ignore = "needs Python: just e2e"]
fn abstract_sockets_of_the_host_are_out_of_reach_with_a_shared_network() {
    let name = format!("regatta-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let connect =
        format!("python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"\\0{name}\")'");
    let reached = Command::new("sh").args(["-c", &connect]).status().unwrap();
    assert!(reached.success(), "the socket is there for others");
    let mut sandbox = Box_::with(Kind::Namespace, |spec| {
        let mut limits = crate::place::limits();
        limits.network = true;
        spec.limits = std::sync::Arc::new(limits);
    })
    .unwrap();
    let tried = sandbox.try_run(&connect).unwrap();
    let can_be_kept = regatta::sandbox::namespace::keeps_abstract_sockets();
    assert_eq!(
        tried.end == CommandEnd::Exited(0),
        !can_be_kept,
        "{}",
        text(&tried)
    );
    // Its own are its own.
    sandbox.run("python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.bind(\"\\0own\"); s.listen(); socket.socket(socket.AF_UNIX).connect(\"\\0own\")'");
    sandbox.close();
}
