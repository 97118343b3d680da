//! Running one feature's hidden tests on one patch.

use std::time::Duration;

use super::Trouble;
use super::merge::{first_line, last_line};
use super::suite::{self, Seen, SuiteOutcome};
use super::venue::{Room, exit_code, text};
use crate::bench::RuleId;

/// Runs the hidden tests on a patch, or on the base when there is none.
pub async fn run(
    room: &mut Room,
    tests: &[u8],
    work: Option<&[u8]>,
    timeout: Duration,
) -> Result<Seen, Trouble> {
    room.put("tests.patch", tests).await?;
    let mut words = vec!["tests.patch"];
    if let Some(work) = work {
        room.put("work.patch", work).await?;
        words.push("work.patch");
    }
    reset(room).await?;
    let ran = room.run(&words, timeout).await?;
    let output = text(&ran);
    let Some(exit_code) = exit_code(&ran) else {
        return Err(Trouble::new(
            RuleId::SUITE_TIMEOUT,
            format!(
                "the suite did not end within {} s; its last words: {}",
                timeout.as_secs(),
                last_line(&output)
            ),
        ));
    };
    let seen = suite::read(exit_code, output);
    let (Seen::Unclear(suite), Some(_)) = (&seen, work) else {
        return Ok(seen);
    };
    // Whether it is the patches that cannot be put there: asked of git, not read from the output.
    let said = refused(room, "work.patch").await?;
    if let Some(said) = said {
        let mut suite = suite.clone();
        suite.outcome = SuiteOutcome::NotApplied;
        suite.reason = format!("the patch does not apply: {said}");
        return Ok(Seen::Judged(suite));
    }
    if let Some(said) = refused_on_top(room).await? {
        let mut suite = suite.clone();
        suite.outcome = SuiteOutcome::TestsNotApplied;
        suite.reason = format!("the hidden tests cannot be put on top of the patch: {said}");
        return Ok(Seen::Judged(suite));
    }
    Ok(seen)
}

/// Puts the repository back to the base, as upstream does before each suite: not every runner does.
/// What git ignores stays, as images hold builds there.
async fn reset(room: &mut Room) -> Result<(), Trouble> {
    asked(room, "").await.map(drop)
}

/// What git says when it refuses a patch on the base, as the runner applies it.
async fn refused(room: &mut Room, patch: &str) -> Result<Option<String>, Trouble> {
    let script = format!(
        "said=$(git apply --ignore-whitespace --check \"$P/{patch}\" 2>&1) && exit 0
git apply --3way \"$P/{patch}\" >/dev/null 2>&1 && exit 0
echo \"$said\"; exit 1"
    );
    asked(room, &script).await
}

/// The same of the hidden tests, on top of the patch.
async fn refused_on_top(room: &mut Room) -> Result<Option<String>, Trouble> {
    let script = "git apply --ignore-whitespace \"$P/work.patch\" 2>/dev/null || git apply --3way \"$P/work.patch\" >/dev/null 2>&1 || exit 97
said=$(git apply --ignore-whitespace --check \"$P/tests.patch\" 2>&1) && exit 0
git apply --3way \"$P/tests.patch\" >/dev/null 2>&1 && exit 0
echo \"$said\"; exit 1";
    asked(room, script).await
}

/// Runs a script from the base on, with what it said when it ends with 1.
async fn asked(room: &mut Room, script: &str) -> Result<Option<String>, Trouble> {
    let base = room.base().to_owned();
    let script = format!(
        "[ ! -e .git/index.lock ] || rm -f .git/index.lock
git checkout -q -f {base} && git clean -q -fd || exit 97
{script}"
    );
    let output = room.git(&script).await?;
    match exit_code(&output) {
        Some(0) => Ok(None),
        Some(1) => Ok(Some(first_line(&text(&output)))),
        _ => Err(Trouble::new(
            RuleId::SANDBOX_SETUP,
            format!(
                "the repository could not be reset: {}",
                last_line(&text(&output))
            ),
        )),
    }
}
