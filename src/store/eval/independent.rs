//! What an `eval.json` says of each agent's patch alone. It is added to a verdict that stands, which
//! keeps its keys and their bytes.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{AloneSuite, BrokenBy, EvalFile, MAX_BYTES, PASSED, SuiteNote, lenient};
use crate::bench::{BackendKind, Pin, RuleSet, Word};
use crate::error::{Error, Result};
use crate::files;
use crate::store::keys::{Keys, indented};
use crate::store::manifest;

/// The `reason` of an agent that left nothing to test.
pub const NO_PATCH: &str = "no_patch";

/// The agents, by their names in an `eval.json`.
pub const AGENTS: [&str; 2] = ["agent1", "agent2"];

/// The verdicts' keys: those of a public fork of upstream.
const VERDICTS: [&str; 2] = ["feature1_independent", "feature2_independent"];
/// The key of what only we write of them.
const NOTE: &str = "regatta_independent";

/// Whether one agent's patch passes its own feature's hidden tests without the other's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct IndependentSeen {
    /// Whether it does.
    pub passed: Option<bool>,
    /// How many tests passed, as upstream counts them.
    #[serde(default, deserialize_with = "lenient::number")]
    pub tests_passed: Option<i64>,
    /// How many tests failed, as upstream counts them.
    #[serde(default, deserialize_with = "lenient::number")]
    pub tests_failed: Option<i64>,
    /// Why nothing was tested: [`NO_PATCH`]; none where the suite ran.
    #[serde(default, deserialize_with = "lenient::text")]
    pub reason: Option<String>,
}

/// The part of [`IndependentNote`] that is read again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct IndependentNoteSeen {
    /// The rule set that judged.
    pub rules: Word<RuleSet>,
    /// What it was judged with.
    pub judged_with: Pin,
    /// The suites that ran.
    pub suites: Vec<IndependentSuiteSeen>,
}

/// The part of [`IndependentSuite`] that is read again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct IndependentSuiteSeen {
    /// The agent whose patch it is.
    pub agent: String,
    /// Outcome and reason, and the tests by name.
    #[serde(flatten)]
    pub note: SuiteNote,
}

/// The verdict on one agent's patch alone, with the fork's keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Independent {
    /// Whether it passes its own feature's hidden tests.
    pub passed: bool,
    /// How many tests passed, as upstream counts them.
    pub tests_passed: u64,
    /// How many tests failed, as upstream counts them.
    pub tests_failed: u64,
    /// [`NO_PATCH`] where there was nothing to test.
    pub reason: Option<&'static str>,
}

/// What only we write of the verdicts on two patches alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IndependentNote {
    /// The rule set: which files of a patch are left out.
    pub rules: RuleSet,
    /// The version of regatta that wrote it.
    pub version: String,
    /// The trial that was judged.
    pub trial: String,
    /// The name of the backend in whose sandboxes the suites ran.
    pub backend: BackendKind,
    /// What it was judged with: the dataset's files, and where the repository came from.
    pub judged_with: Pin,
    /// How often it was tried.
    pub tries: u32,
    /// Local time without a zone.
    pub evaluated_at: String,
    /// What broke it, where a verdict is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken_by: Option<BrokenBy>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The suites that ran, in the agents' order.
    pub suites: Vec<IndependentSuite>,
    /// The digest of the file before anything was added to it: by that a forced evaluation knows the
    /// verdict again.
    pub verdict_sha256: String,
}

/// The suite of an agent's own feature on its patch alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndependentSuite {
    /// The agent whose patch it is.
    pub agent: String,
    /// What it came to, and what was printed.
    #[serde(flatten)]
    pub suite: AloneSuite,
    /// The headers of what was left out of the patch, as it changes test files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// The headers of what was mended, as git does not take it as it was submitted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mended: Vec<String>,
}

/// What is read of an earlier note before it is written anew.
#[derive(Default, Deserialize)]
struct Earlier {
    #[serde(default)]
    suites: Vec<IndependentSuite>,
    verdict_sha256: Option<String>,
}

impl EvalFile {
    /// What it says of the first agent (0) or the second (1) alone.
    #[must_use]
    pub const fn independent(&self, of: usize) -> Option<&IndependentSeen> {
        match of {
            0 => self.feature1_independent.as_ref(),
            _ => self.feature2_independent.as_ref(),
        }
    }

    /// Whether an agent's patch alone passes its own feature's tests, where somebody looked:
    /// `eval --alone` and a fork of upstream always do, and a plain evaluation at the first agent's
    /// where two patches do not merge.
    #[must_use]
    pub fn passed_alone(&self, of: usize, features: [u64; 2]) -> Option<bool> {
        let told = self.independent(of).and_then(|seen| seen.passed);
        told.or_else(|| Some(self.told_alone(of, features)?.passed))
    }

