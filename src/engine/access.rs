//! Where the model is asked and with which key: one answer for every command.
//!
//! Each engine has its own sources, and they are ranked here only. What a run uses is what `doctor`
//! asks, what a dry run shows and what the manifest keeps.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::dotenv::Dotenv;
use crate::agent::config::ModelAccess;
use crate::config::Config;
use crate::demo::BUILTIN;
use crate::error::{Error, Result};
use crate::model::provider::{Provider, of_model};
use crate::secret::{Secret, masked_url};

/// The variables that mini-swe-agent's first version reads.
const MSWEA_BASE: &str = "MSWEA_MODEL_API_BASE";
const MSWEA_KEY: &str = "MSWEA_MODEL_API_KEY";

/// Names the directory of its global configuration.
const MSWEA_GLOBAL: &str = "MSWEA_GLOBAL_CONFIG_DIR";

/// The key of the configuration that names the endpoint; `--api-base` sets it.
const CONFIGURED: &str = "upstream.api_base";

/// The key of the configuration that names the variable with the endpoint's key.
const KEY_ENV: &str = "upstream.api_key_env";

/// How the agent configuration is spoken of.
const AGENT_CONFIG: &str = "the agent configuration";

/// Variables that, both set, make cooperbench 0.0.16 and newer ask Azure instead (its source).
const AZURE: [&str; 2] = ["AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"];

/// Who asks the model: that decides which sources count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The native engine: it reads mini-swe-agent's variables, and an agent configuration as well.
    Native,
    /// mini-swe-agent's first version: it reads its own variables, and no `model:` of an agent
    /// configuration.
    FirstAgent,
    /// Any other agent of upstream's, through litellm: it ignores those variables.
    Litellm {
        /// Whether this version of cooperbench asks Azure when its variables are set.
        knows_azure: bool,
    },
}

/// What else than the configuration and the environment tells an asker where to ask.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// What the agent configuration says.
    pub agent: ModelAccess,
    /// Why that cannot be read.
    pub unreadable: Option<String>,
    /// A file of variables that the asker loads beneath its environment.
    pub dotenv: Option<PathBuf>,
    /// Whether the asker is one of upstream's copies of mini-swe-agent, which load the `.env` of its
    /// global configuration beneath that.
    pub is_mini_swe: bool,
}

/// A value, and who named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<T> {
    /// What was named: a URL or a key.
    pub value: T,
    /// A variable, a key of the configuration, or words.
    pub by: String,
}

/// How the model is reached.
#[derive(Clone, Debug)]
pub struct Access {
    /// The model, by litellm's name.
    pub model: String,
    /// Its provider, where the name tells.
    pub provider: Option<Provider>,
    /// The endpoint's base URL; `None` when only the agent knows it.
    pub endpoint: Option<Named<String>>,
    /// The key that goes there.
    pub key: Option<Named<Secret>>,
    /// The variable that the configuration names for the key, where that is the one which counts.
    pub key_variable: Option<String>,
    /// The parameters of calls that the agent configuration names.
    pub parameters: Map<String, Value>,
    /// Why it cannot be told which endpoint is asked.
    pub unclear: Option<String>,
    /// Settings that look as if they counted, and do not.
    pub notes: Vec<String>,
}

impl Access {
    /// The access that a configuration and the environment mean.
    pub fn of_config(config: &Config, asker: Asker, beside: Beside) -> Result<Self> {
        Self::resolve(config, asker, beside, |name| std::env::var(name).ok())
    }

