#![allow(
    clippy::disallowed_methods,
    reason = "tests make what no call of ours would"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::bench::{Pair, TaskKey};
use crate::store::{LogTree, RunDir};

const SECOND: Duration = Duration::from_secs(1);

fn run(dir: &Path) -> RunDir {
    LogTree::at(dir).run(&"gull-coop".parse().unwrap())
}

fn key(feature: u64) -> ClaimKey {
    ClaimKey::Pair(Pair::new(TaskKey::new("gull_task", 7), 1, feature))
}

/// A holder on a host of which nothing but its heartbeat is known.
fn elsewhere() -> Holder {
    Holder {
        host: "elsewhere".to_owned(),
        ..Holder::this(Some("12_3".to_owned()), 1)
    }
}

#[track_caller]
fn ours(took: Took) -> Claim {
    match took {
        Took::Ours(claim) => claim,
        Took::Theirs(holder) => panic!("it is held by {holder}"),
    }
}

#[track_caller]
fn theirs(took: Took) -> Holder {
    match took {
        Took::Ours(claim) => panic!("{} was free", claim.key()),
        Took::Theirs(holder) => holder,
    }
}

/// What is in the directory of claims, hidden names too.
fn names(run: &RunDir) -> Vec<String> {
    let entries = fs::read_dir(run.claims()).unwrap();
    let mut names: Vec<String> = entries
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_claim_is_one_holders_until_it_is_given_back_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(dir.path());
    let claims = Claims::of(&run);
    assert_eq!(claims.standing().unwrap(), []);
    let [one, two] = [Holder::this(None, 0), elsewhere()];
    let driver = ours(claims.take(&ClaimKey::Driver, &one).unwrap());
    let claim = ours(claims.take(&key(2), &one).unwrap());
    assert_eq!(theirs(claims.take(&key(2), &two).unwrap()), one);
    assert_eq!(theirs(claims.take(&key(2), &one).unwrap()), one);
    let other = ours(claims.take(&key(3), &two).unwrap());
    let wanted = [
        (ClaimKey::Driver, one.clone()),
        (key(2), one),
        (key(3), two.clone()),
    ];
    assert_eq!(claims.standing().unwrap(), wanted);
    assert!(claim.stands().unwrap() && other.stands().unwrap());
    claim.give_back().unwrap();
    assert_eq!(names(&run), ["driver", "gull_task~7~f1_f3"]);
    let again = ours(claims.take(&key(2), &two).unwrap());
    for claim in [driver, other, again] {
        claim.give_back().unwrap();
    }
    assert_eq!(names(&run), [""; 0]);
}

#[test]
fn a_claim_is_broken_once_and_never_in_the_place_of_a_later_one() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(dir.path());
    let claims = Claims::of(&run);
    let [slow, next] = [elsewhere(), elsewhere()];
    let claim = ours(claims.take(&key(2), &slow).unwrap());
    assert!(!claims.break_claim(&key(2), &next).unwrap());
    assert!(!claims.break_claim(&key(3), &slow).unwrap());
    assert!(claim.stands().unwrap());
    assert!(claims.break_claim(&key(2), &slow).unwrap());
    assert!(!claims.break_claim(&key(2), &slow).unwrap());
    assert!(!claim.stands().unwrap());
    let later = ours(claims.take(&key(2), &next).unwrap());
    assert!(!claims.break_claim(&key(2), &slow).unwrap());
    // The slow one goes on, and its late words do nothing.
    assert!(!claim.stands().unwrap() && !claim.settle().unwrap());
    claim.give_back().unwrap();
    assert!(later.stands().unwrap());
    // The same holder anew: what it does with its old claim does not touch the new one.
    assert!(claims.break_claim(&key(2), &next).unwrap());
    let latest = ours(claims.take(&key(2), &next).unwrap());
    assert!(!later.stands().unwrap() && !later.settle().unwrap());
    later.give_back().unwrap();
    assert!(latest.stands().unwrap());
}

#[test]
fn of_many_who_take_one_does_and_of_many_who_break_one_does() {
    let dir = tempfile::tempdir().unwrap();
    let claims = Claims::of(&run(dir.path()));
    for _ in 0..20 {
        let at_once = |each: &(dyn Fn() -> bool + Sync)| -> usize {
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(each)).collect();
                let told = threads.into_iter().map(|it| it.join().unwrap());
                told.filter(|won| *won).count()
            })
        };
        let took = at_once(&|| {
            let took = claims.take(&key(2), &elsewhere()).unwrap();
            matches!(took, Took::Ours(_))
        });
        assert_eq!(took, 1);
        let holder = &claims.standing().unwrap()[0].1;
        let broke = at_once(&|| claims.break_claim(&key(2), holder).unwrap());
        assert_eq!(broke, 1);
    }
}

