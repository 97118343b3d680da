//! Opening a store: whether a directory can be one.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::StatVfsMountFlags;
use rustix::io::Errno;
use rustix::process::{Gid, Uid, getegid, geteuid};

use super::Store;
use super::places::{Drawer, StorePaths};
use crate::files;
use crate::images::ImageError;
use crate::images::layer::OwnedBy;

/// The form of the store that this program writes.
const VERSION: &str = "1\n";

/// Root's sandboxes become this user, `nobody`, and change what images have: it must be theirs.
const NOBODY: u32 = 65534;

const ANOTHER: &str = "name another directory: `[images] store` in the configuration";

impl Store {
    /// Opens the store in a directory, which is made when it is not there. One that is there may be on
    /// a file system that is read-only here: then it is only read.
    pub fn open(dir: &Path) -> Result<Self, ImageError> {
        let places = StorePaths::of(dir);
        let unusable = |why: String, hint: &str| ImageError::Unusable {
            dir: dir.to_owned(),
            why,
            hint: hint.to_owned(),
        };
        files::create_dir(dir)?;
        let owner = dir
            .metadata()
            .map_err(|error| ImageError::system("read", dir, error))?
            .uid();
        let us = geteuid().as_raw();
        if owner != us {
            let why = format!(
                "it belongs to the user {owner}, and you are {us}: what is unpacked must be yours to change in a sandbox"
            );
            return Err(unusable(why, ANOTHER));
        }
        let flags = rustix::fs::statvfs(dir)
            .map_err(|error| ImageError::system("read", dir, error))?
            .f_flag;
        let is_read_only = flags.contains(StatVfsMountFlags::RDONLY);
        if is_read_only && !places.version().exists() {
            let why = "its file system is read-only, and there is no store yet".to_owned();
            return Err(unusable(why, ANOTHER));
        }
        if flags.contains(StatVfsMountFlags::NOEXEC) {
            let why = "its file system is mounted with `noexec`, so that no program of an image could start".to_owned();
            return Err(unusable(why, ANOTHER));
        }
        check_version(&places, &unusable)?;
        if is_read_only {
            let owner = None;
            return Ok(Self {
                places,
                owner,
                is_read_only,
            });
        }
        for made in [
            places.images(),
            places.locks(),
            places.drawer(Drawer::Partial),
        ] {
            files::create_dir(&made)?;
        }
        let layers = places.drawer(Drawer::Layers);
        files::create_dir(&layers)?;
        let owner = nobody(&layers)?;
        for drawer in Drawer::TREES {
            make_private(&places.drawer(drawer), owner)?;
        }
        Ok(Self {
            places,
            owner,
            is_read_only,
        })
    }

    /// Whether nothing can come into it or go out of it from here.
    #[must_use]
    pub const fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    /// Refuses to change a store that is only read here; `so` says what cannot be done.
    pub fn check_writable(&self, so: &str) -> Result<(), ImageError> {
        if !self.is_read_only {
            return Ok(());
        }
        Err(ImageError::ReadOnly {
            dir: self.dir().to_owned(),
            so: so.to_owned(),
        })
    }
}

fn check_version(
    places: &StorePaths,
    unusable: &dyn Fn(String, &str) -> ImageError,
) -> Result<(), ImageError> {
    let path = places.version();
    let known = if path.exists() {
        files::read_text(&path)?
    } else {
        let there = files::list(places.dir())?;
        // Another process may be making it at this moment.
        let is_ours = |path: &std::path::PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(".regatta-") || name == "version"
        };
        if let Some(other) = there.iter().find(|path| !is_ours(path)) {
            let why = format!("it is no store and has other files, as {}", other.display());
            return Err(unusable(
                why,
                "name an empty directory, or one that is not there: `[images] store` in the configuration",
            ));
        }
        files::write_atomic(&path, VERSION.as_bytes())?;
        VERSION.to_owned()
    };
    if known == VERSION {
        return Ok(());
    }
    let known: String = known.trim().chars().take(20).collect();
    let why = format!(
        "it is a store of version {}, and this program knows version 1",
        known.escape_debug()
    );
    Err(unusable(
        why,
        "use the program that made it, or name another directory (`[images] store`)",
    ))
}

/// Who owns what root unpacks; `None` for an ordinary user, whose own it is. So it is for the root of
/// a user namespace that has no such user: its sandboxes stay who they are.
fn nobody(dir: &Path) -> Result<OwnedBy, ImageError> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    match std::os::unix::fs::chown(dir, Some(NOBODY), Some(NOBODY)) {
        Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => Ok(None),
        Err(error) => Err(ImageError::system("change the owner of", dir, error)),
        Ok(()) => Ok(Some((Uid::from_raw(NOBODY), Gid::from_raw(NOBODY)))),
    }
}

/// Images have directories that all may write to (`/tmp`): none but the owner comes near them. And
/// what is made in it has the owner's group, whatever the directory above says: a sandbox knows no
/// other.
fn make_private(dir: &Path, owner: OwnedBy) -> Result<(), ImageError> {
    files::create_dir(dir)?;
    let meta = dir
        .metadata()
        .map_err(|error| ImageError::system("read", dir, error))?;
    let (user, group) = owner.unwrap_or_else(|| (geteuid(), getegid()));
    if (meta.uid(), meta.gid()) != (user.as_raw(), group.as_raw()) {
        std::os::unix::fs::chown(dir, Some(user.as_raw()), Some(group.as_raw()))
            .map_err(|error| ImageError::system("change the owner of", dir, error))?;
    }
    if meta.mode() & 0o7777 != 0o700 {
        std::fs::set_permissions(dir, Permissions::from_mode(0o700))
            .map_err(|error| ImageError::system("close", dir, error))?;
    }
    Ok(())
}
