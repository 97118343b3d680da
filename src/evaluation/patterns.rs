//! Patterns that are constants, compiled when they are first needed.

use regex::Regex;

/// Names patterns; `ALL` has them for a test that compiles each.
macro_rules! patterns {
    ($($name:ident = $pattern:literal;)*) => {
        $(static $name: std::sync::LazyLock<regex::Regex> =
            std::sync::LazyLock::new(|| $crate::evaluation::patterns::shipped($pattern));)*
        #[cfg(test)]
        const ALL: &[&std::sync::LazyLock<regex::Regex>] = &[$(&$name),*];
    };
}
pub(super) use patterns;

#[expect(clippy::expect_used, reason = "constants that a test compiles")]
pub(super) fn shipped(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a valid pattern")
}
