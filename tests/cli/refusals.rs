//! What an endpoint's refusals mean, in the words of many: for the native engine's agents, which
//! meet them themselves, and for triage, which reads them in litellm's texts.

use std::fmt::Write as _;

use regatta::triage::Rules;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::listener::{self, Listener, SUBMITS, answer, reply};
use crate::support::{Place, Ran};

#[derive(Deserialize)]
struct Corpus {
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    status: u16,
    body: String,
    rule: String,
    triage: Option<String>,
    like: String,
}

fn corpus() -> Vec<Case> {
    let corpus: Corpus = toml::from_str(include_str!("../data/refusals.toml")).unwrap();
    let mut cases = corpus.case;
    let pad = "It says other things at length first. ".repeat(24);
    for case in &mut cases {
        case.body = case.body.replace("PAD", &pad);
        serde_json::from_str::<Value>(&case.body).unwrap_or_else(|_| panic!("{}", case.like));
    }
    assert!(cases.len() >= 80);
    cases
}

/// A checkout whose one task has so many pairs at least.
fn pairs(place: &Place, number: usize) -> Vec<String> {
    let mut features = 2;
    while features * (features - 1) / 2 < number {
        features += 1;
    }
    let task = "own/dataset/pier_task/task1";
    for file in ["runner.sh", "combined.patch", "Dockerfile"] {
        place.write(&format!("{task}/{file}"), "");
    }
    let subset = json!({"name": "lite", "tasks": [{"repo": "pier_task", "task_id": 1}]});
    place.write("own/dataset/subsets/lite.json", subset.to_string());
    let mut names = Vec::new();
    for feature in 1..=features {
        let dir = format!("{task}/feature{feature}");
        place.write(
            &format!("{dir}/feature.md"),
            format!("Build pier {feature}."),
        );
        place.write(&format!("{dir}/feature.patch"), "");
        place.write(&format!("{dir}/tests.patch"), "");
        names.extend((feature + 1..=features).map(|other| format!("f{feature}_f{other}")));
    }
    names.truncate(number);
    names
}

const RUN: &str = "own/logs/t-solo";

fn configure(place: &Place, listener: &Listener, tries: u32) {
    let native = format!("call_tries = {tries}\n[breaker]\nbreaker_trials = 1000\n");
    listener::configure(place, listener, "openai/m", &native);
}

/// Runs the first pairs, and gives the error of each.
fn run(place: &Place, pairs: &[String]) -> (Ran, Vec<String>) {
    let number = pairs.len().to_string();
    let args = [
        "run",
        "--cooperbench-dir",
        "own",
        "--setting",
        "solo",
        "--no-progress",
        "--smoke",
        &number,
    ];
    let output = place.beside_an_empty_daemon(&args).output().unwrap();
    let ran = Ran::of(&output);
    let errors = pairs.iter().map(|pair| {
        let path = format!("{RUN}/solo/pier_task/1/{pair}/result.json");
        assert!(place.join(&path).exists(), "{path}\n{}", ran.stderr);
        let error = &place.json(&path)["agent"]["error"];
        error.as_str().unwrap_or_default().to_owned()
    });
    let errors = errors.collect();
    (ran, errors)
}

fn refused(status: u16, body: impl std::fmt::Display) -> String {
    answer(status, "", &body.to_string())
}

