//! What a run's own files say of pairs that have no result, or no verdict: upstream's summaries, and
//! what its console printed.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{LazyLock, OnceLock};

use regex::Regex;
use serde::Deserialize;

use super::RunDir;
use super::moment::{Moment, MomentOrder};
use super::result::text_or_number;
use super::words::{Author, KnownText};
use crate::bench::{Pair, TaskKey};
use crate::files;
use crate::json;

/// A summary has a line a pair: 652 of them have less than 1 MB, with errors.
const MOST: u64 = 16_000_000;

/// The most of a console log that is read, from its end.
const CONSOLE: u64 = 64 << 10;

/// What a run's summaries and its console say went wrong.
#[derive(Debug, Default)]
pub struct Reasons {
    run: Option<RunDir>,
    ran: HashMap<Pair, String>,
    evaluated: HashMap<Pair, String>,
    evaluated_at: Option<String>,
    console: OnceLock<Vec<Printed>>,
}

/// An error that the console printed.
#[derive(Debug)]
struct Printed {
    file: String,
    is_evaluation: bool,
    task: TaskKey,
    /// The features, where the line names them.
    features: Option<Vec<u64>>,
    text: String,
}

#[derive(Default, Deserialize)]
struct Summary {
    #[serde(default, deserialize_with = "text_or_number")]
    evaluated_at: Option<String>,
    #[serde(default)]
    results: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(alias = "run")]
    task: Option<String>,
    status: Option<String>,
    error: Option<String>,
}

impl Reasons {
    /// Reads the summaries of a run; one that cannot be read says nothing.
    #[must_use]
    pub fn of_run(run: &RunDir) -> Self {
        let summary = |path: PathBuf| -> Option<Summary> {
            let bytes = files::read_up_to(&path, MOST).ok()??;
            json::of_bytes(&bytes).ok()
        };
        let evaluated = summary(run.eval_summary_json()).unwrap_or_default();
        Self {
            run: Some(run.clone()),
            ran: errors(summary(run.summary_json()).unwrap_or_default().results),
            evaluated: errors(evaluated.results),
            evaluated_at: evaluated.evaluated_at,
            console: OnceLock::new(),
        }
    }

    /// Why a pair whose trial ended then has no verdict.
    #[must_use]
    pub fn unjudged(&self, pair: &Pair, ended_at: Option<&str>) -> Option<KnownText> {
        let ended = ended_at.and_then(Moment::read);
        let evaluated = self.evaluated_at.as_deref().and_then(Moment::read);
        // It speaks of a trial that came before. As of verdicts, another zone makes no other trial.
        let is_old = ended
            .zip(evaluated)
            .is_some_and(|(ended, evaluated)| ended.before(&evaluated) == MomentOrder::Reversed);
        self.evaluated
            .get(pair)
            .filter(|_| !is_old)
            .map(|text| KnownText::new("eval_summary.json", text, Author::Harness))
            .or_else(|| self.printed(pair, true))
    }

    /// Why a pair has no result.
    #[must_use]
    pub fn missing(&self, pair: &Pair) -> Option<KnownText> {
        self.ran
            .get(pair)
            .map(|text| KnownText::new("summary.json", text, Author::Harness))
            .or_else(|| self.printed(pair, false))
    }

    /// The last error that the console printed of a pair, or of its task where it names no features.
    fn printed(&self, pair: &Pair, is_evaluation: bool) -> Option<KnownText> {
        let run = self.run.as_ref()?;
        let printed = self.console.get_or_init(|| console(run));
        let is_of = |printed: &&Printed| {
            let features = printed.features.as_ref();
            let is_pairs = |ids: &Vec<u64>| ids.iter().copied().eq(pair.all_features());
            printed.is_evaluation == is_evaluation
                && printed.task == pair.task
                && features.is_none_or(is_pairs)
        };
        let found = printed.iter().rev().find(is_of)?;
        Some(KnownText::new(&found.file, &found.text, Author::Harness))
    }
}

fn errors(entries: Vec<Entry>) -> HashMap<Pair, String> {
    let of = |entry: Entry| {
        let text = entry.error.filter(|text| !text.trim().is_empty())?;
        let is_error = entry.status.as_deref() == Some("error");
        Some((pair_of(&entry.task?)?, text)).filter(|_| is_error)
    };
    entries.into_iter().filter_map(of).collect()
}

/// A pair as upstream's summaries write it: `repo/task/a,b`.
fn pair_of(text: &str) -> Option<Pair> {
    let (task, features) = text.rsplit_once('/')?;
    Pair::of_features(task_of(task)?, features_of(features)?)
}

