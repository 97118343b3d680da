//! `[images]`: where images are kept and come from, for backends that have them without a daemon.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

use crate::error::{Error, Result};
use crate::secret::masked_url;

/// `[images]`: where images are kept, and where they come from.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "default-config.toml is the reference")]
pub struct ImagesConfig {
    #[serde(default, deserialize_with = "of_home")]
    pub store: Option<PathBuf>,
    pub pull: bool,
    /// The URL that is asked in a registry's place, by the registry's host. Plain HTTP is meant where
    /// it says so.
    #[serde(default)]
    pub mirrors: BTreeMap<String, String>,
}

impl ImagesConfig {
    /// The directory of the store, as an absolute path. Without the key it is the user's, and an error
    /// where the user has no place for data.
    pub fn store_dir(&self) -> Result<PathBuf> {
        let users = || {
            let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
            let data = variable("XDG_DATA_HOME").map(PathBuf::from);
            // The specification: a relative one is to be ignored.
            let data = data.filter(|path| path.is_absolute());
            let data = data.or_else(|| {
                let home = variable("HOME").map(PathBuf::from)?;
                Some(home.join(".local/share"))
            })?;
            Some(data.join("regatta/images"))
        };
        let dir = self.store.clone().or_else(users).ok_or_else(|| {
            Error::usage("there is no place for images: neither HOME nor XDG_DATA_HOME is set")
                .hint("name one: store = \"/path/to/images\" in [images], or REGATTA_STORE")
        })?;
        std::path::absolute(&dir)
            .map_err(|error| Error::usage(format!("images.store = {}: {error}", dir.display())))
    }

    /// What is wrong with the mirrors.
    pub(super) fn mistakes(&self) -> Vec<(&'static str, String)> {
        let wrong = self.mirrors.iter().filter_map(|(registry, url)| {
            let why = wrong_mirror(registry, url)?;
            Some(("images.mirrors", why))
        });
        wrong.collect()
    }
}

/// Why this is no mirror of a registry.
fn wrong_mirror(registry: &str, url: &str) -> Option<String> {
    let shown = registry.escape_debug();
    let is_host = |text: &str| {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        !text.is_empty() && text.chars().all(is_allowed)
    };
    if !is_host(registry) {
        return Some(format!(
            "has `{shown}`, which is no registry: write its host, such as \"docker.io\""
        ));
    }
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme));
    let host = rest.map(|rest| rest.split('/').next().unwrap_or_default());
    match host {
        // It may be a password.
        Some(host) if host.contains('@') => Some(format!(
            "has a login in the URL of `{shown}`: leave it out, and log in with `docker login`, whose file is read"
        )),
        Some(host) if is_host(host) && !url.contains(['?', '#', ' ']) => None,
        _ => Some(format!(
            "has `{}` for `{shown}`, but a URL such as https://mirror.example.org is wanted",
            masked_url(url).escape_debug()
        )),
    }
}

/// A path of a file, in which `~` is the user's directory.
pub(super) fn of_home<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<Option<PathBuf>, D::Error> {
    let path = String::deserialize(from)?;
    let rest = path.strip_prefix('~');
    let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    Ok(Some(match (rest, home) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest.trim_start_matches('/')),
        _ => path.into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::Layers;
    use super::*;

    fn images(file: &str) -> Result<ImagesConfig> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("regatta.toml");
        crate::files::write_atomic(&path, file.as_bytes()).unwrap();
        let mut layers = Layers::defaults();
        layers.add_file(Some(&path), None)?;
        layers.config().map(|config| config.images)
    }

    #[test]
    fn images_are_pulled_from_where_they_are_and_kept_with_the_users_data() {
        let images = images("").unwrap();
        assert!(images.pull && images.mirrors.is_empty() && images.store.is_none());
        assert!(images.store_dir().unwrap().ends_with("regatta/images"));
    }

    #[test]
    fn the_store_is_where_the_file_says_and_a_tilde_is_the_users_directory() {
        let there = images("[images]\nstore = '/data/my images'\n").unwrap();
        let there = there.store_dir().unwrap();
        assert_eq!(there, PathBuf::from("/data/my images"));
        let home = images("[images]\nstore = '~/images'\n").unwrap();
        let home = home.store_dir().unwrap();
        let users = PathBuf::from(std::env::var_os("HOME").unwrap());
        assert_eq!(home, users.join("images"));
        let error = images("[images]\nstore = '~ada/images'\n").unwrap_err();
        let error = error.to_string();
        assert!(error.contains("`~ada/images` begins with `~`"), "{error}");
    }

    #[test]
    fn a_registry_has_a_url_in_its_place_and_anything_else_is_refused() {
        let given = "[images.mirrors]\n'docker.io' = 'http://127.0.0.1:5000'\n'reg.lan:5000' = 'https://reg.lan/hub'\n";
        assert_eq!(images(given).unwrap().mirrors.len(), 2);
        for (line, why) in [
            (
                "'docker.io' = 'mirror.lan'",
                "has `mirror.lan` for `docker.io`, but a URL",
            ),
            ("'docker.io' = 'ftp://x'", "but a URL"),
            ("'docker.io' = 'https://'", "but a URL"),
            (
                "'https://docker.io' = 'https://x'",
                "`https://docker.io`, which is no registry",
            ),
            (
                "'docker.io' = 'https://me:sesame@x'",
                "has a login in the URL of `docker.io`",
            ),
        ] {
            let error = images(&format!("[images.mirrors]\n{line}\n")).unwrap_err();
            let error = error.to_string();
            assert!(error.contains(why), "{error}");
            assert!(!error.contains("sesame"), "{error}");
        }
    }
}
