//! Templates, rendered as Jinja would.

use std::fmt::Write as _;
use std::io;
use std::sync::LazyLock;

use minijinja::value::{Serde, merge_maps};
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value, json};

use super::config::AgentConfig;

/// Jinja with our filter; one for all agents, as making it costs more than rendering.
static JINJA: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut jinja = Environment::new();
    // As upstream renders: a name that is not there is an error, not nothing.
    jinja.set_undefined_behavior(UndefinedBehavior::Strict);
    jinja.set_fuel(Some(FUEL));
    jinja.add_filter("tojson", |value: &minijinja::Value| to_json(value));
    jinja
});

/// The most that one rendering may do, in minijinja's units: an instruction, or 64 bytes that are
/// made or looked at. So it takes tenths of a second and 64 MB at most, on the thread that runs all
/// agents. Our templates need some 10,000 for the longest output that a command keeps.
const FUEL: u64 = 1_000_000;

/// The most bytes that a template may come to: four times what the largest context windows of
/// today hold (a million tokens have some 4 MB).
const LONGEST: usize = 16 << 20;

/// Renders an agent's templates, with the variables that stay the same for all of them.
#[derive(Debug)]
pub struct Prompts {
    vars: minijinja::Value,
}

/// A template that cannot be rendered: the configuration's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {template} template: {why}")]
pub struct TemplateError {
    /// The template's name in messages: `system`, `instance`, `observation` or `format error`.
    pub template: &'static str,
    /// Jinja's message, or which of our bounds the template passed.
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
        within_bounds(template, vars).map_err(|error| TemplateError {
            template: name,
            why: why(&error),
        })
    }
}

fn within_bounds(template: &str, vars: minijinja::Value) -> Result<String, minijinja::Error> {
    let mut text = Bounded(Vec::new());
    JINJA
        .template_from_str(template)?
        .render_captured_to(vars, &mut text)?;
    // Jinja writes text alone.
    Ok(String::from_utf8_lossy(&text.0).into_owned())
}

/// Jinja's words, with the bounds that are ours.
fn why(error: &minijinja::Error) -> String {
    match error.kind() {
        ErrorKind::OutOfFuel => format!(
            "it does too much: more than {FUEL} steps, or pieces of 64 bytes ({error}); loop over less"
        ),
        ErrorKind::WriteFailure => format!(
            "it comes to more than {} MB, which no model reads",
            LONGEST >> 20
        ),
        _ => error.to_string(),
    }
}

