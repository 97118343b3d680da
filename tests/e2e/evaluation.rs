//! Verdicts: the same as upstream's on the same patches, field by field.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::lab::{Lab, Started, Version};
use crate::support::{Place, Ran, copy_tree, wait_until};

const PAIRS: [&str; 7] = [
    "harbor_task/1/f1_f2",
    "harbor_task/1/f1_f3",
    "harbor_task/1/f2_f3",
    "harbor_task/2/f1_f2",
    "harbor_task/2/f1_f3",
    "harbor_task/2/f2_f3",
    "lighthouse_task/7/f1_f2",
];

/// A pair's files in the dataset, and a repository to make patches in.
struct Bench {
    task: PathBuf,
    features: [u64; 2],
    repo: tempfile::TempDir,
}

impl Bench {
    fn new(pair: &str) -> Self {
        let parts: Vec<&str> = pair.split('/').collect();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let repo = tempfile::tempdir().unwrap();
        copy_tree(&root.join("repos").join(parts[0]), repo.path());
        let features: Vec<u64> = parts[2]
            .split('_')
            .map(|feature| feature[1..].parse().unwrap())
            .collect();
        let bench = Self {
            task: root.join(format!("cooperbench/dataset/{}/task{}", parts[0], parts[1])),
            features: [features[0], features[1]],
            repo,
        };
        bench.git("git init -q . && git add -A && git -c user.name=t -c user.email=t@localhost commit -qm base");
        bench
    }

