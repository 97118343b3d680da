use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::*;
use crate::model::pace::PaceLine;

const LONG: Duration = Duration::from_mins(2);

async fn soon<T>(wait: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(LONG, wait).await;
    ended.expect("a wait that ends")
}

/// A desk, and what it said to whom.
struct Office {
    pace: Arc<Pace>,
    desk: PaceDesk,
    sink: mpsc::UnboundedSender<(String, PaceAnswer)>,
    said: mpsc::UnboundedReceiver<(String, PaceAnswer)>,
}

impl Office {
    fn of(limit: usize) -> Self {
        let pace = Arc::new(Pace::new(limit, None));
        let (sink, said) = mpsc::unbounded_channel();
        let desk = PaceDesk::new(Arc::clone(&pace));
        Self {
            pace,
            desk,
            sink,
            said,
        }
    }

    fn asks(&self, worker: &str, ask: PaceAsk) {
        let (sink, name) = (self.sink.clone(), worker.to_owned());
        self.desk.asked(worker, ask, move |answer| {
            let _ = sink.send((name.clone(), answer));
        });
    }

    fn enter(&self, worker: &str, id: u64) {
        self.asks(worker, PaceAsk::Enter { id });
    }

    fn refused(&self, worker: &str, id: u64, seconds: f64) {
        let retry_after_seconds = Some(seconds);
        self.asks(
            worker,
            PaceAsk::RateLimited {
                id,
                retry_after_seconds,
            },
        );
    }

    /// Who is let in next.
    async fn let_in(&mut self) -> (String, u64) {
        loop {
            if let (worker, PaceAnswer::Enters { id, .. }) = soon(self.said.recv()).await.unwrap() {
                return (worker, id);
            }
        }
    }

    /// What was said by now, without waiting.
    fn said(&mut self) -> Vec<(String, PaceAnswer)> {
        std::iter::from_fn(|| self.said.try_recv().ok()).collect()
    }

    fn free(&self) -> usize {
        self.pace.own.slots.available_permits()
    }
}

fn who(worker: &str, id: u64) -> (String, u64) {
    (worker.to_owned(), id)
}

#[tokio::test]
async fn who_asked_first_enters_first_whoever_it_is() {
    let mut office = Office::of(2);
    for (worker, id) in [("a", 1), ("b", 1), ("c", 7), ("a", 2), ("b", 2)] {
        office.enter(worker, id);
    }
    assert_eq!(office.let_in().await, who("a", 1));
    assert_eq!(office.let_in().await, who("b", 1));
    assert!(office.said().is_empty());
    // One that waits no more is left out.
    office.asks("a", PaceAsk::Held { id: 2 });
    office.asks("b", PaceAsk::Succeeded { id: 1 });
    assert_eq!(office.let_in().await, who("c", 7));
    office.asks("c", PaceAsk::Held { id: 7 });
    assert_eq!(office.let_in().await, who("b", 2));
    assert!(office.pace.was_answered());
}

#[tokio::test]
async fn what_a_worker_had_comes_free_when_it_is_gone() {
    let mut office = Office::of(2);
    office.enter("a", 1);
    office.enter("a", 2);
    office.enter("a", 3);
    office.enter("b", 1);
    office.let_in().await;
    office.let_in().await;
    office.desk.gone("a");
    office.desk.gone("nobody");
    assert_eq!(office.let_in().await, who("b", 1));
    office.desk.gone("b");
    // The call of `a` that waited leaves the line when its task is next looked at.
    while office.free() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(office.said().is_empty());
    assert!(office.desk.0.state().workers.is_empty());
}

#[tokio::test]
async fn the_end_of_an_old_connection_takes_nothing_from_the_new_one() {
    let mut office = Office::of(1);
    office.enter("a#1", 1);
    assert_eq!(office.let_in().await, who("a#1", 1));
    office.asks("a#2", PaceAsk::GoesOn { id: 1 });
    office.desk.gone("a#1");
    office.enter("b", 1);
    assert_eq!(office.free(), 0);
    assert!(office.said().is_empty());
    office.asks("a#2", PaceAsk::Succeeded { id: 1 });
    assert_eq!(office.let_in().await, who("b", 1));
}

#[tokio::test]
async fn calls_of_many_workers_that_meet_a_rate_limit_halve_the_limit_once_and_hold_for_all() {
    let mut office = Office::of(8);
    for n in 0..8 {
        office.enter(&n.to_string(), 1);
    }
    for n in 0..8 {
        office.refused(&n.to_string(), 1, 0.01);
    }
    assert_eq!(office.pace.limit(), 4);
    office.said();
    office.enter("late", 1);
    let (_, PaceAnswer::Slowed { is_lowered, .. }) = soon(office.said.recv()).await.unwrap() else {
        panic!("who comes late learns of it");
    };
    assert!(is_lowered);
    let (worker, answer) = soon(office.said.recv()).await.unwrap();
    let PaceAnswer::Enters { waited_seconds, .. } = answer else {
        panic!("it enters after the hold");
    };
    assert!(worker == "late" && waited_seconds > 0.0);
}

