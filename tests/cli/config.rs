//! `regatta config`, `--help` and `--version`.

use crate::support::{Place, Ran};

#[test]
fn the_default_is_a_configuration_that_changes_nothing() {
    let place = Place::new();
    let default = place.run(&["config", "--default"]).code(0).stdout;
    place.write("regatta.toml", default);
    let values = |text: &str| {
        text.lines()
            .map(|line| line.split("  # ").next().unwrap().trim_end().to_owned())
            .collect::<Vec<_>>()
    };
    let with = place.run(&["config"]).code(0).stdout;
    std::fs::remove_file(place.join("regatta.toml")).unwrap();
    let without = place.run(&["config"]).code(0).stdout;
    assert_eq!(values(&with), values(&without));
}

#[test]
fn each_value_says_where_it_comes_from() {
    let place = Place::new();
    place.write(
        "regatta.toml",
        "[experiment]\nconcurrency = 2\n[profile.big.experiment]\nconcurrency = 16\n",
    );
    let show = |args: &[&str]| {
        let output = place
            .regatta(args)
            .env("REGATTA_MODEL", "openai/x")
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let text = show(&["config"]);
    let line = |text: &str, key: &str| {
        text.lines()
            .find(|line| line.starts_with(key))
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        line(&text, "experiment.concurrency"),
        "experiment.concurrency = 2 # regatta.toml"
    );
    assert_eq!(
        line(&text, "experiment.model"),
        "experiment.model = \"openai/x\" # environment REGATTA_MODEL"
    );
    let text = show(&["config", "--profile", "big"]);
    assert_eq!(
        line(&text, "experiment.concurrency"),
        "experiment.concurrency = 16 # regatta.toml [profile.big]"
    );
    place
        .run(&["config", "--profile", "bg"])
        .code(2)
        .says("did you mean `big`?");
}

#[test]
fn help_lists_the_commands_and_the_exit_codes() {
    let place = Place::new();
    let help = place.run(&["--help"]).code(0).stdout;
    for word in [
        "run",
        "report",
        "triage",
        "status",
        "doctor",
        "clean",
        "config",
        "completions",
        "130  interrupted",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
    assert!(!help.contains("__"), "hidden commands show: {help}");
    place.run(&["--version"]).code(0).prints("regatta 0.1.0 (");
    place
        .run(&["completions", "bash"])
        .code(0)
        .prints("regatta");
    place.run(&["run", "--nonsense"]).code(2);
}

#[test]
fn a_time_may_be_a_number_of_seconds() {
    let place = Place::new();
    place.write("regatta.toml", "[limits]\ntask_timeout = 600\n");
    let shown = place.run(&["config"]).code(0).stdout;
    assert!(shown.contains("limits.task_timeout = \"10m\" "), "{shown}");
    let args = "run --dry-run --cooperbench-dir cb --task-timeout 90";
    let args: Vec<&str> = args.split(' ').collect();
    place.run(&args).code(0).prints("task timeout 1m 30s");
}

#[test]
fn inside_a_checkout_it_is_the_checkout() {
    let place = Place::new();
    place.write("cb/deep/er/file", "");
    for (dir, origin) in [
        ("cb", "the current directory is a checkout"),
        (
            "cb/deep/er",
            "a parent of the current directory is a checkout",
        ),
    ] {
        let regatta = |args: &[&str]| {
            let mut command = place.regatta(args);
            Ran::of(&command.current_dir(place.join(dir)).output().unwrap())
        };
        let shown = regatta(&["config"]).code(0).prints(origin).stdout;
        let cb = place.join("cb").canonicalize().unwrap();
        let line = format!("upstream.cooperbench_dir = \"{}\"", cb.display());
        assert!(shown.contains(&line), "{shown}");
        regatta(&["run", "--dry-run", "--setting", "solo"])
            .code(0)
            .prints("1 run on lite (6 pairs)");
    }
    // What is named, and what is at the default place, goes before it.
    std::fs::create_dir_all(place.join("cb/repos/CooperBench")).unwrap();
    let mut command = place.regatta(&["config"]);
    let shown = Ran::of(&command.current_dir(place.join("cb")).output().unwrap());
    shown.prints("upstream.cooperbench_dir = \"repos/CooperBench\"");
}

#[test]
fn completions_know_the_words_of_flags() {
    let place = Place::new();
    let script = place.run(&["completions", "bash"]).code(0).stdout;
    for words in [
        "solo coop-comm coop-nocomm team all",
        "upstream native",
        "docker oci namespace process",
        "0.0.11 0.0.29",
        "text json markdown junit csv jsonl html",
        "demo",
    ] {
        assert!(script.contains(&format!("\"{words}\"")), "{words}");
    }
}

#[test]
fn a_word_alone_is_answered_with_its_flag() {
    let place = Place::new();
    place
        .run(&["run", "solo"])
        .code(2)
        .says("did you mean 'regatta run --setting solo'?");
    place
        .run(&["run", "--profile", "dmo"])
        .code(2)
        .says("did you mean `demo`?");
    place
        .run(&["run", "--config", "cb"])
        .code(2)
        .says("cb is a directory")
        .says("--config cb/regatta.toml");
    place.write("file", "");
    place
        .run(&["report", "--logs-dir", "file"])
        .code(2)
        .says("file is a file, and a log tree is a directory");
}

#[test]
fn what_is_named_and_is_not_there_is_told_with_what_to_name() {
    let place = Place::new();
    place.write("empty/file", "");
    let dry = ["run", "--dry-run", "--engine", "native"];
    for (flags, what, hint) in [
        (
            ["--config", "nope.toml"],
            "no configuration file at nope.toml",
            "`regatta config --default > regatta.toml` makes one",
        ),
        (
            ["--dataset-dir", "empty"],
            "no dataset at empty: empty/subsets has no *.json",
            "point --dataset-dir at a directory",
        ),
        (
            ["--cooperbench-dir", "my checkout"],
            "no CooperBench checkout at my checkout",
            "CooperBench 'my checkout'`)",
        ),
    ] {
        place
            .run(&[&dry[..], &flags].concat())
            .code(2)
            .says(what)
            .says(hint);
    }
    for engine in ["upstream", "native"] {
        let args =
            format!("run --dry-run --engine {engine} --cooperbench-dir cb --agent-config cb");
        let args: Vec<&str> = args.split(' ').collect();
        place
            .run(&args)
            .code(2)
            .says("no agent configuration at ")
            .says("name a file with --agent-config");
    }
    place
        .run(&["run", "--cooperbench-dir", "cb", "--cooperbench-bin", "cb"])
        .code(2)
        .says("no executable at cb")
        .says("VENV/bin/cooperbench");
}
