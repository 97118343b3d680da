//! A sandbox over an image's layers: all of it is the command's to change, and nothing of it changes
//! for others.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use regatta::sandbox::{Backend, CommandEnd, SandboxError, Source, Spec, StartFailure};

use crate::image::{DEEP, HARBOR, LINKS, NO_REPOSITORY, NO_SHELL, outside, store};
use crate::place::{Box_, Kind, backend, text};

pub fn of_image(image: &str) -> impl FnOnce(&mut Spec) + use<> {
    let image = image.to_owned();
    |spec| spec.source = Source::Image(image)
}

/// Every file below a directory with its size, mode, links and times of change.
pub fn listed(dir: &Path) -> String {
    let listed = Command::new("find")
        .arg(dir)
        .args(["-printf", "%p %s %m %n %T@ %C@\n"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&listed.stdout).into_owned()
}

#[test]
fn everything_of_an_image_is_writable_and_the_store_stays_as_it_is() {
    let before = listed(store().dir());
    assert!(before.lines().count() > 100);
    let mut sandbox = Box_::start(Kind::Oci);
    for script in [
        "echo more >> /opt/old/file && cat /opt/old/file",
        "ln /srv/kept /srv/second && echo changed > /srv/second && cat /srv/kept | grep changed",
        "mv /srv/kept /srv/moved && chmod 777 /srv/moved && touch -d 2001-01-01 /srv/moved",
        "mv /opt/old /opt/new || { cp -a /opt/old /opt/new && rm -rf /opt/old; }",
        "rm -rf /opt && mkdir /opt && test -z \"$(ls -A /opt)\"",
        "echo x > /usr/local-file && rm /usr/bin/xargs && ! command -v xargs",
        "rm -rf /workspace/repo/.git",
        // Files of modes that keep their owner out are root's all the same, as in a container.
        "cat /root/deep/er/locked && echo x > /root/deep/er/new && chmod 000 /root/deep && ls /root/deep/er",
        "rm -rf /usr/lib /lib /lib64 2> /dev/null; true",
    ] {
        let output = sandbox.try_run(script);
        let Ok(output) = output else {
            continue;
        };
        if !script.starts_with("rm -rf /usr/lib") {
            assert_eq!(
                output.end,
                CommandEnd::Exited(0),
                "{script}: {}",
                text(&output)
            );
        }
    }
    sandbox.close();
    assert_eq!(listed(store().dir()), before);
    // The next one finds the image as it was.
    let mut sandbox = Box_::start(Kind::Oci);
    assert_eq!(sandbox.run("cat /opt/old/file"), "of the image\n");
    assert_eq!(sandbox.run("ls /srv"), "kept\n");
    sandbox.close();
}

#[test]
fn what_a_container_has_of_its_own_is_there() {
    let mut sandbox = Box_::start(Kind::Oci);
    assert_eq!(
        sandbox.run("stat -c %a /dev /tmp /var/tmp"),
        "755\n1777\n1777\n"
    );
    assert_eq!(
        sandbox.run("echo a > /dev/null; echo b > /dev/shm/b; cat /dev/shm/b"),
        "b\n"
    );
    assert_eq!(sandbox.run("ls -A /sys"), "");
    assert_eq!(
        sandbox.run("hostname; cat /etc/hostname"),
        "sandbox\nsandbox\n"
    );
    assert!(sandbox.run("cat /etc/hosts").contains("localhost"));
    assert!(!sandbox.run("cat /etc/resolv.conf").contains("nameserver"));
    assert!(
        sandbox
            .run("script -qec 'tty' /dev/null")
            .contains("/dev/pts/0")
    );
    assert_eq!(
        sandbox.run("echo $LEVEL $HOME $PWD"),
        "image /root /workspace/repo\n"
    );
    let path = sandbox.run("echo $PATH");
    assert!(path.contains("/usr/local/sbin:/usr/local/bin"), "{path}");
    // Nothing of the host's but what is named.
    assert_eq!(
        sandbox.run("ls -A /home /mnt 2> /dev/null | grep . || true"),
        ""
    );
    for script in [
        "touch /.regatta/x",
        "mount -t tmpfs none /mnt",
        "mount -o remount,rw,bind /.regatta",
        "umount /.regatta",
        "umount /dev/null",
        "cat /proc/1/environ",
        "ls /proc/1/root/",
        "echo 1 > /proc/sys/kernel/shmmax",
        "rm /dev/null",
    ] {
        sandbox.fails(script);
    }
    // Where the layers are is not for commands to know.
    let mounts = sandbox.run("cat /proc/self/mountinfo /proc/self/mounts");
    let home = store().dir().parent().unwrap().display().to_string();
    assert!(!mounts.contains(&home), "{mounts}");
    assert!(!mounts.contains("im\\"), "{mounts}");
    let seen = sandbox.run("cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
    assert!(!seen.contains(&home), "{seen}");
    // Nor where the guest's programs are, nor what the host calls our control groups.
    let Backend::Oci(place) = backend(Kind::Oci) else {
        unreachable!()
    };
    let tools = place.tools.dir().file_name().unwrap().to_string_lossy();
    assert!(!mounts.contains(&*tools), "{mounts}");
    sandbox.close();
}

/// A program of the sandbox's reaches another over the loopback, and nobody else.
#[test]
fn the_loopback_is_up_and_is_all_there_is() {
    for kind in [Kind::Namespace, Kind::Oci] {
        let mut sandbox = Box_::start(kind);
        let said = sandbox.run("(: < /dev/tcp/127.0.0.1/9) 2>&1 || true");
        assert!(said.contains("refused"), "{said}");
        let said = sandbox.run("(: < /dev/tcp/192.0.2.1/9) 2>&1 || true");
        assert!(said.contains("unreachable"), "{said}");
        sandbox.close();
    }
}

#[test]
fn an_images_path_survives_the_login_shell_and_many_layers() {
    let mut sandbox = Box_::with(Kind::Oci, of_image(DEEP)).unwrap();
    assert_eq!(sandbox.run("own; cat /0 /129"), "own\n0\n129\n");
    sandbox.close();
}

/// Whatever an image has in the places that a sandbox has of its own, nothing is followed out of it.
#[test]
fn links_of_an_image_lead_nowhere_else() {
    let before = listed(outside());
    let mut sandbox = Box_::with(Kind::Oci, of_image(LINKS)).unwrap();
    assert!(sandbox.run("cat /etc/hosts").contains("localhost"));
    assert_eq!(
        sandbox.run(
            "cat /elsewhere/hostname; echo a > /dev/null && echo b > /dev/zero; ls -d /proc/self/fd"
        ),
        "sandbox\n/proc/self/fd\n"
    );
    assert_eq!(sandbox.run("echo c > /tmp/c && cat /tmp/c"), "c\n");
    sandbox.close();
    assert_eq!(listed(outside()), before);
}

#[test]
fn an_image_that_cannot_be_used_says_why() {
    let failed = |image: &str| match Box_::with(Kind::Oci, of_image(image)) {
        Err(SandboxError::Start { why, cause }) => (why, cause),
        Err(other) => panic!("{image}: {other}"),
        Ok(_) => panic!("{image}"),
    };
    let (why, cause) = failed(NO_REPOSITORY);
    assert_eq!(cause, StartFailure::NoRepo, "{why}");
    assert!(
        why.contains("no git repository in /workspace/repo"),
        "{why}"
    );
    let (why, cause) = failed(NO_SHELL);
    assert_eq!(cause, StartFailure::NoShell, "{why}");
    assert!(why.contains("bash"), "{why}");
    let (why, cause) = failed("test/unknown:1");
    assert_eq!(cause, StartFailure::NoImage, "{why}");
    assert!(why.contains("regatta images pull test/unknown:1"), "{why}");
    let (why, _) = failed("No Name");
    assert!(why.contains("is no name of an image"), "{why}");
    let error = Box_::with(Kind::Oci, |spec| spec.source = Source::Tree("/".into()));
    assert!(error.is_err());
}

/// With one user, calls that need another do nothing, and say that they did.
#[test]
fn other_owners_and_devices_are_taken_for_made() {
    if regatta::sandbox::namespace::ranges().is_ok() {
        // There are other users.
        return;
    }
    let mut sandbox = Box_::start(Kind::Oci);
    let said = sandbox.run(
        "touch a && chown 1:42 a && chgrp 42 a && chown -h 5 a && stat -c '%u %g' a && mknod node c 1 3 && ! test -e node && mkfifo pipe && test -p pipe && echo fine",
    );
    assert_eq!(said, "0 0\nfine\n");
    let said = sandbox.run("setpriv --reuid 42 --regid 42 --clear-groups id -u");
    assert_eq!(said, "0\n");
    sandbox.close();
}

/// The members of an archive of `ar`, as a Debian package is one.
fn package(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in members {
        let size = content.len();
        bytes.extend(
            format!(
                "{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n",
                0, 0, 0, 100_644
            )
            .bytes(),
        );
        bytes.extend(content);
        if size % 2 == 1 {
            bytes.push(b'\n');
        }
    }
    bytes
}

fn tar(script: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let made = Command::new("bash")
        .args(["-c", &format!("set -e; {script}")])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    made.stdout
}

/// A package with a file of another group and a program that gives itself one more, as `passwd` has.
pub fn debian_package() -> Vec<u8> {
    let control = "mkdir c; printf 'Package: other-group\\nVersion: 1\\nArchitecture: all\\nMaintainer: t <t@localhost>\\nDescription: a file of another group\\n' > c/control; printf '#!/bin/sh\\nset -e\\nchgrp 42 /usr/share/other/file\\nchown 42 /usr/share/other\\nchmod 2755 /usr/share/other\\n' > c/postinst; chmod 755 c/postinst; tar -C c -cz --owner=0 --group=0 .";
    let data = "mkdir -p d/usr/share/other; echo theirs > d/usr/share/other/file; chmod 640 d/usr/share/other/file; tar -C d -cz --numeric-owner --owner=0 --group=42 .";
    package(&[
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.gz", tar(control)),
        ("data.tar.gz", tar(data)),
    ])
}

/// Whether this machine is a Debian: another has nothing to make the image's package manager of.
pub fn can_install() -> bool {
    let has = |program: &str| regatta::process::on_path(program).is_some();
    has("dpkg-deb") && has("apt-get")
}

#[test]
fn a_package_with_a_file_of_another_group_is_installed() {
    if !can_install() {
        return;
    }
    for script in [
        "dpkg -i /tmp/other.deb",
        "apt-get install -y /tmp/other.deb",
    ] {
        let mut sandbox = Box_::start(Kind::Oci);
        sandbox.write("/tmp/other.deb", &debian_package());
        let said = sandbox.run(&format!("{script} 2>&1"));
        assert_eq!(
            sandbox.run("cat /usr/share/other/file; dpkg-query -W -f '${Status}\\n' other-group"),
            "theirs\ninstall ok installed\n",
            "{said}"
        );
        sandbox.close();
    }
}

/// What is written goes to a disk, and nothing of it stays.
#[test]
fn a_scratch_directory_holds_what_is_written() {
    let scratch = tempfile::tempdir().unwrap();
    let opened = Command::new("chmod")
        .arg("a+rwx")
        .arg(scratch.path())
        .status();
    assert!(opened.unwrap().success());
    let Backend::Oci(place) = backend(Kind::Oci) else {
        unreachable!()
    };
    let tools = Arc::clone(&place.tools);
    let place = regatta::sandbox::oci::OciPlace {
        scratch: Some(scratch.path().to_owned()),
        ..regatta::sandbox::oci::OciPlace::of_store(place.store.clone(), tools, place.groups)
    };
    let mut sandbox = Box_::on(Backend::Oci(Arc::new(place)), |_| {}).unwrap();
    sandbox.run("head -c 3000000 /dev/urandom > /big; rm -rf /opt; mkdir /opt; echo x > new");
    assert!(
        sandbox
            .run("cat /proc/self/mountinfo")
            .contains("userxattr")
    );
    let mounts = sandbox.run("cat /proc/self/mountinfo");
    assert!(
        !mounts.contains(&scratch.path().display().to_string()),
        "{mounts}"
    );
    assert!(listed(scratch.path()).contains("/big 3000000"));
    assert!(sandbox.diff().contains("new"));
    sandbox.close();
    assert_eq!(listed(scratch.path()).lines().count(), 1);
}

#[test]
fn an_images_id_is_its_configurations() {
    let Backend::Oci(place) = backend(Kind::Oci) else {
        unreachable!()
    };
    let id = place.image_id(HARBOR).unwrap();
    assert!(id.starts_with("sha256:"), "{id}");
    assert_eq!(place.image_id("test/unknown:1"), None);
}

/// An image goes from the store when its last sandbox has ended, whatever is removed meanwhile.
#[test]
fn an_image_that_is_removed_stays_for_its_sandbox() {
    let home = tempfile::tempdir().unwrap();
    let own = regatta::images::Store::open(home.path()).unwrap();
    let name: regatta::images::ImageName = HARBOR.parse().unwrap();
    crate::image::add_harbor(&own);
    let Backend::Oci(place) = backend(Kind::Oci) else {
        unreachable!()
    };
    let tools = Arc::clone(&place.tools);
    let place = regatta::sandbox::oci::OciPlace::of_store(own.clone(), tools, place.groups);
    let mut sandbox = Box_::on(Backend::Oci(Arc::new(place)), |_| {}).unwrap();
    own.remove(&name).unwrap();
    own.prune(false).unwrap();
    assert_eq!(
        sandbox.run("cat /opt/old/file; git status --short"),
        "of the image\n"
    );
    sandbox.close();
    own.prune(false).unwrap();
    assert!(!listed(home.path()).contains("/opt/old/file"));
}
