//! What upstream's CLI is given: arguments of the user's, an agent configuration, no built-in names.

use std::fmt::Write as _;

use regatta::store::manifest::digest;

use crate::masks::masked;
use crate::plan::install;
use crate::support::{Place, Ran};

/// The parser of a `run`, in the form of upstream's.
const PARSER: &str = r#"
    run_parser = subparsers.add_parser("run", help="Run benchmark tasks")
    run_parser.add_argument("-n", "--name", help="Experiment name")
    run_parser.add_argument("--setting", choices=["coop", "solo", "team"], default="coop")
    run_parser.add_argument("--team-no-mcp", action="store_true")
    run_parser.add_argument("--no-auto-eval", action="store_true")
    run_parser.add_argument("--eval-concurrency", type=int, default=10)
    run_parser.add_argument("--backend", choices=["modal", "docker", "gcp"])
    run_parser.add_argument("--agent-config")
    run_parser.add_argument("--base-url", default=None)
    args = parser.parse_args()
"#;

const URL: &str = "http://127.0.0.1:1/v1";

fn place(config: &str) -> Place {
    let place = Place::new();
    install(&place, "0.0.29", &["mini_swe_agent_v2"], &[]);
    let package = "cb/.venv/lib/python3.12/site-packages/cooperbench";
    place.write(&format!("{package}/cli.py"), PARSER);
    place.write("regatta.toml", config);
    place
}

fn run(place: &Place, more: &[&str]) -> Ran {
    let args = ["run", "--cooperbench-dir", "cb", "--no-preflight"];
    let args = [&args[..], more].concat();
    Ran::of(&place.beside_an_empty_daemon(&args).output().unwrap())
}

fn arm(name: &str, more: &str) -> String {
    format!("[[arm]]\nname = \"{name}\"\nsetting = \"solo\"\n{more}\n")
}

#[test]
fn arguments_that_upstream_would_refuse_are_refused_before_the_first_trial() {
    let mut said = String::new();
    for args in [
        r#"["--eval-concurency", "4"]"#,
        r#"["--base-url"]"#,
        r#"["--team-no-mcp", "sk-hush", "--team-no-mpc", "--eval-con=many"]"#,
    ] {
        let own = format!("args = {args}");
        let place = place(&(arm("plain", "") + &arm("tuned", &own)));
        let ran = run(&place, &[]).code(2);
        assert!(!ran.stderr.contains("hush"), "{}", ran.stderr);
        assert!(!place.join("cb/logs").exists(), "something was written");
        let masked = masked(&place, &ran.stderr);
        write!(said, "{args}\n{masked}\n").unwrap();
    }
    insta::assert_snapshot!(said);
    let place = place("[upstream]\nargs = [\"--eval-con\", \"4\", \"--base=x\"]\n");
    let planned = run(&place, &["--dry-run", "--setting", "solo"]).code(0);
    assert!(
        planned.stdout.contains(" --eval-con 4 '--base=x'\n"),
        "{}",
        planned.stdout
    );
}

#[test]
fn arguments_that_all_arms_share_are_for_those_of_upstream() {
    let shared = "[upstream]\nargs = [\"--team-no-mcp\"]\n";
    let native = arm("native", "engine = \"native\"");
    let mixed = place(&(shared.to_owned() + &native + &arm("upstream", "")));
    let planned = run(&mixed, &["--dry-run"]).code(0).stdout;
    assert_eq!(planned.matches(" --team-no-mcp\n").count(), 1, "{planned}");
    for arm in ["native", "upstream"] {
        run(&mixed, &["--dry-run", "--arm", arm]).code(0);
    }
    let native_only = place(&(shared.to_owned() + &native));
    run(&native_only, &["--dry-run"]).code(2).says(
        "arm `native`: upstream.args is `--team-no-mcp`, and the native engine passes nothing",
    );
    let its_own = arm("native", "engine = \"native\"\nargs = [\"--team-no-mcp\"]");
    run(&place(&(its_own + &arm("upstream", ""))), &["--dry-run"])
        .code(2)
        .says("`args` is the upstream engine's, and this arm runs on native");
}

