//! Whether a refusal speaks of a server that broke, or had no room: what else it says is about the
//! server then. "Out of memory while loading the model with context length 131072" is no
//! conversation that is too long, and a moderation that cannot be reached has filtered nothing.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::family::{any, is_in};

/// Whether a text says that the server broke, or one that it depends on.
pub(super) fn is_told(said: &str) -> bool {
    is_in(&BROKEN, said)
}

/// Whether what a text calls unreadable is a server's response and not what a model wrote. What it
/// shows of that comes last, and is the model's.
pub(super) fn is_of_a_servers_response(said: &str) -> bool {
    let end = SHOWN.find(said.as_bytes());
    let told = end.map_or(said.as_bytes(), |shown| &said.as_bytes()[..shown.start()]);
    RESPONSE.is_match(told)
}

static BROKEN: LazyLock<Regex> = LazyLock::new(|| {
    any(&[
        // Memory and disks.
        r"\bout[ _]of (?:\w+ )?memory\b|\bOOM\b|\bOutOf\w*Memory|\b(?:cuda|hip)(?:Malloc|[ _]error)|\bMemoryError\b|\bmemory limit\b",
        r"\b(?:failed|failure|unable|could not|cannot|can't) (?:to )?(?:allocate|reserve)\b|\b(?:not enough|insufficient) (?:\w+ )?(?:memory|system resources)\b",
        r"\bno space left\b|\bdisk (?:is )?full\b",
        // Quotas of machines are not an account's.
        r"\b(?:disk|resource|worker|storage|memory|cpu|gpu) quota\b|\bquota\b[^.\n]{0,40}\b(?:pods?|replicas?|namespaces?|workers?|gpus?)\b|\bflow[ -]control",
        // Programs.
        r"\b(?:process|runner|worker|engine|pod|container|server|sequence|instance|replica)s?:? (?:\w+ ){0,3}?(?:terminated|crashed|died|exited|evicted|preempted|restart(?:ed|ing)|dead|shut(?:ting)? down)\b|\bcrashed\b",
        r"\b(?:is|are|still|currently|being|while|when) loading\b|\b(?:failed|failure|unable) to load\b|\b(?:error|failure) loading\b|\bloading (?:the )?model\b|\bnot (?:yet )?(?:been )?loaded\b",
        r"\b(?:service|backend|worker|engine) (?:\w+ )?failed\b|\b(?:moderation|guardrails?|filter\w*|safety|inspection)\b[^.\n]{0,20}\b(?:service|server|endpoint|api|client|backend|provider)\b[^.\n]{0,30}\b(?:errors?|failed|failure|returned|responded|down|crashed)\b",
        // Time.
        r"\btook too long\b|\btim(?:ed|ing) out\b|\bdeadline[ _]exceeded\b|\b(?:request|connect(?:ion)?|read|gateway|upstream|proxy) time-?out\b|\btime-?out (?:while|connecting|waiting|reading|after|error|exceeded|expired)\b",
        // The way there.
        r"\b(?:temporarily|currently|momentarily) unavailable\b|\b(?:service|server|endpoint|model|backend|engine|provider|moderation|guardrail|filter) (?:\w+ ){0,2}?unavailable\b|\bunreachable\b",
        r"\b(?:could not|cannot|can't|couldn't) (?:be )?(?:reach|connect|contact)(?:ed)?\b|\b(?:failed|unable|failure) to (?:reach|connect|contact)\b",
        r"\bconnect(?:ion)? (?:was |is )?(?:refused|reset|closed|error|aborted|lost|broken?|terminated|failed)\b|\bbroken pipe\b|\bhung up\b|\bECONN[A-Z]+\b|\bno such host\b|\breset before headers\b",
        // Others before it.
        r"\bin[ -]flight\b|\bin the (?:queue|batch)\b|\b(?:queue|batch) (?:is )?full\b|\bbeing processed\b|\boverloaded\b|\bat (?:full )?capacity\b|\b(?:is|are|too|currently) busy\b",
    ])
});

static RESPONSE: LazyLock<Regex> = LazyLock::new(|| {
    any(&[
        r"\b(?:responses?|reply|output|answer|body) (?:of|from) (?:the |an? )?(?:\w+ )?(?:upstream|worker|backend|server|gateway|proxy|process)\b",
        r"\bupstream(?: server)?'?s? (?:response|reply|answer|body)\b|\bbroken pipe\b",
        r"\b(?:tool|function)[ _-]?calls? (?:registry|schemas?|definitions?|templates?|servers?)\b",
    ])
});

/// Where a text shows what could not be read: Ollama's and llama.cpp's.
static SHOWN: LazyLock<Regex> = LazyLock::new(|| any(&[r#"\braw ?= ?|\bat pos \d+:|\{ ?"|<\w"#]));

#[cfg(test)]
mod tests {
    use super::super::words::RefusalWords;
    use super::*;

    #[test]
    fn a_server_that_broke_is_told_from_what_it_was_asked() {
        for text in [
            "llama_kv_cache_init: failed to allocate buffer for kv cache (n_ctx = 65536)",
            "torch.OutOfMemoryError: CUDA out of memory",
            "The conversation took too long to process; please try again",
            "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
            "Batch is full: 120000 tokens over the maximum of 98304 tokens in the queue",
            "engine restarted: kv cache blocks exhausted, sequence preempted: context full",
            "upstream connect error; reset before headers. message: request too large for buffer",
            "The tokenizer service failed: input exceeded retries",
            "The content safety service returned an error",
            "no more credits available for connection (HTTP/2 flow control)",
            "worker quota exceeded: all replicas are busy",
            "pod evicted: exceeded quota: gpu, requested: 1, used: 8, limited: 8",
        ] {
            assert!(is_told(text), "{text}");
        }
        for text in [
            "The model is loaded with context length of only 4096 tokens; load it with a larger one",
            "Upstream error from Quay: This model's maximum context length is 40960 tokens",
            "Your prompt was blocked by our content filter",
            "the request exceeds the available context size. try increasing the context size",
            "You exceeded your current quota, please check your plan and billing details",
            "the prompt does not fit into the KV cache",
        ] {
            assert!(!is_told(text), "{text}");
        }
    }

    #[test]
    fn what_a_model_wrote_is_not_its_servers_response() {
        for text in [
            "Failed to parse output from worker process: Broken pipe",
            "error parsing function call registry: no such file",
            "could not parse tool call: the upstream server's response is HTML",
        ] {
            assert!(!RefusalWords::FailedToolCall.are_in(text), "{text}");
        }
        for text in [
            r#"error parsing tool call: raw='{"command": "grep 'response from server' log"}', err=EOF"#,
            "Failed to parse input at pos 14: <tool_call> echo broken pipe",
            "XML syntax error on line 3: unexpected EOF",
        ] {
            assert!(RefusalWords::FailedToolCall.are_in(text), "{text}");
        }
    }
}
