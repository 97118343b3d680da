//! The repository: what an agent can see of the future, and what counts as its submission.

use std::path::Path;
use std::process::Command;

use crate::place::{Box_, Kind};

/// A clone as task images have it: later commits on branches and tags, a remote, a reflog, and a
/// commit that only the reflog knows.
fn clone_with_a_future(dir: &Path) -> String {
    let script = "set -e
git init -q -b main . && git config user.name t && git config user.email t@localhost
echo base > file && printf 'ignored\\n' > .gitignore && git add -A && git commit -qm base
base=$(git rev-parse HEAD)
echo future > file && git commit -qam future && git tag v2 && git branch next
echo dropped > file && git commit -qam dropped && git reset -q --hard HEAD~1
git remote add origin https://example.com/x.git
git update-ref refs/remotes/origin/main HEAD
git stash list
git checkout -q $base
echo $base";
    let output = Command::new("bash")
        .args(["-c", script])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_future_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let base = clone_with_a_future(dir.path());
    let workspace = dir.path().to_owned();
    let mut sandbox = Box_::with(Kind::Namespace, |spec| spec.workspace = workspace).unwrap();
    assert_eq!(sandbox.sandbox.base(), base);
    assert_eq!(sandbox.run("git log --all --reflog --format=%s"), "base\n");
    let objects = "git cat-file --batch-all-objects --batch-check='%(objecttype)' | grep -c commit";
    assert_eq!(sandbox.run(objects), "1\n");
    assert_eq!(
        sandbox.run("git remote; git tag; git branch --format='%(refname:short)'"),
        "agent1\n"
    );
    // The twin that pins the base tells no more.
    assert_eq!(
        sandbox.run("git --git-dir=../.base.git log --all --reflog --format=%s"),
        "base\n"
    );
    sandbox.close();
}

/// What an agent does to its repository, and the files that its submission must then name.
const WAYS: [(&str, &[&str]); 8] = [
    ("echo x > new && echo y >> README.md", &["README.md", "new"]),
    (
        "echo x > new && git add -A && git commit -qm work",
        &["new"],
    ),
    (
        "echo x > new && git add -A && git commit -qm a && git checkout -q --orphan other && git commit -qm b",
        &["new"],
    ),
    ("echo x > new && rm -rf .git", &["new"]),
    (
        "echo x > new && rm -rf .git && git init -q && git add -A && git -c user.name=a -c user.email=a@b commit -qm base",
        &["new"],
    ),
    (
        "echo x > new && git config diff.noprefix true && git config core.excludesFile /dev/stdin && git config diff.external false",
        &["new"],
    ),
    (
        "echo x > new && git config --global diff.noprefix true; echo '*' > .git/info/exclude",
        &["new"],
    ),
    (
        "echo build > ignored && echo ignored >> .gitignore",
        &[".gitignore"],
    ),
];

fn whatever_becomes_of_git_the_work_is_submitted(kind: Kind) {
    for (script, names) in WAYS {
        let mut sandbox = Box_::start(kind);
        sandbox.run(script);
        let diff = sandbox.diff();
        let found: Vec<&str> = diff
            .lines()
            .filter_map(|line| line.strip_prefix("diff --git a/")?.split(' ').next())
            .collect();
        assert_eq!(found, names, "{script}\n{diff}");
        sandbox.close();
    }
}

#[test]
fn in_a_namespace_whatever_becomes_of_git_the_work_is_submitted() {
    whatever_becomes_of_git_the_work_is_submitted(Kind::Namespace);
}

#[test]
#[ignore = "needs Docker: just e2e"]
fn in_docker_whatever_becomes_of_git_the_work_is_submitted() {
    whatever_becomes_of_git_the_work_is_submitted(Kind::Docker);
}

#[test]
fn a_binary_file_and_a_mode_are_in_the_submission() {
    let mut sandbox = Box_::start(Kind::Namespace);
    sandbox.run("printf '\\000\\001' > image.bin; chmod +x README.md; ln -s README.md link");
    let diff = sandbox.diff();
    for part in [
        "GIT binary patch",
        "new mode 100755",
        "new file mode 120000",
    ] {
        assert!(diff.contains(part), "no {part} in\n{diff}");
    }
    sandbox.close();
}
