//! The report as Markdown.

use std::fmt::Write as _;

use super::summary::{Outcome, Summary};
use super::text::{duration, one_line};

/// A table of the runs and a list of the pairs that did not finish.
#[must_use]
pub fn render(summaries: &[Summary]) -> String {
    let mut out = String::from(
        "| run | pairs | finished | pass | fail | unjudged | errors: infra | config | agent | unknown | missing | cost | total spent | time |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for summary in summaries {
        let count = |outcome| summary.count_of(outcome);
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            cell(summary.run.as_str()),
            summary.pairs,
            summary.finished,
            count(Outcome::Pass),
            count(Outcome::Fail),
            count(Outcome::Unjudged) + count(Outcome::EvalError),
            count(Outcome::InfraError),
            count(Outcome::ConfigError),
            count(Outcome::AgentError),
            count(Outcome::UnknownError) + count(Outcome::Unreadable),
            count(Outcome::Missing),
            summary.headline_cost,
            summary.total_spent,
            duration(summary.trial_seconds),
        );
    }
    for summary in summaries {
        let open = summary
            .lines
            .iter()
            .filter(|line| !line.outcome.is_finished());
        let mut listed = String::new();
        for line in open {
            let rule = line
                .rule
                .as_deref()
                .map(|rule| format!(" ({rule})"))
                .unwrap_or_default();
            let why = line
                .why
                .as_deref()
                .map(|why| format!(": {}", cell(&one_line(why, 200))))
                .unwrap_or_default();
            let _ = writeln!(
                listed,
                "- {} — {}{rule}{why}",
                cell(&line.pair),
                line.outcome.name()
            );
        }
        if !listed.is_empty() {
            let _ = write!(
                out,
                "\n### {}: not finished\n\n{listed}",
                cell(summary.run.as_str())
            );
        }
    }
    out
}

/// Text that cannot break out of a table's cell or start markup: errors are untrusted.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '|' | '\\' | '`' | '*' | '[' | ']' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn untrusted_text_stays_text() {
        assert_eq!(cell("a|b <img> [x](y)"), "a\\|b &lt;img&gt; \\[x\\](y)");
    }
}
