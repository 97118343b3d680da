//! `regatta view`: runs that come, go and break while they are viewed, and strangers who ask.

use std::fs;
use std::io::Write as _;

use serde_json::{Value, json};

use crate::report::judged_at;
use crate::support::live::Live;
use crate::support::{Place, Ran, wait_until};

const VIEW: [&str; 5] = ["view", "--cooperbench-dir", "cb", "--port", "0"];

fn view(place: &Place, args: &[&str]) -> Live {
    Live::of(place.regatta(&[&VIEW[..], args].concat()))
}

fn run(place: &Place, name: &str) {
    let pairs = [("a_task/1/f1_f2", true), ("a_task/1/f1_f3", false)];
    judged_at(place, &format!("cb/logs/{name}"), "solo", &pairs);
}

fn notes(index: &Value) -> String {
    index["notes"].to_string()
}

fn has_runs(index: &Value, names: &[&str]) -> bool {
    let runs = index["runs"].as_array().unwrap();
    let found: Vec<_> = runs
        .iter()
        .map(|run| run["name"].as_str().unwrap())
        .collect();
    found == names
}

/// The trial of a pair of the only run.
fn trial(index: &Value, pair: &str) -> Value {
    let pairs = index["pairs"].as_array().unwrap();
    let at = pairs.iter().position(|it| it["name"] == pair).unwrap();
    let trials = index["trials"].as_array().unwrap();
    trials.iter().find(|it| it["pair"] == at).unwrap().clone()
}

#[test]
fn the_first_run_is_waited_for() {
    let place = Place::new();
    let live = view(&place, &[]);
    live.says("no runs under cb/logs: a run is shown when it begins");
    let index = live.index();
    let awaited = place.join("cb/logs").display().to_string();
    assert!(
        notes(&index).contains(&format!("No run yet under {awaited}")),
        "{index}"
    );
    assert_eq!(live.get("").0, 200);
    // Not even the directory was there.
    fs::create_dir(place.join("cb/logs")).unwrap();
    assert!(has_runs(&live.index(), &[]));
    run(&place, "x-one");
    let index = live.wait_for("the run", |index| has_runs(index, &["x-one"]));
    assert!(!notes(&index).contains("No run"), "{index}");
}

#[test]
fn a_run_that_is_named_is_waited_for_beside_others() {
    let place = Place::new();
    run(&place, "x-one");
    let live = view(&place, &["x-one", "x-onf"]);
    live.says("no run `x-onf` under");
    live.says("did you mean `x-one`?");
    let index = live.index();
    assert!(
        has_runs(&index, &["x-one"]) && notes(&index).contains("No run x-onf yet"),
        "{index}"
    );
    run(&place, "x-onf");
    run(&place, "x-other");
    live.wait_for("both", |index| has_runs(index, &["x-one", "x-onf"]));
}

/// The demo's runs go to `./logs`, and whoever looks beside it types no flag.
#[test]
fn without_a_flag_the_first_run_may_come_in_either_tree() {
    let place = Place::new();
    let live = Live::of(place.regatta(&["view", "--port", "0"]));
    let awaited = place.join("logs").display().to_string();
    assert!(notes(&live.index()).contains(&awaited), "{}", live.index());
    judged_at(&place, "logs/x-one", "solo", &[("a_task/1/f1_f2", true)]);
    live.wait_for("the run", |index| has_runs(index, &["x-one"]));
}

#[test]
fn a_tree_that_cannot_come_is_refused() {
    let place = Place::new();
    place
        .run(&["view", "--logs-dir", "no/where", "--port", "0"])
        .code(2)
        .says("no runs under no/where, and the directory above it is not there")
        .says("name another tree by --logs-dir");
    place.write("file", "x");
    place
        .run(&["view", "--logs-dir", "file", "--port", "0"])
        .code(2)
        .says("is a file, and a log tree is a directory");
}

