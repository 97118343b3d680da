//! The keys of both ends, made from the secret, and TLS that takes these and no others.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::secret::LinkSecret;

/// What stands before the 32 bytes of a private Ed25519 key (RFC 8410, section 7).
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// An end of a link. Each has a key of its own, so that nobody can be answered by their own words.
#[derive(Clone, Copy)]
enum End {
    Listens,
    Connects,
}

/// The key of one end. It comes from random bytes that nobody else has; so does its public part,
/// which says nothing of them.
fn key(secret: &LinkSecret, end: End) -> Result<Arc<CertifiedKey>, Error> {
    let label: &[u8] = match end {
        End::Listens => b"regatta link 1: who listens",
        End::Connects => b"regatta link 1: who connects",
    };
    let seed = Sha256::new()
        .chain_update(label)
        .chain_update(secret.bytes());
    let mut der = Zeroizing::new(PKCS8.to_vec());
    der.extend_from_slice(&seed.finalize());
    let key = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(&der[..]))?;
    let public = key
        .public_key()
        .ok_or_else(|| Error::General("no public key".to_owned()))?;
    let public = CertificateDer::from(public.as_ref().to_vec());
    Ok(Arc::new(CertifiedKey::new(vec![public], key)))
}

/// TLS for who listens.
pub(super) fn listening(secret: &LinkSecret) -> Result<ServerConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let peer = Peer::of(secret, End::Connects, &provider)?;
    let ours = AlwaysResolvesServerRawPublicKeys::new(key(secret, End::Listens)?);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(peer))
        .with_cert_resolver(Arc::new(ours));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// TLS for who connects.
pub(super) fn connecting(secret: &LinkSecret) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let peer = Peer::of(secret, End::Listens, &provider)?;
    let ours = AlwaysResolvesClientRawPublicKeys::new(key(secret, End::Connects)?);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(peer))
        .with_client_cert_resolver(Arc::new(ours));
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Takes the one key that the other end has, and none else.
#[derive(Debug)]
struct Peer {
    /// Its public key, as it is sent.
    key: Vec<u8>,
    provider: Arc<CryptoProvider>,
}

impl Peer {
    fn of(secret: &LinkSecret, end: End, provider: &Arc<CryptoProvider>) -> Result<Self, Error> {
        Ok(Self {
            key: key(secret, end)?.end_entity_cert()?.to_vec(),
            provider: Arc::clone(provider),
        })
    }

    fn knows(&self, shown: &CertificateDer<'_>, more: &[CertificateDer<'_>]) -> Result<(), Error> {
        if more.is_empty() && **shown == *self.key {
            Ok(())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    /// Whether the other end has the private part.
    fn signed(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &key, signed, known)
    }
}

/// TLS 1.2 is not offered, so that nobody comes here.
fn only_tls13() -> Error {
    Error::General("a link is TLS 1.3".to_owned())
}

impl ServerCertVerifier for Peer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.knows(end_entity, intermediates)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Peer {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.knows(end_entity, intermediates)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Takes every server.
    #[derive(Debug)]
    struct Trusting(Peer);

    impl ServerCertVerifier for Trusting {
        fn verify_server_cert(
            &self,
            _end_entity: &CertificateDer<'_>,
            _intermediates: &[CertificateDer<'_>],
            _server_name: &ServerName<'_>,
            _ocsp_response: &[u8],
            _now: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _message: &[u8],
            _cert: &CertificateDer<'_>,
            _dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(only_tls13())
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.0.signed(message, cert, dss)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ED25519]
        }

        fn requires_raw_public_keys(&self) -> bool {
            true
        }
    }

    /// TLS of somebody who connects to whomever, with the key of this secret or none.
    pub fn trusting(secret: &LinkSecret, has_key: bool) -> ClientConfig {
        let provider = Arc::new(ring::default_provider());
        let peer = Peer::of(secret, End::Listens, &provider).unwrap();
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Trusting(peer)));
        if has_key {
            let ours = key(secret, End::Connects).unwrap();
            config.with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(ours)))
        } else {
            config.with_no_client_auth()
        }
    }

    #[test]
    fn each_end_and_each_secret_has_a_key_of_its_own() {
        let (one, other) = (LinkSecret::random().unwrap(), LinkSecret::random().unwrap());
        let public = |secret, end| key(secret, end).unwrap().cert[0].to_vec();
        assert_eq!(public(&one, End::Listens), public(&one, End::Listens));
        assert_ne!(public(&one, End::Listens), public(&one, End::Connects));
        assert_ne!(public(&one, End::Listens), public(&other, End::Listens));
    }
}
