//! The native engine in namespaces, with the demo's dataset and its scripted model behind a real
//! endpoint.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::terminal::Terminal;
use crate::support::{Model, Place, Ran, wait_until};

fn demo(place: &Place, args: &[&str]) -> Ran {
    let args = [&["run", "--profile", "demo", "--no-progress"], args].concat();
    let output = place.beside_an_empty_daemon(&args).output().unwrap();
    Ran::of(&output)
}

fn read(place: &Place, path: &str) -> Value {
    place.json(&format!("logs/{path}"))
}

fn lines(place: &Place, path: &str) -> Vec<Value> {
    let text = place.read(&format!("logs/{path}"));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What the README says that the demo ends with.
fn in_readme() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let blocks = readme
        .split("\n```")
        .map(|block| block.trim_start_matches('\n'));
    let mut shown = blocks.filter(|block| block.starts_with("run    "));
    format!(
        "{}\n",
        shown.next().expect("the README shows the demo's report")
    )
}

/// A report without the times in its first table's last column.
fn without_times(report: &str) -> Vec<&str> {
    let mut is_table = true;
    let mut lines = Vec::new();
    for line in report.lines() {
        is_table &= !line.is_empty();
        let cost = line.rfind('$').filter(|_| is_table);
        let end = cost.and_then(|at| Some(at + line[at..].find(' ')?));
        lines.push(&line[..end.unwrap_or(line.len())]);
    }
    // The head's last column is as wide as the longest time.
    lines[0] = lines[0].trim_end_matches("time").trim_end();
    lines
}

/// What was submitted is what the dataset says; a lone agent's and an agreed one differ.
fn submissions_are_the_datasets(place: &Place) {
    for (run, wanted) in [
        ("demo-coop-comm", "agreed"),
        ("demo-coop-nocomm", "feature"),
    ] {
        let patch = place.read(&format!("logs/{run}/coop/tide_task/1/f1_f2/agent1.patch"));
        let gold = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!(
            "demo/dataset/tide_task/task1/feature1/{wanted}.patch"
        ));
        let plain = |text: &str| {
            let lines = text.lines().filter(|line| !line.starts_with("index "));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(
            plain(&patch),
            plain(&std::fs::read_to_string(gold).unwrap()),
            "{run}"
        );
    }
}

/// The same command again finds nothing to do, and nothing was left behind.
fn nothing_is_left_to_do(place: &Place) {
    demo(place, &[]).code(0);
    assert_eq!(lines(place, "demo-solo/regatta/ledger.jsonl").len(), 9);
    // With other limits it would be another experiment.
    place.write("regatta.toml", "[native]\npids = 99\nmemory_gb = 2\n");
    demo(place, &["--dry-run"])
        .code(2)
        .says("limit memory_bytes: 4000000000 → 2000000000")
        .says("limit pids: 1024 → 99")
        .says("--accept-changes");
    let leftovers = place.beside_an_empty_daemon(&["clean"]).output().unwrap();
    let said = Ran::of(&leftovers).code(0).stdout;
    assert!(
        !said.contains(&format!("{}", place.path().display())),
        "{said}"
    );
}

