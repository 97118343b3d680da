use super::*;
use crate::bench::setting::Tree;
use crate::bench::{Pair, TaskKey};
use crate::files;
use crate::store::LogTree;
use crate::store::result::TIME_LIMIT;

const REFUSED: &str = "RateLimitError: slow down";

/// The model answers in the middle of it, and each answer tells its tokens.
const ANSWERED: &str = r#"[{"role":"user","content":"Go"},
    {"role":"assistant","content":"I look","extra":{"response":{"usage":{"prompt_tokens":900,"completion_tokens":60}}}},
    {"role":"user","content":"a.py"}]"#;
/// The same, and no answer tells its tokens.
const UNTOLD: &str = r#"[{"role":"user","content":"Go"},
    {"role":"assistant","content":"I look","extra":{"response":{}}},
    {"role":"user","content":"a.py"}]"#;
/// The model says nothing.
const UNANSWERED: &str = r#"[{"role":"system","content":"You"},{"role":"user","content":"Go"}]"#;

/// Of Claude Code: an answer, the sum at the end, and an event that is neither.
const EVENT: &str = r#"{"type":"assistant","message":{"id":"a","model":"m","usage":{"input_tokens":700,"cache_read_input_tokens":0,"cache_creation_input_tokens":0,"output_tokens":1}}}"#;
const SUM: &str = r#"{"type":"result","is_error":true,"total_cost_usd":0.42}"#;
const SUM_OF_NOTHING: &str = r#"{"type":"result","is_error":true,"total_cost_usd":0.0}"#;
const INIT: &str = r#"{"type":"system","subtype":"init"}"#;

fn tokens(input_tokens: u64, output_tokens: u64) -> Usage {
    Usage {
        input_tokens,
        output_tokens,
        ..Usage::default()
    }
}

/// An agent that its result tells to have cost this, in so many steps.
fn agent(status: &str, cost: f64, steps: u64) -> AgentRecord {
    AgentRecord {
        id: "solo".to_owned(),
        feature: None,
        status: status.to_owned(),
        cost: Some(cost),
        steps: Some(steps),
        error: (status == ERROR).then(|| REFUSED.to_owned()),
        usage_unknown: false,
        usage: None,
    }
}

fn zero(status: &str) -> AgentRecord {
    agent(status, 0.0, 0)
}

fn record(framework: &str, agents: Vec<AgentRecord>) -> TrialRecord {
    TrialRecord {
        trial: "c0ffee11".to_owned(),
        run_name: None,
        agent_framework: Some(framework.to_owned()).filter(|name| !name.is_empty()),
        model: None,
        setting: None,
        messages_sent: None,
        team: None,
        started_at: None,
        ended_at: None,
        duration_seconds: None,
        agents,
        whole_cost: None,
        is_upstreams_error: false,
        infra_error: false,
        tag: None,
    }
}

/// A trial of one agent, with its trajectory's messages (none where empty) and its program's events.
fn billed(
    framework: &str,
    agent: &AgentRecord,
    messages: &str,
    events: &[&str],
    is_free: bool,
) -> Billed {
    let root = tempfile::tempdir().unwrap();
    let run = LogTree::at(root.path()).run(&"gull".parse().unwrap());
    let dir = run.pair(Tree::Solo, &Pair::new(TaskKey::new("a_task", 1), 1, 2));
    files::create_dir(dir.path()).unwrap();
    let stream = dir.of_program(&agent.id, "stream.jsonl").unwrap();
    files::write_atomic(&stream, events.join("\n").as_bytes()).unwrap();
    let trajectory =
        (!messages.is_empty()).then(|| Trajectory::parse(messages.as_bytes()).unwrap());
    let ends = [stream::ended(&dir, &agent.id)];
    let record = record(framework, vec![agent.clone()]);
    Billed::of(&dir, &record, &[trajectory], &ends, |_| is_free)
}

/// The agent as it was billed, where nothing is doubted.
#[track_caller]
fn known(framework: &str, agent: &AgentRecord, messages: &str, is_free: bool) -> AgentRecord {
    let billed = billed(framework, agent, messages, &[], is_free);
    assert!(!billed.is_doubted, "{billed:?}");
    billed.record.agents[0].clone()
}

/// Zeros that are not believed: no step is known, and no tokens but these.
#[track_caller]
fn doubted(billed: &Billed, cost: f64, part: Option<Usage>) {
    let agent = &billed.record.agents[0];
    assert!(billed.is_doubted, "{agent:?}");
    assert_eq!((agent.steps, agent.cost), (None, Some(cost)), "{agent:?}");
    assert_eq!((agent.usage, agent.usage_unknown), (part, part.is_some()));
    // Whatever was booked before, all that it used is unknown.
    assert_eq!(billed.used(), None);
}

