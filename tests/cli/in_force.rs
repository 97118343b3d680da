//! What commands say of engine, backend, endpoint and key: what is in force.

use crate::access::{NATIVE, Set, asks, v1};
use crate::listener::Listener;
use crate::support::{Place, Ran};

#[test]
fn config_names_the_endpoint_and_the_key_in_force_and_shows_no_key() {
    for config in [NATIVE, "[experiment]\nmodel = \"openai/m\"\n"] {
        let place = Place::new();
        place.write("regatta.toml", config);
        let mut regatta = place.regatta(&["config"]);
        regatta.env("OPENAI_API_BASE", "http://user:hush@127.0.0.1:1/v1");
        regatta.env("OPENAI_API_KEY", "sk-hush");
        let ran = Ran::of(&regatta.output().unwrap()).code(0);
        assert!(!ran.stdout.contains("hush"), "{}", ran.stdout);
        ran.prints("# endpoint in force: http://user:****@127.0.0.1:1/v1 (OPENAI_API_BASE)")
            .prints("# key in force: OPENAI_API_KEY");
    }
}

/// What a run is made of stands in its manifest: the configuration of today says nothing of it.
#[test]
fn status_speaks_of_the_runs_own_engine_backend_and_concurrency() {
    let (place, own) = (Place::new(), Listener::new());
    let base = v1(&own);
    let env = [("OPENAI_API_BASE", &*base), ("OPENAI_API_KEY", "sk-own")];
    let args = ["--concurrency", "7"];
    let set = Set {
        args: &args,
        env: &env,
        config: NATIVE,
        ..Set::default()
    };
    set.run(&place).code(0);
    place.write("regatta.toml", "[experiment]\nconcurrency = 2\n");
    place
        .run(&["status", "--cooperbench-dir", "cb"])
        .code(0)
        .prints(&format!(
            "engine native, agent regatta, backend fake, 7 pairs at a time, model openai/m at {base}"
        ));
}

/// A run that upstream's own CLI began is not resumed by a command of regatta's.
#[test]
fn status_offers_no_command_that_did_not_begin_the_run() {
    let place = Place::new();
    place.write(
        "cb/logs/x-solo/config.json",
        r#"{"run_name": "x-solo", "total_tasks": 6}"#,
    );
    let result = r#"{"run_id": "a", "model": "openai/m", "agent": {"status": "Submitted", "cost": 0.5, "steps": 7}}"#;
    place.write(
        "cb/logs/x-solo/solo/harbor_task/1/f1_f2/result.json",
        result,
    );
    place
        .run(&["status", "--cooperbench-dir", "cb"])
        .code(0)
        .prints("not running, 5 left; the cooperbench command that began it resumes")
        .prints("cost of the results that stand $0.50, spent $0.50 (no ledger)");
}

#[test]
fn doctor_takes_the_flags_of_run_and_speaks_of_what_they_mean() {
    let (place, own) = (Place::new(), Listener::new());
    let base = v1(&own);
    place.write("tapes/keep", "");
    let args = [
        "--engine",
        "native",
        "--backend",
        "fake",
        "-m",
        "openai/m",
        "-c",
        "3",
        "--setting",
        "solo",
        "--api-base",
        &base,
        "--git",
        "--command-timeout",
        "9s",
    ];
    let set = Set {
        args: &args,
        env: &[("OPENAI_API_KEY", "sk-own")],
        ..Set::default()
    };
    let checks = set.doctor(&place);
    assert_eq!(checks("model")["level"], "pass");
    let engine = checks("engine")["evidence"].to_string();
    assert!(engine.contains(&format!("native, agent regatta, backend fake, 3 pairs at a time, model openai/m at {base} (upstream.api_base)")), "{engine}");
    // A replay asks nobody.
    let before = own.asked().len();
    let replay = [&args[..], &["--replay", "tapes"]].concat();
    let set = Set {
        args: &replay,
        ..Set::default()
    };
    let checks = set.doctor(&place);
    assert_eq!(
        (&checks("model")["level"], &checks("key")["level"]),
        (&"pass".into(), &"pass".into())
    );
    assert_eq!(own.asked().len(), before);
    // Redis is for a setting with messages: without one it is not asked for.
    let upstream = Set {
        args: &["--setting", "solo", "--no-model-call"],
        ..Set::default()
    };
    let ran = upstream.command(&place, &["doctor"]);
    assert!(!ran.stdout.contains("redis"), "{}", ran.stdout);
    let upstream = Set {
        args: &["--setting", "coop-comm", "--no-model-call"],
        ..Set::default()
    };
    upstream.command(&place, &["doctor"]).prints("redis");
}

/// With the native engine nothing is said of what only upstream's has.
#[test]
fn advice_is_of_the_engine_in_force() {
    let place = Place::new();
    let silent = Listener::answering(|_| {
        Some("HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned())
    });
    let base = v1(&silent);
    let env = [("OPENAI_API_BASE", &*base), ("OPENAI_API_KEY", "sk-own")];
    let set = Set {
        env: &env,
        config: NATIVE,
        ..Set::default()
    };
    let ran = set
        .run(&place)
        .prints(&format!("does {base} (OPENAI_API_BASE) answer"));
    for text in ["daemon", "is --cooperbench-dir", "litellm", "images"] {
        assert!(!ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
}

#[test]
fn a_variable_that_the_agent_does_not_read_is_said_to_count_for_nothing() {
    let (own, other) = (Listener::new(), Listener::new());
    let (base, theirs) = (v1(&own), v1(&other));
    let env = [
        ("MSWEA_MODEL_API_BASE", &*theirs),
        ("OPENAI_API_BASE", &*base),
        ("OPENAI_API_KEY", "sk-own"),
    ];
    let config = "[experiment]\nmodel = \"openai/m\"\nagent = \"mini_swe_agent_v2\"\n";
    let set = Set {
        env: &env,
        config,
        ..Set::default()
    };
    asks(
        &set,
        &own,
        "/v1/chat/completions",
        Some("sk-own"),
        &[&other],
    );
    let place = Place::new();
    let endpoint = set.doctor(&place)("endpoint");
    assert_eq!(endpoint["level"], "warn");
    assert!(
        endpoint["evidence"]
            .as_str()
            .unwrap()
            .contains("MSWEA_MODEL_API_BASE")
    );
    set.command(&place, &["run", "--dry-run"])
        .code(0)
        .prints("does not read it")
        .prints(&base);
}

#[test]
fn plan_and_manifest_name_the_endpoint_that_is_asked() {
    let own = Listener::new();
    let base = v1(&own);
    let env = [("OPENAI_API_BASE", &*base), ("OPENAI_API_KEY", "sk-own")];
    let set = Set {
        env: &env,
        config: NATIVE,
        ..Set::default()
    };
    let place = Place::new();
    set.command(&place, &["run", "--dry-run", "--backend", "fake"])
        .code(0)
        .prints(&format!("endpoint     {base} (OPENAI_API_BASE)"));
    set.run(&place);
    let manifest = place.json("cb/logs/m-solo/regatta/manifest.json");
    assert_eq!(manifest["api_base"], base);
    // Without the variable it would be another run.
    let without = Set {
        env: &[("OPENAI_API_KEY", "sk-own")],
        config: NATIVE,
        ..Set::default()
    };
    without
        .run(&place)
        .code(2)
        .says(&format!("api base: {base} → none"));
    assert!(
        !without.doctor(&place)("engine")["evidence"]
            .as_str()
            .unwrap()
            .contains(&base)
    );
}
