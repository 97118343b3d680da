//! Repositories that are not as usual: filters without their programs, submodules, a `.git` that is
//! no directory.

use std::path::Path;
use std::process::Command;

use regatta::sandbox::{Source, Spec};

use crate::place::{Box_, Kind};

/// Runs a script in a directory; what it printed.
#[track_caller]
fn made(dir: &Path, script: &str) -> String {
    let named = "export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@localhost GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@localhost";
    let output = Command::new("bash")
        .args(["-c", &format!("set -e\n{named}\n{script}")])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn start(kind: Kind, workspace: &Path) -> Box_ {
    Box_::with(kind, |spec| {
        spec.source = Source::Tree(workspace.to_owned());
    })
    .unwrap()
}

#[test]
fn a_backend_without_images_starts_nothing_from_one() {
    let image = |spec: &mut Spec| spec.source = Source::Image("harbor:task1".to_owned());
    for kind in [Kind::Namespace, Kind::Process] {
        let error = Box_::with(kind, image).err().unwrap();
        assert!(error.to_string().contains("starts nothing from"), "{error}");
    }
}

/// Whether a submission applies to the workspace as it was, and makes these files what they are here.
#[track_caller]
fn applies(workspace: &Path, diff: &str, files: &[(&str, &str)]) {
    let submission = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(submission.path(), diff).unwrap();
    let path = submission.path().display();
    made(
        workspace,
        &format!("git config --remove-section filter.weir || true; git apply {path}"),
    );
    for (file, text) in files {
        let found = std::fs::read_to_string(workspace.join(file));
        assert_eq!(found.ok().as_deref(), Some(*text), "{file}");
    }
}

/// Set for the repository, required, and without its program: no file of it can be added.
#[test]
fn a_required_filter_without_its_program_costs_no_submission() {
    let dir = tempfile::tempdir().unwrap();
    made(
        dir.path(),
        "git init -q -b main .
echo '*.bin filter=weir diff=weir merge=weir -text' > .gitattributes
printf 'version 1\\noid 77\\n' > a.bin; printf 'pointer\\n' > b.bin; echo text > file
git add -A && git commit -qm base
git config filter.weir.clean 'weir-program clean -- %f'
git config filter.weir.smudge 'weir-program smudge -- %f'
git config filter.weir.process 'weir-program filter-process'
git config filter.weir.required true
git config --file .git/more 'filter.other.clean' false
git config include.path more
echo '*.txt filter=other' >> .git/info/attributes
touch -d 2020-01-01 a.bin b.bin",
    );
    for kind in [Kind::Namespace, Kind::Process] {
        let mut sandbox = start(kind, dir.path());
        assert_eq!(sandbox.diff(), "", "nobody has done anything");
        sandbox.run("echo new >> a.bin; echo more >> file; echo note > note.txt");
        let diff = sandbox.diff();
        sandbox.close();
        assert!(!diff.contains("b.bin"), "{diff}");
        let copy = tempfile::tempdir().unwrap();
        made(
            dir.path(),
            &format!("cp -a . {}", copy.path().join("w").display()),
        );
        let files = [
            ("a.bin", "version 1\noid 77\nnew\n"),
            ("file", "text\nmore\n"),
            ("note.txt", "note\n"),
        ];
        applies(&copy.path().join("w"), &diff, &files);
    }
}

/// A repository with a submodule that has one itself, and one that is empty.
fn with_submodules() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    made(
        dir.path(),
        "new() { git init -q -b main $1; echo $1 > $1/file; printf 'built\\n' > $1/.gitignore; (cd $1; git add -A; git commit -qm $1); }
new deep; new lib; new empty; new main
sub() { git -C $1 -c protocol.file.allow=always submodule add -q ../$2 \"$3\"; git -C $1 commit -qm $2; }
sub lib deep 'in side'
sub main lib vendor/lib
sub main empty hollow
git -C main -c protocol.file.allow=always submodule update -q --init --recursive
git -C main submodule deinit -q -f hollow
echo kept > main/vendor/lib/built",
    );
    dir
}

#[test]
fn what_is_edited_in_a_submodule_is_in_the_submission() {
    let dir = with_submodules();
    let main = dir.path().join("main");
    let mut sandbox = start(Kind::Namespace, &main);
    assert_eq!(sandbox.diff(), "", "nobody has done anything");
    sandbox.run(
        "echo own >> file
echo more >> vendor/lib/file; echo new > vendor/lib/new; echo kept > vendor/lib/built
echo deepest > 'vendor/lib/in side/file'
cd vendor/lib && git add file && git -c user.name=a -c user.email=a@b commit -qm work
echo there > ../../hollow/there",
    );
    let diff = sandbox.diff();
    sandbox.close();
    assert!(
        !diff.contains("Subproject") && !diff.contains("built"),
        "{diff}"
    );
    let files = [
        ("file", "main\nown\n"),
        ("vendor/lib/file", "lib\nmore\n"),
        ("vendor/lib/new", "new\n"),
        ("vendor/lib/in side/file", "deepest\n"),
        ("hollow/there", "there\n"),
    ];
    applies(&main, &diff, &files);
}

/// Whatever becomes of the submodule's own git.
#[test]
fn a_submodules_files_are_compared_whatever_becomes_of_its_git() {
    let dir = with_submodules();
    let main = dir.path().join("main");
    for script in [
        "rm -rf .git ../../.git/modules",
        "rm .git; git init -q . && git add -A && git -c user.name=a -c user.email=a@b commit -qm x",
        "git checkout -q --orphan other; git -c user.name=a -c user.email=a@b commit -qm y",
        "chmod 000 file",
        "cd ../..; git config submodule.recurse true; rm -rf .git",
    ] {
        let mut sandbox = start(Kind::Namespace, &main);
        sandbox.run(&format!("cd vendor/lib; echo more >> file; {script}"));
        let diff = sandbox.diff();
        sandbox.close();
        assert!(!diff.contains("Subproject"), "{script}: {diff}");
        let copy = tempfile::tempdir().unwrap();
        let copied = copy.path().join("w");
        made(&main, &format!("cp -a . {}", copied.display()));
        applies(&copied, &diff, &[("vendor/lib/file", "lib\nmore\n")]);
    }
    // One that is gone is a change of the repository itself.
    let mut sandbox = start(Kind::Namespace, &main);
    sandbox.run("rm -rf vendor/lib");
    let diff = sandbox.diff();
    assert!(diff.contains("deleted file mode 160000"), "{diff}");
    sandbox.close();
}

/// As a workspace has it that was copied out of a submodule, or out of a linked worktree: what it
/// leads to is not the copy's.
#[test]
fn a_git_file_of_a_copied_workspace_is_not_followed_out_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let wip = made(
        dir.path(),
        "git init -q -b main own; cd own; echo base > file; git add -A; git commit -qm base
git branch kept; git worktree add -q ../tree; git rev-parse kept",
    );
    let tree = dir.path().join("tree");
    let nowhere = dir.path().join("nowhere");
    made(
        dir.path(),
        "mkdir nowhere; echo base > nowhere/file; echo 'gitdir: ../.git/modules/x' > nowhere/.git
mkdir linked; echo base > linked/file; ln -s \"$PWD/own/.git\" linked/.git",
    );
    for kind in [Kind::Namespace, Kind::Process] {
        for workspace in [&tree, &nowhere, &dir.path().join("linked")] {
            let mut sandbox = start(kind, workspace);
            assert_eq!(sandbox.run("git log --format=%s"), "The base\n");
            sandbox.run("echo more >> file");
            let diff = sandbox.diff();
            assert!(diff.contains("+more") && !diff.contains(".git"), "{diff}");
            sandbox.close();
        }
    }
    let kept = "git -C own rev-parse kept; git -C own fsck 2>&1; git -C tree status --short";
    assert_eq!(made(dir.path(), kept), wip);
}

/// One that stays within is followed, and what is only there is gone all the same.
#[test]
fn a_git_file_that_stays_within_the_workspace_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let base = made(
        dir.path(),
        "git init -q -b main --separate-git-dir meta .; echo meta > .gitignore
echo base > file; git add -A; git commit -qm base; git rev-parse HEAD
git checkout -q -b next; echo future > file; git commit -qam future; git checkout -q main
echo \"gitdir: meta\" > .git",
    );
    let mut sandbox = start(Kind::Namespace, dir.path());
    assert_eq!(sandbox.sandbox.base(), base);
    let known = "git log --all --reflog --format=%s; git --git-dir=meta log --all --format=%s 2>/dev/null; git --git-dir=../.base.git log --all --format=%s";
    let known = sandbox.run(&format!("{known}; test -d .git"));
    assert!(
        known.contains("base") && !known.contains("future"),
        "{known}"
    );
    sandbox.run("echo more >> file");
    assert!(sandbox.diff().contains("+more"));
    sandbox.close();
}
