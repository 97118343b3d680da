//! The agent configuration that upstream's CLI is given: the user's file, or one that is written for a
//! run because it has to name the endpoint.
//!
//! Upstream lays the file over its agent's defaults, key by key. The user's text is kept as it is and
//! one line is put into it: another reader of YAML than upstream's would take `no` or `1:30` for
//! something else and write that.

use std::path::PathBuf;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::files;
use crate::secret::{is_secret_name, masked_url};

/// A file for `--agent-config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentFile {
    /// The user's own, by its absolute path.
    Users(PathBuf),
    /// One that is written for each run, with this text.
    Written(String),
}

/// Where an endpoint stands in it; litellm takes `base_url` first.
const NAMES: [&str; 2] = ["base_url", "api_base"];

impl AgentFile {
    /// The file for an agent whose configuration is the user's, if there is one, and has to name the
    /// endpoint, if one is given.
    pub fn of(users: Option<PathBuf>, endpoint: Option<&str>) -> Result<Option<Self>> {
        match (users, endpoint) {
            (None, None) => Ok(None),
            (None, Some(url)) => {
                // JSON is YAML, and quotes whatever the URL holds.
                let config = json!({"model": {"model_kwargs": {"api_base": url}}});
                Ok(Some(Self::Written(format!("{config:#}\n"))))
            }
            (Some(path), _) if !path.is_file() => Err(Error::usage(format!(
                "no agent configuration at {}",
                path.display()
            ))
            .hint(
                "name a file with --agent-config (YAML, in mini-swe-agent's form), or leave it out",
            )),
            (Some(path), None) => Ok(Some(Self::Users(path))),
            (Some(path), Some(url)) => Self::of_both(path, url).map(Some),
        }
    }

    fn of_both(path: PathBuf, url: &str) -> Result<Self> {
        let shown = path.display();
        let text = files::read_text(&path).map_err(Error::into_usage)?;
        let yaml =
            parsed(&text).map_err(|why| Error::usage(format!("{shown} is not YAML: {why}")))?;
        let named = endpoints(&yaml);
        let same = |other: &&str| other.trim_end_matches('/') == url.trim_end_matches('/');
        if let Some(other) = named.iter().find(|other| !same(other)) {
            return Err(Error::usage(format!(
                "two endpoints: upstream.api_base is {}, and {shown} names {}",
                masked_url(url),
                masked_url(other)
            ))
            .hint("take the endpoint out of that file, or give api_base the same one"));
        }
        if !named.is_empty() {
            return Ok(Self::Users(path));
        }
        let by_hand = format!("write into {shown}: model: {{model_kwargs: {{api_base: URL}}}}");
        if let Some(key) = secret(&yaml) {
            return Err(Error::usage(format!(
                "{shown} holds a secret ({key}) and no endpoint: a copy with upstream.api_base would be written into the run"
            ))
            .hint("take the secret out of it; api_key_env names the variable that holds the model's key")
            .hint(format!("or make no copy necessary: {by_hand}")));
        }
        match with_endpoint(&text, &yaml, url) {
            Some(text) => Ok(Self::Written(text)),
            None => Err(Error::usage(format!(
                "upstream.api_base cannot be put into {shown}, which its agent takes the endpoint from"
            ))
            .hint(by_hand)),
        }
    }
}

fn parsed(text: &str) -> std::result::Result<Value, String> {
    let yaml: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    match yaml {
        // Nothing but comments.
        Value::Null => Ok(Value::Object(Map::new())),
        Value::Object(_) => Ok(yaml),
        _ => Err("it is no mapping".to_owned()),
    }
}

/// The endpoints that it names: at its top, or below `config`, which upstream lays beneath that.
fn endpoints(yaml: &Value) -> Vec<&str> {
    let places = [Some(yaml), yaml.get("config")];
    let kwargs = places
        .into_iter()
        .flatten()
        .filter_map(|place| place.pointer("/model/model_kwargs"));
    let urls = kwargs.flat_map(|kwargs| NAMES.map(|name| kwargs.get(name).and_then(Value::as_str)));
    urls.flatten()
        .filter(|url| !url.trim().is_empty())
        .collect()
}