/// The first of the README's two commands: three settings, each fault seen and what became of it.
#[test]
fn the_demo_shows_what_it_says() {
    let place = Place::new();
    let ran = demo(&place, &[]).code(0);
    // The README shows it in 80 columns, and leaves out what stands between the table and the second
    // run, and before the end.
    let report = place.regatta(&["report", "--profile", "demo", "--color", "never"]);
    let (_, _, report) = Terminal::start(&place, &report, 80, 100).end();
    let report = report.replace('\r', "");
    let (printed, readme) = (without_times(&report).join("\n"), in_readme());
    let shown = without_times(&readme).join("\n");
    let [table, run, end] = shown.split("\n…\n").collect::<Vec<_>>()[..] else {
        panic!("two gaps: {shown}");
    };
    assert!(
        ran.stderr.ends_with(&format!("{end}\n")),
        "{}\n\n{end}",
        ran.stderr
    );
    assert!(printed.starts_with(table), "{printed}\n\n{table}");
    assert!(printed.contains(run), "{printed}\n\n{run}");
    // By construction, one alone beats two who talk, and those two who don't.
    for (run, passed) in [
        ("demo-solo", 9),
        ("demo-coop-comm", 8),
        ("demo-coop-nocomm", 4),
    ] {
        let verdicts = format!("{run}: {passed} pass, {} fail, 0 infra_error", 9 - passed);
        assert!(ran.stdout.contains(&verdicts), "{}", ran.stdout);
    }
    // A rate limit: the call was made again, and the time that was lost is written down.
    let limited = read(&place, "demo-solo/solo/tide_task/1/f2_f3/result.json");
    assert_eq!(limited["agent"]["status"], "Submitted");
    assert!(limited["agent"]["rate_limited_seconds"].as_f64().unwrap() > 0.0);
    assert!(limited["agent"]["input_tokens"].as_u64().unwrap() > 0);
    let events = lines(&place, "demo-solo/regatta/events.jsonl");
    assert!(events.iter().any(|event| event["event"] == "pace"));
    // A dead sandbox: the trial is void for both agents, and both run again.
    let ledger = lines(&place, "demo-coop-comm/regatta/ledger.jsonl");
    let lost: Vec<_> = ledger
        .iter()
        .filter(|trial| trial["diagnosis"]["evidence"]["rule"] == "container_lost")
        .collect();
    assert_eq!(lost.len(), 1, "{lost:#?}");
    let errors: Vec<_> = lost[0]["agents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|agent| agent["error"].as_str())
        .collect();
    assert!(
        errors[1].unwrap().starts_with("regatta/container_lost: "),
        "{errors:?}"
    );
    // Its peer had submitted: of no call is it unknown whether it was billed.
    assert_eq!(lost[0]["agents"][0]["status"], "Submitted");
    assert!(
        ledger
            .iter()
            .all(|trial| trial.get("usage_unknown").is_none())
    );
    assert_eq!(ledger.len(), 10);
    // A limit of steps: a result, with the work that was done.
    let restless = read(
        &place,
        "demo-coop-nocomm/coop/ferry_task/1/f2_f3/result.json",
    );
    let first = &restless["agents"]["agent1"];
    assert_eq!(first["status"], "LimitsExceeded");
    assert_eq!(first["steps"], 12);
    assert!(first["patch_lines"].as_u64().unwrap() > 0);
    let ledger_of = |run: &str| lines(&place, &format!("{run}/regatta/ledger.jsonl"));
    let at_a_limit = ["demo-solo", "demo-coop-comm", "demo-coop-nocomm"]
        .iter()
        .flat_map(|run| ledger_of(run))
        .filter(|trial| trial.to_string().contains("LimitsExceeded"))
        .count();
    assert_eq!(at_a_limit, 1);
    // Messages where they may be, and none elsewhere.
    let talk = |run: &str| {
        read(
            &place,
            &format!("{run}/coop/tide_task/1/f1_f2/conversation.json"),
        )
    };
    // (The second is refused where its receiver has ended by then.)
    let messages = talk("demo-coop-comm");
    assert!((1..=2).contains(&messages.as_array().unwrap().len()));
    assert!(messages[0]["timestamp"].is_number());
    assert_eq!(talk("demo-coop-nocomm"), Value::Array(Vec::new()));
    submissions_are_the_datasets(&place);
    nothing_is_left_to_do(&place);
}

/// Whoever starts it, and however private their files are: a sandbox that root starts is nobody's.
#[test]
fn it_runs_where_files_are_private_by_default() {
    let place = Place::new();
    let program = std::fs::read(crate::support::REGATTA).unwrap();
    let own = place.write_program("own-regatta", program);
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o700)).unwrap();
    let output = Command::new("sh")
        .args(["-c", "umask 077; exec \"$0\" \"$@\""])
        .arg(&own)
        .args(["run", "--profile", "demo", "--no-progress"])
        .args(["--setting", "solo", "--smoke", "1"])
        .current_dir(place.path())
        .env("XDG_CACHE_HOME", place.join("private"))
        .env("DOCKER_HOST", place.empty_daemon())
        .output();
    Ran::of(&output.unwrap()).code(0).prints("1 pass");
}

