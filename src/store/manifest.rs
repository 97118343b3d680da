//! `manifest.json`: what a run was, so that a resume cannot quietly be something else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::RunDir;
use super::wheel::{Hand, TurnedSetting};
use crate::bench::{BackendKind, EngineKind, Pair, Pin, RuleSet, RunName, Setting, Word};
use crate::error::{Error, Result};
use crate::files;
use crate::json;
use crate::text::hex;

/// A manifest lists at most every pair of the dataset; this is far above that.
const MAX_BYTES: u64 = 64_000_000;

/// What a run is made of. The fields after `pairs`, but for `tasks`, may change on a resume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The run's name when it was begun.
    pub run: RunName,
    /// The first part of the names of its experiment's runs; `None` in manifests from before arms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    /// The arm that it is a run of: its name, which is the setting's where there are no arms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<String>,
    /// Which repeat of its arm it is, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u32>,
    /// The one setting of all its trials.
    pub setting: Setting,
    /// The engine that runs its trials: `upstream` or `native`.
    pub engine: Word<EngineKind>,
    /// The version of the engine's tool, e.g. cooperbench `0.0.11`; `None` when it was not asked.
    pub engine_version: Option<String>,
    /// The agent framework that runs.
    pub agent: String,
    /// The model, as passed on.
    pub model: String,
    /// The name of the backend of its agents' sandboxes.
    pub backend: Word<BackendKind>,
    /// Whether the agents of a pair share a git remote.
    #[serde(default)]
    pub git: bool,
    /// The endpoint, when it is not the provider's own.
    pub api_base: Option<String>,
    /// SHA-256 of the user's agent configuration, when there is one.
    pub agent_config: Option<String>,
    /// What trials may use, by name: the time of a trial and, with the native engine, what agents and
    /// sandboxes may use. Without those that were not kept yet when it was written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Value>,
    /// What was passed to upstream's CLI as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The subset's name.
    pub subset: String,
    /// SHA-256 over the pairs, in order.
    pub subset_digest: String,
    /// The pairs of the plan: the whole subset, whatever a command asked for.
    pub pairs: Vec<Pair>,
    /// Those of them that commands have asked for so far; `None` where they asked for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Vec<Pair>>,
    /// What each of its tasks, `repo/id`, is made of; empty in manifests from before this was kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tasks: BTreeMap<String, Pin>,
    /// Where prices come from: `regatta`, and what the user gave with a file's SHA-256.
    pub prices: String,
    /// The name that the price stands under, where that is not the model's own; `None` too where no
    /// price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priced_as: Option<String>,
    /// Pairs at the same time, in the last invocation; `None` in manifests from before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<usize>,
    /// The version of regatta that wrote this, with its git revision.
    pub regatta: String,
    /// When the run was begun.
    pub created_at: jiff::Timestamp,
    /// The rule sets that its pairs were judged by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judged_by: Vec<Word<RuleSet>>,
    /// What was changed since, with `--accept-changes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<Changed>,
    /// What was changed while no trial of it had finished: it began anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub begun_anew: Vec<Changed>,
    /// What was set while it ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<SetByHand>,
    /// The last command that ran it; `None` in manifests from before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<GivenCommand>,
}

/// What somebody set while a run went on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetByHand {
    /// When.
    pub at: jiff::Timestamp,
    /// Who.
    #[serde(flatten)]
    pub by: Hand,
    /// What changed.
    pub changes: Vec<TurnedSetting>,
}

/// A command as it was typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenCommand {
    /// The directory that it was typed in.
    pub directory: String,
    /// What was typed behind the program's name, without the passwords of URLs.
    pub args: Vec<String>,
}

/// What a run went on with as something else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// When.
    pub at: jiff::Timestamp,
    /// `field: old → new`, one each.
    pub changes: Vec<String>,
}

impl Manifest {
    /// The manifest of a run, if it has one.
    pub fn read(run: &RunDir) -> Result<Option<Self>> {
        let path = run.manifest();
        let Some(bytes) = files::read_up_to(&path, MAX_BYTES)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Error::usage(format!("{} cannot be read: {error}", path.display()))
                .hint("move it away to begin a new one: the results beside it stay as they are")
        })
    }

    /// Writes it into the run's directory, in the place of an older one.
    pub fn write(&self, run: &RunDir) -> Result<()> {
        files::create_dir(&run.own())?;
        let mut text = json::pretty(self);
        text.push('\n');
        files::write_atomic(&run.manifest(), text.as_bytes())
    }

    /// Whether a command has asked for a pair of the plan.
    #[must_use]
    pub fn has_asked(&self, pair: &Pair) -> bool {
        let asked = self.asked.as_ref();
        asked.is_none_or(|asked| asked.contains(pair))
    }

    /// Notes that these pairs of its plan are asked for, after those that an older manifest has.
    pub fn ask(&mut self, pairs: &[Pair], before: Option<&Self>) {
        let is_asked = |pair: &&Pair| {
            let was = before.is_some_and(|old| old.pairs.contains(pair) && old.has_asked(pair));
            was || pairs.contains(pair)
        };
        let asked: Vec<Pair> = self.pairs.iter().filter(is_asked).cloned().collect();
        self.asked = (asked.len() < self.pairs.len()).then_some(asked);
    }

    /// What differs between this manifest and the one of a run on disk: `field: old → new`.
    #[must_use]
    pub fn changes_from(&self, old: &Self) -> Vec<String> {
        let show = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let fields = [
            ("setting", old.setting.to_string(), self.setting.to_string()),
            ("engine", old.engine.to_string(), self.engine.to_string()),
            (
                "engine version",
                show(&old.engine_version),
                show(&self.engine_version),
            ),
            ("agent", old.agent.clone(), self.agent.clone()),
            ("model", old.model.clone(), self.model.clone()),
            ("backend", old.backend.to_string(), self.backend.to_string()),
            ("git", old.git.to_string(), self.git.to_string()),
            ("api base", show(&old.api_base), show(&self.api_base)),
            (
                "agent config",
                show(&old.agent_config),
                show(&self.agent_config),
            ),
            ("subset", old.subset.clone(), self.subset.clone()),
            (
                "subset digest",
                old.subset_digest.clone(),
                self.subset_digest.clone(),
            ),
        ];
        let mut changes: Vec<String> = fields
            .into_iter()
            .filter(|(_, old, new)| old != new)
            .map(|(field, old, new)| format!("{field}: {old} → {new}"))
            .collect();
        if self.args != old.args {
            let [old, new] = [old, self].map(|it| it.args.join(" "));
            changes.push(format!("args: `{old}` → `{new}`"));
        }
        // Manifests from before arms match.
        let number = |repeat: Option<u32>| repeat.map(|repeat| repeat.to_string());
        for (field, old, new) in [
            (
                "experiment",
                old.experiment.clone(),
                self.experiment.clone(),
            ),
            ("arm", old.arm.clone(), self.arm.clone()),
            ("repeat", number(old.repeat), number(self.repeat)),
        ] {
            if let (Some(old), Some(new)) = (old, new)
                && old != new
            {
                changes.push(format!("{field}: {old} → {new}"));
            }
        }
        for (name, new) in &self.limits {
            if let Some(old) = old.limits.get(name).filter(|old| *old != new) {
                changes.push(format!("limit {name}: {old} → {new}"));
            }
        }
        changes
    }
}