#[test]
fn a_settled_claim_is_neither_broken_nor_given_back_until_it_is_cleared() {
    let dir = tempfile::tempdir().unwrap();
    let claims = Claims::of(&run(dir.path()));
    let [worker, next] = [elsewhere(), elsewhere()];
    let claim = ours(claims.take(&key(2), &worker).unwrap());
    assert!(!claims.clear(&key(2), &worker).unwrap());
    assert!(!claims.settle(&key(2), &next).unwrap());
    assert!(!claims.settle(&key(3), &worker).unwrap());
    assert!(claims.settle(&key(2), &worker).unwrap());
    assert!(claims.settle(&key(2), &worker).unwrap() && claim.settle().unwrap());
    assert!(claim.stands().unwrap());
    assert!(!claims.break_claim(&key(2), &worker).unwrap());
    assert_eq!(theirs(claims.take(&key(2), &next).unwrap()), worker);
    assert_eq!(claims.standing().unwrap(), []);
    let settled = [(key(2), worker.clone())];
    assert_eq!(claims.settled().unwrap(), settled);
    claim.give_back().unwrap();
    assert_eq!(claims.settled().unwrap(), settled);
    assert!(!claims.clear(&key(2), &next).unwrap());
    assert!(claims.clear(&key(2), &worker).unwrap());
    assert!(!claims.clear(&key(2), &worker).unwrap());
    let _ = ours(claims.take(&key(2), &next).unwrap());
}

#[test]
fn what_stands_where_a_claim_should_is_named_and_free_for_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(dir.path());
    let claims = Claims::of(&run);
    let _ = ours(claims.take(&key(9), &elsewhere()).unwrap());
    let whole = {
        let place = run.claims().join(key(9).file_name());
        let file = fs::read_dir(&place).unwrap().next().unwrap().unwrap();
        let name = file.file_name().into_string().unwrap();
        (name, fs::read_to_string(file.path()).unwrap())
    };
    let half = &whole.1[..whole.1.len() / 2];
    let (name, text) = (&whole.0, &whole.1);
    let other_name = format!("a1-{}", "b".repeat(16));
    let cases: [(&str, &str, &str); 6] = [
        (name, "", "it is empty"),
        (name, half, "EOF while parsing"),
        (name, "{}", "missing field `key`"),
        (
            name,
            text,
            "it is one on gull_task/7/f1_f9 under another name",
        ),
        (
            &other_name,
            text,
            "it is one on gull_task/7/f1_f9 under another name",
        ),
        ("notes.txt", "x", "its name is none of a claim"),
    ];
    for (feature, (name, text, why)) in (10..).zip(cases) {
        let place = run.claims().join(key(feature).file_name());
        fs::create_dir(&place).unwrap();
        fs::write(place.join(name), text).unwrap();
        for error in [
            claims.take(&key(feature), &elsewhere()).unwrap_err(),
            claims.standing().unwrap_err(),
        ] {
            let said = error.to_string();
            let path = place.join(name);
            let wanted = format!("{} is no claim: {why}", path.display());
            assert!(said.starts_with(&wanted), "{said}\n{wanted}");
            assert!(error.hints()[0].contains("move it away"));
        }
        fs::remove_dir_all(&place).unwrap();
    }
    fs::write(run.claims().join(key(2).file_name()), "x").unwrap();
    for error in [
        claims.take(&key(2), &elsewhere()).unwrap_err(),
        claims.standing().unwrap_err(),
    ] {
        let said = error.to_string();
        assert!(
            said.ends_with("f1_f2 is no claim: it is no directory"),
            "{said}"
        );
    }
    fs::remove_file(run.claims().join(key(2).file_name())).unwrap();
    // An empty place is free, and hidden names are not ours.
    fs::create_dir(run.claims().join(key(3).file_name())).unwrap();
    fs::write(run.claims().join(".nfs0001"), "x").unwrap();
    assert_eq!(claims.standing().unwrap().len(), 1);
    let _ = ours(claims.take(&key(3), &elsewhere()).unwrap());
    assert_eq!(claims.standing().unwrap().len(), 2);
}