/// Everything that a trial leaves which does not depend on the clock.
fn outcome(place: &Place, logs: &str) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (run, tree) in [("demo-solo", "solo"), ("demo-coop-comm", "coop")] {
        for pair in [
            "ferry_task/2/f1_f3",
            "tide_task/1/f1_f2",
            "tide_task/1/f2_f3",
        ] {
            let dir = format!("{logs}/{run}/{tree}/{pair}");
            let mut result = place.json(&format!("{dir}/result.json"));
            let mut statuses = Vec::new();
            for key in ["agent", "agents"] {
                statuses.push(strip(result[key].take()));
            }
            let entries = std::fs::read_dir(place.join(&dir)).unwrap().flatten();
            let mut patches: Vec<_> = entries
                .map(|entry| entry.path())
                .filter(|path| path.extension().is_some_and(|ext| ext == "patch"))
                .collect();
            patches.sort();
            let patches: String = patches
                .iter()
                .map(|path| std::fs::read_to_string(path).unwrap())
                .collect();
            found.push((format!("{run}/{pair}"), patches, Value::Array(statuses)));
        }
    }
    found
}

fn strip(mut agents: Value) -> Value {
    if let Some(agents) = agents.as_object_mut() {
        agents.remove("rate_limited_seconds");
        agents
            .values_mut()
            .filter_map(Value::as_object_mut)
            .for_each(|agent| {
                agent.remove("rate_limited_seconds");
            });
    }
    agents
}

#[test]
fn a_recorded_experiment_replays_offline_bit_for_bit() {
    let place = Place::new();
    let settings = ["--setting", "solo", "--setting", "coop-comm"];
    demo(&place, &[&settings[..], &["--record", "tapes"]].concat()).code(0);
    // Nothing answers at that endpoint: whatever is said comes from the recording.
    let offline = [
        "--replay",
        "tapes",
        "--logs-dir",
        "again",
        "--api-base",
        "http://127.0.0.1:1/v1",
    ];
    demo(&place, &[&settings[..], &offline].concat()).code(0);
    assert_eq!(outcome(&place, "again"), outcome(&place, "logs"));

    // A request that differs names the first difference.
    let tape = "tapes/demo-solo/ferry_task/1/f1_f2/solo-1.jsonl";
    let text = place.read(tape).replacen(
        "Each command runs in a new login shell",
        "Each command runs",
        1,
    );
    place.write(tape, text);
    let other = [
        "--replay",
        "tapes",
        "--logs-dir",
        "other",
        "--api-base",
        "http://127.0.0.1:1/v1",
    ];
    let ran = demo(&place, &[&["--setting", "solo"][..], &other].concat());
    assert_ne!(ran.code, Some(0));
    let result = place.json("other/demo-solo/solo/ferry_task/1/f1_f2/result.json");
    let error = result["agent"]["error"].as_str().unwrap();
    assert!(error.starts_with("regatta/replay: "), "{error}");
    assert!(error.contains("/messages/1/content"), "{error}");
}

/// Upstream's prompts, limits and variables are read from its own form.
#[test]
fn an_agent_configuration_is_honoured() {
    let place = Place::new();
    place.write(
        "agent.yaml",
        "agent:\n  step_limit: 3\n  instance_template: |\n    {{task}} You are {{ agent_id }} of {{ agents | reject('equalto', agent_id) | join(', ') }} on {{system}}.\nenvironment:\n  env: {GREETING: hello}\n",
    );
    demo(
        &place,
        &["--setting", "coop-nocomm", "--agent-config", "agent.yaml"],
    )
    .code(0);
    let pair = "demo-coop-nocomm/coop/tide_task/1/f1_f2";
    let result = read(&place, &format!("{pair}/result.json"));
    let trajectory = read(&place, &format!("{pair}/agent1_traj.json"));
    let task = trajectory["messages"][1]["content"].as_str().unwrap();
    assert!(
        task.contains("You are agent1 of agent2 on Linux."),
        "{task}"
    );
    // The demo's own step limit is a key of [native], which outranks the file.
    assert_eq!(result["agents"]["agent1"]["steps"], 4);
}

