//! The page's own files, which the binary has.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The page around everything, with `{{…}}` for its parts.
const HTML: &str = include_str!("page.html");

const STYLE: &str = include_str!("page.css");

/// The script's files. They are one classic script: a module does not load from `file://`.
const SCRIPTS: [&str; 9] = [
    include_str!("dom.js"),
    include_str!("show.js"),
    include_str!("data.js"),
    include_str!("overview.js"),
    include_str!("matrix.js"),
    include_str!("diff.js"),
    include_str!("pair.js"),
    include_str!("trial.js"),
    include_str!("main.js"),
];

/// The page before and after its data.
#[derive(Debug)]
pub struct Frame {
    /// From the document's beginning to where data may stand.
    pub head: String,
    /// From there to its end.
    pub tail: String,
}

/// The page with its style and script, and a policy that allows these two and nothing else.
///
/// `connect` is what the script may ask over the network: nothing in a file.
///
/// # Panics
///
/// Never: the page has a place for its data, which a test sees.
#[must_use]
pub fn frame(title: &str, connect: Option<&str>) -> Frame {
    let script = format!("(() => {{\n\"use strict\";\n{}}})();\n", SCRIPTS.concat());
    let connect = connect.map_or_else(String::new, |from| format!("connect-src {from}; "));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; {connect}base-uri 'none'; form-action 'none'",
        digest(&script),
        digest(STYLE)
    );
    let (head, tail) = HTML
        .split_once("{{data}}")
        .expect("the page has a place for its data");
    let head = head
        .replace("{{policy}}", &policy)
        .replace("{{style}}", STYLE)
        .replace("{{title}}", &escaped(title));
    Frame {
        head,
        tail: tail.replace("{{script}}", &script),
    }
}

fn digest(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}

/// Text as HTML shows it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_what_the_page_has_and_a_title_stays_text() {
        let frame = frame("</title><script>alert(1)</script>", None);
        assert!(!frame.head.contains("<script>"), "{}", frame.head);
        assert!(!frame.head.contains("{{") && !frame.tail.contains("{{"));
        let script = frame.tail.split("<script>").nth(1).unwrap();
        let script = script.split("</script>").next().unwrap();
        assert!(frame.head.contains(&format!("'sha256-{}'", digest(script))));
        assert!(frame.head.contains(&format!("'sha256-{}'", digest(STYLE))));
        assert!(!frame.head.contains("connect-src"));
    }
}