/// An arm's own agent configuration beside an endpoint that all arms share.
#[test]
fn an_agent_configuration_is_given_with_the_endpoint_in_it() {
    let shared = format!("[upstream]\napi_base = \"{URL}\"\n");
    let config = shared + &arm("plain", "") + &arm("tuned", "agent_config = \"tuned.yaml\"");
    let place = place(&config);
    let users = "# mine\nagent:\n  step_limit: 9\nenvironment:\n  env: {QUIET: no}\n";
    place.write("tuned.yaml", users);
    // The program ends at once: its files are written by then.
    run(&place, &["--arm", "tuned"]).code(3);
    let own = "cb/logs/command-a-tuned/regatta";
    let entry = format!("model: {{model_kwargs: {{api_base: \"{URL}\"}}}}\n");
    assert_eq!(
        place.read(&format!("{own}/agent-config.yaml")),
        users.replace("agent:", &format!("{entry}agent:"))
    );
    let manifest = place.json(&format!("{own}/manifest.json"));
    assert_eq!(manifest["agent_config"], digest(users.as_bytes()));
    assert_eq!(manifest["api_base"], URL);
    let planned = run(&place, &["--dry-run"]).code(0).stdout;
    let written = planned.matches("agent-config.yaml\n").count();
    assert!(written >= 2, "{planned}");

    let other = "model: {model_kwargs: {api_base: 'http://other/v1'}}\n";
    place.write("tuned.yaml", other);
    run(&place, &["--dry-run"])
        .code(2)
        .says(&format!(
            "arm `tuned`: two endpoints: upstream.api_base is {URL}, and "
        ))
        .says("tuned.yaml names http://other/v1")
        .says("give api_base the same one");
    place.write("tuned.yaml", "model: {model_kwargs: {api_key: sk-hush}}\n");
    let ran = run(&place, &["--dry-run"])
        .code(2)
        .says("holds a secret (api_key)")
        .says("api_key_env");
    assert!(!ran.stderr.contains("hush"), "{}", ran.stderr);
    // The same endpoint, and then it is the user's file.
    let same = format!("model: {{model_kwargs: {{api_base: '{URL}', api_key: sk-hush}}}}\n");
    place.write("tuned.yaml", same);
    let planned = run(&place, &["--dry-run"]).code(0).stdout;
    let given = format!("--agent-config {}\n", place.join("tuned.yaml").display());
    assert!(planned.contains(&given), "{planned}");
}

#[test]
fn a_built_in_name_is_no_path_and_no_url_of_upstreams() {
    for (upstream, flags, told) in [
        (
            "dataset_dir = \"builtin:demo\"",
            &[][..],
            "upstream.dataset_dir is the demo's, whose tasks have no images",
        ),
        (
            "api_base = \"builtin:demo\"",
            &[],
            "upstream.api_base is the demo's model, which only the native engine can ask",
        ),
        (
            "logs_dir = \"builtin:demo\"",
            &[],
            "upstream.logs_dir begins with `builtin:`",
        ),
        (
            "dataset_dir = \"builtin:dmeo\"",
            &["--engine", "native"],
            "upstream.dataset_dir begins with `builtin:`",
        ),
    ] {
        let place = place(&format!("[upstream]\n{upstream}\n"));
        for dry in [&["--dry-run"][..], &[]] {
            let subset = ["--setting", "solo", "-s"];
            let name = if told.contains("tasks") {
                "demo"
            } else {
                "lite"
            };
            let args = [dry, &subset, &[name], flags].concat();
            run(&place, &args).code(2).says(told);
        }
        assert!(!place.join("cb/logs").exists(), "something was written");
    }
    let arms = arm("native", "") + &arm("upstream", "engine = \"upstream\"\nbackend = \"docker\"");
    let place = place(&arms);
    run(&place, &["--profile", "demo", "--dry-run"])
        .code(2)
        .says("arm `upstream`: upstream.dataset_dir is the demo's")
        .says("--engine native --backend namespace");
}
