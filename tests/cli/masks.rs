//! What differs from run to run and from machine to machine is taken out of what is compared.

use std::sync::LazyLock;

use regex::Regex;

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

/// The text without times, durations, ids, ports, processes, versions and this place's path.
pub fn masked(place: &Place, text: &str) -> String {
    let mut text = text.replace(&place.path().display().to_string(), "PLACE");
    for (mask, by) in MASKS.iter() {
        text = mask.replace_all(&text, *by).into_owned();
    }
    text
}
