//! Values that must not be shown.

use std::fmt;

/// A secret: kept in memory, masked in every `Debug` and `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret value.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(****)")
    }
}

/// Whether an environment variable of this name holds a secret, by the usual endings.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIALS"]
        .iter()
        .any(|word| name.split('_').any(|part| part == *word))
}

/// The value to show for a variable or key: itself, with a URL's password masked, or a mask.
#[must_use]
pub fn masked(name: &str, value: &str) -> String {
    if is_secret_name(name) {
        "****".to_owned()
    } else {
        masked_url(value)
    }
}

/// A URL with its password, if it has one, masked.
#[must_use]
pub fn masked_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split_once(':').map_or("****", |(user, _)| user);
            format!("{scheme}://{user}:****@{host}{path}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_shows() {
        let secret = Secret::new("sk-123");
        assert_eq!(format!("{secret} {secret:?}"), "**** Secret(****)");
        assert_eq!(masked("COHERE_API_KEY", "sk-123"), "****");
        assert_eq!(masked("LITELLM_LOG", "ERROR"), "ERROR");
        assert_eq!(masked("MONKEY_BUSINESS", "x"), "x");
    }

    #[test]
    fn passwords_in_urls_are_masked() {
        assert_eq!(masked_url("redis://:pw@host:1/0"), "redis://:****@host:1/0");
        assert_eq!(masked_url("http://host/v1?a@b"), "http://host/v1?a@b");
    }
}
