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
