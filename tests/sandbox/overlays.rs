//! An image's layers as one: by the kernel, by `fuse-overlayfs`, and by a copy of all files.

use std::path::PathBuf;
use std::process::Command;

use regatta::config::OverlayBy;
use regatta::sandbox::namespace::{self, ImageRoot, Network, Overlay, Root};

use crate::image::{DEEP, store};
use crate::oci::{listed, of_image};
use crate::place::{Box_, oci};

/// Those that this machine has.
pub fn ways() -> Vec<OverlayBy> {
    let fuse = regatta::process::on_path("fuse-overlayfs").is_some()
        && std::fs::File::options()
            .read(true)
            .write(true)
            .open("/dev/fuse")
            .is_ok();
    let mut ways = vec![OverlayBy::Auto, OverlayBy::Kernel, OverlayBy::Copy];
    if fuse {
        ways.push(OverlayBy::Fuse);
    }
    ways
}

fn sandbox(by: OverlayBy, image: Option<&str>) -> Box_ {
    let backend = oci(|place| place.overlay_by = by);
    let made = Box_::on(backend, |spec| {
        if let Some(image) = image {
            of_image(image)(spec);
        }
    });
    made.unwrap()
}

#[test]
fn an_image_is_the_same_by_each_and_the_store_stays_as_it_is() {
    let before = listed(store().dir());
    for by in ways() {
        let mut sandbox = sandbox(by, None);
        assert_eq!(
            sandbox.run("cat /opt/old/file; ls /srv"),
            "of the image\nkept\n"
        );
        for script in [
            "echo more >> /opt/old/file && grep more /opt/old/file",
            "ln /srv/kept /srv/second && echo changed > /srv/second && grep changed /srv/kept",
            "mv /srv/kept /srv/moved && chmod 777 /srv/moved",
            "rm -rf /opt && mkdir /opt && test -z \"$(ls -A /opt)\"",
            "rm /usr/bin/xargs && ! command -v xargs",
            "cat /root/deep/er/locked && echo x > /root/deep/er/new",
            "echo a > /tmp/a && mkfifo /tmp/pipe && ln -s a /tmp/link && cat /tmp/link",
            "script -qec tty /dev/null | grep /dev/pts",
            "git status --short && echo work > work.txt",
        ] {
            sandbox.run(script);
        }
        assert!(sandbox.diff().contains("+work"), "{by:?}");
        for script in ["touch /.regatta/x", "umount /", "rm /dev/null"] {
            sandbox.fails(script);
        }
        let mounts = sandbox.run("cat /proc/self/mountinfo /proc/self/mounts");
        let home = store().dir().parent().unwrap().display().to_string();
        assert!(!mounts.contains(&home), "{by:?}: {mounts}");
        assert!(!mounts.contains("im\\"), "{by:?}: {mounts}");
        sandbox.close();
        assert_eq!(listed(store().dir()), before, "{by:?}");
    }
}

#[test]
fn many_layers_are_one_by_each() {
    for by in ways() {
        let mut sandbox = sandbox(by, Some(DEEP));
        assert_eq!(sandbox.run("own; cat /0 /129"), "own\n0\n129\n");
        sandbox.close();
    }
}

/// A file that is mapped to be written is the sandbox's own, as one that is opened is.
#[test]
fn what_is_written_to_a_mapped_file_stays_in_the_sandbox() {
    const PROGRAM: &str = r#"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
int main(void) {
  int fd = open("/srv/kept", O_RDWR);
  char *map = mmap(0, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd < 0 || map == MAP_FAILED) return 1;
  memcpy(map, "MAPS", 4);
  return msync(map, 4, MS_SYNC);
}
"#;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("map.c"), PROGRAM).unwrap();
    let made = Command::new("cc")
        .args(["-o", "map", "map.c"])
        .current_dir(dir.path())
        .status();
    assert!(made.unwrap().success());
    let program = std::fs::read(dir.path().join("map")).unwrap();
    let before = listed(store().dir());
    for by in ways() {
        let mut sandbox = sandbox(by, None);
        sandbox.write("/tmp/map", &program);
        let said = sandbox.run("chmod 755 /tmp/map && /tmp/map && cat /srv/kept");
        assert_eq!(said, "MAPS\n", "{by:?}");
        sandbox.close();
        assert_eq!(listed(store().dir()), before, "{by:?}");
    }
    // The next one finds the image as it was.
    let mut sandbox = sandbox(OverlayBy::Auto, None);
    assert_eq!(sandbox.run("cat /srv/kept"), "kept\n");
    sandbox.close();
}

#[test]
fn fuse_overlayfs_ends_with_its_sandbox() {
    if !ways().contains(&OverlayBy::Fuse) {
        return;
    }
    let of = |sandbox: &Box_| {
        let name = sandbox.sandbox.name();
        let waiting = name.rsplit(' ').next().unwrap().to_owned();
        let listed = Command::new("pgrep")
            .args(["-P", &waiting, "fuse-overlayfs"])
            .output()
            .unwrap();
        let listed = String::from_utf8_lossy(&listed.stdout).trim().to_owned();
        (waiting, listed.parse::<u32>().unwrap())
    };
    let has_ended = |process: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z"))
    };
    let closed = sandbox(OverlayBy::Fuse, None);
    let (_, fuse) = of(&closed);
    closed.close();
    crate::support::wait_until("the end of fuse-overlayfs", || has_ended(fuse));
    let killed = sandbox(OverlayBy::Fuse, None);
    let (waiting, fuse) = of(&killed);
    let status = Command::new("kill").args(["-9", &waiting]).status();
    assert!(status.unwrap().success());
    crate::support::wait_until("the end of fuse-overlayfs", || has_ended(fuse));
    killed.close();
}

/// What is missing is named, with each way that was tried.
#[test]
fn a_way_that_cannot_be_taken_says_why() {
    regatta::process::set_program(crate::support::REGATTA.into());
    let why = |fuse: Option<PathBuf>| {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::Image(ImageRoot {
            trees: vec![dir.path().to_owned()],
            scratch: None,
            overlay: Overlay {
                by: OverlayBy::Fuse,
                fuse,
            },
            room: None,
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let probed = namespace::probe(root, None, Network::None);
        runtime.block_on(probed).unwrap().unwrap_err()
    };
    let of_root = "the root of the namespace: its layers as one overlay: fuse-overlayfs: ";
    assert_eq!(
        why(None),
        format!(
            "{of_root}there is no `fuse-overlayfs`: on Debian, `apt-get install fuse-overlayfs`"
        )
    );
    let why = why(Some("/bin/false".into()));
    assert_eq!(why, format!("{of_root}`false` ended"));
}

#[test]
fn a_copy_takes_room_beside_what_may_be_written() {
    let backend = oci(|place| place.overlay_by = OverlayBy::Copy);
    let tight = Box_::on(backend, |spec| {
        let limits = regatta::sandbox::SandboxLimits {
            memory_bytes: Some(64 << 20),
            ..crate::place::limits()
        };
        spec.limits = std::sync::Arc::new(limits);
    });
    let mut sandbox = tight.unwrap();
    sandbox.run("head -c 30000000 /dev/zero > /big");
    sandbox.close();
}
