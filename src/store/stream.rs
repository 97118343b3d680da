//! `agent<number>_stream.jsonl`: what the program of an agent printed. Claude Code and Codex write an
//! event a line, and say in it how they ended; upstream keeps the file and drops that.

use serde_json::Value;

use super::PairDir;
use super::words::{Author, Words};
use crate::files;

/// The most of a stream that is read, from its end: what ended the agent stands in the last lines,
/// and the files of a study have gigabytes.
const MOST: u64 = 64 << 10;

/// How an agent's own stream says that it ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamEnd {
    /// What it says of an error, the most trustworthy first.
    pub words: Vec<Words>,
    /// Whether it says how the agent ended, so that nobody else need be asked.
    pub is_told: bool,
}

/// Reads the end of an agent's stream; nothing is said where there is none that can be read.
#[must_use]
pub fn read(dir: &PairDir, agent: &str) -> StreamEnd {
    for (kind, parse) in [("jsonl", of_events as fn(&str, &str) -> _), ("log", of_log)] {
        let Some(path) = dir.stream(agent, kind) else {
            continue;
        };
        let tail = files::read_last(&path, MOST).unwrap_or_default();
        if tail.is_empty() {
            continue;
        }
        let text = String::from_utf8_lossy(&tail);
        // Of a longer file the first line is half a line.
        let is_cut = tail.len() as u64 == MOST;
        let whole = match text.split_once('\n') {
            _ if !is_cut => &text,
            Some((_, rest)) => rest,
            None => "",
        };
        return parse(whole, &format!("{agent}_stream.{kind}"));
    }
    StreamEnd::default()
}

/// What the last lines of a stream hold.
#[derive(Default)]
struct Seen {
    /// Claude Code's last `result` that is an error.
    result: Option<Value>,
    /// A limit of the account that refused a call.
    limit: Option<String>,
    /// The last message that the program wrote in its model's place.
    synthetic: Option<String>,
    /// The last failed call that was to be tried again, with nothing after it.
    retry: Option<(Option<u16>, String)>,
    /// Codex's `turn.failed`, and its last `error`.
    failed: Option<String>,
    error: Option<String>,
    /// The last line that is no event: the program's complaint before it could write any.
    plain: Option<String>,
    has_events: bool,
    is_ended: bool,
}

fn of_events(text: &str, file: &str) -> StreamEnd {
    let mut seen = Seen::default();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match serde_json::from_str::<Value>(line) {
            Ok(event) if event.is_object() => seen.take_in(&event),
            // A line that was cut off is nobody's complaint.
            _ if line.starts_with('{') => {}
            _ => seen.plain = Some(line.to_owned()),
        }
    }
    seen.into_end(file)
}

impl Seen {
    fn take_in(&mut self, event: &Value) {
        self.has_events = true;
        match event["type"].as_str().unwrap_or_default() {
            "result" => {
                let subtype = event["subtype"].as_str().unwrap_or("success");
                if event["is_error"] == true || subtype != "success" {
                    self.result = Some(event.clone());
                }
                self.is_ended = true;
            }
            "assistant" => {
                self.retry = None;
                if event["message"]["model"] == "<synthetic>" || event["error"].is_string() {
                    self.synthetic = Some(blocks(&event["message"]["content"]));
                }
            }
            "system" if event["subtype"] == "api_retry" => {
                let why = event["error"].as_str().unwrap_or("a call failed");
                self.retry = Some((status(&event["error_status"]), why.to_owned()));
            }
            "rate_limit_event" => {
                let info = &event["rate_limit_info"];
                if info["status"] == "rejected" {
                    self.limit = Some(limit(info));
                }
            }
            "turn.completed" => self.is_ended = true,
            "turn.failed" => {
                self.is_ended = true;
                self.failed = text_of(&event["error"]["message"]);
            }
            "error" => self.error = text_of(&event["message"]),
            _ => {}
        }
    }

