//! Where the store has what.

use std::path::{Path, PathBuf};

use crate::images::{Digest, ImageName};

/// The paths of a store.
#[derive(Clone, Debug)]
pub struct StorePaths {
    dir: PathBuf,
}

/// A kind of things that the store keeps by digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawer {
    /// Layers, each unpacked.
    Layers,
    /// Several layers as one directory.
    Flat,
    /// Blobs that are being fetched.
    Partial,
}

impl Drawer {
    /// Those that have directories.
    pub const TREES: [Self; 2] = [Self::Layers, Self::Flat];

    const fn name(self) -> &'static str {
        match self {
            Self::Layers => "layers",
            Self::Flat => "flat",
            Self::Partial => "partial",
        }
    }
}

impl StorePaths {
    pub fn of(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn version(&self) -> PathBuf {
        self.dir.join("version")
    }

    pub fn images(&self) -> PathBuf {
        self.dir.join("images")
    }

    pub fn locks(&self) -> PathBuf {
        self.dir.join("locks")
    }

    pub fn drawer(&self, drawer: Drawer) -> PathBuf {
        self.dir.join(drawer.name())
    }

    /// What has this digest.
    pub fn at(&self, drawer: Drawer, digest: &Digest) -> PathBuf {
        self.drawer(drawer).join(digest.hex())
    }

    /// Its lock.
    pub fn lock(&self, drawer: Drawer, digest: &Digest) -> PathBuf {
        let name = format!("{}-{}.lock", drawer.name(), digest.hex());
        self.locks().join(name)
    }

    /// The lock that is shared by all who bring something, and held by who takes something away.
    pub fn lock_of_removal(&self) -> PathBuf {
        self.locks().join("removal.lock")
    }

    /// What is known of an image.
    pub fn image(&self, name: &ImageName) -> PathBuf {
        self.images().join(file_name(&name.to_string()))
    }
}

/// The longest such name without its ending; file systems take 255 bytes.
const LONGEST: usize = 200;

/// A name of an image as one of a file: `/`, `:` and `@` by their codes, as in an address; a long one
/// is cut, and told from others by its digest.
fn file_name(name: &str) -> String {
    use std::fmt::Write as _;
    let mut safe = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
            safe.push(char::from(byte));
        } else {
            let _ = write!(safe, "%{byte:02X}");
        }
    }
    if safe.len() > LONGEST {
        let digest = Digest::of(name.as_bytes());
        safe.truncate(LONGEST - 65);
        safe = format!("{safe}-{}", digest.hex());
    }
    safe + ".json"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_an_image_is_one_of_a_file() {
        let long = format!("a.b/{}:{}", "c/".repeat(120) + "d", "t".repeat(128));
        let other = format!("{}u", &long[..long.len() - 1]);
        let digest = Digest::of(b"");
        let names = [
            "alpine".to_owned(),
            "alpine:3".to_owned(),
            "[::1]:5000/a/b:c".to_owned(),
            format!("a/b@{digest}"),
            long,
            other,
        ];
        let files = names.map(|name| file_name(&name.parse::<ImageName>().unwrap().to_string()));
        assert_eq!(files[1], "docker.io%2Flibrary%2Falpine%3A3.json");
        for (n, file) in files.iter().enumerate() {
            assert!(file.len() < 255 && !file.contains('/'), "{file}");
            assert!(!files[..n].contains(file), "{file}");
        }
    }
}
