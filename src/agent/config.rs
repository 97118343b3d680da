//! How an agent works: prompts and limits, ours or those of a configuration in mini-swe-agent's
//! and upstream's form.

use std::path::Path;

use indexmap::IndexMap;
use regex::Regex;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::files;
use crate::secret::Secret;
use crate::text::users_regex;

/// An agent's configuration: Regatta's own, or a file's keys over it.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The Jinja template of the first message, the system prompt.
    pub system_template: String,
    /// The second message, with the task.
    pub instance_template: String,
    /// What a command's result looks like.
    pub observation_template: String,
    /// The answer to a reply that cannot be used.
    pub format_error_template: String,
    /// Model calls; 0 for no limit.
    pub step_limit: u64,
    /// USD; 0 for no limit.
    pub cost_limit: f64,
    /// When and how a long conversation is shortened.
    pub compaction: Compaction,
    /// Environment variables for commands in the sandbox, beside those that it has.
    pub env: IndexMap<String, String>,
    /// Further parameters of model calls.
    pub model_kwargs: Map<String, Value>,
    /// How the model asks for a command.
    pub protocol: Protocol,
    /// What counts as the agent's work when it submits.
    pub submission: Submission,
    /// The endpoint and the key that the configuration names.
    pub access: ModelAccess,
    /// Everything the templates may name, as upstream gives it to them.
    pub vars: Map<String, Value>,
    /// Keys that mean nothing here.
    pub ignored: Vec<String>,
}

/// The endpoint and the key that an agent configuration names (`model.model_kwargs`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelAccess {
    /// The endpoint's base URL (`api_base`); `None` if it is missing or blank.
    pub api_base: Option<String>,
    /// The endpoint's key (`api_key`); `None` if it is missing or blank.
    pub api_key: Option<Secret>,
    /// All parameters of calls, these two among them.
    pub parameters: Map<String, Value>,
}

impl ModelAccess {
    /// Those of a file that is for another agent than ours; the error says what the file is not.
    pub fn read(path: &Path) -> std::result::Result<Self, String> {
        let shown = path.display();
        let text = files::read_text(path).map_err(|error| error.to_string())?;
        let yaml: Value = serde_saphyr::from_str(&text)
            .map_err(|error| format!("{shown} is not YAML: {error}"))?;
        // Upstream lays what stands at the top over what stands below `config`.
        let places = [yaml.get("config"), Some(&yaml)].into_iter().flatten();
        let found = places.filter_map(|place| place.pointer("/model/model_kwargs")?.as_object());
        let mut kwargs = Map::new();
        for found in found {
            kwargs.extend(found.clone());
        }
        // litellm's other name for it, which it takes first.
        if let Some(url) = kwargs.get("base_url").filter(|url| url.is_string()) {
            kwargs.insert("api_base".to_owned(), url.clone());
        }
        Ok(Self::of_kwargs(&kwargs))
    }

    fn of_kwargs(kwargs: &Map<String, Value>) -> Self {
        let text = |key: &str| {
            let value = kwargs.get(key).and_then(Value::as_str);
            value.filter(|value| !value.trim().is_empty())
        };
        Self {
            api_base: text("api_base").map(str::to_owned),
            api_key: text("api_key").map(Secret::new),
            parameters: kwargs.clone(),
        }
    }
}

/// When and how a long conversation is shortened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compaction {
    /// Whether it is at all.
    pub enabled: bool,
    /// The prompt's tokens from which it is; by default from the model's window.
    pub trigger: Option<u64>,
    /// How many of the last replies stay, with what followed them.
    pub keep_recent_turns: usize,
    /// What the model is asked.
    pub prompt: String,
}

/// How the model asks for a command.
#[derive(Clone, Debug)]
pub enum Protocol {
    /// It calls the `bash` tool.
    Tools,
    /// It writes one fenced block, which this finds (mini-swe-agent's first version).
    Fenced(Regex),
}

/// What becomes the patch of an agent that submits. For one that ends otherwise it is always the
/// working tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submission {
    /// The difference of the working tree to the base commit.
    WorkingTree,
    /// The file `patch.txt` in the repository, which the prompts ask for.
    PatchFile,
}

