//! `regatta/restore.json`: what is being brought back, until it is.

use serde::{Deserialize, Serialize};

use super::{Pass, RunDir, aside, eval};
use crate::bench::Pair;
use crate::bench::setting::Tree;
use crate::error::{Error, Result};
use crate::files;
use crate::hint;

/// One line a pair of the dataset is far below that.
const MAX_BYTES: u64 = 64_000_000;

/// One pair whose set aside trial is brought back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The pair whose trial it is.
    #[serde(flatten)]
    pub pair: Pair,
    /// The tree it stands in.
    pub tree: Tree,
    /// The directory below the pair's `regatta/`.
    pub name: String,
}

/// Brings these back: all of them, also when it is killed on the way, by [`finish`].
pub fn bring_back(run: &RunDir, wanted: &[Wanted]) -> Result<()> {
    let path = run.restore();
    let text = serde_json::to_string_pretty(wanted)
        .map_err(|error| Error::world(format!("cannot write {}: {error}", path.display())))?;
    files::write_atomic(&path, format!("{text}\n").as_bytes())?;
    finish(run).map(drop)
}

/// Goes on with a restore that was killed, and says what it brought back; nothing when there is
/// none. The caller has the lock.
pub fn finish(run: &RunDir) -> Result<Vec<Wanted>> {
    let path = run.restore();
    let Some(bytes) = files::read_up_to(&path, MAX_BYTES)? else {
        return Ok(Vec::new());
    };
    let wanted: Vec<Wanted> = serde_json::from_slice(&bytes).map_err(|error| {
        Error::usage(format!("{} cannot be read: {error}", path.display()))
            .hint(format!("it says what a restore was bringing back when it was killed; remove it, and `{}` shows what is there", listing(run)))
    })?;
    for one in &wanted {
        // It is joined to a path: a name, and nothing that leads elsewhere.
        if one.name.contains('/') || one.name.starts_with('.') {
            return Err(Error::usage(format!(
                "{}: `{}` is no directory that a trial is set aside in",
                path.display(),
                one.name
            ))
            .hint(format!(
                "remove the file; `{}` shows what is there",
                listing(run)
            )));
        }
    }
    spare_verdicts(run, &wanted)?;
    for one in &wanted {
        aside::bring_back(&run.pair(one.tree, &one.pair), &one.name)?;
    }
    files::remove(&path)?;
    Ok(wanted)
}

/// The command that lists what was set aside.
fn listing(run: &RunDir) -> String {
    hint::command(&format!("restore {} --list", run.name()))
}

/// A verdict that comes back is not one that an open forced evaluation has made: it is named there as
/// what is to be replaced. Of those that are back already nothing is left to do.
fn spare_verdicts(run: &RunDir, wanted: &[Wanted]) -> Result<()> {
    let mut pass = Pass::read_open(&run.eval_pass())?;
    let before = pass.clone();
    for one in wanted {
        let dir = run.pair(one.tree, &one.pair).aside().join(&one.name);
        if dir.join("result.json").is_file() {
            pass.begin_at(
                &one.pair,
                eval::independent::identity(&dir.join("eval.json"))?,
            );
        }
    }
    if pass == before {
        return Ok(());
    }
    pass.write(&run.eval_pass())
}
