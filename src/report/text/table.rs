//! The table of the runs, and columns of text.

use std::mem;

use super::super::words::time;
use super::hue;
use crate::report::{Outcome, Summary, Totals, summary::columns};
use crate::text::fit;
use crate::text::paint::faint;

/// The outcomes that one column of errors stands for where there is no room for each.
const ERRORS: [Outcome; 7] = [
    Outcome::EvalError,
    Outcome::AgentError,
    Outcome::InfraError,
    Outcome::LimitError,
    Outcome::ConfigError,
    Outcome::UnknownError,
    Outcome::Unreadable,
];

/// The shortest that a run's name becomes, in columns.
const NAME: usize = 10;

/// What a column is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    Name,
    Pairs,
    Of(Outcome),
    Errors,
    Amount,
    Time,
}

/// A heading with a cell for each row below it.
#[derive(Debug)]
struct Column {
    about: About,
    head: String,
    cells: Vec<String>,
}

impl Column {
    fn new(about: About, head: &str, cells: impl Iterator<Item = String>) -> Self {
        Self {
            about,
            head: head.to_owned(),
            cells: cells.collect(),
        }
    }

    fn width(&self) -> usize {
        let cells = self.cells.iter().chain([&self.head]);
        cells.map(|cell| fit::width(cell)).max().unwrap_or(0)
    }

    fn is_zero(&self) -> bool {
        self.cells.iter().all(|cell| cell == "0")
    }

    fn in_colour(&self, cell: &str) -> String {
        match self.about {
            About::Of(_) | About::Errors if cell == "0" => faint(cell),
            About::Of(outcome) => hue::of(outcome, cell),
            About::Errors => hue::of(Outcome::InfraError, cell),
            About::Name | About::Pairs | About::Amount | About::Time => cell.to_owned(),
        }
    }
}

/// The runs' table, with their sums where there are some.
#[derive(Debug)]
struct Table {
    columns: Vec<Column>,
    gap: usize,
    note: &'static str,
}

/// The table of the runs. Within a width as far as that goes: first those columns go that are zero.
pub(super) fn table(summaries: &[Summary], width: Option<usize>) -> String {
    let mut table = Table::of(summaries);
    if let Some(width) = width {
        table.narrow(width);
    }
    table.render()
}

impl Table {
    fn of(summaries: &[Summary]) -> Self {
        let totals = (summaries.len() > 1).then(|| Totals::of(summaries));
        let totals = totals.as_ref();
        // A cell of each run, then that of the sums.
        let count = |about, head: &str, run: &dyn Fn(&Summary) -> usize, sum: Option<usize>| {
            let cells = summaries.iter().map(run).chain(sum);
            Column::new(about, head, cells.map(|count| count.to_string()))
        };
        let told = |about, head: &str, run: &dyn Fn(&Summary) -> String, sum: Option<String>| {
            Column::new(about, head, summaries.iter().map(run).chain(sum))
        };
        let mut table = vec![
            told(
                About::Name,
                "run",
                &|it| it.run.to_string(),
                totals.map(Totals::name),
            ),
            count(
                About::Pairs,
                "pairs",
                &|it| it.pairs,
                totals.map(|it| it.pairs),
            ),
            count(
                About::Pairs,
                "finished",
                &|it| it.finished,
                totals.map(|it| it.finished),
            ),
        ];
        table.extend(columns(summaries).into_iter().map(|outcome| {
            count(
                About::Of(outcome),
                &outcome.name().replace('_', " "),
                &|it| it.count_of(outcome),
                totals.map(|it| it.count_of(outcome)),
            )
        }));
        table.extend([
            told(
                About::Amount,
                "cost",
                &|it| it.headline_cost.to_string(),
                totals.map(|it| it.headline_cost.to_string()),
            ),
            told(
                About::Amount,
                "spent",
                &|it| it.total_spent.to_string(),
                totals.map(|it| it.total_spent.to_string()),
            ),
            told(
                About::Time,
                "time",
                &|it| time(it.trial_seconds, it.trial_seconds_unknown),
                totals.map(|it| time(it.trial_seconds, it.trial_seconds_unknown)),
            ),
        ]);
        Self {
            columns: table,
            gap: 2,
            note: "",
        }
    }

    fn width(&self) -> usize {
        let cells: usize = self.columns.iter().map(Column::width).sum();
        cells + self.gap * (self.columns.len() - 1)
    }

    /// Takes what says least from it until it fits.
    fn narrow(&mut self, width: usize) {
        let steps: [fn(&mut Self, usize); 8] = [
            |table, _| table.drop_zeros(),
            |table, _| table.shorten_heads(&[("finished", "done"), (" error", "")]),
            |table, _| table.shorten_amounts(),
            |table, _| table.gap = 1,
            |table, _| table.shorten_heads(&[("unjudged", "unj."), ("missing", "miss.")]),
            Self::shorten_names,
            |table, _| table.join_errors(),
            |table, _| table.columns.retain(|it| it.about != About::Time),
        ];
        for step in steps {
            if self.width() <= width {
                return;
            }
            step(self, width);
        }
    }

