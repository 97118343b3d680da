use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;

use super::*;

const SHORT: Option<Duration> = Some(Duration::from_millis(10));

/// A pace, and the limits it tells of.
fn told(limit: usize) -> (Pace, Arc<Mutex<Vec<usize>>>) {
    let limits = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&limits);
    let observer: Observer = Arc::new(move |change: PaceChange| {
        sink.lock().unwrap().push(change.limit);
    });
    (Pace::new(limit, Some(observer)), limits)
}

/// What a wait gives; one that never ends fails its test, and does not keep the others.
async fn soon<T>(wait: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(Duration::from_secs(30), wait).await;
    ended.expect("a wait that ends")
}

async fn enter(pace: &Pace, count: usize) -> Vec<Permit> {
    let mut permits = Vec::new();
    for _ in 0..count {
        permits.push(soon(pace.enter()).await.0);
    }
    permits
}

#[tokio::test]
async fn calls_that_meet_a_rate_limit_together_halve_the_limit_once() {
    let (pace, limits) = told(8);
    for permit in enter(&pace, 8).await {
        permit.rate_limited(SHORT);
    }
    assert_eq!(pace.limit(), 4);
    for permit in enter(&pace, 1).await {
        permit.rate_limited(SHORT);
    }
    assert_eq!(pace.limit(), 2);
    assert_eq!(*limits.lock().unwrap(), [4, 2]);
}

#[tokio::test]
async fn one_call_at_a_time_is_the_least() {
    let (pace, limits) = told(1);
    for permit in enter(&pace, 1).await {
        permit.rate_limited(SHORT);
    }
    for permit in enter(&pace, 1).await {
        permit.succeeded();
    }
    assert_eq!(pace.limit(), 1);
    assert!(limits.lock().unwrap().is_empty());
}

#[tokio::test]
async fn as_many_successes_as_the_limit_grow_it_by_one_up_to_the_bound() {
    let (pace, limits) = told(4);
    soon(pace.enter()).await.0.rate_limited(SHORT);
    let mut grown = Vec::new();
    for _ in 0..7 {
        soon(pace.enter()).await.0.succeeded();
        grown.push(pace.limit());
    }
    assert_eq!(grown, [2, 3, 3, 3, 4, 4, 4]);
    assert_eq!(*limits.lock().unwrap(), [2, 4]);
    assert_eq!(pace.own.slots.available_permits(), 4);
}

#[tokio::test]
async fn slots_over_a_lowered_limit_go_when_they_come_free() {
    let pace = Pace::new(8, None);
    let mut running = enter(&pace, 8).await;
    running.remove(0).rate_limited(SHORT);
    assert_eq!(pace.limit(), 4);
    for permit in running.drain(..3) {
        permit.held();
    }
    assert_eq!(pace.own.slots.available_permits(), 0);
    drop(running);
    assert_eq!(pace.own.slots.available_permits(), 4);
}

