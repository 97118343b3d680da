use super::*;
use crate::store::AgentRecord;
use crate::store::result::made;

fn record(agents: &[(&str, Option<&str>)]) -> TrialRecord {
    let solo = agents.len() == 1;
    let agents = agents
        .iter()
        .enumerate()
        .map(|(index, (status, error))| {
            let id = if solo {
                "solo".to_owned()
            } else {
                format!("agent{}", index + 1)
            };
            AgentRecord {
                error: error.map(str::to_owned),
                ..made::agent(&id, status, 0.0, 1)
            }
        })
        .collect();
    made::record(agents)
}

fn pair() -> Pair {
    Pair::new(crate::bench::TaskKey::new("a_task", 1), 1, 2)
}

fn examined(agents: &[(&str, Option<&str>)]) -> Finding {
    let facts = ContainerFacts::default();
    examine(
        &pair(),
        &record(agents),
        &Case::default(),
        &facts,
        &Rules::shipped(),
    )
}

const RATE: &str = "litellm.RateLimitError: RateLimitError: OpenAIException - slow down";
const KEY: &str = "litellm.AuthenticationError: AuthenticationError: OpenAIException - bad key";

#[test]
fn one_agents_broken_world_is_the_pairs() {
    let finding = examined(&[("Submitted", None), ("Error", Some(RATE))]);
    let diagnosis = finding.diagnosis().unwrap();
    assert_eq!(diagnosis.cause, Cause::Infra);
    assert_eq!(diagnosis.evidence.source, "agents.agent2.error");
    assert!(finding.is_retryable());
}

#[test]
fn a_wrong_key_outweighs_a_rate_limit_and_is_not_retried() {
    let finding = examined(&[("Error", Some(RATE)), ("Error", Some(KEY))]);
    assert_eq!(finding.diagnosis().unwrap().cause, Cause::Config);
    assert!(!finding.is_retryable());
}

#[test]
fn an_unknown_error_is_unmatched_and_retried() {
    let finding = examined(&[("Error", Some("'container_name'"))]);
    assert_eq!(finding, Finding::Unmatched);
    assert!(finding.is_retryable());
}

#[test]
fn limits_are_results() {
    assert_eq!(examined(&[("LimitsExceeded", None)]), Finding::Finished);
}

#[test]
fn the_daemons_words_stand_in_for_those_that_upstream_drops() {
    let error = "Command '['docker', 'run', '-d', '--name', 'minisweagent-1a2b3c4d']' returned non-zero exit status 125.";
    let mut facts = ContainerFacts::default();
    facts.refused.insert(
        "minisweagent-1a2b3c4d".to_owned(),
        "mkdir /var/lib/docker/overlay2/x: no space left on device".to_owned(),
    );
    let record = record(&[("Error", Some(error))]);
    let finding = examine(
        &pair(),
        &record,
        &Case::default(),
        &facts,
        &Rules::shipped(),
    );
    let diagnosis = finding.diagnosis().unwrap();
    assert_eq!(diagnosis.evidence.source, "docker daemon");
    assert_eq!(diagnosis.cause, Cause::Infra);
}
fn with_words(words: &[(&str, Author)]) -> Case {
    let words = words.iter();
    Case {
        said: vec![
            words
                .map(|(text, author)| KnownText::new("stream", *text, *author))
                .collect(),
        ],
        ..Case::default()
    }
}

fn rule_of(record: &TrialRecord, case: &Case, rules: &Rules) -> Option<RuleId> {
    let finding = examine(&pair(), record, case, &ContainerFacts::default(), rules);
    let diagnosis = finding.diagnosis()?;
    Some(diagnosis.evidence.rule.clone())
}

/// What is found of a trial of one agent whose container was lost while it ran.
fn found_after_a_loss(status: &str, error: Option<&str>, patch: &str) -> Finding {
    use crate::store::event::Lost;
    use crate::store::events::LostContainer;

    let mut facts = ContainerFacts::default();
    let lost = LostContainer {
        image: image_name(&pair().task),
        at: "2026-01-01T10:00:30".parse().unwrap(),
        lost: Lost {
            reason: "oom".to_owned(),
            detail: "gone".to_owned(),
        },
    };
    facts.lost.insert("cd".repeat(32), lost);
    let mut record = record(&[(status, error)]);
    record.started_at = Some("2026-01-01T10:00:00".to_owned());
    record.ended_at = Some("2026-01-01T10:01:00".to_owned());
    let case = Case {
        patches: vec![Some(patch.to_owned())],
        ..Case::default()
    };
    examine(&pair(), &record, &case, &facts, &Rules::shipped())
}

