//! `agent<number>_stream.jsonl` and its like: what the program of an agent printed. Claude Code and
//! Codex write an event a line, and say in it how they ended; upstream keeps the file and drops that.

mod answers;
mod ended;

use std::path::Path;

use serde_json::Value;

pub use answers::{Answers, answers};
pub use ended::{LastEvent, ended};

use super::words::{Author, KnownText, status};
use super::{PairDir, aside};
use crate::files;
use crate::json;

/// The most of a stream that is read, from its end: what ended the agent stands in the last lines,
/// and the files of a study have gigabytes.
const MOST: u64 = 64 << 10;

/// How an agent's own stream says that it ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamEnd {
    /// What it says of an error, the most trustworthy first.
    pub words: Vec<KnownText>,
    /// Whether it says how the agent ended, so that nobody else need be asked.
    pub is_told: bool,
}

/// A program's files, in the order in which they are asked, with how each is read.
const FILES: [(&str, Parse); 3] = [
    ("stream.jsonl", of_events),
    ("session.jsonl", of_events),
    ("stream.log", of_log),
];

type Parse = fn(&str, &str) -> StreamEnd;

/// Reads the end of an agent's stream, or of what else its program left; nothing is said where there
/// is none that can be read.
#[must_use]
pub fn read(dir: &PairDir, agent: &str) -> StreamEnd {
    let mut end = StreamEnd::default();
    for (what, parse) in FILES {
        let found = dir
            .of_program(agent, what)
            .and_then(|path| Some((tail(dir, &path)?, path)));
        if let Some((tail, path)) = found {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let more = parse(&tail, &name);
            end.words.extend(more.words);
            end.is_told |= more.is_told;
        }
        if end.is_told || !end.words.is_empty() {
            break;
        }
    }
    end
}

/// The whole lines at a file's end.
fn tail(dir: &PairDir, path: &Path) -> Option<String> {
    let bytes = files::read_last(path, MOST).ok()?;
    if bytes.is_empty() || is_anothers(dir, path, &bytes) {
        return None;
    }
    let text = String::from_utf8_lossy(&bytes);
    // Of a longer file the first line is half a line.
    let is_cut = bytes.len() as u64 == MOST;
    let whole = match text.split_once('\n') {
        _ if !is_cut => &text,
        Some((_, rest)) => rest,
        None => "",
    };
    Some(whole.to_owned())
}

/// Whether a file of an agent's program is of a trial that was set aside.
#[must_use]
pub fn is_of_another_trial(dir: &PairDir, path: &Path) -> bool {
    files::read_last(path, MOST).is_ok_and(|tail| !tail.is_empty() && is_anothers(dir, path, &tail))
}

/// Whether a file is of a trial that was set aside: one that runs again writes its own late, and not
/// at all where it breaks before its program runs.
fn is_anothers(dir: &PairDir, path: &Path, tail: &[u8]) -> bool {
    let name = path.file_name().unwrap_or_default();
    let others = aside::kept(dir).unwrap_or_default();
    others.iter().any(|other| {
        let copy = dir.aside().join(&other.name).join(name);
        files::read_last(&copy, MOST).is_ok_and(|copy| copy == tail)
    })
}

