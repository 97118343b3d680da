//! The certificates that a registry is trusted by beside the system's: those of `certs.d`, where Docker
//! and Podman look for them (docs.docker.com/engine/security/certificates, containers-certs.d(5)).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use reqwest::Url;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, InvalidMessage, SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use super::super::error::SourceError;
use super::address::authority;
use crate::files;
use crate::text::{one_line, some};

/// How much of a server's words is shown, in characters, and how many of its names.
const SHOWN: usize = 200;
const NAMES: usize = 4;

/// Where certificates of registries are looked for, each in a directory with the registry's name.
#[must_use]
pub fn dirs_of_user() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    let own = home.map(|home| PathBuf::from(home).join(".config"));
    let own = own.map(|config| ["containers", "docker"].map(|it| config.join(it)));
    let all = ["/etc/containers", "/etc/docker"].map(PathBuf::from);
    let dirs = own.into_iter().flatten().chain(all);
    dirs.map(|dir| dir.join("certs.d")).collect()
}

/// The certificates of those who may sign for a server: every `*.crt` of its directories.
pub fn certificates(
    dirs: &[PathBuf],
    server: &Url,
) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    let mut names = vec![authority(server)];
    if let (Some(host), None, "https") = (server.host_str(), server.port(), server.scheme()) {
        names.push(format!("{host}:443"));
    }
    let mut found = Vec::new();
    for dir in dirs
        .iter()
        .flat_map(|dir| names.iter().map(|name| dir.join(name)))
    {
        // One that others may not read is none for us.
        for path in files::list(&dir).unwrap_or_default() {
            if path.extension().is_some_and(|it| it == "crt") {
                found.extend(in_file(&path, &names[0])?);
            }
        }
    }
    Ok(found)
}

fn in_file(path: &Path, host: &str) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    let unfit = |why: String| SourceError::Insecure {
        host: host.to_owned(),
        why: format!("{} cannot be read: {why}", path.display()),
        hint:
            "mend or remove the file: it has certificates in PEM, of who may sign for this registry"
                .to_owned(),
    };
    let bytes = files::read(path).map_err(|error| unfit(error.to_string()))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(unfit("it is no certificate in PEM".to_owned())),
    }
}

/// How TLS is spoken where the system's certificates and these count.
pub fn tls(own: &[CertificateDer<'static>]) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let system = Verifier::new_with_extra_roots(own.to_vec(), Arc::clone(&provider))?;
    let verifier = OwnTrust {
        system,
        own: own.to_vec(),
    };
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// The usual trust, and in the very certificates of `certs.d`. Those that Docker's manual tells one to
/// make are their own authorities, which no certificate of a server may be for the usual trust.
#[derive(Debug)]
struct OwnTrust {
    system: Verifier,
    own: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for OwnTrust {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self
            .system
            .verify_server_cert(certificate, between, name, ocsp, now);
        match verified {
            // Its time was looked at before.
            Err(error) if is_own_authority(&error) && self.own.contains(certificate) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.system
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.system
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.system.supported_verify_schemes()
    }
}

/// Whether a certificate was refused since it is an authority's. It has no name of its own among the
/// errors of `rustls`, only `webpki`'s word.
fn is_own_authority(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::InvalidCertificate(CertificateError::Other(other))
            if other.to_string() == "CaUsedAsEndEntity"
    )
}

/// What TLS found wrong with a server, if it is that which a request failed for.
pub fn distrust(host: &str, error: &reqwest::Error) -> Option<SourceError> {
    let error = of_tls(error)?;
    let date = |time: &UnixTime| {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        time.strftime("%Y-%m-%d").to_string()
    };
    let trust = || {
        format!(
            "if the registry is yours or your group's: put the certificate of who signed for it into ~/.config/containers/certs.d/{host}/ca.crt (also read: /etc/docker/certs.d/{host}/ca.crt)"
        )
    };
    let renew = "the certificate must be renewed, unless the clock of this machine is wrong";
    let (why, hint) = match error {
        error if is_own_authority(error) => {
            ("its certificate is signed by itself".to_owned(), trust())
        }
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::UnknownIssuer => (
                "its certificate is signed by nobody whom this machine trusts".to_owned(),
                trust(),
            ),
            CertificateError::NotValidForNameContext { presented, .. } => (
                format!("its certificate is for {}", names(presented)),
                "ask the registry by a name that its certificate has".to_owned(),
            ),
            CertificateError::ExpiredContext { not_after, .. } => (
                format!("its certificate ended on {}", date(not_after)),
                renew.to_owned(),
            ),
            CertificateError::Expired => ("its certificate has ended".to_owned(), renew.to_owned()),
            CertificateError::NotValidYetContext { not_before, .. } => (
                format!("its certificate begins on {}", date(not_before)),
                "the clock of this machine may be wrong".to_owned(),
            ),
            error => (one_line(&error.to_string(), SHOWN), trust()),
        },
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => (
            "what answers there does not speak TLS".to_owned(),
            format!(
                "if it is meant to be asked without: `\"{host}\" = \"http://{host}\"` under [images.mirrors] in regatta.toml"
            ),
        ),
        _ => return None,
    };
    Some(SourceError::Insecure {
        host: host.to_owned(),
        why,
        hint,
    })
}

/// The error of TLS in a chain. Errors of the system have others inside, where no chain leads.
fn of_tls(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let system = error.downcast_ref::<std::io::Error>();
        cause = match system.and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// The names of a certificate, as `webpki` writes them: `DnsName("a")`, `IpAddress(b)`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let inner = name.split_once('(').map_or(name.as_str(), |(_, rest)| rest);
        one_line(inner.trim_matches(['"', ')']), SHOWN)
    };
    let names: Vec<String> = presented.iter().map(bare).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if names.is_empty() {
        "no name at all".to_owned()
    } else {
        some(&names, NAMES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_looked_for_by_the_registrys_host_and_port() {
        let dir = tempfile::tempdir().unwrap();
        let pem = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
        for (place, text) in [
            ("h:5000/ca.crt", pem.repeat(2)),
            ("h:5000/client.cert", "not asked for".to_owned()),
            ("h:443/ca.crt", pem.to_owned()),
            ("h/more.crt", pem.to_owned()),
            ("bad/ca.crt", "no PEM".to_owned()),
        ] {
            let path = dir.path().join(place);
            files::create_dir(path.parent().unwrap()).unwrap();
            files::write_in_place(&path, text.as_bytes()).unwrap();
        }
        let dirs = [dir.path().join("none"), dir.path().to_owned()];
        let of = |url: &str| certificates(&dirs, &url.parse().unwrap());
        for (url, count) in [
            ("https://h:5000/v2/a", 2),
            ("https://h/v2/a", 2),
            ("https://other/v2/a", 0),
        ] {
            assert_eq!(of(url).unwrap().len(), count, "{url}");
        }
        let error = of("https://bad").unwrap_err();
        let text = error.to_string();
        assert!(
            text.ends_with("ca.crt cannot be read: it is no certificate in PEM"),
            "{text}"
        );
        // Bytes that are no certificate are an error before anything is asked.
        assert!(tls(&of("https://h").unwrap()).is_err());
        assert_eq!(
            names(&["DnsName(\"a.b\")".to_owned(), "IpAddress(::1)".to_owned()]),
            "a.b, ::1"
        );
    }
}
