//! Limits of the account that reset, and rows of errors in the midst of an attempt.

use std::process::{Command, Stdio};
use std::time::Duration;

use regatta::engine::fake::{FakeEngine, FakeOutcome};
use regatta::runner::RunEnd;
use regatta::triage::Rules;

use crate::listener::{Listener, SUBMITS, answer, reply};
use crate::plan::install;
use crate::runner::{Bench, error, name, outcomes};
use crate::support::{Place, Ran, wait_until};

/// A rule as a user writes it, whose errors end at a time of their own.
const HOURGLASS: &str = r#"
[[rule]]
id = "hourglass"
cause = "limit"
pattern = "hourglass is empty"
about = "The account's sand ran out."
advice = "Wait until it is turned."
"#;

fn bench(pairs: u64) -> Bench {
    let mut bench = Bench::new(pairs);
    bench.rules = Rules::with_user(HOURGLASS, "rules.toml").unwrap();
    bench
}

fn empty(reset: &str) -> FakeOutcome {
    error(&format!("the hourglass is empty, {reset}"), 0.0)
}

/// Every pair from this one on ends so.
fn from(first: u64, pairs: u64, outcomes: &[FakeOutcome]) -> FakeEngine {
    let mut fake = FakeEngine::default();
    for n in first..=pairs {
        fake.outcomes.insert(name(n), outcomes.to_vec());
    }
    fake
}

#[test]
fn a_limit_is_waited_for_and_costs_no_attempt() {
    let mut bench = bench(8);
    bench.policy.max_attempts = 1;
    let fake = outcomes(&[(3, &[empty("and resets in 4s"), FakeOutcome::Submitted(1.0)])]);
    let (end, ran) = bench.run(fake);
    assert_eq!(end, RunEnd::Complete);
    // Nothing new was begun after the trial that met it, but for what the engine had in hand.
    assert!(ran.len() == 2 && ran[0].len() <= 5, "{ran:?}");
    assert_eq!(ran[1][0], name(3));
    let met = bench.events("limit_met");
    assert_eq!((met.len(), &met[0]["rule"]), (1, &"hourglass".into()));
    let waited = bench.events("waiting_for_reset");
    assert_eq!(waited.len(), 1);
    let time = |event: &serde_json::Value, key: &str| -> jiff::Timestamp {
        event[key].as_str().unwrap().parse().unwrap()
    };
    assert!(time(&waited[0], "until") >= time(&met[0], "resets_at"));
    let second = bench.events("attempt_started").remove(1);
    assert!(time(&second, "at") >= time(&met[0], "resets_at"));
    let ledger = bench.ledger();
    let diagnosis = ledger.entries().iter().find_map(|it| it.diagnosis.as_ref());
    let diagnosis = diagnosis.unwrap();
    assert_eq!(diagnosis.cause.to_string(), "limit");
    assert_eq!(diagnosis.resets_at, Some(time(&met[0], "resets_at")));
}

#[test]
fn a_limit_that_resets_too_late_ends_the_run_with_its_time() {
    let mut bench = bench(9);
    bench.policy.max_wait = Duration::from_hours(1);
    let (end, ran) = bench.run(from(3, 9, &[empty("try again in 61 minutes and 1 day")]));
    let RunEnd::Limit(why) = &end else {
        panic!("{end:?}")
    };
    assert!(why.contains("--max-wait (1h 00m)"), "{why}");
    assert!(
        why.contains("hourglass is empty") && why.contains("resets at 20"),
        "{why}"
    );
    assert!(ran.len() == 1 && ran[0].len() <= 5, "{ran:?}");
    assert_eq!(bench.result(3)["infra_error"], true);
    assert_eq!(bench.result(3)["regatta"]["cause"], "limit");
    assert!(bench.events("waiting_for_reset").is_empty());
    // What ran is kept, and the same command goes on.
    let (end, ran) = bench.run(FakeEngine::default());
    assert_eq!(end, RunEnd::Complete);
    assert!(!ran[0].contains(&name(1)) && ran[0].contains(&name(3)));
}

#[test]
fn a_reset_that_is_past_or_cannot_be_read_is_a_plain_back_off() {
    for reset in [
        "resets soon",
        "which resets at 2026-01-01T00:00:00Z",
        "resets at 31:99",
    ] {
        let bench = bench(2);
        let fake = outcomes(&[(1, &[empty(reset), FakeOutcome::Submitted(1.0)])]);
        let (end, ran) = bench.run(fake);
        assert_eq!(end, RunEnd::Complete, "{reset}");
        assert_eq!(ran, [vec![name(1), name(2)], vec![name(1)]], "{reset}");
        assert!(bench.events("waiting_for_reset").is_empty(), "{reset}");
        assert_eq!(bench.events("back_off").len(), 1, "{reset}");
    }
}

