//! The shipped rules against the corpus, and `regatta triage` on a tree.

use std::path::Path;

use regatta::store::words::{Author, KnownText};
use regatta::triage::{Question, Rules};
use serde::Deserialize;

use crate::support::Place;

#[derive(Deserialize)]
struct Corpus {
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    cause: String,
    rule: Option<String>,
    source: String,
}

#[test]
fn every_error_of_the_corpus_has_the_cause_and_the_rule_it_should() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/errors.toml");
    let corpus: Corpus = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let rules = Rules::shipped();
    let mut wrong = Vec::new();
    for case in &corpus.case {
        // As triage asks about the harness's error.
        let words = KnownText::new("agent.error", &*case.text, Author::Harness);
        let found = rules.ask(&Question::of(&words, None));
        let cause = found.map_or_else(|| "none".to_owned(), |rule| rule.cause.to_string());
        let rule = found.map(|rule| rule.id.to_string());
        if cause != case.cause || rule != case.rule {
            wrong.push(format!(
                "{cause} {rule:?}, not {} {:?}: {:?} ({})",
                case.cause, case.rule, case.text, case.source
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        corpus.case.len(),
        wrong.join("\n")
    );
    assert!(corpus.case.len() >= 80);
}

#[test]
fn every_rule_says_what_it_is_and_what_to_do() {
    let rules = Rules::shipped();
    let mut ids: Vec<&str> = rules.all().iter().map(|rule| rule.id.as_str()).collect();
    for rule in rules.all() {
        assert!(
            rule.about.ends_with('.') && rule.advice.ends_with('.'),
            "{}",
            rule.id
        );
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), rules.all().len(), "two rules have one id");
}

fn error(run_id: &str, text: &str) -> String {
    format!(
        "{{\n  \"run_id\": \"{run_id}\",\n  \"agent\": {{\n    \"status\": \"Error\",\n    \"cost\": 0.10,\n    \"steps\": 2,\n    \"error\": {}\n  }},\n  \"total_cost\": 0.10\n}}",
        serde_json::to_string(text).unwrap()
    )
}

const RATE: &str = "litellm.RateLimitError: RateLimitError: OpenAIException - slow down";

#[test]
fn triage_tags_what_infrastructure_broke_and_nothing_else() {
    let place = Place::new();
    let dir = "cb/logs/x-solo/solo/harbor_task/1";
    place.write(&format!("{dir}/f1_f2/result.json"), error("a", RATE));
    place.write(
        &format!("{dir}/f1_f3/result.json"),
        error("b", "'container_name'"),
    );
    place.write(
        &format!("{dir}/f2_f3/result.json"),
        error("c", "litellm.ContextWindowExceededError: too long"),
    );
    let triage = |args: &[&str]| {
        place
            .run(&[&["triage", "--cooperbench-dir", "cb"], args].concat())
            .code(0)
            .stdout
    };

    let before = place.read(&format!("{dir}/f1_f2/result.json"));
    let dry = triage(&["--dry-run", "--explain"]);
    assert!(
        dry.contains("infra") && dry.contains("rate_limit") && dry.contains("no rule matches"),
        "{dry}"
    );
    assert_eq!(place.read(&format!("{dir}/f1_f2/result.json")), before);

    let text = triage(&[]);
    assert!(
        text.contains("0 pass, 0 fail, 1 infra_error, 0 missing"),
        "{text}"
    );
    let tagged = place.json(&format!("{dir}/f1_f2/result.json"));
    assert_eq!(tagged["infra_error"], true);
    assert_eq!(tagged["regatta"]["evidence"]["source"], "agent.error");
    assert!(
        place
            .read(&format!("{dir}/f1_f2/result.json"))
            .contains("0.10"),
        "a number was rewritten"
    );
    assert_eq!(
        place.json(&format!("{dir}/f2_f3/result.json"))["regatta"]["cause"],
        "agent"
    );
    assert_eq!(
        place.read(&format!("{dir}/f1_f3/result.json")),
        error("b", "'container_name'")
    );

    // With a rule of the user's that calls it the agent's, the mark goes again.
    place.write("my.toml", "[[rule]]\nid = \"rate_limit\"\ncause = \"agent\"\nexception = [\"RateLimitError\"]\nabout = \"x\"\nadvice = \"y\"\n");
    place.write("regatta.toml", "[triage]\nrules_file = \"my.toml\"\n");
    triage(&[]);
    assert!(
        place
            .json(&format!("{dir}/f1_f2/result.json"))
            .get("infra_error")
            .is_none()
    );
    assert!(triage(&[]).contains("0 tags changed"));
}

#[test]
fn a_dead_container_in_a_strangers_tree_is_not_the_agents_failure() {
    let place = Place::new();
    let dir = "cb/logs/x-solo/solo/harbor_task/1/f1_f2";
    let limits =
        r#"{"run_id":"a","agent":{"status":"LimitsExceeded","cost":0.9,"steps":100,"error":null}}"#;
    place.write(&format!("{dir}/result.json"), limits);
    let gone = format!(
        "Error response from daemon: No such container: {}\n",
        "ab".repeat(32)
    );
    let message = serde_json::json!({"role": "tool", "content": "{}", "extra": {"raw_output": gone, "returncode": 1}});
    let messages = vec![message; 5];
    place.write(
        &format!("{dir}/solo_traj.json"),
        serde_json::json!({"messages": messages}).to_string(),
    );
    place.write(&format!("{dir}/solo.patch"), "");
    place
        .run(&["triage", "--cooperbench-dir", "cb", "--explain"])
        .code(0)
        .prints("1 infra_error")
        .prints("though its status says");
    assert_eq!(
        place.json(&format!("{dir}/result.json"))["infra_error"],
        true
    );
}