/// The limits of mini-swe-agent's own configuration in upstream (`config/solo.yaml`).
const STEP_LIMIT: u64 = 100;
const COST_LIMIT: f64 = 3.0;
/// As upstream's agents keep (`compaction_keep_recent_turns`).
const KEEP_RECENT_TURNS: usize = 2;
/// How mini-swe-agent's first version finds the command (`action_regex`).
const FENCED: &str = r"(?s)```(?:bash|mswea_bash_command)\s*\n(.*?)\n```";

impl Default for AgentConfig {
    fn default() -> Self {
        let env = [
            ("PAGER", "cat"),
            ("MANPAGER", "cat"),
            ("GIT_PAGER", "cat"),
            ("LESS", "-R"),
            ("PIP_PROGRESS_BAR", "off"),
            ("TQDM_DISABLE", "1"),
        ];
        Self {
            system_template: include_str!("templates/system.j2").to_owned(),
            instance_template: include_str!("templates/task.j2").to_owned(),
            observation_template: include_str!("templates/observation.j2").to_owned(),
            format_error_template: include_str!("templates/format_error.j2").to_owned(),
            step_limit: STEP_LIMIT,
            cost_limit: COST_LIMIT,
            compaction: Compaction {
                enabled: true,
                trigger: None,
                keep_recent_turns: KEEP_RECENT_TURNS,
                prompt: include_str!("templates/summary.j2").to_owned(),
            },
            env: env
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into_iter()
                .collect(),
            model_kwargs: Map::new(),
            protocol: Protocol::Tools,
            submission: Submission::WorkingTree,
            access: ModelAccess::default(),
            vars: Map::new(),
            ignored: Vec::new(),
        }
    }
}

impl AgentConfig {
    /// The configuration in a YAML file: over ours, key by key.
    pub fn read(path: &Path) -> Result<Self> {
        let text = files::read_text(path).map_err(Error::into_usage)?;
        let shown = path.display();
        let yaml: Value = serde_saphyr::from_str(&text)
            .map_err(|error| Error::usage(format!("{shown} is not YAML: {error}")))?;
        Self::of_yaml(&yaml)
            .map_err(|why| Error::usage(format!("{shown}: {why}")).hint("the form is mini-swe-agent's: `agent:` with templates and limits, `environment:`, `model:`"))
    }

    fn of_yaml(yaml: &Value) -> std::result::Result<Self, String> {
        let Some(root) = yaml.get("config").unwrap_or(yaml).as_object() else {
            return Err("it is no mapping".to_owned());
        };
        let mut config = Self::default();
        for (section, value) in root {
            let empty = Map::new();
            let keys = match value {
                Value::Object(keys) => keys,
                Value::Null => &empty,
                _ => {
                    config.ignored.push(section.clone());
                    continue;
                }
            };
            for (key, value) in keys {
                config.set(section, key, value)?;
            }
            let shown = keys.iter().filter(|(key, _)| *key != "model_kwargs");
            config
                .vars
                .extend(shown.map(|(key, value)| (key.clone(), value.clone())));
        }
        if config.instance_template.contains("patch.txt") {
            config.submission = Submission::PatchFile;
        }
        Ok(config)
    }

