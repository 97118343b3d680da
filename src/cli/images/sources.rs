//! Where images are pulled from, as it was typed.

use std::path::Path;
use std::sync::Arc;

use crate::cli::ui::Ui;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::images::{
    Archive, From, ImageError, ImageName, PullNews, RegistryOptions, SourceError, Spool, Store,
    names_in,
};
use crate::sandbox::docker::{Docker, DockerEndpoint};

/// A source, opened.
pub enum Opened {
    Registry(RegistryOptions),
    /// A daemon, with the directory that its archives are kept in.
    Docker(Docker, std::path::PathBuf),
    /// A directory or an archive.
    Local(From),
}

impl Opened {
    /// Opens what `--from` names.
    pub async fn open(typed: &str, config: &Config, store: &Store, ui: &Ui) -> Result<Self> {
        let beside = store.dir().join("partial");
        match typed {
            "registry" => {
                let options = RegistryOptions::of_user(config.images.mirrors.clone());
                Ok(Self::Registry(options))
            }
            "docker" => {
                let docker = Docker::at(DockerEndpoint::from_environment()?)?;
                docker.version().await?;
                Ok(Self::Docker(docker, beside))
            }
            "-" => {
                store.check_writable("nothing can be pulled")?;
                ui.say("reading the archive from stdin");
                let archive = of_stdin(beside).await?;
                Ok(Self::Local(From::Archive(Arc::new(archive))))
            }
            path => {
                let path = Path::new(path);
                if path.is_dir() {
                    return Ok(Self::Local(From::Layout(path.to_owned())));
                }
                if !path.exists() {
                    return Err(Error::usage(format!(
                        "--from {}: there is no such file or directory",
                        path.display()
                    ))
                    .hint("registry, docker, an archive of `docker save`, - for one on stdin, or a directory with an OCI layout"));
                }
                store.check_writable("nothing can be pulled")?;
                let (path, beside) = (path.to_owned(), beside);
                let opening = tokio::task::spawn_blocking(move || Archive::open(&path, &beside));
                let archive = opening.await.map_err(|_| Error::world("stopped"))?;
                let archive = archive.map_err(ImageError::from)?;
                Ok(Self::Local(From::Archive(Arc::new(archive))))
            }
        }
    }

    /// Whether to look at it costs nothing.
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    /// The names of all that is in it, where that is a question with an answer.
    pub fn all(&self) -> Result<Option<Vec<ImageName>>> {
        let Self::Local(from) = self else {
            return Ok(None);
        };
        let names = names_in(from).map_err(ImageError::from)?;
        // A layout may have tags alone, which are no whole names.
        let is_whole = |name: &&String| name.contains(['/', ':']);
        let mut names: Vec<ImageName> = names
            .iter()
            .filter(is_whole)
            .filter_map(|name| name.parse().ok())
            .collect();
        names.sort();
        names.dedup();
        if names.is_empty() {
            return Err(Error::usage("the images in it have no names")
                .hint("say which it is: `regatta images pull NAME --from …`"));
        }
        Ok(Some(names))
    }

    /// Where one image comes from.
    pub async fn of(
        &self,
        name: &ImageName,
        news: &(dyn Fn(PullNews) + Sync),
    ) -> std::result::Result<From, ImageError> {
        match self {
            Self::Registry(options) => Ok(From::Registry(options.clone())),
            Self::Local(from) => Ok(from.clone()),
            Self::Docker(docker, beside) => {
                let archive = of_daemon(docker, name, beside, news).await?;
                Ok(From::Archive(Arc::new(archive)))
            }
        }
    }
}

/// What a daemon has of an image.
async fn of_daemon(
    docker: &Docker,
    name: &ImageName,
    beside: &Path,
    news: &(dyn Fn(PullNews) + Sync),
) -> std::result::Result<Archive, ImageError> {
    let present = docker.present_images().await?;
    let found = present
        .iter()
        .find(|(tag, _)| tag.parse().as_ref() == Ok(name));
    let Some((tag, bytes)) = found else {
        return Err(SourceError::NotFound {
            host: "the Docker daemon".to_owned(),
            name: name.to_string(),
            said: "`docker images` does not list it".to_owned(),
        }
        .into());
    };
    news(PullNews::Begun {
        layers: 0,
        missing: 0,
        bytes: *bytes,
    });
    let mut spool = Spool::new(beside)?;
    docker
        .export(tag, &mut |chunk| {
            // They are counted as fetched when the layers are read.
            news(PullNews::Resumed(chunk.len() as u64));
            spool
                .write(chunk)
                .map_err(|error| Error::from(ImageError::from(error)))
        })
        .await?;
    let finishing = tokio::task::spawn_blocking(move || spool.finish("the Docker daemon"));
    let archive = finishing.await.map_err(|_| Error::world("stopped"))?;
    Ok(archive?)
}

/// An archive on stdin. A thread of its own reads it: nobody waits for it after Ctrl-C.
async fn of_stdin(beside: std::path::PathBuf) -> Result<Archive> {
    let (done, read) = tokio::sync::oneshot::channel();
    let work = move || {
        let archive = Spool::new(&beside).and_then(|mut spool| {
            spool.read(&mut std::io::stdin().lock(), "stdin")?;
            spool.finish("stdin")
        });
        // Nobody waits for it after Ctrl-C.
        let _ = done.send(archive);
    };
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(work)
        .map_err(|error| Error::world(format!("cannot read stdin: {error}")))?;
    let archive = read.await.map_err(|_| Error::world("stopped"))?;
    Ok(archive.map_err(ImageError::from)?)
}
