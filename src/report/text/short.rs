//! Many runs in short: their table, and which of them are worth a look.

use std::fmt::Write as _;

use super::costs::costs;
use super::table::table;
use super::words::time_limits;
use crate::hint;
use crate::report::{Outcome, Summary};
use crate::text::fit::wrapped;
use crate::text::paint::broken;
use crate::text::some;

/// The most runs that are told one by one.
const TOLD: usize = 6;

/// The runs at the end of a command: each with its failures, or if they are many, in short.
#[must_use]
pub fn at_the_end(summaries: &[Summary], width: Option<usize>) -> String {
    if summaries.len() > TOLD {
        short(summaries, width)
    } else {
        super::render(summaries, width)
    }
}

/// A row for each run, what of their reports should not be missed, and the command that shows one.
fn short(summaries: &[Summary], width: Option<usize>) -> String {
    let mut out = table(summaries, width);
    out.push('\n');
    let warned = names(summaries, |it| {
        it.not_read().is_some() || !it.mixed.is_empty() || it.rates.rules.len() > 1
    });
    if !warned.is_empty() {
        let runs = some(&warned, TOLD);
        let _ = writeln!(
            out,
            "{}: the reports of {runs} have some",
            broken("WARNINGS")
        );
    }
    let flagged = names(summaries, |it| it.flagged.passes > 0);
    if !flagged.is_empty() {
        let passes: usize = summaries.iter().map(|it| it.flagged.passes).sum();
        let _ = writeln!(out, "flagged passes: {passes} ({})", some(&flagged, TOLD));
    }
    if let Some(warning) = time_limits(summaries, str::to_owned) {
        let _ = writeln!(out, "{warning}");
    }
    out.push_str(&costs(summaries));
    let passes = |it: &&Summary| it.count_of(Outcome::Pass);
    if let Some(one) = summaries.iter().min_by_key(passes) {
        let report = hint::command(&format!("report {}", one.run));
        let _ = writeln!(out, "a run with its failures: `{report}`");
    }
    width.map_or_else(|| out.clone(), |width| wrapped(&out, width))
}

/// The runs of which something is so.
fn names(summaries: &[Summary], is_so: impl Fn(&Summary) -> bool) -> Vec<&str> {
    let found = summaries.iter().filter(|it| is_so(it));
    found.map(|it| it.run.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Setting;
    use crate::report::made::{pair, run, with_verdict};
    use crate::text::paint::plain;

    fn runs(count: usize) -> Vec<Summary> {
        let of = |nth: usize| {
            let verdict = with_verdict(pair(1, 2), [nth != 2, true]);
            run(
                &format!("x-talk-r{nth}"),
                Setting::CoopComm,
                &[verdict],
                &[],
            )
        };
        (1..=count).map(of).collect()
    }

    #[test]
    fn more_runs_than_a_screen_has_room_for_are_a_row_each() {
        let few = plain(&at_the_end(&runs(6), None));
        assert_eq!(few, plain(&super::super::render(&runs(6), None)));
        let many = plain(&at_the_end(&runs(7), None));
        let rows = many.lines().filter(|line| line.starts_with("x-talk-r"));
        assert_eq!(rows.count(), 7, "{many}");
        assert!(many.contains("total (7 runs)"), "{many}");
        assert!(!many.contains("fail ·"), "{many}");
        let told = "a run with its failures: `regatta report x-talk-r2`";
        assert!(many.contains(told), "{many}");
    }

    #[test]
    fn what_is_not_to_be_missed_is_told_with_its_runs() {
        let mut runs = runs(8);
        runs[4]
            .mixed
            .push("its trials ran on different datasets".to_owned());
        runs[5].flagged.passes = 2;
        let told = plain(&at_the_end(&runs, None));
        assert!(
            told.contains("WARNINGS: the reports of x-talk-r5 have some\n"),
            "{told}"
        );
        assert!(told.contains("flagged passes: 2 (x-talk-r6)\n"), "{told}");
    }
}
