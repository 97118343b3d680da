//! Values that must not be shown.

mod seen;

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use crate::text::hex;
pub use seen::{PageMask, environment};

/// A secret: kept in memory, masked in every `Debug` and `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a value in, which from here on is shown nowhere.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(****)")
    }
}

/// What stands in the place of a secret.
const MASK: &str = "****";

/// A shorter key is a placeholder for an endpoint that asks for none: masking it would only tear
/// holes into messages.
const SHORTEST_KEY: usize = 8;

/// Takes a secret out of texts that may echo it, in whatever writing: as it is, with some or all of
/// its characters escaped (JSON, also within JSON; percent; HTML), in base64 or in hexadecimal.
///
/// It knows nothing of what somebody does on purpose to a secret that they were sent.
#[derive(Clone, Default)]
pub struct Mask {
    /// Its characters; none for one that is no secret.
    secret: Vec<char>,
    /// Other writings of the whole.
    writings: Vec<String>,
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mask").finish_non_exhaustive()
    }
}

impl Mask {
    /// The mask for a secret, if there is one.
    #[must_use]
    pub fn of(secret: Option<&Secret>) -> Self {
        let Some(secret) = secret.filter(|secret| secret.0.len() >= SHORTEST_KEY) else {
            return Self::default();
        };
        let bytes = secret.0.as_bytes();
        let hex = hex(bytes);
        let mut writings = vec![hex.to_uppercase(), hex];
        for alphabet in [STANDARD, URL_SAFE] {
            writings.extend((0..3).map(|before| base64(bytes, before, alphabet)));
        }
        Self {
            secret: secret.0.chars().collect(),
            writings,
        }
    }

    /// A text without the secret.
    #[must_use]
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        if self.secret.is_empty() {
            return text;
        }
        for writing in &self.writings {
            if text.contains(writing) {
                text = Cow::Owned(text.replace(writing, MASK));
            }
        }
        match self.hide_escaped(&text) {
            Some(hidden) => Cow::Owned(hidden),
            None => text,
        }
    }

    /// A JSON value without the secret: in its texts, its keys and its numbers.
    pub fn hide_in(&self, value: &mut Value) {
        if self.secret.is_empty() {
            return;
        }
        match value {
            Value::String(text) => {
                if let Cow::Owned(hidden) = self.hide(text) {
                    *text = hidden;
                }
            }
            Value::Number(number) => {
                if let Cow::Owned(hidden) = self.hide(&number.to_string()) {
                    *value = Value::String(hidden);
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.hide_in(value)),
            Value::Object(fields) => {
                let is_in_key = |key: &String| matches!(self.hide(key), Cow::Owned(_));
                if fields.keys().any(is_in_key) {
                    let old = std::mem::take(fields);
                    fields.extend(old.into_iter().map(|(key, value)| {
                        let key = self.hide(&key).into_owned();
                        (key, value)
                    }));
                }
                fields.values_mut().for_each(|value| self.hide_in(value));
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// `None` when it is not in the text, escaped or not.
    fn hide_escaped(&self, text: &str) -> Option<String> {
        let mut out = String::new();
        let mut kept_to = 0;
        let mut at = 0;
        let first = self.secret.first()?;
        let begins = |c: char| first.eq_ignore_ascii_case(&c) || matches!(c, '\\' | '%' | '&');
        while let Some(next) = text[at..].find(begins) {
            at += next;
            if let Some(rest) = self.strip(&text[at..]) {
                out.push_str(&text[kept_to..at]);
                out.push_str(MASK);
                at = text.len() - rest.len();
                kept_to = at;
            } else {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
            }
        }
        (kept_to > 0).then(|| out + &text[kept_to..])
    }

    /// What follows the secret at the beginning of a text.
    fn strip<'a>(&self, text: &'a str) -> Option<&'a str> {
        self.secret
            .iter()
            .try_fold(text, |rest, c| strip_char(rest, *c))
    }
}

/// What follows a character, or its escape, at the beginning of a text.
fn strip_char(text: &str, c: char) -> Option<&str> {
    let first = text.chars().next()?;
    if first.eq_ignore_ascii_case(&c) {
        return Some(&text[first.len_utf8()..]);
    }
    let code = u32::from(c);
    match first {
        '\\' => {
            // In a text within a text, the backslash is escaped again.
            let rest = text.trim_start_matches('\\');
            if let Some(digits) = rest.strip_prefix(['u', 'U']) {
                return strip_number(digits, 4, 16, code);
            }
            if let Some(digits) = rest.strip_prefix('x') {
                return strip_number(digits, 2, 16, code);
            }
            rest.strip_prefix(c).filter(|_| !c.is_alphanumeric())
        }
        '%' => {
            let mut rest = &text[1..];
            loop {
                if let Some(rest) = strip_number(rest, 2, 16, code) {
                    return Some(rest);
                }
                // A percent sign that is escaped again.
                rest = rest.strip_prefix("25")?;
            }
        }
        '&' => {
            let number = text.strip_prefix("&#")?;
            let (number, radix) = match number.strip_prefix(['x', 'X']) {
                Some(number) => (number, 16),
                None => (number, 10),
            };
            let end = number.find(';').filter(|end| *end <= 8)?;
            strip_number(number, end, radix, code)?.strip_prefix(';')
        }
        _ => None,
    }
}

/// What follows so many digits, if they are this number's.
fn strip_number(text: &str, digits: usize, radix: u32, number: u32) -> Option<&str> {
    let (digits, rest) = text.split_at_checked(digits)?;
    (u32::from_str_radix(digits, radix) == Ok(number)).then_some(rest)
}

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 (RFC 4648) of bytes that so many others stand before: the digits that are theirs alone.
fn base64(bytes: &[u8], before: usize, alphabet: &[u8; 64]) -> String {
    let bit = |at: usize| u32::from(bytes[at / 8] >> (7 - at % 8) & 1);
    // The first digit that begins after the others' bits.
    let skipped = (before * 8).next_multiple_of(6) - before * 8;
    let digits = (bytes.len() * 8 - skipped) / 6;
    (0..digits)
        .map(|digit| {
            let begin = skipped + digit * 6;
            let value = (begin..begin + 6).fold(0, |value, at| value << 1 | bit(at));
            char::from(alphabet[value as usize])
        })
        .collect()
}

/// Whether an environment variable of this name holds a secret, by the usual endings.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIALS"]
        .iter()
        .any(|word| name.split('_').any(|part| part == *word))
}

