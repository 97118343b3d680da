//! One repository of a registry: its manifests, configurations and blobs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use reqwest::header::{ACCEPT, CONTENT_TYPE, RANGE};
use reqwest::{Response, StatusCode, Url};
use tokio::sync::Mutex;

use super::super::super::{Digest, ImageName};
use super::super::documents::{
    self, ACCEPTED, ImageManifest, MAX_CONFIG, MAX_MANIFEST, ManifestKind,
};
use super::super::error::SourceError;
use super::super::news::PullNews;
use super::super::resolved::{self, LayerPlace, Resolved};
use super::access;
use super::address::{self, Address};
use super::http::{self, Http};
use super::logins::{KnownLogin, Logins};
use super::pass::RegistryPass;
use super::tries::{FetchTrouble, Patience, Tries};
use super::trust;

/// How registries are asked.
#[derive(Clone, Debug)]
pub struct RegistryOptions {
    /// The URLs that are asked in registries' places, by the registries' hosts.
    pub mirrors: BTreeMap<String, String>,
    /// Who asks; shared by all pulls, so that a helper is asked once.
    pub logins: Arc<Logins>,
    /// How long what may pass is waited for.
    pub patience: Patience,
    /// Where registries' certificates are, each in a directory with the registry's name.
    pub certificates: Vec<PathBuf>,
}

impl RegistryOptions {
    /// For this user, with these mirrors.
    #[must_use]
    pub fn of_user(mirrors: BTreeMap<String, String>) -> Self {
        Self {
            mirrors,
            logins: Arc::new(Logins::of_user()),
            patience: Patience::default(),
            certificates: trust::dirs_of_user(),
        }
    }
}

/// A repository, of which an image is wanted.
pub struct ImageRepository<'a> {
    name: ImageName,
    pub(super) address: Address,
    http: Http,
    pub(super) patience: Patience,
    known: Arc<KnownLogin>,
    pass: Mutex<PassInUse>,
    pub(super) news: &'a (dyn Fn(PullNews) + Sync),
}

/// The pass of the moment. Tokens end, and each new one has the next number.
#[derive(Default)]
struct PassInUse {
    number: u64,
    pass: Option<RegistryPass>,
}

/// How often one request may be refused for its pass: a token may end between two of them.
const PASSES: usize = 2;

impl<'a> ImageRepository<'a> {
    /// The repository of an image. Nothing is asked yet, but who asks is looked up.
    pub async fn of(
        name: &ImageName,
        options: &RegistryOptions,
        news: &'a (dyn Fn(PullNews) + Sync),
    ) -> Result<Self, SourceError> {
        let address = address::of(name, &options.mirrors)?;
        let known = options.logins.of(&address.login_key).await;
        if let Some(note) = &known.note {
            news(PullNews::Note(format!(
                "{} is asked without a login: {note}",
                address.host
            )));
        }
        let certificates = trust::certificates(&options.certificates, &address.repository)?;
        Ok(Self {
            name: name.clone(),
            address,
            http: Http::new(options.patience.silence, &certificates)?,
            patience: options.patience,
            known,
            pass: Mutex::default(),
            news,
        })
    }

    /// Who is asked, for people.
    pub fn host(&self) -> &str {
        &self.address.host
    }

    /// The image of the name, for this machine's processor.
    pub async fn resolve(&self) -> Result<Resolved, SourceError> {
        let shown = self.name.to_string();
        let (mut found, mut digest) = self.manifest(self.name.wanted()).await?;
        if let ManifestKind::Index(all) = &found {
            let ours = documents::for_us(all, &shown)?.digest.clone();
            (found, digest) = self.manifest(ours.as_str()).await?;
        }
        let ManifestKind::Image(manifest) = found else {
            return Err(SourceError::Malformed {
                what: format!("the manifest of {shown}"),
                from: self.host().to_owned(),
                why: "it is a list of lists".to_owned(),
            });
        };
        resolved::check(&manifest, &shown)?;
        let config = self.config(&manifest).await?;
        let about = (shown.as_str(), self.host());
        resolved::of_manifest(&manifest, digest, &config, about, |digest| {
            LayerPlace::Blob(digest.clone())
        })
    }

