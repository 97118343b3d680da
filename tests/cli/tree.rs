//! Which log tree is read where nobody names one, and in which order its runs are.

use crate::report::judged_at;
use crate::support::{Place, Ran};

const PAIRS: [(&str, bool); 1] = [("quay_task/1/f1_f2", true)];

/// A place whose configured tree and whose `./logs` have such runs.
fn place(configured: &[&str], here: &[&str]) -> Place {
    let place = Place::new();
    place.write("regatta.toml", "[upstream]\ncooperbench_dir = \"cb\"\n");
    for (root, runs) in [("cb/logs", configured), ("logs", here)] {
        for run in runs {
            let tree = if run.ends_with("solo") {
                "solo"
            } else {
                "coop"
            };
            judged_at(&place, &format!("{root}/{run}"), tree, &PAIRS);
        }
    }
    place
}

#[test]
fn every_command_reads_the_tree_that_has_runs_and_says_so() {
    let place = place(&[], &["x-solo"]);
    for args in [
        &["report"][..],
        &["status"],
        &["triage", "--dry-run"],
        &["eval", "--dry-run"],
        &["restore", "x-solo", "--list"],
    ] {
        place
            .run(args)
            .code(0)
            .prints("x-solo")
            .says("no runs under cb/logs: reading ./logs, which has 1 run");
    }
    place.run(&["--quiet", "report"]).code(0).prints("x-solo");
}

#[test]
fn runs_of_the_demo_are_read_with_a_word_on_its_profile() {
    let place = Place::new();
    let demo = "run --profile demo --backend process --setting solo --smoke 1";
    let demo: Vec<&str> = demo.split(' ').collect();
    let run = |args: &[&str]| Ran::of(&place.beside_an_empty_daemon(args).output().unwrap());
    run(&demo).code(0);
    let told = "which has 1 run of the demo (--profile demo has its dataset and settings)";
    for args in [&["report"][..], &["status"], &["eval"]] {
        run(args).code(0).says(told);
    }
    // What is judged needs the dataset.
    let ran = run(&["eval", "--force"])
        .code(2)
        .says(told)
        .says("these runs are of the demo, whose dataset comes with its profile: `regatta eval --profile demo`");
    assert!(!ran.stderr.contains("git clone"), "{}", ran.stderr);
    run(&["eval", "--profile", "demo", "--force"]).code(0);
}

#[test]
fn of_two_trees_with_runs_the_configured_one_is_read() {
    let ran = place(&["x-solo"], &["y-solo", "z-solo"])
        .run(&["report"])
        .code(0)
        .prints("x-solo")
        .says("reading cb/logs; ./logs has 2 runs too, which --logs-dir logs reads");
    assert!(!ran.stdout.contains("y-solo"), "{}", ran.stdout);
}

#[test]
fn a_tree_that_was_named_is_never_replaced() {
    let place = place(&[], &["x-solo"]);
    for more in [&["--logs-dir", "cb/logs"][..], &["--cooperbench-dir", "cb"]] {
        let ran = place.run(&[&["report"], more].concat()).code(2);
        let ran = ran.says("no runs under cb/logs");
        assert!(!ran.stderr.contains("reading"), "{}", ran.stderr);
    }
    place.write("regatta.toml", "[upstream]\nlogs_dir = \"elsewhere\"\n");
    place
        .run(&["report"])
        .code(2)
        .says("no runs under elsewhere");
    let mut command = place.regatta(&["report"]);
    command.env("REGATTA_LOGS_DIR", "nowhere");
    let ran = Ran::of(&command.output().unwrap());
    ran.code(2).says("no runs under nowhere");
}

/// It removes half-written files: of a tree that nobody named it takes none.
#[test]
fn clean_looks_into_no_other_tree_and_names_the_command_that_does() {
    let place = place(&[], &["x-solo"]);
    // Of a process that is long dead, on this machine.
    let label = regatta::process::Owner::this().label();
    let [_, _, of_machine] = label.splitn(3, ':').collect::<Vec<_>>()[..] else {
        panic!("{label}");
    };
    let name = format!(".regatta-1_1_{}-abc", of_machine.replacen(':', "_", 1));
    let half = place.write(&format!("logs/x-solo/{name}"), "{");
    let clean = |args: &[&str]| {
        let mut command = place.beside_an_empty_daemon(&[&["clean"], args].concat());
        Ran::of(&command.output().unwrap()).code(0)
    };
    clean(&[]).says("./logs has 1 run and is not looked at; `regatta clean --logs-dir logs` does");
    assert!(half.exists());
    clean(&["--logs-dir", "logs"]).prints(&name);
    assert!(!half.exists());
}

#[test]
fn runs_are_in_one_order_everywhere() {
    let names = ["a-coop-comm", "b-solo", "a-coop-nocomm", "a-solo"];
    let place = place(&names, &[]);
    let wanted = ["a-solo", "b-solo", "a-coop-comm", "a-coop-nocomm"];
    let typed = names.to_vec();
    for command in ["report", "status", "triage", "eval --dry-run"] {
        for runs in [&[][..], &typed] {
            let args: Vec<&str> = command.split(' ').collect();
            let ran = place.run(&[&args, runs].concat()).code(0);
            let lines = ran.stdout.lines();
            let first = lines.filter_map(|line| line.split([' ', ':']).next());
            let mut told: Vec<&str> = first.filter(|name| names.contains(name)).collect();
            told.truncate(wanted.len());
            assert_eq!(told, wanted, "{command} {runs:?}");
        }
    }
}
