//! Merging without the task's own sandbox: git alone gives what the task's repository gives, or
//! leaves it to that.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use regatta::evaluation::clones::Clones;
use regatta::evaluation::merge::{self, Applied, Joined, Manner, Merge};
use regatta::evaluation::patch::PatchReading;
use regatta::evaluation::venue::{Room, spec};
use regatta::evaluation::{RuleSet, Trouble};
use regatta::sandbox::HostPlace;
use regatta::sandbox::{Backend, Source};

use crate::place::{Kind, backend, limits};

/// The id of the image that the workspace stands for.
const IMAGE: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A repository as images have it, with files that git leaves out.
const BASE: &str = r"git init -q -b main . && git config user.name t && git config user.email t@localhost
seq 20 > numbers && seq 10 > other && mkdir dir kept && seq 5 | tee dir/x > kept/x && echo 'int x;' > id.c
printf 'build/\n*.log\n' > .gitignore && echo 'id.c ident' > .gitattributes
git add -A && git commit -qm base && git checkout -q --detach
mkdir build && echo built > build/out && echo log > x.log && echo log > kept/y.log
mkdir .cache && echo '*' > .cache/.gitignore";

/// A workspace, the clone of it, and where both are worked in.
struct Lab {
    runtime: tokio::runtime::Runtime,
    place: tempfile::TempDir,
    clones: Clones,
}

impl Lab {
    /// With what a script makes of the repository of [`BASE`].
    fn new(change: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let workspace = place.path().join("repo");
        std::fs::create_dir(&workspace).unwrap();
        bash(&workspace, &format!("{BASE}\n{change}"));
        let limits = limits();
        let lab = Self {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            clones: Clones::new(
                place.path().join("clones"),
                backend(Kind::Namespace),
                &limits,
            ),
            place,
        };
        let make = async |room: &mut Room| {
            lab.clones.make(IMAGE, room).await;
            Ok(())
        };
        lab.in_workspace(make).unwrap();
        lab
    }

    fn in_workspace<T>(
        &self,
        work: impl AsyncFnOnce(&mut Room) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let limits = Arc::new(limits());
        let spec = spec(Source::Tree(self.workspace()), "merging", &limits);
        let backend = backend(Kind::Namespace);
        self.runtime
            .block_on(async { Room::within(&spec, &backend, work).await })
    }

    fn workspace(&self) -> PathBuf {
        self.place.path().join("repo")
    }

    fn why_not(&self) -> Option<String> {
        let mut found = std::fs::read_dir(self.place.path().join("clones")).unwrap();
        let dir = found.next().unwrap().unwrap().path();
        assert!(found.next().is_none());
        assert!(dir.is_dir());
        let read = std::fs::read_to_string(dir.join("why-not")).ok();
        assert_eq!(read.is_none(), dir.join(".git/HEAD").is_file());
        read
    }

    /// What an agent submits that does this.
    fn patch(&self, script: &str) -> Vec<u8> {
        let submit = "git add -A -f . ':!build/out' ':!*.log' ':!.cache/.gitignore' && git diff --cached --binary HEAD";
        let copy = tempfile::tempdir().unwrap();
        let to = copy.path().display().to_string();
        bash(&self.workspace(), &format!("cp -a . '{to}'"));
        bash(copy.path(), &format!("{script}\n{submit}"))
    }

    fn by_workspace(&self, patches: [&[u8]; 2], rules: RuleSet) -> Merge {
        self.as_read(patches, upstreams(rules))
    }

    fn as_read(&self, patches: [&[u8]; 2], manner: Manner) -> Merge {
        let merge = async |room: &mut Room| merge::merge(room, patches, manner).await;
        self.in_workspace(merge).unwrap()
    }

    /// The same clones on a machine where nothing can be started.
    fn on_a_bare_machine(&self) -> Clones {
        let Backend::Namespace(place) = backend(Kind::Namespace) else {
            panic!("no namespace");
        };
        let bare = HostPlace {
            rootfs: self.place.path().join("repo/dir"),
            tools: Arc::clone(&place.tools),
            groups: None,
            network_by: regatta::config::NetworkBy::Auto,
        };
        let dir = self.place.path().join("clones");
        Clones::new(dir, Backend::Namespace(Arc::new(bare)), &limits())
    }

    fn by_git_alone(&self, patches: [&[u8]; 2], rules: RuleSet) -> Option<Merge> {
        self.alone_as_read(patches, upstreams(rules))
    }

