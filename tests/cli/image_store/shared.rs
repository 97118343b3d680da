//! A store that several processes use, one of which may die; and places that can be none.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use regatta::images::{Compression, Digest, ImageError, ImageName, Pruned, Store};

use super::tar::Tar;
use super::{image, store, unpack};

/// What a process of ours is told: what to do, where, and with which layer.
const TASK: &str = "REGATTA_TEST_IMAGE_STORE";

/// No test, but a process that others start: opens a store, unpacks the layer that comes on its
/// standard input, and writes what went wrong where it is told.
#[test]
fn a_process_that_others_start() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let mut words = task.split('\n');
    let mut next = || words.next().unwrap();
    let (dir, said, digest) = (next(), next(), next());
    let work = || -> Result<(), ImageError> {
        let store = Store::open(Path::new(dir))?;
        let digest: Digest = digest.parse().unwrap();
        store.unpack(&digest, Compression::Detect, std::io::stdin(), &|_| ())?;
        Ok(())
    };
    let end = match work() {
        Ok(()) => "done".to_owned(),
        Err(error) => format!("{error}\n{}", error.hints().join("\n")),
    };
    fs::write(said, end).unwrap();
}

/// The words that start it.
fn words() -> Vec<String> {
    let name = concat!(module_path!(), "::a_process_that_others_start");
    let name = name.split_once("::").unwrap().1;
    let program = std::env::current_exe().unwrap();
    let words = [program.to_str().unwrap(), "--exact", name, "--nocapture"];
    words.map(str::to_owned).to_vec()
}

fn start(words: &[String], dir: &Path, said: &Path, digest: &Digest) -> Child {
    let task = format!("{}\n{}\n{digest}", dir.display(), said.display());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env(TASK, task);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    command.spawn().unwrap()
}

fn wait_for(is_so: impl Fn() -> bool) {
    while !is_so() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A layer, and where its first file is while it is unpacked: there once the first half has come.
struct Halves {
    first: Vec<u8>,
    second: Vec<u8>,
    digest: Digest,
}

fn halves() -> Halves {
    let big = "x".repeat(3 << 20);
    let (mut bytes, digest) = Tar::default().file("first", "1").file("big", big).done();
    let second = bytes.split_off(2 << 20);
    Halves {
        first: bytes,
        second,
        digest,
    }
}

impl Halves {
    fn place(&self, dir: &Path) -> PathBuf {
        dir.join("layers").join(self.digest.hex())
    }

    fn half_made(&self, dir: &Path) -> PathBuf {
        self.place(dir).with_extension("new")
    }

    /// A process that has made the first file and waits for the rest.
    fn held(&self, dir: &Path, said: &Path) -> Child {
        let mut child = start(&words(), dir, said, &self.digest);
        child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(&self.first)
            .unwrap();
        wait_for(|| self.half_made(dir).join("tree/first").exists());
        child
    }

    fn finish(&self, mut child: Child) {
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&self.second).unwrap();
        drop(stdin);
        assert!(child.wait().unwrap().success());
    }

    fn all(&self) -> Vec<u8> {
        [&self.first[..], &self.second].concat()
    }
}

#[test]
fn what_a_killed_process_half_unpacked_stands_nowhere_and_is_removed_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let halves = halves();
    for is_pruned in [true, false] {
        let mut child = halves.held(store.dir(), &dir.path().join("said"));
        assert!(matches!(store.prune(true), Err(ImageError::Busy { .. })));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!store.has_layer(&halves.digest));
        assert!(halves.half_made(store.dir()).exists());
        if is_pruned {
            assert_eq!(store.prune(false).unwrap().partial, 1);
            assert!(!halves.half_made(store.dir()).exists());
        }
    }
    store
        .unpack(
            &halves.digest,
            Compression::Detect,
            &halves.all()[..],
            &|_| (),
        )
        .unwrap();
    assert!(store.has_layer(&halves.digest));
    assert!(!halves.half_made(store.dir()).exists());
}

/// The words that start it as on another machine: with other processes, and a host's name of its own.
fn words_elsewhere() -> Vec<String> {
    // Root of the store must stay root, and an ordinary user is none without a namespace of users.
    let is_root = rustix::process::geteuid().is_root();
    let kinds = if is_root { "-upf" } else { "-rupf" };
    let script = "hostname elsewhere && exec \"$0\" \"$@\"";
    let front = ["unshare", kinds, "sh", "-c", script].map(str::to_owned);
    front.into_iter().chain(words()).collect()
}

