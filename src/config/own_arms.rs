//! The arms that a configuration means, and those of them that a command asks for.

use super::keys::{ArmConfig, Config, OwnArm};
use crate::bench::Setting;
use crate::error::{Error, Result, nearest};

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