/// The name of a text in it that looks like a secret.
fn secret(yaml: &Value) -> Option<&str> {
    let Value::Object(fields) = yaml else {
        let items = yaml.as_array()?;
        return items.iter().find_map(secret);
    };
    fields.iter().find_map(|(key, value)| {
        let name = key.replace('-', "_");
        let is_secret = is_secret_name(&name) || name.eq_ignore_ascii_case("authorization");
        match value {
            Value::String(text) => (is_secret && !text.trim().is_empty()).then_some(key.as_str()),
            other => secret(other),
        }
    })
}

/// The text with the endpoint in it. What it then says is read again: it is the same but for that.
fn with_endpoint(text: &str, yaml: &Value, url: &str) -> Option<String> {
    let entry = format!("api_base: {}", json!(url));
    let model = yaml.get("model").and_then(Value::as_object);
    let has_kwargs = model.is_some_and(|model| model.contains_key("model_kwargs"));
    let candidates = match (model, has_kwargs) {
        (Some(_), true) => below(text, "model_kwargs", &entry),
        (Some(_), false) => below(text, "model", &format!("model_kwargs: {{{entry}}}")),
        (None, _) => at_top(text, &format!("model: {{model_kwargs: {{{entry}}}}}")),
    };
    let mut wanted = yaml.clone();
    let root = wanted.as_object_mut()?;
    let model = root.entry("model").or_insert_with(|| json!({}));
    let kwargs = model.as_object_mut()?.entry("model_kwargs");
    let kwargs = kwargs.or_insert_with(|| json!({})).as_object_mut()?;
    kwargs.insert("api_base".to_owned(), json!(url));
    let mut candidates = candidates.into_iter();
    candidates.find(|text| parsed(text).is_ok_and(|yaml| yaml == wanted))
}