#[test]
fn what_is_removed_while_it_is_viewed_is_told_of_and_the_rest_is_shown() {
    let place = Place::new();
    run(&place, "x-one");
    run(&place, "x-two");
    let events = "cb/logs/x-one/regatta/events.jsonl";
    let note = json!({"at": "2026-11-25T12:00:00Z", "event": "note", "text": "n"});
    place.write(events, format!("{note}\n{note}\n"));
    let live = view(&place, &[]);
    let mut changes = live.events();
    changes.next();
    assert!(has_runs(&live.index(), &["x-one", "x-two"]));

    fs::remove_dir_all(place.join("cb/logs/x-two")).unwrap();
    changes.next().expect("a change");
    let index = live.wait_for("the other run", |index| has_runs(index, &["x-one"]));
    assert!(notes(&index).contains("x-two is gone since"), "{index}");

    let pair = "a_task/1/f1_f2";
    assert_eq!(live.get(&format!("trial/x-one/{pair}")).0, 200);
    fs::remove_dir_all(place.join(&format!("cb/logs/x-one/solo/{pair}"))).unwrap();
    let said = format!(
        "x-one: 1 result gone while it was viewed (removed, or set aside to run again): {pair}"
    );
    let index = live.wait_for("a result is gone", |index| notes(index).contains(&said));
    // Without a manifest nobody knows of the pair any more.
    assert_eq!(live.get(&format!("trial/x-one/{pair}")).0, 404);
    assert_eq!(trial(&index, "a_task/1/f1_f3")["outcome"], "fail");

    place.write(events, format!("{note}\n"));
    live.wait_for("that events are gone", |index| {
        notes(index)
            .contains("x-one: events.jsonl was cut, replaced or removed while it was viewed")
    });

    place.write("cb/logs/x-one/regatta/manifest.json", "{\"run\": ");
    let index = live.wait_for("what cannot be read", |index| {
        notes(index).contains("cannot be read")
    });
    assert!(notes(&index).contains("x-one cannot be read"), "{index}");
    run(&place, "x-two");
    let index = live.wait_for("the run again", |index| {
        has_runs(index, &["x-two"]) || has_runs(index, &["x-one", "x-two"])
    });
    assert!(!notes(&index).contains("x-two is gone"), "{index}");
}

/// A run of upstream's over both pairs of a task and one of another, that is in its first attempt.
fn of_upstream(place: &Place, events: &[Value]) {
    let pair =
        |repo: &str, task, second| json!({"repo": repo, "task_id": task, "features": [1, second]});
    let pairs = [
        pair("harbor_task", 1, 2),
        pair("harbor_task", 1, 3),
        pair("lighthouse_task", 7, 2),
    ];
    let manifest = json!({"run": "u-solo", "setting": "solo", "engine": "upstream",
        "engine_version": null, "agent": "mini_swe_agent", "model": "openai/gpt-4o",
        "backend": "docker", "api_base": null, "agent_config": null, "subset": "lite",
        "subset_digest": "", "pairs": pairs, "prices": "regatta", "regatta": "0",
        "concurrency": 3, "created_at": "2026-11-25T12:00:00Z"});
    let own = "cb/logs/u-solo/regatta";
    place.write(&format!("{own}/manifest.json"), manifest.to_string());
    let begun = [
        json!({"event": "run_started", "run": "u-solo", "setting": "solo", "pairs": 3, "finished": 0,
            "submitted": 0, "to_run": 3, "version": "0"}),
        json!({"event": "attempt_started", "attempt": 1, "pairs":
            ["harbor_task/1/f1_f2", "harbor_task/1/f1_f3", "lighthouse_task/7/f1_f2"]}),
    ];
    let lines = begun.iter().chain(events).cloned().map(|mut event| {
        event["at"] = json!("2026-11-25T12:00:00Z");
        format!("{event}\n")
    });
    place.write(&format!("{own}/events.jsonl"), lines.collect::<String>());
}

