//! The tokens of an agent in a `result.json`, as its framework wrote them.

use serde_json::{Map, Value};

use super::framework::Framework;
use crate::bench::Usage;

/// The counts of one agent; any may be missing.
#[derive(Debug, Default)]
pub struct AgentTokens {
    input: Option<Value>,
    output: Option<Value>,
    cache_read: Option<Value>,
    cache_write: Option<Value>,
    reasoning: Option<Value>,
}

impl AgentTokens {
    /// Those among an agent's fields.
    pub fn of(fields: &Map<String, Value>) -> Self {
        let field = |key| fields.get(key).cloned();
        Self {
            input: field("input_tokens"),
            output: field("output_tokens"),
            cache_read: field("cache_read_tokens"),
            cache_write: field("cache_write_tokens"),
            reasoning: field("reasoning_tokens"),
        }
    }

    /// What they say; `None` where one is missing that must be there, or is none that a trial has.
    pub fn read(&self) -> Option<Usage> {
        let if_given = |value: &Option<Value>| match value {
            None | Some(Value::Null) => Some(0),
            Some(value) => value.as_u64(),
        };
        let used = Usage {
            input_tokens: self.input.as_ref()?.as_u64()?,
            output_tokens: self.output.as_ref()?.as_u64()?,
            cached_tokens: if_given(&self.cache_read)?,
            cache_write_tokens: if_given(&self.cache_write)?,
            reasoning_tokens: if_given(&self.reasoning)?,
        };
        used.believable()
    }

    /// What they say of an agent of another engine's.
    ///
    /// Claude Code counts the cache beside the prompt. Zeros are the form's default and mean that
    /// nobody counted: mini-swe-agent's always are. They are believed only of an agent that may have
    /// had no answer, by a framework that does count.
    pub fn read_of(&self, framework: Option<&str>, may_have_none: bool) -> Option<Usage> {
        let used = self.read()?;
        let framework = Framework::of(framework);
        if used.is_nothing() {
            let counts = framework != Framework::Mini;
            return (counts && may_have_none).then_some(used);
        }
        let is_beside = framework == Framework::Claude;
        let used = used.with_cache_in_prompt(is_beside);
        (used.input_tokens > 0).then_some(used)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(tokens: [u64; 4], framework: &str, may_have_none: bool) -> Option<[u64; 4]> {
        let [input, output, read, write] = tokens;
        let json = json!({"input_tokens": input, "output_tokens": output,
            "cache_read_tokens": read, "cache_write_tokens": write});
        let tokens = AgentTokens::of(json.as_object().unwrap());
        let used = tokens.read_of(Some(framework), may_have_none)?;
        let cache = [used.cached_tokens, used.cache_write_tokens];
        Some([used.input_tokens, used.output_tokens, cache[0], cache[1]])
    }

    #[test]
    fn the_cache_is_counted_among_the_prompt_whoever_counted() {
        for (framework, given, input) in [
            ("claude_code", [2900, 40, 800, 600], 4300),
            ("openhands_sdk", [2900, 40, 800, 600], 2900),
            ("codex", [16, 40, 800, 600], 1416),
        ] {
            let wanted = [input, 40, 800, 600];
            assert_eq!(read(given, framework, false), Some(wanted), "{framework}");
        }
    }

    #[test]
    fn zeros_are_believed_only_where_nothing_may_have_been_used() {
        for (framework, may_have_none, wanted) in [
            ("claude_code", true, Some([0; 4])),
            ("claude_code", false, None),
            ("mini_swe_agent_v2", true, None),
        ] {
            assert_eq!(read([0; 4], framework, may_have_none), wanted);
        }
        assert_eq!(read([0, 40, 0, 0], "codex", false), None);
    }
}
