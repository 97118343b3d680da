//! Why an image cannot be had from where it was asked for.

use std::time::Duration;

use super::super::Digest;
use crate::text::{by_number, duration, some};

/// Why an image cannot be had from a registry, a directory or an archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// No connection, or one that broke off.
    #[error("{host} cannot be reached: {why}{}", tried(*.tries))]
    Unreachable {
        /// Who was asked.
        host: String,
        /// The system's words.
        why: String,
        /// How often it was tried.
        tries: u32,
    },
    /// A server that does not show who it is, or shows that it is another.
    #[error("there is no safe connection to {host}: {why}")]
    Insecure {
        /// Who was asked.
        host: String,
        /// What is wrong.
        why: String,
        /// What can be done about it.
        hint: String,
    },
    /// The registry wants to know who asks, or this one may not.
    #[error("{host} does not give {name} to {}: {said}", .login.as_deref().unwrap_or("whom it does not know"))]
    Refused {
        /// The registry.
        host: String,
        /// The image.
        name: String,
        /// Who asked, where a login was sent.
        login: Option<String>,
        /// The registry's words.
        said: String,
    },
    /// The registry does not have it.
    #[error("{host} does not have {name}: {said}")]
    NotFound {
        /// The registry.
        host: String,
        /// The image, or the part of one.
        name: String,
        /// The registry's words.
        said: String,
    },
    /// A limit of pulls.
    #[error("{host} has a limit of pulls, and it is reached: {said}{}", .wait.map_or_else(String::new, |wait| format!(" (it says to wait {})", duration(wait.as_secs_f64()))))]
    Limited {
        /// The registry.
        host: String,
        /// The registry's words.
        said: String,
        /// How long it says to wait.
        wait: Option<Duration>,
    },
    /// Another refusal.
    #[error("{url} answered {status}{}: {said}", tried(*.tries))]
    Status {
        /// What was asked.
        url: String,
        /// The status of HTTP.
        status: u16,
        /// The words of the answer.
        said: String,
        /// How often it was tried.
        tries: u32,
    },
    /// An answer that is none, or a document that does not hold what it must.
    #[error("{what} of {from} cannot be read: {why}")]
    Malformed {
        /// The document.
        what: String,
        /// Whose it is.
        from: String,
        /// What is wrong with it.
        why: String,
    },
    /// Something that is larger than such a thing can be.
    #[error("{what} of {from} is larger than {most} bytes, which no such thing is")]
    TooLarge {
        /// What it is.
        what: String,
        /// Whose it is.
        from: String,
        /// The most that is read.
        most: u64,
    },
    /// A redirect that is not followed.
    #[error("{url} sends the request elsewhere: {why}")]
    Redirected {
        /// What was asked.
        url: String,
        /// Why it is not followed.
        why: String,
    },
    /// A server of tokens that is not the registry's own.
    #[error(
        "{host} sends its visitors to {realm} for a token, which is another's: no password goes there"
    )]
    ForeignRealm {
        /// The registry.
        host: String,
        /// Where a token would be had.
        realm: String,
    },
    /// A registry that is not to be asked, as it is configured.
    #[error("the address of {registry} cannot be used: {why}")]
    Address {
        /// The registry, as images name it.
        registry: String,
        /// What is wrong.
        why: String,
    },
    /// Bytes that are not those that were asked for, twice.
    #[error("{from} gives wrong bytes for {what}: {wanted} was asked for, and {found} came")]
    WrongDigest {
        /// The layer or document.
        what: String,
        /// Whose it is.
        from: String,
        /// Its digest by the manifest.
        wanted: Digest,
        /// That of the bytes.
        found: Digest,
    },
    /// An image for other processors.
    #[error("{name} is for another processor: this machine has linux/{wanted}, and there {} {}", by_number(.there.len(), "is", "are"), listed(.there))]
    OtherProcessor {
        /// The image.
        name: String,
        /// This machine's processor, in Go's words.
        wanted: String,
        /// What there is, as `linux/arm64`.
        there: Vec<String>,
    },
    /// Something that is no image of a container, or one of a kind that is not read.
    #[error("{name} cannot be used: {why}")]
    Unsupported {
        /// The image.
        name: String,
        /// What it is.
        why: String,
    },
    /// A directory or an archive in which there are other images.
    #[error("{from} does not have {name}: {}", has(.there))]
    NotInside {
        /// The directory or the archive.
        from: String,
        /// The image.
        name: String,
        /// The images in it.
        there: Vec<String>,
    },
    /// A directory or a file that is no image at all.
    #[error("{from} is no image: {why}")]
    NoImage {
        /// The directory or the archive.
        from: String,
        /// What it lacks.
        why: String,
    },
    /// The disk.
    #[error("cannot {doing}: {why}")]
    Disk {
        /// What was being done, with the path.
        doing: String,
        /// The system's words.
        why: String,
        /// Whether there is no room.
        is_full: bool,
    },
    /// It was asked to stop.
    #[error("stopped")]
    Stopped,
}