#[test]
fn a_claim_that_only_its_name_tells_of_can_be_broken_and_one_that_is_damaged_does_not_stand() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(dir.path());
    let claims = Claims::of(&run);
    let holder = elsewhere();
    let claim = ours(claims.take(&key(2), &holder).unwrap());
    let place = run.claims().join(key(2).file_name());
    let file = fs::read_dir(&place).unwrap().next().unwrap().unwrap();
    fs::write(file.path(), "{").unwrap();
    let said = claim.stands().unwrap_err().to_string();
    assert!(said.contains("is no claim: EOF"), "{said}");
    let mut watcher = Watcher::new(3 * SECOND);
    let mut heart = Heart::begin(&run, &holder).unwrap();
    heart.beat().unwrap();
    let start = Instant::now();
    let gone = (0..4).map(|n| watcher.look(&run, start + n * SECOND).unwrap());
    assert_eq!(gone.last().unwrap(), std::slice::from_ref(&holder));
    assert!(claims.break_claim(&key(2), &holder).unwrap());
    // Without a heartbeat nobody can say whose it is.
    heart.stop().unwrap();
    let _ = ours(claims.take(&key(2), &holder).unwrap());
    let file = fs::read_dir(&place).unwrap().next().unwrap().unwrap();
    fs::write(file.path(), "{").unwrap();
    let mut watcher = Watcher::new(3 * SECOND);
    let looks = (0..4).map(|n| watcher.look(&run, start + n * SECOND));
    let error = looks.last().unwrap().unwrap_err();
    assert!(error.to_string().contains("is no claim: EOF"), "{error}");
}

#[test]
fn where_nothing_can_be_written_the_error_says_what_and_why() {
    if rustix::process::geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let run = run(dir.path());
    fs::create_dir_all(run.claims()).unwrap();
    fs::set_permissions(run.claims(), fs::Permissions::from_mode(0o500)).unwrap();
    let error = Claims::of(&run).take(&key(2), &elsewhere()).unwrap_err();
    let said = error.to_string();
    assert!(
        said.starts_with("cannot claim gull_task/7/f1_f2 in "),
        "{said}"
    );
    assert!(said.contains("Permission denied"), "{said}");
}

#[test]
fn one_that_beats_lives_and_one_that_does_not_is_gone_after_the_expiry() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(dir.path());
    let claims = Claims::of(&run);
    let [alive, silent, idle] = [elsewhere(), elsewhere(), elsewhere()];
    let mut heart = Heart::begin(&run, &alive).unwrap();
    let mut hearts = [&silent, &idle].map(|holder| Heart::begin(&run, holder).unwrap());
    let _ = ours(claims.take(&key(2), &alive).unwrap());
    let _ = ours(claims.take(&key(3), &silent).unwrap());
    let mut watcher = Watcher::new(EXPIRY);
    let start = Instant::now();
    let mut gone = Vec::new();
    for beats in 0..=6 {
        assert_eq!(gone, []);
        heart.beat().unwrap();
        gone = watcher.look(&run, start + beats * BEAT).unwrap();
    }
    // One without a claim is not told of.
    assert_eq!(gone, std::slice::from_ref(&silent));
    let now = start + 7 * BEAT;
    assert!(watcher.is_gone(&run, &silent, now).unwrap());
    assert!(!watcher.is_gone(&run, &alive, now).unwrap());
    // One beat, and it lives again; another observer begins at nothing.
    hearts[0].beat().unwrap();
    assert_eq!(watcher.look(&run, now + BEAT).unwrap(), []);
    assert_eq!(Watcher::new(EXPIRY).look(&run, now + 9 * BEAT).unwrap(), []);
    // A settled claim waits for nobody.
    assert!(claims.settle(&key(3), &silent).unwrap());
    for beats in 9..20 {
        heart.beat().unwrap();
        assert_eq!(watcher.look(&run, start + beats * BEAT).unwrap(), []);
    }
}

#[test]
fn an_observer_that_was_held_up_does_not_take_its_own_silence_for_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(dir.path());
    let holder = elsewhere();
    let mut heart = Heart::begin(&run, &holder).unwrap();
    let _ = ours(Claims::of(&run).take(&key(2), &holder).unwrap());
    let mut watcher = Watcher::new(EXPIRY);
    let start = Instant::now();
    assert_eq!(watcher.look(&run, start).unwrap(), []);
    // The server hung for an hour. Who looks before the worker's beat comes through is no judge.
    let back = start + 240 * BEAT;
    for late in [0, 1] {
        assert_eq!(watcher.look(&run, back + late * SECOND).unwrap(), []);
    }
    heart.beat().unwrap();
    assert_eq!(watcher.look(&run, back + 2 * BEAT).unwrap(), []);
}

