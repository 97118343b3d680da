//! Where the images of a registry are asked for: there, or at a mirror.

use std::collections::BTreeMap;

use reqwest::Url;

use super::super::super::ImageName;
use super::super::error::SourceError;
use super::logins::HUB_KEY;
use crate::secret::masked_url;

/// The registry of names that name none, and the host that answers for it.
const HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// An address of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The URL of a repository, with no slash at its end.
    pub repository: Url,
    /// Who is asked, for people.
    pub host: String,
    /// What a login is kept under.
    pub login_key: String,
    /// The repository there: what a token is asked for.
    pub scope: String,
}

/// The address of an image's repository. `mirrors` has the URLs that are asked in registries' places.
/// Registries of this machine are spoken to without TLS, and those whose URL says so.
pub fn of(name: &ImageName, mirrors: &BTreeMap<String, String>) -> Result<Address, SourceError> {
    let registry = name.registry();
    let wrong = |why: String| SourceError::Address {
        registry: registry.to_owned(),
        why,
    };
    let host = if registry == HUB.0 { HUB.1 } else { registry };
    let mirror = mirrors.get(registry);
    let base = mirror.cloned().unwrap_or_else(|| {
        let scheme = if is_here(host) { "http" } else { "https" };
        format!("{scheme}://{host}")
    });
    let shown = masked_url(&base);
    let url: Url = base
        .parse()
        .map_err(|error| wrong(format!("{shown} is no URL: {error}")))?;
    if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
        return Err(wrong(format!("{shown} is no URL of HTTP")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(format!(
            "{shown} has a login in it: `docker login` keeps one"
        )));
    }
    let prefix = url.path().trim_matches('/');
    let scope = match prefix {
        "" => name.repository().to_owned(),
        prefix => format!("{prefix}/{}", name.repository()),
    };
    let host = authority(&url);
    let mut repository = url.clone();
    repository.set_path(&format!("/v2/{scope}"));
    repository.set_query(None);
    repository.set_fragment(None);
    let is_hub = mirror.is_none() && registry == HUB.0;
    Ok(Address {
        repository,
        login_key: if is_hub {
            HUB_KEY.to_owned()
        } else {
            host.clone()
        },
        host: if is_hub { HUB.0.to_owned() } else { host },
        scope,
    })
}

/// A URL's host, with its port where it is not the usual one.
pub fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Whether a host, with a port or without, is this machine.
pub fn is_here(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let address: Option<std::net::IpAddr> = address.parse().ok();
    name == "localhost" || address.is_some_and(|address| address.is_loopback())
}

/// Whether two servers are of one owner: the same host, or two under one domain of two words or
/// more, as `auth.docker.io` and `registry-1.docker.io` are.
pub fn are_of_one(a: &Url, b: &Url) -> bool {
    let (Some(a), Some(b)) = (a.host_str(), b.host_str()) else {
        return false;
    };
    if a == b || is_here(a) && is_here(b) {
        return true;
    }
    let is_number = |host: &str| host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
    let domain = |host: &str| -> Vec<String> {
        let words: Vec<&str> = host.rsplit('.').take(2).collect();
        words.into_iter().map(str::to_ascii_lowercase).collect()
    };
    !is_number(a) && !is_number(b) && domain(a).len() == 2 && domain(a) == domain(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(name: &str, mirror: Option<(&str, &str)>) -> Result<Address, SourceError> {
        let mirrors = mirror.map(|(of, at)| (of.to_owned(), at.to_owned()));
        of(&name.parse().unwrap(), &mirrors.into_iter().collect())
    }

    #[test]
    fn a_registry_is_asked_by_tls_unless_it_is_here_or_its_url_says_otherwise() {
        for (name, mirror, url, key) in [
            (
                "alpine",
                None,
                "https://registry-1.docker.io/v2/library/alpine",
                HUB_KEY,
            ),
            ("ghcr.io/a/b", None, "https://ghcr.io/v2/a/b", "ghcr.io"),
            (
                "127.0.0.1:5000/a",
                None,
                "http://127.0.0.1:5000/v2/a",
                "127.0.0.1:5000",
            ),
            ("[::1]:5000/a", None, "http://[::1]:5000/v2/a", "[::1]:5000"),
            (
                "10.1.2.3:5000/a",
                None,
                "https://10.1.2.3:5000/v2/a",
                "10.1.2.3:5000",
            ),
            (
                "h:1/a",
                Some(("h:1", "http://h:1")),
                "http://h:1/v2/a",
                "h:1",
            ),
            (
                "a/b",
                Some(("docker.io", "http://m:5000/")),
                "http://m:5000/v2/a/b",
                "m:5000",
            ),
            (
                "a/b",
                Some(("docker.io", "https://h/hub")),
                "https://h/v2/hub/a/b",
                "h",
            ),
            (
                "ghcr.io/a",
                Some(("docker.io", "https://h")),
                "https://ghcr.io/v2/a",
                "ghcr.io",
            ),
        ] {
            let found = at(name, mirror).unwrap();
            assert_eq!(
                (found.repository.as_str(), found.login_key.as_str()),
                (url, key),
                "{name} {mirror:?}"
            );
        }
    }

    #[test]
    fn what_is_no_address_of_a_mirror_is_refused_without_its_password() {
        for mirror in [
            "ftp://h",
            "h",
            "http://",
            "https://ada:hush@h",
            "http://[::1",
        ] {
            let error = at("a", Some(("docker.io", mirror)))
                .unwrap_err()
                .to_string();
            assert!(error.starts_with("the address of docker.io"), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn a_token_is_had_from_servers_of_the_same_owner() {
        for (a, b, are) in [
            (
                "https://registry-1.docker.io",
                "https://auth.docker.io/token",
                true,
            ),
            (
                "https://registry.example.org",
                "https://example.org/jwt",
                true,
            ),
            ("http://127.0.0.1:5000", "http://localhost:5001", true),
            ("https://ghcr.io", "https://evil.io", false),
            ("https://10.0.0.1", "https://11.0.0.1", false),
            ("https://registry", "https://auth", false),
        ] {
            assert_eq!(
                are_of_one(&a.parse().unwrap(), &b.parse().unwrap()),
                are,
                "{a} {b}"
            );
        }
    }
}
