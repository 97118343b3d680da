//! Random layers against a simple model: a map to which the entries are applied in order.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use fastrand::Rng;

use super::tar::{Header, Tar};
use super::{image, store};
use regatta::images::{Compression, Digest};

/// What is at a path. A file has a number: two names of one file have the same.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Dir {
        mode: u32,
        mtime: u64,
    },
    File {
        number: u32,
        mode: u32,
        mtime: u64,
        text: Vec<u8>,
    },
    Symlink {
        to: Vec<u8>,
        mtime: u64,
    },
    Fifo {
        mode: u32,
        mtime: u64,
    },
}

type Map = BTreeMap<Vec<u8>, Node>;

/// What one layer says.
#[derive(Debug, Default)]
struct Model {
    map: Map,
    gone: Vec<Vec<u8>>,
    opaque: Vec<Vec<u8>>,
}

const NAMES: [&[u8]; 5] = [b"a", b"b", b"c", b"\xff\xfe", b"a long name with\nmuch"];

fn path(rng: &mut Rng) -> Vec<u8> {
    let parts: Vec<&[u8]> = (0..rng.usize(1..4))
        .map(|_| NAMES[rng.usize(..NAMES.len())])
        .collect();
    parts.join(&b'/')
}

fn parent(path: &[u8]) -> Vec<u8> {
    let at = path.iter().rposition(|byte| *byte == b'/');
    path[..at.unwrap_or(0)].to_vec()
}

fn is_inside(path: &[u8], dir: &[u8]) -> bool {
    dir.is_empty() && !path.is_empty()
        || path
            .strip_prefix(dir)
            .is_some_and(|rest| rest.first() == Some(&b'/'))
}

fn remove(map: &mut Map, path: &[u8]) {
    map.retain(|it, _| it != path && !is_inside(it, path));
}

/// One layer of random entries, written as tar, and what they mean.
fn layer(rng: &mut Rng, number: &mut u32) -> (Tar, Model) {
    let mut tar = Tar::default();
    let mut model = Model::default();
    for _ in 0..rng.usize(0..25) {
        let path = path(rng);
        let mtime = rng.u64(1..2_000_000_000);
        // Entries of one layer need directories that are some.
        let ups = std::iter::successors(Some(parent(&path)), |it| {
            (!it.is_empty()).then(|| parent(it))
        });
        let ups: Vec<Vec<u8>> = ups.filter(|it| !it.is_empty()).collect();
        let are_dirs = |model: &Model| {
            ups.iter()
                .all(|it| matches!(model.map.get(it), Some(Node::Dir { .. })))
        };
        let mode = [0o644, 0o755, 0o600, 0o4755, 0o444, 0o000][rng.usize(..6)];
        let kept = mode & 0o777;
        match rng.u32(..14) {
            0 => {
                let hidden = [
                    &parent(&path)[..],
                    if path.contains(&b'/') { b"/" } else { b"" },
                    b".wh.",
                    path.rsplit(|it| *it == b'/').next().unwrap(),
                ]
                .concat();
                tar = tar.file(&hidden, "");
                model.gone.push(path);
            }
            1 => {
                tar = tar.file([&path[..], b"/.wh..wh..opq"].concat(), "");
                model.opaque.push(path);
            }
            // What follows may be in it, and there is one more: how most trees are.
            2..6 => {
                for dir in ups.iter().rev().chain([&path]) {
                    let mode = [0o755, 0o700, 0o555, 0o1777, 0o111][rng.usize(..5)];
                    tar = tar.entry(&Header::of(b'5', dir).mode(mode).mtime(mtime), b"");
                    if !matches!(model.map.get(dir), Some(Node::Dir { .. })) {
                        remove(&mut model.map, dir);
                    }
                    model.map.insert(dir.clone(), Node::Dir { mode, mtime });
                }
            }
            _ if !are_dirs(&model) => {}
            6 => {
                let to = ["../..", "/a", "c", "/etc/passwd"][rng.usize(..4)];
                tar = tar.entry(&Header::of(b'2', &path).link(to).mtime(mtime), b"");
                remove(&mut model.map, &path);
                model.map.insert(
                    path,
                    Node::Symlink {
                        to: to.into(),
                        mtime,
                    },
                );
            }
            7 => {
                tar = tar.entry(&Header::of(b'6', &path).mode(mode).mtime(mtime), b"");
                remove(&mut model.map, &path);
                model.map.insert(path, Node::Fifo { mode: kept, mtime });
            }
            8 | 9 => {
                let files = model
                    .map
                    .iter()
                    .filter(|it| matches!(it.1, Node::File { .. }) && !is_inside(it.0, &path));
                let files: Vec<_> = files.map(|it| (it.0.clone(), it.1.clone())).collect();
                if let Some((to, node)) = files.get(rng.usize(..files.len().max(1))) {
                    tar = tar.hard_link(&path, to);
                    remove(&mut model.map, &path);
                    model.map.insert(path, node.clone());
                }
            }
            _ => {
                let text = vec![rng.u8(..); rng.usize(..3000)];
                tar = tar.entry(&Header::of(b'0', &path).mode(mode).mtime(mtime), &text);
                remove(&mut model.map, &path);
                *number += 1;
                let number = *number;
                model.map.insert(
                    path,
                    Node::File {
                        number,
                        mode: kept,
                        mtime,
                        text,
                    },
                );
            }
        }
    }
    (tar, model)
}