/// What the last lines of a stream hold.
#[derive(Default)]
struct Seen {
    /// Claude Code's last `result` that is an error.
    result: Option<Value>,
    /// A limit of the account that refused a call.
    limit: Option<String>,
    /// The last message that the program wrote in its model's place, with its status.
    synthetic: Option<(Option<u16>, String)>,
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
        match json::of_text::<Value>(line) {
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
                } else {
                    self.take_back();
                    self.synthetic = None;
                }
                self.is_ended = true;
            }
            "assistant" => {
                let text = blocks(&event["message"]["content"]);
                let is_programs = event["message"]["model"] == "<synthetic>"
                    || event["isApiErrorMessage"] == true;
                if is_programs {
                    self.retry = None;
                } else {
                    self.take_back();
                }
                // What comes after it takes it back.
                self.synthetic = (is_programs && !text.is_empty())
                    .then(|| (status(&event["apiErrorStatus"]), text));
            }
            "system" if event["subtype"] == "api_retry" => {
                let why = event["error"].as_str().unwrap_or("a call failed");
                self.retry = Some((status(&event["error_status"]), why.to_owned()));
            }
            "rate_limit_event" => {
                let info = &event["rate_limit_info"];
                self.limit = (info["status"] == "rejected").then(|| limit(info));
            }
            "turn.completed" => {
                self.take_back();
                self.is_ended = true;
            }
            "turn.failed" => {
                self.is_ended = true;
                self.failed = error_of(event);
            }
            "error" => self.error = text_of(&event["message"]).or_else(|| error_of(event)),
            // Codex's items of this type are warnings; all others are work.
            kind if kind.starts_with("item.") && event["item"]["type"] != "error" => {
                self.take_back();
            }
            _ => {}
        }
    }

    /// The program went on: what it said before did not end it.
    fn take_back(&mut self) {
        self.result = None;
        self.limit = None;
        self.retry = None;
        self.failed = None;
        self.error = None;
        self.is_ended = false;
    }

    fn into_end(self, file: &str) -> StreamEnd {
        let mut words = Vec::new();
        let client = |what: &str, text: String| {
            KnownText::new(format!("{file} ({what})"), text, Author::Client)
        };
        if let Some(result) = &self.result {
            words.push(self.of_result(result, file));
        }
        words.extend(self.failed.map(|text| client("turn.failed", text)));
        words.extend(self.error.map(|text| client("error", text)));
        if self.result.is_none() {
            words.extend(self.synthetic.map(|(status, text)| {
                let mut words = client("assistant, <synthetic>", text);
                words.status = status.or(words.status);
                words
            }));
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
        words.extend(plain.map(|text| KnownText::new(format!("{file} (last line)"), text, author)));
        StreamEnd {
            words,
            is_told: self.is_ended,
        }
    }

    /// The words of a `result` event. The model has no say in its fields; the text is the program's
    /// where one of them says so.
    fn of_result(&self, result: &Value, file: &str) -> KnownText {
        let status = status(&result["api_error_status"]);
        let subtype = result["subtype"].as_str().unwrap_or("an error");
        // The agent's own limit, whatever else is said.
        let is_limit = subtype.starts_with("error_max_");
        let is_clients = status.is_some()
            || is_limit
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
            .or_else(|| Some(self.synthetic.as_ref()?.1.clone()));
        let mut text = said.unwrap_or_else(|| match status {
            Some(status) => format!("a call was answered with status {status}"),
            None => format!("ended with {subtype}"),
        });
        if is_limit {
            text = format!("ended with {subtype}");
        }
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
        let words = KnownText::new(source, text, author);
        KnownText {
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
            .map(|text| KnownText::new(format!("{file} (last error)"), text, Author::Agent))
            .into_iter()
            .collect(),
        is_told: false,
    }
}

fn text_of(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// What an event says of an error: in an object, or as it stands.
fn error_of(event: &Value) -> Option<String> {
    text_of(&event["error"]["message"]).or_else(|| text_of(&event["error"]))
}

/// The text blocks of a message's content.
#[must_use]
pub fn blocks(content: &Value) -> String {
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
        let found = end(&[
            r#"{"type":"result","subtype":"error_max_turns","is_error":true,"errors":["Turns: 9"],"result":"I saw a 401"}"#,
        ]);
        assert_eq!(found.words[0].text, "ended with error_max_turns");
        assert_eq!(found.words[0].author, Author::Client);
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
        // As a text in place of an object, and with its provider's event inside.
        for event in [
            r#"{"type":"turn.failed","error":"unexpected status 401 Unauthorized: no"}"#,
            r#"{"type":"error","error":"unexpected status 401 Unauthorized: no"}"#,
            r#"{"type":"error","message":"{\"type\":\"error\",\"status\":401}"}"#,
            r#"{"type":"result","is_error":true,"api_error_status":"401"}"#,
        ] {
            assert_eq!(end(&[event]).words[0].status, Some(401), "{event}");
        }
        let found = end(&[
            r#"{"type":"system","subtype":"api_retry","error_status":529,"error":"overloaded"}"#,
            r#"{"type":"assist"#,
        ]);
        assert_eq!((found.words[0].status, found.is_told), (Some(529), false));
    }

    #[test]
    fn a_session_has_the_programs_message_and_what_follows_takes_it_back() {
        let error = r#"{"type":"assistant","isApiErrorMessage":true,"apiErrorStatus":429,"message":{"content":[{"type":"text","text":"Later."}]}}"#;
        let found = end(&[error, r#"{"type":"last-prompt"}"#]);
        assert_eq!((found.words[0].status, found.is_told), (Some(429), false));
        let answer = r#"{"type":"assistant","message":{"model":"m","content":"I go on"}}"#;
        assert!(end(&[error, answer]).words.is_empty());
    }

    #[test]
    fn what_a_program_said_before_it_went_on_did_not_end_it() {
        let refused = r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","rateLimitType":"seven_day"}}"#;
        let overloaded = r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":529,"result":"Busy"}"#;
        let notice = r#"{"type":"assistant","message":{"model":"<synthetic>","content":"API Error: 529 Busy"}}"#;
        let reconnect = r#"{"type":"error","message":"Reconnecting... 3/5"}"#;
        let failed = r#"{"type":"turn.failed","error":{"message":"unexpected status 401 Unauthorized: none"}}"#;
        let work = r#"{"type":"assistant","message":{"model":"m","content":"On with it"}}"#;
        let item = r#"{"type":"item.completed","item":{"type":"agent_message","text":"Next"}}"#;
        let good = r#"{"type":"result","subtype":"success","is_error":false,"result":"Done"}"#;
        let done = r#"{"type":"turn.completed","usage":{}}"#;
        for (lines, is_told) in [
            (&[refused, work, good][..], true),
            (&[refused, good], true),
            (&[refused, work], false),
            (
                &[
                    refused,
                    r#"{"type":"rate_limit_event","rate_limit_info":{"status":"allowed"}}"#,
                ],
                false,
            ),
            (&[overloaded, work, good], true),
            (&[overloaded, work], false),
            (&[notice, good], true),
            (&[reconnect, item, done], true),
            (&[reconnect, item], false),
            (&[failed, done], true),
        ] {
            let found = end(lines);
            assert_eq!(
                (found.words.len(), found.is_told),
                (0, is_told),
                "{lines:?}"
            );
        }
        // A warning is no work, and a later error counts.
        let warning = r#"{"type":"item.completed","item":{"type":"error","message":"old model"}}"#;
        assert_eq!(end(&[failed, warning]).words[0].status, Some(401));
        assert_eq!(end(&[failed, item, reconnect]).words.len(), 1);
        assert_eq!(end(&[good, overloaded]).words[0].status, Some(529));
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