    fn drop_zeros(&mut self) {
        let says = |it: &Column| !matches!(it.about, About::Of(_)) || !it.is_zero();
        let is_pass = |it: &Column| it.about == About::Of(Outcome::Pass);
        self.columns.retain(|it| is_pass(it) || says(it));
    }

    fn shorten_heads(&mut self, shorter: &[(&str, &str)]) {
        for column in &mut self.columns {
            for (long, short) in shorter {
                column.head = column.head.replace(long, short);
            }
        }
    }

    /// `$0.22 + 1 unknown` becomes `$0.22+1?`, which is explained below the table.
    fn shorten_amounts(&mut self) {
        let amounts = self.columns.iter_mut();
        for column in amounts.filter(|it| matches!(it.about, About::Amount | About::Time)) {
            for cell in &mut column.cells {
                if let Some((known, unknown)) = cell.split_once(" + ") {
                    let count = unknown.trim_end_matches(" unknown");
                    *cell = format!("{known}+{count}?");
                    self.note = "(+1? is: and 1 unknown)\n";
                }
            }
        }
    }

    /// The runs' names get what the other columns leave.
    fn shorten_names(&mut self, width: usize) {
        let excess = self.width().saturating_sub(width);
        let names = &mut self.columns[0];
        let most = names.width().saturating_sub(excess).max(NAME);
        for name in &mut names.cells {
            // The sums say over how many runs they are: those are counted at a glance.
            let shorter = match name.split_once(" (") {
                Some((total, _)) if fit::width(name) > most => total,
                _ => name,
            };
            *name = fit::without_middle(shorter, most);
        }
    }

    /// One column for all errors. The lines of each run tell them apart.
    fn join_errors(&mut self) {
        let is_error =
            |it: &Column| matches!(it.about, About::Of(outcome) if ERRORS.contains(&outcome));
        let Some(first) = self.columns.iter().position(is_error) else {
            return;
        };
        let (errors, others): (Vec<_>, Vec<_>) =
            mem::take(&mut self.columns).into_iter().partition(is_error);
        self.columns = others;
        let sum = |row: usize| -> usize {
            let counts = errors.iter().map(|it| it.cells[row].parse::<usize>());
            counts.map(Result::unwrap_or_default).sum()
        };
        let rows = 0..errors[0].cells.len();
        let column = Column::new(
            About::Errors,
            "errors",
            rows.map(|row| sum(row).to_string()),
        );
        self.columns.insert(first, column);
    }

    fn render(&self) -> String {
        let mut rows = vec![self.columns.iter().map(|it| it.head.clone()).collect()];
        let below = self.columns[0].cells.len();
        rows.extend((0..below).map(|row| {
            let cells = self.columns.iter().map(|it| it.in_colour(&it.cells[row]));
            cells.collect::<Vec<_>>()
        }));
        fit::spaced(&rows, self.gap) + self.note
    }
}

/// Rows as columns: the first to the left, the others to the right.
#[must_use]
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    fit::spaced(rows, 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Cost, Setting};
    use crate::report::made::{failed, finished, pair, run, with_verdict};
    use crate::text::paint::plain;
    use crate::triage::Cause;

    /// Two runs with nearly one of each outcome, some costs unknown.
    fn summaries() -> Vec<Summary> {
        let pairs = [
            with_verdict(pair(1, 2), [true, true]),
            with_verdict(pair(1, 3), [true, false]),
            finished(pair(1, 4)),
            failed(pair(1, 5), Cause::Agent),
            failed(pair(1, 6), Cause::Infra),
            failed(pair(1, 7), Cause::Limit),
            failed(pair(1, 8), Cause::Config),
        ];
        ["command-a-03-2025-coop-nocomm", "command-a-03-2025-solo"]
            .map(|name| {
                let mut summary = run(name, Setting::Solo, &pairs, &[]);
                summary.headline_cost.add(Cost::UNKNOWN);
                summary
            })
            .to_vec()
    }

    fn at(width: usize) -> String {
        plain(&table(&summaries(), Some(width)))
    }

    #[test]
    fn without_a_width_every_column_is_there() {
        let whole = plain(&table(&summaries(), None));
        assert!(whole.contains("missing") && whole.contains("$7.00 + 1 unknown"));
        assert_eq!(at(500), whole);
    }

    #[test]
    fn what_says_least_goes_first() {
        let widths: Vec<usize> = (40..200).rev().collect();
        let tables: Vec<String> = widths.iter().map(|width| at(*width)).collect();
        let first = |gone: &str| tables.iter().position(|it| !it.contains(gone));
        let order = [
            first("missing"),
            first("finished"),
            first(" + 1 unknown"),
            first("command-a-03-2025-coop-nocomm"),
            first("infra"),
            first("time"),
        ];
        assert!(order.is_sorted(), "{order:?}");
        assert!(order.iter().all(Option::is_some), "{order:?}");
        // Never what it is for.
        for kept in ["pass", "fail", "cost", "spent", "nocomm", "$7.00+1?"] {
            assert!(at(40).contains(kept), "{kept}: {}", at(40));
        }
    }

    #[test]
    fn it_fits_down_to_what_cannot_be_left_out() {
        for width in 76..200 {
            let table = at(width);
            let widest = table.lines().map(fit::width).max().unwrap();
            assert!(widest <= width, "{widest} in {width}:\n{table}");
        }
    }
}
