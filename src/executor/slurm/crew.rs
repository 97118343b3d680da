//! The workers of a run, as its driver knows them.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::messages::{Hello, ToWorker};
use crate::bench::Pair;
use crate::store::lease::Holder;

/// One worker.
#[derive(Debug)]
pub struct Member {
    /// Who it is.
    pub holder: Holder,
    /// Its node.
    pub node: String,
    /// How many pairs it runs at the same time.
    pub at_once: usize,
    /// The connection on which it was heard last.
    pub connection: u64,
    /// Since when it has none.
    pub cut_at: Option<Instant>,
    /// What is told to it.
    pub to: UnboundedSender<ToWorker>,
    /// The pairs that it was given and that have not ended.
    pub running: BTreeSet<Pair>,
    /// Its places that ask for a pair.
    pub free: usize,
    /// The signal for which it takes no further pair.
    pub leaving: Option<String>,
    /// Whether it was told that there is nothing more to do.
    pub is_let_go: bool,
}

impl Member {
    /// Tells it something; nobody hears where its connection is gone, and it says hello again.
    pub fn tell(&self, message: ToWorker) {
        let _ = self.to.send(message);
    }

    /// Whether it can be given a pair.
    pub const fn wants(&self) -> bool {
        self.free > 0 && self.cut_at.is_none() && self.leaving.is_none() && !self.is_let_go
    }
}

/// All workers that are there.
#[derive(Debug, Default)]
pub struct Workforce {
    /// By the ids of their holders.
    pub members: BTreeMap<String, Member>,
    /// How many came in so far.
    pub joined: usize,
}

impl Workforce {
    /// A worker has come in, or has come in again; whether it is new.
    pub fn join(&mut self, hello: Hello, connection: u64, to: UnboundedSender<ToWorker>) -> bool {
        let id = hello.holder.id.clone();
        let running: BTreeSet<Pair> = hello.running.into_iter().collect();
        if let Some(member) = self.members.get_mut(&id) {
            member.connection = connection;
            member.cut_at = None;
            member.to = to;
            // Its places ask anew.
            member.free = 0;
            member.is_let_go = false;
            member.running.extend(running);
            return false;
        }
        self.joined += 1;
        let member = Member {
            holder: hello.holder,
            node: hello.node,
            at_once: hello.at_once,
            connection,
            cut_at: None,
            to,
            running,
            free: 0,
            leaving: None,
            is_let_go: false,
        };
        self.members.insert(id, member);
        true
    }

    /// A connection is no more.
    pub fn cut(&mut self, worker: &str, connection: u64) {
        if let Some(member) = self.members.get_mut(worker)
            && member.connection == connection
        {
            member.cut_at = Some(Instant::now());
            member.free = 0;
        }
    }

    /// The pairs that are given to somebody.
    pub fn running(&self) -> impl Iterator<Item = &Pair> {
        self.members.values().flat_map(|member| &member.running)
    }

    /// A worker that can be given a pair: of the one with the most free places, so that pairs spread
    /// over the nodes.
    pub fn with_a_place(&mut self) -> Option<&mut Member> {
        let wanting = self.members.values_mut().filter(|member| member.wants());
        wanting.max_by_key(|member| member.free)
    }

    /// Tells all of them something.
    pub fn tell(&self, message: &ToWorker) {
        for member in self.members.values() {
            member.tell(message.clone());
        }
    }

    /// Lets all go.
    pub fn let_all_go(&mut self) {
        for member in self.members.values_mut().filter(|it| !it.is_let_go) {
            member.is_let_go = true;
            member.tell(ToWorker::Leave);
        }
    }

    /// Lets those go that run nothing and would only wait.
    pub fn let_idle_go(&mut self) {
        for member in self.members.values_mut() {
            let is_idle = member.running.is_empty() && member.free >= member.at_once;
            if is_idle && !member.is_let_go {
                member.is_let_go = true;
                member.tell(ToWorker::Leave);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::bench::TaskKey;

    fn hello(id: &str, running: &[Pair]) -> Hello {
        let holder = Holder {
            id: id.to_owned(),
            ..Holder::this(None, 0)
        };
        Hello {
            holder,
            node: "n1".to_owned(),
            version: String::new(),
            at_once: 2,
            running: running.to_vec(),
        }
    }

    #[test]
    fn a_worker_that_comes_in_again_is_the_one_that_it_was() {
        let pair = Pair::new(TaskKey::new("gull_task", 7), 1, 2);
        let mut crew = Workforce::default();
        let (to, _heard) = mpsc::unbounded_channel();
        assert!(crew.join(hello("a", &[]), 1, to.clone()));
        crew.members
            .get_mut("a")
            .unwrap()
            .running
            .insert(pair.clone());
        assert!(!crew.join(hello("a", std::slice::from_ref(&pair)), 2, to));
        // The end of its old connection is seen late.
        crew.cut("a", 1);
        assert!(crew.members["a"].cut_at.is_none());
        crew.cut("a", 2);
        assert!(crew.members["a"].cut_at.is_some());
        assert_eq!(crew.running().collect::<Vec<_>>(), [&pair]);
        assert_eq!(crew.joined, 1);
    }

    #[test]
    fn pairs_go_to_who_has_the_most_places_and_to_nobody_who_leaves() {
        let mut crew = Workforce::default();
        let (to, mut heard) = mpsc::unbounded_channel();
        for (id, free) in [("a", 1), ("b", 2), ("c", 2)] {
            crew.join(hello(id, &[]), 1, to.clone());
            crew.members.get_mut(id).unwrap().free = free;
        }
        crew.members.get_mut("c").unwrap().leaving = Some("SIGTERM".to_owned());
        assert_eq!(crew.with_a_place().unwrap().holder.id, "b");
        crew.let_idle_go();
        assert_eq!(crew.with_a_place().unwrap().holder.id, "a");
        // Once each, to `b` and `c`.
        crew.let_idle_go();
        let mut told = 0;
        while heard.try_recv().is_ok() {
            told += 1;
        }
        assert_eq!(told, 2);
    }
}