fn tried(tries: u32) -> String {
    if tries > 1 {
        format!(" (tried {tries} times)")
    } else {
        String::new()
    }
}

fn listed(names: &[String]) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        some(&names, 8)
    }
}

fn has(there: &[String]) -> String {
    if there.is_empty() {
        "its images have no names".to_owned()
    } else {
        format!("it has {}", listed(there))
    }
}

impl SourceError {
    /// An error of the disk.
    pub(in crate::images) fn disk(doing: String, error: &std::io::Error) -> Self {
        Self::Disk {
            doing,
            why: error.to_string(),
            is_full: matches!(
                error.kind(),
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
            ),
        }
    }

    /// Whether the image is not there or not for us, so that asking again brings nothing.
    #[must_use]
    pub const fn is_for_good(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::NotFound { .. }
                | Self::ForeignRealm { .. }
                | Self::Address { .. }
                | Self::OtherProcessor { .. }
                | Self::Unsupported { .. }
                | Self::NotInside { .. }
                | Self::NoImage { .. }
        )
    }

    /// Whether it is about what was asked for, and not about the world.
    #[must_use]
    pub const fn is_of_usage(&self) -> bool {
        matches!(
            self,
            Self::Address { .. } | Self::NotInside { .. } | Self::NoImage { .. }
        )
    }

    /// What can be done about it, a sentence each.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        let hints: &[&str] = match self {
            Self::Insecure { hint, .. } => &[hint.as_str()],
            Self::Status { said, .. } if said.contains("HTTP request to an HTTPS server") => &[
                "the registry speaks TLS, and registries of this machine are asked without: name it with https, as in `\"localhost:5000\" = \"https://localhost:5000\"` under [images.mirrors] in regatta.toml",
            ],
            Self::Unreachable { .. } => &[
                "the same command goes on where it stopped; without a network, bring the images from a machine that has them: `docker save IMAGE… -o images.tar` there, and `regatta images pull --from images.tar` here",
            ],
            Self::Refused { login: None, .. } => &[
                "check the name; if the image is private, log in (`docker login REGISTRY`): Regatta reads Docker's config.json and its credential helpers",
            ],
            Self::Refused { .. } => {
                &["check the name, and whether this account may read the repository"]
            }
            Self::NotFound { .. } => {
                &["check the name and the tag; with a mirror, check whether it has the image"]
            }
            Self::Limited { .. } => &[
                "log in (`docker login`): accounts have a higher limit",
                "or set a mirror: [images.mirrors] in regatta.toml",
                "or bring the images from a machine that has them: `docker save IMAGE… -o images.tar` there, and `regatta images pull --from images.tar` here",
            ],
            Self::Status { .. } => &[
                "the registry has trouble; what is here stays, and the same command goes on later",
            ],
            Self::Malformed { .. } => &[
                "something else may answer in the registry's place: a proxy, a login page; check the address, and HTTPS_PROXY",
            ],
            Self::TooLarge { .. } => &["check the address: this may be no registry"],
            Self::Redirected { .. } => &["check the address of the registry or mirror"],
            Self::ForeignRealm { .. } => &[
                "if that server is the registry's, log out (`docker logout REGISTRY`) to ask it without a password",
            ],
            Self::Address { .. } => {
                &["write it as in `\"docker.io\" = \"https://mirror.example\"`"]
            }
            Self::WrongDigest { .. } => &[
                "the bytes were removed and fetched once more; a mirror or a proxy may keep broken ones",
            ],
            Self::OtherProcessor { .. } => {
                &["use a machine of that processor, or images that were built for this one"]
            }
            Self::NotInside { .. } => {
                &["name an image as it is listed, or save the one that is missing too"]
            }
            Self::NoImage { .. } => &[
                "`docker save IMAGE… -o images.tar` makes an archive, `skopeo copy … oci:DIR:TAG` a directory",
            ],
            Self::Disk { is_full: true, .. } => &[
                "free some space (`regatta images prune`), or keep images elsewhere: [images] store in regatta.toml; the same command goes on",
            ],
            Self::Unsupported { .. } | Self::Disk { .. } | Self::Stopped => &[],
        };
        hints.iter().map(|hint| (*hint).to_owned()).collect()
    }
}