#[tokio::test]
async fn all_workers_are_told_once_when_they_are_slowed_and_when_no_more() {
    let mut office = Office::of(2);
    for worker in ["a", "b", "c"] {
        office.enter(worker, 1);
    }
    office.said();
    office.refused("a", 1, 30.0);
    let said = office.said();
    assert_eq!(said.len(), 3);
    for (_, answer) in said {
        let PaceAnswer::Slowed {
            hold_seconds,
            is_lowered,
            share,
        } = answer
        else {
            panic!("{answer:?}");
        };
        assert!(is_lowered && share == 1 && hold_seconds > 1.0 && hold_seconds <= 30.0);
    }
    // The other call of the window names nearly the same second.
    office.refused("b", 1, 30.1);
    assert!(office.said().is_empty());
    // The user bounds the pace to what it is: it is held, and not lowered.
    office.pace.bound_by(1);
    office.desk.workers(3);
    let said = office.said();
    assert_eq!(said.len(), 3);
    for (_, answer) in said {
        assert!(
            matches!(
                answer,
                PaceAnswer::Slowed {
                    is_lowered: false,
                    ..
                }
            ),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_names_the_share_the_bound_and_whether_the_endpoint_answers() {
    let mut office = Office::of(9);
    office.desk.workers(4);
    let next = |office: &mut Office| {
        let said = office.said();
        let Some((
            _,
            PaceAnswer::Enters {
                share,
                bound,
                was_answered,
                ..
            },
        )) = said.last()
        else {
            panic!("{said:?}");
        };
        (*share, *bound, *was_answered)
    };
    office.enter("a", 1);
    assert_eq!(next(&mut office), (2, 9, false));
    office.asks("a", PaceAsk::Succeeded { id: 1 });
    office.desk.workers(100);
    office.enter("a", 2);
    assert_eq!(next(&mut office), (1, 9, true));
    office.desk.workers(0);
    office.enter("a", 3);
    assert_eq!(next(&mut office), (9, 9, true));
}

#[tokio::test]
async fn words_that_make_no_sense_change_nothing() {
    let mut office = Office::of(2);
    office.asks("a", PaceAsk::Succeeded { id: 1 });
    office.asks("a", PaceAsk::Held { id: 1 });
    office.refused("a", 1, 1.0);
    office.enter("a", 1);
    office.enter("a", 1);
    office.asks("a", PaceAsk::GoesOn { id: 1 });
    assert_eq!(office.said().len(), 1);
    assert_eq!((office.free(), office.pace.limit()), (1, 2));
    // A time that is none holds nobody.
    office.refused("a", 1, f64::NAN);
    assert_eq!(office.pace.limit(), 1);
    office.enter("a", 2);
    assert_eq!(office.let_in().await, who("a", 2));
}

#[tokio::test]
async fn words_go_over_a_line_as_they_are() {
    let asks = [
        (PaceAsk::Enter { id: 1 }, r#"{"enter":{"id":1}}"#),
        (
            PaceAsk::RateLimited {
                id: 2,
                retry_after_seconds: None,
            },
            r#"{"rate_limited":{"id":2,"retry_after_seconds":null}}"#,
        ),
    ];
    for (ask, json) in asks {
        assert_eq!(serde_json::to_string(&ask).unwrap(), json);
        assert_eq!(serde_json::from_str::<PaceAsk>(json).unwrap(), ask);
    }
    let answer = PaceAnswer::Enters {
        id: 1,
        waited_seconds: 0.1,
        share: 2,
        bound: usize::MAX,
        was_answered: true,
    };
    let json = serde_json::to_string(&answer).unwrap();
    assert_eq!(serde_json::from_str::<PaceAnswer>(&json).unwrap(), answer);
}

/// The line of a worker to the desk, which breaks and is made again.
struct Cable {
    name: String,
    line: Arc<PaceLine>,
    asks: mpsc::UnboundedReceiver<PaceAsk>,
    connection: usize,
    is_up: bool,
}

impl Cable {
    fn connection(&self) -> String {
        format!("{}#{}", self.name, self.connection)
    }

    /// Carries what was asked to the desk, and its answers back.
    fn carry(&mut self, desk: &PaceDesk) {
        while let Some(ask) = self.is_up.then(|| self.asks.try_recv().ok()).flatten() {
            let line = Arc::clone(&self.line);
            desk.asked(&self.connection(), ask, move |answer| line.answered(answer));
        }
    }

    fn breaks(&mut self, desk: &PaceDesk) {
        if self.is_up {
            self.is_up = false;
            self.line.lost();
            desk.gone(&self.connection());
        } else {
            self.is_up = true;
            self.connection += 1;
            self.line.back();
        }
    }
}

/// Workers with callers of random fate on one desk. Gives the most calls that were under way at
/// once, and the most that the desk had let in.
async fn simulate(seed: u64, bound: usize, workers: usize, with_breaks: bool) -> (usize, usize) {
    let mut random = fastrand::Rng::with_seed(seed);
    let pace = Arc::new(Pace::new(bound, None));
    let desk = PaceDesk::new(Arc::clone(&pace));
    desk.workers(workers);
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut callers = JoinSet::new();
    let mut cables = Vec::new();
    for n in 0..workers {
        let (sender, asks) = mpsc::unbounded_channel();
        let (pace, line) = Pace::asked_of(sender, 1, None);
        let (pace, line) = (Arc::new(pace), Arc::new(line));
        cables.push(Cable {
            name: n.to_string(),
            line,
            asks,
            connection: 1,
            is_up: true,
        });
        for _ in 0..30 {
            let (pace, mut random) = (Arc::clone(&pace), random.fork());
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            callers.spawn(async move {
                // Some give up, and come again.
                while random.u8(..4) == 0 {
                    let _ = tokio::time::timeout(Duration::ZERO, pace.enter()).await;
                }
                let (permit, _) = pace.enter().await;
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                for _ in 0..random.u8(..20) {
                    tokio::task::yield_now().await;
                }
                running.fetch_sub(1, Ordering::SeqCst);
                match random.u8(..20) {
                    0 => permit.rate_limited(Some(Duration::from_micros(100))),
                    1 => permit.held(),
                    2 => drop(permit),
                    _ => permit.succeeded(),
                }
            });
        }
    }
    let mut let_in = 0;
    while !callers.is_empty() {
        for cable in &mut cables {
            cable.carry(&desk);
            if with_breaks && random.u8(..50) == 0 {
                cable.breaks(&desk);
            }
        }
        let_in = let_in.max(calls_of(&desk));
        tokio::task::yield_now().await;
        while let Some(ended) = callers.try_join_next() {
            ended.unwrap();
        }
    }
    // What was asked at last is said, and all is free again.
    for cable in &mut cables {
        if !cable.is_up {
            cable.breaks(&desk);
        }
        cable.carry(&desk);
    }
    while pace.own.slots.available_permits() < pace.limit() {
        tokio::task::yield_now().await;
        for cable in &mut cables {
            cable.carry(&desk);
        }
    }
    assert_eq!(pace.own.state().surplus, 0, "{seed}");
    assert_eq!(calls_of(&desk), 0, "{seed}");
    (most.load(Ordering::SeqCst), let_in)
}

fn calls_of(desk: &PaceDesk) -> usize {
    let state = desk.0.state();
    state.workers.values().map(count).sum()
}

fn count(worker: &Worker) -> usize {
    let calls = worker.calls.values();
    calls.filter(|call| matches!(call, Call::Goes(_))).count()
}

#[tokio::test]
async fn calls_of_many_workers_are_never_more_than_the_limit() {
    for seed in 0..20 {
        let (most, let_in) = soon(simulate(seed, 7, 12, false)).await;
        assert!(most <= 7 && let_in <= 7, "{seed}: {most}, {let_in}");
        assert!(most > 1, "{seed}");
    }
}

#[tokio::test]
async fn lines_that_break_lose_no_call_and_no_place() {
    for seed in 0..20 {
        let (most, _) = soon(simulate(seed, 12, 6, true)).await;
        // The desk's twelve, and for each worker what it had when its line broke.
        assert!(most <= 12 + 6 * 12, "{seed}: {most}");
    }
}

/// `cargo test --profile dist --lib a_thousand_workers -- --ignored --nocapture`
#[tokio::test]
#[ignore = "a measurement: it prints the time of a call at the desk"]
async fn a_thousand_workers_cost_the_desk_little() {
    const ROUNDS: u32 = 100;
    let office = Office::of(4000);
    office.desk.workers(1000);
    let names: Vec<String> = (0..1000).map(|n| format!("worker {n}")).collect();
    let begin = std::time::Instant::now();
    for id in 0..u64::from(ROUNDS) {
        for name in &names {
            office.enter(name, id);
        }
        for name in &names {
            office.asks(name, PaceAsk::Succeeded { id });
        }
    }
    let a_round = begin.elapsed() / ROUNDS;
    #[expect(clippy::print_stdout, reason = "a measurement is told")]
    {
        println!("1,000 calls take the desk {a_round:?}");
    }
}
