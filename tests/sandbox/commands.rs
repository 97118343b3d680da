//! What commands may do to the channel.

use std::time::Duration;

use regatta::bench::RuleId;
use regatta::sandbox::{CommandEnd, SandboxError};

use crate::place::{Box_, Kind, text};

const BRIEFLY: Duration = Duration::from_secs(2);

fn a_command_is_a_login_shell_without_input(kind: Kind) {
    let mut sandbox = Box_::start(kind);
    assert_eq!(
        sandbox.run("echo out; echo err >&2; echo out"),
        "out\nerr\nout\n"
    );
    assert_eq!(
        sandbox.run("cat; shopt -q login_shell && echo login"),
        "login\n"
    );
    assert!(sandbox.run("pwd").trim().ends_with("/repo"));
    assert_eq!(sandbox.run("echo $PAGER"), "cat\n");
    let failed = sandbox.try_run("exit 7").unwrap();
    assert_eq!(failed.end, CommandEnd::Exited(7));
    let killed = sandbox.try_run("kill -TERM $$").unwrap();
    assert_eq!(killed.end, CommandEnd::Exited(143));
    sandbox.close();
}

fn nothing_a_command_does_to_its_shell_breaks_the_next(kind: Kind) {
    let mut sandbox = Box_::start(kind);
    for script in [
        "exec true",
        "exec >&- 2>&- <&-",
        "exec 0>&- 1>&-; sleep 0.1",
        "kill -9 $$",
        "ulimit -n 3; ls",
        "exec bash -c 'kill -9 $PPID'",
        "trap '' TERM INT HUP; kill 0",
        "setsid true; stty -a",
        "for fd in /proc/$PPID/fd/*; do echo noise > $fd; done",
        "echo 'unfinished",
        "(",
    ] {
        sandbox.try_run(script).unwrap();
        assert_eq!(
            sandbox.run("echo still here"),
            "still here\n",
            "after {script}"
        );
    }
    sandbox.close();
}

/// Programs that a command may take away: links to this machine's, which lose nothing by it.
fn links_to_programs() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let linked = std::process::Command::new("bash")
        .args(["-c", "ln -sf /bin/* /usr/bin/* ."])
        .current_dir(dir.path())
        .status();
    assert!(linked.unwrap().success());
    dir
}

/// Whatever is paid for after it would be for nothing.
#[test]
fn a_sandbox_whose_shell_is_gone_is_dead_at_once() {
    for (what, made) in [
        ("gone", "true"),
        ("another program", "ln -s /bin/true $BIN/bash"),
        (
            "without its libraries",
            "printf '#!/bin/sh\\necho no library >&2\\nexit 127\\n' > $BIN/bash; chmod +x $BIN/bash",
        ),
        ("no program", "touch $BIN/bash; chmod +x $BIN/bash"),
        ("not to be run", "touch $BIN/bash"),
    ] {
        let bin = links_to_programs();
        let path = bin.path().display().to_string();
        let mut sandbox = Box_::with(Kind::Process, |spec| {
            spec.env.insert("PATH".to_owned(), path.clone());
            spec.env.insert("BIN".to_owned(), path.clone());
        })
        .unwrap();
        // What only fails, or prints nothing, says nothing of the shell.
        for script in ["false", "true", "exit 127", "kill -9 $$", "exec true"] {
            sandbox.try_run(script).unwrap();
        }
        let ended = sandbox.try_run(&format!("rm $BIN/bash; {made}"));
        let error = ended.unwrap_err();
        assert!(
            matches!(error, SandboxError::Crippled(_)) && error.is_unexplained(),
            "{what}: {error}"
        );
        sandbox.close();
    }
}

fn output_of_any_kind_comes_back_in_bounded_memory(kind: Kind) {
    let mut sandbox = Box_::start(kind);
    let line = sandbox.run("head -c 200000 /dev/zero | tr '\\0' x");
    assert_eq!(line.len() as u64, 200_000);
    let binary = sandbox.try_run("printf '\\000\\377\\001'").unwrap();
    assert_eq!(binary.head, b"\0\xff\x01");
    let flood = sandbox
        .try_run("echo first; head -c 50000000 /dev/zero; echo; echo last")
        .unwrap();
    assert_eq!(flood.head.len() + flood.tail.len(), 200_000);
    assert_eq!(flood.elided, 50_000_000 + 12 - 200_000);
    assert!(flood.head.starts_with(b"first\n") && flood.tail.ends_with(b"\nlast\n"));
    sandbox.close();
}