/// What it carries is shown by the sandbox's tests.
#[test]
fn a_shared_remote_is_offered_in_the_prompt() {
    let place = Place::new();
    demo(&place, &["--setting", "coop-comm", "--git"]).code(0);
    let pair = "demo-coop-comm/coop/tide_task/1/f1_f2";
    let trajectory = read(&place, &format!("{pair}/agent1_traj.json"));
    let task = trajectory["messages"][1]["content"].as_str().unwrap();
    assert!(task.contains("git push origin agent1"), "{task}");
}

/// A long conversation is shortened: the task stays, the trajectory keeps everything once, and the
/// summaries are paid for.
#[test]
fn a_summary_shortens_the_conversation_and_is_counted() {
    let place = Place::new();
    place.write("agent.yaml", "agent: {compaction_token_trigger: 1}");
    let args = ["--setting", "coop-nocomm", "--agent-config", "agent.yaml"];
    demo(&place, &args).code(0);
    let pair = "demo-coop-nocomm/coop/ferry_task/1/f2_f3";
    let agent = &read(&place, &format!("{pair}/result.json"))["agents"]["agent1"];
    let trajectory = read(&place, &format!("{pair}/agent2_traj.json"));
    let messages = trajectory["messages"].as_array().unwrap();
    let replies = messages
        .iter()
        .filter(|message| message["role"] == "assistant");
    let (summaries, turns): (Vec<_>, Vec<_>) =
        replies.partition(|message| message["extra"]["summary"] == true);
    assert!(!summaries.is_empty());
    assert_eq!(turns.len() as u64, agent["steps"].as_u64().unwrap());
    let billed: f64 = summaries
        .iter()
        .chain(&turns)
        .map(|message| message["extra"]["cost"].as_f64().unwrap())
        .sum();
    assert!(
        (agent["cost"].as_f64().unwrap() - billed).abs() < 1e-9,
        "{agent} {billed}"
    );
}

/// mini-swe-agent's first version asks for one fenced block and shows results in tags.
#[test]
fn a_first_version_configuration_runs_without_tools() {
    let place = Place::new();
    place.write(
        "agent.yaml",
        "agent:\n  action_observation_template: '<returncode>{{output.returncode}}</returncode>\n    <output>{{output.output}}</output>'\n",
    );
    demo(
        &place,
        &["--setting", "solo", "--agent-config", "agent.yaml"],
    )
    .code(0);
    let pair = "demo-solo/solo/ferry_task/1/f1_f2";
    let agent = &read(&place, &format!("{pair}/result.json"))["agent"];
    assert_eq!(agent["status"], "Submitted");
    assert!(agent["patch_lines"].as_u64().unwrap() > 0);
    let trajectory = read(&place, &format!("{pair}/solo_traj.json"));
    let messages = trajectory["messages"].as_array().unwrap();
    assert!(messages.iter().all(|message| message["role"] != "tool"));
    let shown = messages[3]["content"].as_str().unwrap();
    assert!(shown.starts_with("<returncode>0</returncode>"), "{shown}");
}

