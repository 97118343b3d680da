//! What is claimed, and the name of the directory that stands for it.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::bench::{Pair, TaskKey};
use crate::text;

/// The name of the driver's claim.
const DRIVER: &str = "driver";

/// Between the parts of a pair's name. It is in none of them.
const BETWEEN: char = '~';

/// The longest name that says all. File systems take 255 bytes.
const LONGEST: usize = 200;

/// How many bytes of a longer name are kept, for people.
const KEPT: usize = 120;

/// What one holder at a time may have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimKey {
    /// To drive the run.
    Driver,
    /// To run a pair.
    Pair(Pair),
}

impl ClaimKey {
    /// The name of its directory: `driver`, or `<repo>~<task id>~f<i>_f<j>`, with every byte of the
    /// repository's name that is no letter, digit, `_`, `-` or inner `.` as `%` and two digits. Of a
    /// name that is too long it is the beginning, and a digest of the whole after `~~`.
    #[must_use]
    pub fn file_name(&self) -> String {
        let Self::Pair(pair) = self else {
            return DRIVER.to_owned();
        };
        let repo = escaped(&pair.task.repo);
        let mut name = format!(
            "{repo}{BETWEEN}{}{BETWEEN}{}",
            pair.task.task_id,
            pair.dir_name()
        );
        if name.len() > LONGEST {
            let digest = Sha256::digest(name.as_bytes());
            name.truncate(KEPT);
            let _ = write!(name, "{BETWEEN}{BETWEEN}{}", text::hex(&digest[..16]));
        }
        name
    }

    /// Reads what [`Self::file_name`] wrote; `None` for anything else, and for a name that was too
    /// long: there the claim itself says what it is on.
    #[must_use]
    pub fn of_file_name(name: &str) -> Option<Self> {
        if name == DRIVER {
            return Some(Self::Driver);
        }
        let mut parts = name.split(BETWEEN);
        let repo = unescaped(parts.next()?)?;
        let task = TaskKey::new(repo, parts.next()?.parse().ok()?);
        let pair = Pair::from_dir_name(task, parts.next()?)?;
        let key = Self::Pair(pair);
        // One key has one name.
        (parts.next().is_none() && key.file_name() == name).then_some(key)
    }
}

impl fmt::Display for ClaimKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver => f.write_str("the driver"),
            Self::Pair(pair) => pair.fmt(f),
        }
    }
}

fn escaped(repo: &str) -> String {
    let mut name = String::new();
    for (at, byte) in repo.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || byte == b'.' && at > 0 {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "%{byte:02X}");
        }
    }
    name
}

fn unescaped(name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let [first, more @ ..] = rest {
        if *first == b'%' {
            let (digits, after) = more.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
            rest = more;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(repo: &str, features: &[u64]) -> ClaimKey {
        let pair = Pair::of_features(TaskKey::new(repo, 8394), features.to_vec());
        ClaimKey::Pair(pair.unwrap())
    }

    #[test]
    fn a_name_is_one_file_name_and_says_what_is_claimed() {
        for (key, name) in [
            (ClaimKey::Driver, "driver"),
            (key("dspy_task", &[1, 2]), "dspy_task~8394~f1_f2"),
            (key("driver", &[1, 2, 3]), "driver~8394~f1_f2_f3"),
            (key("", &[1, 2]), "~8394~f1_f2"),
            (key("..", &[1, 2]), "%2E.~8394~f1_f2"),
            (
                key("../a/b~c%2F", &[1, 2]),
                "%2E.%2Fa%2Fb%7Ec%252F~8394~f1_f2",
            ),
            (key("a.b ü\n\0", &[1, 2]), "a.b%20%C3%BC%0A%00~8394~f1_f2"),
        ] {
            assert_eq!(key.file_name(), name);
            assert_eq!(ClaimKey::of_file_name(name), Some(key));
        }
    }

    #[test]
    fn names_that_are_too_long_are_cut_and_stay_different() {
        let all: Vec<u64> = (1..100).collect();
        let [a, b, c] = [
            key(&"ü".repeat(100), &[1, 2]),
            key(&"ü".repeat(100), &[1, 3]),
            key("a_task", &all),
        ];
        let names = [a, b, c].map(|key| key.file_name());
        for name in &names {
            assert!(name.len() <= LONGEST && name.contains("~~"), "{name}");
            assert_eq!(ClaimKey::of_file_name(name), None);
        }
        assert!(names[0] != names[1]);
    }

    #[test]
    fn other_names_stand_for_nothing() {
        for name in [
            "",
            "Driver",
            "notes.txt",
            "a_task",
            "a_task~1",
            "a_task~1~f1",
            "a_task~01~f1_f2",
            "a_task~1~f1_f2~",
            "a%2~1~f1_f2",
            "a%zz~1~f1_f2",
            "a%5f~1~f1_f2",
            "a%FF~1~f1_f2",
            "a%+5~1~f1_f2",
        ] {
            assert_eq!(ClaimKey::of_file_name(name), None, "{name}");
        }
    }
}