    /// What a plain evaluation says of an agent's patch on its own feature, where that was tested
    /// alone. Without suites of its own, the patch passes both, and the features' are its own.
    #[must_use]
    pub fn told_alone(&self, of: usize, features: [u64; 2]) -> Option<Independent> {
        let alone = self.regatta.as_ref()?.alone.as_ref()?;
        if alone.agent != AGENTS[of] {
            return None;
        }
        if alone.suites.is_empty() {
            let feature = [&self.feature1, &self.feature2][of].as_ref();
            let count = |of: Option<i64>| of.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
            return Some(Independent {
                passed: true,
                tests_passed: count(feature.and_then(|it| it.tests_passed)),
                tests_failed: count(feature.and_then(|it| it.tests_failed)),
                reason: None,
            });
        }
        let mut suites = alone.suites.iter();
        let own = suites.find(|suite| suite.note.feature == features[of])?;
        Some(Independent {
            passed: own.note.outcome == PASSED,
            tests_passed: own.tests_passed,
            tests_failed: own.tests_failed,
            reason: None,
        })
    }
}

/// Adds verdicts on agents' patches alone to a file with a verdict, and our note. What is not found
/// now is left as it is; suites of an earlier note stay, where they are of other agents.
pub fn add(path: &Path, found: &[Option<Independent>; 2], note: IndependentNote) -> Result<()> {
    let failed = |error| {
        let path = path.display();
        Error::world(format!(
            "cannot add to {path} what each agent does alone: {error}"
        ))
    };
    let bytes = files::read_up_to(path, MAX_BYTES)?.unwrap_or_default();
    let new = added(&bytes, found, note).map_err(failed)?;
    files::write_atomic(path, &new)
}

fn added(
    bytes: &[u8],
    found: &[Option<Independent>; 2],
    mut note: IndependentNote,
) -> serde_json::Result<Vec<u8>> {
    let mut keys = Keys::of(bytes)?;
    let earlier = earlier(&keys);
    let is_new = |suite: &IndependentSuite| note.suites.iter().any(|it| it.agent == suite.agent);
    let mut suites = earlier.suites;
    suites.retain(|suite| !is_new(suite));
    suites.append(&mut note.suites);
    suites.sort_by(|one, other| one.agent.cmp(&other.agent));
    note.suites = suites;
    note.verdict_sha256 = match earlier.verdict_sha256 {
        Some(known) => known,
        None => manifest::digest(bytes),
    };
    for (key, found) in VERDICTS.into_iter().zip(found) {
        if let Some(found) = found {
            keys.put(key, indented(found)?);
        }
    }
    keys.put(NOTE, indented(&note)?);
    keys.written()
}

/// An earlier note of ours; nothing where there is none that can be read.
fn earlier(keys: &Keys<'_>) -> Earlier {
    let earlier = keys.get(NOTE).map(serde_json::from_str);
    earlier
        .and_then(std::result::Result::ok)
        .unwrap_or_default()
}

/// What tells a verdict from the next one, whatever was added to its file; `None` where there is no
/// file.
pub fn identity(path: &Path) -> Result<Option<String>> {
    let Some(bytes) = files::read_up_to(path, MAX_BYTES)? else {
        return Ok(None);
    };
    let known = Keys::of(&bytes).ok();
    let known = known.and_then(|keys| earlier(&keys).verdict_sha256);
    Ok(Some(known.unwrap_or_else(|| manifest::digest(&bytes))))
}