    fn alone_as_read(&self, patches: [&[u8]; 2], manner: Manner) -> Option<Merge> {
        let merge = self.clones.merge(IMAGE, "merging", patches, manner);
        self.runtime.block_on(merge).unwrap()
    }
}

const fn upstreams(rules: RuleSet) -> Manner {
    Manner {
        rules,
        reading: PatchReading::Upstreams,
    }
}

/// How our own engine's submissions are merged.
const fn as_it_is(rules: RuleSet) -> Manner {
    Manner {
        rules,
        reading: PatchReading::AsItIs,
    }
}

fn bash(dir: &Path, script: &str) -> Vec<u8> {
    let output = Command::new("bash")
        .args(["-c", &format!("set -e\n{script}")])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
    output.stdout
}

/// A patch that adds a file of one line.
fn added(path: &str, mode: &str) -> Vec<u8> {
    format!("diff --git a/{path} b/{path}\nnew file mode {mode}\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n").into()
}

const BOTH_RULES: [RuleSet; 2] = [RuleSet::V0_0_29, RuleSet::V0_0_11];
const EDIT: &str = "sed -i '2s/$/ two/' numbers";

#[test]
fn git_alone_merges_as_the_tasks_repository_does() {
    let lab = Lab::new("");
    assert_eq!(lab.why_not(), None);
    for (what, one, two) in [
        ("different places", EDIT, "sed -i '18s/$/ more/' numbers"),
        ("a conflict", EDIT, "sed -i '2s/$/ deux/' numbers"),
        ("the same place of another file", EDIT, "sed -i 2d other"),
        ("the first is empty", "", EDIT),
        ("the second is empty", EDIT, ""),
        ("both are empty", "", ""),
        ("identical", EDIT, EDIT),
        ("a rename and an edit", "git mv numbers dir/n", EDIT),
        ("both rename", "git mv numbers one", "git mv numbers two"),
        ("a deletion and an edit", "rm numbers", EDIT),
        ("both add", "echo 1 > new", "echo 2 > new"),
        ("a directory goes", "git mv dir there", "echo 6 > dir/y"),
        (
            "modes and bytes",
            "chmod +x other",
            "printf '\\0\\1' > bytes; git mv other 'an other'",
        ),
    ] {
        let (one, two) = (lab.patch(one), lab.patch(two));
        for rules in BOTH_RULES {
            let wanted = lab.by_workspace([&one, &two], rules);
            assert!(!wanted.in_clone);
            let wanted = Merge {
                in_clone: true,
                ..wanted
            };
            let merged = lab.by_git_alone([&one, &two], rules);
            assert_eq!(merged, Some(wanted), "{what}, by {}", rules.name());
        }
    }
}

#[test]
fn what_a_working_tree_has_a_say_in_is_left_to_it() {
    let lab = Lab::new("");
    assert_eq!(lab.why_not(), None);
    let garbage = "diff --git a/other b/other\n--- a/other\n+++ b/other\n@@ -1,2 +1,2 @@\n-nothing\n+x\n like it\n";
    let submodule = format!(
        "diff --git a/sub b/sub\nnew file mode 160000\n--- /dev/null\n+++ b/sub\n@@ -0,0 +1 @@\n+Subproject commit {}\n",
        "1".repeat(40)
    );
    for (what, patch) in [
        ("does not apply", garbage.into()),
        ("a submodule", submodule.into_bytes()),
        ("a file where a directory is", added("dir", "100644")),
        (
            "a file that is there, and left out",
            added("x.log", "100644"),
        ),
        ("a new one of that kind", added("y.log", "100644")),
        (
            "one in a directory that leaves itself out",
            added(".cache/new", "100644"),
        ),
        ("a file where such files are", added("build", "100644")),
        (
            "a directory with such files becomes a file",
            lab.patch("rm -r kept; echo > kept"),
        ),
        ("a link", lab.patch("ln -s other link")),
        ("a directory as an entry", added("tree", "040000")),
        (
            "a name that no file can have",
            added(&"n".repeat(256), "100644"),
        ),
        (
            "a directory named as git's own file",
            added("dir/.gitattributes/x", "100644"),
        ),
        ("nothing is left out now", lab.patch("echo > .gitignore")),
        (
            "other attributes",
            lab.patch("echo '* text' > .gitattributes"),
        ),
        (
            "what git converts",
            lab.patch("echo '/* $Id: 1 $ */' >> id.c"),
        ),
        ("carriage returns", lab.patch("printf 'a\\0\\r\\n' > bytes")),
    ] {
        for patches in [
            [&*patch, &lab.patch(EDIT)],
            [&lab.patch(EDIT), &*patch],
            [&*patch; 2],
        ] {
            for rules in BOTH_RULES {
                assert_eq!(lab.by_git_alone(patches, rules), None, "{what}");
            }
        }
    }
    // That it matters: what git no longer leaves out is in the merge.
    let shows = lab.patch("echo > .gitignore");
    let merged = lab.by_workspace([&shows, b""], RuleSet::V0_0_29);
    assert_eq!(merged.applied, [Applied::Applied, Applied::Skipped]);
    let Joined::Clean(patch) = merged.joined else {
        panic!("no clean merge");
    };
    assert!(String::from_utf8_lossy(&patch).contains("b/x.log"));
}

