//! What is wrong with a configuration, all of it in one error.

use crate::error::{Error, Result};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Where, what and why.
    pub what: String,
    /// A question, where a slip is likely.
    meant: Option<String>,
    /// Whether the reader wants to see which keys there are.
    is_unknown: bool,
}

impl Wrong {
    pub(super) const fn new(what: String) -> Self {
        Self {
            what,
            meant: None,
            is_unknown: false,
        }
    }

    /// The same of a name that nothing has, and the one that is nearest.
    pub(super) fn meant(mut self, near: Option<&str>) -> Self {
        self.meant = near.map(|near| format!("did you mean `{near}`?"));
        self.is_unknown = true;
        self
    }
}

/// Nothing, or one error with all that is wrong.
pub(super) fn refuse(wrong: &[Wrong]) -> Result<()> {
    let lists_keys = wrong
        .iter()
        .any(|one| one.is_unknown && (one.meant.is_none() || wrong.len() > 1));
    let mut error = match wrong {
        [] => return Ok(()),
        [one] => {
            let error = Error::usage(one.what.clone());
            match &one.meant {
                Some(meant) => error.hint(meant.clone()),
                None => error,
            }
        }
        all => {
            let lines = all.iter().map(|one| match &one.meant {
                Some(meant) => format!("\n  {}; {meant}", one.what),
                None => format!("\n  {}", one.what),
            });
            let lines: String = lines.collect();
            let count = all.len();
            Error::usage(format!("the configuration has {count} mistakes:{lines}"))
        }
    };
    if lists_keys {
        error = error.hint("`regatta config --default` lists every key");
    }
    Err(error)
}
