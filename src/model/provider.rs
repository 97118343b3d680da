//! Which provider a model name means: its key's variable, its endpoint, its wire format.

/// A provider, as far as checking it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its name for people, as messages give it.
    pub name: &'static str,
    /// The variables that may hold its key; any one suffices. None are needed when empty.
    pub key_variables: &'static [&'static str],
    /// The variables by which litellm finds another endpoint for it, strongest first.
    pub base_variables: &'static [&'static str],
    /// How it is spoken to; `None` when we don't speak it.
    pub wire: Option<Wire>,
    /// Where it is, when no other endpoint is given.
    pub endpoint: &'static str,
}

/// A wire format for chat calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// `OpenAI`'s chat completions: `POST {base}/chat/completions`.
    OpenAi,
    /// Cohere's v2 chat: the endpoint is the full URL.
    CohereV2,
}

impl Provider {
    /// Whether an endpoint is the provider's: its host, or one below it, over HTTPS.
    #[must_use]
    pub fn owns(&self, endpoint: &str) -> bool {
        let host = |url: &str| {
            let url = reqwest::Url::parse(url).ok()?;
            (url.scheme() == "https").then(|| url.host_str().map(str::to_owned))?
        };
        let (Some(asked), Some(own)) = (host(endpoint), host(self.endpoint)) else {
            return false;
        };
        asked == own || asked.ends_with(&format!(".{own}"))
    }
}

/// The prefixes of litellm's names that only choose the wire format.
const PREFIXES: [&str; 3] = ["openai/", "cohere/", "cohere_chat/"];

/// The model's name as its endpoint knows it.
#[must_use]
pub fn sent_name(model: &str) -> &str {
    let bare = PREFIXES
        .iter()
        .find_map(|prefix| model.strip_prefix(prefix));
    bare.unwrap_or(model)
}

/// The model's name without its provider, when it has one.
#[must_use]
pub fn bare_name(model: &str) -> Option<&str> {
    model.split_once('/').map(|(_, bare)| bare)
}

/// The provider of a model name, by litellm's rules (`get_llm_provider_logic.py`): a known prefix,
/// or Cohere for its bare `command-…` models and `OpenAI` for its bare `gpt-…` and `o…`.
#[must_use]
pub fn of_model(model: &str) -> Option<Provider> {
    let cohere = Provider {
        name: "Cohere",
        key_variables: &["COHERE_API_KEY", "CO_API_KEY"],
        base_variables: &["COHERE_API_BASE"],
        wire: Some(Wire::CohereV2),
        endpoint: "https://api.cohere.com/v2/chat",
    };
    let openai = Provider {
        name: "OpenAI-compatible",
        key_variables: &["OPENAI_API_KEY"],
        base_variables: &["OPENAI_BASE_URL", "OPENAI_API_BASE"],
        wire: Some(Wire::OpenAi),
        endpoint: "https://api.openai.com/v1",
    };
    let other = |name, key_variables| Provider {
        name,
        key_variables,
        base_variables: &[],
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
