//! Paths as people read them.

use std::path::{Path, PathBuf};

/// A path as it is typed in the working directory: relative where it is below it. Of the directory
/// itself it is `.`.
#[must_use]
pub fn from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(&here) {
        Ok(below) if below.as_os_str().is_empty() => PathBuf::from("."),
        Ok(below) if !here.as_os_str().is_empty() => below.to_owned(),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_below_is_shortened() {
        let here = std::env::current_dir().unwrap();
        for (path, told) in [
            (here.join("logs/a-solo"), Path::new("logs/a-solo")),
            (here.clone(), Path::new(".")),
            (PathBuf::from("/srv/logs"), Path::new("/srv/logs")),
            (PathBuf::from("logs"), Path::new("logs")),
        ] {
            assert_eq!(from_here(&path), told);
        }
    }
}
