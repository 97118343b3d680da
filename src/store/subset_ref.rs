//! What `-s` names: a subset of the dataset's, or a file anywhere.

use std::path::{Path, PathBuf};

/// How a subset's file ends.
pub const ENDING: &str = ".json";

/// A subset by what was typed for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubsetRef {
    /// A name in the dataset's `subsets/`.
    Named(String),
    /// A file, by its absolute path.
    File(PathBuf),
}

impl SubsetRef {
    /// What a text names: a path if it has a slash or ends in `.json`, which may be left out as it
    /// must be for upstream; otherwise a name.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if !text.contains('/') && !text.ends_with(ENDING) {
            return Self::Named(text.to_owned());
        }
        Self::File(with_ending(text))
    }

    /// Its name: of a file what it is called without its ending.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Named(name) => name.clone(),
            Self::File(path) => {
                let stem = path.file_stem().unwrap_or_default();
                stem.to_string_lossy().into_owned()
            }
        }
    }

    /// What upstream takes for it: `<dataset>/subsets/` comes before it and `.json` behind it, so an
    /// absolute path without the ending names the file itself.
    #[must_use]
    pub fn of_upstream(&self) -> String {
        match self {
            Self::Named(name) => name.clone(),
            Self::File(path) => path.with_extension("").display().to_string(),
        }
    }

    /// The file, with the dataset at `root`.
    #[must_use]
    pub fn path(&self, root: &Path) -> PathBuf {
        match self {
            Self::Named(name) => root.join("subsets").join(format!("{name}{ENDING}")),
            Self::File(path) => path.clone(),
        }
    }
}

/// The absolute path of a subset's file, from one that may lack its ending.
#[must_use]
pub fn with_ending(text: &str) -> PathBuf {
    let path = if text.ends_with(ENDING) {
        PathBuf::from(text)
    } else {
        PathBuf::from(format!("{text}{ENDING}"))
    };
    std::path::absolute(&path).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_and_without_its_ending_is_one_file_and_a_word_is_a_name() {
        for text in ["/x/my.v1.json", "/x/my.v1"] {
            let file = SubsetRef::of(text);
            assert_eq!(file, SubsetRef::File("/x/my.v1.json".into()));
            assert_eq!(file.name(), "my.v1");
            assert_eq!(file.of_upstream(), "/x/my.v1");
            assert_eq!(file.path(Path::new("/d")), Path::new("/x/my.v1.json"));
        }
        let named = SubsetRef::of("lite");
        assert_eq!(named, SubsetRef::Named("lite".to_owned()));
        assert_eq!(
            (named.name(), named.of_upstream()),
            ("lite".to_owned(), "lite".to_owned())
        );
        assert_eq!(
            named.path(Path::new("/d")),
            Path::new("/d/subsets/lite.json")
        );
        let here = std::env::current_dir().unwrap();
        for text in ["mine.json", "./mine", "./mine.json"] {
            assert_eq!(
                SubsetRef::of(text),
                SubsetRef::File(here.join("mine.json")),
                "{text}"
            );
        }
    }
}