    fn git(&self, script: &str) -> Vec<u8> {
        let output = Command::new("bash")
            .args(["-c", &format!("set -e\n{script}")])
            .current_dir(self.repo.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
        output.stdout
    }

    /// The patch of one of the pair's features (0 or 1), or of both of them (2).
    fn gold(&self, which: usize) -> PathBuf {
        match self.features.get(which) {
            Some(feature) => self.task.join(format!("feature{feature}/feature.patch")),
            None => self.task.join("combined.patch"),
        }
    }

    /// What a script leaves on top of a gold patch, as a patch.
    fn patch(&self, gold: usize, script: &str) -> Vec<u8> {
        let gold = self.gold(gold).display().to_string();
        self.git(&format!(
            "git reset -q --hard && git clean -fdxq && git apply '{gold}'\n{script}\ngit add -A && git diff --cached --binary HEAD"
        ))
    }

    fn text(&self, which: usize) -> String {
        std::fs::read_to_string(self.gold(which)).unwrap()
    }
}

const GARBAGE: &str = "diff --git a/README.md b/README.md\n--- a/README.md\n+++ b/README.md\n@@ -1,2 +1,2 @@\n-there is no such line\n+and never was\n context\n";
const MORE_TESTS: &str = "mkdir -p tests && echo 'def test_x(): assert False' > tests/test_extra.py && echo 'package x' > extra_test.go";
const BINARY: &str = "printf '\\000\\001\\002' > image.bin";

/// What one agent submitted.
type Solo = (&'static str, fn(&Bench) -> Vec<u8>);
const SOLO: [Solo; 14] = [
    ("gold", |it| it.text(2).into_bytes()),
    ("empty", |_| Vec::new()),
    ("blank", |_| b"\n \n".to_vec()),
    ("does not apply", |_| GARBAGE.into()),
    ("adds test files", |it| it.patch(2, MORE_TESTS)),
    ("CRLF", |it| it.text(2).replace('\n', "\r\n").into_bytes()),
    ("no final newline", |it| {
        it.text(2).trim_end().as_bytes().to_vec()
    }),
    ("one feature", |it| it.text(0).into_bytes()),
    ("a rename", |it| it.patch(2, "git mv README.md READ.md")),
    ("a binary file", |it| it.patch(2, BINARY)),
    ("a mode", |it| it.patch(2, "chmod +x README.md")),
    ("a symlink", |it| it.patch(2, "ln -s README.md link")),
    ("a syntax error", |it| {
        it.patch(
            2,
            "for f in */*.py; do echo 'def' >> $f; done; git checkout -q -- tests",
        )
    }),
    ("a path outside", |_| {
        b"diff --git a/../x b/../x\nnew file mode 100644\n--- /dev/null\n+++ b/../x\n@@ -0,0 +1 @@\n+x\n".to_vec()
    }),
];

/// What two agents submitted.
type Coop = (&'static str, fn(&Bench) -> [Vec<u8>; 2]);
const COOP: [Coop; 14] = [
    ("gold", |it| {
        [it.text(0).into_bytes(), it.text(1).into_bytes()]
    }),
    ("both empty", |_| [Vec::new(), Vec::new()]),
    ("the second empty", |it| {
        [it.text(2).into_bytes(), Vec::new()]
    }),
    ("the first does not apply", |it| {
        [GARBAGE.into(), it.text(2).into_bytes()]
    }),
    ("the second does not apply", |it| {
        [it.text(2).into_bytes(), GARBAGE.into()]
    }),
    ("identical", |it| {
        [it.text(2).into_bytes(), it.text(2).into_bytes()]
    }),
    ("both add test files", |it| {
        [it.patch(0, MORE_TESTS), it.patch(1, MORE_TESTS)]
    }),
    ("a conflict, and the first alone does for both", |it| {
        [
            it.patch(2, "echo one >> README.md"),
            it.patch(1, "echo two >> README.md"),
        ]
    }),
    ("a conflict that nothing mends", |it| {
        [
            it.patch(0, BINARY),
            it.patch(1, "printf '\\003' > image.bin"),
        ]
    }),
    ("CRLF and no final newline", |it| {
        [
            it.text(0).replace('\n', "\r\n").into_bytes(),
            it.text(1).trim_end().as_bytes().to_vec(),
        ]
    }),
    ("a rename and an edit", |it| {
        [
            it.patch(0, "git mv README.md READ.md"),
            it.patch(1, "sed -i '1s/$/ more/' README.md"),
        ]
    }),
    ("a binary file", |it| {
        [it.patch(0, BINARY), it.text(1).into_bytes()]
    }),
    ("a mode and a symlink", |it| {
        [
            it.patch(0, "chmod +x README.md"),
            it.patch(1, "ln -s README.md link"),
        ]
    }),
    ("one breaks the other", |it| {
        [
            it.patch(
                0,
                "for f in */*.py; do echo 'def' >> $f; done; git checkout -q -- tests",
            ),
            it.text(1).into_bytes(),
        ]
    }),
];

/// Writes a finished result with its patches.
fn finished(place: &Place, dir: &str, patches: &[(String, Vec<u8>)]) {
    let agent = json!({"status": "Submitted", "cost": 0.1, "steps": 2, "error": null});
    let mut result = json!({"run_id": "0a0b0c0d", "model": "m", "duration_seconds": 1.0});
    if patches.len() == 1 {
        result["agent"] = agent;
    } else {
        result["agents"] = json!({"agent1": agent, "agent2": agent});
    }
    place.write(&format!("{dir}/result.json"), result.to_string());
    for (name, bytes) in patches {
        place.write(&format!("{dir}/{name}"), bytes);
    }
}

/// A name of a case, and where its files are below a log tree.
fn write_cases(place: &Place) -> Vec<(String, String)> {
    let mut cases = Vec::new();
    for (index, (name, make)) in SOLO.iter().enumerate() {
        let (run, pair) = (index / PAIRS.len(), PAIRS[index % PAIRS.len()]);
        let dir = format!("cases{run}/solo/{pair}");
        let patch = make(&Bench::new(pair));
        finished(
            place,
            &format!("cb/logs/{dir}"),
            &[("solo.patch".to_owned(), patch)],
        );
        cases.push((format!("solo, {name}"), dir));
    }
    for (index, (name, make)) in COOP.iter().enumerate() {
        let (run, pair) = (index / PAIRS.len(), PAIRS[index % PAIRS.len()]);
        let dir = format!("cases{run}/coop/{pair}");
        let bench = Bench::new(pair);
        let files = bench
            .features
            .map(|feature| format!("agent{feature}.patch"));
        let patches: Vec<_> = files.into_iter().zip(make(&bench)).collect();
        finished(place, &format!("cb/logs/{dir}"), &patches);
        cases.push((format!("coop, {name}"), dir));
    }
    cases
}

/// Compares what both wrote.
fn same(ours: &Value, theirs: &Value, at: &str, differences: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, theirs) in theirs {
                if let Some(ours) = ours.get(key) {
                    same(ours, theirs, &format!("{at}/{key}"), differences);
                }
            }
        }
        // The texts are each one's own, and the time.
        _ if at.ends_with("/error") && ours.is_null() == theirs.is_null() => {}
        _ if at.ends_with("/test_output") || at.ends_with("/evaluated_at") => {}
        _ if ours == theirs => {}
        _ => differences.push(format!("{at}: {ours} instead of {theirs}")),
    }
}

