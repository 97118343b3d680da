//! The rule sets of upstream's evaluation, which give different verdicts on the same patches.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::word::Listed;

/// Whose rules decide; named by the version of upstream that has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RuleSet {
    /// On a conflict both sides are kept (`merge=union`), and tested so.
    #[serde(rename = "0.0.11")]
    V0_0_11,
    /// On a conflict the first agent's patch alone must pass both suites; identical patches are not
    /// merged.
    #[default]
    #[serde(rename = "0.0.29")]
    V0_0_29,
}

impl RuleSet {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::V0_0_11, Self::V0_0_29];

    /// The version of upstream that it is named by, as flags and files have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V0_0_11 => "0.0.11",
            Self::V0_0_29 => "0.0.29",
        }
    }
}

impl Listed for RuleSet {
    const LIST: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        self.name()
    }
}

impl fmt::Display for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for RuleSet {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::of_word(name).ok_or_else(|| format!("no rule set `{name}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_set_is_read_by_the_version_that_names_it() {
        for (rules, name) in [(RuleSet::V0_0_11, "0.0.11"), (RuleSet::V0_0_29, "0.0.29")] {
            assert_eq!(name.parse(), Ok(rules));
            assert_eq!((rules.name(), rules.word()), (name, name));
            assert_eq!(rules.to_string(), name);
        }
        let error = "0.0.1".parse::<RuleSet>();
        assert_eq!(error, Err("no rule set `0.0.1`".to_owned()));
    }
}
