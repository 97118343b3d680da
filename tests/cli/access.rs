//! Which endpoint is asked, and with which key: the same for every command.

use serde_json::Value;

use crate::listener::{Listener, redirect};
use crate::support::{Place, Ran};

/// What a user has set.
#[derive(Default)]
struct Set<'a> {
    args: &'a [&'a str],
    env: &'a [(&'a str, &'a str)],
    /// `regatta.toml`.
    config: &'a str,
    /// `agent.yaml`, passed on with `--agent-config`.
    agent: Option<&'a str>,
}

impl Set<'_> {
    fn command(&self, place: &Place, command: &[&str]) -> Ran {
        place.write("regatta.toml", self.config);
        let mut args = [command, self.args].concat();
        if let Some(text) = self.agent {
            place.write("agent.yaml", text);
            args.extend(["--agent-config", "agent.yaml"]);
        }
        args.extend(["--cooperbench-dir", "cb"]);
        let mut regatta = place.regatta(&args);
        regatta
            .env("DOCKER_HOST", place.empty_daemon())
            // Whoever asks a provider of the world is told that it is not there.
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .envs(self.env.iter().copied());
        Ran::of(&regatta.output().unwrap())
    }

    /// The checks of `doctor`, by name.
    fn doctor(&self, place: &Place) -> impl Fn(&str) -> Value + use<> {
        let ran = self.command(place, &["doctor", "--format", "json"]);
        let checks: Vec<Value> = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|error| panic!("{error}\n{}\n{}", ran.stdout, ran.stderr));
        move |name| {
            let found = checks.iter().find(|check| check["name"] == name);
            found
                .cloned()
                .unwrap_or_else(|| panic!("no {name} in {checks:#?}"))
        }
    }

    /// A run of one pair with the native engine, in sandboxes that do nothing.
    fn run(&self, place: &Place) -> Ran {
        self.command(
            place,
            &[
                "run",
                "--setting",
                "solo",
                "--smoke",
                "1",
                "--backend",
                "fake",
                "--no-preflight",
                "--no-progress",
            ],
        )
    }
}

const NATIVE: &str =
    "[experiment]\nengine = \"native\"\nmodel = \"openai/m\"\n[native]\ncall_tries = 1\n";
const NATIVE_COHERE: &str = "[experiment]\nengine = \"native\"\n[native]\ncall_tries = 1\n";

/// `doctor` asks `right` and nobody else, with this key; a native run does the same.
#[track_caller]
fn asks(set: &Set<'_>, right: &Listener, path: &str, key: Option<&str>, wrong: &[&Listener]) {
    let place = Place::new();
    let model = set.doctor(&place)("model");
    assert_eq!(model["level"], "pass", "{model:#}");
    let key = key.map(|key| format!("Bearer {key}"));
    assert_eq!(right.keys(), std::slice::from_ref(&key));
    assert_eq!(right.asked()[0].path, path);
    assert_eq!(right.asked().len(), 1);
    if set.config.contains("native") {
        let ran = set.run(&place);
        assert!(right.asked().len() > 1, "{}{}", ran.stdout, ran.stderr);
        assert_eq!(right.keys(), [key]);
        assert!(right.asked().iter().all(|asked| asked.path == path));
    }
    for other in wrong {
        assert_eq!(other.asked(), []);
    }
}

fn v1(listener: &Listener) -> String {
    format!("{}/v1", listener.base)
}

#[test]
fn the_native_engine_and_doctor_ask_where_each_variable_says() {
    for name in ["MSWEA_MODEL_API_BASE", "OPENAI_BASE_URL", "OPENAI_API_BASE"] {
        let own = Listener::new();
        let env = [
            (name, &*v1(&own)),
            ("OPENAI_API_KEY", "sk-own"),
            ("COHERE_API_KEY", "sk-cohere"),
        ];
        let set = Set {
            env: &env,
            config: NATIVE,
            ..Set::default()
        };
        asks(&set, &own, "/v1/chat/completions", Some("sk-own"), &[]);
    }
    // Cohere's base is the whole URL.
    for name in ["MSWEA_MODEL_API_BASE", "COHERE_API_BASE"] {
        let own = Listener::new();
        let env = [
            (name, &*format!("{}/chat", own.base)),
            ("OPENAI_API_KEY", "sk-own"),
            ("COHERE_API_KEY", "sk-cohere"),
        ];
        let set = Set {
            env: &env,
            config: NATIVE_COHERE,
            ..Set::default()
        };
        asks(&set, &own, "/chat", Some("sk-cohere"), &[]);
    }
}

