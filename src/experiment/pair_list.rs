//! A list of pairs as people write it: one a line.

use std::collections::{BTreeSet, HashMap};

use crate::bench::Pair;
use crate::bench::pattern::Pattern;
use crate::error::{Error, Result, nearest};
use crate::text::{NAME, one_line, plural};

/// How many lines that are wrong are told.
const TOLD: usize = 20;
/// How much of such a line is shown, in characters.
const SHOWN: usize = 60;

/// The pairs that a list names.
#[derive(Debug, PartialEq, Eq)]
pub struct PairList {
    /// Each once, in the list's order.
    pub pairs: Vec<Pair>,
    /// How many lines named one that was there already.
    pub repeated: usize,
}

/// Reads a list, `name` for people, of pairs of the dataset: all of them are `there`. What follows a
/// `#` is a comment. Every line that is no pair is told in one error.
pub fn read(text: &str, name: &str, there: &[Pair]) -> Result<PairList> {
    let names: HashMap<String, &Pair> = there.iter().map(|it| (it.to_string(), it)).collect();
    let (mut pairs, mut seen, mut wrong) = (Vec::new(), BTreeSet::new(), Vec::new());
    let (mut repeated, mut untold) = (0, 0);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        let word = line.split('#').next().unwrap_or_default().trim();
        if word.is_empty() {
            continue;
        }
        match named(word, &names) {
            Ok(pair) if seen.insert(pair) => pairs.push(pair.clone()),
            Ok(_) => repeated += 1,
            Err(_) if wrong.len() >= TOLD => untold += 1,
            Err(why) => {
                let why = why.unwrap_or_else(|| unknown(word, &names));
                wrong.push(format!("line {number}: `{}`: {why}", one_line(word, SHOWN)));
            }
        }
    }
    let name = one_line(name, NAME);
    if !wrong.is_empty() {
        let count = wrong.len() + untold;
        if untold > 0 {
            wrong.push(format!("and {untold} more"));
        }
        let (lines, wrong) = (plural(count, "line"), wrong.join("\n  "));
        return Err(Error::usage(format!(
            "{name}: {lines} with no pair of the dataset:\n  {wrong}"
        ))
        .hint("a line has one pair, such as `dspy/8394/f3_f5`; `#` begins a comment"));
    }
    if pairs.is_empty() {
        return Err(Error::usage(format!("{name} has no pairs"))
            .hint("a line has one pair, such as `dspy/8394/f3_f5`"));
    }
    Ok(PairList { pairs, repeated })
}

/// The pair that a word names, or why it names none; nothing where the dataset lacks it.
fn named<'a>(
    word: &str,
    names: &HashMap<String, &'a Pair>,
) -> std::result::Result<&'a Pair, Option<String>> {
    let pattern = Pattern::pair(word).map_err(Some)?;
    if pattern.is_glob() {
        return Err(Some(
            "a list names each pair: * and ? are for --pair".to_owned(),
        ));
    }
    let full = pattern.in_full();
    if let Some(pair) = names.get(&full) {
        return Ok(pair);
    }
    // A repository may lack the usual ending.
    let mut others = names.values();
    if let Some(pair) = others.find(|pair| pattern.picks(pair)) {
        return Ok(pair);
    }
    Err(None)
}

/// That there is no such pair, and which one may be meant.
fn unknown(word: &str, names: &HashMap<String, &Pair>) -> String {
    let full = Pattern::pair(word).map(|pattern| pattern.in_full());
    let mut known: Vec<&str> = names.keys().map(String::as_str).collect();
    known.sort_unstable();
    match nearest(&full.unwrap_or_default(), known) {
        Some(near) => format!("no such pair; did you mean `{}`?", one_line(near, NAME)),
        None => "no such pair".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there() -> Vec<Pair> {
        let pairs = [
            "dspy_task/8394/f3_f5",
            "dspy_task/8394/f3_f6",
            "other/1/f1_f2",
        ];
        pairs.map(|it| Pair::of_text(it).unwrap()).into()
    }

    fn told(text: &str) -> String {
        read(text, "pairs.txt", &there()).unwrap_err().to_string()
    }

    #[test]
    fn a_list_has_a_pair_a_line_and_comments() {
        let text = "\u{feff}# mine\r\n\r\n  other/1/f1_f2 # last year's\r\ndspy/8394/f3_f5\ndspy_task/task8394/f3_f5";
        let listed = read(text, "pairs.txt", &there()).unwrap();
        let names: Vec<String> = listed.pairs.iter().map(Pair::to_string).collect();
        assert_eq!(names, ["other/1/f1_f2", "dspy_task/8394/f3_f5"]);
        assert_eq!(listed.repeated, 1);
    }

    #[test]
    fn every_line_that_is_wrong_is_told_with_its_number() {
        let text = "dspy/8394/f3_f5\nx\n\ndspy/8394/f5_f3\ndspy/8394/f3_f7\ndspy/*/f3_f5\n\u{1b}[2Jzzzzzzzzzzzzzzzzzzzzzz/1/f8_f9\n";
        let told = told(text);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(
            lines,
            [
                "pairs.txt: 5 lines with no pair of the dataset:",
                "  line 2: `x`: a pair is written REPO/TASK/fI_fJ, as in `dspy_task/8394/f3_f5`",
                "  line 4: `dspy/8394/f5_f3`: the smaller feature comes first: dspy/8394/f3_f5",
                "  line 5: `dspy/8394/f3_f7`: no such pair; did you mean `dspy_task/8394/f3_f5`?",
                "  line 6: `dspy/*/f3_f5`: a list names each pair: * and ? are for --pair",
                "  line 7: `[2Jzzzzzzzzzzzzzzzzzzzzzz/1/f8_f9`: no such pair",
            ]
        );
    }

    #[test]
    fn twenty_lines_are_told_and_more_are_counted() {
        assert_eq!(told(&"x\n".repeat(20)).lines().count(), 21);
        let many = told(&"x\n".repeat(23));
        assert!(many.ends_with("\n  and 3 more"), "{many}");
        assert_eq!(told("# nothing\n\n"), "pairs.txt has no pairs");
    }
}