#[test]
fn one_without_a_heartbeat_expires_and_one_that_comes_back_is_seen_again() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(dir.path());
    let claims = Claims::of(&run);
    let holder = elsewhere();
    let mut heart = Heart::begin(&run, &holder).unwrap();
    let _ = ours(claims.take(&key(2), &holder).unwrap());
    for beat in fs::read_dir(run.beats()).unwrap() {
        fs::remove_file(beat.unwrap().path()).unwrap();
    }
    let mut watcher = Watcher::new(3 * SECOND);
    let start = Instant::now();
    let mut gone = Vec::new();
    for n in 0..=3 {
        assert_eq!(gone, []);
        gone = watcher.look(&run, start + n * SECOND).unwrap();
    }
    assert_eq!(gone, std::slice::from_ref(&holder));
    watcher.forget(&run, &holder).unwrap();
    heart.beat().unwrap();
    assert_eq!(watcher.look(&run, start + 5 * SECOND).unwrap(), []);
    heart.beat().unwrap();
    assert_eq!(fs::read_dir(run.beats()).unwrap().count(), 1);
    watcher.forget(&run, &holder).unwrap();
    assert_eq!(fs::read_dir(run.beats()).unwrap().count(), 0);
}

#[test]
fn other_files_among_the_heartbeats_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(dir.path());
    let holder = elsewhere();
    let mut heart = Heart::begin(&run, &holder).unwrap();
    let _ = ours(Claims::of(&run).take(&key(2), &holder).unwrap());
    for name in [
        "",
        "notes",
        ".nfs01",
        "a.b",
        "a-b.1",
        "abc.1",
        "abc.99999999999999999999",
    ] {
        fs::write(run.beats().join(format!("{name}x")), "x").unwrap();
    }
    fs::write(run.beats().join("abc.1"), "").unwrap();
    let mut watcher = Watcher::new(3 * SECOND);
    let start = Instant::now();
    for n in 0..9 {
        heart.beat().unwrap();
        assert_eq!(watcher.look(&run, start + n * SECOND).unwrap(), []);
    }
}

#[test]
fn a_process_of_this_host_that_has_ended_is_gone_at_once_and_others_are_not_ours_to_judge() {
    let us = Holder::this(None, 0);
    assert!(!us.is_dead());
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let ended = Holder {
        pid: child.id(),
        ..Holder::this(None, 0)
    };
    child.wait().unwrap();
    let reused = Holder {
        started: us.started + 1,
        ..us.clone()
    };
    assert!(ended.is_dead() && reused.is_dead());
    for other in [
        Holder {
            host: "elsewhere".to_owned(),
            ..ended.clone()
        },
        Holder {
            boot: "another".to_owned(),
            ..ended.clone()
        },
        Holder {
            boot: "unknown".to_owned(),
            ..ended.clone()
        },
        Holder {
            pids: "pid:[1]".to_owned(),
            ..ended.clone()
        },
        Holder {
            pids: String::new(),
            ..ended.clone()
        },
    ] {
        assert!(!other.is_dead(), "{other:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    let run = run(dir.path());
    let _heart = Heart::begin(&run, &ended).unwrap();
    let _ = ours(Claims::of(&run).take(&key(2), &ended).unwrap());
    let _ = ours(Claims::of(&run).take(&key(3), &us).unwrap());
    let mut watcher = Watcher::new(EXPIRY);
    let now = Instant::now();
    assert_eq!(
        watcher.look(&run, now).unwrap(),
        std::slice::from_ref(&ended)
    );
    assert!(watcher.is_gone(&run, &ended, now).unwrap());
    assert!(!watcher.is_gone(&run, &us, now).unwrap());
}

#[test]
fn a_holder_of_an_older_file_is_read_and_shown() {
    let json = r#"{"id":"ab12","host":"n1","pid":7,"boot":"b","job":"12_3"}"#;
    let holder: Holder = serde_json::from_str(json).unwrap();
    assert_eq!(holder.to_string(), "process 7 on n1 (job 12_3)");
    assert!(!holder.is_dead());
    let other = Holder {
        job: None,
        ..holder
    };
    assert_eq!(other.to_string(), "process 7 on n1");
}
