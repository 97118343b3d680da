use std::sync::Mutex as Plain;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value;

use super::super::brief::{InjectedDeath, Times};
use super::super::mailbox::{Departure, Mailbox};
use super::*;
use crate::bench::Spending;
use crate::model::canned::{Canned, CannedAnswer, answer, calls_bash, chat_response};
use crate::sandbox::fake::FakeScript;
use crate::sandbox::{Backend, Repository, SandboxLimits, Source, Spec};

const SUBMIT: &str = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT";
const DIFF: &str = "diff --git a/x b/x\n";

/// An agent at work on a scripted endpoint, in a scripted sandbox.
struct Rig {
    server: Canned,
    agent: Agent,
    spent: Arc<Plain<Vec<Spending>>>,
    ended: Arc<Plain<Vec<Status>>>,
}

impl Rig {
    /// One that is answered so, the last answer again and again.
    async fn with(answers: Vec<CannedAnswer>) -> Self {
        let server = Canned::serve(answers).await;
        let (spent, ended) = (Arc::default(), Arc::default());
        let agent = Agent {
            id: "agent1".to_owned(),
            team: vec!["agent1".to_owned(), "agent2".to_owned()],
            task: "Mend it.".to_owned(),
            config: Arc::new(AgentConfig::default()),
            client: server.client(),
            window: None,
            tape: Tape::Off,
            mailbox: None,
            git: None,
            times: Times {
                command: Duration::from_mins(1),
                trial: None,
                rate_limits_count: false,
            },
            spec: Spec {
                source: Source::Image("image".to_owned()),
                run: "run".to_owned(),
                trial: "trial".to_owned(),
                agent: "agent1".to_owned(),
                env: IndexMap::new(),
                messaging: false,
                git: false,
                limits: Arc::new(SandboxLimits::of_a_script()),
                repository: Repository::ForAgent,
            },
            backend: sandbox(None),
            on_end: keeps(&ended),
            on_sandbox: Arc::new(|_| {}),
            ended_before: false,
            on_spent: {
                let spent: Arc<Plain<Vec<Spending>>> = Arc::clone(&spent);
                Arc::new(move |so_far| spent.lock().unwrap().push(so_far))
            },
            on_log: Arc::new(|_| {}),
            on_left_out: Arc::new(|_| {}),
            death: None,
        };
        Self {
            server,
            agent,
            spent,
            ended,
        }
    }

    fn configured(mut self, change: impl FnOnce(&mut AgentConfig)) -> Self {
        let mut config = (*self.agent.config).clone();
        change(&mut config);
        self.agent.config = Arc::new(config);
        self
    }

    /// Runs it to its end: that, and what the endpoint was asked.
    async fn run(self, halt: Halt) -> (AgentEnd, Vec<Value>) {
        let (_halting, halt) = watch::channel(halt);
        let end = self.agent.run(halt).await;
        assert_eq!(
            self.ended.lock().unwrap().as_slice(),
            std::slice::from_ref(&end.status)
        );
        let bodies = self.server.requests();
        let bodies = bodies.iter().map(|request| {
            let (_, body) = request.split_once("\r\n\r\n").unwrap();
            serde_json::from_str(body).unwrap()
        });
        (end, bodies.collect())
    }

    async fn end(self) -> (AgentEnd, usize) {
        let (end, asked) = self.run(Halt::No).await;
        (end, asked.len())
    }
}

fn keeps(ended: &Arc<Plain<Vec<Status>>>) -> Arc<dyn Fn(&Status) + Send + Sync> {
    let ended = Arc::clone(ended);
    Arc::new(move |status| ended.lock().unwrap().push(status.clone()))
}

/// A scripted sandbox that dies at its command with this number.
fn sandbox(dies_at: Option<usize>) -> Backend {
    Backend::Fake(Arc::new(FakeScript {
        diff: DIFF.to_owned(),
        dies_at,
        ..FakeScript::default()
    }))
}

/// What the agent was told last, before this request.
fn last(request: &Value) -> &str {
    let messages = request["messages"].as_array().unwrap();
    messages.last().unwrap()["content"].as_str().unwrap()
}