#[test]
fn two_processes_unpack_one_layer_once_and_one_goes_on_where_the_other_is_killed() {
    for (is_killed, others) in [
        (false, words()),
        (true, words()),
        (false, words_elsewhere()),
        (true, words_elsewhere()),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let halves = halves();
        let mut first = halves.held(store.dir(), &dir.path().join("first"));
        let said = dir.path().join("second");
        let mut second = start(&others, store.dir(), &said, &halves.digest);
        let mut stdin = second.stdin.take().unwrap();
        let all = halves.all();
        // Who is not the first need not read.
        let giving = std::thread::spawn(move || drop(stdin.write_all(&all)));
        if is_killed {
            first.kill().unwrap();
            first.wait().unwrap();
        } else {
            halves.finish(first);
            assert_eq!(
                fs::read_to_string(dir.path().join("first")).unwrap(),
                "done"
            );
        }
        assert!(second.wait().unwrap().success());
        giving.join().unwrap();
        assert_eq!(fs::read_to_string(&said).unwrap(), "done");
        assert!(store.has_layer(&halves.digest));
    }
}

#[test]
fn threads_unpack_layers_at_once_also_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let layers: Vec<_> = (0..4)
        .map(|n| Tar::default().file(format!("f{}", n % 3), "x").done())
        .collect();
    std::thread::scope(|scope| {
        for (bytes, digest) in &layers {
            let store = &store;
            scope.spawn(move || {
                store
                    .unpack(digest, Compression::Detect, &bytes[..], &|_| ())
                    .unwrap()
            });
        }
    });
    let digests: Vec<Digest> = layers.into_iter().map(|it| it.1).collect();
    assert_eq!(store.hold(&image("a", &digests)).unwrap().trees().len(), 3);
}

#[test]
fn images_are_listed_removed_and_pruned_but_for_what_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let layer = |name: &str, text: &str| unpack(&store, Tar::default().file(name, text)).unwrap().0;
    let base = layer("base", "12345");
    let (one, two) = (layer("one", "1"), layer(".wh.base", ""));
    let name = |text: &str| text.parse::<ImageName>().unwrap();
    store
        .add(image("a/one:1", &[base.clone(), one.clone()]), "a registry")
        .unwrap();
    store
        .add(image("a/two", &[base.clone(), two.clone()]), "an archive")
        .unwrap();
    let listed = store.images().unwrap();
    let told: Vec<_> = listed
        .iter()
        .map(|it| (it.image.name.as_str(), it.bytes, it.own, it.missing))
        .collect();
    assert_eq!(
        told,
        [
            ("docker.io/a/one:1", 6, 1, 0),
            ("docker.io/a/two:latest", 5, 0, 0)
        ]
    );
    assert_eq!(listed[1].from, "an archive");
    let found = store.image(&name("a/two:latest")).unwrap().unwrap();
    assert_eq!(found, image("a/two", &[base.clone(), two.clone()]));
    assert_eq!(store.image(&name("a/two:1")).unwrap(), None);

    let held = store.hold(&found).unwrap();
    assert_eq!(store.prune(false).unwrap(), Pruned::default());
    let removed = store.remove(&name("a/two")).unwrap().unwrap();
    // The upper layer, and what both are merged into; the lower one is the other image's.
    assert_eq!((removed.layers, removed.in_use), (0, 2));
    assert!(!held.trees()[0].join("base").exists());
    assert!(store.has_layer(&two));
    drop(held);
    let wanted = Pruned {
        layers: 1,
        flat: 1,
        ..Pruned::default()
    };
    assert_eq!(store.prune(true).unwrap(), wanted);
    assert!(store.has_layer(&two));
    assert_eq!(store.prune(false).unwrap(), wanted);
    assert!(!store.has_layer(&two) && store.has_layer(&base));
    assert_eq!(store.remove(&name("a/two")).unwrap(), None);

    let removed = store.remove(&name("a/one:1")).unwrap().unwrap();
    assert_eq!((removed.layers, removed.bytes), (2, 6));
    assert!(!store.has_layer(&base) && !store.has_layer(&one));
    assert_eq!(store.images().unwrap().len(), 0);
}