/// What ends a sandbox from inside may be anything once: the trial is made again. The second time it
/// is the agent's own end, and its peer's work stands.
#[test]
fn an_agent_that_ends_its_sandbox_buys_one_more_trial_and_no_more() {
    let place = Place::new();
    let dataset = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/dataset");
    // Only the first agent's request has this text. The second agent is held until the second trial,
    // so that it never ends before the first agent's sandbox does.
    let faults = "kills-guest when=Ask for the next ferry\nhold until=3\n";
    let faults = place.write("faults", faults);
    let model = Model::serve(&dataset, &faults);
    let base = format!("{}/v1", model.base);
    // Where commands can name the guest, the attribution is all that holds.
    let args = [
        "--backend",
        "process",
        "--setting",
        "coop-nocomm",
        "--smoke",
        "1",
        "--api-base",
        &base,
    ];
    demo(&place, &args).code(0);
    let run = "demo-coop-nocomm";
    let ledger = lines(&place, &format!("{run}/regatta/ledger.jsonl"));
    assert_eq!(ledger.len(), 2, "{ledger:#?}");
    let error = |agent: usize| ledger[0]["agents"][agent]["error"].as_str().unwrap();
    let (first, second) = (error(0), error(1));
    assert!(first.starts_with("regatta/sandbox_ended: "), "{first}");
    assert!(second.starts_with("regatta/peer_lost: "), "{second}");
    let result = read(
        &place,
        &format!("{run}/coop/ferry_task/1/f1_f2/result.json"),
    );
    let (first, second) = (&result["agents"]["agent1"], &result["agents"]["agent2"]);
    assert_eq!(first["status"], "SandboxEnded");
    assert_eq!(first["patch_lines"], 0);
    assert_eq!(second["status"], "Submitted");
    assert!(second["patch_lines"].as_u64().unwrap() > 0);
    assert!(result.get("infra_error").is_none(), "{result:#}");
    // A result: judged, and never run again.
    let verdict = read(&place, &format!("{run}/coop/ferry_task/1/f1_f2/eval.json"));
    assert_eq!(verdict["both_passed"], false);
    demo(&place, &args).code(0);
    assert_eq!(
        lines(&place, &format!("{run}/regatta/ledger.jsonl")).len(),
        2
    );
}

/// One word of each result: the trial that stands.
fn trials(place: &Place, run: &str) -> std::collections::BTreeMap<String, String> {
    let ledger = format!("{run}/regatta/ledger.jsonl");
    let mut found = std::collections::BTreeMap::new();
    for line in lines(place, &ledger) {
        let (repo, task) = (line["repo"].as_str().unwrap(), &line["task_id"]);
        let (one, other) = (&line["features"][0], &line["features"][1]);
        let dir = format!("{run}/coop/{repo}/{task}/f{one}_f{other}");
        let dir = if place.join(&format!("logs/{dir}")).exists() {
            dir
        } else {
            dir.replace("/coop/", "/solo/")
        };
        if place.join(&format!("logs/{dir}/result.json")).exists() {
            let result = read(place, &format!("{dir}/result.json"));
            let id = result["run_id"].as_str().unwrap().to_owned();
            found.insert(dir, id);
        }
    }
    found
}

/// The passes of a command's runs end together: what it has finished in one run is not paid again
/// because it was killed in the next.
#[test]
fn a_forced_run_that_was_killed_in_its_second_setting_pays_nothing_twice() {
    let place = Place::new();
    let settings = ["--setting", "solo", "--setting", "coop-nocomm"];
    let forced = [&settings[..], &["--force"]].concat();
    demo(&place, &settings).code(0);
    let [solo, coop] = ["demo-solo", "demo-coop-nocomm"];
    let before = [solo, coop].map(|run| trials(&place, run));
    let paid = |run: &str| lines(&place, &format!("{run}/regatta/ledger.jsonl")).len();
    let at_first = paid(coop);
    let args = [&["run", "--profile", "demo", "--no-progress"], &forced[..]].concat();
    let mut killed = place
        .beside_an_empty_daemon(&args)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_until("a pair of the second setting has run", || {
        paid(coop) > at_first
    });
    killed.kill().unwrap();
    killed.wait().unwrap();
    let in_solo = (trials(&place, solo), paid(solo));
    let stood = trials(&place, coop);
    let made: Vec<_> = stood
        .iter()
        .filter(|(dir, id)| before[1].get(*dir) != Some(*id))
        .collect();
    assert!(!made.is_empty());
    demo(&place, &[&forced[..], &["--dry-run"]].concat())
        .code(0)
        .prints("demo-solo (setting solo): 9 pairs, 9 finished")
        .prints("demo-coop-nocomm: the forced pass begun at");
    demo(&place, &forced)
        .code(0)
        .says("demo-solo: the forced pass begun at")
        .says("--force begins another");
    assert_eq!((trials(&place, solo), paid(solo)), in_solo);
    let now = trials(&place, coop);
    for (dir, id) in made {
        assert_eq!(now.get(dir), Some(id), "{dir} was paid twice");
    }
    assert!(now.iter().all(|(dir, id)| before[1].get(dir) != Some(id)));
    // What was there at first comes back.
    place
        .run(&["restore", "demo-solo", "--profile", "demo"])
        .code(0)
        .prints("demo-solo: restored 9 results; set aside: 9 results (9 judged");
    assert_eq!(trials(&place, solo), before[0]);
}

