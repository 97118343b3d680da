//! What differs from run to run and from machine to machine is taken out of what is compared.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::support::Place;

/// What is replaced, in this order, by what. Durations that were set, such as `300.0`, stay.
static MASKS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let masks = [
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "<time>"),
        (
            r#"("(timestamp|\w*seconds)": ?)\d+\.(\d*[1-9]\d*|\d\d+)"#,
            "$1<number>",
        ),
        (r#"("(run_id|trial)": ?)"[0-9a-f]{8}""#, r#"$1"<id>""#),
        (r#"("(version|regatta)": ?)"[^"]+""#, r#"$1"<version>""#),
        (r"process \d+( on [\w.-]+)?", "process <pid>"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
        (r"regatta-demo-[0-9a-f]+", "regatta-demo-<digest>"),
        (r"[\d.]+ [KMGT]?B where", "<room> where"),
        (r"open files  +.*", "open files      <limit>"),
    ];
    let mask = |(pattern, by)| (Regex::new(pattern).unwrap(), by);
    masks.map(mask).into()
});

/// What tells of a thing that a start removes, also where a terminal's width has broken it.
static REMOVED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^removed, left by a dead run: .*\n(?:  /.*\n)*").unwrap());

/// The text without what a start removes that is not in a test's own place: any regatta of this machine
/// that died has left it, also another test's.
pub fn without_leftovers(text: &str) -> String {
    let kept = |found: &Captures<'_>| {
        let line = &found[0];
        let is_ours = line.contains("PLACE");
        if is_ours { line } else { "" }.to_owned()
    };
    REMOVED.replace_all(text, kept).into_owned()
}

/// The text without times, durations, ids, ports, processes, versions and this place's path; and
/// without what others left behind.
pub fn masked(place: &Place, text: &str) -> String {
    let text = text.replace(&place.path().display().to_string(), "PLACE");
    let mut text = without_leftovers(&text);
    for (mask, by) in MASKS.iter() {
        text = mask.replace_all(&text, *by).into_owned();
    }
    text
}

#[test]
fn what_other_programs_left_behind_is_not_compared() {
    let place = Place::new();
    let removed = "removed, left by a dead run:";
    let ours = place.join("logs/half").display().to_string();
    let broken = format!("{removed} half-written\n  /tmp/y\n");
    let text = format!("{removed} directory /tmp/x\n{broken}{removed} half-written {ours}\n  a\n");
    let kept = format!("{removed} half-written PLACE/logs/half\n  a\n");
    assert_eq!(masked(&place, &text), kept);
}
