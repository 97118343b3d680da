//! Can the model's endpoint be reached? A connection and no question, so that it costs nothing.

use super::model::is_replay;
use super::{Check, Level};
use crate::config::Config;
use crate::engine::EngineOptions;
use crate::model::reach::{Barrier, Reach, reach};

const NAME: &str = "connection";

/// Statuses of what stands before a model's server and does not reach it.
const NOT_THROUGH: [u16; 4] = [407, 502, 503, 504];

/// Whether the endpoint that a run asks can be reached; `None` where none is asked, or only the agent
/// knows which.
pub async fn connection(config: &Config, options: &EngineOptions) -> Option<Check> {
    let access = options.access();
    let endpoint = access.endpoint.as_ref()?;
    if is_replay(options) || access.is_builtin() {
        return None;
    }
    let shown = access.shown_endpoint();
    Some(match reach(&endpoint.value).await {
        Ok(found) => check(&shown, &found, is_ours(config, options, &found)),
        Err(error) => Check::failed(NAME, &error),
    })
}

/// Whether the run connects just as this check does. litellm has certificates of its own, and may be
/// given a proxy of its own.
fn is_ours(config: &Config, options: &EngineOptions, found: &Reach) -> bool {
    let is_about_tls = matches!(
        found,
        Reach::NoConnection {
            barrier: Barrier::Tls,
            ..
        }
    );
    let has_own_proxy = || {
        let mut names = config.upstream.env.keys();
        names.any(|name| name.to_ascii_lowercase().ends_with("_proxy"))
    };
    match options {
        EngineOptions::Native(_) => true,
        EngineOptions::Upstream(_) => !is_about_tls && !has_own_proxy(),
    }
}

/// What a look at an endpoint says of a run, which connects as it did if `is_ours`.
fn check(shown: &str, found: &Reach, is_ours: bool) -> Check {
    match found {
        Reach::Answered(status) if NOT_THROUGH.contains(status) => Check::new(
            NAME,
            Level::Warn,
            format!(
                "{shown} answers {status}: what stands before the model's server does not reach it"
            ),
            "start the model's server, or look at the gateway or proxy; calls are retried for some minutes",
        ),
        Reach::Answered(_) => Check::pass(NAME, format!("{shown} answers")),
        Reach::Silent(why) => Check::new(
            NAME,
            Level::Warn,
            format!("{shown} takes connections and does not answer: {why}"),
            "check that the model's server runs, and that http:// or https:// is right",
        ),
        Reach::NoConnection {
            barrier,
            why,
            proxy,
        } => {
            let level = if is_ours { Level::Fail } else { Level::Warn };
            let through = match proxy {
                Some(proxy) => format!(" through the proxy {proxy}"),
                None => String::new(),
            };
            let evidence = format!("no connection to {shown}{through}: {why}");
            let remedy = match proxy {
                // A handshake is the endpoint's own, all else is the proxy's.
                Some(_) if *barrier != Barrier::Tls => OF_PROXY,
                _ => remedy(*barrier),
            };
            Check::new(NAME, level, evidence, remedy)
        }
    }
}

const OF_PROXY: &str = "look at the proxy, which HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names; NO_PROXY lists the hosts that are asked without it";

const fn remedy(barrier: Barrier) -> &'static str {
    match barrier {
        Barrier::Url => "correct the URL there, or name the endpoint with --api-base, which wins",
        Barrier::Name => {
            "check the host's name and this machine's DNS, or name another endpoint with --api-base"
        }
        Barrier::Refused => {
            "start the model's server (one that is starting needs a moment), or name another endpoint with --api-base"
        }
        Barrier::Tls => {
            "write http:// if the server speaks no TLS; else make this machine trust its certificate (SSL_CERT_FILE names a file of certificates)"
        }
        Barrier::Time => {
            "check the address and the firewalls between, or name another endpoint with --api-base"
        }
        Barrier::Other => {
            "check the address and the network, or name another endpoint with --api-base"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "http://localhost:8000/v1 (upstream.api_base)";

    fn none(barrier: Barrier, proxy: Option<&str>) -> Reach {
        Reach::NoConnection {
            barrier,
            why: "the system's words".to_owned(),
            proxy: proxy.map(str::to_owned),
        }
    }

    #[test]
    fn any_answer_is_one_but_those_of_gateways_that_reach_nobody() {
        for (status, level) in [
            (200, Level::Pass),
            (401, Level::Pass),
            (404, Level::Pass),
            (500, Level::Pass),
            (407, Level::Warn),
            (502, Level::Warn),
            (503, Level::Warn),
        ] {
            let check = check(SHOWN, &Reach::Answered(status), true);
            assert_eq!(check.level, level, "{status}");
        }
        let silent = check(SHOWN, &Reach::Silent("no answer".to_owned()), true);
        assert_eq!(silent.level, Level::Warn);
    }

    #[test]
    fn without_a_connection_it_says_where_why_and_what_next() {
        for barrier in [
            Barrier::Url,
            Barrier::Name,
            Barrier::Refused,
            Barrier::Tls,
            Barrier::Time,
            Barrier::Other,
        ] {
            let found = check(SHOWN, &none(barrier, None), true);
            let evidence = format!("no connection to {SHOWN}: the system's words");
            assert_eq!((found.level, found.evidence), (Level::Fail, evidence));
            assert_eq!(found.remedies, [remedy(barrier)]);
        }
        // The run may connect otherwise.
        let other = check(SHOWN, &none(Barrier::Tls, None), false);
        assert_eq!(other.level, Level::Warn);
    }

    #[test]
    fn a_proxy_that_was_gone_through_is_named() {
        let found = check(SHOWN, &none(Barrier::Refused, Some("http://proxy:1")), true);
        let through = "through the proxy http://proxy:1: the system's words";
        assert!(found.evidence.ends_with(through), "{}", found.evidence);
        assert_eq!(found.remedies, [OF_PROXY]);
        let found = check(SHOWN, &none(Barrier::Tls, Some("http://proxy:1")), true);
        assert_eq!(found.remedies, [remedy(Barrier::Tls)]);
    }
}