/// The value to show for a variable or key: itself, with a URL's password masked, or a mask.
#[must_use]
pub fn masked(name: &str, value: &str) -> String {
    if is_secret_name(name) {
        "****".to_owned()
    } else {
        masked_url(value)
    }
}

/// A URL with its password, if it has one, masked.
#[must_use]
pub fn masked_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split_once(':').map_or("****", |(user, _)| user);
            format!("{scheme}://{user}:****@{host}{path}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_shows() {
        let secret = Secret::new("sk-123");
        assert_eq!(format!("{secret} {secret:?}"), "**** Secret(****)");
        assert_eq!(masked("COHERE_API_KEY", "sk-123"), "****");
        assert_eq!(masked("LITELLM_LOG", "ERROR"), "ERROR");
        assert_eq!(masked("MONKEY_BUSINESS", "x"), "x");
    }

    #[test]
    fn passwords_in_urls_are_masked() {
        assert_eq!(masked_url("redis://:pw@host:1/0"), "redis://:****@host:1/0");
        assert_eq!(masked_url("http://host/v1?a@b"), "http://host/v1?a@b");
    }

    const KEY: &str = "sk-a/b+c_12.3=Zz";

    fn hidden(text: &str) -> String {
        Mask::of(Some(&Secret::new(KEY))).hide(text).into_owned()
    }

    /// The key in writings that endpoints and their proxies echo.
    fn writings() -> Vec<String> {
        let each = |write: &dyn Fn(u32) -> String| KEY.chars().map(|c| write(c.into())).collect();
        let some = |write: &dyn Fn(u32) -> String| -> String {
            let mut odd = false;
            let chars = KEY.chars().map(|c| {
                odd = !odd;
                if odd { c.to_string() } else { write(c.into()) }
            });
            chars.collect()
        };
        let mut all: Vec<String> = vec![
            KEY.to_owned(),
            KEY.to_uppercase(),
            KEY.replace('/', "\\/"),
            KEY.replace('/', "%2F")
                .replace('+', "%2b")
                .replace('=', "%3D"),
            KEY.replace('/', "%252F"),
            hex(KEY.as_bytes()),
        ];
        let escapes: [&dyn Fn(u32) -> String; 6] = [
            &|c| format!("\\u{c:04x}"),
            &|c| format!("\\\\u{c:04X}"),
            &|c| format!("\\x{c:02x}"),
            &|c| format!("%{c:02X}"),
            &|c| format!("&#{c};"),
            &|c| format!("&#x{c:x};"),
        ];
        for escape in escapes {
            all.push(each(escape));
            all.push(some(escape));
        }
        all
    }

    #[test]
    fn a_key_is_hidden_in_whatever_writing_it_is_echoed() {
        for writing in writings() {
            assert_eq!(hidden(&format!("é {writing}{writing} ü")), "é ******** ü");
        }
    }

    #[test]
    fn a_key_is_hidden_in_base64_wherever_it_begins() {
        // As `printf 'x…sk-…' | base64` writes them; what is left are digits of the neighbours.
        for (text, left) in [
            ("c2stYS9iK2NfMTIuMz1aeg==", "****g=="),
            ("eHNrLWEvYitjXzEyLjM9Wno=", "eH****"),
            ("eHhzay1hL2IrY18xMi4zPVp6", "eHh****"),
        ] {
            let hidden = hidden(text);
            assert!(
                hidden.contains("****") && hidden.len() < 10,
                "{hidden}, not {left}"
            );
        }
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in [
            "sk-a/b+c_12.3=Z",
            "\\u0073k",
            "%73",
            "&#115;",
            "100%",
            "\\",
            "&#",
            "é%é",
        ] {
            assert_eq!(hidden(text), text);
        }
        assert_eq!(Mask::of(Some(&Secret::new("EMPTY"))).hide("EMPTY"), "EMPTY");
        assert_eq!(Mask::of(None).hide(KEY), KEY);
    }

    #[test]
    fn a_value_is_masked_in_texts_keys_and_numbers() {
        let mask = Mask::of(Some(&Secret::new("1234567890")));
        let mut value = serde_json::json!({
            "a": ["x 1234567890", {"1234567890": null}], "n": 1_234_567_890_u64, "m": 7,
        });
        mask.hide_in(&mut value);
        let expected = serde_json::json!({"a": ["x ****", {"****": null}], "n": "****", "m": 7});
        assert_eq!(value, expected);
    }
}
