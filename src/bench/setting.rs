//! The settings of the experiment, as data.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::word::Listed;
use crate::error::{Error, likely};

/// How a pair is run: by one agent, by an agent a feature that may talk or may not, or by a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Setting {
    /// One agent implements both features.
    Solo,
    /// Two agents, one feature each, with messages.
    CoopComm,
    /// Two agents, one feature each, without messages.
    CoopNocomm,
    /// As [`Self::CoopComm`], with a lead, a shared task list and a shared directory: upstream's only.
    Team,
}

impl Setting {
    /// Every setting, in the experiment's order.
    pub const ALL: [Self; 4] = [Self::Solo, Self::CoopComm, Self::CoopNocomm, Self::Team];

    /// Those that run unless others are asked for, and that both engines have.
    pub const USUAL: [Self; 3] = [Self::Solo, Self::CoopComm, Self::CoopNocomm];

    /// The word for it in flags, files and run names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Solo => "solo",
            Self::CoopComm => "coop-comm",
            Self::CoopNocomm => "coop-nocomm",
            Self::Team => "team",
        }
    }

    /// Two agents, with or without messages.
    #[must_use]
    pub const fn coop(with_messages: bool) -> Self {
        if with_messages {
            Self::CoopComm
        } else {
            Self::CoopNocomm
        }
    }

    /// How many agents work on a pair of a plan, which has two features.
    #[must_use]
    pub const fn agents(self) -> usize {
        match self {
            Self::Solo => 1,
            Self::CoopComm | Self::CoopNocomm | Self::Team => 2,
        }
    }

    /// Whether the agents can send each other messages.
    #[must_use]
    pub const fn messaging(self) -> bool {
        matches!(self, Self::CoopComm | Self::Team)
    }

    /// The directory below the run that holds this setting's pairs.
    #[must_use]
    pub const fn tree(self) -> Tree {
        match self {
            Self::Solo => Tree::Solo,
            Self::CoopComm | Self::CoopNocomm => Tree::Coop,
            Self::Team => Tree::Team,
        }
    }
}

impl Listed for Setting {
    const LIST: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        self.name()
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Setting {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let names = Self::ALL.map(Self::name);
        Self::of_word(text).ok_or_else(|| {
            let error = Error::usage(format!(
                "unknown setting `{text}`: it is one of {}, or all",
                names.join(", ")
            ));
            match likely(text, &names) {
                Some(near) => error.hint(format!("did you mean {near}?")),
                None => error,
            }
        })
    }
}

/// What is known of the setting of a run that others began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "&'static str")]
pub enum RunSetting {
    /// The setting is known.
    Of(Setting),
    /// An agent a feature, and nothing says whether they could send messages.
    Coop,
}

impl RunSetting {
    /// The word for it in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Of(setting) => setting.name(),
            Self::Coop => "coop (messaging unknown)",
        }
    }

    /// The setting, if it is known.
    #[must_use]
    pub const fn known(self) -> Option<Setting> {
        match self {
            Self::Of(setting) => Some(setting),
            Self::Coop => None,
        }
    }
}

impl From<RunSetting> for &'static str {
    fn from(setting: RunSetting) -> Self {
        setting.name()
    }
}

impl fmt::Display for RunSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The shapes of a run's log tree, in their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tree {
    /// `solo/`: one `agent` per result.
    Solo,
    /// `coop/`: `agents` per result.
    Coop,
    /// `team/`: as [`Self::Coop`], and what a team's task list tells.
    Team,
    /// As [`Self::Solo`], in the run's own directory: of older days.
    OldSolo,
    /// As [`Self::Coop`], in the run's own directory: of older days.
    OldCoop,
}

impl Tree {
    /// Those with a directory of their own.
    pub const ALL: [Self; 3] = [Self::Solo, Self::Coop, Self::Team];

    /// The directory's name where it has one, which is also upstream's word for the setting.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Solo | Self::OldSolo => "solo",
            Self::Coop | Self::OldCoop => "coop",
            Self::Team => "team",
        }
    }

    /// Whether one agent works on a pair.
    #[must_use]
    pub const fn is_solo(self) -> bool {
        matches!(self, Self::Solo | Self::OldSolo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_reads_its_own_name() {
        for setting in Setting::ALL {
            assert_eq!(setting.name().parse::<Setting>().unwrap(), setting);
        }
    }

    #[test]
    fn a_slip_is_answered_with_the_nearest_setting() {
        let error = "coop-com".parse::<Setting>().unwrap_err();
        assert_eq!(error.hints(), ["did you mean `coop-comm`?"]);
    }

    #[test]
    fn nonsense_is_answered_with_every_setting() {
        let error = "zzzzzzzzzzzz".parse::<Setting>().unwrap_err();
        assert!(error.hints().is_empty());
        let text = error.to_string();
        assert!(
            text.contains("solo, coop-comm, coop-nocomm, team"),
            "{text}"
        );
    }

    #[test]
    fn each_setting_has_its_agents_messages_and_tree() {
        for (setting, agents, messaging, tree) in [
            (Setting::Solo, 1, false, Tree::Solo),
            (Setting::CoopComm, 2, true, Tree::Coop),
            (Setting::CoopNocomm, 2, false, Tree::Coop),
            (Setting::Team, 2, true, Tree::Team),
        ] {
            let is = (setting.agents(), setting.messaging(), setting.tree());
            assert_eq!(is, (agents, messaging, tree), "{setting}");
        }
        assert_eq!(Setting::coop(true), Setting::CoopComm);
        assert_eq!(Setting::coop(false), Setting::CoopNocomm);
    }

    #[test]
    fn a_setting_that_nothing_tells_has_words_of_its_own() {
        for (setting, name) in [
            (RunSetting::Of(Setting::CoopComm), "coop-comm"),
            (RunSetting::Coop, "coop (messaging unknown)"),
        ] {
            assert_eq!(setting.name(), name);
            assert_eq!(setting.to_string(), name);
            assert_eq!(serde_json::json!(setting), serde_json::json!(name));
        }
        assert_eq!(RunSetting::Coop.known(), None);
        assert_eq!(RunSetting::Of(Setting::Solo).known(), Some(Setting::Solo));
    }

    #[test]
    fn a_tree_of_older_days_has_the_word_of_the_one_it_is_like() {
        for (tree, name) in [
            (Tree::Solo, "solo"),
            (Tree::OldSolo, "solo"),
            (Tree::Coop, "coop"),
            (Tree::OldCoop, "coop"),
            (Tree::Team, "team"),
        ] {
            assert_eq!((tree.name(), tree.is_solo()), (name, name == "solo"));
        }
    }
}
