use jiff::SignedDuration;

use super::*;

const STARTED: &str = r#""event":"run_started","run":"r","setting":"coop-comm","pairs":2,"finished":0,"submitted":0,"to_run":2,"version":"0.1.0""#;
const ATTEMPT: &str =
    r#""event":"attempt_started","attempt":1,"pairs":["a_task/1/f1_f2","a_task/1/f1_f3"]"#;

/// What such events tell, a second each.
fn live(events: &[String]) -> Live {
    let mut live = Live::default();
    for (second, event) in (0..).zip(events) {
        let event = serde_json::from_str(&format!("{{{event}}}")).unwrap();
        live.take_in(at(second), &event);
    }
    live
}

fn at(second: i64) -> Timestamp {
    let noon: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    noon + SignedDuration::from_secs(second)
}

fn of_pair(event: &str, more: &str) -> String {
    format!(r#""event":"{event}","pair":"a_task/1/f1_f2"{more}"#)
}

fn spent(agent: &str, cost: f64) -> String {
    let usage = r#""input_tokens":1,"output_tokens":1,"cached_tokens":0,"cache_write_tokens":0,"reasoning_tokens":0"#;
    of_pair(
        "spent",
        &format!(r#","trial":"t","agent":"{agent}","cost":{cost},{usage}"#),
    )
}

#[test]
fn a_trial_that_runs_is_told_by_what_its_agents_had() {
    let live = live(&[
        STARTED.to_owned(),
        ATTEMPT.to_owned(),
        of_pair("trial_started", ""),
        spent("agent1", 0.25),
        spent("agent1", 0.5),
        spent("agent2", 1.0),
    ]);
    assert_eq!((live.begun_at, live.end), (Some(at(0)), None));
    let [trial] = live.trials.values().collect::<Vec<_>>()[..] else {
        panic!("{:?}", live.trials);
    };
    assert_eq!((trial.begun_at, trial.last_at), (at(2), at(5)));
    let spent = trial.answers.spent().unwrap();
    let steps = trial.answers.steps();
    assert_eq!(
        (steps.as_deref(), spent.cost),
        (Some("step 2+1"), Some(1.5))
    );
}

#[test]
fn what_has_ended_runs_no_more_and_the_next_command_begins_anew() {
    let cut_off = of_pair("trial_cut_off", r#","attempt":1,"why":"x","cost":null"#);
    let ended = r#""event":"run_ended","run":"r","end":"interrupted""#.to_owned();
    let mut events = vec![
        STARTED.to_owned(),
        ATTEMPT.to_owned(),
        of_pair("trial_started", ""),
        cut_off,
        spent("agent1", 0.5),
        ended,
    ];
    let live_then = live(&events);
    assert!(live_then.trials.is_empty());
    assert_eq!(live_then.attempt, None);
    assert_eq!(live_then.end.as_deref(), Some("interrupted"));
    events.push(STARTED.to_owned());
    let live_now = live(&events);
    assert_eq!(live_now.end, None);
    assert!(live_now.begun_at > live_then.begun_at);
}

fn ended(pair: &str, more: &str) -> String {
    format!(
        r#""event":"trial_ended","attempt":1,"pair":"{pair}","trial":"t","status":"s","void":false,"cost":1.0,"duration_seconds":1.0,{more}"#
    )
}

#[test]
fn a_pair_that_runs_again_is_not_done() {
    let because = |cause: &str| {
        format!(
            r#""finished":false,"diagnosis":{{"cause":"{cause}","evidence":{{"rule":"rate_limited","source":"agent.error","text":"x"}}}}"#
        )
    };
    let (one, two) = ("a_task/1/f1_f2", "a_task/1/f1_f3");
    for (more, done, failed) in [
        (r#""finished":true,"diagnosis":null"#.to_owned(), 1, 0),
        (because("agent"), 1, 0),
        (because("config"), 1, 0),
        (because("infra"), 0, 1),
        (because("limit"), 0, 1),
        (r#""finished":false,"diagnosis":null"#.to_owned(), 0, 1),
    ] {
        for (nth, is_last) in [(1, false), (3, true)] {
            let attempt = ATTEMPT.to_owned() + &format!(r#","nth":{nth},"of":3"#);
            let live = live(&[STARTED.to_owned(), attempt, ended(one, &more)]);
            let attempt = live.attempt.unwrap();
            assert_eq!((attempt.done, attempt.failed), (done, failed), "{more}");
            assert_eq!(attempt.is_last, is_last);
            assert_eq!(attempt.left(), if is_last { 1 } else { 2 - done });
            let done_at = if done == 1 { 2 } else { 1 };
            assert_eq!((attempt.begun_at, attempt.done_at), (at(1), at(done_at)));
        }
    }
    let cut_off =
        format!(r#""event":"trial_cut_off","attempt":1,"pair":"{two}","why":"x","cost":null"#);
    let live = live(&[STARTED.to_owned(), ATTEMPT.to_owned(), cut_off]);
    assert_eq!(live.attempt.unwrap().failed, 1);
}

#[test]
fn what_it_waits_for_is_told_until_it_goes_on() {
    let ended = r#""event":"attempt_ended","attempt":1"#;
    let waits = [
        r#""event":"back_off","seconds":30.5,"why":"2 infrastructure errors""#,
        r#""event":"waiting_for_reset","until":"2026-03-01T13:00:00Z","why":"quota""#,
    ];
    let hours = SignedDuration::from_secs(3600);
    let holds = [
        Hold::BackOff {
            until: at(3) + SignedDuration::from_millis(30500),
            why: "2 infrastructure errors".to_owned(),
        },
        Hold::Reset {
            until: at(0) + hours,
            why: "quota".to_owned(),
        },
    ];
    for (wait, hold) in waits.into_iter().zip(holds) {
        let mut events: Vec<String> = [STARTED, ATTEMPT, ended, wait].map(str::to_owned).into();
        assert_eq!(live(&events).hold, Some(hold));
        events.push(ATTEMPT.to_owned());
        assert_eq!(live(&events).hold, None);
    }
    for (event, hold) in [
        (
            r#""event":"limit_met","rule":"quota","text":"out","resets_at":"2026-03-01T13:00:00Z""#,
            Hold::Limit {
                resets_at: at(0) + hours,
                text: "out".to_owned(),
            },
        ),
        (
            r#""event":"budget_spent","spent":2.5,"budget":2.0"#,
            Hold::Budget {
                spent: 2.5,
                budget: 2.0,
            },
        ),
        (
            r#""event":"breaker_tripped","error":"key_refused","text":"x","trials":5,"advice":"y""#,
            Hold::Breaker {
                trials: 5,
                error: "key_refused".to_owned(),
            },
        ),
        (
            r#""event":"stopping","signal":"Ctrl-C","grace_seconds":20.0"#,
            Hold::Stopping {
                signal: "Ctrl-C".to_owned(),
                until: at(22),
            },
        ),
        (
            r#""event":"stopping_now""#,
            Hold::Stopping {
                signal: String::new(),
                until: at(2),
            },
        ),
    ] {
        let mut events: Vec<String> = [STARTED, ATTEMPT, event].map(str::to_owned).into();
        assert_eq!(live(&events).hold, Some(hold));
        events.push(ended.to_owned());
        assert_eq!(live(&events).hold, None);
    }
}

#[test]
fn a_pace_is_told_while_it_is_lowered_and_a_note_until_a_trial_begins() {
    let pace = |limit: usize, why: &str| format!(r#""event":"pace","limit":{limit},"why":"{why}""#);
    let mut events = vec![STARTED.to_owned(), ATTEMPT.to_owned(), pace(4, "slow")];
    events.push(pace(2, "slower"));
    let slowed = live(&events).pace.unwrap();
    assert_eq!((slowed.limit, slowed.at), (2, at(3)));
    assert_eq!(slowed.why, "slower");
    events.push(pace(8, "it keeps up"));
    assert_eq!(live(&events).pace, None);
    events.push(r#""event":"note","text":"pulling an image""#.to_owned());
    let note = (at(5), "pulling an image".to_owned());
    assert_eq!(live(&events).note, Some(note));
    events.push(of_pair("trial_started", ""));
    assert_eq!(live(&events).note, None);
}

#[test]
fn of_an_engine_that_names_no_trial_its_containers_are_told_until_they_end() {
    let made = |id: &str| {
        format!(r#""event":"container_created","container":"{id}","image":"i","name":"n-{id}""#)
    };
    let ran = |id: &str, n: u64, last: &str| {
        format!(r#""event":"commands_seen","container":"{id}","commands":{n},"last":"{last}""#)
    };
    let mut events = vec![STARTED.to_owned(), ATTEMPT.to_owned()];
    events.extend(["b", "a", "c", "d"].map(made));
    events.extend([ran("a", 1, "ls"), ran("a", 7, "make"), ran("z", 1, "x")]);
    events.push(r#""event":"container_ended","container":"c","commands":0"#.to_owned());
    events
        .push(r#""event":"container_lost","container":"d","reason":"oom","detail":"x""#.to_owned());
    let told = live(&events);
    let [(first, made), (second, busy)] = told.containers.by_age()[..] else {
        panic!("{:?}", told.containers);
    };
    assert_eq!((first, made.commands, made.last_at), ("b", 0, None));
    assert_eq!((second, busy.commands, busy.begun_at), ("a", 7, at(3)));
    assert_eq!(busy.name.as_deref(), Some("n-a"));
    assert_eq!(
        (busy.last.as_deref(), busy.last_at),
        (Some("make"), Some(at(7)))
    );
    events.push(r#""event":"attempt_ended","attempt":1"#.to_owned());
    assert_eq!(live(&events).containers, LiveContainers::default());
}

#[test]
fn containers_of_trials_that_are_named_are_not_told_beside_them() {
    let made = r#""event":"container_created","container":"process 7","image":"namespace""#;
    let events = [STARTED, ATTEMPT, &of_pair("trial_started", ""), made].map(str::to_owned);
    assert_eq!(live(&events).containers, LiveContainers::default());
}