fn a_background_child_holds_up_nothing(kind: Kind) {
    let mut sandbox = Box_::start(kind);
    let begun = sandbox.run("(while true; do echo noise; sleep 0.01; done) & echo begun");
    assert!(begun.contains("begun"), "{begun}");
    assert_eq!(sandbox.run("echo next"), "next\n");
    // It goes on: nobody killed it, and its pipe does not fill up.
    assert_eq!(sandbox.run("jobs; echo $((1 + 1))"), "2\n");
    sandbox.close();
}

fn a_command_that_takes_too_long_ends_with_all_its_processes(kind: Kind) {
    let mut sandbox = Box_::start(kind);
    let script = "echo before; setsid sleep 1234 & (trap '' TERM; sleep 1234); sleep 1234";
    // A busy machine may need longer to come to its first word.
    let has_words = [1, 5, 30].into_iter().any(|times| {
        let output = sandbox.run_for(script, BRIEFLY * times).unwrap();
        assert_eq!(output.end, CommandEnd::TimedOut);
        let words = text(&output);
        assert!(["", "before\n"].contains(&words.as_str()), "{words}");
        !words.is_empty()
    });
    assert!(has_words);
    // In a container the process table is the sandbox's alone; without one, our children's.
    let left = "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done 2>/dev/null | grep '^sleep 1234' || true";
    if kind != Kind::Process {
        assert_eq!(sandbox.run(left), "");
    }
    sandbox.close();
}

fn a_long_script_runs(kind: Kind) {
    let mut sandbox = Box_::start(kind);
    let script = format!(
        "cat > long <<'END'\n{}\nEND\nwc -c < long",
        "y".repeat(300_000)
    );
    assert_eq!(sandbox.run(&script).trim(), "300001");
    sandbox.close();
}

fn the_images_path_survives_the_login_shell(kind: Kind) {
    let mut sandbox = Box_::with(kind, |spec| {
        let path = "/opt/tool chain/bin:/usr/local/bin:/usr/bin:/bin";
        spec.env.insert("PATH".to_owned(), path.to_owned());
    })
    .unwrap();
    let path = sandbox.run("echo \"$PATH\"");
    assert!(path.starts_with("/opt/tool chain/bin:"), "{path}");
    sandbox.close();
}

/// A key in the harness's environment is nothing that a command may see.
fn the_harnesss_environment_stays_outside(kind: Kind) {
    let mut sandbox = Box_::start(kind);
    let names = sandbox.run("env -0 | sed -z 's/=.*//' | tr '\\0' ' '; tr '\\0' '\\n' < /proc/$PPID/environ | sed 's/=.*//' | tr '\\n' ' ' || true");
    // Cargo gives every test program this one.
    assert!(!names.contains("CARGO_"), "{names}");
    sandbox.close();
}

fn files_go_in_and_out(kind: Kind) {
    let mut sandbox = Box_::start(kind);
    let Box_ {
        runtime,
        sandbox: inner,
        ..
    } = &mut sandbox;
    runtime.block_on(inner.write("a/b.bin", b"\0\xff")).unwrap();
    assert_eq!(
        runtime.block_on(inner.read("a/b.bin", 10)).unwrap(),
        b"\0\xff"
    );
    let refused = runtime.block_on(inner.read("a/b.bin", 1)).unwrap_err();
    assert!(matches!(refused, SandboxError::Refused(_)), "{refused}");
    let missing = runtime.block_on(inner.read("nothing", 1)).unwrap_err();
    assert!(missing.to_string().contains("there is no"), "{missing}");
    sandbox.close();
}

