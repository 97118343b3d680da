//! The names in a layer: where they lead, and what some of them mean.

use super::snag::{Snag, shown};

/// The longest name that the kernel takes, in bytes (`PATH_MAX` less its end).
const LONGEST: usize = 4095;

/// What an entry's name means.
#[derive(Debug, PartialEq, Eq)]
pub enum TarMeaning<'a> {
    /// This file.
    File,
    /// The file of this path is gone.
    Gone(Vec<u8>),
    /// Of this directory, nothing of the layers below is seen.
    Opaque(&'a [u8]),
    /// AUFS's own, which no one else needs.
    Nothing,
}

/// What whiteouts begin with (OCI image specification, "Whiteouts").
const GONE: &[u8] = b".wh.";
/// What AUFS's own files begin with.
const AUFS: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// A name as a path below the image's root, without `.`, empty parts and a slash at its end; the root
/// itself is empty.
///
/// Names that are absolute or have `..` are refused. Docker puts them below the root too; nothing that
/// builds images writes them, so they mean that somebody is up to something.
pub fn normal(name: &[u8]) -> Result<Vec<u8>, Snag> {
    let refused = |why: &str| {
        let name = shown(&name[..name.len().min(200)]);
        Err(Snag::content(format!("its entry {name} {why}")))
    };
    if name.len() > LONGEST {
        return refused("has a name of more than 4095 bytes");
    }
    if name.contains(&0) {
        return refused("has a zero byte in its name");
    }
    let parts = name.split(|byte| *byte == b'/');
    let parts: Vec<&[u8]> = parts.filter(|it| !matches!(*it, b"" | b".")).collect();
    if name.first() == Some(&b'/') && !parts.is_empty() {
        return refused("has an absolute name, which could lead out of the image");
    }
    if parts.contains(&&b".."[..]) {
        return refused("has `..` in its name, which could lead out of the image");
    }
    Ok(parts.join(&b'/'))
}

/// A path's directory and its last part.
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

/// What a normal path means.
pub fn meaning(path: &[u8]) -> Result<TarMeaning<'_>, Snag> {
    let (dir, last) = split(path);
    if last == OPAQUE {
        return Ok(TarMeaning::Opaque(dir));
    }
    let is_of_aufs = path
        .split(|byte| *byte == b'/')
        .any(|it| it.starts_with(AUFS));
    if is_of_aufs {
        return Ok(TarMeaning::Nothing);
    }
    let Some(gone) = last.strip_prefix(GONE) else {
        return Ok(TarMeaning::File);
    };
    if matches!(gone, b"" | b"." | b"..") {
        return Err(Snag::content(format!(
            "its entry {} hides no file by its name",
            shown(path)
        )));
    }
    let mut hidden = dir.to_vec();
    if !dir.is_empty() {
        hidden.push(b'/');
    }
    hidden.extend_from_slice(gone);
    Ok(TarMeaning::Gone(hidden))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_lead_out_are_refused() {
        for (name, path) in [
            (&b"a/b"[..], &b"a/b"[..]),
            (b"./a//b/./", b"a/b"),
            (b"./", b""),
            (b"/", b""),
            (b"a/...", b"a/..."),
            (b"\xff\n", b"\xff\n"),
        ] {
            assert_eq!(normal(name).unwrap(), path);
        }
        let long = [b'a'; 5000];
        for name in [
            &b"/etc/passwd"[..],
            b"..",
            b"a/../b",
            b"a/..",
            b"./../x",
            b"a\0b",
            &long,
        ] {
            assert!(normal(name).is_err(), "{}", shown(name));
        }
    }

    #[test]
    fn whiteouts_name_what_is_gone_and_never_another_directory() {
        for (path, expected) in [
            (&b"a/b"[..], TarMeaning::File),
            (b"a/.wh.b", TarMeaning::Gone(b"a/b".to_vec())),
            (b".wh.b", TarMeaning::Gone(b"b".to_vec())),
            (b"a/.wh..wh..opq", TarMeaning::Opaque(b"a")),
            (b".wh..wh..opq", TarMeaning::Opaque(b"")),
            (b".wh..wh.plnk/1.2", TarMeaning::Nothing),
            (b".wh..wh.aufs", TarMeaning::Nothing),
            (b".wh...a", TarMeaning::Gone(b"..a".to_vec())),
            (b"a.wh.b", TarMeaning::File),
        ] {
            assert_eq!(meaning(path).unwrap(), expected);
        }
        for path in [&b"a/.wh."[..], b"a/.wh..", b".wh..."] {
            assert!(meaning(path).is_err(), "{}", shown(path));
        }
    }
}
