//! What a namespace keeps away from its commands.

use crate::place::{Box_, Kind};

#[test]
fn the_host_cannot_be_changed_and_its_people_not_be_seen() {
    let mut sandbox = Box_::start(Kind::Namespace);
    assert_eq!(
        sandbox.run("ls -A /home /root /run | grep -v '^/\\|^$' || true"),
        ""
    );
    for script in [
        "touch /usr/bin/x",
        "touch /etc/x",
        "mount -o remount,rw,bind /usr",
        "mount -t tmpfs none /mnt",
        "umount /usr",
        "chroot / true",
        "hostname other",
        "ls /.old",
        "touch /.regatta/x",
        "cat /proc/1/environ",
        "cat /proc/1/mem",
    ] {
        sandbox.fails(script);
    }
    assert_eq!(
        sandbox.run("touch /tmp/a /workspace/a && echo fine"),
        "fine\n"
    );
    assert_eq!(sandbox.run("grep -c : /proc/net/dev").trim(), "1");
    assert_eq!(sandbox.run("hostname"), "sandbox\n");
    // The guest, the shell, and what it calls: nobody of the host's.
    let count = sandbox.run("ls -d /proc/[0-9]* | wc -l");
    assert!(count.trim().parse::<u32>().unwrap() < 8, "{count}");
    sandbox.close();
}

/// A descriptor that was opened outside would be a way out, whatever is mounted.
#[test]
fn no_descriptor_of_the_harness_reaches_a_command() {
    for kind in [Kind::Namespace, Kind::Oci] {
        let mut sandbox = Box_::start(kind);
        let listed = sandbox.run("for fd in /proc/self/fd/*; do echo \"${fd##*/}\"; done");
        let numbers: Vec<u32> = listed
            .lines()
            .filter_map(|line| line.parse().ok())
            .collect();
        // The three standard ones, and the shell's own of the directory that it lists.
        assert!(numbers.iter().all(|fd| *fd <= 3 || *fd == 255), "{listed}");
        let outside = "for fd in 3 4 5 6 7 8 9; do ls /proc/self/fd/$fd/ 2>/dev/null && echo way out; done; true";
        assert!(!sandbox.run(outside).contains("way out"));
        sandbox.close();
    }
}

#[test]
fn nothing_is_left_of_it() {
    for kind in [Kind::Namespace, Kind::Oci] {
        let mut sandbox = Box_::start(kind);
        sandbox.run("nohup sleep 4321 > /dev/null 2>&1 & echo");
        sandbox.close();
        crate::support::wait_until("the namespace's end", || {
            let output = std::process::Command::new("pgrep")
                .args(["-f", "^sleep 4321"])
                .output();
            !output.unwrap().status.success()
        });
    }
}

/// A guest that its commands could cripple would make a trial of an agent's into nobody's.
fn the_guest_cannot_be_named(kind: Kind, powers_of_commands: &str) {
    let mut sandbox = Box_::start(kind);
    sandbox.run("echo work > work.txt");
    // Commands have no other capability, and none to come; the filter holds, and nothing is gained by exec.
    let powers = sandbox.run("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status | sort -u");
    for line in powers.lines() {
        let (name, value) = line.split_once(":\t").unwrap();
        let expected = match name {
            "NoNewPrivs" => "1",
            "Seccomp" => "2",
            "CapPrm" | "CapEff" | "CapBnd" => powers_of_commands,
            _ => "0000000000000000",
        };
        assert_eq!(value, expected, "{powers}");
    }
    assert_eq!(powers.lines().count(), 7, "{powers}");
    let seen = sandbox.run("cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
    assert!(!seen.contains("__guest"), "{seen}");
    assert_eq!(seen.matches("__namespace").count(), 1, "{seen}");
    for script in [
        "prlimit --pid 1 --cpu=0:0",
        "prlimit --pid 1 --nofile=5:5 --as=1:1 --fsize=0:0 --stack=1:1 --nproc=0:0",
        "for p in /proc/[0-9]*; do prlimit --pid ${p##*/} --nofile=5:5 --cpu=1:1; done",
        "for p in 1 2; do for s in STOP SEGV TERM ABRT KILL; do kill -$s $p; done; done",
        "kill -9 -1",
        "echo 1000 > /proc/1/oom_score_adj",
        "renice -n 19 1; taskset -p 1 1; ionice -c 3 -p 1; chrt -i -p 0 1",
        "gdb -p 1 -batch -ex 'call exit(1)' || strace -p 1",
        "echo x > /proc/1/mem",
        // Orphans by the thousand cost the one that takes them in no more than it has.
        "prlimit --pid 1 --cpu=1:1; for n in $(seq 2000); do (true &); done",
    ] {
        sandbox.try_run(script).unwrap();
        let next =
            "echo $(nproc > /dev/null; cat work.txt; ulimit -n) && head -c 9000 /dev/zero > /tmp/x";
        let after = sandbox.run(next);
        assert!(
            after.starts_with("work ") && after != "work 5\n",
            "after {script}: {after}"
        );
    }
    // Orphans that ended are gone.
    let left = sandbox.run("ls -d /proc/[0-9]* | wc -l");
    assert!(left.trim().parse::<u32>().unwrap() < 8, "{left}");
    assert!(sandbox.diff().contains("work.txt"));
    // What was left running in one command is there for the next, as anywhere.
    sandbox.run("sleep 4322 > /dev/null 2>&1 & echo $! > /tmp/pid");
    sandbox.run("kill -0 $(cat /tmp/pid) && kill $(cat /tmp/pid)");
    sandbox.close();
}

#[test]
fn no_command_can_name_the_guest() {
    the_guest_cannot_be_named(Kind::Namespace, "0000000000000000");
}

/// Over an image's files root may what root may in a container, and no more: CHOWN, `DAC_OVERRIDE`,
/// FOWNER, FSETID, `NET_BIND_SERVICE`, SETFCAP.
#[test]
fn no_command_of_an_image_can_name_the_guest() {
    the_guest_cannot_be_named(Kind::Oci, "000000008000041b");
}

/// A link in the root could be removed, a mount cannot: without `/lib64` no program starts any more.
#[test]
fn no_command_can_take_the_programs_away() {
    let mut sandbox = Box_::start(Kind::Namespace);
    for script in [
        "rm -rf /lib64 /bin /lib /sbin 2> /dev/null",
        "mv /lib64 /gone 2> /dev/null; mv /bin /gone2 2> /dev/null",
        "ln -sfn /tmp /lib64 2> /dev/null; rm -f /lib64/tmp 2> /dev/null",
    ] {
        sandbox.try_run(script).unwrap();
        assert_eq!(sandbox.run("ls /bin/sh"), "/bin/sh\n", "after {script}");
    }
    sandbox.close();
}

/// The names of control groups tell whose session this is, and on which cluster's job.
#[test]
fn the_hosts_control_groups_have_no_names() {
    for kind in [Kind::Namespace, Kind::Oci] {
        let mut sandbox = Box_::start(kind);
        let named = sandbox.run("cut -d: -f3 /proc/self/cgroup /proc/1/cgroup | sort -u");
        assert_eq!(named, "/\n");
        sandbox.close();
    }
}
