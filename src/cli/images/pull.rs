//! `regatta images pull`.

use std::time::Duration;

use clap::Args;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::bars::Bars;
use super::sources::Opened;
use super::{outcome, store_of};
use crate::bench::image::image_name;
use crate::cli::options::{ConfigSource, Places, set};
use crate::cli::picking::PairArgs;
use crate::cli::suspend;
use crate::cli::ui::Ui;
use crate::config::{Config, Layers};
use crate::error::{Error, Result, exit};
use crate::experiment::{Among, setup};
use crate::images::{ImageName, Store, pull_several};
use crate::runner::Interrupt;
use crate::store::dataset::DatasetDir;
use crate::text::plural;

const EXAMPLES: &str = "\
Examples:
  regatta images pull                         # what the subset's tasks need, from their registry
  regatta images pull -s flash                # of another subset
  regatta images pull alpine:3.20             # one by its name
  regatta images pull --from docker           # what the Docker daemon here has of them
  regatta images pull --from images.tar       # all that is in an archive";

/// Get images into the store: all that a subset's tasks need, or those that are named
///
/// An image that is there is left alone, and so are layers that are there. A pull that was cut is gone
/// on with by the next one.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PullArgs {
    /// The images, by their names [default: those of the subset's tasks; with an archive or a
    /// directory, all that are in it]
    #[arg(value_name = "IMAGE", conflicts_with_all = ["subset", "repo", "task", "pair"])]
    images: Vec<ImageName>,
    /// The subset whose tasks need them: a name in the dataset's subsets/, or the path of a file
    #[arg(short, long, value_name = "NAME")]
    subset: Option<String>,
    /// Where they come from: registry, docker (the daemon here), an archive of `docker save` (- is
    /// stdin), or a directory (an OCI layout)
    #[arg(long, value_name = "FROM", default_value = "registry")]
    from: String,
    /// Ask for images that are there too: their tags may name others by now
    #[arg(long)]
    refresh: bool,
    /// The dataset [default: dataset/ in the checkout]
    #[arg(long, value_name = "DIR")]
    dataset_dir: Option<String>,
    #[command(flatten)]
    picked: PairArgs,
    #[command(flatten)]
    source: ConfigSource,
    #[command(flatten)]
    places: Places,
}

/// How often what is drawn is drawn anew.
const TICK: Duration = Duration::from_millis(200);

/// How many images are pulled at the same time.
const AT_ONCE: usize = 3;

impl PullArgs {
    fn layers(&self) -> Result<Layers> {
        let mut layers = self.source.layers()?;
        self.places.apply(&mut layers)?;
        let flags = [
            ("experiment.subset", "--subset", &self.subset),
            ("upstream.dataset_dir", "--dataset-dir", &self.dataset_dir),
        ];
        for (key, flag, value) in flags {
            set(&mut layers, key, flag, value.as_ref())?;
        }
        Ok(layers)
    }

    /// Whether a subset is asked for, by its name or by some of its pairs.
    fn wants_subset(&self) -> bool {
        self.subset.is_some()
            || self.picked.filter(None) != crate::experiment::PairFilter::default()
    }

    /// The images that are asked for.
    fn names(&self, config: &Config, opened: &Opened) -> Result<Vec<ImageName>> {
        if !self.images.is_empty() {
            return Ok(self.images.clone());
        }
        if !self.wants_subset()
            && let Some(all) = opened.all()?
        {
            return Ok(all);
        }
        let dataset = DatasetDir::open(setup::dataset_alone(config)?)?;
        let subset = &config.experiment.subset;
        let among = Among::Subset(subset, &dataset);
        let pairs = self
            .picked
            .filter(None)
            .of(&dataset.pairs(subset)?, among)?;
        let names = pairs.iter().map(|pair| image_name(&pair.task));
        let names = names.map(|name| name.parse().map_err(Error::usage));
        let mut names: Vec<ImageName> = names.collect::<Result<_>>()?;
        names.dedup();
        names.sort();
        names.dedup();
        Ok(names)
    }
}

pub async fn run(args: &PullArgs, ui: &Ui) -> Result<u8> {
    let config = args.layers()?.config()?;
    let mut interrupt = Interrupt::listen()?;
    ui.guard(&interrupt);
    let store = store_of(&config)?;
    let work = async {
        let opened = Opened::open(&args.from, &config, &store, ui).await?;
        let names = args.names(&config, &opened)?;
        let mut wanted = Vec::new();
        for name in &names {
            if args.refresh || opened.is_local() || store.image(name)?.is_none() {
                wanted.push(name.clone());
            }
        }
        let there = names.len() - wanted.len();
        if wanted.is_empty() {
            ui.say(match there {
                1 => "the image is there; --refresh asks for it again".to_owned(),
                _ => format!("all {there} images are there; --refresh asks for them again"),
            });
            return Ok(exit::OK);
        }
        store.check_writable("nothing can be pulled")?;
        let of = if there == 0 {
            String::new()
        } else {
            format!(", {there} are there")
        };
        ui.say(format!(
            "pulling {}{of}, into {}",
            plural(wanted.len(), "image"),
            store.dir().display()
        ));
        pull(&store, wanted, &opened, ui).await
    };
    tokio::select! {
        done = work => done,
        () = interrupt.changed() => {
            ui.show(&[]);
            ui.talk(format!("{}: the same command goes on where this one stopped", interrupt.came().signal));
            Ok(exit::INTERRUPTED)
        }
    }
}

/// Pulls the images and shows it; gives the exit code.
async fn pull(store: &Store, wanted: Vec<ImageName>, opened: &Opened, ui: &Ui) -> Result<u8> {
    suspend::listen(ui);
    let (told, mut heard) = mpsc::unbounded_channel();
    let mut bars = Bars::new(ui.clone(), wanted.len());
    let tell = |name: &ImageName, news| {
        // The receiver is below, and lives as long.
        let _ = told.send((name.to_string(), news));
    };
    let source = async |name: &ImageName| opened.of(name, &|news| tell(name, news)).await;
    let pulling = pull_several(store, wanted, AT_ONCE, source, &tell);
    let mut pulling = std::pin::pin!(pulling);
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let pulled = loop {
        tokio::select! {
            biased;
            Some((name, news)) = heard.recv() => bars.take_in(&name, news),
            pulled = &mut pulling => break pulled,
            _ = tick.tick() => bars.tick(),
        }
    };
    while let Ok((name, news)) = heard.try_recv() {
        bars.take_in(&name, news);
    }
    bars.finish();
    outcome::tell(store, &pulled, bars.fetched(), ui)
}
