//! Registries over TLS: whom `images pull` trusts, and what it says of the others.

use std::path::PathBuf;
use std::process::Command;

use crate::images::{Images, little};
use crate::registry::{Registry, docker};
use crate::support::Ran;

const IMAGE: &str = "regatta-e2e/little:tls";

/// An authority and what it signed, and one that signed itself as Docker's manual says.
const MADE: &str = r#"
exec 2>/dev/null
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$1.key"; }
signed() {
    key "$1"
    openssl req -new -key "$1.key" -subj "/CN=$1" -addext "subjectAltName=$2" -out "$1.csr"
    openssl x509 -req -in "$1.csr" -CA authority.crt -CAkey authority.key -CAcreateserial \
        -copy_extensions copy -days "$3" -out "$1.crt"
}
key authority
openssl req -x509 -new -key authority.key -subj "/CN=An authority" -days 3 -out authority.crt
signed good IP:127.0.0.1 3
signed another DNS:registry.example,DNS:mirror.example 3
signed ended IP:127.0.0.1 -1
key itself
openssl req -x509 -new -key itself.key -subj /CN=itself -addext subjectAltName=IP:127.0.0.1 -days 3 \
    -out itself.crt
"#;

/// What a pull has to know whom to trust.
#[derive(Clone, Copy)]
enum Known {
    Nobody,
    /// In a file, in the place of all that the system knows.
    InFile(&'static str),
    /// In the user's directory for this registry.
    InDir(&'static str),
}

struct Certificates(tempfile::TempDir);

impl Certificates {
    fn make() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = Command::new("bash")
            .args(["-e", "-c", MADE])
            .current_dir(dir.path())
            .status();
        assert!(made.unwrap().success(), "openssl");
        Self(dir)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Pulls the image from a mirror by one who knows this.
    fn pull(&self, mirror: &str, known: Known) -> Ran {
        let images = Images::new(&[("docker.io", mirror)]);
        let mut command = images.pulling(&[IMAGE]);
        command.env("HOME", images.place.path());
        let at = mirror.split_once("://").unwrap().1;
        match known {
            Known::Nobody => {}
            Known::InFile(name) => {
                command.env("SSL_CERT_FILE", self.file(name));
            }
            Known::InDir(name) => {
                let place = format!(".config/containers/certs.d/{at}/ca.crt");
                let text = std::fs::read(self.file(name)).unwrap();
                images.place.write(&place, text);
            }
        }
        Ran::of(&command.output().unwrap())
    }
}

#[test]
#[ignore = "needs Docker, docker-registry and openssl: just e2e"]
fn a_registry_over_tls_is_trusted_as_docker_and_podman_do_and_what_is_wrong_is_told() {
    let plain = Registry::start();
    little(IMAGE);
    plain.push(IMAGE);
    docker(&["rmi", IMAGE]);
    let made = Certificates::make();
    let nobody = "signed by nobody whom this machine trusts";
    let another = "its certificate is for registry.example, mirror.example";
    let ended = "its certificate has ended";
    let itself = "signed by itself";
    for (certificate, known, says) in [
        ("good", Known::Nobody, Some(nobody)),
        ("good", Known::InFile("authority.crt"), None),
        ("good", Known::InDir("authority.crt"), None),
        ("good", Known::InDir("itself.crt"), Some(nobody)),
        ("another", Known::InDir("authority.crt"), Some(another)),
        ("ended", Known::InDir("authority.crt"), Some(ended)),
        ("itself", Known::Nobody, Some(itself)),
        ("itself", Known::InDir("itself.crt"), None),
        ("itself", Known::InDir("authority.crt"), Some(itself)),
    ] {
        let (file, key) = (format!("{certificate}.crt"), format!("{certificate}.key"));
        let server = plain.with_tls(&made.file(&file), &made.file(&key));
        let ran = made.pull(&format!("https://{}", server.at), known);
        let Some(says) = says else {
            ran.code(0).says("1 image pulled");
            continue;
        };
        let begin = format!("there is no safe connection to {}: ", server.at);
        let ran = ran.code(3).says(&begin).says(says).says("hint: ");
        // It is not tried again: nothing of it would pass.
        assert!(!ran.stderr.contains("next try"), "{}", ran.stderr);
        if says == nobody {
            ran.says(&format!("certs.d/{}/ca.crt", server.at));
        }
    }
    // With TLS where there is none, and without where there is.
    made.pull(&format!("https://{}", plain.at), Known::Nobody)
        .code(3)
        .says("what answers there does not speak TLS")
        .says(&format!("\"{0}\" = \"http://{0}\"", plain.at));
    let server = plain.with_tls(&made.file("good.crt"), &made.file("good.key"));
    made.pull(&format!("http://{}", server.at), Known::Nobody)
        .code(3)
        .says("HTTP request to an HTTPS server")
        .says("the registry speaks TLS");
}
