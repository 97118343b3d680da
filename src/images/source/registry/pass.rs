//! What lets one in at a registry.

use reqwest::RequestBuilder;

use super::logins::Login;
use crate::secret::Secret;

/// What is sent with a request.
#[derive(Clone, Debug)]
pub enum RegistryPass {
    Token(Secret),
    Password(Login),
}

impl RegistryPass {
    /// A request with it.
    pub fn shown_with(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Token(token) => request.bearer_auth(token.expose()),
            Self::Password(login) => request.basic_auth(&login.user, Some(login.secret.expose())),
        }
    }
}