/// All that Ctrl-C leaves is gone on with, and what it costs to force a run is said first.
#[test]
fn a_forced_run_that_was_interrupted_is_resumed_by_the_same_command() {
    let place = Place::new();
    demo(&place, &["--setting", "solo"]).code(0);
    let before = trials(&place, "demo-solo");
    demo(&place, &["--setting", "solo", "--force", "--dry-run"])
        .code(0)
        .prints("demo-solo: --force sets aside 9 results (9 judged, cost $");
    assert_eq!(trials(&place, "demo-solo"), before, "a dry run is dry");
    let paid = || lines(&place, "demo-solo/regatta/ledger.jsonl").len();
    let at_first = paid();
    let args = "run --profile demo --no-progress --setting solo --force --concurrency 1";
    let args: Vec<&str> = args.split(' ').collect();
    let stopped = place
        .beside_an_empty_daemon(&args)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("two pairs have run again", || paid() >= at_first + 2);
    let process = stopped.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &process])
            .status()
            .unwrap()
            .success()
    );
    Ran::of(&stopped.wait_with_output().unwrap()).code(130);
    let made = trials(&place, "demo-solo");
    assert!((2..9).contains(&made.len()), "{made:?}");
    place
        .run(&["status", "--profile", "demo"])
        .code(0)
        .prints(&format!(
            "is not closed: {} of its 9 pairs left",
            9 - made.len()
        ));
    let ran = demo(&place, &["--setting", "solo", "--force"]).code(0);
    assert!(!ran.stderr.contains("sets aside"), "{}", ran.stderr);
    let now = trials(&place, "demo-solo");
    assert_eq!(now.len(), 9);
    assert!(made.iter().all(|(dir, id)| now.get(dir) == Some(id)));
    // Another pass begins only now.
    demo(&place, &["--setting", "solo", "--force"])
        .code(0)
        .says("demo-solo: --force sets aside 9 results");
    let last = trials(&place, "demo-solo");
    assert!(now.iter().all(|(dir, id)| last.get(dir) != Some(id)));
}

/// A spent budget asks for the same command with a larger one: that must not be a new pass.
#[test]
fn a_forced_run_that_spent_its_budget_goes_on_with_a_larger_one() {
    let place = Place::new();
    demo(&place, &["--setting", "solo"]).code(0);
    let before = trials(&place, "demo-solo");
    let spent: f64 = lines(&place, "demo-solo/regatta/ledger.jsonl")
        .iter()
        .filter_map(|line| line["cost"].as_f64())
        .sum();
    let forced = |budget: f64, concurrency: &str| {
        let budget = budget.to_string();
        let args = ["--setting", "solo", "--force", "--concurrency", concurrency];
        demo(&place, &[&args[..], &["--budget", &budget]].concat())
    };
    // Spent before it begins: nothing is set aside, and no pass begins.
    forced(spent / 2.0, "9").code(4).says("the budget is spent");
    assert_eq!(trials(&place, "demo-solo"), before);
    assert!(!place.join("logs/demo-solo/regatta/pass.json").exists());
    // With all pairs at once, all may finish although the budget is spent by the first.
    forced(spent + 0.0001, "9").code(4);
    let made = trials(&place, "demo-solo");
    assert!(!made.is_empty());
    forced(9.0, "9").code(0);
    let now = trials(&place, "demo-solo");
    assert_eq!(now.len(), 9);
    assert!(made.iter().all(|(dir, id)| now.get(dir) == Some(id)));
}