/// Zeros that are believed.
#[track_caller]
fn believed(billed: &Billed, agent: &AgentRecord) {
    assert!(!billed.is_doubted, "{billed:?}");
    assert_eq!(&billed.record.agents[0], agent);
}

#[test]
fn a_cost_that_the_result_tells_stands_and_its_trajectory_tells_the_tokens() {
    for framework in ["regatta", "mini_swe_agent_v2", "claude_code", "codex", ""] {
        for (status, steps) in [("Submitted", 7), (ERROR, 7), ("Submitted", 0), (ERROR, 0)] {
            let told = agent(status, 0.53, steps);
            for messages in [ANSWERED, UNANSWERED, ""] {
                let found = known(framework, &told, messages, false);
                assert_eq!((found.cost, found.steps), (told.cost, told.steps));
                let used = (messages == ANSWERED).then(|| tokens(900, 60));
                assert_eq!((found.usage, found.usage_unknown), (used, false));
            }
        }
    }
    // Those of the result come first.
    let mut told = agent("Submitted", 0.53, 7);
    told.usage = Some(tokens(800, 50));
    assert_eq!(known("mini_swe_agent_v2", &told, ANSWERED, false), told);
    assert_eq!(known("mini_swe_agent_v2", &told, UNTOLD, false), told);
}

#[test]
fn a_cost_beside_answers_that_tell_no_tokens_is_a_part() {
    let found = known("mini_swe_agent_v2", &agent(ERROR, 0.53, 7), UNTOLD, false);
    assert_eq!((found.cost, found.usage_unknown), (Some(0.53), true));
    // Of nothing there is no part: the cost is unknown as it stands.
    let found = known("mini_swe_agent_v2", &agent(ERROR, 0.0, 7), UNTOLD, false);
    assert_eq!((found.cost, found.usage_unknown), (Some(0.0), false));
    // What the result itself says to be a part stays one.
    let mut part = agent(ERROR, 0.53, 7);
    part.usage_unknown = true;
    assert!(known("regatta", &part, ANSWERED, false).usage_unknown);
}

#[test]
fn who_came_to_an_end_of_its_own_made_calls() {
    for framework in [
        "mini_swe_agent_v2",
        "claude_code",
        "codex",
        "openhands_sdk",
        "",
    ] {
        for is_free in [false, true] {
            let nothing = billed(framework, &zero("Submitted"), "", &[], is_free);
            doubted(&nothing, 0.0, None);
        }
        // Its trajectory tells all of them.
        let found = known(framework, &zero("Submitted"), ANSWERED, false);
        assert_eq!((found.usage, found.steps), (Some(tokens(900, 60)), None));
        assert!(!found.usage_unknown);
    }
    // Our own engine knows what it called.
    believed(
        &billed("regatta", &zero("Submitted"), "", &[], false),
        &zero("Submitted"),
    );
}

#[test]
fn counts_of_zero_at_an_error_are_true_where_the_call_that_ended_it_is_free() {
    for framework in ["claude_code", "codex", "openhands_sdk", "swe_agent"] {
        let error = zero(ERROR);
        believed(&billed(framework, &error, UNANSWERED, &[], true), &error);
        believed(&billed(framework, &error, "", &[], true), &error);
        doubted(
            &billed(framework, &error, UNANSWERED, &[], false),
            0.0,
            None,
        );
        doubted(&billed(framework, &error, "", &[], false), 0.0, None);
        // It had answered before: they are not all.
        doubted(&billed(framework, &error, UNTOLD, &[], true), 0.0, None);
    }
}

#[test]
fn claudes_events_tell_its_models_words_from_its_own() {
    let error = zero(ERROR);
    believed(
        &billed("claude_code", &error, UNTOLD, &[INIT], true),
        &error,
    );
    doubted(
        &billed("claude_code", &error, UNTOLD, &[INIT], false),
        0.0,
        None,
    );
    doubted(&billed("codex", &error, UNTOLD, &[INIT], true), 0.0, None);
}

#[test]
fn zeros_that_the_program_itself_told_are_true() {
    let error = zero(ERROR);
    believed(
        &billed("claude_code", &error, "", &[SUM_OF_NOTHING], false),
        &error,
    );
    let mut status = zero(ERROR);
    status.error = Some("Exit status: exit_api".to_owned());
    believed(&billed("swe_agent", &status, "", &[], false), &status);
    // A step comes with tokens, of these two: without any it used none.
    let mut step = agent(ERROR, 0.0, 3);
    step.usage = Some(Usage::default());
    for (framework, is_true) in [("claude_code", true), ("codex", true), ("swe_agent", false)] {
        let found = billed(framework, &step, "", &[], false);
        if is_true {
            believed(&found, &step);
        } else {
            doubted(&found, 0.0, None);
        }
    }
    // No step tells nothing.
    step.steps = Some(0);
    doubted(&billed("codex", &step, "", &[], false), 0.0, None);
}