    fn set(&mut self, section: &str, key: &str, value: &Value) -> std::result::Result<(), String> {
        let wrong = |what: &str| format!("{section}.{key} must be {what}, but it is {value}");
        let text = || {
            value
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| wrong("text"))
        };
        let count = || value.as_u64().ok_or_else(|| wrong("a whole number"));
        match (section, key) {
            ("agent", "system_template") => self.system_template = text()?,
            ("agent", "instance_template") => self.instance_template = text()?,
            ("model", "observation_template") => self.observation_template = text()?,
            ("agent", "action_observation_template") => {
                self.observation_template = text()?;
                // A key of the first version's, whose agents write fenced blocks.
                if matches!(self.protocol, Protocol::Tools) {
                    self.protocol = fenced(FENCED)?;
                }
            }
            ("agent", "action_regex") => self.protocol = fenced(&format!("(?s){}", text()?))?,
            ("agent" | "model", "format_error_template") => self.format_error_template = text()?,
            ("agent", "step_limit") => self.step_limit = count()?,
            ("agent", "cost_limit") => {
                self.cost_limit = value.as_f64().ok_or_else(|| wrong("a number"))?;
            }
            ("agent", "compaction_enabled") => {
                self.compaction.enabled = value.as_bool().ok_or_else(|| wrong("true or false"))?;
            }
            ("agent", "compaction_token_trigger") => self.compaction.trigger = Some(count()?),
            ("agent", "compaction_keep_recent_turns") => {
                self.compaction.keep_recent_turns =
                    usize::try_from(count()?).map_err(|_| wrong("a small number"))?;
            }
            ("agent", "compaction_summary_prompt") => self.compaction.prompt = text()?,
            ("environment", "env") => {
                let variables = value.as_object().ok_or_else(|| wrong("a mapping"))?;
                for (name, value) in variables {
                    let value = value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned);
                    self.env.insert(name.clone(), value);
                }
            }
            ("model", "model_kwargs") => {
                let kwargs = value.as_object().ok_or_else(|| wrong("a mapping"))?;
                self.model_kwargs.extend(kwargs.clone());
                self.access = ModelAccess::of_kwargs(kwargs);
                // It goes into a header, and into no request's body.
                self.model_kwargs.remove("api_key");
            }
            // They are what regatta does anyway, or are asked of other places.
            ("agent", "mode" | "output_path") | ("model", "cost_tracking" | "model_name") => {}
            _ => self.ignored.push(format!("{section}.{key}")),
        }
        Ok(())
    }

    /// What the prompts ask for that these sandboxes do not have.
    #[must_use]
    pub fn asks_for_more(&self) -> Option<&'static str> {
        let prompts = [&self.system_template, &self.instance_template];
        let asks = |text: &str| prompts.iter().any(|prompt| prompt.contains(text));
        if asks("gh pr") {
            return Some(
                "`gh pr create`: there is no such program; what is submitted is the working tree, pushed or not",
            );
        }
        asks("remote called \"team\"")
            .then_some("a remote `team`: with --git it is called `origin`")
    }

    /// What templates may name of the configuration, as upstream's may.
    #[must_use]
    pub fn template_vars(&self) -> Map<String, Value> {
        let mut vars = self.vars.clone();
        vars.insert("step_limit".to_owned(), json!(self.step_limit));
        vars.insert("cost_limit".to_owned(), json!(self.cost_limit));
        vars.insert("env".to_owned(), json!(self.env));
        vars
    }
}

fn fenced(regex: &str) -> std::result::Result<Protocol, String> {
    users_regex(regex)
        .map(Protocol::Fenced)
        .map_err(|error| format!("agent.action_regex is no regular expression: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(yaml: &str) -> std::result::Result<AgentConfig, String> {
        AgentConfig::of_yaml(&serde_saphyr::from_str(yaml).unwrap())
    }

    #[test]
    fn a_part_of_a_configuration_leaves_the_rest_ours() {
        let yaml = "config:\n  agent:\n    step_limit: 7\n    unheard_of: 1\n  environment:\n    env: {A: b, N: 1}\n  model:\n    model_kwargs: {temperature: 0.5, api_base: 'http://x'}\n";
        let config = config(yaml).unwrap();
        assert_eq!(config.step_limit, 7);
        assert_eq!(config.env["N"], "1");
        assert_eq!(config.env["PAGER"], "cat");
        assert_eq!(config.access.api_base.as_deref(), Some("http://x"));
        assert_eq!(config.ignored, ["agent.unheard_of"]);
        assert!(config.instance_template.contains("{{ task }}"));
    }

    #[test]
    fn a_first_version_configuration_speaks_in_fenced_blocks() {
        let yaml = "agent:\n  action_observation_template: '{{output.output}}'\n  instance_template: 'write patch.txt'\n";
        let config = config(yaml).unwrap();
        assert!(matches!(config.protocol, Protocol::Fenced(_)));
        assert_eq!(config.submission, Submission::PatchFile);
    }

    #[test]
    fn a_wrong_value_is_named() {
        let error = config("agent: {step_limit: many}").unwrap_err();
        assert_eq!(
            error,
            "agent.step_limit must be a whole number, but it is \"many\""
        );
    }
}
