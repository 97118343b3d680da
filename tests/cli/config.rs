//! `regatta config`, `--help` and `--version`.

use crate::support::Place;

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
