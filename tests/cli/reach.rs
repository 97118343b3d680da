//! Whether the endpoint is there is known before anything runs.

use std::io::Write as _;

use serde_json::Value;

use crate::access::{NATIVE, Set, v1};
use crate::listener::{self, Listener, answer};
use crate::support::{Place, Ran, http};

const KEY: (&str, &str) = ("OPENAI_API_KEY", "sk-own");
const NOBODY: &str = "http://127.0.0.1:1/v1";
const UPSTREAM: &str = "[experiment]\nmodel = \"openai/m\"\n";

/// The check of the connection, by `doctor` with no call of the model.
fn connection(config: &str, base: &str, env: &[(&str, &str)]) -> Value {
    let set = Set {
        args: &["--no-model-call", "--api-base", base],
        env: &[&[KEY], env].concat(),
        config,
        ..Set::default()
    };
    set.doctor(&Place::new())("connection")
}

#[test]
fn doctor_says_whether_the_endpoint_is_there() {
    for config in [NATIVE, UPSTREAM] {
        let there = connection(config, &v1(&Listener::new()), &[]);
        assert_eq!(there["level"], "pass", "{there}");
        let gone = connection(config, NOBODY, &[]);
        assert_eq!(gone["level"], "fail", "{gone}");
        let evidence = gone["evidence"].as_str().unwrap();
        let said = format!("no connection to {NOBODY} (upstream.api_base): Connection refused");
        assert!(evidence.starts_with(&said), "{evidence}");
        let remedy = gone["remedy"].as_str().unwrap();
        assert!(remedy.contains("--api-base"), "{remedy}");
    }
}

/// litellm has certificates of its own.
#[test]
fn a_handshake_that_fails_here_may_succeed_for_upstream() {
    let plain = http::serve(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Said\r\n\r\n");
    });
    let base = plain.replace("http:", "https:");
    for (config, level) in [(NATIVE, "fail"), (UPSTREAM, "warn")] {
        let found = connection(config, &base, &[]);
        assert_eq!(found["level"], level, "{found}");
    }
}

#[test]
fn an_endpoint_behind_a_proxy_is_looked_at_through_it() {
    let proxy = Listener::answering(|_| Some(answer(404, "", "")));
    let env = [("HTTP_PROXY", &*proxy.base)];
    let there = connection(NATIVE, "http://model.invalid/v1", &env);
    assert_eq!(there["level"], "pass", "{there}");
    // What does not let through is named, without its password.
    let closed = Listener::answering(|_| Some(answer(503, "", "")));
    let with_password = closed.base.replace("//", "//me:hush@");
    let env = [("HTTPS_PROXY", &*with_password)];
    let gone = connection(NATIVE, "https://model.invalid/v1", &env);
    assert_eq!(gone["level"], "fail", "{gone}");
    let text = gone.to_string();
    assert!(text.contains("through the proxy http://"), "{text}");
    assert!(
        text.contains("NO_PROXY") && !text.contains("hush"),
        "{text}"
    );
}

#[test]
fn a_run_does_not_start_where_nobody_is_and_does_without_preflight() {
    let (place, listener) = (Place::new(), Listener::new());
    listener::configure(&place, &listener, "openai/m", "call_tries = 1");
    let run = |more: &[&str]| {
        let args = [&["run", "--setting", "solo", "--no-progress"], more].concat();
        Ran::of(&place.beside_an_empty_daemon(&args).output().unwrap())
    };
    let gone = run(&["--api-base", NOBODY]);
    let said = format!("connection: no connection to {NOBODY} (upstream.api_base): ");
    gone.code(3)
        .says(&said)
        .says("--no-preflight starts all the same");
    assert_eq!(place.lines("t-solo", "ledger"), Vec::<Value>::new());
    run(&["--api-base", NOBODY, "--no-preflight", "--smoke", "1"]);
    assert_eq!(place.lines("t-solo", "ledger").len(), 1);
    run(&[]).code(0);
    assert_eq!(listener.looks(), 1);
    // What has finished asks nobody.
    run(&[]).code(0).says("nothing to do");
    assert_eq!(listener.looks(), 1);
}
