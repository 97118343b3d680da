//! Words that pick pairs: repositories, tasks and pairs by their names, with `*` and `?`.

use super::{Pair, TaskKey};

/// How the dataset's repositories end; people leave it out.
const REPO: &str = "_task";
/// How the directories of tasks begin, before their number.
const TASK: &str = "task";
/// The longest word, in characters: a name in the dataset has tens.
const LONGEST: usize = 300;

/// How each is written.
const REPO_FORM: &str = "a repository is written as in `dspy_task`, `dspy` or `dsp*`";
const TASK_FORM: &str = "a task is written as in `dspy_task/8394`, `8394` or `dspy/*`";
const PAIR_FORM: &str = "a pair is written REPO/TASK/fI_fJ, as in `dspy_task/8394/f3_f5`";

/// A word that picks pairs. `*` stands for any text within a part of a name, and `?` for one character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    typed: String,
    kind: NameKind,
    repo: String,
    task: String,
    features: String,
}

/// What a word names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// A repository, with all of its pairs.
    Repo,
    /// A task, with all of its pairs.
    Task,
    /// A pair.
    Pair,
}

impl NameKind {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Repo => "repository",
            Self::Task => "task",
            Self::Pair => "pair",
        }
    }

    /// What a pair's name is of this kind: `dspy_task`, `dspy_task/8394` or `dspy_task/8394/f3_f5`.
    #[must_use]
    pub fn of(self, pair: &Pair) -> String {
        match self {
            Self::Repo => pair.task.repo.clone(),
            Self::Task => pair.task.to_string(),
            Self::Pair => pair.to_string(),
        }
    }
}

impl Pattern {
    /// Repositories: `dspy_task`, the same without its ending, or `dsp*`.
    pub fn repo(text: &str) -> Result<Self, String> {
        match parts(text, REPO_FORM)?[..] {
            [repo] => Ok(Self::new(text, NameKind::Repo, [repo, "*", "*"])),
            _ => Err(REPO_FORM.to_owned()),
        }
    }

    /// Tasks: `dspy_task/8394`, or a number alone for the tasks that have it in any repository.
    pub fn task(text: &str) -> Result<Self, String> {
        let parts = parts(text, TASK_FORM)?;
        let (repo, task) = match parts[..] {
            [task] => ("*", task),
            [repo, task] => (repo, task),
            _ => return Err(TASK_FORM.to_owned()),
        };
        let task = number(task).ok_or(TASK_FORM)?;
        Ok(Self::new(text, NameKind::Task, [repo, &task, "*"]))
    }

    /// Pairs: `dspy_task/8394/f3_f5`, or `dspy_task/*/f1_f2`.
    pub fn pair(text: &str) -> Result<Self, String> {
        let parts = parts(text, PAIR_FORM)?;
        let [repo, task, features] = parts[..] else {
            return Err(PAIR_FORM.to_owned());
        };
        let number = number(task).ok_or(PAIR_FORM)?;
        let is_one = |name: &str| Pair::from_dir_name(TaskKey::new(repo, 0), name).is_some();
        if !is_glob(features) && !is_one(features) {
            // The smaller feature comes first, in every name of a pair.
            let turned = features.split_once('_').map(|(a, b)| format!("{b}_{a}"));
            let turned = turned.filter(|turned| is_one(turned));
            return Err(turned.map_or_else(
                || PAIR_FORM.to_owned(),
                |turned| format!("the smaller feature comes first: {repo}/{task}/{turned}"),
            ));
        }
        Ok(Self::new(text, NameKind::Pair, [repo, &number, features]))
    }

    fn new(typed: &str, kind: NameKind, [repo, task, features]: [&str; 3]) -> Self {
        Self {
            typed: typed.to_owned(),
            kind,
            repo: repo.to_owned(),
            task: task.to_owned(),
            features: features.to_owned(),
        }
    }

    /// The word as it was typed.
    #[must_use]
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// What it names.
    #[must_use]
    pub const fn kind(&self) -> NameKind {
        self.kind
    }

