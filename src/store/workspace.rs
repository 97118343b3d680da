//! What a directory with a task's repository gives a sandbox, by digest.
//!
//! Its files count byte for byte, whether git tracks them or not: a sandbox gets a copy of all. Of a
//! `.git` counts what has a say in files, patches and merges, and nothing else, so that a clone or a
//! clean-up of the same commit is the same.

use std::path::{Component, Path};

use super::manifest::digest;
use crate::bench::World;
use crate::files::{self, Taken};

/// The world of a task whose repository is in this directory; `None` where it cannot be read.
#[must_use]
pub fn world_of(dir: &Path) -> Option<World> {
    // What is not there has no content, and an empty directory has one.
    if !dir.is_dir() {
        return None;
    }
    let take = |path: &Path, meta: &std::fs::Metadata| {
        let is_git = path.file_name().is_some_and(|name| name == ".git");
        match (is_git, meta.is_dir()) {
            (true, true) => Taken::As(of_git(&dir.join(path)).into_bytes()),
            // It leads elsewhere, by a path that is of this machine.
            (true, false) => Taken::Nothing,
            (false, true) => Taken::Inside,
            (false, false) => Taken::Whole,
        }
    };
    files::tree_digest(dir, take).ok().map(World::WorkTree)
}

/// The same by the digest of older versions, for what they pinned.
#[must_use]
pub fn older_world_of(dir: &Path) -> Option<World> {
    if !dir.is_dir() {
        return None;
    }
    let take = |path: &Path, _: &std::fs::Metadata| {
        if LEFT_OUT.iter().any(|left_out| path == Path::new(left_out)) {
            Taken::Nothing
        } else {
            Taken::Whole
        }
    };
    let tree = files::tree_digest(dir, take).ok()?;
    Some(World::Workspace(match head(&dir.join(".git")) {
        Some(head) => digest(format!("{tree} {head}").as_bytes()),
        None => tree,
    }))
}

/// What older versions left out. The list was never complete: `git gc` writes `.git/info/refs`.
const LEFT_OUT: [&str; 10] = [
    ".git/HEAD",
    ".git/objects",
    ".git/refs",
    ".git/packed-refs",
    ".git/logs",
    ".git/index",
    ".git/FETCH_HEAD",
    ".git/ORIG_HEAD",
    ".git/COMMIT_EDITMSG",
    ".git/gc.log",
];

/// The commit that a `.git` is at, and what of it has a say in files, patches and merges.
fn of_git(git: &Path) -> String {
    let read = |name: &str| {
        let bytes = files::read(&git.join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let lines_of = |name: &str| -> Vec<String> {
        let text = read(name);
        let lines = text.lines().map(str::trim);
        let said = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        said.map(|line| format!("{name}: {line}")).collect()
    };
    let is_sample = |path: &Path| path.extension().is_some_and(|ext| ext == "sample");
    let hooks = files::tree_digest(&git.join("hooks"), |path, meta| {
        match (is_sample(path), meta.is_dir()) {
            (true, _) => Taken::Nothing,
            (_, true) => Taken::Inside,
            _ => Taken::Whole,
        }
    });
    let mut said = vec![
        format!("HEAD: {}", head(git).unwrap_or_default()),
        format!("hooks: {}", hooks.unwrap_or_default()),
    ];
    said.extend(lines_of("info/attributes"));
    said.extend(lines_of("info/exclude"));
    said.extend(settings(&read("config")));
    said.join("\n")
}

/// Sections of git's configuration that have a say in files, patches and merges.
const SECTIONS: [&str; 5] = ["apply", "filter", "include", "includeif", "merge"];

/// Keys of its section `core` that have, each with the value that it has without being set, where
/// `git init` may set that.
const OF_CORE: [(&str, &str); 10] = [
    ("attributesfile", ""),
    ("autocrlf", "false"),
    ("eol", "native"),
    ("excludesfile", ""),
    ("filemode", "true"),
    ("hookspath", ""),
    ("ignorecase", "false"),
    ("sparsecheckout", "false"),
    ("symlinks", "true"),
    ("worktree", ""),
];

/// The settings of a configuration that have a say, in their order.
fn settings(config: &str) -> Vec<String> {
    let mut section = "";
    let mut found = Vec::new();
    for line in config.lines() {
        let mut line = line.trim();
        let head = line.strip_prefix('[').and_then(|it| it.split_once(']'));
        if let Some((name, rest)) = head {
            (section, line) = (name.trim(), rest.trim());
        }
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, "true"));
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        let name = section.split([' ', '\t', '"', '.']).next();
        let name = name.unwrap_or_default().to_ascii_lowercase();
        let has_a_say = match name.as_str() {
            "core" => {
                let known = OF_CORE.iter().find(|(known, _)| *known == key);
                known.is_some_and(|(_, usual)| *usual != value)
            }
            name => SECTIONS.contains(&name),
        };
        if has_a_say {
            found.push(format!("config: [{section}] {key} = {value}"));
        }
    }
    found
}