    fn resolve(
        config: &Config,
        asker: Asker,
        beside: Beside,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        // `[upstream.env]` is set over our environment, also with an empty value, which to all who
        // read these variables is none.
        let set = |name: &str| {
            let own = config.upstream.env.get(name).cloned();
            own.or_else(|| environment(name))
        };
        let loaded = Loaded::by(&beside, set);
        let variable = |name: &str| {
            // One that is set, and be it to nothing, is not loaded.
            let (value, by) = match set(name) {
                Some(value) => (value, name.to_owned()),
                None => loaded.get(name)?,
            };
            (!value.trim().is_empty()).then_some(Named { value, by })
        };
        let model = config.experiment.model.clone();
        let provider = of_model(&model);
        let reads_agent = asker != Asker::FirstAgent;
        let mut unclear = beside.unreadable.filter(|_| reads_agent);
        let agent = if reads_agent {
            beside.agent
        } else {
            ModelAccess::default()
        };
        if asker == (Asker::Litellm { knows_azure: true })
            && AZURE.iter().all(|name| variable(name).is_some())
        {
            unclear = Some(format!(
                "{} and {} are set, and this version of cooperbench then asks Azure",
                AZURE[0], AZURE[1]
            ));
        }
        let configured = config.upstream.api_base.clone().map(|value| Named {
            value,
            by: CONFIGURED.to_owned(),
        });
        let own_variable = || variable(MSWEA_BASE).filter(|_| reads_own_variables(asker));
        let of_agent = || {
            agent.api_base.clone().map(|value| Named {
                value,
                by: AGENT_CONFIG.to_owned(),
            })
        };
        let endpoint = configured
            .or_else(own_variable)
            .or_else(of_agent)
            .or_else(|| of_provider(&provider?, variable));
        if let Some(endpoint) = &endpoint {
            check_url(endpoint)?;
        }
        if let Some(why) = &loaded.unreadable {
            let by = endpoint.as_ref().map_or("", |endpoint| &endpoint.by);
            if ![CONFIGURED, AGENT_CONFIG, MSWEA_BASE].contains(&by) {
                unclear = Some(format!("upstream loads a file that cannot be read: {why}"));
            }
        }
        let mut notes = unread(asker, &variable, endpoint.as_ref());
        let key_variable = key_variable(config, asker, &agent, &mut notes);
        let mut access = Self {
            key: None,
            key_variable,
            notes,
            model,
            provider,
            parameters: agent.parameters.clone(),
            endpoint: endpoint.filter(|_| unclear.is_none()),
            unclear,
        };
        access.key = access.find_key(asker, &agent, variable);
        Ok(access)
    }

    /// The key for the endpoint. One that was named together with an endpoint goes to no other.
    fn find_key(
        &self,
        asker: Asker,
        agent: &ModelAccess,
        variable: impl Fn(&str) -> Option<Named<String>>,
    ) -> Option<Named<Secret>> {
        if self.unclear.is_some() {
            return None;
        }
        // Of some providers only the agent knows the endpoint.
        let by = self.endpoint.as_ref().map_or("", |it| it.by.as_str());
        if let Some(name) = &self.key_variable {
            return variable(name).map(|named| Named {
                value: Secret::new(named.value),
                by: named.by,
            });
        }
        let own = || {
            let goes_there = asker == Asker::FirstAgent
                || is_of(by, MSWEA_BASE)
                || variable(MSWEA_BASE).is_none();
            variable(MSWEA_KEY).filter(|_| reads_own_variables(asker) && goes_there)
        };
        let of_provider = || {
            let names = self.provider?.key_variables;
            names.iter().find_map(|name| variable(name))
        };
        let agents = || {
            let key = agent.api_key.clone()?;
            Some(Named {
                value: key,
                by: AGENT_CONFIG.to_owned(),
            })
        };
        let secret = |named: Named<String>| Named {
            value: Secret::new(named.value),
            by: named.by,
        };
        let of_variables = || own().or_else(of_provider).map(secret);
        if let Some(agents_base) = &agent.api_base {
            let url = self.endpoint.as_ref().map_or("", |it| it.value.as_str());
            let is_same = matches!(asker, Asker::Litellm { .. })
                && url.trim_end_matches('/') == agents_base.trim_end_matches('/');
            return if by == AGENT_CONFIG || is_same {
                agents().or_else(of_variables)
            } else {
                of_variables()
            };
        }
        match asker {
            // litellm takes the one in `model_kwargs` first.
            Asker::Litellm { .. } => agents().or_else(of_variables),
            Asker::Native | Asker::FirstAgent => of_variables().or_else(agents),
        }
    }

