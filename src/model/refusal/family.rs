//! Families of words, and whether a text has one of them.

use regex::bytes::{Regex, RegexBuilder};

/// A family of words: a pattern for each. Case does not matter.
pub(super) fn any(alternatives: &[&str]) -> Regex {
    // Unicode's classes and cases would take most of the time that compiling these takes.
    let mut builder = RegexBuilder::new(&alternatives.join("|"));
    builder.case_insensitive(true).unicode(false);
    builder.build().expect("tested")
}

/// Whether a family of words is in a text.
pub(super) fn is_in(words: &Regex, text: &str) -> bool {
    words.is_match(text.as_bytes())
}
