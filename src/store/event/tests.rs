use serde_json::json;

use super::*;
use crate::bench::RuleId;
use crate::bench::{TaskKey, Usage};
use crate::json as text;
use crate::store::Cause;

/// What a version wrote for [`one_of_each`] that had a type to write with and others to read with.
const RECORDED: &str = include_str!("../../../tests/data/every-event.jsonl");

fn run() -> RunName {
    "gull-coop-comm".parse().unwrap()
}

fn pair() -> Pair {
    Pair::new(TaskKey::new("gull_task", 7), 12, 3)
}

fn reset() -> Timestamp {
    "2026-11-28T12:00:00.25Z".parse().unwrap()
}

fn spent(agent: &str, spending: Spending) -> Event {
    Event::Spent {
        pair: pair(),
        trial: "0badcafe".to_owned(),
        agent: agent.to_owned(),
        spending,
        ended: false,
    }
}

fn of_beginnings() -> Vec<Event> {
    let spending = Spending {
        cost: Some(0.1 + 0.2),
        usage: Usage {
            input_tokens: 1000,
            output_tokens: 20,
            cached_tokens: 300,
            cache_write_tokens: 4,
            reasoning_tokens: 5,
        },
        usage_unknown: true,
    };
    vec![
        Event::RunStarted {
            run: run(),
            setting: Setting::CoopComm,
            pairs: 30,
            finished: 4,
            submitted: 3,
            to_run: 26,
            spent: Total {
                usd: 12.0,
                unknown: 1,
            },
            version: "0.1.0".to_owned(),
        },
        Event::AttemptStarted {
            attempt: 2,
            nth: 1,
            of: 3,
            completed: 4,
            remaining: 26,
            pairs: vec![pair(), Pair::new(TaskKey::new("gull_task", 8), 1, 2)],
            log: "logs/gull-coop-comm/regatta/attempt-2.log".to_owned(),
        },
        Event::TrialStarted { pair: pair() },
        spent("agent1", spending),
        spent("agent2", Spending::default()),
        Event::Pace {
            limit: 4,
            why: "a rate limit".to_owned(),
        },
        Event::Spent {
            pair: pair(),
            trial: "0badcafe".to_owned(),
            agent: "agent2".to_owned(),
            spending: Spending {
                cost: Some(0.0),
                ..Spending::default()
            },
            ended: true,
        },
        Event::CallRetried {
            rule: "connection".to_owned(),
            text: "http://localhost/v1: Connection refused".to_owned(),
            tries: 10,
        },
    ]
}

fn of_containers() -> Vec<Event> {
    vec![
        Event::ContainerCreated {
            container: "c0ffee".to_owned(),
            image: "akhatua/cooperbench-gull:task7".to_owned(),
            name: None,
        },
        Event::ContainerRefused {
            name: String::new(),
            message: "no such image: x".to_owned(),
        },
        Event::ContainerLost {
            container: "c0ffee".to_owned(),
            lost: Lost {
                reason: "oom".to_owned(),
                detail: "killed by the kernel for its memory".to_owned(),
            },
            local_at: Some("2026-11-28T23:15:00.5".parse().unwrap()),
        },
        Event::DaemonUnreachable {
            message: "connection refused".to_owned(),
        },
    ]
}

fn ended(diagnosis: Option<Diagnosis>, cost: Option<f64>, duration_seconds: Option<f64>) -> Event {
    Event::TrialEnded {
        attempt: 2,
        pair: pair(),
        trial: "0badcafe".to_owned(),
        status: "Submitted+Error".to_owned(),
        finished: diagnosis.is_none(),
        void: cost.is_none(),
        diagnosis,
        cost,
        usage_unknown: cost.is_none(),
        duration_seconds,
    }
}

fn cut_off(cost: Option<f64>) -> Event {
    Event::TrialCutOff {
        attempt: 2,
        pair: pair(),
        why: "stopped".to_owned(),
        cost,
        usage_unknown: true,
    }
}

fn of_trials() -> Vec<Event> {
    let text = "429: \"slow\ndown\" \u{1b}[1m…";
    let diagnosis = Diagnosis::new(
        Cause::Infra,
        RuleId::of("rate_limited"),
        "agents.agent1.error",
        text,
    );
    let limited = Diagnosis {
        resets_at: Some(reset()),
        ..Diagnosis::new(
            Cause::Limit,
            RuleId::of("quota"),
            "agent.error",
            "out of quota",
        )
    };
    vec![
        ended(Some(diagnosis), None, None),
        ended(Some(limited), Some(1e-9), Some(81.5)),
        ended(None, Some(1.0), Some(1e21)),
        cut_off(Some(0.0105)),
        cut_off(None),
    ]
}