    fn into_end(self, file: &str) -> StreamEnd {
        let mut words = Vec::new();
        let client =
            |what: &str, text: String| Words::new(format!("{file} ({what})"), text, Author::Client);
        if let Some(result) = &self.result {
            words.push(self.of_result(result, file));
        }
        words.extend(self.failed.map(|text| client("turn.failed", text)));
        words.extend(self.error.map(|text| client("error", text)));
        if self.result.is_none() {
            let synthetic = self.synthetic.filter(|text| !text.is_empty());
            words.extend(synthetic.map(|text| client("assistant, <synthetic>", text)));
            words.extend(self.limit.map(|text| client("rate_limit_event", text)));
            if let Some((status, why)) = self.retry {
                let mut last = client("api_retry", format!("{why}, to be tried again"));
                last.status = status;
                words.push(last);
            }
        }
        // Beside events a line may be anybody's.
        let author = if self.has_events {
            Author::Agent
        } else {
            Author::Client
        };
        let plain = self.plain.filter(|_| !self.is_ended);
        words.extend(plain.map(|text| Words::new(format!("{file} (last line)"), text, author)));
        StreamEnd {
            words,
            is_told: self.is_ended,
        }
    }

    /// The words of a `result` event. The model has no say in its fields; the text is the program's
    /// where one of them says so.
    fn of_result(&self, result: &Value, file: &str) -> Words {
        let status = status(&result["api_error_status"]);
        let is_clients = status.is_some()
            || self.synthetic.is_some()
            || result["terminal_reason"] == "api_error";
        let source = match status {
            Some(status) => format!("{file} (result, api_error_status {status})"),
            None => format!("{file} (result)"),
        };
        let errors = result["errors"].as_array().into_iter().flatten();
        let errors: Vec<&str> = errors.filter_map(Value::as_str).collect();
        let said = text_of(&result["result"])
            .or_else(|| Some(errors.join("; ")).filter(|text| !text.is_empty()))
            .or_else(|| self.synthetic.clone().filter(|text| !text.is_empty()));
        let mut text = said.unwrap_or_else(|| match status {
            Some(status) => format!("a call was answered with status {status}"),
            None => format!(
                "ended with {}",
                result["subtype"].as_str().unwrap_or("an error")
            ),
        });
        // A time of day in words is one of the agent's machine, unless a zone stands beside it.
        if let Some(limit) = &self.limit
            && !(text.contains("reset") && text.contains('('))
        {
            text = format!("{text} · {limit}");
        }
        let author = if is_clients {
            Author::Client
        } else {
            Author::Agent
        };
        let words = Words::new(source, text, author);
        Words {
            status: status.or(words.status),
            ..words
        }
    }
}

/// Codex without events: its last line that says `ERROR`, among the last ones.
fn of_log(text: &str, file: &str) -> StreamEnd {
    const NEAR: usize = 10;
    let lines = text.lines().rev().map(str::trim);
    let last = lines
        .filter(|line| !line.is_empty())
        .take(NEAR)
        .find_map(|line| {
            let (head, rest) = line.split_once(": ")?;
            head.trim_start_matches('■')
                .trim()
                .eq_ignore_ascii_case("error")
                .then_some(rest)
        });
    StreamEnd {
        words: last
            .map(|text| Words::new(format!("{file} (last error)"), text, Author::Agent))
            .into_iter()
            .collect(),
        is_told: false,
    }
}