    /// Whether it may name several.
    #[must_use]
    pub fn is_glob(&self) -> bool {
        is_glob(&self.typed)
    }

    /// Whether it is a task's number alone.
    #[must_use]
    pub fn is_number(&self) -> bool {
        self.kind == NameKind::Task && !self.typed.contains('/')
    }

    /// What was typed with the ending of a repository's name, if it lacks that: names are compared
    /// with it.
    #[must_use]
    pub fn in_full(&self) -> String {
        let is_whole = self.repo.ends_with(REPO) || self.is_number();
        let repo = format!("{}{}", self.repo, if is_whole { "" } else { REPO });
        match self.kind {
            NameKind::Repo => repo,
            NameKind::Task => format!("{repo}/{}", self.task),
            NameKind::Pair => format!("{repo}/{}/{}", self.task, self.features),
        }
    }

    /// Whether it picks a pair.
    #[must_use]
    pub fn picks(&self, pair: &Pair) -> bool {
        let repo = &pair.task.repo;
        let short = repo.strip_suffix(REPO);
        (fits(&self.repo, repo) || short.is_some_and(|short| fits(&self.repo, short)))
            && fits(&self.task, &pair.task.task_id.to_string())
            && fits(&self.features, &pair.dir_name())
    }
}

/// The parts of a name between its slashes; a shell may have left one at the end.
fn parts<'a>(text: &'a str, form: &str) -> Result<Vec<&'a str>, String> {
    let parts: Vec<&str> = text.strip_suffix('/').unwrap_or(text).split('/').collect();
    if parts.iter().any(|part| part.is_empty()) || text.chars().count() > LONGEST {
        return Err(form.to_owned());
    }
    Ok(parts)
}

/// The number of a task as it is shown, or a pattern for such; the directory's name is known too.
fn number(part: &str) -> Option<String> {
    let part = part.strip_prefix(TASK).unwrap_or(part);
    if is_glob(part) {
        return Some(part.to_owned());
    }
    Some(part.parse::<u64>().ok()?.to_string())
}

