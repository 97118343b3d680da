//! The repository: what an agent can see of the future, and what counts as its submission.

use std::path::Path;
use std::process::{Command, Output};

use regatta::bench::RuleId;
use regatta::sandbox::{Source, Spec};

use crate::place::{Box_, Kind};

/// A clone as task images have it: later commits on branches and tags, a remote, a reflog, and a
/// commit that only the reflog knows. Prints the base commit, where it is left.
const FUTURE: &str = "set -e
git config user.name t && git config user.email t@localhost
base=$(git rev-parse HEAD) && git checkout -q -B main
echo future > file && git add -A && git commit -qm future && git tag v2 && git branch next
echo dropped > file && git commit -qam dropped && git reset -q --hard HEAD~1
git remote add origin https://example.com/x.git
git update-ref refs/remotes/origin/main HEAD
git checkout -q $base
echo $base";

fn clone_with_a_future(dir: &Path) -> String {
    let begin = "git init -q -b main . && echo base > file && printf 'ignored\\n' > .gitignore && \
         git add -A && git -c user.name=t -c user.email=t@localhost commit -qm base";
    let script = format!("{begin}\n{FUTURE}");
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(dir)
        .output()
        .unwrap();
    printed(&output)
}

/// What a command printed that must have succeeded.
#[track_caller]
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[track_caller]
fn nothing_of_the_future_is_seen(sandbox: &mut Box_, base: &str) {
    assert_eq!(sandbox.sandbox.base(), base);
    for git in ["git", "git --git-dir=../.base.git"] {
        let known = sandbox.run(&format!("{git} log --all --reflog --format=%s"));
        assert!(known.lines().count() > 0, "{known}");
        assert!(
            !known.contains("future") && !known.contains("dropped"),
            "{known}"
        );
    }
    let objects = "git cat-file --batch-all-objects --batch-check='%(objecttype)' | grep -c commit";
    assert_eq!(
        sandbox.run(objects),
        sandbox.run("git rev-list --count HEAD")
    );
    assert_eq!(
        sandbox.run("git remote; git tag; git branch --format='%(refname:short)'"),
        "agent1\n"
    );
}

#[test]
fn the_future_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let base = clone_with_a_future(dir.path());
    let workspace = Source::Tree(dir.path().to_owned());
    let mut sandbox = Box_::with(Kind::Namespace, |spec| spec.source = workspace).unwrap();
    nothing_of_the_future_is_seen(&mut sandbox, &base);
    sandbox.close();
}

/// The same of an image, whose repository is made ready once for all that begin with it: what one does
/// to it, and to git's files beside it, no other sees.
#[test]
fn in_an_image_the_future_is_gone_for_each_sandbox() {
    let dir = tempfile::tempdir().unwrap();
    let base = clone_with_a_future(dir.path());
    let name = "test/future:latest";
    crate::image::add_repository(name, dir.path());
    let backend = crate::place::backend(Kind::Oci);
    let start = |agent: &str| {
        let change = |spec: &mut Spec| {
            spec.source = Source::Image(name.to_owned());
            spec.agent = agent.to_owned();
        };
        Box_::on(backend.clone(), change).unwrap()
    };
    for _ in 0..2 {
        let mut sandbox = start("agent1");
        nothing_of_the_future_is_seen(&mut sandbox, &base);
        assert_eq!(
            sandbox.run("git status --short; ls -A"),
            ".git\n.gitignore\nfile\n"
        );
        assert_eq!(sandbox.diff(), "");
        sandbox.run(
            "echo mine > own; git add own; git commit -qm own; git branch other; echo more >> file",
        );
        let diff = sandbox.diff();
        assert!(diff.contains("+mine") && diff.contains("+more"), "{diff}");
        sandbox.run("find .. -type f -path '*.git/*' -exec chmod u+w {} + -exec sh -c 'for file; do echo broken > $file; done' sh {} +");
        sandbox.fails("git status");
        sandbox.close();
    }
    let mut sandbox = start("agent2");
    let own = "git branch --format='%(refname:short)'; git config user.email";
    assert_eq!(sandbox.run(own), "agent2\nagent2@localhost\n");
    assert_eq!(sandbox.sandbox.base(), base);
    sandbox.close();
}

