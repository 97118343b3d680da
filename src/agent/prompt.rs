//! Templates, rendered as Jinja would.

use std::fmt::Write as _;
use std::sync::LazyLock;

use minijinja::value::{Serde, merge_maps};
use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Map, Value};

use super::config::AgentConfig;

/// Jinja with our filter; one for all agents, as making it costs more than rendering.
static JINJA: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut jinja = Environment::new();
    // As upstream renders: a name that is not there is an error, not nothing.
    jinja.set_undefined_behavior(UndefinedBehavior::Strict);
    jinja.add_filter("tojson", |value: &minijinja::Value| to_json(value));
    jinja
});

/// Renders an agent's templates.
#[derive(Debug)]
pub struct Prompts {
    vars: minijinja::Value,
}

/// A template that cannot be rendered: the configuration's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {template} template: {why}")]
pub struct TemplateError {
    /// Which one.
    pub template: &'static str,
    /// Jinja's words.
    pub why: String,
}

impl Prompts {
    /// For a configuration and an agent's own variables.
    #[must_use]
    pub fn new(config: &AgentConfig, own: Map<String, Value>) -> Self {
        let mut vars = config.template_vars();
        vars.extend(own);
        Self {
            vars: Serde(vars).into(),
        }
    }

    /// Renders a template with some more variables.
    pub fn render(
        &self,
        name: &'static str,
        template: &str,
        more: &Map<String, Value>,
    ) -> Result<String, TemplateError> {
        // Looked up in this order, copied in neither.
        let vars = merge_maps([Serde(more).into(), self.vars.clone()]);
        JINJA
            .render_str(template, vars)
            .map_err(|error| TemplateError {
                template: name,
                why: error.to_string(),
            })
    }
}

/// JSON as Jinja's filter writes it (`htmlsafe_json_dumps`): ASCII only, and without the
/// characters that mean something in HTML.
fn to_json(value: &minijinja::Value) -> Result<minijinja::Value, minijinja::Error> {
    let json = serde_json::to_string(value).map_err(|error| {
        minijinja::Error::new(minijinja::ErrorKind::BadSerialization, error.to_string())
    })?;
    let mut text = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        if c.is_ascii() && !"<>&'".contains(c) {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    Ok(minijinja::Value::from_safe_string(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn vars(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    fn prompts(own: Value) -> (Prompts, AgentConfig) {
        let config = AgentConfig::default();
        (Prompts::new(&config, vars(own)), config)
    }

    #[test]
    fn without_messages_nothing_of_them_is_mentioned() {
        let own = json!({"agent_id": "agent1", "agents": ["agent1", "agent2"], "task": "T",
            "messaging_enabled": false, "git_enabled": false, "command_timeout": 300});
        let (prompts, config) = prompts(own);
        let text = prompts
            .render("task", &config.instance_template, &Map::new())
            .unwrap();
        assert!(text.contains("your colleague is agent2"), "{text}");
        for word in ["send_message", "origin", "Message"] {
            assert!(!text.contains(word), "{word} in {text}");
        }
    }

    #[test]
    fn with_messages_the_peer_is_named() {
        let own = json!({"agent_id": "agent2", "agents": ["agent1", "agent2"], "task": "T",
            "messaging_enabled": true, "git_enabled": true, "command_timeout": 300});
        let (prompts, config) = prompts(own);
        let text = prompts
            .render("task", &config.instance_template, &Map::new())
            .unwrap();
        assert!(text.contains("send_message agent1 <<'MSG'"), "{text}");
        assert!(text.contains("git push origin agent2"), "{text}");
    }

    #[test]
    fn a_long_output_shows_head_and_tail_and_how_much_is_missing() {
        let (prompts, config) = prompts(json!({}));
        let render = |output: &str| {
            let output = json!({"output": output, "returncode": 1, "exception_info": ""});
            let more = vars(json!({"output": output}));
            prompts
                .render("observation", &config.observation_template, &more)
                .unwrap()
        };
        let long = render(&format!("{}é{}", "a".repeat(6000), "b".repeat(6000)));
        let parsed: Value = serde_json::from_str(&long).unwrap();
        assert_eq!(parsed["elided_chars"], 2001);
        assert_eq!(parsed["output_tail"], "b".repeat(5000));
        let short = render("<é>");
        assert!(short.contains(r#""\u003c\u00e9\u003e""#), "{short}");
        assert!(serde_json::from_str::<Value>(&short).is_ok(), "{short}");
    }

    #[test]
    fn an_unknown_name_is_an_error_that_says_where() {
        let (prompts, _) = prompts(json!({}));
        let error = prompts
            .render("system", "{{ nobody }}", &Map::new())
            .unwrap_err();
        assert!(error.to_string().contains("system template"), "{error}");
    }
}
