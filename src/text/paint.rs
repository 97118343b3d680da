//! The colours of what people read. Each takes no room, and is dropped where no colour is shown; the
//! words carry the meaning without them.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const BROKEN: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

/// As it should be: a pass.
#[must_use]
pub fn good(text: impl Display) -> String {
    painted(GOOD, text)
}

/// The agents' own failure.
#[must_use]
pub fn bad(text: impl Display) -> String {
    painted(BAD, text)
}

/// What broke around the agents, and what is to be heeded.
#[must_use]
pub fn broken(text: impl Display) -> String {
    painted(BROKEN, text)
}

/// Of no importance: a zero.
#[must_use]
pub fn faint(text: impl Display) -> String {
    painted(FAINT, text)
}

/// A name that the eye looks for.
#[must_use]
pub fn strong(text: impl Display) -> String {
    painted(STRONG, text)
}

fn painted(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// A text without sequences that choose a colour. Those that move the cursor stay.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit() && c != ';');
        if let Some(end) = end.filter(|end| part[*end..].starts_with('m')) {
            out.push_str(&part[end + 1..]);
        } else {
            out.push_str("\u{1b}[");
            out.push_str(part);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_same_without_its_colours() {
        let text = format!("{}, {}: {}", bad("2 fail"), faint("0 missing"), good("x"));
        assert_ne!(text, plain(&text));
        assert_eq!(plain(&text), "2 fail, 0 missing: x");
    }
}