fn agrees_with_upstream(version: Version, rules: &str) {
    let lab = Lab::new(version);
    let cases = write_cases(&lab.place);
    copy_tree(&lab.place.join("cb/logs"), &lab.place.join("ours"));
    for run in ["cases0", "cases1"] {
        lab.upstream(&["eval", "-n", run, "--backend", "docker", "-c", "7"]);
    }
    // Once as the images are met for the first time, and once with what is known of them then.
    for is_first in [true, false] {
        lab.run(&[
            "eval",
            "--logs-dir",
            "ours",
            "--rules",
            rules,
            "-c",
            "3",
            "--force",
        ]);
        let (mut differences, mut in_clones) = (Vec::new(), Vec::new());
        for (name, dir) in &cases {
            let theirs = lab.place.json(&format!("cb/logs/{dir}/eval.json"));
            let ours = lab.place.json(&format!("ours/{dir}/eval.json"));
            assert_eq!(ours["regatta"]["rules"], rules);
            same(&ours, &theirs, &format!("{name} ({dir})"), &mut differences);
            if ours["regatta"]["merged_in"] == "clone" {
                in_clones.push(name.as_str());
            }
        }
        assert!(differences.is_empty(), "{}", differences.join("\n"));
        // Git alone does for all but these.
        let left = COOP.map(|(name, _)| format!("coop, {name}"));
        let left = left
            .iter()
            .filter(|name| !in_clones.contains(&name.as_str()));
        let wanted = [
            "coop, the first does not apply",
            "coop, the second does not apply",
            "coop, a mode and a symlink",
        ];
        assert!(is_first || left.eq(wanted.iter()), "{in_clones:?}");
    }
}

#[test]
#[ignore = "needs Docker and cooperbench 0.0.29: just e2e"]
fn verdicts_are_upstreams_on_v29() {
    agrees_with_upstream(Version::V29, "0.0.29");
}

#[test]
#[ignore = "needs Docker and cooperbench 0.0.11: just e2e"]
fn verdicts_are_upstreams_on_v11() {
    agrees_with_upstream(Version::V11, "0.0.11");
}

