//! What it takes to unpack an image, against `tar -x` of the same layers.
//!
//! `cargo bench --bench unpack -- DIR LAYER…` unpacks these archives, the lowest first, below DIR;
//! `scripts/bench-unpack` makes them.
#![allow(clippy::print_stdout, reason = "its output is its result")]

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use regatta::images::{Compression, Digest, ImageConfig, Store, StoredImage};
use sha2::{Digest as _, Sha256};

/// How often each is measured; the best counts, as others use the machine too.
const TIMES: usize = 5;

fn main() {
    let words: Vec<PathBuf> = std::env::args_os()
        .skip(1)
        .map(PathBuf::from)
        .filter(|it| it.as_os_str() != "--bench")
        .collect();
    let Some((dir, layers)) = words.split_first() else {
        println!("a directory and layers are needed: scripts/bench-unpack makes them");
        return;
    };
    let digests: Vec<Digest> = layers.iter().map(|path| digest(path)).collect();
    let bytes: u64 = layers
        .iter()
        .map(|path| path.metadata().expect("a layer").len())
        .sum();
    println!(
        "{} layers, {:.0} MB as they come",
        layers.len(),
        bytes as f64 / 1e6
    );
    let (mut tar, mut ours, mut flat) = (Duration::MAX, Duration::MAX, Duration::MAX);
    for _ in 0..TIMES {
        let trees = dir.join("trees");
        tar = tar.min(measured(|| untar(layers, &trees)));
        std::fs::remove_dir_all(&trees).expect("removed");
        rustix::fs::sync();
        let store = Store::open(&dir.join("store")).expect("a store");
        ours = ours.min(measured(|| unpack(&store, layers, &digests)));
        let image = StoredImage {
            name: "bench:latest".to_owned(),
            manifest: None,
            config_digest: Digest::of(b""),
            config: ImageConfig::default(),
            layers: digests.clone(),
        };
        flat = flat.min(measured(|| drop(store.hold(&image).expect("held"))));
        store.prune(false).expect("pruned");
        rustix::fs::sync();
    }
    println!(
        "tar -x, one after another: {tar:.2?}; unpacked and safe on the disk: {ours:.2?}, {:.2} times; held: {flat:.2?}",
        ours.as_secs_f64() / tar.as_secs_f64()
    );
}

fn digest(path: &Path) -> Digest {
    let mut file = File::open(path).expect("a layer");
    let mut start = [0; 2];
    let is_packed = file.read_exact(&mut start).is_ok() && start == [0x1f, 0x8b];
    let file = File::open(path).expect("a layer");
    let mut from: Box<dyn std::io::Read> = if is_packed {
        Box::new(flate2::read::MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match from.read(&mut buffer).expect("read") {
            0 => return Digest::of_hash(&hash.finalize()),
            n => hash.update(&buffer[..n]),
        }
    }
}

fn measured(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn untar(layers: &[PathBuf], trees: &Path) {
    for (n, layer) in layers.iter().enumerate() {
        let tree = trees.join(n.to_string());
        regatta::files::create_dir(&tree).expect("a directory");
        let mut command = std::process::Command::new("tar");
        command
            .arg("-xf")
            .arg(layer)
            .arg("-C")
            .arg(&tree)
            .arg("--no-same-owner")
            .arg("--exclude=dev/*");
        assert!(command.status().expect("tar").success());
    }
}

fn unpack(store: &Store, layers: &[PathBuf], digests: &[Digest]) {
    std::thread::scope(|scope| {
        for (layer, digest) in layers.iter().zip(digests) {
            scope.spawn(move || {
                let file = File::open(layer).expect("a layer");
                store
                    .unpack(digest, Compression::Detect, file, &|_| ())
                    .expect("unpacked");
            });
        }
    });
}
