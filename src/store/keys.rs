//! A JSON object of another hand, to which keys of ours are added: what else stands there keeps its
//! place and its bytes.

use std::borrow::Cow;

use indexmap::IndexMap;
use serde::de::Error as _;
use serde_json::value::RawValue;

use crate::json;

/// The keys of a JSON object, each with its value as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys<'a>(IndexMap<String, Cow<'a, str>>);

impl<'a> Keys<'a> {
    /// Those of a file.
    pub fn of(bytes: &'a [u8]) -> serde_json::Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(serde_json::Error::custom)?;
        // What JSON has no number for stays as it is written.
        let numbered = json::with_numbers(text);
        let raw: IndexMap<String, &RawValue> = serde_json::from_str(&numbered)?;
        let written_at = |part: &str| {
            let begin = part.as_ptr().addr() - numbered.as_ptr().addr();
            Cow::Borrowed(&text[begin..begin + part.len()])
        };
        let values = raw.into_iter();
        let keys = values.map(|(key, value)| (key, written_at(value.get())));
        Ok(Self(keys.collect()))
    }

    /// A value as it is written.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(AsRef::as_ref)
    }

    /// Puts a value there as it is to be written: in the place of the one that is there, or at the
    /// end.
    pub fn put(&mut self, key: &str, value: impl Into<Cow<'a, str>>) {
        self.0.insert(key.to_owned(), value.into());
    }

    /// Takes a key away.
    pub fn take(&mut self, key: &str) {
        self.0.shift_remove(key);
    }

    /// The whole object, as upstream's `json.dump(indent=2)` would write it.
    pub fn written(&self) -> serde_json::Result<Vec<u8>> {
        let lines = self
            .0
            .iter()
            .map(|(key, value)| Ok(format!("  {}: {value}", serde_json::to_string(key)?)))
            .collect::<serde_json::Result<Vec<_>>>()?;
        Ok(format!("{{\n{}\n}}", lines.join(",\n")).into_bytes())
    }
}

/// A value of ours, with the indentation that it has one level down.
pub fn indented(value: &impl serde::Serialize) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(value)?.replace('\n', "\n  "))
}
