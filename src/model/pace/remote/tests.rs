use super::*;
use crate::model::pace::{Observer, Pace, PaceChange, Permit};

const SHORT: Option<Duration> = Some(Duration::from_millis(10));
const LONG: Duration = Duration::from_mins(2);

/// What a wait gives; one that never ends fails its test, and does not keep the others.
async fn soon<T>(wait: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(LONG, wait).await;
    ended.expect("a wait that ends")
}

/// A worker's pace, and the desk's end of its line.
struct Worker {
    pace: Arc<Pace>,
    line: PaceLine,
    asks: mpsc::UnboundedReceiver<PaceAsk>,
    told: Arc<Mutex<Vec<usize>>>,
}

impl Worker {
    fn with_share(share: usize) -> Self {
        let (sender, asks) = mpsc::unbounded_channel();
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&told);
        let observer: Observer = Arc::new(move |change: PaceChange| {
            sink.lock().unwrap().push(change.limit);
        });
        let (pace, line) = Pace::asked_of(sender, share, Some(observer));
        Self {
            pace: Arc::new(pace),
            line,
            asks,
            told,
        }
    }

    /// A call that asks, and waits in a task.
    fn waits(&self) -> tokio::task::JoinHandle<(Permit, Duration)> {
        let pace = Arc::clone(&self.pace);
        tokio::spawn(async move { pace.enter().await })
    }

    async fn heard(&mut self) -> PaceAsk {
        soon(self.asks.recv()).await.unwrap()
    }

    /// Lets a call in, which must be the next to ask.
    fn lets_in(&self, id: u64, waited_seconds: f64) {
        self.line.answered(PaceAnswer::Enters {
            id,
            waited_seconds,
            share: 2,
            bound: 8,
            was_answered: false,
        });
    }

    async fn enters(&mut self) -> (Permit, u64) {
        let call = self.waits();
        let PaceAsk::Enter { id } = self.heard().await else {
            panic!("it asks for a call");
        };
        self.lets_in(id, 0.0);
        (soon(call).await.unwrap().0, id)
    }

    /// Whether nobody may begin now, as far as a caller sees who does not wait.
    async fn is_full(&self) -> bool {
        let once = tokio::time::timeout(Duration::ZERO, self.pace.enter()).await;
        once.is_err()
    }
}