#[test]
fn upstreams_agents_are_checked_where_they_would_ask() {
    let first = "[experiment]\nmodel = \"openai/m\"\n";
    let second = "[experiment]\nmodel = \"openai/m\"\nagent = \"mini_swe_agent_v2\"\n";
    for (config, names) in [
        (
            first,
            &["MSWEA_MODEL_API_BASE", "OPENAI_BASE_URL", "OPENAI_API_BASE"][..],
        ),
        (second, &["OPENAI_BASE_URL", "OPENAI_API_BASE"]),
    ] {
        for name in names {
            let own = Listener::new();
            let env = [(*name, &*v1(&own)), ("OPENAI_API_KEY", "sk-own")];
            let set = Set {
                env: &env,
                config,
                ..Set::default()
            };
            asks(&set, &own, "/v1/chat/completions", Some("sk-own"), &[]);
        }
    }
    let own = Listener::new();
    let env = [
        ("COHERE_API_BASE", &*own.base),
        ("CO_API_KEY", "sk-co"),
        ("OPENAI_API_KEY", "sk-o"),
    ];
    let set = Set {
        env: &env,
        ..Set::default()
    };
    asks(&set, &own, "/", Some("sk-co"), &[]);
}

#[test]
fn the_stronger_source_is_asked_and_the_weaker_one_is_not() {
    let (own, other) = (Listener::new(), Listener::new());
    let (right, wrong) = (v1(&own), v1(&other));
    let key = ("OPENAI_API_KEY", "sk-own");
    let in_table = format!(
        "{NATIVE}[upstream.env]\nMSWEA_MODEL_API_BASE = \"{right}\"\nOPENAI_API_KEY = \"sk-own\"\n"
    );
    let names_wrong =
        format!("model: {{model_kwargs: {{api_base: '{wrong}', api_key: sk-agent}}}}\n");
    let sets = [
        // The flag over every variable.
        Set {
            args: &["--api-base", &right],
            env: &[
                ("MSWEA_MODEL_API_BASE", &wrong),
                ("OPENAI_BASE_URL", &wrong),
                key,
            ],
            config: NATIVE,
            ..Set::default()
        },
        // mini-swe-agent's variable over litellm's.
        Set {
            env: &[
                ("MSWEA_MODEL_API_BASE", &right),
                ("OPENAI_BASE_URL", &wrong),
                key,
            ],
            config: NATIVE,
            ..Set::default()
        },
        // litellm's two, in its order.
        Set {
            env: &[
                ("OPENAI_BASE_URL", &right),
                ("OPENAI_API_BASE", &wrong),
                key,
            ],
            config: NATIVE,
            ..Set::default()
        },
        // An empty variable is none.
        Set {
            env: &[
                ("MSWEA_MODEL_API_BASE", ""),
                ("OPENAI_BASE_URL", " "),
                ("OPENAI_API_BASE", &right),
                key,
            ],
            config: NATIVE,
            ..Set::default()
        },
        // The configuration's table is set over the environment.
        Set {
            env: &[
                ("MSWEA_MODEL_API_BASE", &wrong),
                ("OPENAI_API_KEY", "sk-env"),
            ],
            config: &in_table,
            ..Set::default()
        },
        // A key that was named with another endpoint stays there.
        Set {
            env: &[("MSWEA_MODEL_API_BASE", &right), key],
            config: NATIVE,
            agent: Some(&names_wrong),
            ..Set::default()
        },
        // Another provider's variables are another provider's.
        Set {
            env: &[
                ("COHERE_API_BASE", &wrong),
                ("OPENAI_API_BASE", &right),
                ("COHERE_API_KEY", "sk-c"),
                key,
            ],
            config: NATIVE,
            ..Set::default()
        },
    ];
    for set in &sets {
        let (own_before, place) = (own.asked().len(), Place::new());
        assert_eq!(set.doctor(&place)("model")["level"], "pass");
        assert_eq!(own.asked().len(), own_before + 1);
        set.run(&place);
        assert!(own.asked().len() > own_before + 1);
        assert_eq!(own.keys(), [Some("Bearer sk-own".to_owned())]);
        assert_eq!(other.asked(), []);
    }
}

