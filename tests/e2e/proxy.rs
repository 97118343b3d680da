//! `LiteLLM`'s proxy between the native engine and its model, and others' own types for what is sent.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;

use crate::lab::cached;
use crate::support::strict::{Strict, in_order, messages, text, think, wants_thoughts};
use crate::support::{Model, Place, Ran, wait_until};

const KEY: &str = "sk-proxy-123456";

/// Where `scripts/proxy-venv` puts a program.
fn program(name: &str) -> PathBuf {
    cached(&format!("venv-proxy/bin/{name}"), "proxy-venv")
}

/// The proxy; it ends with the test.
struct Proxy {
    child: Child,
    base: String,
}

impl Proxy {
    /// One whose models are the endpoint at `model`, by either of its wire formats.
    fn before(place: &Place, model: &str) -> Self {
        let config = place.write(
            "proxy.yaml",
            format!(
                r#"
model_list:
  - model_name: by-openai
    litellm_params: {{model: openai/demo, api_base: "{model}/v1", api_key: x}}
  - model_name: by-cohere
    litellm_params: {{model: cohere_chat/demo, api_base: "{model}/v2/chat", api_key: x}}
general_settings: {{master_key: {KEY}}}
"#
            ),
        );
        let port = free_port();
        let log = std::fs::File::create(place.join("proxy.log")).unwrap();
        let child = Command::new(program("litellm"))
            .args([
                "--host",
                "127.0.0.1",
                "--port",
                &port.to_string(),
                "--config",
            ])
            .arg(config)
            .current_dir(place.path())
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            .env("COHERE_API_BASE", model)
            .env("COHERE_API_KEY", "x")
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut proxy = Self {
            child,
            base: format!("http://127.0.0.1:{port}"),
        };
        wait_until("the proxy to answer", || {
            let ended = proxy.child.try_wait().unwrap();
            assert!(ended.is_none(), "{}", place.read("proxy.log"));
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nothing has, outside of those that the system hands out by itself; each once.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 15_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    let ports = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed));
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.take(1000).find(is_free).unwrap()
}

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/dataset")
}

fn run(place: &Place, model: &str, base: &str, args: &[&str]) -> Ran {
    let mut command = place.regatta(&["run", "--profile", "demo", "--no-progress"]);
    command
        .args(["--model", model, "--api-base", base])
        .args(args)
        .env("OPENAI_API_KEY", KEY)
        .env("COHERE_API_KEY", KEY);
    Ran::of(&command.output().unwrap())
}

/// The agents of the smoke's pair.
fn agents(place: &Place, run: &str, tree: &str) -> Vec<Value> {
    let result = place.json(&format!("logs/{run}/{tree}/ferry_task/1/f1_f2/result.json"));
    let agents = ["/agent", "/agents/agent1", "/agents/agent2"];
    let agents = agents
        .iter()
        .filter_map(|agent| result.pointer(agent).cloned());
    agents.collect()
}

/// Checks the requests of a recording by another's types; how many there were.
fn checked(place: &Place, tapes: &str, by: &str) -> usize {
    let mut files = vec![place.join(tapes)];
    let mut requests = String::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .map(|it| it.unwrap().path()),
            );
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        for line in lines.filter(|line| line["kind"] == "chat") {
            writeln!(requests, "{}", line["request"]).unwrap();
        }
    }
    let file = place.write("requests.jsonl", &requests);
    let mut python = Command::new(program("python"));
    let script = include_str!("check_requests.py");
    // What the model itself gave is none of ours.
    python
        .args(["-c", script, by])
        .arg(file)
        .arg("extra_content");
    let ran = Ran::of(&python.output().unwrap()).code(0);
    let count = ran.stdout.trim().parse().unwrap();
    assert_eq!(count, requests.lines().count());
    count
}

