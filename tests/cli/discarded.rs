//! Generations that were no reply are paid for: by the tokens that they told, or nobody knows.

use serde_json::{Value, json};

use crate::listener::{self, Listener, SUBMITS, answer, reply};
use crate::support::{Place, Ran};

const RUN: &str = "t-solo";

/// The cost of one call: 1000 tokens in and 100 out of Command A (2.5 and 10 USD per million).
const CALL: f64 = 0.0035;
/// That of one which wrote 4000.
const LONG_CALL: f64 = 0.0425;

/// One trial whose calls are tried twice, against what a listener answers after a first call.
fn run(place: &Place, answers: Vec<String>, more: &str) -> Ran {
    let listener = Listener::answering(move |number| {
        Some(match number.checked_sub(1) {
            None => reply("ls"),
            Some(nth) => answers[nth.min(answers.len() - 1)].clone(),
        })
    });
    let native = format!("call_tries = 2\nstep_limit = 6\n{more}");
    listener::configure(place, &listener, "command-a-03-2025", &native);
    let args = ["run", "--setting", "solo", "--smoke", "1", "--no-progress"];
    let output = place.beside_an_empty_daemon(&args).output().unwrap();
    Ran::of(&output)
}

fn agent(place: &Place) -> Value {
    let result = format!("cb/logs/{RUN}/solo/lighthouse_task/7/f1_f2/result.json");
    place.json(&result)["agent"].clone()
}

#[track_caller]
fn costs(place: &Place, usd: f64, is_partial: bool) {
    let line = place.lines(RUN, "ledger").remove(0);
    for of in [&line, &agent(place)] {
        let found = of["cost"].as_f64().unwrap();
        assert!((found - usd).abs() < 1e-9, "{found} is not {usd}: {of:#}");
        assert_eq!(of["usage_unknown"] == true, is_partial, "{of:#}");
    }
}

/// A generation that ended so and wrote 4000 tokens, if it says so.
fn ended(word: &str, is_told: bool) -> String {
    let usage = json!({"tokens": {"input_tokens": 1000, "output_tokens": 4000}});
    let body = json!({"finish_reason": word, "usage": is_told.then_some(usage),
        "message": {"role": "assistant", "content": [{"type": "text", "text": "I"}]}});
    answer(200, "", &body.to_string())
}

#[test]
fn the_tokens_of_a_generation_that_failed_are_booked() {
    for word in ["ERROR", "content_filter", "MALFORMED_FUNCTION_CALL"] {
        let place = Place::new();
        run(&place, vec![ended(word, true), reply(SUBMITS)], "").code(0);
        costs(&place, 2.0 * CALL + LONG_CALL, false);
        let line = place.lines(RUN, "ledger").remove(0);
        assert_eq!(line["usage"]["output_tokens"], 4200);
        // Where none comes in its place, they are all there is.
        let place = Place::new();
        run(&place, vec![ended(word, true)], "").code(1);
        // The model is told twice of a call that could not be read.
        let calls = if word == "MALFORMED_FUNCTION_CALL" {
            3.0
        } else {
            1.0
        };
        costs(&place, CALL + 2.0 * calls * LONG_CALL, false);
    }
}

#[test]
fn what_only_some_of_the_tries_told_is_the_known_part() {
    let place = Place::new();
    let answers = vec![ended("ERROR", true), ended("ERROR", false)];
    run(&place, answers, "").code(1);
    costs(&place, CALL + LONG_CALL, true);
}

#[test]
fn generations_that_failed_count_towards_the_cost_limit() {
    let place = Place::new();
    let failed = vec![ended("MALFORMED_FUNCTION_CALL", true)];
    run(&place, failed, "cost_limit = 0.08").code(0);
    assert_eq!(agent(&place)["status"], "CostLimitExceeded");
    costs(&place, CALL + 2.0 * LONG_CALL, false);
}

/// Nobody knows what became of a request that was read.
#[test]
fn a_call_that_broke_after_it_was_sent_may_be_billed() {
    for broken in [
        String::new(),
        answer(504, "", "<html>Gateway Time-out</html>"),
        answer(524, "", "error code: 524"),
    ] {
        let place = Place::new();
        run(&place, vec![broken.clone()], "").code(1);
        costs(&place, CALL, true);
        let place = Place::new();
        run(&place, vec![broken, reply(SUBMITS)], "").code(0);
        costs(&place, 2.0 * CALL, true);
    }
}
