//! `doctor` asks the model as a run does, and a run says of a refusal what `doctor` says.

use serde_json::{Value, json};

use crate::access::{NATIVE, Set, v1};
use crate::listener::{Asked, Listener, answer, redirect};
use crate::support::Place;

const KEY: (&str, &str) = ("OPENAI_API_KEY", "sk-own");
const FIRST: &str = "[experiment]\nmodel = \"openai/m\"\n";
const SECOND: &str = "[experiment]\nmodel = \"openai/m\"\nagent = \"mini_swe_agent_v2\"\n";

/// A request without what is said in it: its roles, and every parameter.
fn form(asked: &Asked) -> Value {
    let mut body = asked.body.clone();
    let said = body["messages"].as_array().unwrap();
    body["messages"] = said.iter().map(|message| message["role"].clone()).collect();
    body
}

#[test]
fn what_doctor_asks_is_what_the_first_call_of_a_run_asks() {
    let cohere = "[experiment]\nengine = \"native\"\n[native]\ncall_tries = 1\n";
    let kwargs = "model: {model_kwargs: {temperature: 0.25, max_tokens: 77, drop_params: true, extra_body: {top_k: 3}}}\n";
    let fenced = "agent: {action_regex: '<run>(.*?)</run>'}\n";
    for config in [NATIVE, cohere] {
        for agent in [None, Some(kwargs), Some(fenced)] {
            let own = Listener::new();
            let base = v1(&own);
            let env = [
                ("OPENAI_API_BASE", &*base),
                ("COHERE_API_BASE", &*base),
                KEY,
                ("COHERE_API_KEY", "sk-own"),
            ];
            let set = Set {
                env: &env,
                config,
                agent,
                ..Set::default()
            };
            let place = Place::new();
            assert_eq!(set.doctor(&place)("model")["level"], "pass", "{agent:?}");
            set.run(&place);
            let asked = own.asked();
            assert_eq!(form(&asked[0]), form(&asked[1]));
            assert_eq!(asked[0].path, asked[1].path);
            let body = form(&asked[0]);
            assert_eq!(body["messages"], json!(["system", "user"]));
            assert_eq!(body["tools"].is_null(), agent == Some(fenced), "{body}");
            let max_tokens = if agent == Some(kwargs) {
                json!(77)
            } else {
                Value::Null
            };
            assert_eq!(body["max_tokens"], max_tokens);
        }
    }
}

#[test]
fn upstreams_agents_are_asked_for_with_the_tools_and_parameters_that_they_have() {
    let kwargs = "config: {model: {model_kwargs: {temperature: 0.25, drop_params: true}}}\n";
    for (config, tools, parameter) in [
        (FIRST, Value::Null, Value::Null),
        (SECOND, json!(1), json!(0.25)),
    ] {
        let own = Listener::new();
        let base = v1(&own);
        let env = [("OPENAI_API_BASE", &*base), KEY];
        let set = Set {
            env: &env,
            config,
            agent: Some(kwargs),
            ..Set::default()
        };
        assert_eq!(set.doctor(&Place::new())("model")["level"], "pass");
        let body = own.asked()[0].body.clone();
        let offered = body["tools"].as_array().map(Vec::len);
        assert_eq!(json!(offered), tools);
        assert_eq!(body["temperature"], parameter);
        assert!(
            body["max_tokens"].is_null() && body["drop_params"].is_null(),
            "{body}"
        );
    }
}

/// The first version reads commands from text: no tool call is no shortcoming of its model.
#[test]
fn a_model_without_tool_calls_is_fit_for_who_needs_none() {
    let text =
        json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}}]});
    let answer = answer(200, "", &text.to_string());
    for (config, level) in [(FIRST, "pass"), (SECOND, "warn"), (NATIVE, "warn")] {
        let answer = answer.clone();
        let own = Listener::answering(move |_| Some(answer.clone()));
        let base = v1(&own);
        let env = [("OPENAI_API_BASE", &*base), KEY];
        let set = Set {
            env: &env,
            config,
            ..Set::default()
        };
        let model = set.doctor(&Place::new())("model");
        assert_eq!(model["level"], level, "{model}");
        assert!(
            !model["remedy"].as_str().unwrap().contains("mini_swe_agent"),
            "{model}"
        );
    }
}