    /// The variables in which upstream's agent looks for its key, where another one holds it: none of
    /// them may be left to the environment.
    #[must_use]
    pub fn key_variables_of_agent(&self) -> Vec<&'static str> {
        if self.key_variable.is_none() {
            return Vec::new();
        }
        let of_provider = self.provider.map_or(&[][..], |it| it.key_variables);
        of_provider.iter().copied().chain([MSWEA_KEY]).collect()
    }

    /// Whether the demo's model is meant.
    #[must_use]
    pub fn is_builtin(&self) -> bool {
        self.endpoint.as_ref().is_some_and(|it| it.value == BUILTIN)
    }

    /// Whether the provider itself is asked.
    #[must_use]
    pub fn is_providers_own(&self) -> bool {
        let asked = self.provider.zip(self.endpoint.as_ref());
        asked.is_some_and(|(provider, endpoint)| provider.owns(&endpoint.value))
    }

    /// The endpoint as a manifest keeps it, without a password, when it is not where the provider is
    /// without any setting.
    #[must_use]
    pub fn other_endpoint(&self) -> Option<String> {
        if self.unclear.is_some() {
            return Some("unknown".to_owned());
        }
        let endpoint = self.endpoint.as_ref()?.value.as_str();
        let usual = self.provider.map_or("", |provider| provider.endpoint);
        (endpoint.trim_end_matches('/') != usual).then(|| masked_url(endpoint))
    }

    /// The endpoint and who named it, for people.
    #[must_use]
    pub fn shown_endpoint(&self) -> String {
        match (&self.endpoint, &self.unclear) {
            (_, Some(why)) => format!("not known: {why}"),
            (None, None) => "the provider's own".to_owned(),
            (Some(endpoint), None) => {
                format!("{} ({})", masked_url(&endpoint.value), endpoint.by)
            }
        }
    }
}

/// The variable that the configuration names for the key, where the asker does not take another one
/// before it.
fn key_variable(
    config: &Config,
    asker: Asker,
    agent: &ModelAccess,
    notes: &mut Vec<String>,
) -> Option<String> {
    let name = config.upstream.api_key_env.clone()?;
    // litellm takes the one in `model_kwargs` first.
    if matches!(asker, Asker::Litellm { .. }) && agent.api_key.is_some() {
        notes.push(format!(
            "{KEY_ENV} is set, and this agent takes the key of the agent configuration"
        ));
        return None;
    }
    Some(name)
}

/// The endpoint of a provider: the one that its own variables name, or the public one.
fn of_provider(
    provider: &Provider,
    variable: impl Fn(&str) -> Option<Named<String>>,
) -> Option<Named<String>> {
    let named = provider
        .base_variables
        .iter()
        .find_map(|name| variable(name));
    named.or_else(|| {
        (!provider.endpoint.is_empty()).then(|| Named {
            value: provider.endpoint.to_owned(),
            by: provider.name.to_owned(),
        })
    })
}

/// Whether this asker reads `MSWEA_MODEL_API_BASE` and its key: litellm knows neither.
const fn reads_own_variables(asker: Asker) -> bool {
    matches!(asker, Asker::Native | Asker::FirstAgent)
}

/// What is set and does not count: its user believes that another endpoint is asked.
fn unread(
    asker: Asker,
    variable: &impl Fn(&str) -> Option<Named<String>>,
    endpoint: Option<&Named<String>>,
) -> Vec<String> {
    let ignored = variable(MSWEA_BASE).filter(|_| !reads_own_variables(asker));
    let differs = ignored.filter(|it| endpoint.is_none_or(|used| used.value != it.value));
    differs
        .map(|_| format!("{MSWEA_BASE} is set, and this agent does not read it: --api-base names the endpoint for every agent"))
        .into_iter()
        .collect()
}

/// The variables that the asker's process loads beneath its environment, the stronger file first.
#[derive(Default)]
struct Loaded {
    files: Vec<Dotenv>,
    unreadable: Option<String>,
}

impl Loaded {
    fn by(beside: &Beside, set: impl Fn(&str) -> Option<String>) -> Self {
        let mut loaded = Self::default();
        if let Some(path) = &beside.dotenv {
            loaded.add(path, &set);
        }
        if beside.is_mini_swe {
            let variable = |name: &str| set(name).or_else(|| Some(loaded.get(name)?.0));
            if let Some(path) = global_file(variable) {
                loaded.add(&path, &set);
            }
        }
        loaded
    }

    fn add(&mut self, path: &Path, set: impl Fn(&str) -> Option<String>) {
        let outer = |name: &str| set(name).or_else(|| Some(self.get(name)?.0));
        match Dotenv::read(path, outer) {
            Ok(found) => self.files.extend(found),
            Err(error) => self.unreadable = Some(error.to_string()),
        }
    }

    /// A variable's value, and who sets it.
    fn get(&self, name: &str) -> Option<(String, String)> {
        let mut files = self.files.iter();
        files.find_map(|file| {
            let by = format!("{name} in {}", file.path.display());
            Some((file.get(name)?.to_owned(), by))
        })
    }
}

