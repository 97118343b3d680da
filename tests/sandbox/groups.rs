//! Control groups, on a kernel that has their memory controller on cgroup v2: a virtual machine,
//! where this very test is started again in groups of several kinds.

use std::path::{Path, PathBuf};
use std::process::Command;

use regatta::bench::RuleId;
use regatta::sandbox::group::Groups;
use regatta::sandbox::{CommandEnd, SandboxError};

use crate::place::{Box_, Kind, limits, text};
use crate::support::wait_until;

/// Set in the test that was started again: what kind of group it is in.
const INSIDE: &str = "REGATTA_TEST_IN_GROUP";

const NAME: &str = "groups::a_delegated_control_group_holds_a_sandbox_to_its_memory";

/// Inside: groups as systemd delegates them to a user. Root may look into any directory, as the
/// user of a checkout may; of the groups, only the one in the middle is the user's.
const SCRIPT: &str = r#"
set -eu
cd /sys/fs/cgroup
as_user="setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all,+dac_read_search --ambient-caps=+dac_read_search"
echo +memory >cgroup.subtree_control
mkdir slice foreign
echo +memory >slice/cgroup.subtree_control
for kind in delegated shared; do
  mkdir "slice/$kind"
  chown 1000 "slice/$kind" "slice/$kind"/cgroup.{procs,subtree_control}
done
export TEST NAME HOME=/tmp
test='"$TEST" "$NAME" --exact --nocapture --include-ignored'
in_group() {
  REGATTA_TEST_IN_GROUP=$1 sh -c "echo \$\$ >$2/cgroup.procs; exec $as_user sh -c '$3'"
}
in_group delegated slice/delegated "exec $test"
# The shell stays in it.
in_group shared slice/shared "$test; exit \$?"
in_group foreign foreign "exec $test"
export REGATTA_TEST_IN_GROUP=root
eval "$test"
echo all four
"#;

#[test]
#[ignore = "needs qemu and a kernel to start: just e2e"]
fn a_delegated_control_group_holds_a_sandbox_to_its_memory() {
    match std::env::var(INSIDE).as_deref() {
        Ok("delegated") => holds(true),
        Ok("root") => holds(false),
        Ok("shared") => assert_none("other processes are in it"),
        Ok("foreign") => assert_none("cannot be divided: Permission denied"),
        Ok(other) => panic!("no group is {other}"),
        Err(_) => start_again(),
    }
}

fn start_again() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/with-cgroups");
    let test = std::env::current_exe().unwrap();
    let variable = |name: &str, value: &str| format!("{name}={value}");
    let output = Command::new(script)
        .args(["env", &variable("NAME", NAME)])
        .arg(variable("TEST", test.to_str().unwrap()))
        .args(["bash", "-c", SCRIPT])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{words}");
    assert_eq!(said.matches("1 passed").count(), 4, "{said}");
    assert!(said.contains("all four"), "{said}");
}

/// The directory of a process's group.
fn group_of(process: &str) -> PathBuf {
    let text = std::fs::read_to_string(format!("/proc/{process}/cgroup")).unwrap();
    let path = text.trim().strip_prefix("0::/").unwrap();
    Path::new("/sys/fs/cgroup").join(path)
}

fn assert_none(why: &str) {
    let before = group_of("self");
    let none = Groups::ours().unwrap_err();
    assert!(none.contains(why), "{none}");
    assert_eq!(group_of("self"), before);
    // It is held as well as it can be without.
    let mut sandbox = Box_::start(Kind::Namespace);
    sandbox.run("true");
    sandbox.close();
}

/// Shared memory that is let go of from the mapping stays the file's: no look at processes sees it.
const UNSEEN: &str = r#"python3 -c '
import mmap
size = 64 << 20
held = mmap.mmap(-1, 40 * size)
for at in range(0, 40 * size, size):
    held[at:at + size] = b"x" * size
    held.madvise(mmap.MADV_DONTNEED, at, size)
print("held")'"#;

fn holds(moves: bool) {
    let given = group_of("self");
    let mut orphan = leave_a_dead_owners(&given);
    let groups = Groups::ours().unwrap();
    assert_eq!(groups.dir(), given);
    assert_eq!(group_of("self") != given, moves);
    // What a dead owner left was ended.
    assert!(!orphan.wait().unwrap().success());

    let mut sandbox = Box_::start(Kind::Namespace);
    let group = group_of(sandbox.sandbox.name().trim_start_matches("process "));
    assert_eq!(group.parent(), Some(given.as_path()));
    let most = std::fs::read_to_string(group.join("memory.max")).unwrap();
    let limit = limits().memory_bytes.unwrap();
    assert_eq!(most.trim(), (2 * limit + (64 << 20)).to_string());

    let unseen = sandbox.try_run(UNSEEN).unwrap();
    assert_eq!(unseen.end, CommandEnd::Exited(137), "{}", text(&unseen));
    assert_eq!(sandbox.run("echo fine"), "fine\n");

    // Nothing fits any more: the guest goes too, and the kernel says why.
    std::fs::write(group.join("memory.max"), "0").unwrap();
    let died = sandbox.try_run("true").unwrap_err();
    assert!(
        matches!(died, SandboxError::Died { oom: true, .. }),
        "{died:?}"
    );
    assert_eq!(died.rule(), RuleId::CONTAINER_OOM);
    sandbox.close();
    // A group whose processes are still going is emptied, and the next who looks removes it.
    let events = group.join("cgroup.events");
    wait_until("the end of a group's processes", || {
        std::fs::read_to_string(&events).map_or(true, |told| told.contains("populated 0"))
    });
}

/// A group with a process in it, whose owner is no more.
fn leave_a_dead_owners(given: &Path) -> std::process::Child {
    let mut owner = regatta::process::Owner::this().dir_prefix();
    let pid = std::process::id().to_string();
    owner = owner.replacen(&pid, "4194304", 1);
    let group = given.join(format!("{owner}0"));
    std::fs::create_dir(&group).unwrap();
    let child = Command::new("sleep").arg("infinity").spawn().unwrap();
    std::fs::write(group.join("cgroup.procs"), child.id().to_string()).unwrap();
    child
}
