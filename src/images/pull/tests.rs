use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use super::super::source::made::{MadeImage, TarFile, archived, gzip, layout, saved, tar};
use super::super::source::scripted::{RegistryRequest, Said, Scripted};
use super::super::source::{Logins, Patience};
use super::*;
use crate::files;

/// A store, and what pulls into it told.
struct Bench {
    dir: tempfile::TempDir,
    store: Store,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        Self { dir, store }
    }

    fn archive(&self, bytes: &[u8]) -> Result<From, SourceError> {
        let path = self.dir.path().join("images.tar");
        files::write_in_place(&path, bytes).unwrap();
        let archive = Archive::open(&path, self.dir.path())?;
        Ok(From::Archive(Arc::new(archive)))
    }

    fn layout(&self, all: &[(String, Vec<u8>)]) -> From {
        let dir = self.dir.path().join("layout");
        for (path, bytes) in all {
            let path = dir.join(path);
            files::create_dir(path.parent().unwrap()).unwrap();
            files::write_in_place(&path, bytes).unwrap();
        }
        From::Layout(dir)
    }

    async fn pull(&self, name: &str, from: &From) -> Result<StoredImage, ImageError> {
        pull(&self.store, &name.parse().unwrap(), from, &|_| {}).await
    }

    /// What a file of an image holds.
    fn text(&self, image: &StoredImage, path: &str) -> String {
        let held = self.store.hold(image).unwrap();
        let mut trees = held.trees().iter().map(|tree| tree.join(path));
        let file = trees.find(|path| path.exists()).unwrap();
        files::read_text(&file).unwrap()
    }

    fn partials(&self) -> usize {
        files::list(&self.store.dir().join("partial"))
            .unwrap()
            .len()
    }
}

fn registry() -> From {
    From::Registry(RegistryOptions {
        mirrors: [].into(),
        logins: Arc::new(Logins::in_file(None)),
        patience: Patience {
            tries: 3,
            pause: Duration::from_millis(1),
            ..Patience::default()
        },
        certificates: Vec::new(),
    })
}

#[tokio::test]
async fn the_same_image_comes_from_a_registry_a_directory_and_archives_old_and_new() {
    let made = MadeImage::new("hello");
    let server = {
        let made = made.clone();
        Scripted::serve(move |asked, _| made.says(asked))
    };
    let name = format!("{}/a/b:c", server.at);
    let files = layout(&[(Some(&name), &made), (None, &MadeImage::new("other"))]);
    let old = saved(Some(&["x/y:z", &name]), &made);
    for which in ["registry", "layout", "old", "gzipped", "new"] {
        let bench = Bench::new();
        let from = match which {
            "registry" => registry(),
            "layout" => bench.layout(&files),
            "old" => bench.archive(&old).unwrap(),
            "gzipped" => bench.archive(&gzip(&old)).unwrap(),
            _ => bench.archive(&archived(&files)).unwrap(),
        };
        let image = bench.pull(&name, &from).await.unwrap();
        assert_eq!(image.config_digest, Digest::of(&made.config), "{which}");
        assert_eq!(image.config.workdir, "/w");
        let has_manifest = !["old", "gzipped"].contains(&which);
        let manifest = has_manifest.then(|| Digest::of(&made.manifest()));
        assert_eq!(image.manifest, manifest, "{which}");
        assert_eq!(bench.text(&image, "base"), "the same in all");
        assert_eq!(bench.text(&image, "top"), "hello");
        let parsed = name.parse().unwrap();
        assert_eq!(bench.store.image(&parsed).unwrap(), Some(image));
        assert_eq!(bench.partials(), 0, "{which}");
    }
}

