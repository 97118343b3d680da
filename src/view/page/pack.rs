//! Data as the page embeds it.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// How hard it is compressed, of 10. 300 real trials take 0.9 s and 7.3 MB; with 6 it is 1.1 s and
/// 7.1 MB (docs/benchmarks.md).
const LEVEL: u8 = 4;

/// A text of fewer bytes is written wherever it stands.
const WORTH_SHARING: usize = 512;

/// JSON, in zlib's format, in base64: what stands in it can end no element of a page.
#[must_use]
pub fn packed(value: &Value) -> String {
    let text = value.to_string();
    STANDARD.encode(miniz_oxide::deflate::compress_to_vec_zlib(
        text.as_bytes(),
        LEVEL,
    ))
}

/// JSON that can stand in a script element of its own: no `<` is in it.
pub fn plain(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string(value)
        .map_err(|error| Error::world(format!("the page's index cannot be written: {error}")))?;
    Ok(text.replace('<', "\\u003c"))
}

/// Long texts that stand in more than one block: system prompts, features, the same output again.
///
/// The first block with a text has it. From the second on it stands here, once, and a block has
/// `{"$": n}`.
#[derive(Debug, Default)]
pub struct SharedTexts {
    seen: HashMap<u128, Place>,
    texts: Vec<Value>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// In one block so far, which has this number.
    In(usize),
    /// Among the shared texts.
    At(usize),
}

impl SharedTexts {
    /// Takes out of a block what others have too.
    pub fn take(&mut self, value: &mut Value, block: usize) {
        match value {
            Value::String(text) if text.len() >= WORTH_SHARING => {
                if let Some(at) = self.place(text, block) {
                    *value = json!({ "$": at });
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.take(value, block)),
            Value::Object(values) => values
                .values_mut()
                .for_each(|value| self.take(value, block)),
            _ => {}
        }
    }

    /// Where a text stands among the shared ones, unless this is its first block.
    fn place(&mut self, text: &mut String, block: usize) -> Option<usize> {
        use std::collections::hash_map::Entry;

        match self.seen.entry(digest(text)) {
            Entry::Vacant(new) => {
                new.insert(Place::In(block));
                None
            }
            Entry::Occupied(mut known) => match *known.get() {
                Place::At(at) => Some(at),
                Place::In(first) if first == block => None,
                Place::In(_) => {
                    let at = self.texts.len();
                    self.texts.push(Value::String(std::mem::take(text)));
                    known.insert(Place::At(at));
                    Some(at)
                }
            },
        }
    }

    /// The shared texts; `None` where there are none.
    #[must_use]
    pub fn texts(self) -> Option<Value> {
        (!self.texts.is_empty()).then_some(Value::Array(self.texts))
    }
}

/// Half of a text's SHA-256.
fn digest(text: &str) -> u128 {
    use sha2::{Digest as _, Sha256};

    let digest = Sha256::digest(text);
    digest[..16]
        .iter()
        .fold(0, |number, byte| number << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_several_blocks_is_kept_once() {
        let long = "x".repeat(WORTH_SHARING);
        let mut shared = SharedTexts::default();
        let mut first = json!({"a": long, "b": [long, "short"]});
        shared.take(&mut first, 0);
        assert_eq!(first, json!({"a": long, "b": [long, "short"]}));
        let mut second = json!([{"a": long}, "short"]);
        shared.take(&mut second, 1);
        assert_eq!(second, json!([{"a": {"$": 0}}, "short"]));
        assert_eq!(shared.texts(), Some(json!([long])));
    }

    #[test]
    fn what_is_packed_is_zlib_of_json_and_what_is_plain_ends_no_script() {
        let value = json!({"text": "</script>"});
        let bytes = STANDARD.decode(packed(&value)).unwrap();
        let text = miniz_oxide::inflate::decompress_to_vec_zlib(&bytes).unwrap();
        assert_eq!(text, value.to_string().into_bytes());
        let text = plain(&value).unwrap();
        assert!(!text.contains('<'));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
