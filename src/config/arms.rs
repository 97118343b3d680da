//! The `[[arm]]` tables of a file: a name each, and keys of the configuration by their last word.

use toml::{Table, Value};

use super::known::{self, Kind};
use super::mistakes::Wrong;
use crate::bench::EngineKind;
use crate::error::nearest;
use crate::text::one_line;

/// An example: four arms, three repeats.
pub const ARMS: &str = include_str!("example-arms.toml");

/// What an arm may have of its own, besides its `name` and `setting`. All else is one thing for the
/// whole experiment, or its arms could not be compared.
const KEYS: [&str; 26] = [
    "experiment.agent",
    "experiment.model",
    "experiment.engine",
    "experiment.backend",
    "experiment.git",
    "experiment.concurrency",
    "limits.task_timeout",
    "limits.stall_timeout",
    "upstream.cooperbench_bin",
    "upstream.api_base",
    "upstream.api_key_env",
    "upstream.agent_config",
    "upstream.args",
    "native.command_timeout",
    "native.setup_timeout",
    "native.rate_limits_count",
    "native.step_limit",
    "native.cost_limit",
    "native.memory_gb",
    "native.cpus",
    "native.pids",
    "native.network",
    "native.rootfs",
    "native.call_timeout",
    "native.call_tries",
    SETTINGS,
];

/// An arm's one setting, as the rest of the configuration names it.
pub(super) const SETTINGS: &str = "experiment.settings";

/// What only one of the engines has of these keys, beside all of `native`.
const OF_UPSTREAM: [&str; 3] = [
    "limits.stall_timeout",
    "upstream.args",
    "upstream.cooperbench_bin",
];

/// The most characters of an arm's name that a message shows.
const SHOWN: usize = 60;

/// One `[[arm]]` of a file.
#[derive(Clone, Debug)]
pub(super) struct ArmTable {
    pub name: String,
    /// Where it stands, for messages.
    pub origin: String,
    /// Keys of the configuration, each with the arm's value.
    pub values: Vec<(&'static str, Value)>,
}

impl ArmTable {
    /// Its keys as they stand in a file, with values as TOML.
    pub fn words(&self) -> Vec<(&str, String)> {
        let name = ("name", Value::String(self.name.clone()).to_string());
        let values = self.values.iter().map(|(key, value)| match value {
            Value::Array(settings) if *key == SETTINGS => ("setting", settings[0].to_string()),
            value => (last(key), value.to_string()),
        });
        std::iter::once(name).chain(values).collect()
    }
}

/// The first key of an arm that its engine does not have, with the engine that does.
pub(super) fn of_other_engine(
    arm: &ArmTable,
    engine: EngineKind,
) -> Option<(&'static str, EngineKind)> {
    let of = |key: &str| {
        if key.starts_with("native.") {
            Some(EngineKind::Native)
        } else {
            OF_UPSTREAM.contains(&key).then_some(EngineKind::Upstream)
        }
    };
    arm.values.iter().find_map(|(key, _)| {
        let owner = of(key).filter(|owner| *owner != engine)?;
        Some((last(key), owner))
    })
}

/// The last word of a key, which no other has.
fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// The arms of a file's `arm` key, and all that is wrong with them.
pub(super) fn read(value: &Value, file: &str) -> (Vec<ArmTable>, Vec<Wrong>) {
    let mut wrong = Vec::new();
    let mut arms: Vec<ArmTable> = Vec::new();
    let tables = match value {
        Value::Array(tables) => tables.iter().map(Value::as_table).collect(),
        _ => None,
    };
    let Some::<Vec<&Table>>(tables) = tables else {
        let what =
            format!("{file}: `arm` is no list of tables: write [[arm]], with its keys below");
        return (arms, vec![Wrong::new(what)]);
    };
    for (nth, table) in tables.into_iter().enumerate() {
        let nth = format!("{file} [[arm]] {}", nth + 1);
        let name = match name(table, &nth) {
            Ok(name) => name,
            Err(what) => {
                wrong.push(Wrong::new(what));
                String::new()
            }
        };
        let origin = if name.is_empty() {
            nth
        } else {
            format!("{file} [[arm]] `{name}`")
        };
        if !name.is_empty() && arms.iter().any(|arm| arm.name == name) {
            let what = format!("{file}: two arms are called `{name}`, and their runs would be one");
            wrong.push(Wrong::new(what));
        }
        let mut values = Vec::new();
        for (word, value) in table.iter().filter(|(word, _)| *word != "name") {
            read_key(word, value, &origin, &mut values, &mut wrong);
        }
        arms.push(ArmTable {
            name,
            origin,
            values,
        });
    }
    (arms, wrong)
}

/// An arm's name, or what is wrong with it.
fn name(table: &Table, origin: &str) -> Result<String, String> {
    let Some(name) = table.get("name") else {
        return Err(format!("{origin} has no name: write name = \"talk\""));
    };
    let checked = Kind::Text.checked("name", name);
    let checked = checked.map_err(|why| format!("{origin}: {why}"))?;
    let name = checked.as_str().unwrap_or_default();
    let shown = one_line(&name.escape_debug().to_string(), SHOWN);
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || !name.chars().all(is_allowed) {
        return Err(format!(
            "{origin}: `{shown}` is no name of an arm: letters, digits, `.`, `_` and `-`"
        ));
    }
    if has_repeat_suffix(name) {
        return Err(format!(
            "{origin}: `{shown}` ends like a repeat's run (-r1, -r2, ...): give the arm another name"
        ));
    }
    Ok(name.to_owned())
}

/// Whether a name ends in `-rN`, as the runs of repeats do.
fn has_repeat_suffix(name: &str) -> bool {
    name.rsplit_once("-r")
        .is_some_and(|(_, number)| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()))
}