#[tokio::test]
async fn images_of_a_directory_or_an_archive_are_told_apart_by_their_names() {
    let (one, other) = (MadeImage::new("one"), MadeImage::new("other"));
    let tagged = layout(&[(Some("v1"), &one), (Some("docker.io/a/b:v2"), &other)]);
    let nameless = layout(&[(None, &one)]);
    let by_id = saved(None, &one);
    for (files, archive, name, expected) in [
        (Some(&tagged), None, "any/thing:v1", Some("one")),
        (Some(&tagged), None, "a/b:v2", Some("other")),
        (Some(&tagged), None, "c/d:v2", None),
        (Some(&nameless), None, "any/thing", Some("one")),
        (
            None,
            Some(saved(Some(&["a/b:v1"]), &one)),
            "a/b:v1",
            Some("one"),
        ),
        (
            None,
            Some(saved(Some(&["docker.io/a/b:v1"]), &one)),
            "a/b:v1",
            Some("one"),
        ),
        (None, Some(saved(Some(&["a/b:v1"]), &one)), "a/b:v2", None),
        (None, Some(by_id), "any/thing", Some("one")),
    ] {
        let bench = Bench::new();
        let from = match (files, archive) {
            (Some(files), _) => bench.layout(files),
            (_, archive) => bench.archive(&archive.unwrap()).unwrap(),
        };
        match (bench.pull(name, &from).await, expected) {
            (Ok(image), Some(text)) => assert_eq!(bench.text(&image, "top"), text),
            (Err(error), None) => {
                let error = error.to_string();
                assert!(error.contains(": it has "), "{error}");
            }
            (came, _) => panic!("{name}: {came:?}"),
        }
    }
    let bench = Bench::new();
    let names = names_in(&bench.layout(&tagged)).unwrap();
    assert_eq!(names, ["v1", "docker.io/a/b:v2"]);
}