/// Who leaves `--force` out has not asked for anything to be replaced, whatever was begun before.
#[test]
fn without_force_no_result_that_stands_is_replaced() {
    let place = Place::new();
    demo(&place, &["--setting", "solo"]).code(0);
    let before = trials(&place, "demo-solo");
    let ledger = lines(&place, "demo-solo/regatta/ledger.jsonl");
    let covered = |line: &Value| {
        json!({"repo": line["repo"], "task_id": line["task_id"], "features": line["features"],
            "was": line["trial"]})
    };
    let covered: Vec<Value> = ledger.iter().map(covered).collect();
    let pass = json!({"begun_at": "2026-11-25T12:00:00Z", "pairs": covered});
    place.write("logs/demo-solo/regatta/pass.json", pass.to_string());
    // Stopped when it had set one pair aside, and run nothing.
    let (missing, _) = before.first_key_value().unwrap();
    std::fs::remove_dir_all(place.join(&format!("logs/{missing}"))).unwrap();
    let held = "a forced pass begun at 2026-11-25T12:00:00Z is open: 8 of its 9 pairs left, whose results stand; --force goes on with it";
    demo(&place, &["--setting", "solo", "--dry-run"])
        .code(0)
        .prints("8 finished, 0 in an error of the agent's own, 1 to run")
        .prints(held);
    demo(&place, &["--setting", "solo"]).code(0).says(held);
    let filled = trials(&place, "demo-solo");
    assert_eq!(filled.len(), 9);
    for (dir, id) in &filled {
        let is_kept = before.get(dir) == Some(id);
        assert_eq!(is_kept, dir != missing, "{dir}");
    }
    let paid = || lines(&place, "demo-solo/regatta/ledger.jsonl").len();
    assert_eq!(paid(), 10);
    place
        .run(&["status", "--profile", "demo"])
        .code(0)
        .prints("every pair has finished; a forced pass is open")
        .prints("8 of its 9 pairs left; --force goes on with it");
    // Asked for, the rest goes, and what the pass has made already does not.
    demo(&place, &["--setting", "solo", "--force"]).code(0);
    let last = trials(&place, "demo-solo");
    for (dir, id) in &filled {
        assert_eq!(last.get(dir) == Some(id), dir == missing, "{dir}");
    }
    assert_eq!(paid(), 18);
}

/// What only mending changes keeps no pass open, though the run asks for verdicts as well.
#[test]
fn a_forced_run_whose_pair_never_gets_a_verdict_is_done() {
    let place = Place::new();
    let demo_set = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/dataset");
    crate::support::copy_tree(&demo_set, &place.join("ds"));
    std::fs::remove_file(place.join("ds/ferry_task/task1/feature1/tests.patch")).unwrap();
    let faults = place.write("faults", "");
    let model = Model::serve(&place.join("ds"), &faults);
    let base = format!("{}/v1", model.base);
    let args = ["--dataset-dir", "ds", "--api-base", &base, "--eval"];
    let one = ["--setting", "solo", "--smoke", "1"];
    let args = [&args[..], &one].concat();
    demo(&place, &args).code(1);
    let run = "demo-solo";
    let paid = || lines(&place, &format!("{run}/regatta/ledger.jsonl")).len();
    assert_eq!(paid(), 1);
    for pass in 2..=3 {
        demo(&place, &[&args[..], &["--force"]].concat())
            .code(1)
            .says(&format!("{run}: --force sets aside 1 result"))
            .says("is done; --force begins another");
        assert_eq!(paid(), pass);
        let file = read(&place, &format!("{run}/regatta/pass.json"));
        assert!(file["closed_at"].is_string(), "{file:#}");
    }
}

