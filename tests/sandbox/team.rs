//! `--git`: what one agent pushes the other can fetch, and nothing else moves.

use regatta::agent::Team;
use regatta::agent::git::Remote;
use regatta::sandbox::{Backend, Command, CommandEnd, Output, Sandbox};

use crate::place::{Kind, backend, harbor, spec, text};

struct Member {
    sandbox: Sandbox,
    remote: Remote,
}

impl Member {
    async fn join(id: &str, backend: &Backend) -> Self {
        let mut spec = spec(&harbor());
        spec.agent = id.to_owned();
        let mut sandbox = Sandbox::start(&spec, backend).await.unwrap();
        let remote = Remote::set_up(
            id,
            &["agent1".to_owned(), "agent2".to_owned()],
            &mut sandbox,
        )
        .await
        .unwrap();
        Self { sandbox, remote }
    }

    /// Runs a command as the agent's loop does: what others pushed comes in before it, what it
    /// pushed goes out after it.
    async fn run(&mut self, team: &Team, script: &str) -> Output {
        self.remote.bring_in(team, &mut self.sandbox).await.unwrap();
        let timeout = std::time::Duration::from_mins(1);
        let output = self.sandbox.run(Command { script, timeout }, None).await;
        self.remote
            .carry_out(team, &mut self.sandbox)
            .await
            .unwrap();
        output.unwrap()
    }
}

#[test]
fn a_push_reaches_the_peer_and_the_base_stays_where_it_is() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let backend = backend(Kind::Namespace);
        let team = Team::default();
        let mut one = Member::join("agent1", &backend).await;
        let mut two = Member::join("agent2", &backend).await;

        let pushed = one
            .run(&team, "echo mine > new && git add new && git commit -qm work && git push -q")
            .await;
        assert_eq!(pushed.end, CommandEnd::Exited(0), "{}", text(&pushed));
        assert!(team.has_pushed("agent1") && !team.has_pushed("agent2"));
        let seen = two
            .run(&team, "git fetch -q origin && git show origin/agent1:new && git branch -r --format='%(refname:short)'")
            .await;
        assert_eq!(text(&seen), "mine\norigin/agent1\norigin/agent2\norigin/main\n");

        // Neither the other's branch nor the base can be pushed to.
        two.run(&team, "git commit -q --allow-empty -m mine").await;
        for branch in ["agent1", "main", "other"] {
            let refused = two.run(&team, &format!("git push -q -f origin HEAD:{branch}")).await;
            assert_ne!(refused.end, CommandEnd::Exited(0), "{branch}");
            assert!(text(&refused).contains("you can push agent2 only"), "{}", text(&refused));
        }
        // One who gets around its own copy's rules moves nothing of the other's.
        two.run(&team, "git --git-dir=../origin.git update-ref refs/heads/main $(git commit-tree -m x HEAD^{tree})")
            .await;
        let base = one.run(&team, "git fetch -q origin && git rev-parse origin/main").await;
        assert_eq!(text(&base).trim(), one.sandbox.base());

        // A second push moves the branch.
        one.run(&team, "echo more >> new && git commit -qam more && git push -q").await;
        let seen = two.run(&team, "git fetch -q origin && git show origin/agent1:new").await;
        assert_eq!(text(&seen), "mine\nmore\n");
        // The remote is no part of a submission.
        let diff = String::from_utf8(one.sandbox.diff().await.unwrap()).unwrap();
        assert_eq!(diff.matches("diff --git").count(), 1, "{diff}");
        one.sandbox.close().await;
        two.sandbox.close().await;
    });
}