fn of_ends() -> Vec<Event> {
    vec![
        Event::AttemptEnded {
            attempt: 2,
            end: "done".to_owned(),
            completed: 28,
            remaining: 2,
            submitted: 24,
            errors: 2,
        },
        Event::BackOff {
            seconds: 30.0,
            why: "2 infrastructure errors, 2 pairs left".to_owned(),
        },
        Event::LimitMet {
            rule: "quota".to_owned(),
            text: "out of quota".to_owned(),
            resets_at: reset(),
        },
        Event::WaitingForReset {
            until: reset(),
            seconds: 61.25,
            why: "out of quota".to_owned(),
        },
        Event::BreakerTripped {
            error: "key_refused".to_owned(),
            text: "401".to_owned(),
            trials: 5,
            advice: "give another key".to_owned(),
        },
        Event::BudgetSpent {
            spent: 10.25,
            budget: 10.0,
        },
        Event::Stopping {
            signal: "Ctrl-C".to_owned(),
            grace_seconds: 20.0,
        },
        Event::StoppingNow,
        Event::note("containers may be left".to_owned()),
        Event::RunEnded {
            run: run(),
            end: "complete".to_owned(),
        },
    ]
}

fn by_hand() -> Vec<Event> {
    let by = || Hand {
        user: "ana".to_owned(),
        host: "node3".to_owned(),
    };
    let turned = |setting: &str, old, new| TurnedSetting {
        setting: setting.to_owned(),
        old,
        new,
    };
    vec![
        Event::Paused { by: by() },
        Event::Resumed { by: by() },
        Event::Cancelled {
            by: by(),
            pairs: vec![pair()],
        },
        Event::Set {
            by: by(),
            changes: vec![
                turned("concurrency", json!(4), json!(8)),
                turned("budget", json!(null), json!(50.0)),
            ],
        },
    ]
}

fn of_commands() -> Vec<Event> {
    let seen = |commands, last: Option<&str>| Event::CommandsSeen {
        container: "beef".to_owned(),
        commands,
        last: last.map(str::to_owned),
    };
    vec![
        Event::ContainerCreated {
            container: "beef".to_owned(),
            image: "akhatua/cooperbench-gull:task7".to_owned(),
            name: Some("minisweagent-1a2b3c4d".to_owned()),
        },
        seen(1, Some("git status")),
        seen(30, None),
        Event::ContainerEnded {
            container: "beef".to_owned(),
            commands: 31,
        },
    ]
}

fn of_workers() -> Vec<Event> {
    let (worker, node) = (|| "5f0c2d7a".to_owned(), || "n1".to_owned());
    let started = |job: Option<&str>, at_once| Event::WorkerStarted {
        worker: worker(),
        node: node(),
        job: job.map(str::to_owned),
        at_once,
    };
    let ended = |why: Option<&str>| Event::WorkerEnded {
        worker: worker(),
        node: node(),
        why: why.map(str::to_owned),
    };
    vec![
        started(Some("12_3"), 1),
        started(None, 2),
        Event::TrialPlaced {
            pair: pair(),
            worker: worker(),
        },
        Event::TrialLost {
            pair: pair(),
            rule: "node_fail".to_owned(),
            why: "its node n1 failed".to_owned(),
        },
        ended(Some("its node n1 failed")),
        ended(None),
    ]
}

fn one_of_each() -> Vec<Event> {
    [
        of_beginnings(),
        of_containers(),
        of_trials(),
        of_ends(),
        by_hand(),
        of_commands(),
        of_workers(),
    ]
    .concat()
}

/// The names are the file's: another name here would be another one there.
#[test]
fn every_event_is_written_as_it_always_was_and_read_back() {
    let events = one_of_each();
    assert_eq!(RECORDED.lines().count(), events.len());
    for (recorded, event) in RECORDED.lines().zip(events) {
        let at = "2026-11-28T12:00:00Z".parse().unwrap();
        let line = Line { at, event: &event };
        assert_eq!(text::line(&line), recorded);
        assert_eq!(serde_json::from_str::<Event>(recorded).unwrap(), event);
        let line = Line { at, event };
        assert_eq!(serde_json::from_str::<Line>(recorded).unwrap(), line);
    }
}

#[test]
fn every_event_and_field_is_on_the_page() {
    const PAGE: &str = include_str!("../../../docs/reference/files.md");
    for line in RECORDED.lines() {
        let fields: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).unwrap();
        let kind = fields["event"].as_str().unwrap();
        assert!(PAGE.contains(&format!("\n| `{kind}` |")), "{kind}");
        for field in fields.keys() {
            assert!(PAGE.contains(&format!("`{field}`")), "{kind}: {field}");
        }
    }
}
