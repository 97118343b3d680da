//! Which recording each agent of a trial makes or plays.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::Shared;
use super::options::TapeMode;
use crate::bench::Pair;
use crate::error::Result;
use crate::model::tape::Tape;

/// More recordings of one pair than anybody makes.
const MAX_TAPES: usize = 10_000;

/// Which of a pair's recordings this trial makes or plays: each trial that came to an end has one.
pub fn tape_number(shared: &Shared, pair: &Pair, ids: &[&str]) -> usize {
    match &shared.options.tape {
        TapeMode::Off => 0,
        TapeMode::Record(dir) => {
            let is_whole = |nth: &usize| {
                let mut paths = ids.iter().map(|id| tape_path(dir, shared, pair, id, *nth));
                paths.all(|path| Tape::is_whole(&path))
            };
            (1..=MAX_TAPES).find(|nth| !is_whole(nth)).unwrap_or(1)
        }
        TapeMode::Replay(_) => {
            let mut played = shared.played.lock().unwrap_or_else(PoisonError::into_inner);
            let count = played.entry(pair.to_string()).or_default();
            *count += 1;
            *count
        }
    }
}

fn tape_path(dir: &Path, shared: &Shared, pair: &Pair, id: &str, nth: usize) -> PathBuf {
    dir.join(shared.batch.run.name().as_str())
        .join(pair.task.to_string())
        .join(pair.dir_name())
        .join(format!("{id}-{nth}.jsonl"))
}

/// The recording of one agent.
pub fn tape(shared: &Shared, pair: &Pair, id: &str, nth: usize) -> Result<Tape> {
    let path = |dir: &Path| tape_path(dir, shared, pair, id, nth);
    match &shared.options.tape {
        TapeMode::Off => Ok(Tape::Off),
        TapeMode::Record(dir) => Tape::record(&path(dir), shared.mask()),
        TapeMode::Replay(dir) => Tape::replay(&path(dir)),
    }
}
