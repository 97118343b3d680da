//! What layers may have in them, what is left out, and what is refused.

use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use regatta::images::{Compression, Digest, ImageError, Layer, LeftOut, Store};

use super::tar::{Header, Tar, sum};
use super::{image, store, unpack};

/// A layer unpacked in a store of its own, and where.
struct There {
    _dir: tempfile::TempDir,
    tree: PathBuf,
    layer: Layer,
}

fn there(tar: Tar) -> There {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let (digest, layer) = unpack(&store, tar).unwrap();
    let tree = tree(&store, &digest);
    There {
        _dir: dir,
        tree,
        layer,
    }
}

fn tree(store: &Store, digest: &Digest) -> PathBuf {
    let held = store
        .hold(&image("a", std::slice::from_ref(digest)))
        .unwrap();
    held.trees()[0].clone()
}

impl There {
    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.tree.join(path)).unwrap()
    }

    fn meta(&self, path: &str) -> fs::Metadata {
        self.tree.join(path).symlink_metadata().unwrap()
    }
}

/// What is said of a layer that is refused; nothing of it is left.
fn refused(tar: Tar) -> String {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let error = unpack(&store, tar).unwrap_err();
    assert!(matches!(error, ImageError::BadLayer { .. }), "{error}");
    assert!(is_empty(&store.dir().join("layers")));
    error.to_string()
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).unwrap().next().is_none()
}

#[test]
fn what_a_layer_says_of_its_files_is_kept() {
    let there = there(
        Tar::default()
            .entry(&Header::of(b'5', "./").mode(0o755), b"")
            .entry(&Header::of(b'5', "./bin/").mode(0o1777).mtime(7), b"")
            .entry(&Header::of(b'0', "./bin/sh").mode(0o711).mtime(5), b"#!")
            .entry(&Header::of(b'5', "closed").mode(0o000).mtime(9), b"")
            .file("closed/in", "in")
            .symlink("link", "/etc/passwd")
            .entry(&Header::of(b'6', "pipe").mode(0o622), b"")
            .file(b"\xff\xfe\n", "no text")
            .file("un/named/file", "x"),
    );
    let bin = there.meta("bin");
    assert_eq!((bin.mode() & 0o7777, bin.mtime()), (0o1777, 7));
    let sh = there.meta("bin/sh");
    assert_eq!((sh.mode() & 0o7777, sh.mtime()), (0o711, 5));
    let closed = there.meta("closed");
    assert_eq!((closed.mode() & 0o7777, closed.mtime()), (0o000, 9));
    let link = fs::read_link(there.tree.join("link")).unwrap();
    assert_eq!(link, Path::new("/etc/passwd"));
    assert!(there.meta("pipe").file_type().is_fifo());
    assert_eq!(there.meta("pipe").mode() & 0o7777, 0o622);
    let odd = there.tree.join(std::ffi::OsStr::from_bytes(b"\xff\xfe\n"));
    assert_eq!(fs::read(odd).unwrap(), b"no text");
    assert_eq!(there.meta("un/named").mode() & 0o7777, 0o755);
    assert_eq!((there.layer.files, there.layer.bytes), (9, 12));
    assert_eq!(there.layer.left_out, LeftOut::default());
}

#[test]
fn what_a_user_cannot_have_is_left_out_and_counted() {
    let attributes: &[(&str, &[u8])] = &[
        ("SCHILY.xattr.user.kept", b"a\nb"),
        ("SCHILY.xattr.user.overlay.opaque", b"y"),
        ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
        ("SCHILY.xattr.security.capability", b"\x01\0\n"),
    ];
    let there = there(
        Tar::default()
            .entry(&Header::of(b'0', "su").mode(0o4755), b"")
            .entry(&Header::of(b'5', "games").mode(0o2775).owner(0, 60), b"")
            .entry(&Header::of(b'3', "null"), b"")
            .entry(&Header::of(b'4', "disk"), b"")
            .extended(attributes)
            .file("marked", "x"),
    );
    assert_eq!(there.meta("su").mode() & 0o7777, 0o755);
    assert_eq!(there.meta("games").mode() & 0o7777, 0o775);
    assert!(!there.tree.join("null").exists() && !there.tree.join("disk").exists());
    let left_out = there.layer.left_out;
    assert_eq!(
        (left_out.set_ids, left_out.owners, left_out.devices),
        (2, 1, 2)
    );
    let mut value = [0; 10];
    let path = there.tree.join("marked");
    let kept = rustix::fs::getxattr(&path, "user.kept", &mut value[..]);
    // Not every file system takes attributes.
    assert_eq!(left_out.attributes, if kept.is_ok() { 3 } else { 4 });
    assert_eq!(
        &value[..kept.unwrap_or_default()],
        if kept.is_ok() { &b"a\nb"[..] } else { b"" }
    );
    let hidden = rustix::fs::getxattr(&path, "user.overlay.opaque", &mut value[..]);
    assert!(hidden.is_err());
}