/// The process that serves the sandbox made in this directory, once its repository is ready. Of a
/// guest, others may read what it was started with and its children only.
fn guest_below(dir: &Path) -> Option<i32> {
    if !has_ballast(dir, 5) {
        return None;
    }
    let processes = std::fs::read_dir("/proc").unwrap();
    let mut numbers = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers.find(|number| {
        let about = Path::new("/proc").join(number.to_string());
        let read = |name: &str| std::fs::read(about.join(name)).unwrap_or_default();
        let command = String::from_utf8_lossy(&read("cmdline")).into_owned();
        command.contains("__guest")
            && command.contains(dir.to_str().unwrap())
            && read(&format!("task/{number}/children")).is_empty()
    })
}

/// Whether a repository below a directory is ready: its ballast is the last that is made.
fn has_ballast(dir: &Path, depth: usize) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let path = entry.path();
        path.ends_with(".base.git/ballast") || depth > 0 && has_ballast(&path, depth - 1)
    })
}

/// Nobody's command was under way: it is no first of two ends that count as the agent's.
#[test]
fn a_sandbox_that_ends_before_its_first_command_is_not_the_agents_doing() {
    let place = Place::new();
    let dataset = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/dataset");
    let faults = place.write("faults", "hold\n");
    let model = Model::serve(&dataset, &faults);
    let base = format!("{}/v1", model.base);
    let temporary = place.join("t");
    std::fs::create_dir(&temporary).unwrap();
    let run = "demo-solo";
    let args = "run --profile demo --no-progress --backend process --setting solo --smoke 1";
    let args: Vec<&str> = args.split(' ').chain(["--api-base", &base]).collect();
    let started = place
        .beside_an_empty_daemon(&args)
        .env("TMPDIR", &temporary)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut found = None;
    wait_until("a sandbox", || {
        found = guest_below(&temporary);
        found.is_some()
    });
    let guest = found.unwrap().to_string();
    let killed = Command::new("kill").args(["-9", &guest]).status().unwrap();
    assert!(killed.success());
    place.write("faults", "");
    Ran::of(&started.wait_with_output().unwrap()).code(0);
    let ledger = lines(&place, &format!("{run}/regatta/ledger.jsonl"));
    assert_eq!(ledger.len(), 2, "{ledger:#?}");
    let error = ledger[0]["agents"][0]["error"].as_str().unwrap();
    assert!(error.starts_with("regatta/container_lost: "), "{error}");
    assert_eq!(ledger[1]["status"], "Submitted");
}

/// Without a shell nothing that is paid for comes to anything: one call, and one more in the trial
/// that such an end buys.
#[test]
fn an_agent_that_takes_its_shell_away_pays_for_no_more_calls() {
    let place = Place::new();
    let linked = Command::new("bash")
        .args(["-c", "mkdir bin; ln -sf /bin/* /usr/bin/* bin/"])
        .current_dir(place.path())
        .status();
    assert!(linked.unwrap().success());
    let bin = place.join("bin").display().to_string();
    let removes = format!("rm {bin}/bash 2>/dev/null; ln -s {bin}/bash {bin}/bash");
    let listener =
        crate::listener::Listener::answering(move |_| Some(crate::listener::reply(&removes)));
    let restored = "ln -sf /bin/bash bin/bash";
    place.write(
        "agent.yaml",
        format!("environment: {{env: {{PATH: '{bin}'}}}}\n"),
    );
    let base = format!("{}/v1", listener.base);
    let args = "--backend process --setting solo --smoke 1 --max-attempts 1";
    let args: Vec<&str> = args
        .split(' ')
        .chain(["--api-base", &base, "--agent-config", "agent.yaml"])
        .collect();
    demo(&place, &args);
    assert_eq!(listener.asked().len(), 1);
    let mended = Command::new("bash")
        .args(["-c", restored])
        .current_dir(place.path())
        .status();
    assert!(mended.unwrap().success());
    demo(&place, &args);
    assert_eq!(listener.asked().len(), 2);
    let result = read(&place, "demo-solo/solo/ferry_task/1/f1_f2/result.json");
    assert_eq!(result["agent"]["status"], "SandboxEnded", "{result:#}");
    let error = result["agent"]["error"].as_str().unwrap();
    assert!(error.contains("can run nothing any more"), "{error}");
}