#[test]
fn an_image_that_has_a_say_in_merges_has_no_clone() {
    for (change, why) in [
        (
            "git branch agent1/x",
            "it has branches named like the agents",
        ),
        ("touch .git/index.lock", "its index is locked"),
        (
            "mv .git .real && echo 'gitdir: .real' > .git",
            "its repository is elsewhere",
        ),
        (
            "echo .gitattributes >> .git/info/exclude && echo > dir/.gitattributes",
            "it has settings that are left out",
        ),
        ("echo > untracked", "its working tree is not the base"),
        ("echo more >> other", "its working tree is not the base"),
        (
            "git update-index --assume-unchanged other; echo more >> other",
            "its index hides files",
        ),
        (
            "printf '#!/bin/sh\\nexit 1' > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit",
            "it has the hook pre-commit",
        ),
        (
            "git config core.autocrlf input",
            "its git has the setting core.autocrlf",
        ),
        (
            "git config merge.renames false",
            "its git has the setting merge.renames",
        ),
        ("git config core.filemode false", "its git ignores modes"),
        (
            "echo '* -diff' > .git/info/attributes",
            "it has .git/info/attributes",
        ),
        (
            "git replace HEAD $(git commit-tree -m x HEAD^{tree})",
            "it has replaced objects",
        ),
        (
            "git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),sub && mkdir sub && git commit -qm sub",
            "it has submodules",
        ),
        (
            "head -c 101M /dev/urandom > large && git add large && git commit -qm large",
            "it is too large",
        ),
    ] {
        let lab = Lab::new(change);
        assert_eq!(lab.why_not().as_deref(), Some(why), "{change}");
        let patch = added("new", "100644");
        assert_eq!(lab.by_git_alone([&patch, b""], RuleSet::V0_0_29), None);
    }
}

/// Ids are as long as in the image, and what it leaves out by its own list is left out here.
#[test]
fn a_clone_knows_what_its_image_knows() {
    let lab = Lab::new(
        "echo secret > .git/info/exclude && for i in $(seq 20000); do printf 'blob\\ndata %s\\n%s\\n' ${#i} $i; done | git fast-import --quiet",
    );
    assert_eq!(lab.why_not(), None);
    let patch = lab.patch(EDIT);
    let merged = lab.by_git_alone([&patch, b""], RuleSet::V0_0_29).unwrap();
    let wanted = lab.by_workspace([&patch, b""], RuleSet::V0_0_29);
    assert_eq!(merged.joined, wanted.joined);
    let secret = lab.patch("echo > secret");
    assert_eq!(lab.by_git_alone([&secret, b""], RuleSet::V0_0_29), None);
}

#[test]
fn a_machine_that_cannot_is_asked_once() {
    let lab = Lab::new("");
    let patch = lab.patch(EDIT);
    let clones = lab.on_a_bare_machine();
    let merge = || {
        let merge = clones.merge(IMAGE, "merging", [&patch, b""], upstreams(RuleSet::V0_0_29));
        lab.runtime.block_on(merge)
    };
    let error = merge().unwrap_err();
    assert!(error.text.contains("could not be started"), "{error}");
    assert_eq!(merge(), Ok(None));
}

/// The work that a merge gave.
fn merged(merge: Merge) -> Vec<u8> {
    match merge.joined {
        Joined::Clean(patch) | Joined::Union(patch) | Joined::Identical(patch) => patch,
        Joined::Conflict => panic!("a conflict"),
    }
}

const BYTES: &str = r"printf 'a\0\377\r\n' > bytes";