#[test]
fn entries_that_come_twice_replace_what_was_there() {
    let there = there(
        Tar::default()
            .file("a", "first")
            .hard_link("b", "a")
            .file("a", "second")
            .hard_link("b2", "b")
            .hard_link("b", "b")
            .file("file-then-dir", "x")
            .dir("file-then-dir")
            .file("file-then-dir/in", "in")
            .dir("dir-then-file")
            .file("dir-then-file/in", "in")
            .file("dir-then-file", "file")
            .dir("real")
            .symlink("link-then-dir", "real")
            .dir("link-then-dir")
            .symlink("link-then-file", "real/not")
            .file("link-then-file", "file")
            .symlink("s", "nowhere")
            .hard_link("s2", "s"),
    );
    assert_eq!(
        (there.text("a"), there.text("b")),
        ("second".into(), "first".into())
    );
    assert_eq!(there.meta("b").ino(), there.meta("b2").ino());
    assert_ne!(there.meta("a").ino(), there.meta("b").ino());
    assert_eq!(there.text("file-then-dir/in"), "in");
    assert_eq!(there.text("dir-then-file"), "file");
    assert!(there.meta("link-then-dir").is_dir());
    assert_eq!(there.text("link-then-file"), "file");
    assert!(is_empty(&there.tree.join("real")));
    assert!(there.meta("s2").is_symlink());
}

#[test]
fn links_never_lead_out_of_the_tree() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap();
    let up = format!("../../../../../../../../{target}");
    let there = there(
        Tar::default()
            .dir("usr")
            .dir("usr/bin")
            .symlink("bin", "usr/bin")
            .symlink("sbin", "/usr/bin")
            .file("bin/sh", "sh")
            .file("sbin/init", "init")
            .symlink("last", format!("{target}/last"))
            .file("last", "mine"),
    );
    assert_eq!(
        (there.text("usr/bin/sh"), there.text("usr/bin/init")),
        ("sh".into(), "init".into())
    );
    assert_eq!(there.text("last"), "mine");
    // A link's end is looked for in the tree, where it is not.
    for link in [target, &up] {
        let said = refused(Tar::default().symlink("evil", link).file("evil/file", "x"));
        assert!(
            said.contains("`evil/file` is in `evil`, which is no directory"),
            "{said}"
        );
    }
    let said = refused(
        Tar::default()
            .symlink("a", "b")
            .symlink("b", "a")
            .file("a/c", ""),
    );
    assert!(said.contains("a link that leads to itself"), "{said}");
    assert!(is_empty(outside.path()));
}

#[test]
fn names_and_kinds_that_no_image_may_have_are_refused() {
    let odd = Header::of(b'Z', "odd");
    let zero = Tar::default().extended(&[("path", b"a\0b")]);
    let huge = Header::of(b'x', "PaxHeader").block(1 << 40);
    for (tar, said) in [
        (Tar::default().file("/etc/passwd", ""), "absolute name"),
        (Tar::default().file("../x", ""), "`..` in its name"),
        (Tar::default().file("a/../../x", ""), "`..` in its name"),
        (Tar::default().hard_link("x", "../y"), "`..` in its name"),
        (
            Tar::default().hard_link("x", "/etc/passwd"),
            "absolute name",
        ),
        (Tar::default().file("a/.wh...", ""), "hides no file"),
        (
            Tar::default().hard_link("x", "below"),
            "second name of `below`, which the layer does not have",
        ),
        (
            Tar::default().dir("d").hard_link("x", "d"),
            "which is a directory",
        ),
        (
            Tar::default()
                .dir("d")
                .file("d/f", "")
                .hard_link("d", "d/f"),
            "in the directory that it replaces",
        ),
        (
            Tar::default().file("f", "").file("f/g", ""),
            "`f`, which is no directory",
        ),
        (Tar::default().file(".", ""), "its root is no directory"),
        (Tar::default().symlink("x", ""), "leads to no name"),
        (
            Tar::default().entry(&odd, b""),
            "a kind that is not known: 'Z'",
        ),
        (zero.file("x", ""), "a zero byte"),
        (Tar::default().raw(&huge, b""), "more than 4 MB"),
        (
            Tar(b"no tar, but longer than nothing".repeat(40)),
            "no tar archive",
        ),
        (
            Tar(Header::of(b'0', "x").block(5000).to_vec()),
            "ends in the middle of a file",
        ),
    ] {
        let found = refused(tar);
        assert!(found.contains(said), "{found}\nwanted: {said}");
    }
    let said = refused(Tar::default().file("\x1b[2J../../..", ""));
    assert!(!said.contains('\x1b'), "{said:?}");
}

