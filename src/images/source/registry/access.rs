//! How a registry lets in who asks: by a token that it names the place of, or by a password
//! (distribution's "Token Authentication Specification"; RFC 7617).

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use serde::Deserialize;

use super::super::error::SourceError;
use super::address::{Address, are_of_one, authority, is_here};
use super::http::{self, Http};
use super::logins::{KnownLogin, Login};
use super::pass::RegistryPass;
use super::tries::FetchTrouble;
use crate::secret::Secret;

/// The most that an answer with a token may have, in bytes. One has some 4 kB.
const MAX_TOKEN: u64 = 1 << 20;

/// How long a server of tokens may take.
const TOKEN: Duration = Duration::from_secs(30);

/// What a registry asks for, by its answer 401.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    /// A token from this place.
    Token {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
    Password,
}

/// Reads the challenges of an answer; the first of a known kind counts, a token before a password.
fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let mut password = None;
    for header in headers.get_all(WWW_AUTHENTICATE) {
        let Ok(text) = header.to_str() else { continue };
        let parser = http_auth::ChallengeParser::new(text);
        for one in parser.map_while(Result::ok) {
            let parameter = |name: &str| {
                let mut all = one.params.iter();
                let found = all.find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.to_unescaped())
            };
            if one.scheme.eq_ignore_ascii_case("bearer") {
                return Some(Challenge::Token {
                    realm: parameter("realm")?,
                    service: parameter("service"),
                    scope: parameter("scope"),
                });
            }
            if one.scheme.eq_ignore_ascii_case("basic") {
                password = Some(Challenge::Password);
            }
        }
    }
    password
}

/// A pass by what a registry asks for; `None` where nobody has one.
pub async fn pass(
    http: &Http,
    address: &Address,
    headers: &HeaderMap,
    known: &KnownLogin,
) -> Result<Option<RegistryPass>, FetchTrouble> {
    let login = known.login.as_ref();
    match challenge(headers) {
        Some(Challenge::Token {
            realm,
            service,
            scope,
        }) => {
            let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", address.scope));
            let realm = place_of(&realm, address, login.is_some())?;
            token(http, &realm, service.as_deref(), &scope, login)
                .await
                .map(|token| Some(RegistryPass::Token(token)))
        }
        Some(Challenge::Password) => Ok(login.cloned().map(RegistryPass::Password)),
        None => Ok(None),
    }
}

/// The server of tokens, if it may be asked.
fn place_of(realm: &str, address: &Address, has_login: bool) -> Result<Url, SourceError> {
    let malformed = |why: &str| SourceError::Malformed {
        what: "the place of tokens".to_owned(),
        from: address.host.clone(),
        why: why.to_owned(),
    };
    let url: Url = realm.parse().map_err(|_| malformed("it is no URL"))?;
    let is_plain_there = address.repository.scheme() == "http";
    let is_fit = match url.scheme() {
        "https" => true,
        // In the clear it goes only where the registry itself is asked so.
        "http" => is_plain_there || is_here(&authority(&url)) && is_here(&address.host),
        _ => false,
    };
    if !is_fit {
        return Err(malformed(
            "it is asked in the clear, and the registry is not",
        ));
    }
    if has_login && !are_of_one(&address.repository, &url) {
        return Err(SourceError::ForeignRealm {
            host: address.host.clone(),
            realm: authority(&url),
        });
    }
    Ok(url)
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
}

async fn token(
    http: &Http,
    realm: &Url,
    service: Option<&str>,
    scope: &str,
    login: Option<&Login>,
) -> Result<Secret, FetchTrouble> {
    let request = match login {
        Some(login) if login.is_token => {
            let mut form = vec![
                ("grant_type", "refresh_token"),
                ("refresh_token", login.secret.expose()),
                ("client_id", "regatta"),
                ("scope", scope),
            ];
            form.extend(service.map(|service| ("service", service)));
            let mut body = realm.clone();
            body.query_pairs_mut().clear().extend_pairs(form);
            let body = body.query().unwrap_or_default().to_owned();
            http.client(realm)
                .post(realm.clone())
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body)
        }
        _ => {
            let mut url = realm.clone();
            url.query_pairs_mut()
                .extend_pairs(service.map(|service| ("service", service)))
                .append_pair("scope", scope);
            let request = http.client(realm).get(url);
            match login {
                Some(login) => request.basic_auth(&login.user, Some(login.secret.expose())),
                None => request,
            }
        }
    };
    let place = authority(realm);
    let response = request.timeout(TOKEN).send().await;
    let response = response.map_err(|error| http::unanswered(&place, &error))?;
    let mut shown = realm.clone();
    shown.set_query(None);
    let response = http::judged(response, &shown, &format!("a token for {scope}"), login).await?;
    let bytes = http::body(response, "a token", &place, MAX_TOKEN).await?;
    let answer: Result<TokenAnswer, _> = crate::json::of_bytes(&bytes);
    let token = answer.ok().and_then(|it| it.token.or(it.access_token));
    let token = token.filter(|it| !it.is_empty());
    let token = token.ok_or_else(|| SourceError::Malformed {
        what: "a token".to_owned(),
        from: place,
        why: "there is none in the answer".to_owned(),
    })?;
    Ok(Secret::new(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[&str]) -> Option<Challenge> {
        let headers = headers.iter();
        let headers = headers.map(|text| (WWW_AUTHENTICATE, text.parse().unwrap()));
        challenge(&headers.collect())
    }

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        // Docker Hub's.
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull""#;
        assert_eq!(
            of(&[hub]),
            Some(Challenge::Token {
                realm: "https://auth.docker.io/token".to_owned(),
                service: Some("registry.docker.io".to_owned()),
                scope: Some("repository:library/alpine:pull".to_owned()),
            })
        );
        assert_eq!(of(&[r#"Basic realm="x""#]), Some(Challenge::Password));
        let both = [r#"basic realm="x""#, r#"bearer realm="https://h/t""#];
        assert!(matches!(of(&both), Some(Challenge::Token { .. })));
        for none in [
            &["Negotiate"][..],
            &["Bearer service=\"x\""],
            &["\u{1}"][..0],
            &[],
        ] {
            assert_eq!(of(none), None, "{none:?}");
        }
    }

    fn address(url: &str) -> Address {
        Address {
            repository: format!("{url}/v2/a").parse().unwrap(),
            host: authority(&url.parse().unwrap()),
            login_key: String::new(),
            scope: "a".to_owned(),
        }
    }

    #[test]
    fn no_password_goes_to_a_strangers_server_of_tokens_and_none_in_the_clear() {
        for (registry, realm, has_login, is_fit) in [
            (
                "https://registry-1.docker.io",
                "https://auth.docker.io/token",
                true,
                true,
            ),
            ("https://a.example", "https://evil.test/token", true, false),
            ("https://a.example", "https://evil.test/token", false, true),
            ("https://a.example", "http://a.example/token", true, false),
            ("https://a.example", "http://a.example/token", false, false),
            ("https://a.example", "file:///etc/passwd", false, false),
            (
                "http://127.0.0.1:5000",
                "http://127.0.0.1:5001/token",
                true,
                true,
            ),
        ] {
            let found = place_of(realm, &address(registry), has_login);
            assert_eq!(found.is_ok(), is_fit, "{registry} {realm} {has_login}");
        }
    }
}