#[test]
fn a_limit_that_comes_again_and_again_ends_with_the_attempts() {
    let mut bench = bench(2);
    bench.policy.max_attempts = 2;
    let (end, ran) = bench.run(from(1, 2, &[empty("resets in 3s")]));
    let is_its = matches!(&end, RunEnd::Limit(why) if why.contains("last attempt"));
    // On a machine so slow that it reset meanwhile, an error like another.
    assert!(is_its || end == RunEnd::Errors, "{end:?}");
    assert_eq!(ran.len(), 2, "{ran:?}");
}

#[test]
fn a_row_of_limits_without_a_time_stops_the_attempt_and_not_the_run() {
    let bench = bench(12);
    let later = [empty("come back later"), FakeOutcome::Submitted(1.0)];
    let (end, ran) = bench.run(from(5, 8, &later));
    assert_eq!(end, RunEnd::Complete);
    assert!(ran[0].len() <= 8, "{ran:?}");
    assert_eq!(bench.events("breaker_tripped").len(), 1);
    assert_eq!(bench.events("back_off").len(), ran.len() - 1);
}

#[test]
fn a_rate_limit_that_lasts_is_a_limit_and_one_of_a_minute_is_not() {
    let rate = |reset: &str| {
        let text = format!(
            "litellm.RateLimitError: RateLimitError: OpenAIException - tokens per day: {reset}"
        );
        let mut bench = Bench::new(1);
        (bench.policy.max_wait, bench.policy.max_attempts) = (Duration::ZERO, 1);
        let (end, _) = bench.run(outcomes(&[(1, &[error(&text, 0.0)])]));
        (end, bench.result(1)["regatta"]["cause"].clone())
    };
    let (end, cause) = rate("Please try again in 2h 13m6.5s");
    assert!(matches!(end, RunEnd::Limit(_)), "{end:?}");
    assert_eq!(cause, "limit");
    let (end, cause) = rate("Please try again in 25.4s");
    assert_eq!((end, cause), (RunEnd::Errors, "infra".into()));
}

#[test]
fn a_login_that_expires_in_the_midst_stops_the_attempt() {
    const EXPIRED: &str =
        "litellm.AuthenticationError: AuthenticationError: OpenAIException - expired";
    let bench = Bench::new(20);
    let (end, ran) = bench.run(from(6, 20, &[error(EXPIRED, 0.0)]));
    assert!(
        matches!(&end, RunEnd::World(why) if why.contains("authentication")),
        "{end:?}"
    );
    assert!(ran.len() == 1 && ran[0].len() <= 9, "{ran:?}");
    // Unknown errors that are all the same are no better.
    let bench = Bench::new(20);
    let (end, ran) = bench.run(from(6, 20, &[error("the tide of 7 o'clock is out", 0.0)]));
    assert!(
        matches!(&end, RunEnd::World(why) if why.contains("the tide of")),
        "{end:?}"
    );
    assert!(ran.len() == 1 && ran[0].len() <= 9, "{ran:?}");
}

#[test]
fn trials_that_were_under_way_trip_the_breaker_once_and_end_with_what_they_are() {
    const REVOKED: &str =
        "litellm.AuthenticationError: AuthenticationError: OpenAIException - revoked";
    let mut bench = Bench::new(10);
    bench.policy.concurrency = 4;
    let fake = FakeEngine {
        at_once: true,
        ..from(3, 10, &[error(REVOKED, 0.0)])
    };
    let (end, _) = bench.run(fake);
    // Of eight that ended at once it takes as many as run at once, and tells of it once.
    assert!(
        matches!(&end, RunEnd::World(why) if why.contains("4 trials")),
        "{end:?}"
    );
    assert_eq!(bench.events("breaker_tripped").len(), 1);
    assert_eq!(bench.ledger().entries().len(), 10);
}