/// All settings, by the three ways through the proxy; the model behind it takes the strictest order
/// only, and what it thought goes back to it as far as the proxy carries it.
#[test]
#[ignore = "needs scripts/proxy-venv: just e2e"]
fn litellms_proxy_carries_every_setting_on_both_wires() {
    let place = Place::new();
    let model = Model::serve(&demo(), &place.join("faults"));
    let strict = Strict::before(&model.base, in_order, |request, message| {
        think(request, message);
        // Mistral's servers give such ids, and take no others.
        for call in message["tool_calls"].as_array_mut().into_iter().flatten() {
            call["id"] = "Qx7bT2m9K".into();
        }
    });
    let proxy = Proxy::before(&place, &strict.base);
    for (name, model, path, types) in [
        ("plain", "openai/by-openai", "/v1", "mistral"),
        ("translated", "openai/by-cohere", "/v1", "mistral"),
        (
            "passed-on",
            "command-a-03-2025",
            "/cohere/v2/chat",
            "cohere",
        ),
    ] {
        let base = format!("{}{path}", proxy.base);
        let before = strict.asked().len();
        let args = ["--name", name, "--smoke", "1", "--record", name];
        run(&place, model, &base, &args).code(0);
        assert_eq!(strict.refused(), [""; 0], "{name}");
        for setting in ["solo", "coop-comm", "coop-nocomm"] {
            let run = format!("{name}-{setting}");
            for agent in agents(&place, &run, &setting[..4]) {
                assert_eq!(agent["status"], "Submitted", "{run}");
                assert!(agent["input_tokens"].as_u64().unwrap() > 0, "{run}");
            }
        }
        let asked = &strict.asked()[before..];
        let told = asked.iter().flat_map(messages);
        let is_news = |message: &Value| text(message).contains("\n\n[Message from");
        assert!(told.clone().any(is_news), "{name}");
        // From its other wire format to this one, the proxy carries no thoughts.
        if name != "translated" {
            let found: Vec<_> = asked
                .iter()
                .filter_map(|it| wants_thoughts(it).err())
                .collect();
            assert_eq!(found, [], "{name}");
        }
        assert!(checked(&place, name, types) > 20);
    }
}

/// The proxy has words and statuses of its own for what goes wrong behind it.
#[test]
#[ignore = "needs scripts/proxy-venv: just e2e"]
fn what_goes_wrong_behind_litellms_proxy_is_what_it_is() {
    let place = Place::new();
    let model = Model::serve(&demo(), &place.join("faults"));
    let has_thoughts = |request: &Value| {
        let has = messages(request)
            .iter()
            .any(|it| it.get("reasoning_content").is_some());
        let why = "messages.2: `reasoning_content` is not permitted".to_owned();
        if has { Err((400, why)) } else { Ok(()) }
    };
    let strict = Strict::before(&model.base, has_thoughts, think);
    let proxy = Proxy::before(&place, &strict.base);
    let base = format!("{}/v1", proxy.base);
    let args = ["--setting", "solo", "--smoke", "1", "--name"];
    let one = |name: &str| {
        run(
            &place,
            "openai/by-openai",
            &base,
            &[&args[..], &[name]].concat(),
        )
    };

    one("refused")
        .code(0)
        .says("the endpoint refuses `reasoning_content` of its own earlier replies");
    // More often than the proxy itself tries again.
    for (name, fault) in [("busy", "429 until=5"), ("broken", "500 until=5")] {
        let _ = std::fs::remove_file(place.join("faults.met"));
        place.write("faults", fault);
        one(name).code(0);
        let solo = &agents(&place, &format!("{name}-solo"), "solo")[0];
        assert_eq!(solo["status"], "Submitted", "{name}");
    }
    place.write("faults", "401");
    one("wrong-key").code(3);
    let result = place.json("logs/wrong-key-solo/solo/ferry_task/1/f1_f2/result.json");
    assert_eq!(result["regatta"]["cause"], "config", "{result:#}");
}
