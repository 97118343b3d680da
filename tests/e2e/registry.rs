//! A real registry on loopback: Debian's `docker-registry`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use regatta::images::Digest;

use crate::support::{Ended, wait_until};

/// A registry on a free port, without TLS.
pub struct Registry {
    dir: tempfile::TempDir,
    pub at: String,
    _process: Ended,
    tags: Mutex<Vec<String>>,
}

/// The same registry on another port, with TLS.
pub struct TlsRegistry {
    pub at: String,
    _process: Ended,
}

impl Registry {
    pub fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("rgi").tempdir().unwrap();
        let (at, process) = serve(dir.path(), "plain", "");
        Self {
            dir,
            at,
            _process: process,
            tags: Mutex::default(),
        }
    }

    /// Serves what it has over TLS too, with this certificate and its key.
    pub fn with_tls(&self, certificate: &Path, key: &Path) -> TlsRegistry {
        let (certificate, key) = (certificate.display(), key.display());
        let tls = format!(", tls: {{certificate: '{certificate}', key: '{key}'}}");
        let (at, process) = serve(self.dir.path(), "tls", &tls);
        TlsRegistry {
            at,
            _process: process,
        }
    }

    /// Pushes an image of the daemon; gives its name in the registry.
    pub fn push(&self, image: &str) -> String {
        let name = format!("{}/{image}", self.at);
        docker(&["tag", image, &name]);
        self.tags.lock().unwrap().push(name.clone());
        docker(&["push", "-q", &name]);
        name
    }

    /// The file of a blob.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let blobs = "data/docker/registry/v2/blobs/sha256";
        self.dir
            .path()
            .join(format!("{blobs}/{}/{hex}/data", &hex[..2]))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        for tag in self.tags.lock().unwrap().iter() {
            let _ = Command::new("docker").args(["rmi", tag]).output();
        }
    }
}

/// Starts one on what is in a directory; gives its host and port.
fn serve(dir: &Path, name: &str, more: &str) -> (String, Ended) {
    let data = dir.join("data").display().to_string();
    let config = format!(
        "version: 0.1\nstorage: {{filesystem: {{rootdirectory: '{data}'}}}}\nhttp: {{addr: '127.0.0.1:0'{more}}}\n"
    );
    let (config_file, log_file) = (
        dir.join(format!("{name}.yml")),
        dir.join(format!("{name}.log")),
    );
    std::fs::write(&config_file, config).unwrap();
    let process = Command::new("docker-registry")
        .arg("serve")
        .arg(&config_file)
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log_file).unwrap())
        .spawn()
        .expect("docker-registry is not installed");
    let process = Ended(process);
    let listens = || -> Option<String> {
        let log = std::fs::read_to_string(&log_file).unwrap();
        let (_, rest) = log.split_once("listening on ")?;
        Some(rest.split(['"', ',']).next()?.to_owned())
    };
    wait_until("the registry", || listens().is_some());
    (listens().unwrap(), process)
}

/// Runs Docker's client; gives what it prints.
pub fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
