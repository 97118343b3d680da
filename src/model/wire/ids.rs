//! The ids of a reply's tool calls: each its own, since a result names the call that it answers.

use std::collections::BTreeSet;

use crate::model::chat::ToolCall;

/// The id of a call that came without one, counted from 1: nine letters and digits, which is all
/// that Mistral's servers take.
pub(super) fn made_up(nth: usize) -> String {
    format!("call{nth:05}")
}

/// Gives every call an id of its own. The first of equal ones stays.
pub(super) fn make_distinct(calls: &mut [ToolCall]) {
    let mut taken: BTreeSet<String> = calls.iter().map(|call| call.id.clone()).collect();
    let mut seen = BTreeSet::new();
    // It never goes back, so that many equal ids take no longer than as many different ones.
    let mut nth = 2;
    for call in calls {
        while seen.contains(&call.id) {
            let other = numbered(&call.id, nth);
            nth += 1;
            if taken.insert(other.clone()) {
                call.id = other;
            }
        }
        seen.insert(call.id.clone());
    }
}

/// An id that ends in a number, of the same length where it can be: some servers check that.
fn numbered(id: &str, nth: usize) -> String {
    let number = nth.to_string();
    let length = id.chars().count();
    let kept = if length > number.len() {
        length - number.len()
    } else {
        length
    };
    id.chars().take(kept).chain(number.chars()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    fn distinct(ids: &[&str]) -> Vec<String> {
        let mut calls: Vec<ToolCall> = ids
            .iter()
            .map(|id| ToolCall {
                id: (*id).to_owned(),
                name: "bash".to_owned(),
                arguments: "{}".to_owned(),
                extras: Map::new(),
            })
            .collect();
        make_distinct(&mut calls);
        calls.into_iter().map(|call| call.id).collect()
    }

    #[test]
    fn equal_ids_become_different_ones_of_the_same_length() {
        assert_eq!(distinct(&["a1", "b2"]), ["a1", "b2"]);
        assert_eq!(
            distinct(&["Xk2pQ9rTz", "Xk2pQ9rTz", "Xk2pQ9rTz"]),
            ["Xk2pQ9rTz", "Xk2pQ9rT2", "Xk2pQ9rT3"]
        );
        assert_eq!(distinct(&["7", "7"]), ["7", "72"]);
        // What another call has already is not taken again.
        assert_eq!(distinct(&["call_1", "call_1", "call_2"])[1], "call_3");
        assert_eq!(distinct(&["x2", "x2", "x2"]), ["x2", "x3", "x4"]);
        assert_eq!(distinct(&["éé", "éé"]), ["éé", "é2"]);
    }

    #[test]
    fn a_reply_of_nothing_but_equal_ids_takes_no_time() {
        let ids = vec!["same"; 50_000];
        let found: BTreeSet<String> = distinct(&ids).into_iter().collect();
        assert_eq!(found.len(), ids.len());
    }
}