#[test]
fn an_image_without_all_its_layers_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let (there, _) = unpack(&store, Tar::default().file("a", "a")).unwrap();
    let whole = image("a", &[there.clone(), Digest::of(b"none")]);
    let said = store.add(whole, "x").unwrap_err().to_string();
    assert_eq!(
        said,
        "the image docker.io/library/a:latest is not in the store: one of its layers is missing"
    );
    store
        .add(image("a", std::slice::from_ref(&there)), "x")
        .unwrap();
    regatta::files::remove_tree(&store.dir().join("layers").join(there.hex())).unwrap();
    let name = "a".parse().unwrap();
    assert_eq!(store.image(&name).unwrap(), None);
    assert_eq!(store.images().unwrap()[0].missing, 1);
    let verified = store.verify(&[], &|_, _| ()).unwrap();
    assert_eq!(verified[0].wrong, ["it is missing"]);
}

#[test]
fn what_changed_since_it_was_unpacked_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let tar = Tar::default()
        .dir("d")
        .file("d/same", "same")
        .file("bytes", "abc")
        .file("size", "abc");
    let tar = tar
        .file("mode", "x")
        .file("gone", "x")
        .symlink("link", "a")
        .file("kind", "x");
    let (digest, _) = unpack(
        &store,
        tar.hard_link("second", "bytes").file("size", "abcd"),
    )
    .unwrap();
    store
        .add(image("a", std::slice::from_ref(&digest)), "x")
        .unwrap();
    let told = std::cell::Cell::new((0, 0));
    let wrong = || {
        store.verify(&[], &|n, of| told.set((n, of))).unwrap()[0]
            .wrong
            .clone()
    };
    assert_eq!(wrong(), [""; 0]);
    assert_eq!(told.get(), (1, 1));
    let tree = store.dir().join("layers").join(digest.hex()).join("tree");
    let write = |name: &str, text: &str| fs::write(tree.join(name), text).unwrap();
    write("bytes", "abd");
    write("size", "abc");
    fs::set_permissions(tree.join("mode"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(tree.join("gone")).unwrap();
    fs::remove_file(tree.join("kind")).unwrap();
    fs::create_dir(tree.join("kind")).unwrap();
    fs::remove_file(tree.join("link")).unwrap();
    std::os::unix::fs::symlink("b", tree.join("link")).unwrap();
    let expected = [
        "`bytes` has other bytes",
        "`gone` is missing",
        "`kind` is of another kind",
        "`link` leads elsewhere",
        "`mode` has another mode",
        "2 more",
    ];
    assert_eq!(wrong(), expected);
}

/// What is said where a store cannot be, with what to do.
fn unusable(dir: &Path) -> String {
    let error = Store::open(dir).unwrap_err();
    assert!(matches!(error, ImageError::Unusable { .. }), "{error}");
    assert!(
        error.hints()[0].contains("[images] store"),
        "{:?}",
        error.hints()
    );
    error.to_string()
}

#[test]
fn a_directory_that_cannot_be_a_store_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("another version");
    drop(Store::open(&other).unwrap());
    fs::write(other.join("version"), "2\n").unwrap();
    let said = unusable(&other);
    assert!(
        said.ends_with("it is a store of version 2, and this program knows version 1"),
        "{said}"
    );
    let full = dir.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("mine.txt"), "").unwrap();
    let said = unusable(&full);
    assert!(
        said.contains("it is no store and has other files") && said.contains("mine.txt"),
        "{said}"
    );
    assert_eq!(fs::read_dir(&full).unwrap().count(), 1);
    let others = if rustix::process::geteuid().is_root() {
        let dir = dir.path().join("others");
        fs::create_dir(&dir).unwrap();
        std::os::unix::fs::chown(&dir, Some(12345), Some(12345)).unwrap();
        dir
    } else {
        PathBuf::from("/usr")
    };
    let said = unusable(&others);
    assert!(said.contains("it belongs to the user"), "{said}");
}

#[test]
fn others_of_the_machine_do_not_come_near_what_all_may_write() {
    let dir = tempfile::tempdir().unwrap();
    let parent = dir.path().join("project");
    fs::create_dir(&parent).unwrap();
    // As directories of a group are: what is made in them has their group.
    fs::set_permissions(&parent, fs::Permissions::from_mode(0o2777)).unwrap();
    let store = store(&parent);
    let tar = Tar::default().entry(&super::tar::Header::of(b'5', "tmp").mode(0o1777), b"");
    let (digest, _) = unpack(&store, tar).unwrap();
    let layers = store.dir().join("layers").metadata().unwrap();
    assert_eq!(layers.mode() & 0o7777, 0o700);
    let held = store.hold(&image("a", &[digest])).unwrap();
    let tmp = held.trees()[0].join("tmp").metadata().unwrap();
    assert_eq!(
        (tmp.uid(), tmp.gid(), tmp.mode() & 0o7777),
        (layers.uid(), layers.gid(), 0o1777)
    );
}