#[test]
fn of_upstreams_trials_containers_and_commands_are_shown_until_they_end() {
    let place = Place::new();
    let made = |id: &str, image: &str| {
        json!({"event": "container_created", "container": id,
        "image": format!("akhatua/cooperbench-{image}"), "name": format!("minisweagent-{id}")})
    };
    let key = "sk-owl-0123456789abcdef";
    let ran = |id: &str, n, last: &str| json!({"event": "commands_seen", "container": id, "commands": n, "last": last});
    of_upstream(
        &place,
        &[
            made("aa", "harbor:task1"),
            made("bb", "harbor:task1"),
            made("cc", "lighthouse:task7"),
            ran("cc", 1, "ls"),
            ran("cc", 5, &format!("curl -H '{key}' <b> GH_TOKEN=abcdef0123")),
        ],
    );
    let lock = place.join("cb/logs/u-solo/regatta/lock");
    let held = fs::File::create(&lock).unwrap();
    held.lock().unwrap();
    let mut command = place.regatta(&VIEW);
    command.env("OWL_API_KEY", key);
    let live = Live::of(command);
    let index = live.index();
    let containers = index["containers"].as_array().unwrap();
    let of = |name: &str| containers.iter().find(|it| it["name"] == name).unwrap();
    let alone = of("minisweagent-cc");
    assert_eq!(alone["pair"], "lighthouse_task/7/f1_f2");
    assert_eq!(
        (&alone["commands"], &alone["run"]),
        (&json!(5), &json!("u-solo"))
    );
    assert_eq!(alone["last"], "curl -H '****' <b> GH_TOKEN=****");
    // Which of the task's two pairs it is for, upstream does not say.
    let one_of_two = of("minisweagent-aa");
    assert_eq!(
        (&one_of_two["task"], &one_of_two["pair"]),
        (&json!("harbor_task/1"), &Value::Null)
    );
    let running = trial(&index, "lighthouse_task/7/f1_f2");
    assert_eq!(running["is_running"], true);
    assert_eq!(running["since"], alone["since"]);
    assert_eq!(live.get("trial/u-solo/lighthouse_task/7/f1_f2").0, 200);

    let ended = json!({"at": "2026-11-25T12:00:09Z", "event": "container_ended", "container": "cc", "commands": 9});
    let events = place.join("cb/logs/u-solo/regatta/events.jsonl");
    let mut events = fs::OpenOptions::new().append(true).open(events).unwrap();
    writeln!(events, "{ended}").unwrap();
    live.wait_for("that one has ended", |index| {
        index["containers"].as_array().unwrap().len() == 2
    });

    // It was killed: no file tells of that.
    let mut changes = live.events();
    changes.next();
    drop(held);
    changes.next().expect("a change");
    let index = live.wait_for("that nothing runs", |index| index["containers"].is_null());
    let trials = index["trials"].as_array().unwrap();
    assert!(
        trials.iter().all(|trial| trial["is_running"].is_null()),
        "{index}"
    );
}