/// The text with an entry in the mapping of a key, wherever such a key seems to stand.
fn below(text: &str, key: &str, entry: &str) -> Vec<String> {
    let mut found = Vec::new();
    let in_braces = format!(r#"\b{key}["']?\s*:\s*\{{"#);
    let in_braces = Regex::new(&in_braces).expect("a key is a word");
    for place in in_braces.find_iter(text) {
        let (before, after) = text.split_at(place.end());
        found.push(format!("{before}{entry}, {after}"));
    }
    let on_lines = format!(r#"(?m)^\s*["']?{key}["']?\s*:[^\S\n]*(?:&\S+[^\S\n]*)?(?:#.*)?\n"#);
    let on_lines = Regex::new(&on_lines).expect("a key is a word");
    for place in on_lines.find_iter(text) {
        let (before, after) = text.split_at(place.end());
        found.push(format!("{before}{}{entry}\n{after}", indentation(after)));
    }
    found
}

/// The text with an entry in its outermost mapping.
fn at_top(text: &str, entry: &str) -> Vec<String> {
    static CONTENT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?m)^[^\S\n]*[^\s#%-]").expect("tested"));
    let mut found = Vec::new();
    if let Some(place) = CONTENT.find(text) {
        let (before, after) = text.split_at(place.start());
        found.push(format!("{before}{}{entry}\n{after}", indentation(after)));
        if let Some(brace) = text.find('{') {
            let (before, after) = text.split_at(brace + 1);
            found.push(format!("{before}{entry}, {after}"));
        }
    }
    found.push(format!("{text}\n{entry}\n"));
    found
}

/// The blanks before the first line that says something.
fn indentation(text: &str) -> &str {
    static BLANKS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?m)^([^\S\n]*)[^\s#]").expect("tested"));
    let found = BLANKS.captures(text).and_then(|found| found.get(1));
    found.map_or("", |blanks| blanks.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://127.0.0.1:1/v1";

    fn of(text: &str) -> Result<AgentFile> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.yaml");
        files::write_atomic(&path, text.as_bytes()).unwrap();
        Ok(AgentFile::of(Some(path), Some(URL))?.unwrap())
    }

    #[test]
    fn the_endpoint_comes_into_the_users_text_and_nothing_else_changes() {
        let line = format!("api_base: \"{URL}\"");
        let whole = format!("model: {{model_kwargs: {{{line}}}}}");
        for (text, wanted) in [
            ("", format!("\n{whole}\n")),
            ("# none\n", format!("# none\n\n{whole}\n")),
            (
                "# mine\n---\nagent:\n  step_limit: 9\n  # no\n  quiet: no\n",
                format!("# mine\n---\n{whole}\nagent:\n  step_limit: 9\n  # no\n  quiet: no\n"),
            ),
            (
                "agent:\n  instance_template: |\n    model:\n      a\n",
                format!("{whole}\nagent:\n  instance_template: |\n    model:\n      a\n"),
            ),
            (
                "  agent: {a: 1}\n  b: 2",
                format!("  {whole}\n  agent: {{a: 1}}\n  b: 2"),
            ),
            (
                "{\"agent\": {\"a\": 1}}",
                format!("{{{whole}, \"agent\": {{\"a\": 1}}}}"),
            ),
            (
                "model:\n  # whose\n  observation_template: 'x'\n",
                format!(
                    "model:\n  model_kwargs: {{{line}}}\n  # whose\n  observation_template: 'x'\n"
                ),
            ),
            (
                "model: {}\n",
                format!("model: {{model_kwargs: {{{line}}}, }}\n"),
            ),
            (
                "agent:\n  t: |\n    model_kwargs:\n      no\nmodel:\n    model_kwargs: # all\n        temperature: 0\n",
                format!(
                    "agent:\n  t: |\n    model_kwargs:\n      no\nmodel:\n    model_kwargs: # all\n        {line}\n        temperature: 0\n"
                ),
            ),
            (
                "{\"model\": {\"model_kwargs\": {\"temperature\": 0}}}\n",
                format!("{{\"model\": {{\"model_kwargs\": {{{line}, \"temperature\": 0}}}}}}\n"),
            ),
            // Upstream lays what stands at the top over what `config` holds.
            (
                "config:\n  model:\n    model_kwargs: {temperature: 0}\n",
                format!("{whole}\nconfig:\n  model:\n    model_kwargs: {{temperature: 0}}\n"),
            ),
        ] {
            assert_eq!(of(text).unwrap(), AgentFile::Written(wanted), "{text}");
        }
    }

    #[test]
    fn a_file_that_names_the_same_endpoint_is_passed_on_as_it_is() {
        for (key, wrap) in [("api_base", ""), ("base_url", "config:\n  ")] {
            let text =
                format!("{wrap}model: {{model_kwargs: {{{key}: '{URL}/', api_key: sk-1}}}}\n");
            assert!(matches!(of(&text).unwrap(), AgentFile::Users(_)), "{text}");
        }
    }

    #[test]
    fn another_endpoint_is_refused_with_both_values_and_no_password() {
        for (key, wrap) in [("api_base", "config:\n  "), ("base_url", "")] {
            let other = format!("{key}: 'http://me:hush@host/v1'");
            let error = of(&format!("{wrap}model: {{model_kwargs: {{{other}}}}}\n")).unwrap_err();
            let told = error.to_string();
            assert!(
                told.contains(&format!("upstream.api_base is {URL}, and ")),
                "{told}"
            );
            assert!(told.ends_with("names http://me:****@host/v1"), "{told}");
        }
    }

    #[test]
    fn no_secret_is_copied_and_what_cannot_be_read_is_refused() {
        for (text, why) in [
            (
                "model: {model_kwargs: {api_key: sk-hush}}",
                "holds a secret (api_key)",
            ),
            (
                "model: {model_kwargs: {extra_headers: {Authorization: Bearer hush}}}",
                "holds a secret (Authorization)",
            ),
            (
                "environment: {env: {GH_TOKEN: hush}}",
                "holds a secret (GH_TOKEN)",
            ),
            ("model: [", "is not YAML"),
            ("- a\n", "it is no mapping"),
            ("model: &m {a: 1}\nagent: *m\n", "cannot be put into"),
            (
                "model: {model_kwargs: {api_base: ''}}",
                "cannot be put into",
            ),
        ] {
            let error = of(text).unwrap_err();
            let told = format!("{error} {:?}", error.hints());
            assert!(told.contains(why) && !told.contains("hush"), "{told}");
        }
        // What only has a name like one is a number.
        assert!(of("agent: {compaction_token_trigger: 5}\n").is_ok());
    }
}
