//! What is taken out of texts that are made to be sent to others: keys, wherever an agent saw them.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{Mask, Secret, is_secret_name};

/// What stands in the place of a secret.
const HIDDEN: &str = "****";

/// A value that is given to a name in capitals, as in `export GH_TOKEN=…` and `"API_KEY": "…"`.
static GIVEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"\b((?:[A-Z0-9]+_)*(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS)(?:\\?["'])?(?:=|: ?)(?:\\?["'])?)([A-Za-z0-9_\-./+=~:@]{8,})([(\[{]?)"#,
    )
    .expect("tested")
});

/// A password in a URL.
static IN_URL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(://[^\s/:@]*:)([^\s/:@]{4,})(@[A-Za-z0-9\[])").expect("tested"));

/// Hides the values of known keys, and what is given to a name that only secrets have.
#[derive(Clone, Debug, Default)]
pub struct PageMask {
    known: Vec<Mask>,
}

impl PageMask {
    /// For the variables of an environment: those with the name of a secret are known keys.
    #[must_use]
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let secret = variables
            .into_iter()
            .filter(|(name, value)| is_secret_name(name) && !value.trim().is_empty());
        let known = secret.map(|(_, value)| Mask::of(Some(&Secret::new(value.trim()))));
        Self {
            known: known.collect(),
        }
    }

    /// For this process's environment.
    #[must_use]
    pub fn of_environment() -> Self {
        Self::of(environment())
    }

    /// A text without secrets.
    #[must_use]
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut hidden = Cow::Borrowed(text);
        for mask in &self.known {
            if let Cow::Owned(without) = mask.hide(&hidden) {
                hidden = Cow::Owned(without);
            }
        }
        let given = |found: &Captures<'_>| {
            // What is called or looked up is code.
            if found[3].is_empty() {
                format!("{}{HIDDEN}", &found[1])
            } else {
                found[0].to_owned()
            }
        };
        if let Cow::Owned(without) = GIVEN.replace_all(&hidden, given) {
            hidden = Cow::Owned(without);
        }
        if let Cow::Owned(without) = IN_URL.replace_all(&hidden, format!("${{1}}{HIDDEN}${{3}}")) {
            hidden = Cow::Owned(without);
        }
        hidden
    }

    /// Takes the secrets out of a text.
    pub fn hide_in(&self, text: &mut String) {
        if let Cow::Owned(hidden) = self.hide(text) {
            *text = hidden;
        }
    }
}

/// The variables of this process's environment, those that are text.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(text: &str) -> String {
        let known = ("WREN_API_KEY".to_owned(), "sk-wren-12345".to_owned());
        let other = ("HOME".to_owned(), "/home/wren/nest".to_owned());
        PageMask::of([known, other]).hide(text).into_owned()
    }

    #[test]
    fn the_environments_keys_are_hidden_and_its_other_values_are_not() {
        assert_eq!(
            hidden("say sk-wren-12345 in /home/wren/nest"),
            "say **** in /home/wren/nest"
        );
    }

    #[test]
    fn what_is_given_to_a_secrets_name_is_hidden() {
        for (text, wanted) in [
            ("export GH_TOKEN=abcdef0123", "export GH_TOKEN=****"),
            ("A_KEY='abcdef01/+='", "A_KEY='****'"),
            (r#""OWL_SECRET": "abcdef0123","#, r#""OWL_SECRET": "****","#),
            (
                r#"\"OWL_SECRET\": \"abcdef0123\""#,
                r#"\"OWL_SECRET\": \"****\""#,
            ),
            (
                "git clone https://owl:abcdef@host/x",
                "git clone https://owl:****@host/x",
            ),
        ] {
            assert_eq!(hidden(text), wanted);
        }
    }

    #[test]
    fn code_that_only_names_a_key_stays() {
        for text in [
            "API_KEY=os.environ.get('X')",
            "API_KEY = load()",
            "cache_key=abcdefghij",
            "MONKEY=abcdefghijk",
            "KEY=$OTHER_KEY",
            "TOKEN=short",
            "https://host:8080/a@b",
        ] {
            assert_eq!(hidden(text), text);
        }
    }
}