/// Each of these on every backend, with names that say which.
macro_rules! on_every_backend {
    ($($name:ident)*) => {
        mod namespace {
            $(#[test] fn $name() { super::$name(super::Kind::Namespace); })*
        }
        mod oci {
            $(#[test] fn $name() { super::$name(super::Kind::Oci); })*
        }
        mod process {
            $(#[test] fn $name() { super::$name(super::Kind::Process); })*
        }
        mod docker {
            $(#[test] #[ignore = "needs Docker: just e2e"]
            fn $name() { super::$name(super::Kind::Docker); })*
        }
    };
}

on_every_backend! {
    a_command_is_a_login_shell_without_input
    output_of_any_kind_comes_back_in_bounded_memory
    a_background_child_holds_up_nothing
    a_command_that_takes_too_long_ends_with_all_its_processes
    a_long_script_runs
    the_images_path_survives_the_login_shell
    the_harnesss_environment_stays_outside
    files_go_in_and_out
}

// Without a process namespace these would reach everybody's processes.
mod isolated {
    use super::*;

    fn killing_everything_leaves_the_channel(kind: Kind) {
        let mut sandbox = Box_::start(kind);
        sandbox.try_run("kill -9 -1").unwrap();
        assert_eq!(sandbox.run("echo still here"), "still here\n");
        sandbox.try_run("kill -9 1; kill 1").unwrap();
        assert_eq!(sandbox.run("echo still here"), "still here\n");
        sandbox.close();
    }

    fn a_fork_bomb_is_survived(kind: Kind) {
        let mut sandbox = Box_::start(kind);
        let bomb = "bomb() { bomb | bomb & }; bomb; sleep 1000";
        sandbox.run_for(bomb, BRIEFLY).unwrap();
        assert_eq!(sandbox.run("echo still here"), "still here\n");
        // One that is left behind by a command that ended may hit the next, which starts while it
        // still grows; one after it finds it gone.
        sandbox
            .run_for("bomb() { bomb | bomb & }; bomb", BRIEFLY)
            .unwrap();
        crate::support::wait_until("the bomb to be gone", || {
            let said = sandbox.try_run("echo still here").unwrap();
            text(&said) == "still here\n"
        });
        sandbox.close();
    }

    #[test]
    fn namespace_shell() {
        nothing_a_command_does_to_its_shell_breaks_the_next(Kind::Namespace);
    }
    #[test]
    fn namespace_kill() {
        killing_everything_leaves_the_channel(Kind::Namespace);
    }
    #[test]
    fn namespace_fork_bomb() {
        a_fork_bomb_is_survived(Kind::Namespace);
    }
    #[test]
    fn oci_shell() {
        nothing_a_command_does_to_its_shell_breaks_the_next(Kind::Oci);
    }
    #[test]
    fn oci_kill() {
        killing_everything_leaves_the_channel(Kind::Oci);
    }
    #[test]
    fn oci_fork_bomb() {
        a_fork_bomb_is_survived(Kind::Oci);
    }
    #[test]
    #[ignore = "needs Docker: just e2e"]
    fn docker_shell() {
        nothing_a_command_does_to_its_shell_breaks_the_next(Kind::Docker);
    }
    #[test]
    #[ignore = "needs Docker: just e2e"]
    fn docker_kill() {
        killing_everything_leaves_the_channel(Kind::Docker);
    }
    #[test]
    #[ignore = "needs Docker: just e2e"]
    fn docker_fork_bomb() {
        a_fork_bomb_is_survived(Kind::Docker);
    }

    #[test]
    fn a_full_disk_is_the_commands_problem() {
        for kind in [Kind::Namespace, Kind::Oci] {
            let mut sandbox = Box_::with(kind, |spec| {
                let mut limits = crate::place::limits();
                limits.memory_bytes = Some(32 << 20);
                spec.limits = std::sync::Arc::new(limits);
            })
            .unwrap();
            let full = sandbox
                .try_run("head -c 100000000 /dev/zero > big")
                .unwrap();
            assert!(text(&full).contains("No space left"), "{}", text(&full));
            assert_eq!(sandbox.run("echo still here; rm big"), "still here\n");
            sandbox.close();
        }
    }

    /// Where there is no control group, the guest itself ends what holds too much.
    #[test]
    fn what_holds_too_much_memory_is_ended() {
        for kind in [Kind::Namespace, Kind::Oci, Kind::Process] {
            let mut sandbox = Box_::with(kind, |spec| {
                let mut limits = crate::place::limits();
                limits.memory_bytes = Some(64 << 20);
                spec.limits = std::sync::Arc::new(limits);
            })
            .unwrap();
            let greedy = "bash -c 'x=$(head -c 200000000 /dev/zero | tr \"\\0\" a); sleep 1000'";
            let said = sandbox.run(&format!("{greedy} 2>&1; echo ended with $?"));
            assert!(said.ends_with("ended with 137\n"), "{said}");
            assert_eq!(sandbox.run("echo still here"), "still here\n");
            sandbox.close();
        }
    }

    fn with_memory(kind: Kind, bytes: u64) -> Box_ {
        Box_::with(kind, |spec| {
            let mut limits = crate::place::limits();
            limits.memory_bytes = Some(bytes);
            spec.limits = std::sync::Arc::new(limits);
        })
        .unwrap()
    }

    /// What keeps a command from starting there does not keep others from it elsewhere: the sandbox is
    /// not dead, and the next command is answered.
    #[test]
    fn a_directory_that_cannot_be_entered_is_the_commands_problem() {
        let mut sandbox = Box_::start(Kind::Namespace);
        sandbox.run("chmod 000 .");
        for _ in 0..2 {
            let output = sandbox.try_run("true").unwrap();
            assert_eq!(output.end, CommandEnd::Exited(126), "{}", text(&output));
        }
        sandbox.close();
    }

    /// Files cost the kernel memory that no size of a file system counts.
    #[test]
    fn empty_files_are_limited_too() {
        for kind in [Kind::Namespace, Kind::Oci] {
            let mut sandbox = with_memory(kind, 64 << 20);
            let many = "mkdir /tmp/many && seq 1 20000 | (cd /tmp/many && xargs touch)";
            let full = sandbox.try_run(many).unwrap();
            assert!(text(&full).contains("No space left"), "{}", text(&full));
            assert_eq!(
                sandbox.run("rm -rf /tmp/many && touch b && echo fine"),
                "fine\n"
            );
            sandbox.close();
        }
    }

    /// What is held by no process's own memory: shared mappings, files that only a descriptor has,
    /// segments that outlive their processes.
    #[test]
    #[ignore = "needs Python: just e2e"]
    fn what_is_shared_counts_as_memory() {
        // 512 MB under a limit of 128 MB, in ways that once counted as nothing.
        let size = 512 << 20;
        let begin = format!(
            "import ctypes, mmap, os, time\nsize = {size}\nlibc = ctypes.CDLL(None)\nchunk = b'x' * (1 << 20)\n"
        );
        let fill = "for n in range(size >> 20): os.write(f, chunk)\n";
        let tries = [
            "m = mmap.mmap(-1, size)\nfor n in range(size >> 20): m.write(chunk)\n".to_owned(),
            format!("f = os.memfd_create('a')\n{fill}"),
            // One whose name is no text: PR_SET_NAME.
            format!("libc.prctl(15, b'\\xff\\xfe')\nf = os.memfd_create('a')\n{fill}"),
            "libc.prctl(15, b'\\xff\\xfe')\nh = bytearray(size)\nfor n in range(0, size, 4096): h[n] = 1\n".to_owned(),
            // One that lets nobody look at it: PR_SET_DUMPABLE.
            format!("libc.prctl(4, 0)\nf = os.memfd_create('a')\n{fill}"),
            format!("f = os.memfd_create('a')\nm = mmap.mmap(f, 4096) if os.ftruncate(f, 4096) is None else 0\n{fill}"),
            "m = mmap.mmap(-1, size)\nfor n in range(size >> 20):\n  if os.fork() == 0: os._exit(0)\n  os.wait()\n  m.write(chunk)\n".to_owned(),
        ];
        for kind in [Kind::Namespace, Kind::Process] {
            for hold in &tries {
                if kind == Kind::Process && hold.contains("prctl") {
                    // Without a capability, what hides itself cannot be looked at: docs/limits.md says so.
                    continue;
                }
                let mut sandbox = with_memory(kind, 128 << 20);
                let script = format!(
                    "python3 -c \"\n{begin}{hold}time.sleep(1000)\n\" 2>&1; echo ended with $?"
                );
                let said = sandbox.run(&script);
                assert!(said.ends_with("ended with 137\n"), "{hold}: {said}");
                assert_eq!(sandbox.run("echo still here"), "still here\n");
                sandbox.close();
            }
        }
        // A segment is refused when it is made, or when it is filled.
        let mut sandbox = with_memory(Kind::Namespace, 128 << 20);
        let segment = format!(
            "python3 -c \"\n{begin}ids = [libc.shmget(0, 16 << 20, 0o1600) for n in range(32)]\nprint(sum(1 for id in ids if id >= 0))\n\""
        );
        let made: u64 = sandbox.run(&segment).trim().parse().unwrap();
        assert!(made * (16 << 20) <= (128 << 20) / 8, "{made}");
        let semaphores = format!(
            "python3 -c \"\n{begin}print(sum(1 for n in range(500) if libc.semget(0, 250, 0o1600) >= 0))\n\""
        );
        let sets: u64 = sandbox.run(&semaphores).trim().parse().unwrap();
        assert!(sets <= 128, "{sets}");
        sandbox.close();
    }

    /// Little that is shared, and much that is a file's, is no reason to end anything.
    #[test]
    #[ignore = "needs Python: just e2e"]
    fn what_is_a_files_does_not_count_as_memory() {
        let mut sandbox = with_memory(Kind::Namespace, 256 << 20);
        let mapped = "head -c 200000000 /dev/zero > /tmp/big && python3 -c \"\nimport mmap, os, time\nf = os.open('/tmp/big', os.O_RDWR)\nm = mmap.mmap(f, 0)\nsum(m[n] for n in range(0, len(m), 4096))\nfor n in range(30):\n  h = [bytearray(1 << 20)]\n  time.sleep(0.02)\nprint('fine')\n\"";
        assert_eq!(sandbox.run(mapped), "fine\n");
        sandbox.close();
    }

    #[test]
    fn a_sandbox_sees_no_more_cpus_than_it_was_given() {
        for kind in [Kind::Namespace, Kind::Oci] {
            let mut sandbox = Box_::with(kind, |spec| {
                let mut limits = crate::place::limits();
                limits.cpus = Some(0.5);
                spec.limits = std::sync::Arc::new(limits);
            })
            .unwrap();
            assert_eq!(sandbox.run("nproc"), "1\n");
            sandbox.close();
        }
    }

    #[test]
    fn a_sandbox_that_was_killed_is_dead_and_says_so() {
        for kind in [Kind::Namespace, Kind::Oci] {
            let mut sandbox = Box_::start(kind);
            let Box_ {
                runtime,
                sandbox: inner,
                ..
            } = &mut sandbox;
            runtime.block_on(inner.kill());
            let error = sandbox.try_run("true").unwrap_err();
            assert!(
                matches!(error, SandboxError::Died { oom: false, .. }),
                "{error}"
            );
            assert_eq!(error.rule(), RuleId::CONTAINER_LOST);
        }
    }

    #[test]
    #[ignore = "needs Docker: just e2e"]
    fn a_container_that_was_killed_is_dead_and_says_how() {
        let mut sandbox = Box_::start(Kind::Docker);
        let Box_ {
            runtime,
            sandbox: inner,
            ..
        } = &mut sandbox;
        runtime.block_on(inner.kill());
        let error = sandbox.try_run("true").unwrap_err();
        let died = SandboxError::Died {
            oom: false,
            exit_code: Some(137),
            from_outside: true,
            detail: String::new(),
        };
        assert_eq!(
            std::mem::discriminant(&error),
            std::mem::discriminant(&died)
        );
        assert!(error.to_string().contains("exit code: 137"), "{error}");
        sandbox.close();
    }
}