fn text_of(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// An HTTP status that means an error.
fn status(value: &Value) -> Option<u16> {
    let number = u16::try_from(value.as_u64()?).ok()?;
    (400..600).contains(&number).then_some(number)
}

/// The text blocks of a message's content.
fn blocks(content: &Value) -> String {
    if let Some(text) = content.as_str() {
        return text.trim().to_owned();
    }
    let blocks = content.as_array().into_iter().flatten();
    let texts: Vec<&str> = blocks.filter_map(|block| block["text"].as_str()).collect();
    texts.join("\n").trim().to_owned()
}

/// A limit in words, with the moment at which it ends where that is told.
fn limit(info: &Value) -> String {
    let kind = info["rateLimitType"].as_str().unwrap_or("account");
    let at = info["resetsAt"].as_i64();
    match at.and_then(|at| jiff::Timestamp::from_second(at).ok()) {
        Some(at) => format!("{kind} limit, resets at {at}"),
        None => format!("{kind} limit"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(lines: &[&str]) -> StreamEnd {
        of_events(&lines.join("\n"), "agent1_stream.jsonl")
    }

    #[test]
    fn the_fields_of_a_result_come_before_all_words() {
        let found = end(&[
            r#"{"type":"assistant","message":{"model":"m","content":[{"type":"text","text":"I work"}]}}"#,
            r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":401,"result":"No entry."}"#,
            r#"{"type":"system","subtype":"task_updated"}"#,
        ]);
        assert!(found.is_told);
        let [words] = &found.words[..] else {
            panic!("{found:?}")
        };
        assert_eq!(words.status, Some(401));
        assert_eq!(words.author, Author::Client);
        assert_eq!(
            words.source,
            "agent1_stream.jsonl (result, api_error_status 401)"
        );
    }

    #[test]
    fn a_result_that_nothing_vouches_for_may_be_the_agents() {
        let found = end(&[
            r#"{"type":"result","subtype":"error_during_execution","is_error":true,"result":"The server said 401."}"#,
        ]);
        assert_eq!(found.words[0].author, Author::Agent);
        let found = end(&[r#"{"type":"result","subtype":"error_during_execution"}"#]);
        assert_eq!(found.words[0].text, "ended with error_during_execution");
    }

    #[test]
    fn an_agent_that_finished_says_nothing() {
        let found = end(&[
            r#"{"type":"result","subtype":"success","is_error":false,"result":"API Error: 401 {}"}"#,
        ]);
        assert_eq!((found.words.len(), found.is_told), (0, true));
        let found = end(&[r#"{"type":"turn.completed","usage":{}}"#]);
        assert_eq!((found.words.len(), found.is_told), (0, true));
    }

    #[test]
    fn a_refused_limit_gives_its_moment() {
        let found = end(&[
            r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1783656000,"rateLimitType":"five_hour"}}"#,
            r#"{"type":"result","is_error":true,"api_error_status":429,"result":"No more today"}"#,
        ]);
        assert_eq!(
            found.words[0].text,
            "No more today · five_hour limit, resets at 2026-07-10T04:00:00Z"
        );
    }

    #[test]
    fn codex_says_how_a_turn_failed_and_a_killed_program_what_it_waited_for() {
        let found = end(&[
            r#"{"type":"error","message":"Reconnecting... 1/5"}"#,
            r#"{"type":"turn.failed","error":{"message":"unexpected status 401 Unauthorized: no"}}"#,
        ]);
        assert_eq!(found.words[0].status, Some(401));
        let found = end(&[
            r#"{"type":"system","subtype":"api_retry","error_status":529,"error":"overloaded"}"#,
            r#"{"type":"assist"#,
        ]);
        assert_eq!((found.words[0].status, found.is_told), (Some(529), false));
    }

    #[test]
    fn a_program_that_never_began_is_heard_and_noise_is_not() {
        let found = end(&["bash: line 1: codex: command not found"]);
        assert_eq!(found.words[0].author, Author::Client);
        for noise in ["{", "[1,2]\n{\"type\":7}", "{\"type\":\"result\"", "null"] {
            let found = of_events(noise, "f");
            assert!(found.words.iter().all(|words| words.status.is_none()));
        }
    }

    #[test]
    fn of_a_log_the_last_error_near_its_end_counts() {
        let found = of_log(
            "ERROR: old\nwork\nERROR: Quota exceeded.\ntokens used: 7\n",
            "f",
        );
        assert_eq!(found.words[0].text, "Quota exceeded.");
        let far = format!("ERROR: old\n{}", "work\n".repeat(20));
        assert_eq!(of_log(&far, "f"), StreamEnd::default());
    }
}