#[test]
fn an_agent_configurations_endpoint_gets_its_own_key() {
    let upstream = "[experiment]\nmodel = \"openai/m\"\nagent = \"mini_swe_agent_v2\"\n";
    for config in [NATIVE, upstream] {
        for wrap in ["", "config:\n  "] {
            let own = Listener::new();
            let agent = format!(
                "{wrap}model: {{model_kwargs: {{api_base: '{}', api_key: sk-agent}}}}\n",
                v1(&own)
            );
            let set = Set {
                env: &[("OPENAI_API_KEY", "sk-public")],
                config,
                agent: Some(&agent),
                ..Set::default()
            };
            asks(&set, &own, "/v1/chat/completions", Some("sk-agent"), &[]);
        }
    }
    // The first agent does not read that block, and neither does its check.
    let (own, other) = (Listener::new(), Listener::new());
    let agent = format!(
        "model: {{model_kwargs: {{api_base: '{}', api_key: sk-agent}}}}\n",
        v1(&other)
    );
    let base = v1(&own);
    let env = [("OPENAI_API_BASE", &*base), ("OPENAI_API_KEY", "sk-public")];
    let config = "[experiment]\nmodel = \"openai/m\"\n";
    let set = Set {
        env: &env,
        config,
        agent: Some(&agent),
        ..Set::default()
    };
    asks(
        &set,
        &own,
        "/v1/chat/completions",
        Some("sk-public"),
        &[&other],
    );
}

#[test]
fn a_key_that_was_named_with_an_endpoint_goes_to_no_other() {
    let (own, other) = (Listener::new(), Listener::new());
    let agent = format!(
        "model: {{model_kwargs: {{api_base: '{}', api_key: sk-agent}}}}\n",
        v1(&other)
    );
    let base = v1(&own);
    let set = Set {
        args: &["--api-base", &base],
        config: NATIVE,
        agent: Some(&agent),
        ..Set::default()
    };
    asks(&set, &own, "/v1/chat/completions", None, &[&other]);
    // mini-swe-agent's key goes with its endpoint.
    let (own, other) = (Listener::new(), Listener::new());
    let (base, theirs) = (v1(&own), v1(&other));
    let env = [
        ("MSWEA_MODEL_API_BASE", &*theirs),
        ("MSWEA_MODEL_API_KEY", "sk-mswea"),
        ("OPENAI_API_KEY", "sk-own"),
    ];
    let set = Set {
        args: &["--api-base", &base],
        env: &env,
        config: NATIVE,
        ..Set::default()
    };
    asks(
        &set,
        &own,
        "/v1/chat/completions",
        Some("sk-own"),
        &[&other],
    );
    let set = Set {
        env: &env,
        config: NATIVE,
        ..Set::default()
    };
    asks(&set, &other, "/v1/chat/completions", Some("sk-mswea"), &[]);
}

#[test]
fn nobody_is_asked_where_an_endpoint_sends_elsewhere() {
    for status in [301, 302, 307, 308] {
        let other = Listener::new();
        let answer = redirect(status, &v1(&other));
        let own = Listener::answering(move |_| Some(answer.clone()));
        let base = v1(&own);
        let env = [("OPENAI_API_BASE", &*base), ("OPENAI_API_KEY", "sk-own")];
        let set = Set {
            env: &env,
            config: NATIVE,
            ..Set::default()
        };
        let place = Place::new();
        let model = set.doctor(&place)("model");
        assert_eq!(model["level"], "fail");
        assert!(
            model["remedy"]
                .as_str()
                .unwrap()
                .contains("no redirect is followed")
        );
        set.run(&place);
        assert!(!own.asked().is_empty());
        assert_eq!(other.asked(), []);
    }
}

