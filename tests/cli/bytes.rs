//! A submission is bytes: what agents of ours hand in is tested as it is, and where upstream's rules
//! change what its agents handed in, that is told of.

use serde_json::{Value, json};

use crate::schema::assert_valid;
use crate::support::quay::{Bench, Made, PAIR, PLAIN, TASK, both, checks, suite};

/// A task whose two features are in one file each: one with DOS line ends, one with a shell's quote.
/// The checks are of bytes.
const HARBOR: Made<'_> = Made {
    base: r"mkdir tests
seq 9 | sed 's/$/\r/' > bell.txt
printf '%s\n' 'greet() { :; }' > greet.sh
printf '%s\n' 'old_one() { true; }' > tests/old.sh",
    features: [
        r"sed -i '4s/.*/ding\r/' bell.txt",
        r#"printf '%s\n' "greet() { echo 'it'\\''s noon'; }" > greet.sh"#,
    ],
    tests: [
        r#"printf '%s\n' 'rings() { [ "$(sed -n 4p bell.txt | od -An -c | tr -d " ")" = "ding\r\n" ]; }' > tests/bell.sh"#,
        r#"printf '%s\n' 'greets() { [ "$(greet)" = "it'"'"'s noon" ]; }' > tests/greet.sh"#,
    ],
    runner: checks!("greet.sh"),
};

const BINARY: &str = r"printf 'a\0b\377' > cache.bin";
const DIR: &str = "logs/x-coop-nocomm/coop";

/// Whose trees.
const OURS: &str = "regatta";
const UPSTREAMS: &str = "codex";

fn result(framework: &str, is_coop: bool) -> String {
    let agent = json!({"status": "Submitted", "cost": 0.1, "steps": 2});
    let mut result = json!({"run_id": "0a0b0c0d", "agent_framework": framework});
    if is_coop {
        result["agents"] = json!({"agent1": agent, "agent2": agent});
    } else {
        result["agent"] = agent;
    }
    result.to_string()
}

/// Judges two agents' patches.
fn coop(bench: &Bench, framework: &str, patches: [&[u8]; 2], args: &[&str]) -> Value {
    let place = &bench.place;
    place.write(
        &format!("{DIR}/{PAIR}/result.json"),
        result(framework, true),
    );
    for (n, patch) in patches.into_iter().enumerate() {
        place.write(&format!("{DIR}/{PAIR}/agent{}.patch", n + 1), patch);
    }
    let _ = std::fs::remove_file(place.join(&format!("{DIR}/{PAIR}/eval.json")));
    bench
        .regatta(&[&["eval", "x-coop-nocomm"], args].concat())
        .code(0);
    let file = place.json(&format!("{DIR}/{PAIR}/eval.json"));
    assert_valid("eval.json", &file);
    file
}

/// Judges one agent's.
fn solo(bench: &Bench, framework: &str, patch: &[u8]) -> Value {
    let place = &bench.place;
    let dir = format!("logs/x-solo/solo/{PAIR}");
    place.write(&format!("{dir}/result.json"), result(framework, false));
    place.write(&format!("{dir}/solo.patch"), patch);
    let _ = std::fs::remove_file(place.join(&format!("{dir}/eval.json")));
    bench.regatta(&["eval", "x-solo"]).code(0);
    let file = place.json(&format!("{dir}/eval.json"));
    assert_valid("eval.json", &file);
    file
}

#[test]
fn our_own_patches_are_judged_as_they_are() {
    let bench = Bench::new(&HARBOR);
    let [bell, greet] = HARBOR.features;
    let both = bench.patch(&format!("{bell}\n{greet}\n{BINARY}"));
    let file = solo(&bench, OURS, &both);
    assert_eq!(file["both_passed"], true, "{file:#}");
    assert!(file["regatta"].get("mended").is_none());
    assert!(file["regatta"].get("by_bytes").is_none());
    let one = bench.patch(&format!("{bell}\n{BINARY}"));
    let two = bench.patch(greet);
    for rules in ["0.0.29", "0.0.11"] {
        let args = ["--rules", rules];
        for patches in [[&*one, &*two], [&*two, &*one]] {
            let file = coop(&bench, OURS, patches, &args);
            assert_eq!(file["merge"]["status"], "clean");
            assert_eq!(file["both_passed"], true, "{file:#}");
        }
        let file = coop(&bench, OURS, [&both, &both], &args);
        assert_eq!(file["both_passed"], true, "{file:#}");
    }
}

