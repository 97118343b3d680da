//! The ids of a conversation's tool calls: each its own, since a result names the call that it
//! answers.

use std::collections::BTreeSet;

use super::chat::ToolCall;

/// The id of a call that came without one, counted from 1: nine letters and digits, which is all
/// that Mistral's servers take.
pub(super) fn made_up(nth: usize) -> String {
    format!("call{nth:05}")
}

/// The ids that were given so far. The same calls in the same order get the same ones.
#[derive(Debug)]
pub struct Ids {
    given: BTreeSet<String>,
    /// It never goes back, so that many equal ids take no longer than as many different ones.
    nth: usize,
}

impl Default for Ids {
    fn default() -> Self {
        Self {
            given: BTreeSet::new(),
            nth: 2,
        }
    }
}

impl Ids {
    /// Gives the calls of the next reply ids that none before them has. The first of equal ones stays:
    /// endpoints know what they gave.
    pub fn make_distinct(&mut self, calls: &mut [ToolCall]) {
        let own: BTreeSet<String> = calls.iter().map(|call| call.id.clone()).collect();
        for call in calls {
            let came = call.id.clone();
            while self.given.contains(&call.id) {
                let other = numbered(&came, self.nth);
                self.nth += 1;
                if !own.contains(&other) {
                    call.id = other;
                }
            }
            self.given.insert(call.id.clone());
        }
    }
}

/// An id that ends in a number, of the same length where it can be: some servers check that. What
/// counts already, such as `call_9` and Kimi's `functions.bash:9`, counts on.
fn numbered(id: &str, nth: usize) -> String {
    let number = nth.to_string();
    let counted = id.trim_end_matches(|it: char| it.is_ascii_digit());
    let counts = counted.len() < id.len() && counted.ends_with(['_', '-', ':', '.']);
    if counts && id.len() - counted.len() < number.len() {
        return format!("{counted}{number}");
    }
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

    fn distinct(given: &mut Ids, ids: &[&str]) -> Vec<String> {
        let mut calls: Vec<ToolCall> = ids
            .iter()
            .map(|id| ToolCall {
                id: (*id).to_owned(),
                name: "bash".to_owned(),
                arguments: "{}".to_owned(),
                extras: Map::new(),
            })
            .collect();
        given.make_distinct(&mut calls);
        calls.into_iter().map(|call| call.id).collect()
    }

    #[test]
    fn equal_ids_become_different_ones_of_the_same_length() {
        let distinct = |ids: &[&str]| distinct(&mut Ids::default(), ids);
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
    fn ids_count_on_over_the_replies_of_a_conversation() {
        for (came, last) in [
            ("call00001", "call00012"),
            ("call_0", "call_12"),
            ("functions.bash:0", "functions.bash:12"),
            ("Xk2pQ9rTz", "Xk2pQ9r12"),
        ] {
            let mut given = Ids::default();
            let ids: Vec<String> = (0..12)
                .flat_map(|_| distinct(&mut given, &[came]))
                .collect();
            assert_eq!(ids[0], came);
            assert_eq!(ids[11], last);
            let different: BTreeSet<&String> = ids.iter().collect();
            assert_eq!(different.len(), 12, "{ids:?}");
        }
        let mut given = Ids::default();
        distinct(&mut given, &["call_1", "call_2"]);
        assert_eq!(
            distinct(&mut given, &["call_1", "call_3"]),
            ["call_4", "call_3"]
        );
    }

    #[test]
    fn nothing_but_equal_ids_takes_no_time() {
        let mut given = Ids::default();
        let ids = vec!["same"; 25_000];
        let mut found = BTreeSet::new();
        for _ in 0..2 {
            found.extend(distinct(&mut given, &ids));
        }
        assert_eq!(found.len(), 2 * ids.len());
    }
}