/// It cannot be told who would be asked: then nobody is, and no key goes anywhere.
#[test]
fn doctor_asks_nobody_where_it_cannot_know_the_endpoint() {
    let own = Listener::new();
    let base = v1(&own);
    let config = "[experiment]\nmodel = \"openai/m\"\nagent = \"mini_swe_agent_v2\"\n";
    let env = [("OPENAI_API_BASE", &*base), ("OPENAI_API_KEY", "sk-own")];
    let set = Set {
        env: &env,
        config,
        agent: Some("model: {model_kwargs: ["),
        ..Set::default()
    };
    let model = set.doctor(&Place::new())("model");
    assert_eq!(model["level"], "warn");
    assert!(
        model["evidence"]
            .as_str()
            .unwrap()
            .contains("agent.yaml is not YAML"),
        "{model}"
    );
    assert_eq!(own.asked(), []);
}

#[test]
fn an_endpoint_that_is_no_url_is_refused_and_its_source_named() {
    for (config, name) in [
        (NATIVE, "MSWEA_MODEL_API_BASE"),
        ("[experiment]\nmodel = \"openai/m\"\n", "OPENAI_API_BASE"),
    ] {
        let env = [(name, "localhost:8000/v1"), ("OPENAI_API_KEY", "sk-own")];
        let set = Set {
            env: &env,
            config,
            ..Set::default()
        };
        let place = Place::new();
        let options = set.doctor(&place)("options");
        assert_eq!(options["level"], "fail");
        assert!(
            options["evidence"].as_str().unwrap().contains(name),
            "{options}"
        );
        set.command(&place, &["run", "--dry-run"])
            .code(2)
            .says(name)
            .says("http:// or https://")
            .says("--api-base");
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
    let manifest = place.json("cb/logs/m-smoke1-solo/regatta/manifest.json");
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

/// What `doctor` shows and sends holds no key, also where the endpoint repeats it.
#[test]
fn no_key_is_shown() {
    let echo = "HTTP/1.1 401 No\r\nContent-Length: 27\r\nConnection: close\r\n\r\nbad key sk-secret-12345 yes".to_owned();
    let own = Listener::answering(move |_| Some(echo.clone()));
    let base = v1(&own);
    let env = [
        ("OPENAI_API_BASE", &*base),
        ("OPENAI_API_KEY", "sk-secret-12345"),
    ];
    let set = Set {
        env: &env,
        config: NATIVE,
        ..Set::default()
    };
    let ran = set
        .command(&Place::new(), &["doctor"])
        .prints("bad key ****");
    assert!(!ran.stdout.contains("sk-secret"), "{}", ran.stdout);
}

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
        .prints("not running, 5 left; the cooperbench command that began it resumes");
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
    for text in ["daemon", "cooperbench-dir", "litellm", "images"] {
        assert!(!ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
}

/// cooperbench loads a `.env` above its package beneath its environment: what stands there and is
/// not set otherwise would be asked, and nobody is on a guess.
#[test]
fn a_dotenv_that_cooperbench_loads_is_not_guessed_over() {
    let (own, place) = (Listener::new(), Place::new());
    let options = ["--backend", "--no-auto-eval", "--agent-config"];
    crate::plan::install(&place, "0.0.11", &["mini_swe_agent"], &options);
    let base = v1(&own);
    place.write(
        "cb/.env",
        format!("# mine\nexport OPENAI_API_BASE={base}\n"),
    );
    let config = "[experiment]\nmodel = \"openai/m\"\n";
    let key = ("OPENAI_API_KEY", "sk-own");
    let set = Set {
        env: &[key],
        config,
        ..Set::default()
    };
    let model = set.doctor(&place)("model");
    assert_eq!(model["level"], "warn");
    let evidence = model["evidence"].as_str().unwrap();
    assert!(
        evidence.contains("cb/.env sets OPENAI_API_BASE"),
        "{evidence}"
    );
    // What is stronger than the file is known, and asked.
    let env = [key, ("MSWEA_MODEL_API_BASE", &*base)];
    let set = Set {
        env: &env,
        config,
        ..Set::default()
    };
    assert_eq!(set.doctor(&place)("model")["level"], "pass");
    assert_eq!(own.keys(), [Some("Bearer sk-own".to_owned())]);
}
