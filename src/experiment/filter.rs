//! Which pairs of its subset a command is about.

use std::collections::BTreeSet;
use std::fmt;

use crate::bench::Pair;
use crate::bench::pattern::{NameKind, Pattern};
use crate::error::{Error, Result, nearest};
use crate::hint;
use crate::store::dataset::DatasetDir;
use crate::text::{NAME, by_number, one_line, plural};

/// How many names are listed, and how many words of a filter are repeated.
const LISTED: usize = 12;
const REPEATED: usize = 3;

/// Narrows a command down to some pairs of its subset. The runs stay those of the whole subset: their
/// names, their manifests, and what others have asked for.
///
/// A pair must fit one word of each kind that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PairFilter {
    /// Only pairs of these repositories (`--repo`); of all without.
    pub repos: Vec<Pattern>,
    /// Only pairs of these tasks (`--task`).
    pub tasks: Vec<Pattern>,
    /// Only these pairs (`--pair`).
    pub pairs: Vec<Pattern>,
    /// Of what is left only the first so many pairs, in the subset's order (`--smoke`).
    pub first: Option<usize>,
}

/// The pairs of which some are picked.
#[derive(Clone, Copy, Debug)]
pub enum Among<'a> {
    /// Those of the subset that `-s` names, within a dataset.
    Subset(&'a str, &'a DatasetDir),
    /// Those of the subset that `--from` names, within a dataset.
    From(&'a str, &'a DatasetDir),
    /// All of a dataset.
    Dataset(&'a DatasetDir),
    /// Those of a list, by its name, within a dataset.
    List(&'a str, &'a DatasetDir),
    /// Those of runs.
    Runs,
}

impl<'a> Among<'a> {
    const fn dataset(self) -> Option<&'a DatasetDir> {
        match self {
            Self::Subset(_, dataset)
            | Self::From(_, dataset)
            | Self::Dataset(dataset)
            | Self::List(_, dataset) => Some(dataset),
            Self::Runs => None,
        }
    }
}

impl fmt::Display for Among<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subset(name, _) | Self::From(name, _) => {
                write!(f, "the subset `{}`", one_line(name, NAME))
            }
            Self::Dataset(dataset) => write!(f, "the dataset {}", dataset.path().display()),
            Self::List(name, _) => write!(f, "the list {}", one_line(name, NAME)),
            Self::Runs => f.write_str("these runs"),
        }
    }
}

impl PairFilter {
    /// The words by their flags, in the order in which they narrow down.
    fn kinds(&self) -> impl Iterator<Item = (&'static str, &[Pattern])> {
        let all: [(_, &[Pattern]); 3] = [
            ("--repo", &self.repos),
            ("--task", &self.tasks),
            ("--pair", &self.pairs),
        ];
        all.into_iter().filter(|(_, patterns)| !patterns.is_empty())
    }

    /// Its words, each with its flag, as they were typed.
    #[must_use]
    pub fn typed(&self) -> Vec<String> {
        let all = self
            .kinds()
            .flat_map(|(flag, of)| of.iter().map(move |it| words_of(flag, it)));
        all.collect()
    }

    /// Its flags, for people: `--smoke`, or `--repo, --pair and --smoke`.
    #[must_use]
    pub fn flags(&self) -> String {
        let mut flags: Vec<&str> = self.kinds().map(|(flag, _)| flag).collect();
        flags.extend(self.first.map(|_| "--smoke"));
        match flags.split_last() {
            Some((last, before)) if !before.is_empty() => {
                format!("{} and {last}", before.join(", "))
            }
            _ => flags.concat(),
        }
    }

    /// The pairs that it leaves, in their order; refuses a filter that cannot be met.
    pub fn of(&self, all: &[Pair], among: Among<'_>) -> Result<Vec<Pair>> {
        self.refuse_strangers(all, among)?;
        let mut left = all.to_vec();
        let mut by: Vec<String> = Vec::new();
        for (flag, patterns) in self.kinds() {
            let before = left.len();
            left.retain(|pair| patterns.iter().any(|pattern| pattern.picks(pair)));
            let words = words(flag, patterns);
            if left.is_empty() {
                return Err(Error::usage(format!(
                    "`{words}` leaves none of the {} that `{}` {}",
                    plural(before, "pair"),
                    by.join(" "),
                    by_number(by.len(), "leaves", "leave"),
                ))
                .hint("a pair must fit one of each: --repo, --task and --pair"));
            }
            by.push(words);
        }
        let Some(n) = self.first else {
            return Ok(left);
        };
        if n == 0 || n > left.len() {
            let there = plural(left.len(), "pair");
            let have = match by.as_slice() {
                [] => format!("{among} has {there}"),
                by => format!(
                    "`{}` {} {there} of {among}",
                    by.join(" "),
                    by_number(by.len(), "leaves", "leave")
                ),
            };
            return Err(Error::usage(format!(
                "--smoke {n}: {have}, so give 1 to {}",
                left.len()
            )));
        }
        left.truncate(n);
        Ok(left)
    }

