//! `eval.json`: what an evaluation wrote beside a result.

use std::path::Path;

use serde::Deserialize;

use crate::files;

/// Test output is untruncated in upstream's files; past this we call the file unreadable.
const MAX_BYTES: u64 = 256_000_000;

/// The fields of `eval.json` that make the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct EvalFile {
    /// Whether both features' hidden tests passed.
    pub both_passed: Option<bool>,
    /// What broke the evaluation, when something did.
    pub error: Option<String>,
}

/// The file at `path`; `None` when there is none, an error's text when it is unreadable.
#[must_use]
pub fn read(path: &Path) -> Option<Result<EvalFile, String>> {
    match files::read_up_to(path, MAX_BYTES) {
        Ok(None) => None,
        Ok(Some(bytes)) => Some(
            serde_json::from_slice(&bytes)
                .map_err(|error| format!("eval.json is unreadable: {error}")),
        ),
        Err(error) => Some(Err(error.to_string())),
    }
}