fn docker(args: &[&str]) -> Output {
    Command::new("docker").args(args).output().unwrap()
}

/// The same of an image; and the volume that it declares goes with its container.
#[test]
#[ignore = "needs Docker: just e2e"]
fn in_docker_the_future_is_gone_and_no_volume_stays() {
    let name = format!("regatta-future-{}", std::process::id());
    let image = "akhatua/cooperbench-harbor:task1";
    let made = docker(&[
        "run",
        "--name",
        &name,
        "--entrypoint",
        "bash",
        image,
        "-c",
        FUTURE,
    ]);
    docker(&["commit", "--change", "VOLUME /scratch", &name, &name]);
    docker(&["rm", &name]);
    let base = printed(&made);

    let mut sandbox = Box_::with(Kind::Docker, |spec| {
        spec.source = Source::Image(name.clone());
    })
    .unwrap();
    nothing_of_the_future_is_seen(&mut sandbox, &base);
    sandbox.run("echo kept > /scratch/file");
    let filter = format!("ancestor={name}");
    let container = printed(&docker(&["ps", "-q", "--filter", &filter]));
    let mounts = "{{range .Mounts}}{{.Name}}{{end}}";
    let volume = printed(&docker(&["inspect", "--format", mounts, &container]));
    printed(&docker(&["volume", "inspect", &volume]));
    sandbox.close();
    assert!(!docker(&["volume", "inspect", &volume]).status.success());
    docker(&["rmi", &name]);
}