#[test]
fn names_may_be_long_and_files_may_say_their_size_in_any_form() {
    let dirs = "directory/".repeat(30);
    let long = format!("{dirs}file");
    let mut binary = Header::of(b'0', "binary").block(1 << 40);
    // A size in the extended header counts, and not the one in the entry's own.
    sum(&mut binary);
    let there = there(
        Tar::default()
            .file(&long, "long")
            .symlink("link", format!("{dirs}elsewhere"))
            .extended(&[
                ("path", format!("{dirs}\u{e9}").as_bytes()),
                ("mtime", b"12.5"),
            ])
            .file("short", "extended")
            .extended(&[("size", b"3")])
            .raw(&binary, b"abc")
            .file("after", "after"),
    );
    assert_eq!(there.text(&long), "long");
    assert_eq!(there.text(&format!("{dirs}\u{e9}")), "extended");
    let meta = there.meta(&format!("{dirs}\u{e9}"));
    assert_eq!((meta.mtime(), meta.mtime_nsec()), (12, 500_000_000));
    assert_eq!(
        (there.text("binary"), there.text("after")),
        ("abc".into(), "after".into())
    );
}

/// A file with holes, in GNU's old form: ten bytes at 1 MB, in a file of 10 GB.
fn gnu_sparse() -> Tar {
    let mut block = Header::of(b'S', "gnu").block(10);
    block[257..265].copy_from_slice(b"ustar  \0");
    for (at, number) in [(386, 1 << 20), (398, 10), (410, 10_u64 << 30), (422, 0)] {
        block[at..at + 12].copy_from_slice(&[&[0x80, 0, 0, 0], &number.to_be_bytes()[..]].concat());
    }
    block[483..495]
        .copy_from_slice(&[&[0x80, 0, 0, 0], &(10_u64 << 30).to_be_bytes()[..]].concat());
    sum(&mut block);
    Tar::default().raw(&block, b"0123456789")
}

#[test]
fn files_have_their_holes_in_each_form() {
    let mut map = b"2\n1048576\n10\n10737418240\n0\n".to_vec();
    map.resize(512, 0);
    map.extend_from_slice(b"0123456789");
    let size: (&str, &[u8]) = ("GNU.sparse.realsize", b"10737418240");
    let there = there(
        gnu_sparse()
            .extended(&[
                ("GNU.sparse.major", b"1"),
                ("GNU.sparse.minor", b"0"),
                ("GNU.sparse.name", b"pax1"),
                size,
            ])
            .file("GNUSparseFile.1/pax1", &map)
            .extended(&[
                ("GNU.sparse.map", b"1048576,10,10737418240,0"),
                ("GNU.sparse.size", b"10737418240"),
            ])
            .file("pax0", "0123456789")
            .file("after", "after"),
    );
    for name in ["gnu", "pax1", "pax0"] {
        let meta = there.meta(name);
        assert_eq!(meta.len(), 10 << 30, "{name}");
        assert!(meta.blocks() < 1000, "{name}");
        let file = fs::File::open(there.tree.join(name)).unwrap();
        let mut bytes = [0; 12];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, (1 << 20) - 1).unwrap();
        assert_eq!(&bytes, b"\x000123456789\0", "{name}");
    }
    assert_eq!(there.text("after"), "after");
    let wrong: &[(&str, &[u8])] = &[("GNU.sparse.map", b"5,10,0,3"), ("GNU.sparse.size", b"100")];
    let said = refused(Tar::default().extended(wrong).file("x", "0123456789abc"));
    assert!(said.contains("holes of a sparse file"), "{said}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

#[test]
fn layers_come_packed_in_each_form_and_in_several_parts() {
    let text = "words and words\n".repeat(60_000);
    let (bytes, digest) = Tar::default().file("a", &text).file("b", "b").done();
    let (front, back) = bytes.split_at(300_001);
    let skipped = [&[0x51, 0x2a, 0x4d, 0x18, 3, 0, 0, 0], &b"any"[..]].concat();
    for (packed, told) in [
        (bytes.clone(), Compression::None),
        (gzip(&bytes), Compression::Gzip),
        ([gzip(front), gzip(back)].concat(), Compression::Gzip),
        (
            [gzip(&bytes), b"garbage".to_vec()].concat(),
            Compression::Gzip,
        ),
        (zstd(&bytes), Compression::Zstd),
        (
            [skipped.clone(), zstd(front), skipped, zstd(back)].concat(),
            Compression::Zstd,
        ),
        (
            [zstd(&bytes), b"garbage".to_vec()].concat(),
            Compression::Zstd,
        ),
    ] {
        for media in [told, Compression::Detect] {
            let dir = tempfile::tempdir().unwrap();
            let store = store(dir.path());
            let read = std::cell::Cell::new(0);
            let told = |bytes| read.set(read.get() + bytes);
            store.unpack(&digest, media, &packed[..], &told).unwrap();
            assert_eq!(read.get(), packed.len() as u64);
            let found = fs::read_to_string(tree(&store, &digest).join("a")).unwrap();
            assert!(found == text);
        }
    }
}

#[test]
fn an_empty_layer_is_one_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let (digest, layer) = unpack(&store, Tar::default()).unwrap();
    assert_eq!(layer, Layer::default());
    // Images have it several times.
    let held = store.hold(&image("a", &[digest.clone(), digest])).unwrap();
    assert_eq!(held.trees().len(), 1);
    assert!(is_empty(&held.trees()[0]));
    // As Docker counts a stream of nothing.
    store
        .unpack(&Digest::of(b""), Compression::Detect, &b""[..], &|_| ())
        .unwrap();
}