#[test]
fn a_conversation_that_is_refused_is_refused_for_what_the_endpoint_says() {
    let cases = corpus();
    let answers: Vec<String> = cases
        .iter()
        .map(|case| refused(case.status, &case.body))
        .collect();
    // Each agent gives a command, and its next request is refused.
    let listener = Listener::answering(move |number| {
        let case = number / 2;
        Some(if number % 2 == 0 {
            reply("ls")
        } else {
            answers[case].clone()
        })
    });
    let place = Place::new();
    let pairs = pairs(&place, cases.len());
    configure(&place, &listener, 1);
    let (_, errors) = run(&place, &pairs);
    let mut wrong = String::new();
    for (case, error) in cases.iter().zip(&errors) {
        // After an answer to the same settings, a setting is not what it says.
        let rule = match case.rule.as_str() {
            "bad_request" => "conversation_refused",
            rule => rule,
        };
        if !error.starts_with(&format!("regatta/{rule}: ")) {
            let _ = writeln!(wrong, "{} ({}): {error:.200}", case.like, case.rule);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    // None was asked again.
    assert_eq!(listener.asked().len(), 2 * cases.len());
}

/// The class that litellm gives a status whatever the provider.
fn class_of(status: u16) -> &'static str {
    match status {
        401 => "AuthenticationError",
        403 => "PermissionDeniedError",
        404 => "NotFoundError",
        408 | 504 => "Timeout",
        429 => "RateLimitError",
        500 => "InternalServerError",
        502 => "BadGatewayError",
        503 => "ServiceUnavailableError",
        400..=499 => "BadRequestError",
        _ => "APIError",
    }
}

/// litellm's texts for a refusal: of Cohere's wire and `OpenRouter`'s it quotes the body, of `OpenAI`'s
/// it tells the message. Both of these have the class of all other statuses for 403, 402 and 413.
fn litellms(case: &Case) -> Vec<String> {
    let body: Value = serde_json::from_str(&case.body).unwrap();
    let class = class_of(case.status);
    let known = |classes: &[u16]| classes.contains(&case.status);
    let named = |class: &str| format!("litellm.{class}: {class}: ");
    let cohere = if known(&[400, 500]) {
        "Cohere"
    } else {
        "Cohere_chat"
    };
    let openrouter = match case.status {
        400 => "litellm.BadRequestError: ".to_owned(),
        404 | 422 | 429 | 503 => named(class),
        _ => named("APIError"),
    };
    let openai = match case.status {
        400 | 422 => "litellm.BadRequestError: ".to_owned(),
        404 | 429 | 500 | 502 | 503 => named(class),
        _ => named("APIError"),
    };
    let mut texts = vec![
        format!("litellm.{class}: {cohere}Exception - {}", case.body),
        format!("{openrouter}OpenrouterException - {}", case.body),
    ];
    let messages = [&body["error"]["message"], &body["message"]];
    if let Some(message) = messages.into_iter().find_map(Value::as_str) {
        texts.push(format!("{openai}OpenAIException - {message}"));
    }
    texts
}

#[test]
fn triage_reads_the_same_refusals_in_litellms_texts() {
    let rules = Rules::shipped();
    let mut wrong = String::new();
    // litellm loses what comes with a 200.
    for case in corpus().iter().filter(|case| case.status != 200) {
        let cause = case.triage.clone().unwrap_or_else(|| {
            let rule = rules
                .get(&case.rule)
                .unwrap_or_else(|| panic!("{}", case.rule));
            rule.cause.to_string()
        });
        for text in litellms(case) {
            // It tells nothing else of a text within the provider's.
            if text.ends_with("Provider returned error") {
                continue;
            }
            let found = rules.find(&text, None);
            if found.is_none_or(|rule| rule.cause.to_string() != cause) {
                let found = found.map(|rule| rule.id.as_str());
                let _ = writeln!(wrong, "{found:?}, not {cause}: {text:.300}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The first request holds the prompt and the settings, and nothing of the agent's.
#[test]
fn a_refusal_of_the_first_request_is_never_the_agents() {
    let long = json!({"error": {"message": "max_tokens is too large: 64000. This model's maximum context length is 32768 tokens and your request has 900 input tokens."}});
    let filtered = json!({"error": {"code": "content_filter", "message": "It was filtered."}});
    for (status, body, rule, code) in [
        (400, &long, "first_prompt_too_long", 3),
        (413, &json!("Payload Too Large"), "first_prompt_too_long", 3),
        (400, &filtered, "first_prompt_filtered", 1),
    ] {
        let answered = refused(status, body);
        let listener = Listener::answering(move |_| Some(answered.clone()));
        let place = Place::new();
        let pairs = pairs(&place, 1);
        configure(&place, &listener, 1);
        let (ran, errors) = run(&place, &pairs);
        assert!(
            errors[0].starts_with(&format!("regatta/{rule}: ")),
            "{errors:?}"
        );
        ran.code(code);
        assert_eq!(listener.asked().len(), 1);
    }
}

/// Upstream's results say the same of their first requests, by the trajectory.
#[test]
fn a_first_request_of_upstreams_that_is_refused_is_not_the_agents_either() {
    let place = Place::new();
    let text =
        "litellm.ContextWindowExceededError: OpenAIException - maximum context length is 8192";
    let refused = "litellm.BadRequestError: OpenAIException - Error code: 400";
    for (pair, error, replies, tag) in [
        ("f1_f2", text, 0, "first_prompt_too_long"),
        ("f1_f3", text, 3, "context_window"),
        ("f2_f3", refused, 3, "conversation_refused"),
    ] {
        let dir = format!("cb/logs/u-solo/solo/harbor_task/1/{pair}");
        let result = json!({"run_id": pair, "agent": {"status": "Error", "cost": 0.1,
            "steps": replies + 1, "error": error}});
        place.write(&format!("{dir}/result.json"), result.to_string());
        let mut messages = vec![json!({"role": "user", "content": "Build it."})];
        messages.resize(
            1 + replies,
            json!({"role": "assistant", "content": "I look."}),
        );
        let trajectory = json!({"messages": messages});
        place.write(&format!("{dir}/solo_traj.json"), trajectory.to_string());
        place.run(&["triage", "--cooperbench-dir", "cb"]).code(0);
        let tagged = place.json(&format!("{dir}/result.json"));
        assert_eq!(tagged["regatta"]["evidence"]["rule"], tag, "{tagged:#}");
    }
}

const PAGE: &str = "<html><head><title>Not here</title></head></html>";

/// A gateway that reloads is no setting.
#[test]
fn a_route_that_is_gone_for_a_moment_is_asked_for_again() {
    for (status, body) in [
        (404, ""),
        (404, r#"{"detail":"Not Found"}"#),
        (403, PAGE),
        (421, ""),
    ] {
        // In the middle of a conversation, and at the beginning of the next one.
        let listener = Listener::answering(move |number| {
            Some(match number {
                0 => reply("ls"),
                1 | 3 => refused(status, body),
                _ => reply(crate::listener::SUBMITS),
            })
        });
        let place = Place::new();
        let pairs = pairs(&place, 2);
        configure(&place, &listener, 2);
        let (ran, errors) = run(&place, &pairs);
        assert_eq!(errors, ["", ""], "{status} {body}");
        ran.code(0);
        assert_eq!(listener.asked().len(), 5);
    }
}

#[test]
fn a_route_that_stays_away_ends_the_trial_and_an_account_or_a_model_the_run() {
    let gone = r#"{"error":{"message":"The model `m` has been retired"}}"#;
    for (status, body, rule, code) in [
        (404, "", "route_lost", 1),
        (404, PAGE, "route_lost", 1),
        (302, "", "route_lost", 1),
        (426, "", "route_lost", 1),
        (504, "", "timeout", 1),
        (501, "", "conversation_refused", 1),
        (404, gone, "unknown_model", 3),
        (410, "", "unknown_model", 3),
        (401, "", "authentication", 3),
        (401, PAGE, "authentication", 3),
        (403, r#"{"message":"Forbidden"}"#, "permission_denied", 3),
        (451, "", "permission_denied", 3),
        (308, "", "redirect", 3),
    ] {
        let listener = Listener::answering(move |number| {
            Some(match number {
                0 => reply("ls"),
                _ => refused(status, body),
            })
        });
        let place = Place::new();
        let pairs = pairs(&place, 1);
        configure(&place, &listener, 1);
        let (ran, errors) = run(&place, &pairs);
        let begin = format!("regatta/{rule}: ");
        assert!(errors[0].starts_with(&begin), "{status} {body}: {errors:?}");
        ran.code(code);
    }
}

/// Nothing was answered before: it is the address.
#[test]
fn a_route_that_was_never_there_is_a_setting() {
    for (status, rule) in [
        (404, "unknown_model"),
        (405, "bad_base_url"),
        (302, "redirect"),
    ] {
        let listener = Listener::answering(move |_| Some(refused(status, "")));
        let place = Place::new();
        let pairs = pairs(&place, 1);
        configure(&place, &listener, 3);
        let (ran, errors) = run(&place, &pairs);
        let begin = format!("regatta/{rule}: ");
        assert!(errors[0].starts_with(&begin), "{status}: {errors:?}");
        ran.code(3);
        assert_eq!(listener.asked().len(), 1);
    }
}

/// A code in the body of a 200 means what it means as a status.
#[test]
fn a_rate_limit_in_a_200_slows_the_pace_and_is_asked_again() {
    let body = json!({"error": {"code": 429, "message": "slow down"}});
    let listener = Listener::answering(move |number| {
        Some(match number {
            0 => reply("ls"),
            1 => refused(200, &body),
            _ => reply(SUBMITS),
        })
    });
    let place = Place::new();
    let pairs = pairs(&place, 1);
    configure(&place, &listener, 2);
    run(&place, &pairs).0.code(0);
    let result = place.json("own/logs/t-solo/solo/pier_task/1/f1_f2/result.json");
    assert_eq!(result["agent"]["status"], "Submitted");
    assert!(result["agent"]["rate_limited_seconds"].as_f64().unwrap() > 0.0);
}

/// Whatever its status is, and nothing is paid for it.
#[test]
fn a_limit_or_a_failure_in_another_envelope_is_asked_again() {
    let answers = [
        (
            400,
            r#"{"error":{"message":"Provider returned error","code":429}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"Internal error","type":"server_error"}}"#,
        ),
        (
            400,
            r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#,
        ),
        (
            403,
            r#"{"message":"You have exceeded a secondary rate limit."}"#,
        ),
        (200, r#"{"error":"rate_limit_exceeded"}"#),
    ];
    let refusals = answers.map(|(status, body)| refused(status, body));
    let number_of = refusals.len();
    let listener = Listener::answering(move |number| {
        Some(match number % 3 {
            0 => reply("ls"),
            1 => refusals[number / 3].clone(),
            _ => reply(SUBMITS),
        })
    });
    let place = Place::new();
    let pairs = pairs(&place, number_of);
    configure(&place, &listener, 2);
    run(&place, &pairs).0.code(0);
    let run = RUN.replace('N', &number_of.to_string());
    for (pair, (status, body)) in pairs.iter().zip(answers) {
        let result = place.json(&format!("{run}/solo/pier_task/1/{pair}/result.json"));
        let agent = &result["agent"];
        assert_eq!(agent["status"], "Submitted", "{status} {body}: {agent:#}");
        assert_eq!(agent["usage_unknown"], false, "{status} {body}");
    }
}

/// Also where the refusal shows what its model thought, or comes with another status.
#[test]
fn a_field_that_is_refused_is_left_out_whatever_else_the_refusal_says() {
    let thought = "I wonder about the maximum context length.";
    let message = |text: String| json!({"error": {"message": text}}).to_string();
    let answers = [
        (400, message(format!(
            "Extra inputs are not permitted, field: 'messages[2].reasoning_content', value: '{thought}'"
        ))),
        (400, message(format!(
            "{{'role': 'assistant', 'content': '', 'reasoning_content': '{thought}'}} is not valid under any of the given schemas - 'messages.2'"
        ))),
        (400, message("messages[2]: unknown field `reasoning_content`, expected one of the required fields `role`, `content`".to_owned())),
        (400, message("reasoning_content is not required here and must not be sent".to_owned())),
        (400, message("Unrecognized key(s) in object: 'reasoningContent'".to_owned())),
        (403, message("Unsupported field reasoning_content".to_owned())),
        (415, message("reasoning_content not allowed".to_owned())),
        (500, message("AssistantMessage.__init__() got an unexpected keyword argument 'reasoning_content'".to_owned())),
    ];
    let refusals = answers.clone().map(|(status, body)| refused(status, body));
    let number_of = refusals.len();
    let call = json!({"id": "c1", "type": "function",
        "function": {"name": "bash", "arguments": r#"{"command": "ls"}"#}});
    let thinks = json!({"choices": [{"message": {"role": "assistant", "content": "",
        "reasoning_content": thought, "tool_calls": [call]}}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100}});
    let listener = Listener::answering(move |number| {
        Some(match number % 3 {
            0 => refused(200, &thinks),
            1 => refusals[number / 3].clone(),
            _ => reply(SUBMITS),
        })
    });
    let place = Place::new();
    let pairs = pairs(&place, number_of);
    configure(&place, &listener, 3);
    let (ran, errors) = run(&place, &pairs);
    assert_eq!(errors, vec![""; number_of]);
    ran.code(0);
    let asked = listener.asked();
    assert_eq!(asked.len(), 3 * number_of);
    for (nth, (status, body)) in answers.iter().enumerate() {
        let has = |number: usize| asked[3 * nth + number].body.to_string().contains(thought);
        assert_eq!([has(1), has(2)], [true, false], "{status} {body}");
    }
}

/// By the words that providers and servers have for it, in the places where they have them.
#[test]
fn a_generation_that_did_not_end_as_it_should_is_no_turn_of_the_agents() {
    let choice = |finish: Value, text: &str| json!({"finish_reason": finish, "message": {"role": "assistant", "content": text}});
    let mut behind = choice(Value::Null, "Now I");
    behind["native_finish_reason"] = json!("network_error");
    let mut ends = vec![
        (behind, "malformed_response"),
        (
            choice(json!({"type": "abort"}), "Now I"),
            "malformed_response",
        ),
        (
            choice(json!("malformed_model_output"), "<fun"),
            "malformed_response",
        ),
        (choice(json!("blocked"), "Now I"), "content_policy"),
        (choice(json!("violation"), "Now I"), "content_policy"),
    ];
    for word in [
        "preempted",
        "out_of_memory",
        "disconnected",
        "modelUnloaded",
        "throttled",
    ] {
        ends.push((choice(json!(word), "Now I"), "malformed_response"));
    }
    let answers: Vec<String> = ends
        .iter()
        .map(|(choice, _)| {
            let body = json!({"choices": [choice],
                "usage": {"prompt_tokens": 1000, "completion_tokens": 9}});
            refused(200, body)
        })
        .collect();
    let listener = Listener::answering(move |number| {
        Some(match number % 2 {
            0 => reply("ls"),
            _ => answers[number / 2].clone(),
        })
    });
    let place = Place::new();
    let pairs = pairs(&place, ends.len());
    configure(&place, &listener, 1);
    let (_, errors) = run(&place, &pairs);
    for ((choice, rule), error) in ends.iter().zip(&errors) {
        let begin = format!("regatta/{rule}: ");
        assert!(error.starts_with(&begin), "{choice}: {error}");
    }
}
