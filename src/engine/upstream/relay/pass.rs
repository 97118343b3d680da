//! Passing requests on to the daemon.

use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

use super::answer::{Body, refusal};
use super::hijack::{ClientSocket, Marked};
use super::shared::Shared;
use crate::store::Event;

impl Shared {
    /// Passes a request on; the error is the response for a daemon that does not answer.
    pub async fn pass<B>(
        &self,
        mut request: Request<B>,
        client: &ClientSocket,
    ) -> std::result::Result<Response<Body>, Response<Body>>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let upgrade = hyper::upgrade::on(&mut request);
        match self.send(request).await {
            Ok(mut response) => {
                self.state().unreachable = None;
                if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                    let marked = client.mark(&mut response);
                    join(upgrade, hyper::upgrade::on(&mut response), marked);
                }
                Ok(response.map(http_body_util::BodyExt::boxed))
            }
            Err(message) => {
                let first = self.state().unreachable.replace(message.clone()).is_none();
                if first {
                    (self.report)(Event::DaemonUnreachable {
                        message: message.clone(),
                    });
                }
                // In the words of Docker's client, which triage knows.
                Err(refusal(
                    StatusCode::SERVICE_UNAVAILABLE,
                    &format!(
                        "Cannot connect to the Docker daemon at {}. Is the docker daemon running?",
                        self.daemon.url()
                    ),
                ))
            }
        }
    }

    async fn send<B>(&self, request: Request<B>) -> std::result::Result<Response<Incoming>, String>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let stream = self
            .daemon
            .connect()
            .await
            .map_err(|error| error.to_string())?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        tokio::spawn(connection.with_upgrades());
        // Boxed: the body's type differs from caller to caller.
        sender
            .send_request(request.map(http_body_util::BodyExt::boxed_unsync))
            .await
            .map_err(|error| error.to_string())
    }
}

/// Joins two hijacked connections until either side ends.
fn join(client: hyper::upgrade::OnUpgrade, daemon: hyper::upgrade::OnUpgrade, marked: Marked) {
    tokio::spawn(async move {
        let (Ok(client), Ok(daemon)) = tokio::join!(client, daemon) else {
            return;
        };
        marked.head_was_read().await;
        let (mut client, mut daemon) = (TokioIo::new(client), TokioIo::new(daemon));
        // Either side may break off: that is how a hijacked connection ends.
        let _ = tokio::io::copy_bidirectional(&mut client, &mut daemon).await;
    });
}