/// What an agent does to its repository, and the files that its submission must then name.
const WAYS: [(&str, &[&str]); 13] = [
    (
        "mkdir sub && git init -q sub && echo x > sub/new",
        &["sub/new"],
    ),
    ("echo x > new && chmod 000 new", &["new"]),
    (
        "echo x > new && touch .git/index.lock ../.base.git/index.lock",
        &["new"],
    ),
    (
        "echo x > new && git --git-dir=../.base.git replace HEAD $(git --git-dir=../.base.git commit-tree -m x HEAD^{tree})",
        &["new"],
    ),
    (
        "echo x > new && echo 'echo noise' > ~/.bash_profile && chmod +x ~/.bash_profile",
        &["new"],
    ),
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
        sandbox.try_run(script).unwrap();
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
fn in_an_image_whatever_becomes_of_git_the_work_is_submitted() {
    whatever_becomes_of_git_the_work_is_submitted(Kind::Oci);
}

#[test]
#[ignore = "needs Docker: just e2e"]
fn in_docker_whatever_becomes_of_git_the_work_is_submitted() {
    whatever_becomes_of_git_the_work_is_submitted(Kind::Docker);
}

#[test]
fn a_binary_file_and_a_mode_are_in_the_submission() {
    for kind in [Kind::Namespace, Kind::Oci] {
        let mut sandbox = Box_::start(kind);
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
}

/// What git gives is what is submitted, to the last byte: text in another encoding, and the blank
/// line that ends a binary patch.
#[test]
fn a_submission_applies_whatever_is_in_it() {
    for kind in [Kind::Namespace, Kind::Oci] {
        let mut sandbox = Box_::start(kind);
        sandbox.run("printf 'caf\\351\\r\\nno newline' > latin1.txt; head -c 3000 /dev/urandom > z.bin; cp z.bin ../kept.bin");
        let Box_ {
            runtime,
            sandbox: inner,
            ..
        } = &mut sandbox;
        let diff = runtime.block_on(inner.diff()).unwrap();
        assert!(
            diff.ends_with(b"\n\n"),
            "a binary patch ends in a blank line"
        );
        runtime
            .block_on(inner.write("/tmp/submission", &diff))
            .unwrap();
        let applied = "git stash -qu && git apply /tmp/submission 2>/dev/null && cmp z.bin ../kept.bin && tail -n 1 latin1.txt";
        assert_eq!(sandbox.run(applied), "no newline");
        sandbox.close();
    }
}

#[test]
fn a_full_disk_leaves_room_for_the_submission() {
    for kind in [Kind::Namespace, Kind::Oci] {
        let mut sandbox = Box_::with(kind, |spec| {
            let mut limits = crate::place::limits();
            limits.memory_bytes = Some(16 << 20);
            spec.limits = std::sync::Arc::new(limits);
        })
        .unwrap();
        sandbox
            .try_run("echo x > new; head -c 100000000 /dev/urandom > ../big")
            .unwrap();
        assert!(sandbox.diff().contains("b/new"));
        // What is too large for that is refused, and is no empty submission.
        let script = "rm ../big; head -c 5000000 /dev/urandom > large; head -c 100000000 /dev/urandom > ../big";
        sandbox.try_run(script).unwrap();
        let Box_ {
            runtime,
            sandbox: inner,
            ..
        } = &mut sandbox;
        let refused = runtime.block_on(inner.diff()).unwrap_err();
        assert_eq!(refused.rule(), RuleId::SANDBOX_REFUSED);
        assert!(refused.to_string().contains("No space left"), "{refused}");
        sandbox.close();
    }
}

/// What an image had changed itself is nobody's work, until somebody changes it.
#[test]
fn what_the_image_had_changed_is_no_part_of_a_submission() {
    let dir = tempfile::tempdir().unwrap();
    clone_with_a_future(dir.path());
    std::fs::write(dir.path().join("artifact"), "built\n").unwrap();
    std::fs::write(dir.path().join("file"), "patched by the image\n").unwrap();
    let start = || {
        let workspace = Source::Tree(dir.path().to_owned());
        Box_::with(Kind::Namespace, |spec| spec.source = workspace).unwrap()
    };
    let mut sandbox = start();
    sandbox.run("echo mine > new");
    let diff = sandbox.diff();
    assert!(
        diff.contains("b/new") && !diff.contains("artifact") && !diff.contains("image"),
        "{diff}"
    );
    sandbox.close();
    let mut sandbox = start();
    sandbox.run("echo more >> artifact; rm -f file");
    let diff = sandbox.diff();
    assert!(
        diff.contains("+built") && diff.contains("+more") && diff.contains("deleted file"),
        "{diff}"
    );
    sandbox.close();
}

/// Paths that an index is told not to look at are looked at all the same.
#[test]
fn a_path_that_git_was_told_to_overlook_is_not_overlooked() {
    let dir = tempfile::tempdir().unwrap();
    clone_with_a_future(dir.path());
    let told = Command::new("git")
        .args(["update-index", "--assume-unchanged", "file"])
        .current_dir(dir.path())
        .status();
    assert!(told.unwrap().success());
    let workspace = Source::Tree(dir.path().to_owned());
    let mut sandbox = Box_::with(Kind::Namespace, |spec| spec.source = workspace).unwrap();
    sandbox.run("echo changed > file");
    assert!(sandbox.diff().contains("+changed"));
    sandbox.close();
}

#[test]
fn a_repository_that_cannot_be_readied_says_so_before_the_agent_starts() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join(".git")).unwrap();
    let workspace = Source::Tree(dir.path().to_owned());
    let Err(error) = Box_::with(Kind::Namespace, |spec| spec.source = workspace) else {
        panic!("a repository without anything in it was readied");
    };
    assert_eq!(error.rule(), RuleId::REPOSITORY_UNUSABLE);
    assert!(
        error.to_string().contains("not a git repository"),
        "{error}"
    );
}

#[test]
fn a_pipe_in_the_place_of_a_file_holds_up_nothing() {
    for kind in [Kind::Namespace, Kind::Oci] {
        let mut sandbox = Box_::start(kind);
        sandbox.run("mkfifo patch.txt");
        let Box_ {
            runtime,
            sandbox: inner,
            ..
        } = &mut sandbox;
        let refused = runtime.block_on(inner.read("patch.txt", 100)).unwrap_err();
        assert!(refused.to_string().contains("no plain file"), "{refused}");
        sandbox.close();
    }
}
