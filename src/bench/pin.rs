//! What a task was made of when it ran or was judged, so that a change of it is seen.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::{Pair, TaskKey};

/// How many characters of a digest people are shown.
const SHOWN: usize = 12;
/// The script that runs a task's tests.
const RUNNER: &str = "runner.sh";

/// The files and the world of a task, by digest. What is not known is no difference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// SHA-256 of its files in the dataset, by their paths below the task's directory; `None` where
    /// there is none yet.
    #[serde(default)]
    pub files: BTreeMap<String, Option<String>>,
    /// What its repository and its tools come from; `None` until it was used.
    #[serde(default, deserialize_with = "if_known")]
    pub world: Option<World>,
}

/// Where a task's repository and tools come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum World {
    /// The digest of the image's configuration, which names its content.
    ImageConfig(String),
    /// The digest of the image's manifest, where the local store names no other.
    ImageManifest(String),
    /// The digest of what the directory with the repository gives a sandbox, where there are no
    /// images.
    WorkTree(String),
    /// An older digest of that directory, which was another one after a clean-up by git.
    Workspace(String),
}

/// A world of a kind that a later version wrote is not known, and no damage.
fn if_known<'de, D: Deserializer<'de>>(from: D) -> Result<Option<World>, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    Ok(serde_json::from_value(value).ok())
}

impl Pin {
    /// The files that agents and suites of these features are made from.
    pub fn names(features: &[u64]) -> impl Iterator<Item = String> {
        let texts = features.iter().map(|id| format!("feature{id}/feature.md"));
        let texts: Vec<_> = texts.collect();
        texts.into_iter().chain(Self::judging_names(features))
    }

    /// Those of them that a verdict depends on: the tests say what is right, and not the text.
    pub fn judging_names(features: &[u64]) -> impl Iterator<Item = String> {
        let patches = features.iter().flat_map(|id| {
            ["feature.patch", "tests.patch"].map(|file| format!("feature{id}/{file}"))
        });
        patches
            .chain([RUNNER.to_owned()])
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// What of this is another than `old`, where both are known: `runner.sh a1b2 → c3d4`. A file
    /// that is no longer there is a change.
    #[must_use]
    pub fn changes_from(&self, old: &Self) -> Vec<String> {
        let files = old.files.iter().filter_map(|(name, old)| {
            let (old, now) = (old.as_ref()?, self.files.get(name)?);
            match now {
                Some(now) if now == old => None,
                Some(now) => Some(format!("{name} {} → {}", short(old), short(now))),
                None => Some(format!("{name} {} → none", short(old))),
            }
        });
        files.chain(self.world_change_from(old)).collect()
    }

    fn world_change_from(&self, old: &Self) -> Option<String> {
        let (old, now) = (old.world.as_ref()?, self.world.as_ref()?);
        let is_alike = old.name() == now.name();
        (is_alike && old != now).then(|| {
            format!(
                "{} {} → {}",
                now.name(),
                short(old.digest()),
                short(now.digest())
            )
        })
    }

    /// The names of what differs between two verdicts' pins, where both know it.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<&str> {
        let files = self.files.iter().filter_map(|(name, one)| {
            let (one, two) = (one.as_ref()?, other.files.get(name)?.as_ref()?);
            (one != two).then_some(name.as_str())
        });
        let world = self.world_change_from(other);
        let world = world.and(self.world.as_ref()).map(World::name);
        files.chain(world).collect()
    }

    /// This with the world of `old`, where it is not known now. Files are: one that is not there now
    /// has none.
    #[must_use]
    pub fn or_world_of(mut self, old: Option<&Self>) -> Self {
        self.world = self.world.or_else(|| old?.world.clone());
        self
    }
}

impl World {
    /// What kind it is, for people.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ImageConfig(_) => "image (config)",
            Self::ImageManifest(_) => "image (manifest)",
            Self::WorkTree(_) => "workspace",
            Self::Workspace(_) => "workspace (by an older digest)",
        }
    }

    /// Whether it is an image.
    #[must_use]
    pub const fn is_image(&self) -> bool {
        matches!(self, Self::ImageConfig(_) | Self::ImageManifest(_))
    }

    /// The digest as it is kept.
    #[must_use]
    pub fn digest(&self) -> &str {
        match self {
            Self::ImageConfig(digest)
            | Self::ImageManifest(digest)
            | Self::WorkTree(digest)
            | Self::Workspace(digest) => digest,
        }
    }
}

/// A digest's beginning, as people compare them.
fn short(digest: &str) -> &str {
    let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
    digest.get(..SHOWN).unwrap_or(digest)
}