#[test]
fn a_container_lost_meanwhile_explains_only_what_is_empty() {
    for (status, error, patch, wanted) in [
        ("Submitted", None, "", Some(RuleId::CONTAINER_OOM)),
        ("Submitted", None, "diff --git a/x b/x", None),
        ("Error", None, "", Some(RuleId::CONTAINER_OOM)),
        ("Error", Some("'container_name'"), "", None),
    ] {
        let finding = found_after_a_loss(status, error, patch);
        let rule = finding.diagnosis().map(|it| it.evidence.rule.clone());
        assert_eq!(rule, wanted, "{status} {error:?} {patch}");
    }
}

#[test]
fn only_a_result_that_merely_looks_finished_is_void() {
    for (status, error, patch, is_void) in [
        ("Submitted", None, "", true),
        ("Submitted", None, "diff --git a/x b/x", false),
        // These say themselves that they failed.
        ("Error", None, "", false),
        ("Error", Some("'container_name'"), "", false),
    ] {
        let finding = found_after_a_loss(status, error, patch);
        assert_eq!(finding.is_void(), is_void, "{finding:?}");
    }
}

#[test]
fn a_model_answered_by_its_tokens_then_by_what_it_said_then_by_its_steps() {
    use crate::bench::Usage;
    use crate::store::trajectory::TrajectoryMessage;

    let usage = |input_tokens, output_tokens| {
        Some(Usage {
            input_tokens,
            output_tokens,
            ..Usage::default()
        })
    };
    let of_roles = |roles: &[&str]| {
        let roles = roles.iter();
        Some(Trajectory {
            messages: roles
                .map(|role| TrajectoryMessage {
                    role: (*role).to_owned(),
                    ..TrajectoryMessage::default()
                })
                .collect(),
            ..Trajectory::default()
        })
    };
    let answered = || of_roles(&["user", "assistant", "user"]);
    let silent = || of_roles(&["user"]);
    let (mini, hands) = (Framework::Mini, Framework::OpenHands);
    for (usage, trajectory, framework, steps, wanted) in [
        (usage(5, 1), None, mini, Some(0), true),
        (usage(5, 0), None, mini, Some(0), false),
        (usage(5, 0), None, mini, Some(3), true),
        (usage(0, 0), None, mini, Some(3), false),
        (usage(0, 0), answered(), mini, Some(0), true),
        // The first call that was refused may be a step, and an event is no call.
        (None, silent(), mini, Some(1), false),
        (None, silent(), mini, Some(2), true),
        (None, silent(), hands, Some(2), false),
        (None, answered(), mini, Some(0), true),
        (None, None, mini, Some(0), false),
        (None, None, mini, Some(1), true),
        (None, None, mini, None, true),
    ] {
        let mut agent = record(&[("Error", None)]).agents.remove(0);
        (agent.usage, agent.steps) = (usage, steps);
        let found = spoke(&agent, trajectory.as_ref(), framework);
        assert_eq!(found, wanted, "{usage:?} {trajectory:?} {steps:?}");
    }
}

#[test]
fn a_rate_limit_that_lasts_more_than_a_minute_is_a_limit() {
    let read = |error: &str| {
        let mut record = record(&[("Error", Some(error))]);
        record.ended_at = Some("2026-01-01T10:00:00Z".to_owned());
        let facts = ContainerFacts::default();
        let rules = Rules::shipped();
        let finding = examine(&pair(), &record, &Case::default(), &facts, &rules);
        let diagnosis = finding.diagnosis().unwrap();
        let at = diagnosis.resets_at.map(|at| at.to_string());
        (diagnosis.cause, at)
    };
    for (seconds, cause, at) in [
        (60, Cause::Infra, "2026-01-01T10:01:00Z"),
        (61, Cause::Limit, "2026-01-01T10:01:01Z"),
    ] {
        let error = format!("litellm.RateLimitError: try again in {seconds} seconds");
        assert_eq!(read(&error), (cause, Some(at.to_owned())), "{error}");
    }
    assert_eq!(read(RATE), (Cause::Infra, None));
    // A wrong key has no time.
    let key = format!("{KEY}; try again in 300 seconds");
    assert_eq!(read(&key), (Cause::Config, None));
}

