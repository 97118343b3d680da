//! The arms that a configuration means, and those of them that a command asks for.

use super::keys::Config;
use crate::bench::Setting;
use crate::error::{Error, Result, nearest};

/// One arm: a name, a setting, and the configuration that it runs with.
#[derive(Clone, Debug)]
pub struct ArmConfig {
    /// Its name, which its runs' names have after the experiment's.
    pub name: String,
    /// The setting of all its trials.
    pub setting: Setting,
    /// The whole configuration, with what the arm has of its own. Its only setting is the arm's.
    pub config: Config,
    /// Flags of the command line that say something else than the arm: the arm's own counts.
    pub hidden_flags: Vec<String>,
}

/// One `[[arm]]` table.
#[derive(Clone, Debug)]
pub struct OwnArm {
    /// Its name, which no other table has.
    pub name: String,
    /// The arm, or what is wrong with its values. Only a command that asks for it is refused.
    pub meant: Result<ArmConfig>,
}

impl Config {
    /// The arms of these names, or all where none is named, in the order in which they run: those of
    /// the file, or the settings where it has none.
    pub fn arms(&self, only: &[String]) -> Result<Vec<ArmConfig>> {
        let all = if self.own_arms.is_empty() {
            self.settings_as_arms()
        } else {
            self.own_arms.clone()
        };
        if let Some(name) = only
            .iter()
            .find(|name| !all.iter().any(|arm| arm.name == **name))
        {
            return Err(no_arm(name, &all));
        }
        let is_asked = |arm: &OwnArm| only.is_empty() || only.contains(&arm.name);
        let asked = all.into_iter().filter(is_asked);
        asked.map(|arm| arm.meant).collect()
    }

    /// The names of all arms that runs of the experiment may be of. Without `[[arm]]` tables these are
    /// all settings: `--setting` chooses among them.
    #[must_use]
    pub fn arm_names(&self) -> Vec<&str> {
        if self.own_arms.is_empty() {
            return Setting::ALL.map(Setting::name).to_vec();
        }
        self.own_arms.iter().map(|arm| arm.name.as_str()).collect()
    }

    fn settings_as_arms(&self) -> Vec<OwnArm> {
        let mut settings = self.experiment.settings.clone();
        settings.sort();
        settings.dedup();
        let of = |setting: Setting| {
            let mut config = self.clone();
            config.experiment.settings = vec![setting];
            OwnArm {
                name: setting.name().to_owned(),
                meant: Ok(ArmConfig {
                    name: setting.name().to_owned(),
                    setting,
                    config,
                    hidden_flags: Vec::new(),
                }),
            }
        };
        settings.into_iter().map(of).collect()
    }
}

fn no_arm(name: &str, arms: &[OwnArm]) -> Error {
    let names = || arms.iter().map(|arm| arm.name.as_str());
    let there: Vec<&str> = names().collect();
    let shown = name.escape_debug();
    let error = Error::usage(format!("--arm {shown}: there is no such arm"));
    match nearest(name, names()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("the arms are {}", there.join(", "))),
    }
}
