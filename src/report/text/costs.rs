//! What it cost, and what is not in the sums.

use std::fmt::Write as _;

use crate::report::{Summary, Totals};
use crate::text::{by_number, plural, some};

pub(super) fn costs(summaries: &[Summary]) -> String {
    let totals = Totals::of(summaries);
    let (headline, spent) = (totals.headline_cost, totals.total_spent);
    let mut out = totals.tokens();
    let _ = write!(
        out,
        "cost of the results that stand: {headline}\ntotal spent on every trial:     {spent}\n"
    );
    if headline.unknown > 0 || spent.unknown > 0 {
        out.push_str("  unknown: no price for the model's calls, counts that nobody wrote, or a call that was cut off and may be billed; give prices with [prices] or price_file\n");
    }
    for summary in summaries
        .iter()
        .filter(|summary| summary.unreadable_ledger_lines > 0)
    {
        let lines = summary.unreadable_ledger_lines;
        let _ = writeln!(
            out,
            "  {}: {} of the ledger cannot be read and {} not counted",
            summary.run,
            plural(lines, "line"),
            by_number(lines, "is", "are")
        );
    }
    let without: Vec<&str> = summaries
        .iter()
        .filter(|summary| !summary.has_ledger)
        .map(|summary| summary.run.as_str())
        .collect();
    let whose = match without.as_slice() {
        [] => return out,
        [run] => format!("{run} has no ledger"),
        runs if runs.len() == summaries.len() => {
            format!("none of the {} runs has a ledger", runs.len())
        }
        runs => format!("{} runs have no ledger ({})", runs.len(), some(runs, 6)),
    };
    let _ = writeln!(
        out,
        "  {whose}: trials that were overwritten are not counted"
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Setting;
    use crate::report::made::run;

    #[test]
    fn lines_of_the_ledger_that_cannot_be_read_are_counted_in_good_english() {
        let mut summary = run("x-solo", Setting::Solo, &[], &[]);
        for (lines, told) in [
            (
                1,
                "x-solo: 1 line of the ledger cannot be read and is not counted",
            ),
            (
                2,
                "x-solo: 2 lines of the ledger cannot be read and are not counted",
            ),
        ] {
            summary.unreadable_ledger_lines = lines;
            let text = costs(std::slice::from_ref(&summary));
            assert!(text.contains(told), "{text}");
        }
    }
}