    /// Refuses words that fit none of these pairs, all of them in one error.
    fn refuse_strangers(&self, all: &[Pair], among: Among<'_>) -> Result<()> {
        let words = self
            .kinds()
            .flat_map(|(flag, of)| of.iter().map(move |it| (flag, it)));
        let strangers: Vec<(&str, &Pattern)> = words
            .filter(|(_, pattern)| !all.iter().any(|pair| pattern.picks(pair)))
            .collect();
        if strangers.is_empty() {
            return Ok(());
        }
        let there = match among.dataset() {
            Some(dataset) => dataset.whole()?,
            None => all.to_vec(),
        };
        let wrong: Vec<(String, String)> = strangers
            .into_iter()
            .map(|(flag, pattern)| {
                let flag = words_of(flag, pattern);
                if there.iter().any(|pair| pattern.picks(pair)) {
                    outside(&flag, pattern, among)
                } else {
                    unknown(&flag, pattern, &there, among)
                }
            })
            .collect();
        Err(match wrong.as_slice() {
            [(what, hint)] => Error::usage(what.clone()).hint(hint.clone()),
            all => {
                let count = all.len();
                let lines = all.iter().map(|(what, hint)| format!("\n  {what}; {hint}"));
                let lines: String = lines.collect();
                Error::usage(format!("{count} filters fit no pair of {among}:{lines}"))
            }
        })
    }
}

/// A flag with its words.
fn words(flag: &str, patterns: &[Pattern]) -> String {
    let shown = patterns.iter().take(REPEATED);
    let shown: Vec<String> = shown.map(|pattern| words_of(flag, pattern)).collect();
    let mut text = shown.join(" ");
    if patterns.len() > REPEATED {
        text = format!("{text} and {} more", patterns.len() - REPEATED);
    }
    text
}

/// A flag with its word, as a shell takes it.
fn words_of(flag: &str, pattern: &Pattern) -> String {
    let typed = one_line(pattern.typed(), NAME);
    format!("{flag} {}", shlex::try_quote(&typed).unwrap_or_default())
}

/// What is wrong with a word that fits nothing at all, and what to do.
fn unknown(flag: &str, pattern: &Pattern, there: &[Pair], among: Among<'_>) -> (String, String) {
    let kind = pattern.kind();
    let place = match among.dataset() {
        Some(dataset) => format!("the dataset {}", dataset.path().display()),
        None => "these runs".to_owned(),
    };
    let what = if pattern.is_glob() {
        format!("`{flag}`: no {} in {place} fits", kind.word())
    } else {
        format!("`{flag}`: no such {} in {place}", kind.word())
    };
    let names =
        |kind: NameKind| -> BTreeSet<String> { there.iter().map(|it| kind.of(it)).collect() };
    // Another number is as good as any.
    if pattern.is_number() {
        let tasks = names(NameKind::Task);
        return (what, format!("its tasks: {}", listed(&tasks)));
    }
    let (all, typed) = (names(kind), pattern.in_full());
    let near = nearest(&typed, all.iter().map(String::as_str)).filter(|_| !pattern.is_glob());
    let hint = near.map_or_else(
        || format!("its repositories: {}", listed(&names(NameKind::Repo))),
        |near| format!("did you mean `{}`?", one_line(near, NAME)),
    );
    (what, hint)
}

/// What is wrong with a word that fits pairs of the dataset, but none of those that are picked from.
fn outside(flag: &str, pattern: &Pattern, among: Among<'_>) -> (String, String) {
    let what = format!("`{flag}`: in the dataset, but no pair of it is in {among}");
    let kind = pattern.kind().word();
    let (by, name, dataset) = match among {
        Among::Subset(name, dataset) => ("-s", name, dataset),
        Among::From(name, dataset) => ("--from", name, dataset),
        _ => return (what, format!("the {kind} must be in both")),
    };
    let has_it = |other: &String| {
        let pairs = dataset.pairs(other).unwrap_or_default();
        *other != name && pairs.iter().any(|pair| pattern.picks(pair))
    };
    let mut others = dataset.subset_names().unwrap_or_default();
    others.retain(has_it);
    let hint = if others.is_empty() {
        let make = hint::command(&format!("subset {flag} -o mine.json"));
        format!(
            "{by} names the subset, and no other has this {kind}: `{make}` makes one, for `{by} mine.json`"
        )
    } else {
        format!(
            "{by} names the subset; this {kind} is in: {}",
            listed(&others)
        )
    };
    (what, hint)
}

/// Names, as many as a line holds.
fn listed<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| one_line(name, NAME)).collect();
    let shown = names[..names.len().min(LISTED)].join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