    /// A manifest or an index by a tag or a digest, with its digest.
    async fn manifest(&self, wanted: &str) -> Result<(ManifestKind, Digest), SourceError> {
        let bytes = self
            .document(&format!("manifests/{wanted}"), "the manifest", MAX_MANIFEST)
            .await?;
        let digest = Digest::of(&bytes);
        if let Ok(named) = wanted.parse::<Digest>()
            && named != digest
        {
            return Err(self.wrong("the manifest", named, digest));
        }
        let manifest = documents::manifest(&bytes);
        let manifest = manifest.map_err(|why| SourceError::Malformed {
            what: format!("the manifest of {}", self.name),
            from: self.host().to_owned(),
            why,
        });
        Ok((manifest?, digest))
    }

    async fn config(&self, manifest: &ImageManifest) -> Result<Vec<u8>, SourceError> {
        let path = format!("blobs/{}", manifest.config.digest);
        self.document(&path, "the configuration", MAX_CONFIG).await
    }

    fn wrong(&self, what: &str, wanted: Digest, found: Digest) -> SourceError {
        SourceError::WrongDigest {
            what: format!("{what} of {}", self.name),
            from: self.host().to_owned(),
            wanted,
            found,
        }
    }

    /// A small document, tried as often as it makes sense.
    async fn document(&self, path: &str, what: &str, most: u64) -> Result<Vec<u8>, SourceError> {
        let what = format!("{what} of {}", self.name);
        let mut tries = Tries::new(self.patience);
        loop {
            match self.document_once(path, &what, most).await {
                Ok(bytes) => return Ok(bytes),
                Err(trouble) => self.pause(&mut tries, trouble, &what).await?,
            }
        }
    }

    async fn document_once(
        &self,
        path: &str,
        what: &str,
        most: u64,
    ) -> Result<Vec<u8>, FetchTrouble> {
        let response = self.get(path, 0).await?;
        let is_page = response.headers().get(CONTENT_TYPE).is_some_and(|kind| {
            let kind = kind.to_str().unwrap_or_default();
            kind.starts_with("text/html")
        });
        if is_page {
            return Err(SourceError::Malformed {
                what: what.to_owned(),
                from: self.host().to_owned(),
                why: "a page of HTML came in its place".to_owned(),
            }
            .into());
        }
        http::body(response, what, self.host(), most).await
    }

    /// Waits before the next try, if there is one.
    pub(super) async fn pause(
        &self,
        tries: &mut Tries,
        trouble: FetchTrouble,
        what: &str,
    ) -> Result<(), SourceError> {
        let (pause, error) = tries.pause(trouble)?;
        (self.news)(PullNews::Retry {
            what: what.to_owned(),
            why: error.to_string(),
            pause,
        });
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Asks for something of the repository, from a byte on, with the pass that it takes.
    pub(super) async fn get(&self, path: &str, from: u64) -> Result<Response, FetchTrouble> {
        let url = self.url(path);
        let mut passes = 0;
        let response = loop {
            let (number, pass) = {
                let in_use = self.pass.lock().await;
                (in_use.number, in_use.pass.clone())
            };
            let response = self.http.get(&url, pass.as_ref(), |request| {
                let request = request.header(ACCEPT, ACCEPTED);
                if from > 0 {
                    request.header(RANGE, format!("bytes={from}-"))
                } else {
                    request
                }
            });
            let response = response.await?;
            let is_refused = response.status() == StatusCode::UNAUTHORIZED
                && http::is_same_server(&url, response.url());
            if !is_refused || passes == PASSES || !self.new_pass(number, &response).await? {
                break response;
            }
            passes += 1;
        };
        let name = self.name.to_string();
        http::judged(response, &url, &name, self.known.login.as_ref()).await
    }

    /// Gets a pass in the place of the one of this number, unless another request did so meanwhile;
    /// `false` where none is to be had.
    async fn new_pass(&self, number: u64, refusal: &Response) -> Result<bool, FetchTrouble> {
        let mut in_use = self.pass.lock().await;
        if in_use.number != number {
            return Ok(true);
        }
        // A password that was refused once is refused again.
        if matches!(in_use.pass, Some(RegistryPass::Password(_))) {
            return Ok(false);
        }
        let pass = access::pass(&self.http, &self.address, refusal.headers(), &self.known).await?;
        let is_there = pass.is_some();
        *in_use = PassInUse {
            number: number + 1,
            pass,
        };
        Ok(is_there)
    }

    /// The URL of something in the repository.
    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.address.repository.clone();
        url.set_path(&format!("{}/{path}", self.address.repository.path()));
        url
    }
}
