//! `regatta eval --gold`: the dataset itself is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;

use futures_util::StreamExt as _;

use super::bar::{Bar, lock};
use super::options;
use super::ui::Ui;
use crate::bench::TaskKey;
use crate::config::Config;
use crate::error::{Result, exit};
use crate::evaluation::{Asking, Judge};
use crate::runner::Interrupt;
use crate::store::dataset::DatasetDir;
use crate::store::gold::{Gold, Ungradeable};
use crate::text::{one_line, plural};

/// The features of each task.
pub type Features = BTreeMap<TaskKey, Vec<u64>>;

/// The features of a subset's pairs.
pub fn features(config: &Config, subset: &str) -> Result<Features> {
    let dataset = DatasetDir::open(options::dataset_alone(config)?)?;
    let mut features = Features::new();
    for pair in dataset.pairs(subset)? {
        let known = features.entry(pair.task).or_default();
        known.extend(pair.features);
        known.sort_unstable();
        known.dedup();
    }
    Ok(features)
}

/// What is to be graded, and by what.
pub struct Grading<'a> {
    pub subset: &'a str,
    pub features: Features,
    pub judge: Judge,
    pub config: &'a Config,
}

/// What was found of them.
#[derive(Default)]
struct Found {
    lines: Vec<String>,
    ungradeable: Vec<Ungradeable>,
    /// Those that nothing is known of.
    troubles: BTreeSet<(TaskKey, u64)>,
}

impl Grading<'_> {
    /// Lists the features that no patch can be judged by; gives the exit code.
    pub async fn grade(self, interrupt: &mut Interrupt, ui: &Ui) -> Result<u8> {
        let total = self.total();
        ui.say(format!(
            "{} of `{}` to grade",
            plural(total, "feature"),
            self.subset
        ));
        let Some(mut found) = self.look(interrupt, ui).await else {
            ui.say("interrupted; the same command goes on");
            return Ok(exit::INTERRUPTED);
        };
        self.judge.venue.backend.close().await;
        found.lines.sort();
        self.keep(&found)?;
        let mut text = found.lines.join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        let _ = writeln!(
            text,
            "{} gradeable, {} ungradeable, {} not known",
            plural(total - found.lines.len(), "feature"),
            found.ungradeable.len(),
            found.troubles.len()
        );
        ui.data(&text)?;
        Ok(if found.troubles.is_empty() {
            exit::OK
        } else {
            exit::ERRORS
        })
    }

    fn total(&self) -> usize {
        self.features.values().map(Vec::len).sum()
    }

    /// Looks at each; `None` when it is interrupted.
    async fn look(&self, interrupt: &mut Interrupt, ui: &Ui) -> Option<Found> {
        let bar = Mutex::new(Bar::new(ui.clone()));
        lock(&bar).begin("gold", 0, self.total());
        let note = |text: String| lock(&bar).line(text);
        let asking = Asking {
            run: "gold",
            note: &note,
        };
        let all = self
            .features
            .iter()
            .flat_map(|(task, features)| features.iter().map(move |feature| (task, *feature)));
        let graded = futures_util::stream::iter(all.map(async |(task, feature)| {
            let found = self.judge.ungradeable(task, feature, &asking).await;
            (task.clone(), feature, found)
        }));
        let graded = graded.buffer_unordered(self.config.experiment.concurrency);
        let mut graded = std::pin::pin!(graded);
        let mut found = Found::default();
        loop {
            let next = tokio::select! {
                next = graded.next() => next,
                () = interrupt.changed() => {
                    lock(&bar).finish();
                    return None;
                }
            };
            let Some((task, feature, looked)) = next else {
                break;
            };
            let mut bar = lock(&bar);
            match looked {
                Ok(None) if ui.verbosity() > 0 => {
                    bar.line(format_args!("{task} feature {feature}: gradeable"));
                }
                Ok(None) => {}
                Ok(Some(why)) => {
                    let why = one_line(&why, 300);
                    let line = format!("{task} feature {feature}: ungradeable: {why}");
                    found.lines.push(line);
                    found.ungradeable.push(Ungradeable { task, feature, why });
                }
                Err(trouble) => {
                    let why = one_line(&trouble.text, 300);
                    let line = format!("{task} feature {feature}: not known: {why}");
                    found.lines.push(line);
                    found.troubles.insert((task, feature));
                }
            }
            bar.step();
            bar.draw(format_args!(
                "{} ungradeable · {} not known",
                found.ungradeable.len(),
                found.troubles.len()
            ));
        }
        lock(&bar).finish();
        Some(found)
    }

    /// Writes what was found. What an earlier look found of features that nothing is known of now
    /// stays.
    fn keep(&self, found: &Found) -> Result<()> {
        let logs = options::log_tree(self.config);
        let is_known = |it: &Ungradeable| {
            let is_asked = self
                .features
                .get(&it.task)
                .is_some_and(|of| of.contains(&it.feature));
            is_asked && !found.troubles.contains(&(it.task.clone(), it.feature))
        };
        let old = Gold::read(logs.path())?.map_or_else(Vec::new, |gold| gold.ungradeable);
        let mut ungradeable = found.ungradeable.clone();
        ungradeable.extend(old.into_iter().filter(|it| !is_known(it)));
        ungradeable.sort_by(|a, b| (&a.task, a.feature).cmp(&(&b.task, b.feature)));
        Gold {
            at: jiff::Timestamp::now(),
            subset: self.subset.to_owned(),
            features: self.total(),
            ungradeable,
        }
        .write(logs.path())
    }
}
