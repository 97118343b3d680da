//! An `eval.json` as people look at it: with what its suites printed, and with its merge.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::decided::Conflict;
use super::{MAX_BYTES, lenient, parse};
use crate::files;
use crate::json;

/// What of an `eval.json` only people read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    /// What the two suites printed.
    pub outputs: [Option<String>; 2],
    /// How the patches were merged, in the evaluation's word.
    pub strategy: Option<String>,
    /// The merged work's difference to the base, as much as the file has.
    pub diff: Option<String>,
    /// Where git could not merge, which only we write.
    pub conflict: Option<Conflict>,
}

/// Reads the file at `path`; nothing of one that cannot be read.
#[must_use]
pub fn printed(path: &Path) -> Printed {
    let bytes = files::read_up_to(path, MAX_BYTES).ok().flatten();
    let file: Option<Value> = bytes.and_then(|bytes| json::of_bytes(&bytes).ok());
    let Some(file) = file else {
        return Printed::default();
    };
    let output = |feature: &str| {
        let feature = file.get(feature)?;
        let text = feature.get("test_output").or_else(|| feature.get("output"));
        text?.as_str().map(str::to_owned)
    };
    let of_merge = |key| file.get("merge")?.get(key)?.as_str().map(str::to_owned);
    Printed {
        outputs: [output("feature1"), output("feature2")],
        strategy: of_merge("strategy"),
        diff: of_merge("diff").filter(|diff| !diff.is_empty()),
        conflict: file
            .pointer("/regatta/conflict")
            .and_then(lenient::conflict),
    }
}

/// What the two suites printed, as the file at `path` has it.
#[must_use]
pub fn outputs(path: &Path) -> [Option<String>; 2] {
    #[derive(Default, Deserialize)]
    struct Outputs {
        feature1: Option<Suite>,
        feature2: Option<Suite>,
    }
    #[derive(Deserialize)]
    struct Suite {
        #[serde(default, alias = "output", deserialize_with = "lenient::text")]
        test_output: Option<String>,
    }
    let bytes = files::read_up_to(path, MAX_BYTES).ok().flatten();
    let read = bytes.and_then(|bytes| parse::<Outputs>(&bytes).ok());
    let read = read.unwrap_or_default();
    [read.feature1, read.feature2].map(|feature| feature?.test_output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_people_read_is_there_as_far_as_it_is_understood() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("eval.json");
        assert_eq!(printed(&path), Printed::default());
        let read = |text: &str| {
            crate::files::write_atomic(&path, text.as_bytes()).unwrap();
            printed(&path)
        };
        assert_eq!(read("{\"feature1\": "), Printed::default());
        assert_eq!(read("[1]"), Printed::default());
        let whole = read(
            r#"{"feature1":{"test_output":"one"},"feature2":{"output":2},
            "merge":{"status":"conflicts","strategy":"naive","diff":""},
            "regatta":{"conflict":{"files":[{"path":"a.py","how":"both changed it","hunks":["x"]}]}}}"#,
        );
        assert_eq!(whole.outputs, [Some("one".to_owned()), None]);
        assert_eq!(whole.strategy.as_deref(), Some("naive"));
        assert_eq!(whole.diff, None);
        assert_eq!(whole.conflict.unwrap().files[0].path, "a.py");
    }
}