#[tokio::test]
async fn an_agent_that_submits_leaves_its_work_and_what_it_cost() {
    let rig = Rig::with(vec![
        calls_bash(&["echo one"]),
        calls_bash(&["echo two", SUBMIT]),
    ]);
    let rig = rig.await;
    let spent = Arc::clone(&rig.spent);
    let (end, asked) = rig.run(Halt::No).await;
    assert_eq!(end.status, Status::Submitted);
    assert_eq!(end.patch, DIFF.as_bytes());
    assert_eq!((end.steps, end.usage.input_tokens), (2, 2000));
    assert_eq!(end.cost, Some(0.008));
    assert_eq!(end.base, "fake");
    assert!(last(&asked[0]).contains("Mend it."), "{}", asked[0]);
    assert!(last(&asked[1]).contains("one"), "{}", asked[1]);
    let costs: Vec<_> = spent.lock().unwrap().iter().map(|it| it.cost).collect();
    assert_eq!(costs, [Some(0.004), Some(0.008)]);
    let exit = end.log.last().unwrap();
    assert_eq!(exit["extra"]["exit_status"], "Submitted");
}

#[tokio::test]
async fn what_a_reply_asks_for_after_the_submission_is_not_run() {
    let rig = Rig::with(vec![calls_bash(&[SUBMIT, "echo more"])]).await;
    let (end, asked) = rig.end().await;
    assert_eq!((end.status, asked), (Status::Submitted, 1));
    let note = |entry: &Value| entry["extra"]["exception_info"].clone();
    let notes: Vec<_> = end
        .log
        .iter()
        .map(note)
        .filter(|it| !it.is_null())
        .collect();
    assert_eq!(notes, ["", "not run: the agent had ended before"]);
}

#[tokio::test]
async fn the_limit_of_steps_is_how_many_replies_there_may_be() {
    for limit in [1, 3] {
        let rig = Rig::with(vec![calls_bash(&["echo on"])]).await;
        let rig = rig.configured(|config| config.step_limit = limit);
        let (end, asked) = rig.end().await;
        assert_eq!(end.status, Status::StepLimit);
        assert_eq!((end.steps, asked as u64), (limit, limit));
        // What was done until then is kept.
        assert_eq!(end.patch, DIFF.as_bytes());
    }
}

#[tokio::test]
async fn no_call_is_made_once_the_limit_of_cost_is_reached() {
    // A call costs $0.004.
    for (limit, calls) in [(0.004, 1), (0.0041, 2), (0.008, 2)] {
        let rig = Rig::with(vec![calls_bash(&["echo on"])]).await;
        let rig = rig.configured(|config| config.cost_limit = limit);
        let (end, asked) = rig.end().await;
        assert_eq!((end.status, asked), (Status::CostLimit, calls), "{limit}");
    }
}

#[tokio::test]
async fn a_limit_of_0_is_none() {
    let on = || calls_bash(&["echo on"]);
    let rig = Rig::with(vec![on(), on(), on(), calls_bash(&[SUBMIT])]).await;
    let rig = rig.configured(|config| (config.step_limit, config.cost_limit) = (0, 0.0));
    let (end, asked) = rig.end().await;
    assert_eq!((end.status, asked), (Status::Submitted, 4));
}

#[tokio::test]
async fn without_time_no_call_is_made() {
    let mut rig = Rig::with(vec![calls_bash(&[SUBMIT])]).await;
    rig.agent.times.trial = Some(Duration::ZERO);
    let (end, asked) = rig.end().await;
    assert_eq!((end.status, asked), (Status::TimeLimit, 0));
    // Its sandbox was not waited for.
    assert!(end.patch.is_empty());
}

#[tokio::test]
async fn a_reply_that_cannot_be_used_is_a_step_and_the_model_is_told_why() {
    let rig = Rig::with(vec![chat_response("I am done."), calls_bash(&[SUBMIT])]).await;
    let (end, asked) = rig.run(Halt::No).await;
    assert_eq!((end.status, end.steps), (Status::Submitted, 2));
    assert!(last(&asked[1]).contains("it calls no tool"), "{}", asked[1]);
}