/// What a process of ours says in a mount namespace where a small file system is mounted so.
fn in_a_mount(options: &str, then: &str, layer: &[u8], digest: &Digest) -> String {
    in_a_mount_of("tmpfs", options, then, layer, digest)
}

/// The same of a file system of any kind.
fn in_a_mount_of(kind: &str, options: &str, then: &str, layer: &[u8], digest: &Digest) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mount = dir.path().join("a mount");
    fs::create_dir(&mount).unwrap();
    let said = dir.path().join("said");
    let script = format!("mount -t {kind} -o {options} none \"$0\" && {then} exec \"$@\"");
    let front = [
        "unshare",
        "-rm",
        "sh",
        "-c",
        &script,
        mount.to_str().unwrap(),
    ];
    let all: Vec<String> = front
        .map(str::to_owned)
        .into_iter()
        .chain(words())
        .collect();
    let mut child = start(&all, &mount.join("store"), &said, digest);
    let _ = child.stdin.take().unwrap().write_all(layer);
    assert!(child.wait().unwrap().success());
    let mut text = String::new();
    fs::File::open(&said)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text.replace(dir.path().to_str().unwrap(), "DIR")
}

#[test]
fn a_full_disk_and_a_file_system_that_runs_no_programs_say_what_to_do() {
    let (bytes, digest) = Tar::default()
        .file("a", "x".repeat(1 << 20))
        .file("b", "x".repeat(8 << 20))
        .done();
    let said = in_a_mount("size=4m", "", &bytes, &digest);
    let wanted = format!(
        "no space is left for the layer {} in DIR/a mount/store, after ",
        digest.short()
    );
    let rest = said
        .strip_prefix(&wanted)
        .unwrap_or_else(|| panic!("{said}"));
    assert!(
        rest.contains(" MB\n") && rest.contains("[images] store"),
        "{said}"
    );
    let said = in_a_mount("noexec", "", &bytes, &digest);
    assert!(
        said.contains("is mounted with `noexec`, so that no program of an image could start"),
        "{said}"
    );
    let then = "mkdir \"$0/store\" && mount -o remount,ro \"$0\" &&";
    let said = in_a_mount("rw", then, &bytes, &digest);
    assert!(said.contains("its file system is read-only"), "{said}");
    assert_eq!(in_a_mount("size=40m", "", &bytes, &digest), "done");
}

#[test]
fn a_file_system_without_attributes_can_be_the_store() {
    let attributes: &[(&str, &[u8])] = &[("SCHILY.xattr.user.kept", b"a")];
    let tar = Tar::default().extended(attributes).file("marked", "x");
    let (bytes, digest) = tar.done();
    // `ramfs` takes none.
    assert_eq!(
        in_a_mount_of("ramfs", "mode=755", "", &bytes, &digest),
        "done"
    );
}

/// Says when it is first read, and has nothing until it is let.
struct Gate<R> {
    says: std::sync::mpsc::Sender<()>,
    let_on: std::sync::mpsc::Receiver<()>,
    from: R,
}

impl<R: std::io::Read> std::io::Read for Gate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.says.send(()).is_ok() {
            let _ = self.let_on.recv();
        }
        self.from.read(buffer)
    }
}

/// Images that come at once keep the layers that they made, and wait for those that others make.
#[test]
fn who_waits_for_a_layer_has_it_as_soon_as_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let (bytes, digest) = Tar::default().file("a", "bytes").done();
    let ((says, said), (lets, let_on)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            let from = Gate {
                says,
                let_on,
                from: &bytes[..],
            };
            store
                .unpack(&digest, Compression::None, from, &|_| ())
                .unwrap()
        });
        said.recv().unwrap();
        let second = scope.spawn(|| store.unpack(&digest, Compression::None, &bytes[..], &|_| ()));
        // The kernel's list of locks has it as one that waits.
        wait_for(|| {
            fs::read_to_string("/proc/locks")
                .unwrap()
                .lines()
                .any(|line| {
                    line.contains("->") && line.contains(&format!(" {} ", std::process::id()))
                })
        });
        drop((said, lets));
        let kept = first.join().unwrap();
        second.join().unwrap().unwrap();
        drop(kept);
    });
}