#[test]
fn strangers_are_refused_and_nothing_outside_of_the_tree_is_read() {
    let place = Place::new();
    run(&place, "x-one");
    // Beside the dataset, where a pair's name with dots would lead.
    place.write("cb/task1/feature1/feature.md", "outside");
    let live = view(&place, &[]);
    let page = live.page();
    let get = |path: &str, headers: &[&str]| live.ask(&format!("GET {path} HTTP/1.1"), headers).0;
    assert_eq!(get(&page, &[]), 200);
    for headers in [
        &["Host: evil.invalid"][..],
        &["Host: 127.0.0.1"],
        &["Host: 127.0.0.1:1"],
        &["Origin: http://evil.invalid"],
        &["Origin: null"],
        &["Origin: https://127.0.0.1:1"],
    ] {
        assert_eq!(get(&page, headers), 403, "{headers:?}");
    }
    for path in [
        "/",
        "/favicon.ico",
        "/00000000000000000000000000000000/",
        &page[..page.len() - 2],
    ] {
        assert_eq!(get(path, &[]), 404, "{path}");
    }
    for path in [
        "pair/../1/f1_f2",
        "pair/%2e%2e/1/f1_f2",
        "pair/..%2f../1/f1_f2",
        "trial/../a_task/1/f1_f2",
        "trial/x-one/../1/f1_f2",
        "trial/x-one/%2e%2e/1/f1_f2",
        "trial/x-one%00/a_task/1/f1_f2",
        "../../../../../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "index.json/",
        "//index.json",
    ] {
        let (status, body) = live.get(path);
        assert_eq!(status, 404, "{path}: {body}");
        assert!(!body.contains("outside"), "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"] {
        assert_eq!(
            live.ask(&format!("{method} {page} HTTP/1.1"), &[]).0,
            405,
            "{method}"
        );
    }
}

#[test]
fn slow_broken_and_many_clients_keep_nobody_from_the_page() {
    let place = Place::new();
    run(&place, "x-one");
    let live = view(&place, &[]);
    let host = live.address["http://".len()..].split('/').next().unwrap();
    let listens = format!("GET {}events HTTP/1.1\r\nHost: {host}\r\n\r\n", live.page());
    let silent: Vec<_> = (0..60).map(|_| live.sent(&listens)).collect();
    let half: Vec<_> = (0..20).map(|_| live.sent("GET / HTT")).collect();
    let giant = format!("X-Giant: {}", "x".repeat(2_000_000));
    let (status, _) = live.ask(&format!("GET {} HTTP/1.1", live.page()), &[&giant]);
    assert!(matches!(status, 0 | 431), "{status}");
    live.ask("\u{0}\u{1}\u{2} nonsense", &[]);
    let mut changes = live.events();
    changes.next();
    assert_eq!(live.get("").0, 200);
    run(&place, "x-two");
    changes.next().expect("a change");
    live.wait_for("the run", |index| has_runs(index, &["x-one", "x-two"]));
    drop((silent, half));
}

#[test]
fn a_result_of_16_mb_and_one_that_is_half_written_are_shown() {
    let place = Place::new();
    run(&place, "x-one");
    let pair = |name: &str| format!("cb/logs/x-one/solo/a_task/2/{name}/result.json");
    let agent =
        json!({"status": "Error", "cost": 1.0, "steps": 1, "error": "boom ".repeat(3_300_000)});
    place.write(
        &pair("f1_f2"),
        json!({"run_id": "x", "agent": agent}).to_string(),
    );
    place.write(&pair("f1_f3"), "{\"run_id\": \"x\", \"agent\": {\"sta");
    let live = view(&place, &[]);
    let (_, body) = live.get("index.json");
    assert!(body.len() < 100_000, "{}", body.len());
    let index = live.index();
    assert_eq!(trial(&index, "a_task/2/f1_f3")["outcome"], "unreadable");
    for name in ["f1_f2", "f1_f3"] {
        assert_eq!(live.get(&format!("trial/x-one/a_task/2/{name}")).0, 200);
    }
}

#[test]
fn a_browser_is_started_where_there_is_one_and_else_the_way_is_told() {
    let place = Place::new();
    run(&place, "x-one");
    let open = |browser: Option<&str>| {
        let mut command = place.regatta(&[&VIEW[..], &["--open", "-q"]].concat());
        for name in ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER"] {
            command.env_remove(name);
        }
        command.envs(browser.map(|browser| ("BROWSER", browser)));
        Live::of(command)
    };
    open(None).says("no browser could be started: open the address yourself");
    open(Some("false")).says("`false` could not open the page");
    let browser = place.write_program(
        "browser",
        "#!/bin/sh\necho \"$1\" > opened.new && mv opened.new opened\n",
    );
    let live = open(browser.to_str());
    wait_until("the browser", || place.join("opened").exists());
    assert_eq!(place.read("opened").trim(), live.address);
    let mut command = place.regatta(&VIEW);
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    let told = Live::of(command).says("ssh -L");
    assert!(told.contains(":127.0.0.1:"), "{told}");
}

#[test]
fn a_second_view_on_one_port_is_told_of_the_first() {
    let place = Place::new();
    run(&place, "x-one");
    let first = view(&place, &[]);
    let port = first
        .address
        .split(&[':', '/'][..])
        .nth(4)
        .unwrap()
        .to_owned();
    let args = ["view", "--cooperbench-dir", "cb", "--port", &port];
    Ran::of(&place.regatta(&args).output().unwrap())
        .code(2)
        .says(&format!("cannot serve on port {port}"))
        .says("another `regatta view` may have it");
}
