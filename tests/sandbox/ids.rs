//! Sandboxes with a range of users and groups, as the machine gives one to an ordinary user.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use regatta::sandbox::oci::{OciPlace, why_one_id};
use regatta::sandbox::{Backend, CommandEnd, namespace};

use crate::oci::{can_install, debian_package};
use crate::place::{Box_, Kind, backend, text};

/// Set in the test that an ordinary user started again: what it is to find.
const INSIDE: &str = "REGATTA_TEST_IDS";
const USER: &str = "regatta-ids-test";
const NAME: &str = "ids::an_ordinary_user_with_a_range_has_other_owners";

/// An account, which brings its ranges; it goes with this value.
struct Account;

impl Account {
    fn new() -> Self {
        let made = Command::new("useradd").args(["-M", USER]).output().unwrap();
        // One that a killed test left is as good.
        assert!(
            made.status.success() || made.status.code() == Some(9),
            "{made:?}"
        );
        Self
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ = Command::new("userdel").arg(USER).output();
    }
}

/// Starts this test again as that user, who may look into any directory, as the owner of a checkout
/// may.
fn again(kind: &str, path: &str) {
    let output = Command::new("setpriv")
        .args(["--reuid", USER, "--regid", USER, "--clear-groups"])
        .args([
            "--inh-caps=-all,+dac_read_search",
            "--ambient-caps=+dac_read_search",
            "--",
        ])
        .arg(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(INSIDE, kind)
        .env("PATH", path)
        .env("HOME", "/tmp")
        .env_remove("TMPDIR")
        .env_remove("XDG_RUNTIME_DIR")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{kind}: {said}{words}");
    assert!(said.contains("1 passed"), "{kind}: {said}");
}

#[test]
fn an_ordinary_user_with_a_range_has_other_owners() {
    match std::env::var(INSIDE).as_deref() {
        Ok("range") => in_range(),
        Ok("failing") => with_failing_programs(),
        Ok(other) => panic!("no kind is {other}"),
        Err(_) => {
            let has = |name: &str| regatta::process::on_path(name).is_some();
            if !rustix::process::getuid().is_root() || !has("newuidmap") || !has("useradd") {
                // Nobody here can make the account, or map its range.
                return;
            }
            let _account = Account::new();
            let path = std::env::var("PATH").unwrap();
            again("range", &path);
            let dir = tempfile::tempdir().unwrap();
            let script = "chmod 755 . && for name in newuidmap newgidmap; do printf '#!/bin/sh\\nexit 1\\n' > $name && chmod 755 $name; done";
            let made = Command::new("sh")
                .args(["-c", script])
                .current_dir(dir.path())
                .status();
            assert!(made.unwrap().success());
            again("failing", &format!("{}:{path}", dir.path().display()));
        }
    }
}

fn why() -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(why_one_id()).unwrap()
}

fn in_range() {
    assert!(namespace::ranges().is_ok());
    owners_are_real();
    limits_hold_for_all_users();
    packages_are_installed();
    what_others_own_on_a_disk_is_removed();
    assert_eq!(why(), None);
}

fn owners_are_real() {
    let mut sandbox = Box_::start(Kind::Oci);
    let said = sandbox.run(
        "touch a && chown 1:42 a && stat -c '%u %g' a && chown -h 65534:65534 a && stat -c '%u %g' a && mknod node c 1 3 && ! test -e node && echo fine",
    );
    assert_eq!(said, "1 42\n65534 65534\nfine\n");
    let said = sandbox.run("setpriv --reuid 42 --regid 43 --groups 44,45 id; id -G");
    assert!(said.starts_with("uid=42"), "{said}");
    assert!(said.contains("gid=43") && said.contains("45"), "{said}");
    assert!(said.ends_with("\n0\n"), "{said}");
    // Another user is held to modes, and root ends what is another's.
    let script = "install -d -o 42 -m 700 /own && setpriv --reuid 42 --clear-groups touch /own/file && ! setpriv --reuid 43 --clear-groups ls /own && ls /own";
    assert!(sandbox.run(script).ends_with("file\n"));
    let script = "setpriv --reuid 42 --clear-groups sleep infinity & kill $! && ! wait $!";
    sandbox.run(script);
    let output = sandbox
        .run_for(
            "setpriv --reuid 42 --clear-groups sleep infinity",
            Duration::from_secs(1),
        )
        .unwrap();
    assert_eq!(output.end, CommandEnd::TimedOut, "{}", text(&output));
    assert_eq!(sandbox.run("pgrep sleep || true"), "");
    // The repository may be another's.
    sandbox.run("chown -R 42:42 . && echo new > new && chmod 700 .");
    assert!(sandbox.diff().contains("new"));
    sandbox.close();
}

/// The kernel counts each user's processes alone.
fn limits_hold_for_all_users() {
    let mut sandbox = Box_::start(Kind::Oci);
    // Once there are as many as there may be, nothing but the shell itself can count them.
    let script = "for user in 1 2 3 4; do setpriv --reuid $user --clear-groups sh -c 'i=0; while [ $i -lt 60 ]; do sleep infinity & i=$((i + 1)); done' 2> /dev/null; done; set -- /proc/[0-9]*; echo $#; kill -9 -1";
    let output = sandbox.try_run(script).unwrap();
    let said = text(&output);
    let count: u32 = said.lines().next().unwrap().trim().parse().unwrap();
    assert!((150..=200).contains(&count), "{said}");
    sandbox.run("true");
    sandbox.close();
}

fn packages_are_installed() {
    if !can_install() {
        return;
    }
    let mut sandbox = Box_::start(Kind::Oci);
    sandbox.write("/tmp/other.deb", &debian_package());
    let said = sandbox.run("dpkg -i /tmp/other.deb 2>&1");
    assert_eq!(
        sandbox.run("cd /usr/share/other && stat -c '%u %g %a' . file"),
        "42 42 2755\n0 42 640\n",
        "{said}"
    );
    sandbox.close();
}

fn what_others_own_on_a_disk_is_removed() {
    let scratch = tempfile::tempdir().unwrap();
    let Backend::Oci(place) = backend(Kind::Oci) else {
        unreachable!()
    };
    let tools = Arc::clone(&place.tools);
    let place = OciPlace {
        scratch: Some(scratch.path().to_owned()),
        ..OciPlace::of_store(place.store.clone(), tools, place.groups)
    };
    let mut sandbox = Box_::on(Backend::Oci(Arc::new(place)), |_| {}).unwrap();
    sandbox.run("install -d -o 42 -g 42 -m 700 /own && touch /own/file && chown 43 /own/file");
    let entries = |dir: &Path| std::fs::read_dir(dir).unwrap().count();
    // Its own, and that of the repository that was made ready.
    assert_eq!(entries(scratch.path()), 2);
    sandbox.close();
    assert_eq!(entries(scratch.path()), 0);
}

fn with_failing_programs() {
    let mut sandbox = Box_::start(Kind::Oci);
    let said = sandbox.run("touch a && chown 1:42 a && stat -c '%u %g' a");
    assert_eq!(said, "0 0\n");
    sandbox.close();
    let why = why().unwrap();
    assert!(why.contains("newuidmap"), "{why}");
}