#[test]
fn in_place_of_zeros_stands_what_the_program_noted() {
    let error = zero(ERROR);
    let part = Some(tokens(700, 1));
    doubted(
        &billed("claude_code", &error, "", &[EVENT], true),
        0.0,
        part,
    );
    // The whole cost comes before a part of the tokens, and a cost of nothing is none.
    doubted(
        &billed("claude_code", &error, "", &[EVENT, SUM], true),
        0.42,
        None,
    );
    let unpriced = billed("claude_code", &error, "", &[EVENT, SUM_OF_NOTHING], true);
    doubted(&unpriced, 0.0, part);
    // And all of the tokens before a part.
    let whole = billed("claude_code", &error, ANSWERED, &[EVENT], true);
    let found = &whole.record.agents[0];
    assert_eq!((found.usage, found.steps), (Some(tokens(900, 60)), None));
    assert!(!found.usage_unknown && !whole.is_doubted);
}

#[test]
fn a_first_call_that_was_refused_costs_nothing_and_of_another_the_cost_is_unknown() {
    let none = Some(Usage::default());
    for (framework, used) in [("regatta", none), ("mini_swe_agent_v2", None), ("", None)] {
        for steps in [0, 1] {
            let mut error = agent(ERROR, 0.0, steps);
            for usage in [None, none] {
                error.usage = usage;
                let free = known(framework, &error, UNANSWERED, true);
                assert_eq!((free.steps, free.usage), (Some(0), usage), "{framework}");
                let lost = known(framework, &error, UNANSWERED, false);
                assert_eq!((lost.steps, lost.usage), (Some(1), usage.and(used)));
            }
        }
    }
}

#[test]
fn only_of_an_error_without_an_answer_and_without_tokens_the_steps_are_counted_anew() {
    let used = Some(tokens(5, 1));
    for (status, cost, usage, messages) in [
        (TIME_LIMIT, 0.0, None, UNANSWERED),
        (ERROR, 0.02, None, UNANSWERED),
        (ERROR, 0.0, used, UNANSWERED),
        (ERROR, 0.0, None, UNTOLD),
        (ERROR, 0.0, None, ""),
    ] {
        let mut told = agent(status, cost, 4);
        told.usage = usage;
        for is_free in [false, true] {
            assert_eq!(known("regatta", &told, messages, is_free), told, "{told:?}");
        }
    }
}

#[test]
fn zeros_of_an_error_after_an_answer_are_not_all_that_it_used() {
    let error = zero(ERROR);
    for framework in ["mini_swe_agent_v2", ""] {
        let found = known(framework, &error, UNTOLD, true);
        assert_eq!((found.steps, found.usage), (None, None));
        let found = known(framework, &error, ANSWERED, true);
        assert_eq!((found.steps, found.usage), (None, Some(tokens(900, 60))));
        // Nothing is taken back without an answer.
        assert_eq!(known(framework, &error, "", true), error);
        // Steps that it counted were calls.
        assert_eq!(
            known(framework, &agent(ERROR, 0.0, 7), UNTOLD, true).steps,
            Some(7)
        );
    }
    assert_eq!(known("regatta", &error, UNTOLD, true), error);
}

#[test]
fn a_pairs_tokens_are_those_of_both_agents_or_unknown() {
    let of = |agents: [(u64, Option<Usage>); 2], is_doubted: bool| {
        let agents = agents.map(|(steps, usage)| {
            let mut one = agent("Submitted", 0.1, steps);
            one.usage = usage;
            one
        });
        let record = record("regatta", agents.into());
        Billed { record, is_doubted }.used()
    };
    let (some, more) = (Some(tokens(100, 10)), Some(tokens(40, 7)));
    assert_eq!(of([(3, some), (2, more)], false), Some(tokens(140, 17)));
    assert_eq!(of([(3, some), (2, more)], true), None);
    assert_eq!(of([(3, some), (2, None)], false), None);
    assert_eq!(of([(3, None), (2, more)], false), None);
    // Who made no call used nothing; where neither made one, nothing is told.
    assert_eq!(of([(3, some), (0, None)], false), some);
    assert_eq!(of([(0, None), (0, None)], false), None);
}
