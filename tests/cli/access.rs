//! Which endpoint is asked, and with which key: the same for every command.

use serde_json::Value;

use crate::listener::{Listener, redirect};
use crate::support::{Place, Ran};

/// What a user has set.
#[derive(Default)]
pub struct Set<'a> {
    pub args: &'a [&'a str],
    pub env: &'a [(&'a str, &'a str)],
    /// `regatta.toml`.
    pub config: &'a str,
    /// `agent.yaml`, passed on with `--agent-config`.
    pub agent: Option<&'a str>,
}

impl Set<'_> {
    pub fn command(&self, place: &Place, command: &[&str]) -> Ran {
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
            .envs(self.env.iter().copied());
        Ran::of(&regatta.output().unwrap())
    }

    /// The checks of `doctor`, by name.
    pub fn doctor(&self, place: &Place) -> impl Fn(&str) -> Value + use<> {
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
    pub fn run(&self, place: &Place) -> Ran {
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

pub const NATIVE: &str =
    "[experiment]\nengine = \"native\"\nmodel = \"openai/m\"\n[native]\ncall_tries = 1\n";
const NATIVE_COHERE: &str = "[experiment]\nengine = \"native\"\n[native]\ncall_tries = 1\n";

/// `doctor` asks `right` and nobody else, with this key; a native run does the same.
#[track_caller]
pub fn asks(set: &Set<'_>, right: &Listener, path: &str, key: Option<&str>, wrong: &[&Listener]) {
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

pub fn v1(listener: &Listener) -> String {
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
    // Also where the same endpoint is named once more: litellm takes that key first.
    let own = Listener::new();
    let base = v1(&own);
    let agent = format!("model: {{model_kwargs: {{base_url: '{base}', api_key: sk-agent}}}}\n");
    let set = Set {
        args: &["--api-base", &base],
        env: &[("OPENAI_API_KEY", "sk-public")],
        config: upstream,
        agent: Some(&agent),
    };
    asks(&set, &own, "/v1/chat/completions", Some("sk-agent"), &[]);
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

/// cooperbench loads a `.env` above its package beneath its environment: what stands there and is
/// not set otherwise is asked. Where it cannot be read, nobody is on a guess.
#[test]
fn a_dotenv_that_cooperbench_loads_counts_beneath_the_environment() {
    let (own, place) = (Listener::new(), Place::new());
    let options = ["--backend", "--no-auto-eval", "--agent-config"];
    crate::plan::install(&place, "0.0.11", &["mini_swe_agent"], &options);
    let base = v1(&own);
    let text = format!("# mine\nexport OPENAI_API_BASE={base}\nOPENAI_API_KEY=sk-file\n");
    place.write("cb/.env", &text);
    let config = "[experiment]\nmodel = \"openai/m\"\n";
    let key = ("OPENAI_API_KEY", "sk-own");
    let set = Set {
        env: &[key],
        config,
        ..Set::default()
    };
    assert_eq!(set.doctor(&place)("model")["level"], "pass");
    assert_eq!(own.keys(), [Some("Bearer sk-own".to_owned())]);
    place.write("cb/.env", [text.as_bytes(), b"\xff\n"].concat());
    let model = set.doctor(&place)("model");
    assert_eq!(model["level"], "warn");
    let evidence = model["evidence"].as_str().unwrap();
    assert!(
        evidence.contains("a file that cannot be read"),
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

/// Upstream's copies of mini-swe-agent load it beneath the environment; nobody else does.
#[test]
fn the_global_env_file_of_mini_swe_agent_counts_for_its_agents() {
    let (own, home) = (Listener::new(), Place::new());
    let base = v1(&own);
    home.write(
        ".config/mini-swe-agent/.env",
        format!("export MSWEA_MODEL_API_BASE = '{base}'\nOPENAI_API_KEY=sk-file # mine\n"),
    );
    home.write(
        "elsewhere/.env",
        format!("OPENAI_BASE_URL=\"{base}\"\nOPENAI_API_KEY=${{MINE:-sk-file}}\n"),
    );
    let at_home = home.path().display().to_string();
    let elsewhere = home.join("elsewhere").display().to_string();
    let home_env = ("HOME", &*at_home);
    let none = ("XDG_CONFIG_HOME", "");
    let first = "[experiment]\nmodel = \"openai/m\"\n";
    let second = "[experiment]\nmodel = \"openai/m\"\nagent = \"mini_swe_agent_v2\"\n";
    let global = ("MSWEA_GLOBAL_CONFIG_DIR", &*elsewhere);
    let stronger = ("OPENAI_API_KEY", "sk-environment");
    let xdg = ("XDG_CONFIG_HOME", &*format!("{at_home}/.config"));
    for (config, env, key) in [
        (first, vec![home_env, none], "sk-file"),
        (first, vec![xdg], "sk-file"),
        (first, vec![home_env, none, stronger], "sk-environment"),
        (second, vec![home_env, global], "sk-file"),
        (second, vec![global, ("MINE", "sk-mine")], "sk-mine"),
    ] {
        let set = Set {
            env: &env,
            config,
            ..Set::default()
        };
        let before = own.asked().len();
        let (place, place_again) = (Place::new(), Place::new());
        assert_eq!(set.doctor(&place)("model")["level"], "pass", "{env:?}");
        let asked = &own.asked()[before..];
        let bearer = Some(format!("Bearer {key}"));
        assert!(
            asked.len() == 1 && asked[0].authorization == bearer,
            "{asked:?}"
        );
        let shown = set.command(&place_again, &["doctor"]).stdout;
        assert!(!shown.contains(key), "{shown}");
    }
    let asked = own.asked().len();
    let native = Set {
        env: &[home_env, none, global],
        config: NATIVE,
        args: &["--no-model-call"],
        ..Set::default()
    };
    let key = native.doctor(&Place::new())("key");
    assert_eq!(key["level"], "fail", "{key:#}");
    assert_eq!(own.asked().len(), asked);
}
