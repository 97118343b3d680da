//! Files of variables that upstream's agents load beneath their environment, read as `python-dotenv`
//! reads them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::error::Result;
use crate::files;

/// A line that sets a variable; quoted values may have several lines.
static BINDING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?m)^[^\S\n]*(?:export[^\S\n]+)?(?:'([^'\n]+)'|([^=#\s'"]+))[^\S\n]*=[^\S\n]*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|([^\n]*))"#,
    )
    .expect("tested")
});

/// A variable within a value, with what stands for one that is not set.
static REFERENCE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\$\{([^}:]*)(?::-([^}]*))?\}").expect("tested"));

/// What such a file sets.
#[derive(Debug, Default)]
pub struct Dotenv {
    /// Where the file is, for messages.
    pub path: PathBuf,
    values: BTreeMap<String, String>,
}

impl Dotenv {
    /// Reads a file; an error where it is there and cannot be read. `outer` is the environment that
    /// it is loaded into, whose variables win.
    pub fn read(path: &Path, outer: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        // Whatever else stands there, python passes over.
        if !path.is_file() {
            return Ok(None);
        }
        let text = files::read_text(path)?;
        Ok(Some(Self {
            path: path.to_owned(),
            values: parse(&text, outer),
        }))
    }

    /// What it sets a variable to.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

fn parse(text: &str, outer: impl Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    for binding in BINDING.captures_iter(&text) {
        let part = |nth: usize| binding.get(nth).map(|found| found.as_str());
        let Some(name) = part(1).or(part(2)) else {
            continue;
        };
        let value = match (part(3), part(4), part(5)) {
            (Some(single), ..) => unescaped(single, "\\'"),
            (_, Some(double), _) => unescaped(double, "\\'\"abfnrtv"),
            (_, _, Some(plain)) => match plain.chars().next() {
                // A quote that is never closed sets nothing.
                Some('\'' | '"') => continue,
                _ => without_comment(plain).to_owned(),
            },
            _ => continue,
        };
        let value = resolved(&value, |name| {
            outer(name).or_else(|| values.get(name).cloned())
        });
        values.insert(name.to_owned(), value);
    }
    values
}

/// A plain value ends where a comment begins.
fn without_comment(value: &str) -> &str {
    let comment = value.char_indices().find(|(at, char)| {
        *char == '#' && (*at == 0 || value[..*at].ends_with(char::is_whitespace))
    });
    value[..comment.map_or(value.len(), |(at, _)| at)].trim_end()
}

/// A quoted value without the backslashes of these escapes; others stay as they are.
fn unescaped(value: &str, known: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars().peekable();
    while let Some(char) = chars.next() {
        let escaped = (char == '\\').then(|| chars.peek().copied()).flatten();
        let Some(next) = escaped.filter(|next| known.contains(*next)) else {
            text.push(char);
            continue;
        };
        chars.next();
        text.push(match next {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            other => other,
        });
    }
    text
}

/// A value with the variables in it.
fn resolved(value: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let replaced = REFERENCE.replace_all(value, |found: &Captures<'_>| {
        let default = found.get(2).map_or("", |default| default.as_str());
        variable(&found[1]).unwrap_or_else(|| default.to_owned())
    });
    replaced.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_python_reads_them() {
        let text = "# export NONE=x\nPLAIN = a b # c\nexport HASH=a#b\nEMPTY=\nNAME_ONLY\n'Q U'='it\\'s # ${PLAIN}'\nTWO=\"one\\ntwo\nthree\" # end\nOPEN=\"never\nREF=${OUTER:-x}/${NOT_SET:-y}/${NOT_SET}.\nPLAIN=last\n";
        let outer = |name: &str| (name == "OUTER").then(|| "o".to_owned());
        let values = parse(text, outer);
        for (name, value) in [
            ("HASH", "a#b"),
            ("EMPTY", ""),
            ("Q U", "it's # a b"),
            ("TWO", "one\ntwo\nthree"),
            ("REF", "o/y/."),
            ("PLAIN", "last"),
        ] {
            assert_eq!(values.get(name).map(String::as_str), Some(value), "{name}");
        }
        for name in ["NONE", "NAME_ONLY", "OPEN"] {
            assert!(!values.contains_key(name), "{name}");
        }
    }
}
