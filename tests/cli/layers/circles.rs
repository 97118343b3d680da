//! Files that need each other, directly or through others.

use std::collections::{BTreeMap, BTreeSet};

/// Which modules each module needs.
pub type Needs = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

/// Each circle as its modules. A module and one below it are one thing: what is declared there may
/// be used there, and the other way round.
pub fn circles(needs: &Needs) -> Vec<Vec<String>> {
    let mut found = BTreeSet::new();
    for start in needs.keys() {
        let reached = reached(needs, start);
        if reached.contains(start) {
            // All that lead back to it.
            let circle = reached
                .into_iter()
                .filter(|module| module == start || self::reached(needs, module).contains(start));
            let circle: Vec<String> = circle.map(|module| module.join("::")).collect();
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

/// What a module needs, directly or through others.
fn reached(needs: &Needs, start: &[String]) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    let mut open = vec![start.to_vec()];
    while let Some(module) = open.pop() {
        for next in needs.get(&module).into_iter().flatten() {
            if found.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    found
}