/// A response that refuses for hours.
fn refuses_for(header: &str, body: &str) -> String {
    let head =
        "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nConnection: close";
    format!(
        "{head}\r\n{header}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn one_pair(place: &Place) {
    place.write(
        "cb/dataset/subsets/one.json",
        r#"{"name":"one","tasks":[{"repo":"lighthouse_task","task_id":7,"pairs":[[1,2]]}]}"#,
    );
}

/// A native run of one pair.
fn configure(place: &Place, listener: &Listener) {
    one_pair(place);
    let text = format!(
        r#"
[experiment]
name = "t"
engine = "native"
backend = "fake"
model = "openai/m"
concurrency = 1
settings = ["solo"]
subset = "one"
[upstream]
cooperbench_dir = "cb"
api_base = "{}/v1"
[upstream.env]
OPENAI_API_KEY = "sk-test-123456"
"#,
        listener.base
    );
    place.write("regatta.toml", text);
}

fn command(place: &Place, args: &[&str]) -> Command {
    let args = [&["run", "--no-progress", "--no-preflight"], args].concat();
    let mut command = place.regatta(&args);
    command.env("DOCKER_HOST", place.empty_daemon());
    command
}

#[test]
fn the_native_engine_waits_for_a_limit_and_a_signal_ends_the_wait() {
    let place = Place::new();
    let listener = Listener::answering(|_| {
        Some(refuses_for(
            "Retry-After: 7200\r\n",
            r#"{"error":{"message":"The plan's tokens are used up."}}"#,
        ))
    });
    configure(&place, &listener);
    let run = command(&place, &[])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let waits = || place.events("t-solo", "waiting_for_reset");
    wait_until("it waits", || !waits().is_empty());
    place
        .run(&["status", "t-solo"])
        .code(0)
        .prints("waiting until ");
    let term = Command::new("kill").arg(run.id().to_string()).status();
    assert!(term.unwrap().success());
    let ran = Ran::of(&run.wait_with_output().unwrap());
    ran.code(130)
        .says("a limit is reached, which resets at ")
        .says("Ctrl-C ends the wait");
    // It is not asked again in vain.
    assert_eq!(listener.asked().len(), 1);
    let ledger = place.lines("t-solo", "ledger");
    assert_eq!(ledger.len(), 1, "{ledger:#?}");
    let diagnosis = &ledger[0]["diagnosis"];
    assert_eq!(diagnosis["cause"], "limit");
    assert_eq!(diagnosis["evidence"]["rule"], "usage_limit");
    assert!(diagnosis["resets_at"].is_string(), "{diagnosis}");
    assert!(waits()[0]["seconds"].as_f64().unwrap() > 3600.0);
}

#[test]
fn a_reset_beyond_max_wait_ends_with_3_and_the_same_command_goes_on() {
    let place = Place::new();
    let listener = Listener::answering(|number| {
        Some(match number {
            0 => refuses_for(
                "",
                r#"{"error":{"message":"Tokens per day. Try again in 2h13m."}}"#,
            ),
            _ => reply(SUBMITS),
        })
    });
    configure(&place, &listener);
    let run = |args: &[&str]| Ran::of(&command(&place, args).output().unwrap());
    run(&["--max-wait", "2h"])
        .code(3)
        .says("`usage_limit`")
        .says("it resets at 20")
        .says("--max-wait (2h 00m)")
        .says("the same command goes on from then");
    assert_eq!(listener.asked().len(), 1);
    run(&["--max-wait", "soon"])
        .code(2)
        .says("--max-wait: `soon`");
    run(&["--max-wait", "2h"]).code(0);
}

#[test]
fn the_words_of_a_limit_count_whatever_its_status() {
    let place = Place::new();
    let body = r#"{"error":{"message":"You have reached your specified API usage limits. Resets in 5h."}}"#;
    let listener = Listener::answering(|_| {
        Some(refuses_for("", body).replace("429 Too Many Requests", "400 Bad Request"))
    });
    configure(&place, &listener);
    let run = command(&place, &["--max-wait", "2h"]).output().unwrap();
    Ran::of(&run)
        .code(3)
        .says("`usage_limit`")
        .says("--max-wait (2h 00m)");
    assert_eq!(listener.asked().len(), 1);
}

/// An endpoint that has too much to do says when to come back, as one with a limit does.
#[test]
fn a_pause_that_an_overloaded_endpoint_asks_for_is_no_time_of_the_agents() {
    for (status, header, is_lost) in [
        (429, "Retry-After: 0.2\r\n", true),
        (503, "Retry-After: 0.2\r\n", true),
        (529, "Retry-After: 0.2\r\n", true),
        (500, "Retry-After: 0.2\r\n", true),
        (500, "", false),
    ] {
        let place = Place::new();
        let listener = Listener::answering(move |number| {
            Some(match number {
                0 => answer(status, header, r#"{"error":{"message":"busy"}}"#),
                _ => reply(SUBMITS),
            })
        });
        configure(&place, &listener);
        Ran::of(&command(&place, &[]).output().unwrap()).code(0);
        let dir = "cb/logs/t-solo/solo/lighthouse_task/7/f1_f2";
        let trajectory = place.json(&format!("{dir}/solo_traj.json"));
        let lost = trajectory["messages"][2]["extra"]["rate_limited_seconds"].as_f64();
        let lost = lost.unwrap();
        // It begins with the refusal.
        assert_eq!(lost >= 0.1, is_lost, "{status} {header}: {lost}");
        assert_eq!(lost > 0.0, is_lost, "{status} {header}: {lost}");
    }
}

#[test]
fn a_trial_whose_time_is_up_in_a_pause_ends_with_what_the_endpoint_said() {
    let place = Place::new();
    let listener = Listener::answering(|_| {
        Some(answer(
            503,
            "Retry-After: 500\r\n",
            r#"{"error":{"message":"All lamps are busy."}}"#,
        ))
    });
    configure(&place, &listener);
    let more = "[attempts]\nmax_attempts = 1\n[limits]\ntask_timeout = \"3s\"\n[native]\nrate_limits_count = true\n";
    place.write(
        "regatta.toml",
        format!("{}{more}", place.read("regatta.toml")),
    );
    Ran::of(&command(&place, &[]).output().unwrap()).code(1);
    let result = place.json("cb/logs/t-solo/solo/lighthouse_task/7/f1_f2/result.json");
    let agent = &result["agent"];
    let error = agent["error"].as_str().unwrap();
    assert!(error.starts_with("regatta/overloaded: "), "{error}");
    assert!(
        error.ends_with(r#"(tried 1 time): {"error":{"message":"All lamps are busy."}}"#),
        "{error}"
    );
    // It was refused: nothing of it is billed.
    assert_eq!(agent["usage_unknown"], false);
    assert_eq!(agent["cost"], 0.0);
    assert_eq!(place.lines("t-solo", "ledger")[0]["cost"], 0.0);
}

#[test]
fn an_overload_that_lasts_for_hours_is_a_limit_with_its_time() {
    for status in [503, 529] {
        let place = Place::new();
        let listener = Listener::answering(move |_| {
            let body = r#"{"error":{"message":"The lamps are being mended."}}"#;
            Some(answer(status, "Retry-After: 7200\r\n", body))
        });
        configure(&place, &listener);
        let run = command(&place, &["--max-wait", "1h"]).output().unwrap();
        Ran::of(&run)
            .code(3)
            .says("`usage_limit`")
            .says("it resets at 20");
        assert_eq!(listener.asked().len(), 1);
    }
}

/// Refusals that last, however their endpoints say so: headers and a body.
fn lasting() -> Vec<String> {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(2);
    let seconds = at.as_second();
    let error = |text: &str| format!(r#"{{"error":{{"message":"{text}"}}}}"#);
    let after = |wait: u64| format!("Retry-After: {wait}\r\n");
    let apim = r#"{"statusCode":403,"message":"Out of call volume quota. Quota will be replenished in 01:28:30."}"#;
    let used_up = error(&format!("You've hit your usage limit. Try again at {at}"));
    [
        (
            429,
            String::new(),
            error("Token limit is exceeded. Try again in 02:13:07."),
        ),
        (
            429,
            String::new(),
            format!(r#"{{"error":{{"message":"no","resetsAt":"{at}"}}}}"#),
        ),
        (
            429,
            String::new(),
            format!(r#"{{"error":{{"message":"no","nextResetTime":{seconds}000}}}}"#),
        ),
        (
            429,
            String::new(),
            error("Your quota will be refreshed in 5h 3m."),
        ),
        (429, format!("Retry-After: {seconds}\r\n"), error("no")),
        (
            429,
            format!("X-RateLimit-Reset: {seconds}\r\n"),
            error("no"),
        ),
        (403, after(5310), apim.to_owned()),
        (403, String::new(), apim.to_owned()),
        (
            402,
            String::new(),
            error(&format!("The allowance is spent, it resets at {at}")),
        ),
        (400, after(7200), error("You have hit your usage limit")),
        (
            200,
            after(7200),
            r#"{"error":{"message":"slow down","code":429}}"#.to_owned(),
        ),
        (200, String::new(), used_up.clone()),
        (500, String::new(), used_up.clone()),
        (503, String::new(), used_up),
    ]
    .into_iter()
    .map(|(status, headers, body)| answer(status, &headers, &body))
    .collect()
}

#[test]
fn a_limit_that_lasts_is_one_however_its_endpoint_says_so() {
    for refusal in lasting() {
        let place = Place::new();
        let refused = refusal.clone();
        let listener = Listener::answering(move |_| Some(refused.clone()));
        configure(&place, &listener);
        let run = command(&place, &["--max-wait", "1h"]).output().unwrap();
        let ran = Ran::of(&run);
        assert_eq!(ran.code, Some(3), "{refusal}\n{}", ran.stderr);
        assert!(
            ran.stderr.contains("it resets at 20"),
            "{refusal}\n{}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains("`usage_limit`"),
            "{refusal}\n{}",
            ran.stderr
        );
        assert_eq!(listener.asked().len(), 1, "{refusal}");
    }
}

#[test]
fn a_limit_that_passes_soon_is_waited_for_in_the_call() {
    let error = |text: &str| format!(r#"{{"error":{{"message":"{text}"}}}}"#);
    let soon = || (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2)).as_second();
    let of_an_epoch = move || format!("Retry-After: {}\r\n", soon());
    let refusals: Vec<Box<dyn Fn() -> String + Send + Sync>> = vec![
        Box::new(move || {
            answer(
                429,
                "",
                &error("Rate limit is exceeded. Try again in 00:00:01."),
            )
        }),
        Box::new(move || answer(429, &of_an_epoch(), &error("no"))),
        Box::new(move || answer(429, "", &error("Our support is available 24 hours a day."))),
        Box::new(move || {
            answer(
                403,
                "Retry-After: 1\r\n",
                &error("Out of call volume quota. Quota will be replenished in 00:00:01."),
            )
        }),
        Box::new(move || answer(429, "", r#"{"retry":3000}"#)),
    ];
    for refused in refusals {
        let place = Place::new();
        let listener = Listener::answering(move |number| {
            Some(match number {
                0 => refused(),
                _ => reply(SUBMITS),
            })
        });
        configure(&place, &listener);
        Ran::of(&command(&place, &[]).output().unwrap()).code(0);
        assert_eq!(listener.asked().len(), 2);
    }
}

#[test]
fn through_upstream_a_quota_that_comes_back_is_a_limit() {
    for text in [
        "litellm.PermissionDeniedError: PermissionDeniedError: AzureException - Out of call volume quota. Quota will be replenished in 01:28:30.",
        "litellm.APIError: APIError: OpenAIException - Error code: 402 - The allowance is spent, it resets in 2 hours",
    ] {
        let mut bench = Bench::new(1);
        (bench.policy.max_wait, bench.policy.max_attempts) = (Duration::ZERO, 1);
        let (end, _) = bench.run(outcomes(&[(1, &[error(text, 0.0)])]));
        assert!(matches!(end, RunEnd::Limit(_)), "{end:?}");
        assert_eq!(bench.result(1)["regatta"]["cause"], "limit");
    }
}

/// A stand-in for the CLI with Claude Code in it: the limit stands in the agent's stream only.
const STAND_IN: &str = r#"#!/bin/sh
dir=logs/command-a-solo/solo/lighthouse_task/7/f1_f2
mkdir -p $dir
now=$(date +%Y-%m-%dT%H:%M:%S)
if [ -e ../begun ]; then
  agent='"status": "Submitted", "error": null'
  rm -f $dir/solo_stream.jsonl
else
  agent='"status": "Error", "error": null'
  cat > $dir/solo_stream.jsonl <<END
{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":$(($(date +%s) + 4)),"rateLimitType":"five_hour"}}
{"type":"result","subtype":"success","is_error":true,"api_error_status":429,"result":"You've hit your session limit"}
END
fi
echo "{\"run_id\": \"$$\", \"agent_framework\": \"claude_code\", \"started_at\": \"$now\", \"ended_at\": \"$now\", \"agent\": {$agent, \"cost\": 0.1, \"steps\": 3}}" > $dir/result.json
touch ../begun
"#;

#[test]
fn through_upstream_a_session_limit_is_waited_for() {
    let place = Place::new();
    install(
        &place,
        "0.0.11",
        &["mini_swe_agent"],
        &["--backend", "--no-auto-eval"],
    );
    place.write_program("cb/.venv/bin/cooperbench", STAND_IN);
    one_pair(&place);
    place.write(
        "regatta.toml",
        "[attempts]\nbackoff = \"1ms\"\nbackoff_max = \"1ms\"\n",
    );
    let args = ["--cooperbench-dir", "cb", "--setting", "solo", "-s", "one"];
    let ran = Ran::of(&command(&place, &args).output().unwrap());
    ran.code(0).says("a limit is reached, which resets at ");
    let run = "command-a-solo";
    assert_eq!(place.events(run, "waiting_for_reset").len(), 1);
    let ended = place.events(run, "trial_ended");
    assert_eq!(ended[0]["diagnosis"]["cause"], "limit");
    assert_eq!(ended[0]["diagnosis"]["evidence"]["rule"], "session_limit");
    assert_eq!((ended.len(), &ended[1]["finished"]), (2, &true.into()));
}