/// The features of each task that pairs are of.
#[must_use]
pub fn features_by_task(pairs: &[Pair]) -> BTreeMap<&TaskKey, Vec<u64>> {
    let mut tasks: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for pair in pairs {
        tasks
            .entry(&pair.task)
            .or_default()
            .extend(pair.all_features());
    }
    for features in tasks.values_mut() {
        features.sort_unstable();
        features.dedup();
    }
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(files: &[(&str, Option<&str>)], world: Option<World>) -> Pin {
        let files = files
            .iter()
            .map(|(name, digest)| ((*name).to_owned(), digest.map(str::to_owned)));
        Pin {
            files: files.collect(),
            world,
        }
    }

    #[test]
    fn what_is_not_known_is_no_difference_and_what_is_gone_is() {
        let old = pin(
            &[("runner.sh", Some("aa")), ("feature1/tests.patch", None)],
            None,
        );
        let filled = pin(
            &[
                ("runner.sh", Some("aa")),
                ("feature1/tests.patch", Some("bb")),
            ],
            Some(World::WorkTree("cc".to_owned())),
        );
        assert!(filled.changes_from(&old).is_empty());
        assert!(filled.differences(&old).is_empty());
        let gone = pin(&[("runner.sh", None)], None);
        assert_eq!(gone.changes_from(&old), ["runner.sh aa → none"]);
        // Other features of the task are another subset's business.
        assert!(pin(&[], None).changes_from(&old).is_empty());
    }

    #[test]
    fn digests_of_two_kinds_are_not_compared() {
        let config = pin(&[], Some(World::ImageConfig("sha256:aa".to_owned())));
        let manifest = pin(&[], Some(World::ImageManifest("sha256:bb".to_owned())));
        let other = pin(&[], Some(World::ImageConfig("sha256:cc".to_owned())));
        assert!(manifest.changes_from(&config).is_empty());
        assert_eq!(other.changes_from(&config), ["image (config) aa → cc"]);
        assert_eq!(other.differences(&config), ["image (config)"]);
    }

    #[test]
    fn a_world_of_a_later_version_is_not_known() {
        let json = r#"{"files": {"runner.sh": "aa"}, "world": {"snapshot": 7}}"#;
        let read: Pin = serde_json::from_str(json).unwrap();
        assert_eq!(read, pin(&[("runner.sh", Some("aa"))], None));
        let config = pin(&[], Some(World::ImageConfig("sha256:aa".to_owned())));
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(text, r#"{"files":{},"world":{"image_config":"sha256:aa"}}"#);
        assert_eq!(serde_json::from_str::<Pin>(&text).unwrap(), config);
    }

    #[test]
    fn a_verdict_depends_on_patches_and_runner_and_an_agent_also_on_the_text() {
        let judging = [
            "feature2/feature.patch",
            "feature2/tests.patch",
            "feature5/feature.patch",
            "feature5/tests.patch",
            "runner.sh",
        ];
        let names: Vec<String> = Pin::judging_names(&[2, 5]).collect();
        assert_eq!(names, judging);
        let names: Vec<String> = Pin::names(&[2, 5]).collect();
        let texts = ["feature2/feature.md", "feature5/feature.md"];
        assert_eq!(names, [&texts[..], &judging[..]].concat());
    }

    #[test]
    fn a_file_and_a_world_that_changed_are_told_with_both_digests() {
        let config = |digest: &str| Some(World::ImageConfig(digest.to_owned()));
        let long = "sha256:0123456789abcdef";
        let old = pin(
            &[("a", Some("aa")), ("runner.sh", Some("aa"))],
            config("aa"),
        );
        let new = pin(
            &[("a", Some("aa")), ("runner.sh", Some(long))],
            config("bb"),
        );
        assert_eq!(
            new.changes_from(&old),
            ["runner.sh aa → 0123456789ab", "image (config) aa → bb"]
        );
        assert_eq!(new.differences(&old), ["runner.sh", "image (config)"]);
        assert!(old.changes_from(&old).is_empty());
        assert!(old.differences(&old).is_empty());
    }

    #[test]
    fn a_world_that_is_not_known_is_the_old_one_and_files_are_not() {
        let of = |digest: &str| Some(World::WorkTree(digest.to_owned()));
        let old = pin(&[("runner.sh", Some("aa"))], of("old"));
        let unknown = pin(&[], None);
        assert_eq!(unknown.clone().or_world_of(Some(&old)), pin(&[], of("old")));
        assert_eq!(unknown.clone().or_world_of(None), unknown);
        let known = pin(&[], of("new"));
        assert_eq!(known.clone().or_world_of(Some(&old)), known);
    }

    #[test]
    fn each_world_says_what_it_is() {
        for (world, name, is_image) in [
            (World::ImageConfig("d".to_owned()), "image (config)", true),
            (
                World::ImageManifest("d".to_owned()),
                "image (manifest)",
                true,
            ),
            (World::WorkTree("d".to_owned()), "workspace", false),
            (
                World::Workspace("d".to_owned()),
                "workspace (by an older digest)",
                false,
            ),
        ] {
            let told = (world.name(), world.digest(), world.is_image());
            assert_eq!(told, (name, "d", is_image));
        }
    }

    #[test]
    fn the_features_of_a_task_are_those_of_its_pairs_each_once_in_order() {
        let task = |id| TaskKey::new("a_task", id);
        let pairs = [
            Pair::new(task(1), 3, 5),
            Pair::new(task(2), 1, 2),
            Pair::new(task(1), 1, 3),
        ];
        let (one, two) = (task(1), task(2));
        let wanted = BTreeMap::from([(&one, vec![1, 3, 5]), (&two, vec![1, 2])]);
        assert_eq!(features_by_task(&pairs), wanted);
    }
}
