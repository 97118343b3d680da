//! `--git`: what one agent pushes the other can fetch at once, and nothing else moves.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use regatta::agent::Team;
use regatta::agent::git::{self, Remote};
use regatta::guest::call;
use regatta::model::tape::Tape;
use regatta::sandbox::{Backend, Call, CallAnswer, Callee, Command, CommandEnd, Output, Sandbox};

use crate::place::{Kind, backend, source, spec, text};

struct Member {
    sandbox: Sandbox,
    remote: Answering,
}

struct Answering(Remote);

impl Callee for Answering {
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = CallAnswer> + Send + '_>> {
        Box::pin(async move {
            match call.program.as_str() {
                call::GIT_PUSH => self.0.push(call.body),
                _ => self.0.fetch(&call.args[0]).await,
            }
        })
    }
}

impl Member {
    async fn join(id: &str, team: &Arc<Team>, backend: &Backend) -> Self {
        let mut spec = spec(source(backend));
        id.clone_into(&mut spec.agent);
        spec.git = true;
        let mut sandbox = Sandbox::start(&spec, backend).await.unwrap();
        let members = ["agent1".to_owned(), "agent2".to_owned()];
        git::set_up(id, &members, &mut sandbox).await.unwrap();
        let remote = Answering(Remote {
            id: id.to_owned(),
            team: Arc::clone(team),
            tape: Arc::new(tokio::sync::Mutex::new(Tape::Off)),
        });
        Self { sandbox, remote }
    }

    async fn try_run(&mut self, script: &str) -> Output {
        let timeout = Duration::from_mins(1);
        let command = Command { script, timeout };
        let ran = self.sandbox.run(command, Some(&self.remote)).await;
        ran.unwrap()
    }

    async fn run(&mut self, script: &str) -> String {
        let output = self.try_run(script).await;
        assert_eq!(
            output.end,
            CommandEnd::Exited(0),
            "{script}: {}",
            text(&output)
        );
        text(&output)
    }
}

fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(test);
}

async fn pair(kind: Kind) -> (Arc<Team>, Member, Member) {
    let team = Arc::new(Team::default());
    let backend = backend(kind);
    let one = Member::join("agent1", &team, &backend).await;
    let two = Member::join("agent2", &team, &backend).await;
    (team, one, two)
}

fn a_push_reaches_the_peer(kind: Kind) {
    block_on(async {
        let (team, mut one, mut two) = pair(kind).await;
        one.run("echo mine > new && git add new && git commit -qm work && git push -q")
            .await;
        assert!(team.has_pushed("agent1") && !team.has_pushed("agent2"));
        let seen = two
            .run("git fetch -q origin && git show origin/agent1:new && git branch -r --format='%(refname:short)'")
            .await;
        assert_eq!(seen, "mine\norigin/agent1\norigin/agent2\norigin/main\n");

        // Neither the other's branch nor the base can be pushed to, and no branch be deleted.
        two.run("git commit -q --allow-empty -m mine").await;
        for (what, why) in [
            ("HEAD:agent1", "you can push agent2 only"),
            ("HEAD:main", "you can push agent2 only"),
            ("HEAD:other", "you can push agent2 only"),
            (":agent2", "agent2 cannot be deleted"),
        ] {
            let refused = two.try_run(&format!("git push -q -f origin {what}")).await;
            assert_ne!(refused.end, CommandEnd::Exited(0), "{what}");
            assert!(text(&refused).contains(why), "{}", text(&refused));
        }
        // One who gets around its own copy's rules moves nothing, not even its own base.
        two.run("git push -q && git --git-dir=../origin.git update-ref refs/heads/main refs/heads/agent2")
            .await;
        for member in [&mut one, &mut two] {
            let base = member
                .run("git fetch -q origin && git rev-parse origin/main")
                .await;
            assert_eq!(base.trim(), member.sandbox.base());
        }

        // A second push moves the branch, and one back to the base moves it back.
        one.run("echo more >> new && git commit -qam more && git push -q")
            .await;
        let show = "git fetch -q origin && git show origin/agent1:new";
        assert_eq!(two.run(show).await, "mine\nmore\n");
        let back = one.sandbox.base().to_owned();
        one.run(&format!("git push -q -f origin {back}:agent1"))
            .await;
        let tip = two
            .run("git fetch -q origin && git rev-parse origin/agent1")
            .await;
        assert_eq!(tip.trim(), back);
        // The remote is no part of a submission.
        let diff = String::from_utf8(one.sandbox.diff().await.unwrap()).unwrap();
        assert_eq!(diff.matches("diff --git").count(), 1, "{diff}");
        one.sandbox.close().await;
        two.sandbox.close().await;
    });
}

#[test]
fn a_push_reaches_the_peer_and_the_base_stays_where_it_is() {
    a_push_reaches_the_peer(Kind::Namespace);
}

#[test]
fn in_an_image_a_push_reaches_the_peer_and_the_base_stays_where_it_is() {
    a_push_reaches_the_peer(Kind::Oci);
}

#[test]
#[ignore = "needs Docker: just e2e"]
fn in_docker_a_push_reaches_the_peer_and_the_base_stays_where_it_is() {
    a_push_reaches_the_peer(Kind::Docker);
}

/// Both can wait for each other's push within one command.
#[test]
fn a_push_arrives_while_commands_run() {
    block_on(async {
        let (_, mut one, mut two) = pair(Kind::Process).await;
        let wait = |peer: &str| {
            format!(
                "until git fetch -q origin && git cat-file -e origin/{peer}:new 2>/dev/null; do sleep 0.1; done"
            )
        };
        let push = "echo x > new && git add new && git commit -qm work && git push -q";
        let (first, second) = (
            format!("{push}; {}", wait("agent2")),
            format!("{}; {push}", wait("agent1")),
        );
        tokio::join!(one.run(&first), two.run(&second));
        one.sandbox.close().await;
        two.sandbox.close().await;
    });
}
