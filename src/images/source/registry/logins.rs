//! Logins, as Docker keeps them: in `config.json`, or with a program that has them
//! (docker.com/reference/cli/docker/login, "Credential stores", "Credential helper protocol").

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::secret::Secret;
use crate::{files, json, process};

/// What the login of Docker Hub is kept under.
pub const HUB_KEY: &str = "https://index.docker.io/v1/";

/// How long a helper may take: it may ask another machine, but nobody is there to type a password.
const HELPER: Duration = Duration::from_secs(30);

/// The name that stands for a token in the place of a password.
const TOKEN_USER: &str = "<token>";

/// Who asks a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub secret: Secret,
    /// Whether the secret is a token, with which others are had, and no password.
    pub is_token: bool,
}

/// What is known of who may ask a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownLogin {
    pub login: Option<Login>,
    /// Why there is none, where one is expected.
    pub note: Option<String>,
}

/// The logins of this user.
#[derive(Debug)]
pub struct Logins {
    config: Option<PathBuf>,
    helper_time: Duration,
    /// By registry; a helper is asked once.
    known: Mutex<HashMap<String, Arc<KnownLogin>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DockerConfig {
    auths: BTreeMap<String, WrittenLogin>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "lowercase")]
struct WrittenLogin {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    #[serde(default)]
    username: String,
    secret: String,
}

impl Logins {
    /// Those of Docker's configuration: in `$DOCKER_CONFIG`, or in `~/.docker`.
    #[must_use]
    pub fn of_user() -> Self {
        let given = std::env::var_os("DOCKER_CONFIG").filter(|dir| !dir.is_empty());
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker"));
        let dir = given.map(PathBuf::from).or_else(home);
        Self::in_file(dir.map(|dir| dir.join("config.json")))
    }

    /// Those of a file; `None`: nobody's.
    #[must_use]
    pub fn in_file(config: Option<PathBuf>) -> Self {
        Self {
            config,
            helper_time: HELPER,
            known: Mutex::default(),
        }
    }

    /// Who asks a registry; `key` is its host, or `HUB_KEY`.
    pub async fn of(&self, key: &str) -> Arc<KnownLogin> {
        let mut known = self.known.lock().await;
        if let Some(found) = known.get(key) {
            return Arc::clone(found);
        }
        let found = match self.find(key).await {
            Ok(login) => KnownLogin { login, note: None },
            Err(note) => KnownLogin {
                login: None,
                note: Some(note),
            },
        };
        let found = Arc::new(found);
        known.insert(key.to_owned(), Arc::clone(&found));
        found
    }

    async fn find(&self, key: &str) -> Result<Option<Login>, String> {
        let Some(path) = &self.config else {
            return Ok(None);
        };
        let shown = path.display();
        let bytes = files::read_up_to(path, files::MAX_INPUT).map_err(|error| error.to_string())?;
        let Some(bytes) = bytes else { return Ok(None) };
        // What is wrong with it is told without its text: passwords are in it.
        let config: DockerConfig = json::of_bytes(&bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("{shown} is not Docker's configuration (line {line}, column {column})")
        })?;
        let helper = config.cred_helpers.iter();
        let helper = helper
            .filter(|(host, _)| is_of(host, key))
            .map(|(_, name)| name)
            .next();
        let mut note = None;
        if let Some(name) = helper.or(config.creds_store.as_ref()) {
            match self.ask(name, key).await {
                Ok(Some(login)) => return Ok(Some(login)),
                Ok(None) => {}
                Err(why) => note = Some(why),
            }
        }
        let written = config.auths.iter().find(|(host, _)| is_of(host, key));
        match (written.and_then(|(_, written)| written.read()), note) {
            (Some(login), _) => Ok(Some(login)),
            (None, Some(note)) => Err(note),
            (None, None) => Ok(None),
        }
    }

    /// What a helper says.
    async fn ask(&self, name: &str, key: &str) -> Result<Option<Login>, String> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || !name.chars().all(is_word) {
            return Err("the name of a credential helper in Docker's configuration is none".into());
        }
        let program = format!("docker-credential-{name}");
        let path = process::on_path(&program)
            .ok_or_else(|| format!("{program}, which keeps the logins, is not on PATH"))?;
        self.ask_at(&path, &program, key).await
    }

    async fn ask_at(&self, path: &Path, program: &str, key: &str) -> Result<Option<Login>, String> {
        let told = process::answer(path, &["get"], key.as_bytes(), self.helper_time).await;
        // What it says may have a password in it, also where it fails.
        let told = told.map_err(|_| {
            let seconds = self.helper_time.as_secs();
            format!("{program} did not answer within {seconds} s, or cannot be run")
        })?;
        let text = String::from_utf8_lossy(&told.stdout);
        if !told.status.success() {
            // docker-credential-helpers, `credentials.NewErrCredentialsNotFound`.
            return if text.contains("credentials not found") {
                Ok(None)
            } else {
                Err(format!("{program} failed ({})", told.status))
            };
        }
        let told: Told =
            json::of_bytes(&told.stdout).map_err(|_| format!("{program} answered no JSON"))?;
        Ok(Some(Login {
            is_token: told.username == TOKEN_USER,
            user: told.username,
            secret: Secret::new(told.secret),
        }))
    }
}

