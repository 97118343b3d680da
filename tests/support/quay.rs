//! A dataset of one task with two features, made anew from scripts: for what a pass is worth.

use std::process::Command;

use serde_json::{Value, json};

use super::{Place, Ran, copy_tree};

const CONFIG: &str = r#"
[experiment]
name = "x"
engine = "native"
backend = "namespace"
model = "openai/demo"
subset = "demo"
[attempts]
max_attempts = 1
[upstream]
dataset_dir = "ds"
logs_dir = "logs"
"#;

/// A dataset of one task with two features, in a repository that a script makes.
pub struct Bench {
    pub place: Place,
    pub repo: tempfile::TempDir,
}

/// How a task is made: its base, its features and hidden tests, each by a script, and its runner.
pub struct Made<'a> {
    pub base: &'a str,
    pub features: [&'a str; 2],
    pub tests: [&'a str; 2],
    pub runner: &'a str,
}

const RUNNER: &str = r#"#!/usr/bin/env bash
set -e
cd "${REPO:-/workspace/repo}"
apply() { git apply --ignore-whitespace "$PATCHES/$1" || git apply --3way "$PATCHES/$1"; }
[[ -z "$2" ]] || apply "$2"
apply "$1"
"#;

pub const TASK: &str = "quay_task/task1";
pub const PAIR: &str = "quay_task/1/f1_f2";

impl Bench {
    pub fn new(made: &Made<'_>) -> Self {
        let place = Place::new();
        place.write("regatta.toml", CONFIG);
        let bench = Self {
            place,
            repo: tempfile::tempdir().unwrap(),
        };
        let base = "git init -q . && git add -A && git -c user.name=t -c user.email=t@localhost commit -qm base";
        bench.git(&format!("{}\n{base}", made.base));
        for (n, (feature, tests)) in made.features.iter().zip(made.tests).enumerate() {
            let dir = format!("ds/{TASK}/feature{}", n + 1);
            bench
                .place
                .write(&format!("{dir}/feature.patch"), bench.patch(feature));
            bench
                .place
                .write(&format!("{dir}/tests.patch"), bench.patch(tests));
            bench
                .place
                .write(&format!("{dir}/feature.md"), "A feature.\n");
        }
        bench.git("git reset -q --hard && git clean -fdxq");
        copy_tree(
            bench.repo.path(),
            &bench.place.join(&format!("ds/{TASK}/workspace")),
        );
        std::fs::remove_dir_all(bench.place.join(&format!("ds/{TASK}/workspace/.git"))).unwrap();
        let runner = format!("ds/{TASK}/runner.sh");
        bench
            .place
            .write(&runner, format!("{RUNNER}{}\n", made.runner));
        let subset = json!({"tasks": [{"repo": "quay_task", "task_id": 1, "pairs": [[1, 2]]}]});
        bench
            .place
            .write("ds/subsets/demo.json", subset.to_string());
        bench
    }

    pub fn git(&self, script: &str) -> Vec<u8> {
        let output = Command::new("bash")
            .args(["-c", &format!("set -e\n{script}")])
            .current_dir(self.repo.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
        output.stdout
    }

    /// What a script makes of the base, as a patch; files that git ignores are in it as well.
    pub fn patch(&self, script: &str) -> Vec<u8> {
        self.git(&format!(
            "git reset -q --hard && git clean -fdxq\n{{ {script}\n}} >&2\ngit add -A -f && git diff --cached --binary HEAD"
        ))
    }

    /// A finished solo trial with this work, judged; gives its `eval.json`.
    pub fn judged(&self, script: &str, args: &[&str]) -> Value {
        self.of("solo", &[("solo.patch", script)], args)
    }

    /// The same of two agents.
    pub fn judged_coop(&self, scripts: [&str; 2], args: &[&str]) -> Value {
        let [one, two] = scripts;
        self.of(
            "coop",
            &[("agent1.patch", one), ("agent2.patch", two)],
            args,
        )
    }

    fn of(&self, tree: &str, patches: &[(&str, &str)], args: &[&str]) -> Value {
        let run = format!(
            "x-{}",
            if tree == "solo" {
                "solo"
            } else {
                "coop-nocomm"
            }
        );
        let dir = format!("logs/{run}/{tree}/{PAIR}");
        let agent = json!({"status": "Submitted", "cost": 0.1, "steps": 2});
        let result = match patches.len() {
            1 => json!({"run_id": "0a0b0c0d", "agent": agent}),
            _ => json!({"run_id": "0a0b0c0d", "agents": {"agent1": agent, "agent2": agent}}),
        };
        self.place
            .write(&format!("{dir}/result.json"), result.to_string());
        for (name, script) in patches {
            self.place
                .write(&format!("{dir}/{name}"), self.patch(script));
        }
        let _ = std::fs::remove_file(self.place.join(&format!("{dir}/eval.json")));
        self.regatta(&[&["eval", &run], args].concat()).code(0);
        self.place.json(&format!("{dir}/eval.json"))
    }

    pub fn regatta(&self, args: &[&str]) -> Ran {
        let output = self
            .place
            .regatta(args)
            .env("DOCKER_HOST", self.place.empty_daemon())
            .output();
        Ran::of(&output.unwrap())
    }
}

/// A plain runner's part for a program: the checks of `tests/*.sh`, each a function, by name.
macro_rules! checks {
    ($program:literal) => {
        concat!(
            "passed=0 failed=0\n. ./",
            $program,
            r#"
for file in tests/*.sh; do
    names=$(sed -n 's/^\([a-z_]*\)() .*/\1/p' "$file")
    . "$file" 2>/dev/null || true
    for name in $names; do
        if $name 2>/dev/null; then passed=$((passed + 1)); echo "ok: $name"
        else failed=$((failed + 1)); echo "FAILED: $name"; fi
    done
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]"#
        )
    };
}
#[allow(unused_imports, reason = "each test program uses its part")]
pub(crate) use checks;

/// A task with a plain runner.
pub const PLAIN: Made<'_> = Made {
    base: r"mkdir tests
printf '%s\n' 'add() { :; }' '' '' '' 'take() { :; }' > quay.sh
printf '%s\n' 'old_one() { true; }' > tests/old.sh",
    features: [
        "sed -i 's/^add.*/add() { echo $(($1 + $2)); }/' quay.sh",
        "sed -i 's/^take.*/take() { echo $(($1 - $2)); }/' quay.sh",
    ],
    tests: [
        "echo 'adds() { [ \"$(add 2 3)\" = 5 ]; }' > tests/add.sh",
        "echo 'takes() { [ \"$(take 5 3)\" = 2 ]; }' > tests/take.sh",
    ],
    runner: checks!("quay.sh"),
};

/// The work of both features.
pub fn both(made: &Made<'_>) -> String {
    made.features.join("\n")
}

/// What is written of one of the two suites.
pub fn suite(file: &Value, n: usize) -> &Value {
    &file["regatta"]["suites"][n]
}