/// What git does not take as it is, as of an agent that wrote its patch by hand, is mended: that part
/// alone, and by no more than it needs.
#[test]
fn only_what_does_not_apply_is_mended_and_it_is_said() {
    let bench = Bench::new(&HARBOR);
    let greet = String::from_utf8(bench.patch(HARBOR.features[1])).unwrap();
    // A newline is missing at the end: the quote before it is right.
    let file = solo(&bench, OURS, greet.trim_end().as_bytes());
    assert_eq!(suite(&file, 1)["outcome"], "passed", "{file:#}");
    assert_eq!(
        file["regatta"]["mended"],
        json!(["diff --git a/greet.sh b/greet.sh"])
    );
    // A line of the base has a DOS line end in the patch alone; the other file's are right.
    let wrong = greet.replace("greet() { :; }", "greet() { :; }\r");
    let bell = String::from_utf8(bench.patch(HARBOR.features[0])).unwrap();
    let file = solo(&bench, OURS, format!("{bell}{wrong}").as_bytes());
    assert_eq!(file["both_passed"], true, "{file:#}");
    assert_eq!(
        file["regatta"]["mended"],
        json!(["diff --git a/greet.sh b/greet.sh"])
    );
}

/// Upstream mends all of them, right ones too, and loses what is no text: its verdict stays, and the
/// pair is named.
#[test]
fn a_verdict_that_differs_from_the_bytes_is_upstreams_and_named() {
    let bench = Bench::new(&HARBOR);
    let [bell, greet] = HARBOR.features;
    let one = bench.patch(&format!("{bell}\n{BINARY}"));
    let two = bench.patch(greet);
    for rules in ["0.0.29", "0.0.11"] {
        let file = coop(&bench, UPSTREAMS, [&one, &two], &["--rules", rules]);
        assert_eq!(file["both_passed"], false, "{file:#}");
        let by_bytes = &file["regatta"]["by_bytes"];
        assert_eq!(by_bytes["both_passed"], true, "{file:#}");
        assert_eq!(by_bytes["suites"][1]["reason"], "2 tests passed");
    }
    let report = |format: &str| {
        bench
            .regatta(&["report", "x-coop-nocomm", "--format", format])
            .code(0)
            .stdout
    };
    let json: Value = serde_json::from_str(&report("json")).unwrap();
    assert_eq!(json["runs"][0]["verdict_not_by_bytes"], json!([PAIR]));
    assert_eq!(json["runs"][0]["outcomes"], json!({"fail": 1}));
    for format in ["text", "markdown"] {
        let told = report(format);
        let line = told.lines().find(|line| line.contains("byte for byte"));
        assert!(line.unwrap().contains(PAIR), "{told}");
    }
    // Nothing is changed in it: nothing is looked at twice.
    let file = coop(&bench, UPSTREAMS, [b"", &bench.patch("echo > new")], &[]);
    assert!(file["regatta"].get("by_bytes").is_none());
    // A quote that is right, of one agent.
    let file = solo(&bench, UPSTREAMS, &bench.patch(&format!("{bell}\n{greet}")));
    assert_eq!(file["both_passed"], false, "{file:#}");
    assert_eq!(file["regatta"]["by_bytes"]["both_passed"], true);
}

const QUOTED: &str = r#"printf '%s\n' "it'\\''s" > quoted"#;

/// What breaks the second look, in the suite that runs on the bytes: on which backend, for how long
/// a suite may run, and the rule of that trouble.
const BREAKS: [(&str, &str, &[u32], &str); 3] = [
    (
        "echo 'curl: (6) Could not resolve host: mirror.example'; exit 6",
        "namespace",
        &[600],
        "dependency_download",
    ),
    // On a busy machine the first look needs some time as well.
    ("sleep 1000", "namespace", &[3, 20, 90], "suite_timeout"),
    // Where a suite can name what runs it.
    (
        "kill -9 $PPID; sleep 1000",
        "process",
        &[600],
        "container_lost",
    ),
];

