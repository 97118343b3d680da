//! Requests to registries: where they may be sent on to, and what an answer means.

use std::time::Duration;

use reqwest::header::LOCATION;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, redirect};
use rustls::pki_types::CertificateDer;
use serde::Deserialize;

use super::super::error::SourceError;
use super::address::{authority, is_here};
use super::logins::Login;
use super::pass::RegistryPass;
use super::tries::{Again, FetchTrouble, asked};
use super::trust;
use crate::json;
use crate::text::one_line;

/// How long the making of a connection may take, TLS included.
const CONNECTING: Duration = Duration::from_secs(30);
/// How often a request may be sent on. Docker Hub's blobs take one or two.
const REDIRECTS: usize = 6;
/// How much of a refusal is read, in bytes, and how much of it is shown, in characters.
const MAX_REFUSAL: u64 = 1 << 16;
const SHOWN: usize = 300;

/// The clients of HTTP: one asks this machine, where no proxy is between.
#[derive(Clone, Debug)]
pub struct Http {
    here: Client,
    elsewhere: Client,
}

impl Http {
    /// Clients that give up on a server after so long a silence, and trust those who have one of these
    /// certificates too.
    pub fn new(silence: Duration, own: &[CertificateDer<'static>]) -> Result<Self, SourceError> {
        // TLS by ring, as for the endpoints of models. The second one finds it there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tls = match own {
            [] => None,
            own => Some(trust::tls(own).map_err(no_tls)?),
        };
        let builder = || {
            let builder = match &tls {
                None => Client::builder(),
                Some(tls) => Client::builder().tls_backend_preconfigured(tls.clone()),
            };
            builder
                .user_agent(concat!("regatta/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .connect_timeout(CONNECTING)
                .read_timeout(silence)
        };
        let failed = |error: reqwest::Error| no_tls(innermost(&error));
        Ok(Self {
            here: builder().no_proxy().build().map_err(failed)?,
            elsewhere: builder().build().map_err(failed)?,
        })
    }

    /// The client for a server.
    pub fn client(&self, url: &Url) -> &Client {
        if is_here(&authority(url)) {
            &self.here
        } else {
            &self.elsewhere
        }
    }

    /// Sends a GET, wherever it is sent on to. The pass stays behind where that is another server.
    pub async fn get(
        &self,
        url: &Url,
        pass: Option<&RegistryPass>,
        with: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, FetchTrouble> {
        let mut at = url.clone();
        let mut been = Vec::new();
        loop {
            let mut request = with(self.client(&at).get(at.clone()));
            if let Some(pass) = pass.filter(|_| is_same_server(url, &at)) {
                request = pass.shown_with(request);
            }
            let response = request.send().await;
            let response = response.map_err(|error| unanswered(&authority(&at), &error))?;
            if !response.status().is_redirection() || response.status() == StatusCode::NOT_MODIFIED
            {
                return Ok(response);
            }
            let next = sent_to(&response, &at).map_err(|why| redirected(url, &why))?;
            been.push(at);
            if been.contains(&next) || been.len() > REDIRECTS {
                return Err(redirected(url, "in a circle, or too often").into());
            }
            at = next;
        }
    }
}

fn no_tls(why: impl std::fmt::Display) -> SourceError {
    SourceError::Unreachable {
        host: "HTTPS".to_owned(),
        why: format!(
            "{why}; the system's CA certificates may be missing (Debian: ca-certificates)"
        ),
        tries: 1,
    }
}

fn redirected(url: &Url, why: &str) -> SourceError {
    SourceError::Redirected {
        url: shown(url),
        why: why.to_owned(),
    }
}

/// Whether a pass for one URL may be shown at another.
pub fn is_same_server(one: &Url, other: &Url) -> bool {
    let server = |url: &Url| {
        let host = url.host_str().map(str::to_owned);
        (url.scheme().to_owned(), host, url.port_or_known_default())
    };
    server(one) == server(other)
}

fn sent_to(response: &Response, at: &Url) -> Result<Url, String> {
    let location = response.headers().get(LOCATION);
    let location = location.and_then(|it| it.to_str().ok());
    let location = location.ok_or("it does not say where")?;
    let next = at.join(location);
    let next = next.map_err(|error| format!("to what is no URL: {error}"))?;
    match next.scheme() {
        "https" => Ok(next),
        "http" if at.scheme() == "http" => Ok(next),
        "http" => Err(format!("to {}, in the clear", authority(&next))),
        scheme => Err(format!("to a URL of {scheme}")),
    }
}

/// A URL for people. Those that blobs are sent on to have signatures in their queries.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// A request without an answer.
pub fn unanswered(host: &str, error: &reqwest::Error) -> FetchTrouble {
    if let Some(error) = trust::distrust(host, error) {
        return error.into();
    }
    let why = if error.is_timeout() {
        "no answer came in time".to_owned()
    } else {
        innermost(error)
    };
    let again = if error.is_builder() {
        Again::Never
    } else {
        Again::Later(None)
    };
    FetchTrouble {
        error: SourceError::Unreachable {
            host: host.to_owned(),
            why,
            tries: 1,
        },
        again,
    }
}

/// What a chain of errors comes down to. Its outer links only repeat the URL.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// The whole of a body that is no larger than such a thing can be.
pub async fn body(
    mut response: Response,
    what: &str,
    from: &str,
    most: u64,
) -> Result<Vec<u8>, FetchTrouble> {
    let mut bytes = Vec::new();
    loop {
        let chunk = response.chunk().await;
        match chunk.map_err(|error| unanswered(from, &error))? {
            None => return Ok(bytes),
            Some(chunk) if (bytes.len() + chunk.len()) as u64 > most => {
                let (what, from) = (what.to_owned(), from.to_owned());
                return Err(SourceError::TooLarge { what, from, most }.into());
            }
            Some(chunk) => bytes.extend_from_slice(&chunk),
        }
    }
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    errors: Vec<Said>,
    /// As servers of tokens say it.
    #[serde(default)]
    details: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// The words of a refusal: what its JSON says, or its text. A page of HTML says nothing.
fn words(body: &[u8], status: StatusCode) -> String {
    let refusal: Refusal = json::of_bytes(body).unwrap_or_default();
    let said: Vec<String> = refusal
        .errors
        .iter()
        .map(|it| match (it.code.as_str(), it.message.as_str()) {
            ("", message) => message.to_owned(),
            (code, "") => code.to_ascii_lowercase(),
            (code, message) => format!("{}: {message}", code.to_ascii_lowercase()),
        })
        .chain(refusal.details)
        .chain(refusal.message)
        .collect();
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let usual = || status.canonical_reason().unwrap_or("no reason").to_owned();
    let said = if !said.is_empty() {
        said.join("; ")
    } else if text.starts_with('<') {
        format!("{} (a page of HTML)", usual())
    } else if text.is_empty() || text.starts_with('{') {
        usual()
    } else {
        text.to_owned()
    };
    one_line(&said, SHOWN)
}

/// The answer, or what it refuses. `name` is what was asked for, `login` who asked.
pub async fn judged(
    response: Response,
    url: &Url,
    name: &str,
    login: Option<&Login>,
) -> Result<Response, FetchTrouble> {
    let status = response.status();
    if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE {
        return Ok(response);
    }
    let is_of_registry = is_same_server(url, response.url());
    let host = authority(response.url());
    let wait = asked(response.headers());
    let url = shown(response.url());
    let said = body(response, "a refusal", &host, MAX_REFUSAL).await;
    let said = words(&said.unwrap_or_default(), status);
    let name = name.to_owned();
    let error = match status.as_u16() {
        // Where blobs are kept, a signature that is too old is refused so: the registry makes a new
        // one.
        401 | 403 if is_of_registry => {
            let login = login.map(|login| login.user.clone());
            SourceError::Refused {
                host,
                name,
                login,
                said,
            }
        }
        404 => SourceError::NotFound { host, name, said },
        429 => SourceError::Limited { host, said, wait },
        status => {
            let tries = 1;
            SourceError::Status {
                url,
                status,
                said,
                tries,
            }
        }
    };
    let again = match (&error, status.as_u16()) {
        // A limit of pulls is over after hours, and who sets one says so in these words.
        (
            SourceError::Limited {
                said, wait: None, ..
            },
            _,
        ) if said.contains("pull rate limit") => Again::Never,
        (SourceError::Limited { .. }, _) | (_, 408 | 425 | 500..) => Again::Later(wait),
        (SourceError::Status { .. }, 401 | 403) => Again::Later(None),
        _ => Again::Never,
    };
    Err(FetchTrouble { error, again })
}