/// litellm goes where it is sent, and leaves the key behind; a POST stays one by 307 and 308.
#[test]
fn a_redirect_is_followed_where_the_run_follows_it() {
    for status in [307, 308] {
        let other = Listener::new();
        let answer = redirect(status, &format!("{}/chat/completions", v1(&other)));
        let own = Listener::answering(move |_| Some(answer.clone()));
        let base = v1(&own);
        let env = [("OPENAI_API_BASE", &*base), KEY];
        let set = Set {
            env: &env,
            config: SECOND,
            ..Set::default()
        };
        assert_eq!(set.doctor(&Place::new())("model")["level"], "pass");
        assert_eq!(own.keys(), [Some("Bearer sk-own".to_owned())]);
        assert_eq!(other.keys(), [None]);
        assert_eq!(other.asked()[0].body, own.asked()[0].body);
    }
}

#[test]
fn the_first_refused_call_of_a_run_says_what_doctor_says() {
    let config = format!("{NATIVE}[attempts]\nmax_attempts = 1\n");
    let refused = |text: &str| json!({"error": {"message": text}}).to_string();
    let too_long = "max_tokens 9000 and your prompt exceed this model's maximum context length";
    for (answer, level) in [
        (answer(401, "", &refused("no such key here")), "fail"),
        (answer(402, "", &refused("the purse is empty")), "fail"),
        (answer(404, "", &refused("what is m?")), "fail"),
        (
            answer(400, "", &refused("this field is not allowed: tools")),
            "fail",
        ),
        // Nothing was said before it: this is the setting's, and no agent's.
        (answer(400, "", &refused(too_long)), "fail"),
        (answer(413, "", "too large"), "fail"),
        // What a run tries again.
        (answer(429, "", &refused("slow down")), "warn"),
        (answer(500, "", &refused("it broke")), "warn"),
        (answer(503, "", "busy"), "warn"),
        (answer(200, "", "<html>a page</html>"), "fail"),
        (redirect(302, "http://127.0.0.1:1/elsewhere"), "fail"),
    ] {
        let given = answer.clone();
        let own = Listener::answering(move |_| Some(given.clone()));
        let base = v1(&own);
        let env = [("OPENAI_API_BASE", &*base), KEY];
        let set = Set {
            env: &env,
            config: &config,
            ..Set::default()
        };
        let place = Place::new();
        let model = set.doctor(&place)("model");
        assert_eq!(model["level"], level, "{answer}");
        let (what, remedy) = (
            model["evidence"].as_str().unwrap(),
            model["remedy"].as_str().unwrap(),
        );
        assert!(what.ends_with("(named by OPENAI_API_BASE)"), "{what}");
        let told = format!("the model refused a call: {what}; {remedy}");
        let ran = set.run(&place).says(&told);
        assert_eq!(ran.stderr.matches("the model refused a call").count(), 1);
        for word in ["mini_swe_agent", "v1 "] {
            assert!(!remedy.contains(word), "{remedy}");
        }
        let notes = place.events("m-solo", "note");
        assert!(notes.iter().any(|note| note["text"] == told), "{notes:?}");
    }
}

/// Clusters keep programs out of `/tmp`: what to do is said before a trial begins.
#[test]
fn a_directory_for_temporary_files_that_runs_no_programs_is_named() {
    let place = Place::new();
    place.write("noexec/x", "");
    place.write(
        "regatta.toml",
        "[experiment]\nengine = \"native\"\nmodel = \"openai/m\"\n[upstream]\ncooperbench_dir = \"cb\"\n",
    );
    let dir = place.join("noexec").display().to_string();
    let doctor = place.regatta(&["doctor", "--backend", "namespace", "--no-model-call"]);
    // The mount is this namespace's, and goes with it.
    let output = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
        .arg("mount -t tmpfs -o noexec none \"$TMPDIR\" && exec \"$0\" \"$@\"")
        .arg(doctor.get_program())
        .args(doctor.get_args())
        .current_dir(place.path())
        .env("TMPDIR", &dir)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let why = format!("in {dir}");
    for words in [&*why, "mounted with `noexec`", "TMPDIR"] {
        assert!(said.contains(words), "{words}: {output:?}");
    }
}