#[test]
fn trouble_in_the_look_at_the_bytes_takes_no_verdict_and_no_pair_away() {
    for (breaks, backend, timeouts, rule) in BREAKS {
        let broken = format!(
            "! grep -qs '[\\]' quoted || {{ {breaks}; }}\n{}",
            PLAIN.runner
        );
        let bench = Bench::new(&Made {
            runner: &broken,
            ..PLAIN
        });
        let place = &bench.place;
        let config = place.read("regatta.toml");
        let config = config.replace("\"namespace\"", &format!("\"{backend}\""));
        place.write("regatta.toml", config);
        // Upstream rewrites a quote of one that passes and of one that does not, and none of the last.
        let runs = [
            ("x-solo", format!("{}\n{QUOTED}", both(&PLAIN)), true),
            ("y-solo", format!("{}\n{QUOTED}", PLAIN.features[0]), false),
            ("z-solo", both(&PLAIN), true),
        ];
        let file = |run: &str| format!("logs/{run}/solo/{PAIR}/eval.json");
        for (run, work, _) in &runs {
            let dir = format!("logs/{run}/solo/{PAIR}");
            place.write(&format!("{dir}/result.json"), result(UPSTREAMS, false));
            place.write(&format!("{dir}/solo.patch"), bench.patch(work));
        }
        let mut told = Vec::new();
        let in_time = timeouts.iter().any(|seconds| {
            let time = format!("{seconds}s");
            let ran = bench.regatta(&["eval", "--force", "--suite-timeout", &time]);
            let looks = ran.stderr.matches("what it is worth is not known").count();
            let is_whole = looks == 2 && ran.stdout.contains("z-solo: 1 pass");
            told.push(format!("{}{}", ran.stderr, ran.stdout));
            is_whole
        });
        assert!(in_time, "{breaks}: {}", told.join("\n"));
        for (run, _, passes) in &runs {
            let judged = place.json(&file(run));
            assert_eq!(judged["both_passed"], *passes, "{breaks}: {judged:#}");
            assert_eq!(judged["error"], json!(null), "{breaks}");
            assert!(judged["regatta"].get("by_bytes").is_none(), "{breaks}");
            let trouble = &judged["regatta"]["worth_broken_by"];
            if *run == "z-solo" {
                assert_eq!(trouble, &json!(null));
            } else {
                assert_eq!(trouble, &json!({"cause": "infra", "rule": rule}));
            }
        }
        // Mended, the next look finds them, and no other.
        let runner = format!("ds/{TASK}/runner.sh");
        place.write(&runner, place.read(&runner).replace(&broken, PLAIN.runner));
        bench.regatta(&["eval"]).code(0);
        for (run, _, passes) in &runs[..2] {
            let own = &place.json(&file(run))["regatta"];
            assert_eq!(own["by_bytes"]["both_passed"], *passes, "{own:#}");
            assert!(own.get("worth_broken_by").is_none());
        }
        bench.regatta(&["eval"]).code(0).says("nothing to judge");
    }
}

/// What decided is in the file: where the patches conflict, and the suite that was run then.
#[test]
fn a_conflict_leaves_its_places_and_the_suite_that_decided() {
    let bench = Bench::new(&HARBOR);
    let one = bench.patch("sed -i '4s/.*/dong\\r/' bell.txt");
    let two = bench.patch(HARBOR.features[0]);
    let file = coop(&bench, OURS, [&one, &two], &[]);
    assert_eq!(file["merge"]["status"], "conflicts");
    let own = &file["regatta"];
    let told = &own["conflict"]["files"][0];
    assert_eq!(told["path"], "bell.txt");
    assert_eq!(told["how"], "both changed it");
    let hunk = told["hunks"][0].as_str().unwrap();
    assert!(
        hunk.contains("ding\r\n") && hunk.contains("dong\r\n"),
        "{hunk}"
    );
    let alone = &own["alone"];
    assert_eq!(alone["agent"], "agent1");
    // The second was not asked any more.
    assert_eq!(alone["suites"].as_array().unwrap().len(), 1);
    let suite = &alone["suites"][0];
    assert_eq!(suite["feature"], 1);
    assert_eq!(suite["outcome"], "failed");
    assert_eq!(suite["failed_tests"], json!(["rings"]));
    assert_eq!(
        (&suite["tests_passed"], &suite["tests_failed"]),
        (&json!(1), &json!(1))
    );
    assert!(
        suite["test_output"]
            .as_str()
            .unwrap()
            .contains("FAILED: rings")
    );
    let why = file["regatta"]["suites"][0]["reason"].as_str().unwrap();
    assert_eq!(
        why,
        "the patches conflict in bell.txt, and the first agent's alone does not pass: feature 1: 1 of 2 tests failed (rings)"
    );
    // Alone it does for both: its suites are the features' own.
    let greet = HARBOR.features[1];
    let both = bench.patch(&format!("{}\n{greet}", HARBOR.features[0]));
    let file = coop(&bench, OURS, [&both, &one], &[]);
    assert_eq!(file["merge"]["strategy"], "solo-agent1");
    assert_eq!(
        file["regatta"]["alone"],
        json!({"agent": "agent1", "suites": []})
    );
    // By rules that keep both sides, the places are told of as well.
    let file = coop(&bench, OURS, [&one, &two], &["--rules", "0.0.11"]);
    assert_eq!(file["merge"]["strategy"], "union");
    assert_eq!(file["regatta"]["conflict"]["files"][0]["path"], "bell.txt");
    assert!(file["regatta"].get("alone").is_none());
    // A patch that git refuses: whose, and in git's words.
    let gone = b"diff --git a/gone b/gone\n--- a/gone\n+++ b/gone\n@@ -1 +1 @@\n-1\n+2\n";
    let file = coop(&bench, OURS, [gone, &two], &[]);
    assert_eq!(file["merge"]["status"], "missing_input");
    assert_eq!(
        file["regatta"]["refused"],
        json!([{"agent": "agent1", "said": "error: gone: No such file or directory"}])
    );
}
