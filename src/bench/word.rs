//! Closed lists of words, which flags, the configuration and files share.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One of a closed list of words.
pub trait Listed: Copy + PartialEq + 'static {
    /// All of them, in the order in which messages name them.
    const LIST: &'static [Self];

    /// The word for it, the same in flags, in the configuration and in files.
    fn word(self) -> &'static str;

    /// The one with this word.
    fn of_word(word: &str) -> Option<Self> {
        let mut list = Self::LIST.iter().copied();
        list.find(|known| known.word() == word)
    }
}

/// A word as it was typed or written: one of a list, or one that this version does not know. Other
/// programs and versions write files as well, and a flag's word is checked with the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Word<K> {
    /// One of the list.
    Known(K),
    /// None of it.
    Unknown(String),
}

impl<K: Listed> Word<K> {
    /// What the word means, if it is one of the list.
    #[must_use]
    pub fn known(&self) -> Option<K> {
        match self {
            Self::Known(known) => Some(*known),
            Self::Unknown(_) => None,
        }
    }

    /// The word itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(known) => known.word(),
            Self::Unknown(word) => word,
        }
    }
}

impl<K: Listed> From<K> for Word<K> {
    fn from(known: K) -> Self {
        Self::Known(known)
    }
}

impl<K: Listed> From<String> for Word<K> {
    fn from(word: String) -> Self {
        K::of_word(&word).map_or(Self::Unknown(word), Self::Known)
    }
}

impl<K: Listed> FromStr for Word<K> {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(word.to_owned().into())
    }
}

impl<K: Listed> PartialEq<K> for Word<K> {
    fn eq(&self, other: &K) -> bool {
        self.known() == Some(*other)
    }
}

impl<K: Listed> fmt::Display for Word<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<K: Listed> Serialize for Word<K> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

/// Reads one of a list; another word is an error.
pub(super) fn listed<'de, K: Listed, D: Deserializer<'de>>(from: D) -> Result<K, D::Error> {
    let word = String::deserialize(from)?;
    K::of_word(&word).ok_or_else(|| {
        let names: Vec<&str> = K::LIST.iter().map(|known| known.word()).collect();
        let names = names.join(", ");
        serde::de::Error::custom(format!("`{word}` is none of {names}"))
    })
}

impl<'de, K: Listed> Deserialize<'de> for Word<K> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::de::DeserializeOwned;
    use serde_json::{from_value, json};

    use super::*;
    use crate::bench::{BackendKind, EngineKind, RuleSet, Setting};

    fn are_the_names<K: Listed + Debug + Serialize + DeserializeOwned + fmt::Display>() {
        for kind in K::LIST {
            let word = kind.word();
            assert_eq!(kind.to_string(), word);
            assert_eq!(json!(kind), json!(word));
            assert_eq!(from_value::<K>(json!(word)).unwrap(), *kind);
            let written: Word<K> = from_value(json!(word)).unwrap();
            assert_eq!(written, *kind);
            assert_eq!(json!(written), json!(word));
        }
    }

    #[test]
    fn files_have_the_names_of_every_list() {
        are_the_names::<BackendKind>();
        are_the_names::<EngineKind>();
        are_the_names::<RuleSet>();
        are_the_names::<Setting>();
    }

    #[test]
    fn a_word_that_is_not_in_the_list_is_kept() {
        let word: Word<BackendKind> = from_value(json!("modal")).unwrap();
        assert_eq!((word.known(), word.as_str()), (None, "modal"));
        assert_eq!(json!(word), json!("modal"));
        assert!(from_value::<BackendKind>(json!("modal")).is_err());
        assert_ne!(word, BackendKind::Docker);
        assert_eq!(format!("{word:<6}|"), "modal |");
    }
}
