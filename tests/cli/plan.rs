//! `regatta run --dry-run`: the plan, on the real fixture dataset.

use crate::support::{Place, copy_tree};

/// The plan's text with what differs from place to place taken out.
fn plan(place: &Place, args: &[&str]) -> String {
    let args = [
        &[
            "run",
            "--dry-run",
            "--cooperbench-dir",
            "cb",
            "--redis-url",
            "redis://127.0.0.1:1",
        ],
        args,
    ]
    .concat();
    // Whether a private Redis can be started must not depend on the machine.
    place.write_program("bin/redis-server", "");
    let output = place
        .regatta(&args)
        .env("PATH", place.join("bin"))
        .output()
        .unwrap();
    let ran = crate::support::Ran::of(&output).code(0);
    assert_eq!(ran.stderr, "");
    ran.stdout
        .replace(&place.path().display().to_string(), "PLACE")
}

/// A checkout whose venv looks like that version's, as far as the plan reads it.
pub fn install(place: &Place, version: &str, agents: &[&str], options: &[&str]) {
    place.write_program("cb/.venv/bin/cooperbench", "#!/bin/sh\nexit 97\n");
    let site = "cb/.venv/lib/python3.12/site-packages";
    place.write(
        &format!("{site}/cooperbench-{version}.dist-info/METADATA"),
        format!("Name: cooperbench\nVersion: {version}\n"),
    );
    for agent in agents {
        place.write(
            &format!("{site}/cooperbench/agents/{agent}/adapter.py"),
            format!("@register(\"{agent}\")\nclass X:\n"),
        );
    }
    let mut parser = String::new();
    for option in options {
        parser += "run_parser.add_argument(\n    \"";
        parser += option;
        parser += "\",\n)\n";
    }
    place.write(&format!("{site}/cooperbench/cli.py"), parser);
}

/// `all` is without team, which only a newer upstream has.
#[test]
fn a_team_is_planned_where_it_is_asked_for_with_its_own_arguments() {
    let place = Place::new();
    let setting = "--setting\", choices=[\"coop\", \"solo\", \"team\"], help=\"";
    let options = [&OPTIONS_11[..], &[setting, "--team-no-mcp"]].concat();
    install(&place, "0.0.29", &["mini_swe_agent_v2"], &options);
    place.write("regatta.toml", "[upstream]\nargs = [\"--team-no-mcp\"]\n");
    let text = plan(&place, &["--setting", "team"]);
    let command = "run -n command-a-team -s lite -m command-a-03-2025 -a mini_swe_agent_v2 -c 4 --setting team --redis redis://127.0.0.1:PORT --backend docker --no-auto-eval --team-no-mcp\n";
    assert!(text.contains(command), "{text}");
    let all = plan(&place, &["--setting", "all"]);
    assert!(
        all.contains("-n command-a-solo") && !all.contains("-n command-a-team"),
        "{all}"
    );
}

const OPTIONS_11: [&str; 3] = ["--backend", "--no-auto-eval", "--agent-config"];

#[test]
fn the_whole_experiment_is_three_commands() {
    let place = Place::new();
    install(
        &place,
        "0.0.11",
        &["mini_swe_agent", "mini_swe_agent_v2"],
        &OPTIONS_11,
    );
    insta::assert_snapshot!(plan(&place, &[]));
    assert!(!place.join("cb/logs").exists(), "a dry run wrote something");
}

#[test]
fn solo_has_every_argument() {
    let place = Place::new();
    let text = plan(&place, &["--setting", "solo"]);
    let command = "cooperbench run -n command-a-solo -s lite -m command-a-03-2025 -a mini_swe_agent -c 4 --setting solo --backend docker --no-auto-eval";
    assert!(text.contains(command), "{text}");
    assert!(text.contains("no cooperbench is installed here"), "{text}");
}

#[test]
fn flags_reach_the_command_and_settings_keep_their_order() {
    let place = Place::new();
    install(
        &place,
        "0.0.29",
        &["mini_swe_agent_v2"],
        &[
            "--backend",
            "--no-auto-eval",
            "--agent-config",
            "--dataset-dir",
            "--log-dir",
        ],
    );
    copy_tree(&place.join("cb/dataset"), &place.join("elsewhere"));
    let text = plan(
        &place,
        &[
            "--setting",
            "coop-nocomm",
            "--setting",
            "solo",
            "--name",
            "x",
            "-m",
            "openai/m",
            "-c",
            "2",
            "-s",
            "flash",
            "--dataset-dir",
            "elsewhere",
            "--logs-dir",
            "out",
            "--api-base",
            "http://127.0.0.1:1/v1",
            "--max-attempts",
            "1",
        ],
    );
    insta::assert_snapshot!(text);
}

#[test]
fn a_smoke_is_a_part_of_the_same_run() {
    let place = Place::new();
    let text = plan(&place, &["--setting", "solo", "--smoke", "2"]);
    for part in [
        "1 run on lite (2 of 6 pairs), ",
        "command-a-solo (setting solo): 2 of 6 pairs, 0 finished, ",
        "-n command-a-solo -s PLACE/cb/logs/command-a-solo/regatta/subset-1 ",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[test]
fn a_finished_pair_is_not_planned_again_and_an_error_is() {
    let place = Place::new();
    let result = |status: &str| {
        format!(
            r#"{{"run_id":"a","agent":{{"status":"{status}","cost":0.1,"steps":2,"error":"litellm.RateLimitError: x"}}}}"#
        )
    };
    place.write(
        "cb/logs/command-a-solo/solo/lighthouse_task/7/f1_f2/result.json",
        result("Submitted"),
    );
    place.write(
        "cb/logs/command-a-solo/solo/harbor_task/1/f1_f2/result.json",
        result("Error"),
    );
    let text = plan(&place, &["--setting", "solo"]);
    assert!(
        text.contains("6 pairs, 1 finished, 0 in an error of the agent's own, 5 to run"),
        "{text}"
    );
    // Upstream's own resume runs exactly these, so the subset goes by its name.
    assert!(text.contains("-s lite "), "{text}");
}

#[test]
fn an_agents_own_error_is_a_result_and_upstream_is_kept_from_running_it_again() {
    let place = Place::new();
    let error = r#"{"run_id":"a","agent":{"status":"Error","cost":0.1,"steps":2,"error":"litellm.ContextWindowExceededError: x"}}"#;
    place.write(
        "cb/logs/command-a-solo/solo/lighthouse_task/7/f1_f2/result.json",
        error,
    );
    let text = plan(&place, &["--setting", "solo"]);
    assert!(
        text.contains("0 finished, 1 in an error of the agent's own, 5 to run"),
        "{text}"
    );
    assert!(text.contains("/regatta/subset-1 "), "{text}");
}

#[test]
fn secrets_are_masked() {
    let place = Place::new();
    place.write(
        "regatta.toml",
        "[upstream.env]\nCOHERE_API_KEY = \"sk-hush\"\n",
    );
    let text = plan(&place, &["--setting", "solo"]);
    assert!(
        text.contains("COHERE_API_KEY='****'") && !text.contains("sk-hush"),
        "{text}"
    );
}
