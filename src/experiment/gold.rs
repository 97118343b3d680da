//! The dataset itself is judged: which features no patch can be judged by.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;

use super::filter::{Among, PairFilter};
use super::graded::{Grade, Graded};
use super::news::{News, NewsSender};
use super::setup;
use crate::bench::TaskKey;
use crate::config::Config;
use crate::error::Result;
use crate::evaluation::{Asking, Judge, network};
use crate::runner::Interrupt;
use crate::store::dataset::DatasetDir;
use crate::store::gold::{Gold, Ungradeable};
use crate::text::one_line;

/// The features of each task.
pub type Features = BTreeMap<TaskKey, Vec<u64>>;

/// The features of a subset's pairs, as far as the filter leaves them.
pub fn features(config: &Config, subset: &str, filter: &PairFilter) -> Result<Features> {
    let dataset = DatasetDir::open(setup::dataset_alone(config)?)?;
    let mut features = Features::new();
    let pairs = dataset.pairs(subset)?;
    for pair in filter.of(&pairs, Among::Subset(subset, &dataset))? {
        let known = features.entry(pair.task).or_default();
        known.extend(pair.features);
        known.sort_unstable();
        known.dedup();
    }
    Ok(features)
}

/// What is to be graded, and by what.
#[derive(Debug)]
pub struct Grading<'a> {
    /// The subset's name, e.g. `lite`, as news and findings give it.
    pub subset: &'a str,
    /// The features of the subset's pairs, by task. Each is graded once.
    pub features: Features,
    /// Runs their tests: on which backend, and for how long.
    pub judge: Judge,
    /// The configuration in force. It says how many are graded at once, and where the log tree is,
    /// in which the findings are kept.
    pub config: &'a Config,
}

impl Graded {
    fn spoilt(&self) -> Option<Ungradeable> {
        let Grade::Ungradeable(why) = &self.grade else {
            return None;
        };
        Some(Ungradeable {
            task: self.task.clone(),
            feature: self.feature,
            why: why.clone(),
        })
    }
}

impl Grading<'_> {
    /// Looks for the features that no patch can be judged by, and keeps them beside the runs; `None`
    /// when it is interrupted.
    pub async fn grade(
        self,
        interrupt: &mut Interrupt,
        news: &NewsSender,
    ) -> Result<Option<Vec<Graded>>> {
        news.tell(News::GradingStarted {
            subset: self.subset.to_owned(),
            features: self.total(),
        });
        let venue = &self.judge.venue;
        let lack = network::lack(&venue.dataset, &venue.limits, self.features.keys());
        if let Some((what, remedy)) = lack {
            news.warn(format!("{what}; {remedy}"));
        }
        let Some(found) = self.look(interrupt, news).await else {
            return Ok(None);
        };
        self.judge.venue.backend.close().await;
        self.keep(&found)?;
        Ok(Some(found))
    }

    fn total(&self) -> usize {
        self.features.values().map(Vec::len).sum()
    }

    /// Looks at each; `None` when it is interrupted.
    async fn look(&self, interrupt: &mut Interrupt, news: &NewsSender) -> Option<Vec<Graded>> {
        let note = |text: String| news.note(text);
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
        let mut found = Vec::new();
        loop {
            let next = tokio::select! {
                next = graded.next() => next,
                () = interrupt.changed() => return None,
            };
            let Some((task, feature, looked)) = next else {
                return Some(found);
            };
            let graded = Graded {
                task,
                feature,
                grade: match looked {
                    Ok(None) => Grade::Gradeable,
                    Ok(Some(why)) => Grade::Ungradeable(one_line(&why, 300)),
                    Err(trouble) => Grade::Unknown(one_line(&trouble.text, 300)),
                },
            };
            news.tell(News::Graded(graded.clone()));
            found.push(graded);
        }
    }

    /// Writes what was found. What an earlier look found of features that nothing is known of now
    /// stays.
    fn keep(&self, found: &[Graded]) -> Result<()> {
        let logs = setup::log_tree(self.config);
        let is_unknown = |it: &Ungradeable| {
            let mut of_it = found.iter();
            of_it.any(|one| {
                let is_it = (&one.task, one.feature) == (&it.task, it.feature);
                is_it && matches!(one.grade, Grade::Unknown(_))
            })
        };
        let is_known = |it: &Ungradeable| {
            let is_asked = self
                .features
                .get(&it.task)
                .is_some_and(|of| of.contains(&it.feature));
            is_asked && !is_unknown(it)
        };
        let (mut gradeable, old) = Gold::read(logs.path())?
            .map_or_else(Default::default, |gold| (gold.gradeable, gold.ungradeable));
        for one in found {
            let of_task = gradeable.entry(one.task.to_string()).or_default();
            match one.grade {
                Grade::Gradeable => of_task.insert(one.feature),
                Grade::Ungradeable(_) => of_task.remove(&one.feature),
                Grade::Unknown(_) => continue,
            };
        }
        gradeable.retain(|_, features| !features.is_empty());
        let mut ungradeable: Vec<Ungradeable> = found.iter().filter_map(Graded::spoilt).collect();
        ungradeable.extend(old.into_iter().filter(|it| !is_known(it)));
        ungradeable.sort_by(|a, b| (&a.task, a.feature).cmp(&(&b.task, b.feature)));
        Gold {
            at: jiff::Timestamp::now(),
            subset: self.subset.to_owned(),
            features: self.total(),
            ungradeable,
            gradeable,
        }
        .write(logs.path())
    }
}