/// What a file says of agents' patches alone, to be kept beside a verdict that is looked at again.
#[derive(Clone, Debug)]
pub struct Kept(Vec<(&'static str, String)>);

impl Kept {
    /// That of a file; `None` where it says nothing.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let bytes = files::read_up_to(path, MAX_BYTES).ok()??;
        let keys = Keys::of(&bytes).ok()?;
        let kept = VERDICTS.into_iter().chain([NOTE]);
        let kept: Vec<_> = kept
            .filter_map(|key| Some((key, keys.get(key)?.to_owned())))
            .collect();
        (!kept.is_empty()).then_some(Self(kept))
    }

    /// A file with this beside what it says.
    pub(super) fn beside(&self, bytes: &[u8]) -> serde_json::Result<Vec<u8>> {
        let mut keys = Keys::of(bytes)?;
        for (key, value) in &self.0 {
            keys.put(key, value.as_str());
        }
        let known = earlier(&keys).verdict_sha256;
        if let (Some(known), Some(note)) = (known, keys.get(NOTE)) {
            let note = note.replace(&known, &manifest::digest(bytes));
            keys.put(NOTE, note);
        }
        keys.written()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const UPSTREAMS: &str = r#"{
  "setting": "coop",
  "feature1": {
    "passed": false,
    "test_output": "\u00e9 1.50"
  },
  "feature1_independent": null,
  "both_passed": false,
  "error": null
}"#;

    fn note(agents: &[&str]) -> IndependentNote {
        let suite = |agent: &&str| IndependentSuite {
            agent: (*agent).to_owned(),
            suite: AloneSuite {
                note: SuiteNote {
                    feature: 1,
                    outcome: PASSED.to_owned(),
                    reason: "1 test passed".to_owned(),
                    failed_tests: Vec::new(),
                    named_tests: 0,
                    worth: None,
                },
                exit_code: Some(0),
                tests_passed: 1,
                tests_failed: 0,
                test_output: "1 passed".to_owned(),
            },
            left_out: Vec::new(),
            mended: Vec::new(),
        };
        IndependentNote {
            rules: RuleSet::default(),
            version: "0.1.0".to_owned(),
            trial: "x".to_owned(),
            backend: BackendKind::Fake,
            judged_with: Pin::default(),
            tries: 1,
            evaluated_at: "2026-01-01T10:00:00".to_owned(),
            broken_by: None,
            error: None,
            suites: agents.iter().map(suite).collect(),
            verdict_sha256: String::new(),
        }
    }

    fn passed() -> Independent {
        Independent {
            passed: true,
            tests_passed: 1,
            tests_failed: 0,
            reason: None,
        }
    }

    #[test]
    fn what_is_added_leaves_every_other_key_with_its_bytes() {
        let bytes = added(
            UPSTREAMS.as_bytes(),
            &[Some(passed()), None],
            note(&["agent1"]),
        )
        .unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(
            text.starts_with(&UPSTREAMS[..UPSTREAMS.find("null").unwrap()]),
            "{text}"
        );
        assert!(text.contains(r"\u00e9 1.50"), "{text}");
        let file: Value = serde_json::from_slice(&bytes).unwrap();
        let wanted = json!({"passed": true, "tests_passed": 1, "tests_failed": 0, "reason": null});
        assert_eq!(file["feature1_independent"], wanted);
        assert_eq!(file.get("feature2_independent"), None);
        assert_eq!(file["both_passed"], false);
        // The other one comes later, and the first stays.
        let both = added(&bytes, &[None, Some(passed())], note(&["agent2"])).unwrap();
        let file: Value = serde_json::from_slice(&both).unwrap();
        assert_eq!(file["feature1_independent"], wanted);
        assert_eq!(file["feature2_independent"], wanted);
        let suites = file["regatta_independent"]["suites"].as_array().unwrap();
        let agents: Vec<_> = suites.iter().map(|it| it["agent"].clone()).collect();
        assert_eq!(agents, AGENTS);
        let read: EvalFile = serde_json::from_slice(&both).unwrap();
        assert_eq!(read.passed_alone(1, [1, 2]), Some(true));
        assert_eq!(read.regatta_independent.unwrap().suites.len(), 2);
    }

    #[test]
    fn a_verdict_is_the_same_whatever_was_added_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("eval.json");
        assert_eq!(identity(&path).unwrap(), None);
        files::write_atomic(&path, UPSTREAMS.as_bytes()).unwrap();
        let before = identity(&path).unwrap();
        assert_eq!(before, super::super::digest(&path).unwrap());
        for agent in AGENTS {
            add(&path, &[Some(passed()), None], note(&[agent])).unwrap();
            assert_eq!(identity(&path).unwrap(), before);
        }
        // One that is looked at again is another, with the same beside it.
        let kept = Kept::of(&path).unwrap();
        let other = UPSTREAMS.replace("1.50", "1.5");
        files::write_atomic(&path, &kept.beside(other.as_bytes()).unwrap()).unwrap();
        assert_eq!(
            identity(&path).unwrap(),
            Some(manifest::digest(other.as_bytes()))
        );
        assert_eq!(Kept::of(&path).unwrap().0[0], kept.0[0]);
    }

    #[test]
    fn what_a_plain_evaluation_tested_alone_is_of_the_first_agent() {
        let file = |suites: &str| -> EvalFile {
            let json = format!(
                r#"{{"feature1":{{"passed":true,"tests_passed":3,"tests_failed":0}},
                    "regatta":{{"rules":"0.0.29","trial":"x",
                        "alone":{{"agent":"agent1","suites":[{suites}]}}}}}}"#
            );
            serde_json::from_str(&json).unwrap()
        };
        let failed = file(
            r#"{"feature":1,"outcome":"failed","reason":"","failed_tests":[],"named_tests":3,
                "exit_code":1,"tests_passed":2,"tests_failed":1,"test_output":"it"}"#,
        );
        let told = failed.told_alone(0, [1, 2]).unwrap();
        assert_eq!(
            (told.passed, told.tests_passed, told.tests_failed),
            (false, 2, 1)
        );
        assert_eq!(failed.told_alone(1, [1, 2]), None);
        let both = file("").told_alone(0, [1, 2]).unwrap();
        assert_eq!((both.passed, both.tests_passed), (true, 3));
    }

    #[test]
    fn a_patch_alone_of_another_shape_is_not_known() {
        let read = |value: Value| lenient::understood::<IndependentSeen, _>(value).unwrap();
        let told = read(json!({"passed": false, "tests_failed": 2, "reason": "no_patch"})).unwrap();
        assert_eq!((told.passed, told.tests_failed), (Some(false), Some(2)));
        assert_eq!(told.reason.as_deref(), Some(NO_PATCH));
        for other in [json!("passed"), json!({"passed": "maybe"}), json!(null)] {
            assert_eq!(read(other.clone()), None, "{other}");
        }
    }
}