/// Whether this variable is meant, wherever it is set.
fn is_of(by: &str, name: &str) -> bool {
    by.strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(" in "))
}

/// The `.env` of mini-swe-agent's global configuration, as it finds it (its `__init__.py`, and
/// `platformdirs` for Linux).
fn global_file(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let some = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let dir = match variable(MSWEA_GLOBAL).filter(|value| !value.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => some("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(some("HOME")?).join(".config")))?
            .join("mini-swe-agent"),
    };
    Some(dir.join(".env"))
}

fn check_url(endpoint: &Named<String>) -> Result<()> {
    let url = endpoint.value.as_str();
    if ["http://", "https://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
        || url == BUILTIN
    {
        return Ok(());
    }
    Err(Error::usage(format!(
        "the model's endpoint is `{}` by {}, but a URL begins with http:// or https://",
        masked_url(url),
        endpoint.by
    ))
    .hint("correct it there, or name the endpoint with --api-base, which wins"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layers;

    fn access(model: &str, asker: Asker, variables: &[(&str, &str)]) -> Access {
        let mut layers = Layers::defaults();
        layers.set("experiment.model", model, "test").unwrap();
        let environment = |name: &str| {
            let mut set = variables.iter();
            set.find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let config = layers.config().unwrap();
        Access::resolve(&config, asker, Beside::default(), environment).unwrap()
    }

    #[test]
    fn where_azures_variables_override_nobody_else_gets_a_key() {
        let set = [
            ("AZURE_OPENAI_ENDPOINT", "https://mine.openai.azure.com"),
            ("AZURE_OPENAI_API_KEY", "sk-azure"),
            ("OPENAI_API_KEY", "sk-openai"),
        ];
        let of = |knows_azure, set: &[_]| access("openai/m", Asker::Litellm { knows_azure }, set);
        let asked = of(true, &set);
        assert!(asked.unclear.is_some() && asked.endpoint.is_none() && asked.key.is_none());
        assert_eq!(asked.other_endpoint().as_deref(), Some("unknown"));
        // Older versions do not know them, and one of the two alone is nothing.
        for usual in [of(false, &set), of(true, &set[1..])] {
            assert!(usual.is_providers_own());
            assert_eq!(usual.key.unwrap().by, "OPENAI_API_KEY");
        }
    }

    #[test]
    fn a_providers_key_is_of_its_own_variables_only() {
        let set = [
            ("OPENAI_API_KEY", "sk-openai"),
            ("OPENAI_API_BASE", "http://own/v1"),
        ];
        for asker in [
            Asker::Native,
            Asker::FirstAgent,
            Asker::Litellm { knows_azure: true },
        ] {
            let cohere = access("command-a-03-2025", asker, &set);
            assert!(cohere.is_providers_own() && cohere.key.is_none());
            let openai = access("openai/command-a-03-2025", asker, &set);
            assert_eq!(openai.other_endpoint().as_deref(), Some("http://own/v1"));
            assert!(!openai.is_providers_own());
        }
    }

    #[test]
    fn a_provider_whose_endpoint_only_its_agent_knows_has_its_key() {
        let litellm = Asker::Litellm { knows_azure: true };
        let set = [("ANTHROPIC_API_KEY", "sk-a"), ("OPENAI_API_KEY", "sk-o")];
        let asked = access("anthropic/claude", litellm, &set);
        assert!(asked.endpoint.is_none());
        assert_eq!(asked.key.unwrap().by, "ANTHROPIC_API_KEY");
        assert!(access("anthropic/claude", litellm, &set[1..]).key.is_none());
    }

    #[test]
    fn a_host_that_only_looks_like_the_providers_is_not_its_own() {
        let own = |base: &str| {
            access("openai/m", Asker::Native, &[("OPENAI_BASE_URL", base)]).is_providers_own()
        };
        assert!(own("https://api.openai.com/v1/") && own("https://eu.api.openai.com/v1"));
        for other in [
            "http://api.openai.com/v1",
            "https://api.openai.com.evil.example/v1",
            "https://api.openai.com@evil.example/v1",
            "https://notapi.openai.com/v1",
            "http://127.0.0.1:8000/v1",
        ] {
            assert!(!own(other), "{other}");
        }
    }
}
