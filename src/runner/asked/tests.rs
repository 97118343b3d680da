use std::time::Duration;

use serde_json::json;

use super::*;
use crate::bench::{Setting, TaskKey};
use crate::files;
use crate::runner::{Interrupt, Policy, Sink};
use crate::store::manifest::digest_of_pairs;
use crate::store::{LogTree, Manifest, RunDir};

fn pair(task: u64) -> Pair {
    Pair::new(TaskKey::new("gull_task", task), 1, 2)
}

fn ana() -> Hand {
    Hand {
        user: "ana".to_owned(),
        host: "node3".to_owned(),
    }
}

/// A run over three pairs: the first has finished, the second runs, and the third waits.
struct Rig {
    _dir: tempfile::TempDir,
    wheel: Wheel,
    going: GoingRun,
}

impl Rig {
    fn new(obeys_within: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let run = LogTree::at(dir.path()).run(&"gull-solo".parse().unwrap());
        files::create_dir(&run.own()).unwrap();
        let (observer, _) = tokio::sync::mpsc::unbounded_channel();
        let going = GoingRun {
            sink: Sink::new(&run, observer),
            policy: Policy {
                budget: Some(20.0),
                grace: Duration::from_secs(20),
                ..Policy::in_haste()
            },
            obeys_within,
            plan: (1..=3).map(pair).collect(),
            left: BTreeSet::from([pair(2), pair(3)]),
            running: BTreeSet::from([pair(2)]),
            spent: 12.5,
            run,
        };
        let names = ["gull-solo", "gull-coop-comm"];
        let names = names.map(|name| name.parse().unwrap()).to_vec();
        let rig = Self {
            _dir: dir,
            wheel: Wheel::of(Interrupt::never(), names),
            going,
        };
        rig.manifest().write(&rig.going.run).unwrap();
        rig
    }

    /// The same, with its run under way.
    fn under_way(obeys_within: bool) -> Self {
        let rig = Self::new(obeys_within);
        rig.wheel.take(rig.going.clone());
        rig
    }

    fn manifest(&self) -> Manifest {
        let pairs: Vec<Pair> = self.going.plan.clone();
        serde_json::from_value(json!({
            "run": "gull-solo", "setting": Setting::Solo, "engine": "native",
            "engine_version": null, "agent": "regatta", "model": "openai/m", "backend": "docker",
            "api_base": null, "agent_config": null, "subset": "lite",
            "subset_digest": digest_of_pairs(&pairs), "pairs": pairs, "prices": "regatta",
            "regatta": "0.1.0", "created_at": "2026-01-01T00:00:00Z",
        }))
        .unwrap()
    }

    fn ask(&self, ask: Ask) -> Answer {
        self.wheel.ask(&WheelRequest {
            ask,
            run: None,
            by: ana(),
        })
    }

    #[track_caller]
    fn does(&self, ask: Ask, said: &str) {
        let answer = self.ask(ask);
        assert!(answer.done, "{answer:?}");
        assert_eq!(answer.said.join("; "), said);
    }

    #[track_caller]
    fn refuses(&self, ask: Ask, why: &str) {
        let before = self.events();
        let answer = self.ask(ask);
        assert!(!answer.done, "{answer:?}");
        let said = answer.said.join("; ");
        assert!(said.contains(why), "{said}");
        assert_eq!(self.events(), before);
    }

    fn events(&self) -> String {
        events_of(&self.going.run)
    }
}

fn cancel(pairs: &[u64]) -> Ask {
    let pairs = pairs.iter().map(|task| pair(*task).to_string());
    Ask::Cancel {
        pairs: pairs.collect(),
    }
}

fn events_of(run: &RunDir) -> String {
    files::read_text(&run.events()).unwrap_or_default()
}

fn set(settings: &[(&str, &str)]) -> Ask {
    let settings = settings.iter();
    let settings = settings.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Ask::Set {
        settings: settings.collect(),
    }
}