#[tokio::test]
async fn a_call_asks_and_says_how_it_ended() {
    let mut worker = Worker::with_share(1);
    let (permit, id) = worker.enters().await;
    assert_eq!(id, 1);
    permit.succeeded();
    assert_eq!(worker.heard().await, PaceAsk::Succeeded { id });
    let (permit, id) = worker.enters().await;
    permit.rate_limited(Some(Duration::from_millis(1500)));
    let retry_after_seconds = Some(1.5);
    let expected = PaceAsk::RateLimited {
        id,
        retry_after_seconds,
    };
    assert_eq!(worker.heard().await, expected);
    for ends in [Permit::held, drop] {
        let (permit, id) = worker.enters().await;
        ends(permit);
        assert_eq!(worker.heard().await, PaceAsk::Held { id });
    }
    assert!(worker.asks.try_recv().is_err());
    assert!(worker.told.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_call_that_waits_no_more_says_so_and_a_late_answer_is_given_back() {
    let mut worker = Worker::with_share(1);
    let call = worker.waits();
    assert_eq!(worker.heard().await, PaceAsk::Enter { id: 1 });
    call.abort();
    assert_eq!(worker.heard().await, PaceAsk::Held { id: 1 });
    worker.lets_in(1, 0.0);
    assert_eq!(worker.heard().await, PaceAsk::Held { id: 1 });
    // One that is answered, and dropped before it hears it.
    let mut call = Box::pin(worker.pace.enter());
    assert!(futures_util::FutureExt::now_or_never(call.as_mut()).is_none());
    worker.lets_in(2, 0.0);
    drop(call);
    assert_eq!(worker.heard().await, PaceAsk::Enter { id: 2 });
    assert_eq!(worker.heard().await, PaceAsk::Held { id: 2 });
    assert!(worker.asks.try_recv().is_err());
}

#[tokio::test]
async fn a_wait_is_as_long_as_the_desk_says_and_never_longer_than_it_was() {
    let mut worker = Worker::with_share(1);
    for told in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
        let call = worker.waits();
        let PaceAsk::Enter { id } = worker.heard().await else {
            panic!("it asks for a call");
        };
        worker.lets_in(id, told);
        let (permit, waited) = soon(call).await.unwrap();
        assert!(waited.is_zero(), "{told}");
        drop(permit);
        worker.heard().await;
    }
    let begin = Instant::now();
    let call = worker.waits();
    let PaceAsk::Enter { id } = worker.heard().await else {
        panic!("it asks for a call");
    };
    worker.lets_in(id, 1e9);
    let (_, waited) = soon(call).await.unwrap();
    assert!(!waited.is_zero() && waited <= begin.elapsed());
}

#[tokio::test]
async fn while_nobody_answers_calls_begin_at_the_last_share_with_those_under_way() {
    let mut worker = Worker::with_share(1);
    let (first, _) = worker.enters().await;
    let waiting = worker.waits();
    worker.heard().await;
    worker.line.lost();
    // The desk's last answer named a share of two.
    let (second, _) = soon(waiting).await.unwrap();
    assert_eq!(worker.pace.limit(), 2);
    assert!(worker.is_full().await);
    first.succeeded();
    let third = soon(worker.pace.enter()).await.0;
    assert!(worker.is_full().await);
    drop((second, third));
    assert!(!worker.is_full().await);
    assert!(worker.asks.try_recv().is_err());
    assert!(worker.pace.was_answered());
}

#[tokio::test]
async fn more_than_the_share_may_be_under_way_when_the_line_is_lost_and_they_go_first() {
    let mut worker = Worker::with_share(1);
    let mut calls = Vec::new();
    for _ in 0..5 {
        calls.push(worker.enters().await.0);
    }
    worker.line.lost();
    worker.line.lost();
    for left in [4, 3, 2] {
        assert!(worker.is_full().await, "{left}");
        calls.pop();
    }
    calls.pop();
    assert_eq!(calls.len(), 1);
    assert!(!worker.is_full().await);
}

#[tokio::test]
async fn when_somebody_answers_again_calls_are_asked_for_and_those_under_way_told() {
    let mut worker = Worker::with_share(2);
    worker.line.lost();
    let (first, _) = soon(worker.pace.enter()).await;
    let (second, _) = soon(worker.pace.enter()).await;
    let waiting = worker.waits();
    tokio::task::yield_now().await;
    assert!(worker.asks.try_recv().is_err());
    worker.line.back();
    worker.line.back();
    let mut told = [worker.heard().await, worker.heard().await];
    told.sort_by_key(|ask| format!("{ask:?}"));
    assert_eq!(told, [PaceAsk::GoesOn { id: 1 }, PaceAsk::GoesOn { id: 2 }]);
    assert_eq!(worker.heard().await, PaceAsk::Enter { id: 3 });
    worker.lets_in(3, 0.0);
    let third = soon(waiting).await.unwrap().0;
    for (permit, id) in [(first, 1), (second, 2), (third, 3)] {
        permit.succeeded();
        assert_eq!(worker.heard().await, PaceAsk::Succeeded { id });
    }
}

#[tokio::test]
async fn rate_limits_slow_a_worker_that_nobody_answers_until_somebody_does() {
    let mut worker = Worker::with_share(8);
    worker.line.lost();
    soon(worker.pace.enter()).await.0.rate_limited(SHORT);
    assert_eq!(worker.pace.limit(), 4);
    let (permit, waited) = soon(worker.pace.enter()).await;
    assert!(!waited.is_zero());
    worker.line.back();
    let slowed = worker.pace.slowed();
    assert!(slowed >= waited);
    assert_eq!(worker.heard().await, PaceAsk::GoesOn { id: 2 });
    drop(permit);
    assert_eq!(*worker.told.lock().unwrap(), [4]);
    // The next time it begins with its share again, and is not slow.
    worker.line.lost();
    assert_eq!(worker.pace.limit(), 8);
    assert_eq!(worker.pace.slowed(), slowed);
}

#[tokio::test]
async fn a_bound_changes_only_what_runs_while_nobody_answers() {
    let mut worker = Worker::with_share(4);
    worker.pace.bound_by(3);
    let (one, _) = worker.enters().await;
    // The desk's share of two is less.
    assert_eq!(worker.pace.limit(), 2);
    worker.pace.bound_by(1);
    let (two, _) = worker.enters().await;
    assert!(worker.asks.try_recv().is_err());
    worker.line.lost();
    assert_eq!(worker.pace.limit(), 1);
    assert!(!worker.pace.can_slow_down());
    drop(one);
    assert!(worker.is_full().await);
    worker.pace.bound_by(9);
    assert_eq!(worker.pace.limit(), 2);
    assert!(!worker.is_full().await);
    drop(two);
}

#[tokio::test]
async fn a_hold_of_the_desk_counts_at_once_and_holds_on_when_the_line_is_lost() {
    let worker = Worker::with_share(4);
    let slowed = |hold_seconds, is_lowered| {
        worker.line.answered(PaceAnswer::Slowed {
            hold_seconds,
            is_lowered,
            share: 4,
        });
    };
    assert!(worker.pace.slowed().is_zero());
    slowed(60.0, true);
    while worker.pace.slowed().is_zero() {
        tokio::task::yield_now().await;
    }
    worker.line.lost();
    assert!(worker.is_full().await);
    worker.line.back();
    slowed(60.0, true);
    slowed(0.0, false);
    let before = worker.pace.slowed();
    tokio::task::yield_now().await;
    assert_eq!(worker.pace.slowed(), before);
    worker.line.lost();
    assert!(!worker.is_full().await);
}

#[tokio::test]
async fn a_line_that_nobody_reads_is_lost() {
    let Worker {
        pace, line, asks, ..
    } = Worker::with_share(1);
    drop(asks);
    let permit = soon(pace.enter()).await.0;
    line.back();
    permit.succeeded();
    drop(soon(pace.enter()).await);
}

#[tokio::test]
async fn an_answer_of_a_line_that_is_lost_lets_nobody_in() {
    let mut worker = Worker::with_share(1);
    let waiting = worker.waits();
    assert_eq!(worker.heard().await, PaceAsk::Enter { id: 1 });
    worker.line.lost();
    worker.lets_in(1, 0.0);
    let permit = soon(waiting).await.unwrap().0;
    assert_eq!(worker.pace.limit(), 1);
    assert!(worker.is_full().await);
    drop(permit);
    assert!(worker.asks.try_recv().is_err());
}