/// The commit that a `.git` is at; `None` where there is none, or git would have to be asked.
fn head(git: &Path) -> Option<String> {
    let read = |name: &str| files::read_text(&git.join(name)).ok();
    let head = read("HEAD")?;
    let Some(name) = head.trim().strip_prefix("ref: ") else {
        return Some(head.trim().to_owned());
    };
    // A name from a file is no way out of the directory.
    let is_inside = Path::new(name)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let loose = || {
        let commit = is_inside.then(|| read(name)).flatten()?;
        Some(commit.trim().to_owned())
    };
    let packed = || {
        let all = read("packed-refs")?;
        let mut lines = all.lines().filter_map(|line| line.split_once(' '));
        lines
            .find(|(_, known)| *known == name)
            .map(|(commit, _)| commit.to_owned())
    };
    loose().or_else(packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository at a commit, as git leaves it on disk.
    fn repository(files: &[(&str, &str)]) -> Option<World> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            files::create_dir(path.parent().unwrap()).unwrap();
            files::write_in_place(&path, text.as_bytes()).unwrap();
        }
        world_of(dir.path())
    }

    const LOOM: (&str, &str) = ("loom.sh", "weave");
    const HEAD: (&str, &str) = (".git/HEAD", "aaaa\n");

    #[test]
    fn a_repository_is_its_files_and_its_commit_however_git_keeps_it() {
        let same = repository(&[LOOM, HEAD]);
        assert!(same.is_some());
        let at = |commit: &str| {
            let head = (".git/HEAD", "ref: refs/heads/main\n");
            repository(&[LOOM, head, (".git/refs/heads/main", commit)])
        };
        assert_eq!(at("aaaa\n"), same);
        assert_ne!(at("bbbb\n"), same);
        let refs = "# pack-refs with: peeled\nbbbb refs/heads/other\naaaa refs/heads/main\n";
        let packed = repository(&[
            LOOM,
            (".git/HEAD", "ref: refs/heads/main\n"),
            (".git/packed-refs", refs),
            (".git/objects/pack/x", "packed"),
        ]);
        assert_eq!(packed, same);
        let edited = repository(&[("loom.sh", "spin"), HEAD]);
        assert_ne!(edited, same);
    }

    #[test]
    fn of_git_counts_what_has_a_say_and_nothing_else() {
        let same = repository(&[LOOM, HEAD]);
        let with =
            |name: &str, text: &str| repository(&[LOOM, HEAD, (&format!(".git/{name}"), text)]);
        for (name, text) in [
            ("info/refs", "aaaa\trefs/heads/main\n"),
            ("info/exclude", "# git ls-files --others\n\n"),
            ("hooks/pre-commit.sample", "exit 1"),
            ("description", "Unnamed repository"),
            ("branches/old", ""),
            (
                "config",
                "[core]\n\tfilemode = true\n\tbare = false\n\tautocrlf=false\n[remote \"origin\"]\n\turl = x\n[branch \"main\"]\n\tmerge = refs/heads/main\n",
            ),
        ] {
            assert_eq!(with(name, text), same, "{name}");
        }
        for (name, text) in [
            ("info/attributes", "*.sh text eol=crlf\n"),
            ("info/exclude", "# mine\n*.log\n"),
            ("hooks/post-commit", "x"),
            ("config", "[Core]\n\tautoCRLF = true\n"),
            ("config", "[core] symlinks = false\n"),
            ("config", "[filter \"case\"]\n\tclean = tr a-z A-Z\n"),
            ("config", "[include]\n\tpath = ../more\n"),
        ] {
            assert_ne!(with(name, text), same, "{name} {text}");
        }
    }

    #[test]
    fn what_is_not_there_has_no_digest_and_no_name_leads_outside() {
        assert_eq!(world_of(Path::new("/nonexistent/loom")), None);
        let strange = repository(&[(".git/HEAD", "ref: ../../../etc/hostname\n")]);
        assert_eq!(
            strange,
            repository(&[(".git/HEAD", "ref: /etc/hostname\n")])
        );
    }
}
