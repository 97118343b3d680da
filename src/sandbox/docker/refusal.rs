//! What a daemon says of an image that it could not pull.

use std::sync::LazyLock;

use regex::Regex;

use crate::sandbox::pulled::Refusal;

/// What a registry says of its limit. A client's own "rate limiter" is another thing.
static LIMIT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\btoomanyrequests\b|\btoo many requests\b|\brate limits?\b").expect("tested")
});

/// What a registry or a daemon says of an image that is not there or not for us: the messages of the
/// OCI Distribution Specification 1.1 ("Error Codes"), each at the beginning of what is passed on, and
/// Docker's, containerd's and Podman's own. A local "permission denied: " is none of them, nor is
/// something that the daemon lost on its own disk ("content digest sha256:…: not found").
static FOR_GOOD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?im)(?:^|: )(?:manifest unknown|name unknown|denied: |unauthorized: )",
        r"|\bpull access denied\b",
        r"|\baccess to the resource is denied\b",
        r"|\brepository does not exist or may require\b",
        r"|\bno matching manifest for\b",
        r"|\binvalid reference format\b",
        r"|\bfailed to resolve reference .*: not found\s*$",
    ))
    .expect("tested")
});

/// What a daemon's words say of the next pull.
pub fn refusal(why: &str) -> Refusal {
    if LIMIT.is_match(why) {
        Refusal::Limit
    } else if FOR_GOOD.is_match(why) {
        Refusal::ForGood
    } else {
        Refusal::MayPass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_ROUTE: &str = "dial tcp: lookup x: no such host";
    const UNKNOWN: &str = "manifest for x/y:task1 not found: manifest unknown: manifest unknown";
    const LIMITED: &str = "toomanyrequests: You have reached your pull rate limit.";

    #[test]
    fn daemons_say_in_their_words_that_an_image_is_not_to_be_had() {
        for why in [
            UNKNOWN,
            "pull access denied for x/y, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
            "failed to resolve reference \"docker.io/x/y:task1\": docker.io/x/y:task1: not found",
            "failed to resolve reference \"docker.io/x/y:task1\": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
            "no matching manifest for linux/arm64/v8 in the manifest list entries",
            "initializing source docker://x/y:task1: reading manifest task1 in docker.io/x/y: manifest unknown",
            "initializing source docker://x/y:task1: reading manifest task1 in docker.io/x/y: errors:\ndenied: requested access to the resource is denied\nunauthorized: authentication required",
            "Head \"https://ghcr.io/v2/x/y/manifests/task1\": denied: denied",
            "Get \"https://quay.io/v2/x/y/manifests/task1\": unauthorized: access to the requested resource is not authorized",
            "name unknown: The repository with name 'x/y' does not exist in the registry",
            "invalid reference format: repository name must be lowercase",
        ] {
            assert_eq!(refusal(why), Refusal::ForGood, "{why}");
        }
    }

    #[test]
    fn daemons_say_in_their_words_that_a_limit_of_pulls_is_reached() {
        for why in [
            LIMITED,
            "received unexpected HTTP status: 429 Too Many Requests",
            "toomanyrequests: Rate exceeded",
            "denied: You have reached your pull rate limit",
        ] {
            assert_eq!(refusal(why), Refusal::Limit, "{why}");
        }
    }

    #[test]
    fn what_sounds_like_a_registrys_refusal_and_is_none_may_pass() {
        for why in [
            NO_ROUTE,
            "write /var/lib/docker/tmp/x: no space left on device",
            "mkdir /var/lib/docker/tmp: permission denied",
            "open /var/lib/docker/tmp/x: permission denied: unknown",
            "dial tcp 192.0.2.1:443: connect: permission denied: a firewall",
            "received unexpected HTTP status: 503 Service Unavailable",
            "unexpected status from HEAD request: 401 Unauthorized",
            "error parsing HTTP 403 response body: <html>Access denied by the proxy</html>",
            "lookup registry.example: hostname unknown",
            "failed to extract layer sha256:0123: content digest sha256:4567: not found",
            "client rate limiter Wait returned an error: context deadline exceeded",
        ] {
            assert_eq!(refusal(why), Refusal::MayPass, "{why}");
        }
    }
}