#[test]
fn an_exceptions_class_goes_with_the_harnesss_words_alone() {
    use crate::store::trajectory::TrajectoryMessage;

    let user = "[[rule]]\nid='mine'\ncause='agent'\nexception=['FluxError']";
    let rules = Rules::with_user(user, "my.toml").unwrap();
    let ended = Trajectory {
        messages: vec![TrajectoryMessage {
            role: "exit".to_owned(),
            exit_status: Some("FluxError".to_owned()),
            exception: Some("it broke".to_owned()),
            ..TrajectoryMessage::default()
        }],
        ..Trajectory::default()
    };
    for (error, wanted) in [(Some("it broke"), Some(RuleId::of("mine"))), (None, None)] {
        let case = Case {
            trajectories: vec![Some(ended.clone())],
            ..with_words(&[("it broke", Author::Client)])
        };
        let record = record(&[("Error", error)]);
        assert_eq!(rule_of(&record, &case, &rules), wanted, "{error:?}");
    }
}

#[test]
fn words_that_say_where_it_broke_give_way_to_those_that_say_why() {
    let rules = Rules::shipped();
    let where_it_broke = "Exit status: exit_environment_error";
    let record = record(&[("Error", Some(where_it_broke))]);
    let key = r#"API Error: 401 {"type":"error"}"#;
    for (said, wanted) in [
        (&[][..], "swe_agent_environment"),
        (&[("it broke", Author::Client)], "swe_agent_environment"),
        (&[(key, Author::Client)], "authentication"),
    ] {
        let found = rule_of(&record, &with_words(said), &rules);
        assert_eq!(found, Some(RuleId::of(wanted)), "{said:?}");
    }
}

#[test]
fn of_what_no_rule_knows_the_first_words_are_told() {
    let told_of = |agents: &[(&str, Option<&str>)], case: &Case| {
        let facts = ContainerFacts::default();
        let told = told(&record(agents), case, &facts, &Rules::shipped());
        (told.source, told.text)
    };
    let none = Case::default();
    let unknown = ("Error", Some("'container_name'"));
    for first in [
        ("Submitted", None),
        ("Submitted", Some("odd")),
        ("Error", Some(RATE)),
    ] {
        let (source, text) = told_of(&[first, unknown], &none);
        assert_eq!(
            (source.as_str(), text.as_str()),
            ("agents.agent2.error", "'container_name'"),
            "{first:?}"
        );
    }
    let said = with_words(&[("it broke", Author::Client)]);
    let (source, text) = told_of(&[("Error", Some(" "))], &said);
    assert_eq!((source.as_str(), text.as_str()), ("stream", "it broke"));
    let (source, text) = told_of(&[("Error", None)], &none);
    assert_eq!(source, "regatta");
    assert!(text.starts_with("nothing says why: "), "{text}");
}

#[test]
fn a_refusal_is_read_in_its_place() {
    let rules = Rules::shipped();
    for (rule, at_first, later) in [
        ("context_window", "first_prompt_too_long", "context_window"),
        ("content_policy", "first_prompt_filtered", "content_policy"),
        ("bad_request", "bad_request", "conversation_refused"),
        ("authentication", "authentication", "authentication"),
    ] {
        for (spoke, wanted) in [(false, at_first), (true, later)] {
            let cause = rules.get(rule).unwrap().cause;
            let met = Diagnosis::new(cause, RuleId::of(rule), "agent.error", "no");
            let found = in_its_place(met, spoke, &rules);
            assert_eq!(&*found.evidence.rule, wanted, "{rule} {spoke}");
            assert_eq!(found.cause, rules.get(wanted).unwrap().cause);
        }
    }
}
