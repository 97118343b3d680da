//! An agent's patch as it is judged: mended as upstream mends it, without test files. Pure.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::RuleSet;
use super::patterns::shipped;

/// How a submission's bytes are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchReading {
    /// As upstream reads it: line ends and quotes are mended first, and of files that are no text
    /// a merge leaves only that they differ.
    Upstreams,
    /// Byte for byte; only what does not apply so is mended.
    AsItIs,
}

/// A patch that can be applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// Its bytes; none when there is nothing in it.
    pub bytes: Vec<u8>,
    /// The headers of what was left out, as it changes test files.
    pub dropped: Vec<String>,
}

impl Prepared {
    /// Reads a patch as upstream does: lines end in a newline whatever they ended in, quotes that a
    /// shell escaped are themselves again, and what changes test files is left out.
    #[must_use]
    pub fn of(raw: &[u8], rules: RuleSet) -> Self {
        if raw.iter().all(u8::is_ascii_whitespace) {
            return Self::default();
        }
        let bytes = mended(raw);
        let mut kept = Vec::with_capacity(bytes.len());
        let mut dropped = Vec::new();
        let mut is_dropping = false;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(HEADER) {
                let header = header(line);
                is_dropping = is_test(&header, rules);
                if is_dropping {
                    dropped.push(header);
                }
            }
            if !is_dropping {
                kept.extend(line);
            }
        }
        Self {
            bytes: kept,
            dropped,
        }
    }

    /// The first path that it names and that is none of the repository's: absolute, with `..`, or
    /// git's own files. Git refuses it; this is for the reason.
    #[must_use]
    pub fn path_outside(&self) -> Option<String> {
        let prefixes = [
            "--- ",
            "+++ ",
            "rename to ",
            "rename from ",
            "copy to ",
            "copy from ",
        ];
        let lines = self.bytes.split(|byte| *byte == b'\n');
        let headers = lines.filter_map(|line| {
            let line = std::str::from_utf8(line).ok()?;
            prefixes.iter().find_map(|prefix| line.strip_prefix(prefix))
        });
        headers
            .filter(|path| *path != "/dev/null")
            .map(|path| path.trim_matches('"').split('\t').next().unwrap_or(path))
            .find(|path| {
                let inner = path
                    .strip_prefix("a/")
                    .or_else(|| path.strip_prefix("b/"))
                    .unwrap_or(path);
                inner.starts_with('/')
                    || inner.split('/').any(|part| part == ".." || part == ".git")
            })
            .map(str::to_owned)
    }
}

/// One file's part of a patch, or what stands before the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The part as it is, and then what it may be mended to where that does not apply, the least
    /// change first.
    pub choices: Vec<Vec<u8>>,
}

impl Part {
    fn of(raw: &[u8]) -> Self {
        let mut choices = vec![raw.to_vec()];
        let lines = with_newlines(raw);
        let unquoted = ESCAPED_QUOTE.replace_all(raw, b"'");
        for choice in [raw, &lines, &unquoted, &mended(raw)] {
            let mut choice = choice.to_vec();
            end_line(&mut choice);
            if !choices.contains(&choice) {
                choices.push(choice);
            }
        }
        Self { choices }
    }

    /// Its first line: git's header, where it has one.
    #[must_use]
    pub fn header(&self) -> String {
        let line = self.choices[0].split(|byte| *byte == b'\n').next();
        header(line.unwrap_or_default())
    }
}

/// The parts of a patch that are no test files, and the headers of what was left out.
#[must_use]
pub fn parts(raw: &[u8], rules: RuleSet) -> (Vec<Part>, Vec<String>) {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut dropped = Vec::new();
    if raw.iter().all(u8::is_ascii_whitespace) {
        return (Vec::new(), dropped);
    }
    let mut is_dropping = false;
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        let begins = line.starts_with(HEADER);
        if begins {
            let header = header(line);
            is_dropping = is_test(&header, rules);
            if is_dropping {
                dropped.push(header);
            }
        }
        if is_dropping {
            continue;
        }
        if begins || parts.is_empty() {
            parts.push(Vec::new());
        }
        if let Some(part) = parts.last_mut() {
            part.extend(line);
        }
    }
    (parts.iter().map(|part| Part::of(part)).collect(), dropped)
}

/// How git begins a file's part.
const HEADER: &[u8] = b"diff --git";

fn header(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    line.trim_end_matches(['\r', '\n']).to_owned()
}

/// The bytes as upstream mends them.
fn mended(raw: &[u8]) -> Vec<u8> {
    let lines = with_newlines(raw);
    let mut bytes = ESCAPED_QUOTE.replace_all(&lines, b"'").into_owned();
    end_line(&mut bytes);
    bytes
}

/// Python's universal newlines, with which upstream reads patches.
fn with_newlines(raw: &[u8]) -> Cow<'_, [u8]> {
    if !raw.contains(&b'\r') {
        return Cow::Borrowed(raw);
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.iter().peekable();
    while let Some(byte) = rest.next() {
        if *byte == b'\r' {
            rest.next_if(|next| **next == b'\n');
            bytes.push(b'\n');
        } else {
            bytes.push(*byte);
        }
    }
    Cow::Owned(bytes)
}

fn end_line(bytes: &mut Vec<u8>) {
    if bytes.last().is_some_and(|last| *last != b'\n') {
        bytes.push(b'\n');
    }
}

