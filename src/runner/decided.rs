//! What a verdict rests on, from a judgement to the fields of `eval.json` that only we write.

use crate::evaluation::Judgement;
use crate::evaluation::merge::Applied;
use crate::evaluation::merging::Merging;
use crate::evaluation::suite::{Outcome, Suite};
use crate::store::eval::{
    Alone, AloneSuite, ApplyStatus, ByBytes, EvalRecord, MergeRecord, Refused, SuiteNote,
};

const AGENTS: [&str; 2] = ["agent1", "agent2"];

/// One feature's suite as an `eval.json` has it beside upstream's fields.
pub(super) fn note(feature: u64, suite: &Suite) -> SuiteNote {
    SuiteNote {
        feature,
        outcome: suite.outcome.name().to_owned(),
        reason: suite.reason.clone(),
        failed_tests: suite.failed_tests(),
        named_tests: suite.tests.len(),
        worth: None,
    }
}

/// What became of each agent's patch.
pub(super) fn status(words: [&str; 2]) -> ApplyStatus {
    let [agent1, agent2] = words.map(str::to_owned);
    ApplyStatus { agent1, agent2 }
}

/// Writes what became of two patches.
pub(super) fn of_merge(record: &mut EvalRecord, merge: &Merging) {
    record.apply_status = Some(status(merge.applied.map(Applied::name)));
    let note = &mut record.regatta;
    let place = if merge.in_clone {
        "clone"
    } else {
        note.backend.name()
    };
    note.merged_in = Some(place.to_owned());
    note.conflict.clone_from(&merge.conflict);
    note.refused = refused(merge);
    note.alone = alone(merge, record.features);
    record.merge = Some(MergeRecord {
        status: merge.status.to_owned(),
        strategy: merge.strategy.map(str::to_owned),
        diff: merge.diff.clone(),
    });
}

/// What git said of the patches that it refused.
fn refused(merge: &Merging) -> Vec<Refused> {
    let words = AGENTS.into_iter().zip(&merge.refused);
    let refused = words.filter_map(|(agent, said)| {
        let said = said.clone()?;
        Some(Refused { agent, said })
    });
    refused.collect()
}

/// The first agent's patch where it was tested alone.
fn alone(merge: &Merging, features: [u64; 2]) -> Option<Alone> {
    let suites = merge.alone.as_ref()?;
    let both_passed = suites.iter().all(Suite::passed);
    let ran = features.into_iter().zip(suites);
    let ran = ran.filter(|(_, suite)| !both_passed && suite.outcome != Outcome::NotTested);
    Some(Alone {
        agent: AGENTS[0],
        suites: ran
            .map(|(feature, suite)| AloneSuite {
                note: note(feature, suite),
                exit_code: suite.exit_code,
                tests_passed: suite.counts.passed,
                tests_failed: suite.counts.failed,
                test_output: suite.output.clone(),
            })
            .collect(),
    })
}

/// The verdict on a submission byte for byte.
pub(super) fn by_bytes(judged: &Judgement, features: [u64; 2]) -> ByBytes {
    let suites = features.into_iter().zip(&judged.suites);
    ByBytes {
        both_passed: judged.both_passed(),
        suites: suites
            .map(|(feature, suite)| note(feature, suite))
            .collect(),
    }
}
