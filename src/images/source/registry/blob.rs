//! A layer's bytes: fetched into a file, which a later pull goes on with.

use reqwest::header::CONTENT_RANGE;
use reqwest::{Response, StatusCode};

use super::super::error::SourceError;
use super::super::news::PullNews;
use super::super::partial::Partial;
use super::http::unanswered;
use super::repository::ImageRepository;
use super::tries::{Again, FetchTrouble, Tries};

/// So many bytes more are a new beginning for the tries.
const PROGRESS: u64 = 1 << 20;

impl ImageRepository<'_> {
    /// Fetches what is missing of a blob. What came is not looked at yet.
    pub async fn fetch(&self, partial: &mut Partial) -> Result<(), SourceError> {
        let what = format!("the layer {}", partial.digest().short());
        if partial.bytes() > partial.wanted() {
            partial.empty()?;
        }
        let mut tries = Tries::new(self.patience);
        while partial.bytes() < partial.wanted() {
            let before = partial.bytes();
            let fetched = self.fetch_once(partial, &what).await;
            if partial.bytes().saturating_sub(before) >= PROGRESS {
                tries.begin_again();
            }
            if let Err(trouble) = fetched {
                self.pause(&mut tries, trouble, &what).await?;
            }
        }
        Ok(())
    }

    async fn fetch_once(&self, partial: &mut Partial, what: &str) -> Result<(), FetchTrouble> {
        let path = format!("blobs/{}", partial.digest());
        let response = self.get(&path, partial.bytes()).await?;
        let mut response = self.positioned(response, partial)?;
        loop {
            let chunk = response.chunk().await;
            let chunk = chunk.map_err(|error| unanswered(self.host(), &error))?;
            let Some(chunk) = chunk else { break };
            if partial.bytes() + chunk.len() as u64 > partial.wanted() {
                let most = partial.wanted();
                partial.empty()?;
                return Err(SourceError::TooLarge {
                    what: what.to_owned(),
                    from: self.host().to_owned(),
                    most,
                }
                .into());
            }
            partial.write(&chunk)?;
            (self.news)(PullNews::Bytes(chunk.len() as u64));
        }
        if partial.bytes() == partial.wanted() {
            return Ok(());
        }
        Err(FetchTrouble {
            error: SourceError::Unreachable {
                host: self.host().to_owned(),
                why: format!(
                    "{what} ended after {} of {} bytes",
                    partial.bytes(),
                    partial.wanted()
                ),
                tries: 1,
            },
            again: Again::Later(None),
        })
    }

    /// An answer whose first byte is the next of the file.
    fn positioned(
        &self,
        response: Response,
        partial: &mut Partial,
    ) -> Result<Response, FetchTrouble> {
        let has = partial.bytes();
        let begins_at = || -> Option<u64> {
            let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
            let range = range.strip_prefix("bytes ")?;
            range.split('-').next()?.trim().parse().ok()
        };
        match response.status() {
            StatusCode::PARTIAL_CONTENT if begins_at() == Some(has) => Ok(response),
            // It does not know ranges, and gives the whole.
            StatusCode::OK if has == 0 => Ok(response),
            StatusCode::OK => {
                (self.news)(PullNews::Lost(has));
                partial.empty()?;
                Ok(response)
            }
            status => {
                (self.news)(PullNews::Lost(has));
                partial.empty()?;
                Err(FetchTrouble {
                    error: SourceError::Malformed {
                        what: format!("the layer {}", partial.digest().short()),
                        from: self.host().to_owned(),
                        why: format!("its rest was asked for, and the answer is {status}"),
                    },
                    again: Again::Later(None),
                })
            }
        }
    }
}
