//! What a namespace keeps away from its commands.

use regatta::sandbox::CommandEnd;

use crate::place::{Box_, Kind, text};

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
        let output = sandbox.try_run(script).unwrap();
        assert_ne!(
            output.end,
            CommandEnd::Exited(0),
            "{script}: {}",
            text(&output)
        );
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
    let mut sandbox = Box_::start(Kind::Namespace);
    let listed = sandbox.run("for fd in /proc/self/fd/*; do echo \"${fd##*/}\"; done");
    let numbers: Vec<u32> = listed
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect();
    // The three standard ones, and the shell's own of the directory that it lists.
    assert!(numbers.iter().all(|fd| *fd <= 3 || *fd == 255), "{listed}");
    let outside =
        "for fd in 3 4 5 6 7 8 9; do ls /proc/self/fd/$fd/ 2>/dev/null && echo way out; done; true";
    assert!(!sandbox.run(outside).contains("way out"));
    sandbox.close();
}

#[test]
fn nothing_is_left_of_it() {
    let mut sandbox = Box_::start(Kind::Namespace);
    sandbox.run("nohup sleep 4321 > /dev/null 2>&1 & echo");
    sandbox.close();
    crate::support::wait_until("the namespace's end", || {
        let output = std::process::Command::new("pgrep")
            .args(["-f", "^sleep 4321"])
            .output();
        !output.unwrap().status.success()
    });
}
