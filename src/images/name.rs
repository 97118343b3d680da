//! The names of images.

use std::fmt;
use std::str::FromStr;

use super::Digest;

/// A name of an image, in full (distribution's reference grammar, `reference/reference.go`): what
/// Docker leaves out (`docker.io`, `library/`, `latest`) is filled in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageName {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// The registry of names that name none.
pub const DOCKER_HUB: &str = "docker.io";

/// The longest repository and the longest tag that registries take, in bytes.
const LONGEST: (usize, usize) = (255, 128);

impl ImageName {
    /// The registry's host, with a port where it names one.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository in the registry.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; `None` only where a digest stands in its place.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of the manifest, where the name has it.
    #[must_use]
    pub const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What a registry is asked for: the digest, else the tag.
    #[must_use]
    pub fn wanted(&self) -> &str {
        let tag = || self.tag.as_deref().unwrap_or("latest");
        self.digest.as_ref().map_or_else(tag, Digest::as_str)
    }
}

impl FromStr for ImageName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{text:?} is no name of an image: {why}");
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (
                rest,
                Some(digest.parse().map_err(|why: String| wrong(&why))?),
            ),
            None => (text, None),
        };
        // A colon after the last slash begins a tag; one before it, a port.
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag.to_owned())),
            _ => (rest, None),
        };
        let (registry, repository) = match path.split_once('/') {
            Some((host, rest)) if is_registry(host) => (host.to_owned(), rest.to_owned()),
            Some(_) => (DOCKER_HUB.to_owned(), path.to_owned()),
            None => (DOCKER_HUB.to_owned(), format!("library/{path}")),
        };
        let registry = if registry == "index.docker.io" {
            DOCKER_HUB.to_owned()
        } else {
            registry
        };
        if path.is_empty() {
            return Err(wrong("it is empty"));
        }
        if !is_host(&registry) {
            return Err(wrong("its registry is no host"));
        }
        if repository.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(wrong("a repository has no capitals"));
        }
        if repository.len() > LONGEST.0 || !repository.split('/').all(is_component) {
            return Err(wrong(
                "a repository is words of a-z, 0-9, and between them . _ or -, with / between",
            ));
        }
        if tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong(
                "a tag is up to 128 letters, digits, _, . and -, and begins with none of the last two",
            ));
        }
        let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
        Ok(Self {
            registry,
            repository,
            tag,
            digest,
        })
    }
}

/// Whether the first part of a name is a registry, as Docker tells them apart.
fn is_registry(host: &str) -> bool {
    host == "localhost"
        || host.contains(['.', ':'])
        || host.bytes().any(|it| it.is_ascii_uppercase())
}

/// Whether it is a host's name or address, and a port where there is one.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_address = |inner: &str| inner.parse::<std::net::Ipv6Addr>().is_ok();
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(is_inner) && !label.starts_with('-')
    };
    port.is_none_or(|port| port.parse::<u16>().is_ok())
        && match host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            Some(inner) => is_address(inner),
            None => host.split('.').all(is_label),
        }
}

/// Whether it is one word of a repository: of letters and digits, with one separator between two
/// (a dot, one or two underscores, any number of dashes).
fn is_component(word: &str) -> bool {
    let is_alone = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = word.as_bytes();
    let is_between = |separators: &[u8]| match separators {
        [] | [b'.' | b'_'] | [b'_', b'_'] => true,
        dashes => dashes.iter().all(|byte| *byte == b'-'),
    };
    bytes.first().copied().is_some_and(is_alone)
        && bytes.last().copied().is_some_and(is_alone)
        && bytes.split(|byte| is_alone(*byte)).all(is_between)
}

fn is_tag(tag: &str) -> bool {
    let is_first = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_next = |byte: u8| is_first(byte) || byte == b'.' || byte == b'-';
    tag.len() <= LONGEST.1 && tag.bytes().next().is_some_and(is_first) && tag.bytes().all(is_next)
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_as_docker_fills_them_in() {
        for (short, full) in [
            ("alpine", "docker.io/library/alpine:latest"),
            (
                "akhatua/cooperbench-jinja:task1",
                "docker.io/akhatua/cooperbench-jinja:task1",
            ),
            ("index.docker.io/a/b", "docker.io/a/b:latest"),
            ("localhost/a", "localhost/a:latest"),
            ("[::1]:5000/a", "[::1]:5000/a:latest"),
            ("127.0.0.1:5000/a/b:1.0", "127.0.0.1:5000/a/b:1.0"),
            ("a__b/c--d.e:T_1", "docker.io/a__b/c--d.e:T_1"),
        ] {
            assert_eq!(short.parse::<ImageName>().unwrap().to_string(), full);
        }
        let digest = Digest::of(b"");
        let named: ImageName = format!("a/b@{digest}").parse().unwrap();
        assert_eq!((named.tag(), named.wanted()), (None, digest.as_str()));
        assert_eq!(named.to_string().parse::<ImageName>().unwrap(), named);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for wrong in [
            "",
            ":",
            "a b",
            "a/B",
            "a//b",
            "a/../b",
            "../a",
            "a:",
            "a:-b",
            "a@sha256:1",
            "a._b",
            "a/b-",
            "ho st.com/a",
            "-a",
            "a___b",
            "\u{e9}",
            "a:b\n",
            "https://x.y/z",
            "a:b:c/d",
            "[::x]:5/a",
            "h:99999/a",
        ] {
            assert!(wrong.parse::<ImageName>().is_err(), "{wrong:?}");
        }
    }
}