/// Upstream's merges leave only that such a file differs, and then nothing applies.
#[test]
fn a_merge_byte_for_byte_keeps_what_is_no_text() {
    let lab = Lab::new("");
    let (bytes, edit) = (lab.patch(r"printf 'a\0\377' > bytes"), lab.patch(EDIT));
    for rules in BOTH_RULES {
        for patches in [[&*bytes, &*edit], [&*edit, &*bytes], [&*bytes, &*bytes]] {
            let lossy =
                String::from_utf8_lossy(&merged(lab.by_workspace(patches, rules))).into_owned();
            assert!(lossy.contains("Binary files"), "{lossy}");
            let whole = lab.as_read(patches, as_it_is(rules));
            let alone = lab.alone_as_read(patches, as_it_is(rules)).unwrap();
            assert_eq!(alone.joined, whole.joined);
            let whole = merged(whole);
            // It is the patches' own bytes, and git takes it.
            for patch in patches {
                assert!(contains(&whole, content(patch)));
            }
            std::fs::write(lab.place.path().join("merged.patch"), &whole).unwrap();
            bash(&lab.workspace(), "git apply --check ../merged.patch");
        }
    }
    // Without such a file both are the same, to the byte.
    let other = lab.patch("sed -i '18s/$/ more/' numbers");
    for rules in BOTH_RULES {
        let patches = [&*edit, &*other];
        assert_eq!(
            lab.as_read(patches, as_it_is(rules)).joined,
            lab.by_workspace(patches, rules).joined
        );
    }
}

/// What follows a patch's header.
fn content(patch: &[u8]) -> &[u8] {
    let start = patch.windows(6).position(|at| at == b"index ").unwrap();
    &patch[start..]
}

fn contains(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|at| at == part)
}

#[test]
fn line_ends_of_a_file_are_merged_as_they_are() {
    let lab = Lab::new("seq 30 | sed 's/$/\\r/' > dos && git add dos && git commit -qm dos");
    let one = lab.patch("sed -i '3s/\\r/ three\\r/' dos");
    let two = lab.patch("sed -i '27s/\\r/ more\\r/' dos");
    for rules in BOTH_RULES {
        let whole = merged(lab.as_read([&one, &two], as_it_is(rules)));
        for line in ["+3 three\r\n", "+27 more\r\n"] {
            assert!(contains(&whole, line.as_bytes()), "{line}");
        }
        // Git alone leaves such files to the repository.
        assert_eq!(lab.alone_as_read([&one, &two], as_it_is(rules)), None);
    }
}

#[test]
fn a_conflict_is_told_of_with_its_files_and_places() {
    let lab = Lab::new("");
    let one = lab.patch(&format!(
        "{EDIT}; sed -i '2s/$/ zwei/' kept/x; rm other; {BYTES}; git mv dir/x dir/one"
    ));
    let two = lab.patch(
        "sed -i '2s/$/ deux/' numbers; sed -i '2s/$/ dos/' kept/x; sed -i 2d other; printf '\\0' > bytes; git mv dir/x dir/two",
    );
    for rules in BOTH_RULES {
        let merge = lab.by_workspace([&one, &two], rules);
        assert_eq!(merge.refused, [None, None]);
        let conflict = merge.conflict.unwrap();
        let told: Vec<_> = conflict
            .files
            .iter()
            .map(|file| (file.path.as_str(), file.how.as_str(), file.hunks.len()))
            .collect();
        assert_eq!(
            told,
            [
                ("bytes", "both added it", 0),
                ("dir/one", "agent1 added or moved it here", 0),
                ("dir/two", "agent2 added or moved it here", 0),
                (
                    "dir/x",
                    "both moved it, or one moved and the other deleted it",
                    0
                ),
                ("kept/x", "both changed it", 1),
                ("numbers", "both changed it", 1),
                ("other", "agent1 deleted or moved it, agent2 changed it", 0),
            ]
        );
        assert_eq!(
            conflict.files[5].hunks[0],
            "<<<<<<< agent2\n2 deux\n||||||| base\n2\n=======\n2 two\n>>>>>>> agent1\n"
        );
        assert_eq!((conflict.more_files, conflict.files[5].more_hunks), (0, 0));
    }
}

#[test]
fn what_git_says_of_a_patch_that_it_refuses_is_kept() {
    let lab = Lab::new("");
    let gone = "diff --git a/gone b/gone\n--- a/gone\n+++ b/gone\n@@ -1 +1 @@\n-1\n+2\n";
    let merge = lab.by_workspace([gone.as_bytes(), &lab.patch(EDIT)], RuleSet::V0_0_29);
    assert_eq!(merge.applied, [Applied::Failed, Applied::Applied]);
    let said = "error: gone: No such file or directory".to_owned();
    assert_eq!(merge.refused, [Some(said), None]);
}