#[tokio::test]
async fn what_is_no_image_is_refused_with_what_it_lacks() {
    let made = MadeImage::new("x");
    let whole = saved(Some(&["a/b:c"]), &made);
    let manifest = |config: &str, layer: &str| {
        format!(r#"[{{"Config": "{config}", "RepoTags": ["a/b:c"], "Layers": ["{layer}"]}}]"#)
    };
    let with = |manifest: &str| tar(&[TarFile::File("manifest.json", manifest.as_bytes())]);
    let one_layer = |name: &str| {
        tar(&[
            TarFile::File("c", &made.config),
            TarFile::File(name, b""),
            TarFile::File("manifest.json", manifest("c", name).as_bytes()),
        ])
    };
    for (bytes, why) in [
        (b"hello, I am a text".to_vec(), "no image"),
        (Vec::new(), "it is empty"),
        (
            tar(&[TarFile::File("x", b"y")]),
            "it has no index.json and no manifest.json",
        ),
        (gzip(&tar(&[])), "it is empty"),
        (gzip(&whole)[..300].to_vec(), "cannot be decompressed"),
        (whole[..700].to_vec(), "ends in the middle"),
        (with("[]"), "lists none"),
        (with("{}"), "not one of `docker save`"),
        (with("<html>"), "not one of `docker save`"),
        (
            with(&manifest("../../etc/passwd", "x")),
            "which is not in it",
        ),
        (with(&manifest("/etc/passwd", "x")), "which is not in it"),
        (one_layer("x"), "names 2 layers, and the manifest 1"),
    ] {
        let bench = Bench::new();
        let came = match bench.archive(&bytes) {
            Ok(from) => bench.pull("a/b:c", &from).await,
            Err(error) => Err(error.into()),
        };
        let error = came.unwrap_err().to_string();
        assert!(error.contains(why), "{why}: {error}");
    }
    let bench = Bench::new();
    let empty = From::Layout(bench.dir.path().to_owned());
    let error = bench.pull("a", &empty).await.unwrap_err().to_string();
    assert!(error.contains("it has no index.json"), "{error}");
}

#[tokio::test]
async fn a_document_of_a_directory_that_was_changed_is_refused() {
    let made = MadeImage::new("x");
    let mut files = layout(&[(None, &made)]);
    let config = Digest::of(&made.config);
    let at = files
        .iter()
        .position(|(path, _)| path.contains(config.hex()));
    files[at.unwrap()].1.push(b' ');
    let bench = Bench::new();
    let from = bench.layout(&files);
    let error = bench.pull("a", &from).await.unwrap_err().to_string();
    assert!(
        error.contains("gives wrong bytes for blobs/sha256/"),
        "{error}"
    );
}

/// A registry that spoils the upper layer so many times.
fn spoiling(made: &MadeImage, times: usize) -> Scripted {
    let made = made.clone();
    let top = Digest::of(&made.blobs()[1]).to_string();
    let spoiled = Mutex::new(0);
    Scripted::serve(move |asked, _| {
        let mut said = made.says(asked);
        let mut spoiled = spoiled.lock().unwrap();
        if asked.path.ends_with(&top) && *spoiled < times {
            *spoiled += 1;
            said.body[20] ^= 1;
        }
        said
    })
}

fn asked_for(server: &Scripted, bytes: &[u8]) -> usize {
    let digest = Digest::of(bytes).to_string();
    let asked = server.asked();
    asked.iter().filter(|it| it.path.ends_with(&digest)).count()
}

#[tokio::test]
async fn wrong_bytes_are_removed_and_fetched_once_more_and_then_are_an_error() {
    let made = MadeImage::new("hello");
    let bench = Bench::new();
    let server = spoiling(&made, 2);
    let name = format!("{}/a/b:c", server.at);
    let error = bench.pull(&name, &registry()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("gives wrong bytes for the layer"),
        "{error}"
    );
    assert_eq!(asked_for(&server, &made.blobs()[1]), 2);
    let top = bench.store.partial(&Digest::of(&made.blobs()[1]));
    assert!(!top.exists());
    // Nothing half stands, and the next pull goes on: with the layer that was right.
    assert_eq!(bench.store.image(&name.parse().unwrap()).unwrap(), None);
    let image = bench.pull(&name, &registry()).await.unwrap();
    assert_eq!(bench.text(&image, "top"), "hello");
    let server = spoiling(&made, 1);
    let name = format!("{}/a/b:c", server.at);
    Bench::new().pull(&name, &registry()).await.unwrap();
    assert_eq!(asked_for(&server, &made.blobs()[1]), 2);
}

#[tokio::test]
async fn two_pulls_of_one_image_fetch_each_layer_once() {
    let made = MadeImage::new("hello");
    let there = made.clone();
    let server = Scripted::serve(move |asked, _| there.says(asked));
    let bench = Bench::new();
    let name = format!("{}/a/b:c", server.at);
    let from = registry();
    let (one, other) = tokio::join!(bench.pull(&name, &from), bench.pull(&name, &from));
    assert_eq!(one.unwrap(), other.unwrap());
    for blob in made.blobs() {
        assert_eq!(asked_for(&server, &blob), 1);
    }
    assert_eq!(bench.partials(), 0);
}

#[tokio::test]
async fn a_pull_that_is_stopped_leaves_what_it_has_and_the_next_goes_on() {
    let made = MadeImage::new(&"hello ".repeat(9));
    let (there, blob) = (made.clone(), made.blobs().remove(1));
    let digest = Digest::of(&blob).to_string();
    let half = blob.len() / 2;
    let server = Scripted::serve(move |asked: &RegistryRequest, _| {
        let said = there.says(asked);
        if asked.path.ends_with(&digest) && asked.range.is_none() {
            said.held_after(half)
        } else {
            said
        }
    });
    let bench = Bench::new();
    let name: ImageName = format!("{}/a/b:c", server.at).parse().unwrap();
    let (came, file) = (Notify::new(), bench.store.partial(&Digest::of(&blob)));
    let tell = |_| {
        if has_bytes(&file, half) {
            came.notify_one();
        }
    };
    let from = registry();
    tokio::select! {
        done = pull(&bench.store, &name, &from, &tell) => panic!("{done:?}"),
        () = came.notified() => {}
    }
    assert!(has_bytes(&file, half));
    let image = bench.pull(&name.to_string(), &from).await.unwrap();
    assert_eq!(bench.text(&image, "top"), "hello ".repeat(9));
    let ranges: Vec<_> = server
        .asked()
        .into_iter()
        .filter_map(|it| it.range)
        .collect();
    assert_eq!(ranges, [format!("bytes={half}-")]);
    assert_eq!(bench.partials(), 0);
}

fn has_bytes(file: &Path, bytes: usize) -> bool {
    file.metadata().is_ok_and(|meta| meta.len() == bytes as u64)
}

#[tokio::test]
async fn after_an_error_of_the_registry_no_other_image_is_asked_for_and_after_one_of_an_image_all_are()
 {
    use super::super::pull_several;
    for (status, left) in [(404, 0), (500, 2)] {
        let server = Scripted::serve(move |_, _| Said::new(status, ""));
        let bench = Bench::new();
        let names = ["a", "b", "c"].map(|it| format!("{}/{it}", server.at).parse().unwrap());
        let source = async |_: &ImageName| Ok(registry());
        let came = pull_several(&bench.store, names.to_vec(), 1, source, &|_, _| {}).await;
        assert_eq!(
            (came.failed.len(), came.left.len()),
            (3 - left, left),
            "{status}"
        );
    }
}