/// Whether a word may name several.
#[must_use]
pub fn is_glob(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether a text fits a pattern of `*` and `?`.
#[must_use]
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    // Where the last `*` stands, and the first character that it does not take: to that one more is
    // added when the rest does not fit.
    let mut star: Option<(usize, usize)> = None;
    let (mut p, mut t) = (0, 0);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, taken)) = star else {
                    return false;
                };
                star = Some((at, taken + 1));
                p = at + 1;
                t = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(text: &str) -> Pair {
        Pair::of_text(text).unwrap()
    }

    #[test]
    fn a_star_is_any_text_and_a_question_mark_one_character() {
        for (pattern, text, wanted) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "ab", true),
            ("?", "", false),
            ("?", "ä", true),
            ("a*c", "ac", true),
            ("a*c", "abcbc", true),
            ("a*c", "abcb", false),
            ("*b*d*", "abcd", true),
            ("*b*d*", "adcb", false),
            ("a?c*", "abc", true),
            ("f1_*", "f1_f2", true),
            ("f1_*", "f10_f2", false),
            ("[a]", "a", false),
        ] {
            assert_eq!(fits(pattern, text), wanted, "{pattern} {text}");
        }
    }

    #[test]
    fn a_word_picks_by_names_with_and_without_their_endings() {
        let it = pair("dspy_task/8394/f3_f5");
        for text in ["dspy_task", "dspy", "dspy/", "ds*", "*", "d?py_task"] {
            assert!(Pattern::repo(text).unwrap().picks(&it), "{text}");
        }
        for text in [
            "dspy_task/8394",
            "dspy/8394",
            "8394",
            "task8394",
            "83*",
            "dspy/*",
            "*/8394",
        ] {
            assert!(Pattern::task(text).unwrap().picks(&it), "{text}");
        }
        for text in [
            "dspy_task/8394/f3_f5",
            "dspy/8394/f3_f5",
            "dspy_task/task8394/f3_f5",
            "dspy/*/f3_*",
            "*/*/*",
        ] {
            assert!(Pattern::pair(text).unwrap().picks(&it), "{text}");
        }
        for other in ["dsp", "py", "dspy_tas", "DSPY"] {
            assert!(!Pattern::repo(other).unwrap().picks(&it), "{other}");
        }
        for other in ["839", "dspy/839", "dsp/8394"] {
            assert!(!Pattern::task(other).unwrap().picks(&it), "{other}");
        }
        for other in ["dspy/8394/f3_f6", "dspy/8394/f1_f3", "dspy/839/f3_f5"] {
            assert!(!Pattern::pair(other).unwrap().picks(&it), "{other}");
        }
    }

    #[test]
    fn what_is_malformed_is_answered_with_the_form() {
        let long = "x".repeat(LONGEST + 1);
        for text in ["", "/", "dspy//", "a/b", &long] {
            assert_eq!(Pattern::repo(text).unwrap_err(), REPO_FORM, "{text}");
        }
        for text in ["", "/8394", "dspy/x", "dspy", "a/1/f1_f2", "dspy/-1"] {
            assert_eq!(Pattern::task(text).unwrap_err(), TASK_FORM, "{text}");
        }
        for text in [
            "",
            "dspy/8394",
            "dspy/8394/3_5",
            "dspy/8394/f3",
            "dspy/8394/f3_f3",
            "dspy/x/f3_f5",
            "dspy/8394/f3_f5/x",
            "//f1_f2",
        ] {
            assert_eq!(Pattern::pair(text).unwrap_err(), PAIR_FORM, "{text}");
        }
        let turned = Pattern::pair("dspy/8394/f5_f3").unwrap_err();
        assert_eq!(turned, "the smaller feature comes first: dspy/8394/f3_f5");
    }

    #[test]
    fn a_word_is_compared_in_full() {
        for (pattern, full) in [
            (Pattern::repo("dspy"), "dspy_task"),
            (Pattern::repo("dspy_task"), "dspy_task"),
            (Pattern::task("dspy/task7"), "dspy_task/7"),
            (Pattern::task("dspy/007"), "dspy_task/7"),
            (Pattern::pair("dspy/7/f1_f2"), "dspy_task/7/f1_f2"),
        ] {
            assert_eq!(pattern.unwrap().in_full(), full);
        }
        let it = pair("dspy_task/7/f1_f2");
        let names = [NameKind::Repo, NameKind::Task, NameKind::Pair].map(|kind| kind.of(&it));
        assert_eq!(names, ["dspy_task", "dspy_task/7", "dspy_task/7/f1_f2"]);
        assert!(Pattern::task("7").unwrap().is_number());
        assert!(!Pattern::task("a/7").unwrap().is_number());
    }

    #[test]
    fn a_word_is_told_as_it_was_typed_and_by_what_it_names() {
        for (pattern, typed, named, is_glob) in [
            (Pattern::repo("dspy/"), "dspy/", "repository", false),
            (Pattern::repo("d*"), "d*", "repository", true),
            (Pattern::task("007"), "007", "task", false),
            (Pattern::task("dspy/8?94"), "dspy/8?94", "task", true),
            (Pattern::pair("dspy/7/f1_f2"), "dspy/7/f1_f2", "pair", false),
            (Pattern::pair("dspy/7/f1_*"), "dspy/7/f1_*", "pair", true),
        ] {
            let pattern = pattern.unwrap();
            assert_eq!(pattern.typed(), typed);
            assert_eq!(pattern.kind().word(), named, "{typed}");
            assert_eq!(pattern.is_glob(), is_glob, "{typed}");
        }
    }

    #[test]
    fn the_longest_word_is_counted_in_characters() {
        let longest = "ä".repeat(LONGEST);
        assert_eq!(Pattern::repo(&longest).unwrap().typed(), longest);
        Pattern::repo(&format!("{longest}ä")).unwrap_err();
    }
}