impl WrittenLogin {
    fn read(&self) -> Option<Login> {
        let decoded = self.auth.as_ref().and_then(|auth| {
            let bytes = STANDARD.decode(auth.trim()).ok()?;
            let text = String::from_utf8(bytes).ok()?;
            let (user, password) = text.split_once(':')?;
            // Docker pads old ones with zeros.
            let password = password.trim_end_matches('\0');
            Some((user.to_owned(), password.to_owned()))
        });
        let plain = || Some((self.username.clone()?, self.password.clone()?));
        let both = decoded.or_else(plain);
        let token = self.identitytoken.as_ref().filter(|it| !it.is_empty());
        match (token, both) {
            (Some(token), both) => Some(Login {
                user: both.map_or_else(|| TOKEN_USER.to_owned(), |(user, _)| user),
                secret: Secret::new(token.clone()),
                is_token: true,
            }),
            (None, Some((user, password))) if !user.is_empty() => Some(Login {
                is_token: user == TOKEN_USER,
                user,
                secret: Secret::new(password),
            }),
            _ => None,
        }
    }
}

/// Whether a key of the file is this registry's: it may be a URL.
fn is_of(written: &str, key: &str) -> bool {
    let host = |text: &str| {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let host = rest.split('/').next().unwrap_or_default();
        host.to_ascii_lowercase()
    };
    let hub = ["docker.io", "index.docker.io", "registry-1.docker.io"];
    written == key
        || host(written) == host(key)
        || key == HUB_KEY && hub.contains(&host(written).as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> (tempfile::TempDir, Logins) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        files::write_in_place(&path, text.as_bytes()).unwrap();
        (dir, Logins::in_file(Some(path)))
    }

    fn who(user: &str, secret: &str, is_token: bool) -> Login {
        Login {
            user: user.to_owned(),
            secret: Secret::new(secret),
            is_token,
        }
    }

    #[tokio::test]
    async fn logins_are_read_as_docker_writes_them() {
        let auth = STANDARD.encode("ada:pass:word");
        let (_dir, logins) = config(&format!(
            r#"{{"auths": {{
                "https://index.docker.io/v1/": {{"auth": "{auth}"}},
                "https://ghcr.io": {{"username": "bo", "password": "p"}},
                "x.azurecr.io": {{"auth": "{auth}", "identitytoken": "tok"}},
                "h:5000": {{}}, "broken": {{"auth": "%%"}}}}}}"#
        ));
        for (key, found) in [
            (HUB_KEY, Some(who("ada", "pass:word", false))),
            ("ghcr.io", Some(who("bo", "p", false))),
            ("x.azurecr.io", Some(who("ada", "tok", true))),
            ("h:5000", None),
            ("h:5001", None),
            ("broken", None),
        ] {
            assert_eq!(logins.of(key).await.login, found, "{key}");
        }
    }

    #[tokio::test]
    async fn what_is_no_configuration_is_told_without_its_text() {
        let (_dir, logins) = config(r#"{"auths": {"h": {"password": hush"#);
        let known = logins.of("h").await;
        let note = known.note.as_deref().unwrap();
        assert!(note.contains("line 1"), "{note}");
        assert!(!note.contains("hush"), "{note}");
        let nobody = Logins::in_file(Some("/nonexistent/config.json".into()));
        assert_eq!(*nobody.of("h").await, KnownLogin::default());
    }

    /// A helper under its path, asked without `PATH`: tests run beside each other.
    async fn helper(script: &str) -> Result<Option<Login>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker-credential-x");
        // A child writes it: another thread's child may have it open as long as it is open here.
        let written = std::process::Command::new("sh")
            .args([
                "-c",
                "printf '#!/bin/sh\n%s\n' \"$1\" > \"$0\"; chmod 755 \"$0\"",
            ])
            .arg(&path)
            .arg(script)
            .status();
        assert!(written.unwrap().success());
        let mut logins = Logins::in_file(None);
        if script.contains("sleep") {
            logins.helper_time = Duration::from_millis(1);
        }
        logins.ask_at(&path, "docker-credential-x", "h:1").await
    }

    #[tokio::test]
    async fn a_helper_is_asked_for_the_registry_and_nothing_it_says_is_shown() {
        let echo = r#"test "$1" = get && printf '{"ServerURL": "", "Username": "%s", "Secret": "s"}' "$(cat)""#;
        assert_eq!(helper(echo).await, Ok(Some(who("h:1", "s", false))));
        let token = r#"echo '{"Username": "<token>", "Secret": "s"}'"#;
        assert_eq!(helper(token).await, Ok(Some(who("<token>", "s", true))));
        let none = "echo credentials not found in native keychain; exit 1";
        assert_eq!(helper(none).await, Ok(None));
        for script in [
            "echo hush >&2; echo hush; exit 3",
            "echo hush",
            "exec sleep 600",
        ] {
            let why = helper(script).await.unwrap_err();
            assert!(why.starts_with("docker-credential-x "), "{why}");
            assert!(!why.contains("hush"), "{why}");
        }
        for (config, why) in [
            (r#"{"credsStore": "../evil"}"#, "is none"),
            (
                r#"{"credHelpers": {"h": "not-there-at-all"}}"#,
                "not on PATH",
            ),
        ] {
            let (_dir, kept) = self::config(config);
            let said = kept.of("h").await.note.clone().unwrap();
            assert!(said.contains(why), "{said}");
        }
    }
}
