//! Which provider a model name means: its key's variable, its endpoint, its wire format.

use std::collections::BTreeMap;

use crate::secret::Secret;

/// A provider, as far as checking it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its name for people.
    pub name: &'static str,
    /// The variables that may hold its key; any one suffices. None are needed when empty.
    pub key_variables: &'static [&'static str],
    /// How it is spoken to; `None` when we don't speak it.
    pub wire: Option<Wire>,
    /// Where it is, when no other endpoint is given.
    pub endpoint: &'static str,
}

/// A wire format for chat calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// `POST {base}/chat/completions`.
    OpenAi,
    /// Cohere's v2 chat: the endpoint is the full URL.
    CohereV2,
}

impl Provider {
    /// The first of its keys that is set, in our environment or in a configuration's, and the
    /// variable that holds it.
    #[must_use]
    pub fn key(&self, configured: &BTreeMap<String, String>) -> Option<(&'static str, Secret)> {
        self.key_variables.iter().find_map(|name| {
            let set = std::env::var(name).ok().filter(|key| !key.is_empty());
            let key = set.or_else(|| configured.get(*name).cloned())?;
            Some((*name, Secret::new(key)))
        })
    }
}

/// The provider of a model name, by litellm's rules (`get_llm_provider_logic.py`): a known prefix,
/// or Cohere for its bare `command-…` models and `OpenAI` for its bare `gpt-…` and `o…`.
#[must_use]
pub fn of_model(model: &str) -> Option<Provider> {
    let cohere = Provider {
        name: "Cohere",
        key_variables: &["COHERE_API_KEY", "CO_API_KEY"],
        wire: Some(Wire::CohereV2),
        endpoint: "https://api.cohere.com/v2/chat",
    };
    let openai = Provider {
        name: "OpenAI-compatible",
        key_variables: &["OPENAI_API_KEY"],
        wire: Some(Wire::OpenAi),
        endpoint: "https://api.openai.com/v1",
    };
    let other = |name, key_variables| Provider {
        name,
        key_variables,
        wire: None,
        endpoint: "",
    };
    match model.split_once('/').map(|(prefix, _)| prefix) {
        Some("cohere" | "cohere_chat") => Some(cohere),
        Some("openai") => Some(openai),
        Some("anthropic") => Some(other("Anthropic", &["ANTHROPIC_API_KEY"])),
        Some("gemini") => Some(other("Gemini", &["GEMINI_API_KEY", "GOOGLE_API_KEY"])),
        Some("vertex_ai") => Some(other("Vertex AI", &[])),
        None if model.starts_with("command") => Some(cohere),
        None if model.starts_with("gpt-") || model.starts_with("o1") || model.starts_with("o3") => {
            Some(openai)
        }
        None if model.starts_with("claude-") => Some(other("Anthropic", &["ANTHROPIC_API_KEY"])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_experiments_model_is_coheres() {
        let provider = of_model("command-a-03-2025").unwrap();
        assert_eq!(provider.wire, Some(Wire::CohereV2));
        assert_eq!(
            of_model("openai/anything").unwrap().wire,
            Some(Wire::OpenAi)
        );
        assert_eq!(of_model("hugging/face"), None);
    }
}