#[tokio::test]
async fn a_permit_without_a_verdict_gives_its_slot_back_and_changes_nothing() {
    let (pace, limits) = told(2);
    drop(enter(&pace, 2).await);
    soon(pace.enter()).await.0.held();
    assert_eq!(pace.limit(), 2);
    assert_eq!(pace.own.slots.available_permits(), 2);
    assert!(limits.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nobody_enters_in_a_hold_and_who_gives_up_there_leaves_the_slot() {
    let pace = Pace::new(2, None);
    let long = Some(Duration::from_mins(1));
    soon(pace.enter()).await.0.rate_limited(long);
    let entered = tokio::time::timeout(Duration::ZERO, pace.enter()).await;
    assert!(entered.is_err());
    assert_eq!(pace.own.slots.available_permits(), 1);
}

#[tokio::test]
async fn waiting_for_a_hold_counts_as_rate_limited() {
    let pace = Pace::new(2, None);
    let (permit, at_first) = soon(pace.enter()).await;
    permit.rate_limited(SHORT);
    let (_, then) = soon(pace.enter()).await;
    assert!(at_first.is_zero());
    assert!(!then.is_zero());
}

#[tokio::test]
async fn waiting_at_the_full_limit_does_not_count_as_rate_limited() {
    let pace = Pace::new(1, None);
    let (permit, _) = soon(pace.enter()).await;
    let ((_, waited), ()) = tokio::join!(soon(pace.enter()), async { permit.succeeded() });
    assert!(waited.is_zero());
}

#[tokio::test]
async fn a_thousand_callers_all_come_through_and_never_too_many_at_once() {
    let pace = Arc::new(Pace::new(7, None));
    let running = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for n in 0..1000 {
        let (pace, running) = (Arc::clone(&pace), Arc::clone(&running));
        callers.spawn(async move {
            let (permit, _) = soon(pace.enter()).await;
            let at_once = running.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::task::yield_now().await;
            running.fetch_sub(1, Ordering::SeqCst);
            match n % 100 {
                0 => permit.rate_limited(Some(Duration::from_millis(1))),
                1 => drop(permit),
                _ => permit.succeeded(),
            }
            at_once
        });
    }
    let at_once = soon(callers.join_all()).await;
    assert_eq!(at_once.len(), 1000);
    assert!(at_once.into_iter().max() <= Some(7));
}

#[test]
fn its_own_hold_doubles_and_stays_within_a_minute() {
    for (refusals, least) in [(1, 1), (2, 2), (5, 16), (7, 60), (u32::MAX, 60)] {
        let hold = own_hold(refusals);
        assert!(hold >= Duration::from_secs(least), "{refusals}: {hold:?}");
        assert!(hold <= HOLD_MAX, "{refusals}: {hold:?}");
    }
}

#[test]
fn slowed_time_is_from_each_beginning_to_its_end() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut slowed = Slowed::not_yet(start);
    let until = |slowed: &Slowed, seconds| slowed.until(at(seconds)).as_secs();
    assert_eq!(until(&slowed, 5), 0);
    slowed.begin(at(10));
    assert_eq!(until(&slowed, 13), 3);
    slowed.end(at(15));
    assert_eq!((until(&slowed, 14), until(&slowed, 20)), (4, 5));
    slowed.begin(at(30));
    assert_eq!((until(&slowed, 30), until(&slowed, 32)), (5, 7));
}

#[tokio::test]
async fn an_endpoint_has_answered_once_a_call_succeeded() {
    let pace = Pace::new(2, None);
    soon(pace.enter()).await.0.rate_limited(SHORT);
    assert!(!pace.was_answered());
    soon(pace.enter()).await.0.succeeded();
    assert!(pace.was_answered());
    assert_eq!(format!("{pace:?}"), "Pace { bound: 2, .. }");
}

#[tokio::test]
async fn a_hold_counts_as_slowed() {
    let pace = Pace::new(2, None);
    assert!(pace.slowed().is_zero());
    soon(pace.enter()).await.0.rate_limited(SHORT);
    let _entered = soon(pace.enter()).await;
    assert!(!pace.slowed().is_zero());
}

#[tokio::test]
async fn only_a_success_of_the_window_ends_the_refusals_in_a_row() {
    let pace = Pace::new(4, None);
    let mut running = enter(&pace, 2).await;
    running.remove(0).rate_limited(SHORT);
    running.remove(0).succeeded();
    assert_eq!(pace.own.state().refusals, 1);
    soon(pace.enter()).await.0.rate_limited(SHORT);
    assert_eq!(pace.own.state().refusals, 2);
    soon(pace.enter()).await.0.succeeded();
    assert_eq!(pace.own.state().refusals, 0);
}

#[tokio::test]
async fn a_limit_that_grows_takes_no_slot_while_more_are_in_use() {
    let pace = Pace::new(7, None);
    let mut running = enter(&pace, 7).await;
    running.remove(0).rate_limited(SHORT);
    for _ in 0..3 {
        pace.own.succeeded(0);
    }
    assert_eq!((pace.limit(), pace.own.state().surplus), (4, 2));
    assert_eq!(pace.own.slots.available_permits(), 0);
    drop(running);
    assert_eq!(pace.own.slots.available_permits(), 4);
}

#[tokio::test]
async fn who_is_not_told_how_long_holds_for_a_second_or_more() {
    let pace = Pace::new(8, None);
    let before = pace.own.state().hold_until;
    soon(pace.enter()).await.0.rate_limited(None);
    assert!(pace.own.state().hold_until >= before + Duration::from_secs(1));
}

#[tokio::test]
async fn who_comes_late_in_a_told_window_does_not_lengthen_its_hold() {
    let pace = Pace::new(8, None);
    let mut running = enter(&pace, 2).await;
    running.remove(0).rate_limited(SHORT);
    let hold = pace.own.state().hold_until;
    running.remove(0).rate_limited(None);
    assert_eq!(pace.own.state().hold_until, hold);
}

#[tokio::test]
async fn slowed_ends_with_the_hold_at_the_full_limit_and_goes_on_below_it() {
    let long = Some(Duration::from_mins(1));
    for (bound, ends) in [(1, true), (2, false)] {
        let pace = Pace::new(bound, None);
        soon(pace.enter()).await.0.rate_limited(long);
        let state = pace.own.state();
        let end = ends.then_some(state.hold_until);
        assert_eq!(state.slowed.end, end, "{bound}");
    }
    let pace = Pace::new(2, None);
    let mut running = enter(&pace, 2).await;
    running.remove(0).rate_limited(long);
    running.remove(0).succeeded();
    let state = pace.own.state();
    assert_eq!(state.limit, 2);
    assert_eq!(state.slowed.end, Some(state.hold_until));
}

#[test]
fn only_a_pace_of_more_than_one_call_at_once_can_slow_down() {
    for (bound, can) in [(1, false), (2, true), (8, true)] {
        assert_eq!(Pace::new(bound, None).can_slow_down(), can, "{bound}");
    }
}

#[tokio::test]
async fn another_bound_holds_at_once_and_what_is_in_use_stays() {
    let (pace, limits) = told(2);
    let both = enter(&pace, 2).await;
    pace.bound_by(3);
    assert_eq!(pace.limit(), 3);
    let third = enter(&pace, 1).await;
    pace.bound_by(1);
    assert_eq!(pace.limit(), 1);
    // Two of the three go when they come free; the last is the one that may be used.
    drop(both);
    drop(third);
    assert_eq!(pace.own.slots.available_permits(), 1);
    assert!(limits.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_pace_that_is_slowed_down_grows_to_its_new_bound() {
    let (pace, _) = told(4);
    for permit in enter(&pace, 4).await {
        permit.rate_limited(SHORT);
    }
    pace.bound_by(8);
    assert_eq!(pace.limit(), 2);
    for _ in 0..40 {
        for permit in enter(&pace, 1).await {
            permit.succeeded();
        }
    }
    assert_eq!(pace.limit(), 8);
    pace.bound_by(1);
    assert_eq!((pace.limit(), pace.can_slow_down()), (1, false));
}