/// A quote as a shell escapes it inside of quotes.
#[expect(clippy::expect_used, reason = "a constant that a test compiles")]
static ESCAPED_QUOTE: LazyLock<regex::bytes::Regex> =
    LazyLock::new(|| regex::bytes::Regex::new(r"'\\''").expect("a valid pattern"));

/// What upstream's rule before 0.0.28 looks for in a header.
const PYTHON_ONLY: [&str; 5] = ["/test_", "/tests/", "_test.py", "/test/", "tests.py"];

/// Paths in a header, directories of tests, and test files, as upstream's rule has them since
/// 0.0.28.
static PATHS: LazyLock<Regex> = LazyLock::new(|| shipped(r"[ab]/(\S+)"));
static DIRS: LazyLock<Regex> = LazyLock::new(|| shipped(r"/(?:tests?|__tests__|spec|testdata)/"));
static FILES: LazyLock<Regex> = LazyLock::new(|| {
    shipped(
        r"(?:^|/)(?:test_[^/]+|[^/]+_test\.[A-Za-z0-9]+|[^/]+\.(?:test|spec)\.[A-Za-z0-9]+|[^/]*Tests?\.(?:java|kt|cs|scala)|tests?\.py)$",
    )
});

fn is_test(header: &str, rules: RuleSet) -> bool {
    match rules {
        RuleSet::V0_0_11 => PYTHON_ONLY.iter().any(|part| header.contains(part)),
        RuleSet::V0_0_29 => PATHS.captures_iter(header).any(|found| {
            let path = &found[1];
            DIRS.is_match(&format!("/{path}")) || FILES.is_match(path)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(rules: RuleSet, paths: &[&str]) -> Vec<bool> {
        let header = |path: &&str| format!("diff --git a/{path} b/{path}");
        paths
            .iter()
            .map(|path| is_test(&header(path), rules))
            .collect()
    }

    #[test]
    fn test_files_are_told_by_the_rules_of_their_version() {
        let paths = [
            "src/a.py",
            "tests/a.py",
            "test_a.py",
            "a_test.go",
            "src/test_utils/helper.py",
            "spec/x.rb",
            "a.spec.ts",
            "FooTest.java",
            "Tests/test_image.py",
            "tests.py",
            "contest.py",
        ];
        assert_eq!(
            names(RuleSet::V0_0_29, &paths),
            [
                false, true, true, true, false, true, true, true, true, true, false
            ]
        );
        assert_eq!(
            names(RuleSet::V0_0_11, &paths),
            [
                false, true, true, false, true, false, false, false, true, true, false
            ]
        );
    }

    #[test]
    fn what_upstream_mends_is_mended_and_nothing_else() {
        let rules = RuleSet::V0_0_29;
        assert_eq!(Prepared::of(b" \n\n", rules), Prepared::default());
        let bytes = |raw: &[u8]| Prepared::of(raw, rules).bytes;
        assert_eq!(bytes(b"a\r\nb\rc"), b"a\nb\nc\n");
        assert_eq!(bytes(br"don'\''t"), b"don't\n");
        assert_eq!(bytes(b"+\xff\xfe\n"), b"+\xff\xfe\n");
        // A blank context line at the end stays.
        assert_eq!(bytes(b"-a\n \n"), b"-a\n \n");
        let two = b"diff --git a/tests/x b/tests/x\n+1\ndiff --git a/y b/y\n+2\n";
        let prepared = Prepared::of(two, rules);
        assert_eq!(prepared.bytes, b"diff --git a/y b/y\n+2\n");
        assert_eq!(prepared.dropped, ["diff --git a/tests/x b/tests/x"]);
    }

    #[test]
    fn a_part_is_itself_before_it_is_mended() {
        let rules = RuleSet::V0_0_29;
        assert_eq!(parts(b" \r\n\n", rules), (Vec::new(), Vec::new()));
        let raw = b"diff --git a/a b/a\n+1\ndiff --git a/tests/t b/tests/t\r\n+2\ndiff --git a/b b/b\n+it'\\''s\r";
        let (found, dropped) = parts(raw, rules);
        assert_eq!(dropped, ["diff --git a/tests/t b/tests/t"]);
        let choices: Vec<Vec<&[u8]>> = found
            .iter()
            .map(|part| part.choices.iter().map(Vec::as_slice).collect())
            .collect();
        assert_eq!(
            choices,
            [
                vec![b"diff --git a/a b/a\n+1\n".as_slice()],
                vec![
                    b"diff --git a/b b/b\n+it'\\''s\r".as_slice(),
                    b"diff --git a/b b/b\n+it'\\''s\r\n",
                    b"diff --git a/b b/b\n+it'\\''s\n",
                    b"diff --git a/b b/b\n+it's\r\n",
                    b"diff --git a/b b/b\n+it's\n",
                ],
            ]
        );
        assert_eq!(found[1].header(), "diff --git a/b b/b");
    }

    #[test]
    fn a_path_outside_of_the_repository_is_named() {
        for (path, outside) in [
            ("+++ b/src/x.py", None),
            ("--- /dev/null", None),
            ("+++ b/../x", Some("b/../x")),
            ("+++ /etc/passwd", Some("/etc/passwd")),
            ("rename to .git/hooks/x", Some(".git/hooks/x")),
        ] {
            let prepared = Prepared::of(path.as_bytes(), RuleSet::V0_0_29);
            assert_eq!(prepared.path_outside().as_deref(), outside, "{path}");
        }
    }
}