/// Takes text up to [`LONGEST`].
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Renders the templates of a configuration with examples of all that they may name, before
/// anything is paid for: alone and in a pair, after a short command and after the longest output.
///
/// What depends on the values of a trial, such as a name that is only there in some, is left to it.
pub fn rehearse(config: &AgentConfig) -> Result<(), TemplateError> {
    let outputs = ["", &"x".repeat(LONGEST_OUTPUT)];
    for (is_pair, output) in [(false, outputs[0]), (true, outputs[1])] {
        let own = json!({
            "task": "a task", "agent_id": is_pair.then_some("agent1"),
            "agents": if is_pair { vec!["agent1", "agent2"] } else { vec!["solo"] },
            "messaging_enabled": is_pair, "git_enabled": is_pair,
            "command_timeout": 1, "timeout": 1, "cwd": "/", "system": "", "node": "",
            "release": "", "version": "", "machine": "", "n_model_calls": 0, "model_cost": 0.0,
            "error": "an error", "actions": [],
            "output": {"output": output, "returncode": 0, "exception_info": ""},
        });
        let vars = || -> minijinja::Value {
            let own: minijinja::Value = Serde(&own).into();
            merge_maps([own, Serde(config.template_vars()).into()])
        };
        for (name, template) in [
            ("system", &config.system_template),
            ("instance", &config.instance_template),
            ("observation", &config.observation_template),
            ("format error", &config.format_error_template),
        ] {
            match within_bounds(template, vars()) {
                Err(error) if is_the_templates(error.kind()) => {
                    return Err(TemplateError {
                        template: name,
                        why: why(&error),
                    });
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// What is kept of a command's output at most, in bytes.
const LONGEST_OUTPUT: usize = 200_000;

/// Whether an error is there whatever the variables are.
const fn is_the_templates(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::OutOfFuel
            | ErrorKind::WriteFailure
            | ErrorKind::SyntaxError
            | ErrorKind::UnknownFilter
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownTest
            | ErrorKind::TemplateNotFound
    )
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

    /// Templates that would take hours or all memory, each in another way.
    const ENDLESS: [&str; 16] = [
        "{% for a in range(100000) %}{% for b in range(100000) %}{{ b }}{% endfor %}{% endfor %}",
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 10000000000 }}",
        "{{ (['x'] * 1000000000)|length }}",
        "{% set a = 'x' * 50000000 %}{{ (a ~ a ~ a ~ a)|length }}",
        "{{ '%2000000000d'|format(1) }}",
        "{{ '%.2000000000f'|format(1.0) }}",
        "{{ 'x'|indent(2000000000, true) }}",
        "{{ range(99999)|list|pprint }}{{ range(99999)|map('string')|join('x' * 1000000) }}",
        "{{ range(99999)|map('string')|join('x' * 100000) }}",
        "{{ 'xx'|replace('x', 'y' * 50000000)|length }}",
        "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}",
        "{% set n = namespace(s='x') %}{% for a in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
        "{{ range(99999)|batch(1)|map('batch', 1)|list|tojson * 100 }}",
        "{% for a in range(99999) %}{{ range(99999)|sum }}{% endfor %}",
        "{% for a in range(99999) %}{{ range(99999)|list|sort|reverse|first }}{% endfor %}",
    ];

    #[test]
    fn a_template_that_does_too_much_is_ended_and_says_so() {
        let (prompts, _) = prompts(json!({}));
        for template in ENDLESS {
            let error = prompts
                .render("system", template, &Map::new())
                .expect_err(template);
            assert!(error.to_string().starts_with("the system template: "));
        }
        let nested = prompts.render("system", ENDLESS[0], &Map::new());
        let why = nested.unwrap_err().why;
        assert!(
            why.starts_with("it does too much: more than 1000000 steps"),
            "{why}"
        );
    }

    #[test]
    fn the_rehearsal_finds_in_each_template_what_would_break_every_trial() {
        assert_eq!(rehearse(&AgentConfig::default()), Ok(()));
        let broken = |template: &str| {
            let template = template.to_owned();
            [
                AgentConfig {
                    system_template: template.clone(),
                    ..AgentConfig::default()
                },
                AgentConfig {
                    instance_template: template.clone(),
                    ..AgentConfig::default()
                },
                AgentConfig {
                    observation_template: template.clone(),
                    ..AgentConfig::default()
                },
                AgentConfig {
                    format_error_template: template,
                    ..AgentConfig::default()
                },
            ]
            .map(|config| rehearse(&config).map_err(|error| error.template))
        };
        for template in [
            ENDLESS[0],
            ENDLESS[2],
            "{% if %}",
            "{{ 1|nofilter }}",
            "{{ nofn() }}",
        ] {
            let names = ["system", "instance", "observation", "format error"];
            assert_eq!(broken(template), names.map(Err), "{template}");
        }
        let of_output =
            "{% for c in output.output %}{% for d in output.output %}{% endfor %}{% endfor %}";
        assert_eq!(broken(of_output)[2], Err("observation"));
        assert_eq!(broken("{{ only_in_a_trial }}"), [Ok(()); 4]);
    }

    #[test]
    fn a_long_prompt_within_the_bounds_is_rendered() {
        let (prompts, _) = prompts(json!({"task": "t".repeat(4 << 20)}));
        let text = prompts.render("instance", "{{ task }}", &Map::new());
        assert_eq!(text.unwrap().len(), 4 << 20);
    }
}
