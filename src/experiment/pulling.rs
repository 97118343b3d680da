//! Images that are missing are pulled before the first trial, so that a pull is in nobody's time.

use std::collections::{BTreeSet, HashSet};

use super::news::{News, NewsSender};
use super::planned::Experiment;
use crate::bench::image::image_name;
use crate::bench::{Pair, RunName};
use crate::error::{Error, Result};
use crate::host;
use crate::images::{From, ImageName, PullNews, Pulled, Store, pull_several};
use crate::runner::Interrupt;
use crate::sandbox::oci;
use crate::text::{one_line, some};

/// How many images are pulled at the same time.
const AT_ONCE: usize = 3;
/// How much of an error is shown.
const SHOWN: usize = 300;
/// How many images a line names.
const NAMED: usize = 4;

impl Experiment {
    /// Pulls what the pairs that are to run need and the store lacks, where sandboxes are made from
    /// its images. Says whether it came to its end: the user may stop it.
    ///
    /// What could not be pulled is told here and is no end: its trials try once more, and end in an
    /// error of the infrastructure.
    pub(super) async fn pull(
        &self,
        force: bool,
        interrupt: &Interrupt,
        news: &NewsSender,
    ) -> Result<bool> {
        let wanted = self.images_to_run(force)?;
        if wanted.is_empty() || !self.config.images.pull {
            return Ok(true);
        }
        let store = host::store(&self.config)?;
        let missing = missing(&store, &wanted)?;
        if missing.is_empty() {
            return Ok(true);
        }
        news.tell(News::PullingBegun {
            images: missing.len(),
            store: store.dir().to_owned(),
        });
        let told = |image: &ImageName, told: PullNews| {
            let image = image.to_string();
            news.tell(News::Pulling { image, told });
        };
        let registries = host::registries(&self.config);
        let from = async |_: &ImageName| Ok(From::Registry(registries.clone()));
        let pulling = pull_several(&store, missing, AT_ONCE, from, &told);
        let mut interrupted = interrupt.clone();
        let pulled = tokio::select! {
            pulled = pulling => Some(pulled),
            () = interrupted.changed() => None,
        };
        news.tell(News::PullingEnded);
        let Some(pulled) = pulled else {
            return Ok(false);
        };
        tell_of_failures(&pulled, news);
        Ok(true)
    }

    /// The images of pairs that are to run in sandboxes over our own store.
    fn images_to_run(&self, force: bool) -> Result<BTreeSet<String>> {
        let has_store = |run: &RunName| {
            let one = self.runs.iter().find(|one| one.run.name() == run);
            one.is_some_and(|one| {
                let kind = one.arm.options.backend();
                kind.has_images() && !kind.needs_daemon()
            })
        };
        let outlook = self.outlook(&self.passes_in_force(force)?)?;
        let runs = outlook.runs.iter().filter(|one| has_store(&one.run));
        let pairs: HashSet<&Pair> = runs.flat_map(|one| &one.to_run).collect();
        Ok(pairs.iter().map(|pair| image_name(&pair.task)).collect())
    }
}

/// The images that are not there, or not whole.
fn missing(store: &Store, wanted: &BTreeSet<String>) -> Result<Vec<ImageName>> {
    let mut missing = Vec::new();
    for image in wanted {
        if oci::known(store, image)?.is_none() {
            missing.push(image.parse().map_err(Error::usage)?);
        }
    }
    Ok(missing)
}

/// Says which images could not be had, before any trial fails for that.
fn tell_of_failures(pulled: &Pulled, news: &NewsSender) {
    for (image, error) in &pulled.failed {
        let hints = error.hints();
        let hint = hints
            .first()
            .map_or_else(String::new, |hint| format!("; {hint}"));
        let why = one_line(&format!("{error}{hint}"), SHOWN);
        news.warn(format!("{image} could not be pulled: {why}"));
    }
    if !pulled.left.is_empty() {
        let names: Vec<String> = pulled.left.iter().map(ToString::to_string).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        news.warn(format!(
            "after that {} not asked for: {}",
            match names.len() {
                1 => "1 image was".to_owned(),
                n => format!("{n} images were"),
            },
            some(&names, NAMED)
        ));
    }
}