#[test]
fn a_pause_holds_until_it_is_resumed_and_each_is_an_event_once() {
    let rig = Rig::under_way(true);
    let mut turned = rig.wheel.turned();
    rig.does(Ask::Resume, "it is not paused: it goes on");
    rig.does(Ask::Pause, "nothing new begins; 1 trial goes on");
    assert!(rig.wheel.is_paused() && turned.has_changed().unwrap());
    turned.mark_unchanged();
    let again = rig.ask(Ask::Pause);
    assert!(again.said[0].starts_with("it is paused already, by ana@node3 at "));
    assert_eq!((again.done, again.state), (true, WheelState::Paused));
    rig.does(Ask::Resume, "pairs begin again");
    assert!(!rig.wheel.is_paused() && turned.has_changed().unwrap());
    let events = rig.events();
    let kinds: Vec<bool> = events
        .lines()
        .map(|it| it.contains(r#""event":"paused","user":"ana","host":"node3""#))
        .collect();
    assert_eq!(kinds, [true, false], "{events}");
    assert!(
        events.contains(r#""event":"resumed","user":"ana","host":"node3""#),
        "{events}"
    );
}

#[test]
fn what_was_asked_before_a_run_begins_holds_for_it() {
    let rig = Rig::new(true);
    rig.does(Ask::Pause, "nothing new begins; no run has begun yet");
    rig.refuses(
        set(&[("budget", "30")]),
        "no run of this command has begun yet",
    );
    rig.refuses(cancel(&[2]), "no run of this command has begun yet");
    rig.wheel.take(rig.going.clone());
    rig.does(set(&[("concurrency", "2")]), "concurrency: 1 → 2");
    rig.wheel.leave();
    // The next run of the command.
    let root = rig.going.run.path().parent().unwrap();
    let next = LogTree::at(root).run(&"gull-coop-comm".parse().unwrap());
    files::create_dir(&next.own()).unwrap();
    rig.manifest().write(&next).unwrap();
    let (observer, _) = tokio::sync::mpsc::unbounded_channel();
    rig.wheel.take(GoingRun {
        sink: Sink::new(&next, observer),
        run: next.clone(),
        ..rig.going.clone()
    });
    for run in [&rig.going.run, &next] {
        let events = events_of(run);
        assert!(events.contains(r#""event":"paused""#), "{events}");
        assert!(events.contains(r#""event":"set""#), "{events}");
        let manifest = Manifest::read(run).unwrap().unwrap();
        assert_eq!(manifest.concurrency, Some(2));
        let [set] = manifest.set.as_slice() else {
            panic!("{manifest:?}");
        };
        assert_eq!(
            (&set.by, set.changes[0].to_string()),
            (&ana(), "concurrency: 1 → 2".to_owned())
        );
    }
    assert_eq!(rig.ask(Ask::Pause).run, Some(next.name().clone()));
}

#[test]
fn only_what_is_left_can_be_cancelled_and_all_of_it_or_nothing() {
    let rig = Rig::under_way(true);
    rig.refuses(
        cancel(&[2, 1]),
        "gull_task/1/f1_f2: nothing of it is left to run",
    );
    rig.refuses(
        cancel(&[2, 9]),
        "`gull-solo` has no pair `gull_task/9/f1_f2`",
    );
    let typo = rig.ask(Ask::Cancel {
        pairs: vec!["gul_task/2/f1_f2".to_owned()],
    });
    assert_eq!(
        typo.hint.as_deref(),
        Some("did you mean `gull_task/2/f1_f2`?")
    );
    let other = rig.wheel.ask(&WheelRequest {
        ask: cancel(&[2]),
        run: Some("gull-coop-comm".parse().unwrap()),
        by: ana(),
    });
    assert!(
        other.said[0].contains("its command is at `gull-solo`"),
        "{other:?}"
    );
    assert!(rig.wheel.cancelled(rig.going.run.name()).is_empty());
    rig.does(
        cancel(&[2, 3]),
        "gull_task/2/f1_f2: its trial is ended; gull_task/3/f1_f2: no trial of it runs, and none begins",
    );
    rig.does(cancel(&[3]), "gull_task/3/f1_f2: it was cancelled before");
    let cancelled = rig.wheel.cancelled(rig.going.run.name());
    assert_eq!(
        cancelled.into_keys().collect::<Vec<_>>(),
        [pair(2), pair(3)]
    );
    let events = rig.events();
    assert_eq!(events.lines().count(), 1, "{events}");
    assert!(
        events.contains(r#""pairs":["gull_task/2/f1_f2","gull_task/3/f1_f2"]"#),
        "{events}"
    );
}

#[test]
fn the_whole_run_is_cancelled_as_by_the_first_interrupt_and_never_as_by_the_second() {
    let rig = Rig::under_way(true);
    let whole = || Ask::Cancel { pairs: Vec::new() };
    rig.does(
        whole(),
        "it stops as after the first Ctrl-C; what runs has 20s to finish",
    );
    rig.does(whole(), "it is being stopped already, by regatta cancel");
    let came = rig.wheel.interrupt().came();
    assert_eq!((came.stop, came.signal), (Stop::Gently, "regatta cancel"));
    for ask in [
        Ask::Pause,
        Ask::Resume,
        cancel(&[2]),
        set(&[("budget", "50")]),
    ] {
        rig.refuses(ask, "it is being stopped, by regatta cancel");
    }
    assert_eq!(rig.ask(whole()).state, WheelState::Stopping);
}

#[test]
fn a_setting_that_makes_no_sense_changes_nothing_beside_it() {
    let rig = Rig::under_way(true);
    for (settings, why) in [
        (
            &[("concurrency", "2"), ("budget", "12.5")][..],
            "a budget of $12.50 is not more than what is spent, $12.50",
        ),
        (
            &[("concurrency", "1000000000")],
            "concurrency=1000000000 is more than the run has: 3 pairs",
        ),
        (&[("concurrency", "0")], "must be at least 1"),
        (
            &[("budget", "30"), ("model", "openai/m")],
            "`model` cannot change while a run goes on",
        ),
    ] {
        rig.refuses(set(settings), why);
    }
    let manifest = || Manifest::read(&rig.going.run).unwrap().unwrap();
    assert!(manifest().set.is_empty());
    rig.does(
        set(&[
            ("budget", "30"),
            ("concurrency", "1"),
            ("max_attempts", "5"),
        ]),
        "budget: $20.00 → $30.00; concurrency: 1 → 1: it is so already; max_attempts: 3 → 5",
    );
    let changes = [
        SettingChange::Budget(Some(30.0)),
        SettingChange::MaxAttempts(5),
    ];
    assert_eq!(rig.wheel.set(), changes);
    rig.does(set(&[("budget", "none")]), "budget: $30.00 → none");
    assert_eq!(manifest().set.len(), 2);
}

#[test]
fn of_an_engine_that_cannot_obey_within_an_attempt_the_truth_is_said() {
    let rig = Rig::under_way(false);
    rig.refuses(cancel(&[2]), "a pair cannot be ended alone");
    rig.does(
        set(&[("concurrency", "2")]),
        "concurrency: 1 → 2, from the next attempt on: upstream's CLI has read it for this one",
    );
    rig.does(
        Ask::Pause,
        "nothing new begins; what runs goes on, and the attempt ends with it: upstream's CLI cannot wait",
    );
    rig.does(
        Ask::Resume,
        "pairs begin again, as soon as what still runs of the paused attempt has ended",
    );
}

#[test]
fn who_asks_is_shown_without_what_a_terminal_would_obey() {
    let rig = Rig::under_way(true);
    let by = Hand {
        user: "\u{1b}[31mana\n".to_owned(),
        host: String::new(),
    };
    let request = WheelRequest {
        ask: Ask::Pause,
        run: None,
        by,
    };
    assert!(rig.wheel.ask(&request).done);
    let (_, by) = rig.wheel.state().paused.clone().unwrap();
    assert!(
        !by.user.contains(['\u{1b}', '\n']) && by.host == "?",
        "{by:?}"
    );
}