/// Reads one key of an arm, which stands there by its last word; a section's table holds several.
fn read_key(
    word: &str,
    value: &Value,
    origin: &str,
    values: &mut Vec<(&'static str, Value)>,
    wrong: &mut Vec<Wrong>,
) {
    let is_section = known::keys().any(|key| key.split_once('.').is_some_and(|it| it.0 == word));
    if let (true, Value::Table(section)) = (is_section, value) {
        for (word, value) in section {
            read_key(word, value, origin, values, wrong);
        }
        return;
    }
    if word == "setting" {
        match Kind::Text.checked(word, value) {
            Ok(setting) => values.push((SETTINGS, Value::Array(vec![setting]))),
            Err(why) => wrong.push(Wrong::new(format!("{origin}: {why}"))),
        }
        return;
    }
    if let Some(key) = KEYS
        .into_iter()
        .find(|key| *key != SETTINGS && last(key) == word)
    {
        if values.iter().any(|(known, _)| *known == key) {
            let what =
                format!("{origin}: `{word}` stands there twice, by itself and below its section");
            wrong.push(Wrong::new(what));
            return;
        }
        match known::kind(key).checked(word, value) {
            Ok(value) => values.push((key, value)),
            Err(why) => wrong.push(Wrong::new(format!("{origin}: {why}"))),
        }
        return;
    }
    if word.contains("key") || word.contains("token") {
        // Its value may be one: it is not shown.
        wrong.push(Wrong::new(format!(
            "{origin}: `{word}` is no key of an arm, and a key of the model's never stands in a file: api_key_env = \"OTHER_API_KEY\" names the variable that holds it"
        )));
        return;
    }
    if let Some(key) = known::keys().find(|key| last(key) == word && *key != SETTINGS) {
        wrong.push(Wrong::new(format!(
            "{origin}: an arm has no `{word}` of its own: it is the same for the whole experiment, and stands at {key}"
        )));
        return;
    }
    let own = KEYS.into_iter().filter(|key| *key != SETTINGS).map(last);
    let words = own.chain(["name", "setting"]);
    let unknown = Wrong::new(format!("{origin}: unknown key `{word}`"));
    wrong.push(unknown.meant(nearest(word, words)));
}