/// What one agent's patch does alone is what upstream says of it as a solo submission.
#[test]
#[ignore = "needs Docker and cooperbench 0.0.29: just e2e"]
fn each_agent_alone_is_judged_as_upstream_judges_a_solo_submission() {
    let lab = Lab::new(Version::V29);
    let mut cases = Vec::new();
    for (index, (name, make)) in COOP.iter().enumerate() {
        let (run, pair) = (index / PAIRS.len(), PAIRS[index % PAIRS.len()]);
        let bench = Bench::new(pair);
        let files = bench
            .features
            .map(|feature| format!("agent{feature}.patch"));
        let patches: Vec<_> = files.into_iter().zip(make(&bench)).collect();
        for (agent, (_, patch)) in patches.iter().enumerate() {
            let solo = format!("cb/logs/alone{run}-{agent}/solo/{pair}");
            let patch = ("solo.patch".to_owned(), patch.clone());
            finished(&lab.place, &solo, &[patch]);
            cases.push((name, run, pair, agent));
        }
        let dir = format!("ours/cases{run}/coop/{pair}");
        finished(&lab.place, &dir, &patches);
    }
    for run in ["alone0-0", "alone0-1", "alone1-0", "alone1-1"] {
        lab.upstream(&["eval", "-n", run, "--backend", "docker", "-c", "7"]);
    }
    lab.run(&["eval", "--alone", "--logs-dir", "ours", "-c", "3"]);
    let mut differences = Vec::new();
    for (name, run, pair, agent) in &cases {
        let solo = format!("cb/logs/alone{run}-{agent}/solo/{pair}/eval.json");
        let theirs = &lab.place.json(&solo)[format!("feature{}", agent + 1)];
        let file = lab
            .place
            .json(&format!("ours/cases{run}/coop/{pair}/eval.json"));
        let ours = &file[format!("feature{}_independent", agent + 1)];
        for key in ["passed", "tests_passed", "tests_failed"] {
            let at = format!("{name} ({pair}), agent {}: {key}", agent + 1);
            same(&ours[key], &theirs[key], &at, &mut differences);
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The pair whose suites wait.
pub const HELD: &str = PAIRS[0];

/// A finished trial whose suites wait until they are [let go](let_go).
pub fn held(lab: &Lab) {
    let waits = r#"for f in */__init__.py; do
        printf '%s\n' 'import os, time' 'while not os.path.exists("/tmp/go"):' '    time.sleep(0.1)' >> $f
    done"#;
    let patch = Bench::new(HELD).patch(2, waits);
    let dir = format!("cb/logs/held-solo/solo/{HELD}");
    finished(&lab.place, &dir, &[("solo.patch".to_owned(), patch)]);
}

/// The containers of the run's evaluation: those that run, or (`-a`) all of them.
pub fn containers(lab: &Lab, which: &str) -> Vec<String> {
    let filter = "label=regatta.run=held-solo";
    let output = lab.docker(&["ps", which, "--filter", filter]);
    let ids = String::from_utf8(output.stdout).unwrap();
    ids.lines().map(str::to_owned).collect()
}

/// Lets the suites go on that run now.
fn let_go(lab: &Lab) {
    for id in containers(lab, "-q") {
        // One that ends meanwhile needs nothing.
        lab.docker(&["exec", &id, "touch", "/tmp/go"]);
    }
}

/// Waits for an evaluation of what is held.
pub fn end_of(lab: &Lab, mut started: Started) -> Ran {
    wait_until("the evaluation's end", || {
        let_go(lab);
        started.is_over()
    });
    started.wait()
}

/// Whatever ends an evaluation, it is no verdict on the agent: a killed container is tried again, a
/// killed regatta leaves what the next one removes, and an interrupted one says so.
#[test]
#[ignore = "needs Docker: just e2e"]
fn an_evaluation_that_is_broken_off_is_no_failure() {
    let lab = Lab::new(Version::Native);
    held(&lab);
    let eval = format!("cb/logs/held-solo/solo/{HELD}/eval.json");
    let args = ["eval", "held-solo"];
    let begun = |lab: &Lab| {
        wait_until("the last ones' end", || containers(lab, "-q").is_empty());
        let started = lab.start(&args);
        wait_until("two suites", || containers(lab, "-q").len() >= 2);
        started
    };
    // Nothing is half-written, and nothing of it stays.
    let killed = begun(&lab);
    killed.signal("-KILL");
    killed.wait();
    assert!(!lab.place.join(&eval).exists());
    // The first Ctrl-C lets it finish, the second does not.
    let stopped = begun(&lab);
    stopped.signal("-INT");
    wait_until("the first to be seen", || {
        lab.place.read("stderr").contains("Ctrl-C again stops them")
    });
    stopped.signal("-INT");
    stopped.wait().code(130).says("the same command goes on");
    assert!(!lab.place.join(&eval).exists());

    let lost = begun(&lab);
    let first = containers(&lab, "-q").pop().unwrap();
    assert!(lab.docker(&["kill", &first]).status.success());
    end_of(&lab, lost).code(0).says("again: the sandbox died");
    let judged = lab.place.json(&eval);
    assert_eq!(judged["both_passed"], true);
    assert_eq!(judged["regatta"]["tries"], 2);
    lab.run(&["clean"]).code(0);
    assert_eq!(containers(&lab, "-aq"), Vec::<String>::new());
}