/// What an overlay of layers shows, the lowest first.
fn merged(layers: &[Model]) -> Map {
    let mut map = Map::new();
    for layer in layers {
        for dir in &layer.opaque {
            map.retain(|it, _| !is_inside(it, dir));
        }
        for path in &layer.gone {
            remove(&mut map, path);
        }
        for (path, node) in &layer.map {
            let is_dir = |node: Option<&Node>| matches!(node, Some(Node::Dir { .. }));
            if !(is_dir(Some(node)) && is_dir(map.get(path))) {
                remove(&mut map, path);
            }
            map.insert(path.clone(), node.clone());
        }
    }
    map
}

/// Does something with what its owner may not read: opened for that time. A directory stays open.
fn readable<T>(path: &Path, read: impl FnOnce() -> T) -> T {
    let meta = path.symlink_metadata().unwrap();
    let wider = meta.mode() | if meta.is_dir() { 0o700 } else { 0o400 };
    std::fs::set_permissions(path, Permissions::from_mode(wider)).unwrap();
    let read = read();
    if meta.is_file() {
        std::fs::set_permissions(path, meta.permissions()).unwrap();
    }
    read
}

/// What is in directories that lie over one another, the topmost first.
fn on_disk(trees: &[PathBuf]) -> (Map, BTreeMap<Vec<u8>, (u64, u64)>) {
    let (mut map, mut inodes) = (Map::new(), BTreeMap::new());
    for tree in trees.iter().rev() {
        let mut open = vec![tree.clone()];
        while let Some(dir) = open.pop() {
            for entry in readable(&dir, || std::fs::read_dir(&dir).unwrap()) {
                let path = entry.unwrap().path();
                let meta = path.symlink_metadata().unwrap();
                let (kind, mode) = (meta.file_type(), meta.mode() & 0o7777);
                let mtime = u64::try_from(meta.mtime()).unwrap();
                let node = if kind.is_dir() {
                    open.push(path.clone());
                    Node::Dir { mode, mtime }
                } else if kind.is_symlink() {
                    let to = std::fs::read_link(&path)
                        .unwrap()
                        .as_os_str()
                        .as_bytes()
                        .to_vec();
                    Node::Symlink { to, mtime }
                } else if kind.is_fifo() {
                    Node::Fifo { mode, mtime }
                } else {
                    let text = readable(&path, || std::fs::read(&path).unwrap());
                    Node::File {
                        number: 0,
                        mode,
                        mtime,
                        text,
                    }
                };
                let inner = path
                    .strip_prefix(tree)
                    .unwrap()
                    .as_os_str()
                    .as_bytes()
                    .to_vec();
                let is_dir = |node: Option<&Node>| matches!(node, Some(Node::Dir { .. }));
                if !(is_dir(Some(&node)) && is_dir(map.get(&inner))) {
                    remove(&mut map, &inner);
                }
                inodes.insert(inner.clone(), (meta.dev(), meta.ino()));
                map.insert(inner, node);
            }
        }
    }
    (map, inodes)
}

/// Files by their names alone, and which names are of one file.
fn without_numbers(map: &Map) -> (Map, BTreeMap<Vec<u8>, u32>) {
    let mut plain = map.clone();
    let mut numbers = BTreeMap::new();
    for (path, node) in &mut plain {
        if let Node::File { number, .. } = node {
            numbers.insert(path.clone(), std::mem::take(number));
        }
    }
    (plain, numbers)
}

fn check(seed: u64, dir: &Path) {
    let mut rng = Rng::with_seed(seed);
    let store = store(dir);
    let (mut digests, mut models, mut number) = (Vec::<Digest>::new(), Vec::new(), 0);
    for _ in 0..rng.usize(1..5) {
        let (tar, model) = layer(&mut rng, &mut number);
        let (bytes, digest) = tar.done();
        let unpacked = store.unpack(&digest, Compression::Detect, &bytes[..], &|_| ());
        unpacked.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        digests.push(digest);
        models.push(model);
    }
    let held = store
        .hold(&image("a:b", &digests))
        .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let (wanted, numbers) = without_numbers(&merged(&models));
    let (found, inodes) = on_disk(held.trees());
    for path in wanted.keys().chain(found.keys()) {
        let name = String::from_utf8_lossy(path);
        assert_eq!(found.get(path), wanted.get(path), "seed {seed}: {name}");
    }
    for (a, b) in numbers.iter().zip(numbers.iter().skip(1)) {
        let (same, same_here) = (a.1 == b.1, inodes[a.0] == inodes[b.0]);
        assert_eq!(same_here, same, "seed {seed}: {a:?} {b:?}");
    }
}

#[test]
fn random_layers_come_out_as_a_simple_model_says() {
    let dir = tempfile::tempdir().unwrap();
    for seed in 0..60 {
        check(seed, &dir.path().join(seed.to_string()));
    }
    // What they leave can be removed, whatever modes it has.
    for seed in 0..60 {
        let store = store(&dir.path().join(seed.to_string()));
        store.prune(false).unwrap();
    }
}
