//! Images for the tests, made of this machine's programs: an ordinary user has nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use regatta::images::{Compression, Digest, ImageConfig, Store, StoredImage};

/// Copies programs with their libraries into the directory that it runs in.
const PROGRAMS: &str = r#"
need() {
  [ -e ".$1" ] && return
  mkdir -p ".${1%/*}"
  cp -L "$1" ".$1"
  for lib in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do need "$lib"; done
}
for program in bash sh git git-upload-pack git-receive-pack cat cp mv rm ls mkdir rmdir touch head tail sort cut tr wc seq id env date sleep \
  tee stat chmod chown chgrp ln mktemp nproc timeout nohup dd df du true false printf echo basename dirname readlink realpath \
  uname hostname kill nice sync truncate install test expr od cmp comm uniq mkfifo mknod tty stty fallocate \
  grep sed awk find xargs tar gzip xz ps pgrep prlimit taskset setsid unshare script mount umount renice ionice chrt ipcs \
  diff dpkg dpkg-deb dpkg-split dpkg-query dpkg-trigger start-stop-daemon ldconfig apt-get apt-cache apt-config setpriv; do
  found=$(PATH=$PATH:/usr/sbin:/sbin command -v "$program") || continue
  case $found in /*) need "$found";; esac
  case $program in sh|bash) need "/bin/$program";; env) need /usr/bin/env;; esac
done
for method in copy file store; do [ ! -e /usr/lib/apt/methods/$method ] || need /usr/lib/apt/methods/$method; done
mkdir -p etc/apt/apt.conf.d etc/apt/preferences.d var/lib/dpkg/info var/lib/dpkg/updates var/lib/apt/lists/partial \
  var/cache/apt/archives/partial var/log/apt tmp root/deep/er run srv usr/share/dpkg opt/old
touch var/lib/dpkg/status var/lib/dpkg/available
cp /usr/share/dpkg/*table usr/share/dpkg/ 2>/dev/null || true
printf 'root:x:0:0:root:/root:/bin/bash\n_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\nnobody:x:65534:65534::/:/bin/sh\n' > etc/passwd
printf 'root:x:0:\nshadow:x:42:\nnogroup:x:65534:\n' > etc/group
printf 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nexport PATH\n' > etc/profile
echo of the image > opt/old/file
echo kept > srv/kept
echo secret > root/deep/er/locked; chmod 400 root/deep/er/locked; chmod 555 root/deep/er
"#;

/// The fixture's repository as an image has it.
const REPOSITORY: &str = r"
mkdir -p workspace
cp -a $FIXTURE workspace/repo
cd workspace/repo
export GIT_AUTHOR_DATE=2026-01-01T00:00:00Z GIT_COMMITTER_DATE=2026-01-01T00:00:00Z GIT_CONFIG_GLOBAL=/dev/null
git init -q -b main && git add -A && git -c user.name=t -c user.email=t@localhost commit -qm base
git checkout -q --detach
";

/// What an image may have in places that a sandbox has of its own.
const ODD: &str = r"
rm -rf dev proc sys tmp run etc; mkdir elsewhere
ln -s ../../../../../../elsewhere etc
mkdir elsewhere/apt; ln -s /apt elsewhere/apt/apt.conf.d
ln -s $OUTSIDE/resolv.conf elsewhere/resolv.conf
ln -s ../../../../../../../../$OUTSIDE/hosts elsewhere/hosts
ln -s $OUTSIDE/dev dev
ln -s $OUTSIDE tmp
ln -s ../../../../../../../../$OUTSIDE/run run
echo a file > proc; echo another > sys
mkdir elsewhere/dev
";

/// The image of the fixture's task, for backends that have one.
pub const HARBOR: &str = "akhatua/cooperbench-harbor:task1";
/// One that has no repository.
pub const NO_REPOSITORY: &str = "test/no-repository:latest";
/// One that has no programs.
pub const NO_SHELL: &str = "test/no-shell:latest";
/// One that is full of links.
pub const LINKS: &str = "test/links:latest";
/// One whose programs are in a directory that its environment names, after 40 layers of nothing.
pub const DEEP: &str = "test/deep:latest";

/// The store with all of them, made once; what it is in goes with the tests' other directories.
pub fn store() -> &'static Store {
    static STORE: OnceLock<Store> = OnceLock::new();
    STORE.get_or_init(|| {
        let prefix = regatta::host::reaper::dir_prefix();
        let home = tempfile::Builder::new().prefix(&prefix).tempdir().unwrap();
        let home = home.keep();
        // A path with everything that options of mounts give a meaning.
        let store = Store::open(&home.join("a store, of: im\\ages")).unwrap();
        let programs = layer(&store, PROGRAMS, Path::new(""));
        let repository = layer(&store, REPOSITORY, Path::new(""));
        let odd = layer(&store, ODD, outside());
        let mut deep = vec![programs.clone()];
        deep.extend((0..40).map(|n| layer(&store, &format!("echo {n} > {n}"), Path::new(""))));
        deep.push(layer(&store, "mkdir -p opt/own/bin; printf '#!/bin/sh\\necho own\\n' > opt/own/bin/own; chmod +x opt/own/bin/own", Path::new("")));
        deep.push(repository.clone());
        for (name, layers, env) in [
            (HARBOR, vec![programs.clone(), repository.clone()], "LEVEL=image"),
            (NO_REPOSITORY, vec![programs.clone()], "PATH=/usr/bin:/bin"),
            (NO_SHELL, vec![repository.clone()], "PATH=/usr/bin:/bin"),
            (LINKS, vec![programs, odd, repository], "A=b"),
            (DEEP, deep, "PATH=/opt/own/bin:/usr/local/bin:/usr/bin:/bin"),
        ] {
            add(&store, name, layers, env);
        }
        store
    })
}

/// Adds the image of the fixture's task to another store.
pub fn add_harbor(store: &Store) {
    let layers = [PROGRAMS, REPOSITORY].map(|script| layer(store, script, Path::new("")));
    add(store, HARBOR, layers.into(), "LEVEL=image");
}

/// Adds an image with the programs of the others and a repository of this machine's.
pub fn add_repository(name: &str, repository: &Path) {
    let harbor = store().image(&HARBOR.parse().unwrap()).unwrap().unwrap();
    let script = "mkdir -p workspace; cp -a \"$OUTSIDE\" workspace/repo";
    let layers = vec![harbor.layers[0].clone(), layer(store(), script, repository)];
    add(store(), name, layers, "LEVEL=image");
}

fn add(store: &Store, name: &str, layers: Vec<Digest>, env: &str) {
    let config = ImageConfig {
        env: vec![env.to_owned()],
        architecture: "amd64".to_owned(),
        ..ImageConfig::default()
    };
    let name: regatta::images::ImageName = name.parse().unwrap();
    let image = StoredImage {
        config_digest: Digest::of(name.to_string().as_bytes()),
        name: name.to_string(),
        manifest: None,
        config,
        layers,
    };
    store.add(image, "a test").unwrap();
}

/// A directory of the host's that the image [`LINKS`] points to.
pub fn outside() -> &'static Path {
    static OUTSIDE: OnceLock<PathBuf> = OnceLock::new();
    OUTSIDE.get_or_init(|| {
        let prefix = regatta::host::reaper::dir_prefix();
        let dir = tempfile::Builder::new().prefix(&prefix).tempdir().unwrap();
        for name in ["dev", "run"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let opened = Command::new("chmod")
            .args(["-R", "a+rwX"])
            .arg(dir.path())
            .status();
        assert!(opened.unwrap().success());
        dir.keep()
    })
}

/// Makes a layer by a script that runs in its root.
fn layer(store: &Store, script: &str, outside: &Path) -> Digest {
    let dir = tempfile::tempdir().unwrap();
    let fixture = crate::place::harbor();
    let made = Command::new("bash")
        .args(["-c", &format!("set -e\n{script}")])
        .current_dir(dir.path())
        .env("FIXTURE", fixture)
        .env("OUTSIDE", outside)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let tar = "tar -c --owner=0 --group=0 --numeric-owner .";
    let tar = Command::new("bash")
        .args(["-c", tar])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(
        tar.status.success(),
        "{}",
        String::from_utf8_lossy(&tar.stderr)
    );
    let digest = Digest::of(&tar.stdout);
    let bytes = &tar.stdout[..];
    store
        .unpack(&digest, Compression::None, bytes, &|_| {})
        .unwrap();
    let _ = Command::new("chmod")
        .args(["-R", "u+rwX", "."])
        .current_dir(dir.path())
        .status();
    digest
}