fn task_of(text: &str) -> Option<TaskKey> {
    let (repo, id) = text.rsplit_once('/')?;
    Some(TaskKey::new(repo, id.parse().ok()?))
}

/// Two features or more, ascending.
fn features_of(text: &str) -> Option<Vec<u64>> {
    let ids = text.split(',').map(|id| id.trim().parse().ok());
    let mut ids: Vec<u64> = ids.collect::<Option<_>>()?;
    ids.sort_unstable();
    (ids.len() > 1).then_some(ids)
}

/// A line of upstream's console that tells of an error, without the colours.
static ERROR_LINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(?:→ )?✗ (eval )?error:? (\S+/\d+) (?:\[([\d, ]+)\] ?)?(.*)$").expect("tested")
});

/// The console's last part: what we kept of the last attempt, or what lies beside the run by the
/// names that people give.
fn console(run: &RunDir) -> Vec<Printed> {
    let name = run.name().as_str();
    let own = files::list(&run.own()).unwrap_or_default();
    let number = |path: &PathBuf| -> Option<u64> {
        let stem = path.file_name()?.to_str()?.strip_prefix("attempt-")?;
        stem.strip_suffix(".log")?.parse().ok()
    };
    let own = own.into_iter().filter(|path| number(path).is_some());
    let mut paths: Vec<PathBuf> = own.max_by_key(number).into_iter().collect();
    for kind in ["log", "txt"] {
        paths.push(run.path().join(format!("console.{kind}")));
        let beside = run.path().parent();
        paths.extend(beside.map(|logs| logs.join(format!("{name}_console.{kind}"))));
    }
    let read = |path: PathBuf| {
        let tail = files::read_last(&path, CONSOLE).unwrap_or_default();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        parse_console(&String::from_utf8_lossy(&tail), &file)
    };
    paths.into_iter().flat_map(read).collect()
}

fn parse_console(text: &str, file: &str) -> Vec<Printed> {
    let mut found: Vec<Printed> = Vec::new();
    let mut is_open = false;
    for line in text.lines().map(str::trim_end) {
        if let Some(parts) = ERROR_LINE.captures(line) {
            is_open = false;
            let Some(task) = task_of(&parts[2]) else {
                continue;
            };
            is_open = true;
            found.push(Printed {
                file: file.to_owned(),
                is_evaluation: parts.get(1).is_some(),
                task,
                features: parts.get(3).and_then(|list| features_of(list.as_str())),
                text: parts[4].to_owned(),
            });
        } else if is_open && is_continued(line) {
            // Rich wraps lines at 80 columns.
            if let Some(last) = found.last_mut() {
                last.text.push(' ');
                last.text.push_str(line.trim());
            }
        } else {
            is_open = false;
        }
    }
    found
}

/// Whether a line goes on with the one before: it is no line of its own.
fn is_continued(line: &str) -> bool {
    let begins = line.trim_start();
    let marks = ["✓", "✗", "→", "mini_swe_agent", "runs:", "evals:", "cost:"];
    !begins.is_empty() && !marks.iter().any(|mark| begins.starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_line_of_the_console_is_one_text() {
        let text = "✓ done a_task/1 [1,2]\n  → ✗ eval error a_task/2 Pool(host='localhost', \nport=None): gone\n  ✗ fail a_task/1 [1,2]\n✗ error b_task/7 [2,5] it broke\n\nruns: 3\n";
        let found = parse_console(text, "f");
        let texts = found.iter().map(|it| (&it.text[..], it.features.clone()));
        let texts: Vec<_> = texts.collect();
        assert_eq!(
            texts,
            [
                ("Pool(host='localhost', port=None): gone", None),
                ("it broke", Some(vec![2, 5]))
            ]
        );
        assert!(found[0].is_evaluation && !found[1].is_evaluation);
    }

    #[test]
    fn a_pair_is_read_in_any_order_and_what_is_none_is_not() {
        assert_eq!(
            pair_of("a_task/3/9,2"),
            Some(Pair::new(TaskKey::new("a_task", 3), 2, 9))
        );
        assert_eq!(pair_of("a/1/3,2,1"), Pair::of_text("a/1/f1_f2_f3"));
        for none in ["", "a/b", "a/1/2", "a/x/1,2", "a/1/1,2,", "/"] {
            assert_eq!(pair_of(none), None, "{none}");
        }
    }
}