#[test]
fn a_layer_that_came_otherwise_than_its_digest_says_leaves_nothing() {
    let (bytes, digest) = Tar::default().file("a", "text".repeat(1000)).done();
    let mut changed = bytes.clone();
    changed[600] ^= 1;
    let damaged = {
        let mut packed = gzip(&bytes);
        let at = packed.len() / 2;
        packed[at] ^= 0x55;
        packed
    };
    let cut = gzip(&bytes);
    let said_of = |from: &[u8]| {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let error = store
            .unpack(&digest, Compression::Detect, from, &|_| ())
            .unwrap_err();
        assert!(!store.has_layer(&digest));
        assert!(is_empty(&store.dir().join("layers")));
        error.to_string()
    };
    for (from, said) in [
        (&changed[..], "has another digest than its image says"),
        (&bytes[..700], "has another digest than its image says"),
        (
            &[&bytes[..], b"garbage"].concat(),
            "has another digest than its image says",
        ),
        (
            b"<html>500</html>",
            "has another digest than its image says",
        ),
        (&damaged, "packed wrongly"),
        (&cut[..cut.len() / 2], "it ends too early"),
        (&cut[..cut.len() - 4], "it ends too early"),
        (&zstd(&bytes)[..30], "packed wrongly"),
    ] {
        let found = said_of(from);
        assert!(found.contains(said), "{found}\nwanted: {said}");
    }
}

/// A stream that fails after some bytes.
struct Failing<'a>(&'a [u8]);

impl std::io::Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(std::io::Error::other("the line is dead")),
            n => Ok(n),
        }
    }
}

#[test]
fn a_stream_that_fails_says_why_and_how_far_it_came() {
    let (bytes, digest) = Tar::default().file("a", "text".repeat(1000)).done();
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    for from in [&bytes[..1000], &gzip(&bytes)[..40]] {
        let error = store.unpack(&digest, Compression::Detect, Failing(from), &|_| ());
        let said = error.unwrap_err().to_string();
        let wanted = format!(
            "stopped coming after {} bytes: the line is dead",
            from.len()
        );
        assert!(said.ends_with(&wanted), "{said}");
    }
    store
        .unpack(&digest, Compression::Detect, &bytes[..], &|_| ())
        .unwrap();
}

#[test]
fn what_a_layer_hides_is_gone_in_its_image_and_there_in_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let base = Tar::default()
        .dir("etc")
        .file("etc/old", "old")
        .file("etc/kept", "kept")
        .dir("lib")
        .file("lib/a", "a")
        .file("swap", "file")
        .dir("paws")
        .file("paws/in", "in");
    let (base, _) = unpack(&store, base).unwrap();
    let upper = Tar::default()
        .file("etc/.wh.old", "")
        .dir("lib")
        .file("lib/b", "b")
        .file("lib/.wh..wh..opq", "")
        .dir("swap")
        .file("swap/in", "in")
        .file("paws", "file");
    let (upper, layer) = unpack(&store, upper).unwrap();
    assert_eq!(layer.hides, 2);
    let (top, _) = unpack(&store, Tar::default().file("top", "top")).unwrap();
    let held = store
        .hold(&image("a", &[base.clone(), upper, top]))
        .unwrap();
    // Above the last that hides something, layers stay as they are.
    assert_eq!(held.trees().len(), 2);
    assert!(held.trees()[0].join("top").exists());
    let flat = &held.trees()[1];
    let text = |path: &str| fs::read_to_string(flat.join(path)).ok();
    assert_eq!(text("etc/old"), None);
    assert_eq!(text("etc/kept").as_deref(), Some("kept"));
    assert_eq!((text("lib/a"), text("lib/b").as_deref()), (None, Some("b")));
    assert_eq!(text("swap/in").as_deref(), Some("in"));
    assert_eq!(text("paws").as_deref(), Some("file"));
    let below = tree(&store, &base);
    let same = |path: &Path| path.join("etc/kept").metadata().unwrap().ino();
    assert_eq!(same(flat), same(&below), "it takes no space");
    assert!(below.join("etc/old").exists());
}