#[tokio::test]
async fn of_tool_calls_that_the_endpoint_cannot_read_two_in_a_row_are_told() {
    let body =
        r#"{"error": {"message": "tool call validation failed", "code": "tool_use_failed"}}"#;
    let unread = || answer(400, "", body);
    // Each is asked for three times.
    let three = || vec![unread(), unread(), unread()];
    let fine = || vec![calls_bash(&["echo on"])];
    let answers = [three(), fine(), three(), three(), vec![unread()]].concat();
    let rig = Rig::with(answers).await;
    let (end, asked) = rig.run(Halt::No).await;
    let Status::Failed(failure) = end.status else {
        panic!("{:?}", end.status);
    };
    assert_eq!(failure.rule, FAILED_TOOL_CALL);
    assert_eq!((end.steps, asked.len()), (4, 13));
    let told = last(&asked[3]);
    assert!(told.contains("tool call could not be read"), "{told}");
    assert!(told.contains("validation failed"), "{told}");
    assert!(!told.contains("http"), "{told}");
    assert!(end.usage_unknown);
}

#[tokio::test]
async fn a_sandbox_that_is_taken_away_is_not_the_agents_doing() {
    let mut rig = Rig::with(vec![calls_bash(&["echo on"])]).await;
    rig.agent.backend = sandbox(Some(2));
    rig.agent.ended_before = true;
    let (end, asked) = rig.end().await;
    let Status::Failed(failure) = end.status else {
        panic!("{:?}", end.status);
    };
    assert_eq!((failure.rule.as_str(), asked), ("container_lost", 2));
    assert!(end.patch.is_empty());
}

#[tokio::test]
async fn an_agent_is_halted_for_its_peer_and_with_its_run() {
    let halts = [Halt::PeerLost("it died".to_owned()), Halt::Abort];
    let ends = [
        Status::Failed(Failure::new(RuleId::PEER_LOST, "it died")),
        Status::Aborted,
    ];
    for (halt, status) in halts.into_iter().zip(ends) {
        // It would go on for ever.
        let rig = Rig::with(vec![calls_bash(&["echo on"])]).await;
        let rig = rig.configured(|config| (config.step_limit, config.cost_limit) = (0, 0.0));
        let (end, _) = rig.run(halt).await;
        assert_eq!(end.status, status);
        assert!(end.patch.is_empty());
    }
}

#[tokio::test]
async fn news_of_the_peer_comes_before_the_next_turn() {
    let mut rig = Rig::with(vec![calls_bash(&["echo on"]), calls_bash(&[SUBMIT])]).await;
    let mailbox = Arc::new(Mailbox::default());
    mailbox.send("agent2", "agent1", "I am at it").unwrap();
    let departure = Departure {
        how: "died".to_owned(),
        branch: None,
    };
    mailbox.depart("agent2", departure);
    rig.agent.mailbox = Some(mailbox);
    let (end, asked) = rig.run(Halt::No).await;
    assert_eq!(end.status, Status::Submitted);
    let first = last(&asked[0]);
    assert!(
        first.contains("[Message from agent2]: I am at it"),
        "{first}"
    );
    assert!(first.contains("[agent2 has ended]"), "{first}");
    assert!(!last(&asked[1]).contains("has ended"));
}

#[tokio::test]
async fn an_injected_death_waits_until_the_peer_has_ended() {
    let mut rig = Rig::with(vec![calls_bash(&["echo on"]), calls_bash(&[SUBMIT])]).await;
    let (at_work, watched) = watch::channel(2);
    rig.agent.death = Some(InjectedDeath {
        after: 1,
        at_work: watched,
    });
    let spent = Arc::clone(&rig.spent);
    let running = tokio::spawn(rig.end());
    while spent.lock().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    // After its last reply nothing but the peer keeps it: on one thread it would have ended by now.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!running.is_finished());
    at_work.send_replace(1);
    let (end, _) = running.await.unwrap();
    assert_eq!(end.status, Status::Submitted);
}