/// What the tasks of a dataset are made of today and were not when a run was begun, a line a task.
/// What either does not know is no change.
#[must_use]
pub fn task_changes(now: &BTreeMap<String, Pin>, old: &BTreeMap<String, Pin>) -> Vec<String> {
    let changed = now.iter().filter_map(|(task, now)| {
        let changes = now.changes_from(old.get(task)?);
        (!changes.is_empty()).then(|| format!("{TASK_CHANGE}{task}: {}", changes.join(", ")))
    });
    changed.collect()
}

/// How a line of an accepted change begins that is one of a task.
pub const TASK_CHANGE: &str = "task ";

/// SHA-256 of some bytes, in hex.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The digest of a list of pairs, which depends on their order.
#[must_use]
pub fn digest_of_pairs(pairs: &[Pair]) -> String {
    let lines: Vec<String> = pairs.iter().map(ToString::to_string).collect();
    digest(lines.join("\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::TaskKey;

    fn written(engine: &str, backend: &str, judged_by: &[&str]) -> Value {
        json!({
            "run": "gull-solo", "setting": "solo", "engine": engine, "engine_version": null,
            "agent": "regatta", "model": "openai/m", "backend": backend, "git": false,
            "api_base": null, "agent_config": null, "subset": "lite", "subset_digest": "0",
            "pairs": [], "prices": "regatta", "regatta": "0.1.0",
            "created_at": "2026-01-01T00:00:00Z", "judged_by": judged_by,
        })
    }

    #[test]
    fn the_words_of_a_manifest_are_the_names() {
        let rules: Vec<&str> = RuleSet::ALL.into_iter().map(RuleSet::name).collect();
        for engine in EngineKind::ALL {
            for backend in BackendKind::ALL {
                let text = written(engine.name(), backend.name(), &rules);
                let manifest: Manifest = serde_json::from_value(text.clone()).unwrap();
                assert!(manifest.engine == engine && manifest.backend == backend);
                assert_eq!(serde_json::to_value(manifest).unwrap(), text);
            }
        }
    }

    #[test]
    fn what_was_asked_for_adds_up_until_all_of_it_is() {
        let pair = |task| Pair::new(TaskKey::new("a_task", task), 1, 2);
        let of = |tasks: &[u64]| -> Vec<Pair> { tasks.iter().copied().map(pair).collect() };
        let mut first: Manifest = serde_json::from_value(written("native", "docker", &[])).unwrap();
        first.pairs = of(&[1, 2, 3]);
        first.ask(&of(&[1]), None);
        assert_eq!(first.asked, Some(of(&[1])));
        assert!(first.has_asked(&pair(1)) && !first.has_asked(&pair(2)));
        let mut second = first.clone();
        second.ask(&of(&[3]), Some(&first));
        assert_eq!(second.asked, Some(of(&[1, 3])));
        let mut whole = second.clone();
        whole.ask(&of(&[1, 2, 3]), Some(&second));
        assert_eq!(whole.asked, None);
        // A smoke on top of it asks for no less, and a larger plan was not asked for.
        let mut again = whole.clone();
        again.ask(&of(&[1]), Some(&whole));
        assert_eq!(again.asked, None);
        again.pairs = of(&[3, 2, 1, 4]);
        again.ask(&of(&[3]), Some(&whole));
        assert_eq!(again.asked, Some(of(&[3, 2, 1])));
    }

    #[test]
    fn words_of_other_programs_and_versions_are_read_and_kept() {
        let text = written("swarm", "modal", &["0.1.7"]);
        let manifest: Manifest = serde_json::from_value(text.clone()).unwrap();
        assert_eq!(
            (manifest.engine.known(), manifest.backend.known()),
            (None, None)
        );
        let now = serde_json::from_value(written("native", "docker", &[])).unwrap();
        let changes = Manifest::changes_from(&now, &manifest);
        assert_eq!(
            changes,
            ["engine: swarm → native", "backend: modal → docker"]
        );
        assert_eq!(serde_json::to_value(manifest).unwrap(), text);
    }
}
