//! What an HTTP status means by itself, where no words say more.

use std::sync::LazyLock;

use regex::Regex;

use super::{BAD_REQUEST, MALFORMED};
use crate::bench::RuleId;

/// The triage rule of what an endpoint no longer found, or something before it no longer let
/// through, although it had answered the same settings before.
pub(in crate::model) const ROUTE_LOST: RuleId = RuleId::ROUTE_LOST;

/// What became of a request with this status.
///
/// Sources, where none is named: RFC 9110 (HTTP) and RFC 6585. Of 4xx that are not here RFC 9110
/// (15.5) says that the client seems to have erred, and of 5xx (15.6) that the server knows it has.
pub(super) const fn rule_of(status: u16) -> RuleId {
    match status {
        200 => MALFORMED,
        300..=399 => RuleId::REDIRECT,
        // 407: the same of a proxy. 440: a session that ended, IIS's.
        401 | 407 | 440 => RuleId::AUTHENTICATION,
        402 => RuleId::PAYMENT_REQUIRED,
        // 418: RFC 9110 leaves it unused; walls before web servers turn robots away with it.
        // 451: a legal demand (RFC 7725).
        403 | 418 | 451 => RuleId::PERMISSION_DENIED,
        // 410: what was there is gone for good; Hugging Face's of models that it no longer serves.
        404 | 410 => RuleId::UNKNOWN_MODEL,
        // The address takes no POST (405), or another protocol (426; 497 is nginx's for HTTPS).
        405 | 426 | 497 => RuleId::BAD_BASE_URL,
        // 504 and Cloudflare's 524: the gateway had waited long enough; the model may go on.
        408 | 504 | 524 | 598 | 599 => RuleId::TIMEOUT,
        413 => RuleId::REQUEST_TOO_LARGE,
        429 => RuleId::RATE_LIMIT,
        // nginx's and Google's, of a client or a caller that went away.
        499 => RuleId::REQUEST_CANCELLED,
        // 498: Groq's, of a full tier. 529: Anthropic's.
        498 | 503 | 529 => RuleId::OVERLOADED,
        // What the server does not support at all: llama.cpp's of a server for embeddings. 505: this
        // version of HTTP.
        501 | 505 => BAD_REQUEST,
        // 409: a lock that was not had in time, which OpenAI's and Anthropic's SDKs retry.
        // 421: a connection to another server, to be made anew (RFC 9110, 15.5.20).
        // 423: a lock (RFC 4918, 11.3). 425: too early in a connection (RFC 8470, 5.2).
        // 424: a model's server that failed behind the endpoint, Hugging Face's and Bedrock's.
        // 507: a full disk, which RFC 4918 (11.5) takes to be temporary. 520 to 526 and 530:
        // Cloudflare's, of a server behind it that is down, unreachable, or has a broken TLS.
        409 | 421 | 423..=425 | 500..=599 => RuleId::SERVER_ERROR,
        _ => BAD_REQUEST,
    }
}

/// What a refusal means where the endpoint answered the same settings before: they cannot be wrong
/// alone. `None` where it means what it always does.
///
/// Who may ask is the account's end, whenever it is said: a key that expired (401), money that is
/// spent (402), access that was withdrawn (403, 451). So is a model that the endpoint says it no
/// longer has. But a gateway that reloads knows no route for a moment, and one that is being mended
/// answers or sends on with a page of its own.
pub(super) fn later(status: u16, rule: &RuleId, body: &str, said: &str) -> Option<RuleId> {
    // What words decided stays decided.
    if *rule != rule_of(status) {
        return None;
    }
    let passes = match status {
        302 | 303 | 307 | 405 | 426 | 497 => true,
        403 | 418 => is_page(body),
        404 => is_page(body) || !OF_A_MODEL.is_match(said),
        _ => false,
    };
    passes.then_some(ROUTE_LOST)
}

/// Whether a body is a web page: no endpoint of a model writes one.
fn is_page(body: &str) -> bool {
    body.trim_start().starts_with('<')
}

/// Where a 404 speaks of the model, or of something that ended, and not of the address.
static OF_A_MODEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)model|\bdeployment|\bno (?:\w+ )?(?:endpoints|providers)\b|deprecat|retire|decommission|discontinu|sunset|\bshut ?down\b|\bno longer\b|\bend[ -]of[ -]life\b|\bgone\b|模型|下线",
    )
    .expect("tested")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_without_known_words_has_its_own_meaning() {
        for (statuses, rule) in [
            (&[301, 302, 307, 308][..], RuleId::REDIRECT),
            (&[400, 406, 411, 415, 422, 428, 431, 501, 505], BAD_REQUEST),
            (&[401, 407, 440], RuleId::AUTHENTICATION),
            (&[402], RuleId::PAYMENT_REQUIRED),
            (&[403, 418, 451], RuleId::PERMISSION_DENIED),
            (&[404, 410], RuleId::UNKNOWN_MODEL),
            (&[405, 426, 497], RuleId::BAD_BASE_URL),
            (&[408, 504, 524, 598], RuleId::TIMEOUT),
            (&[413], RuleId::REQUEST_TOO_LARGE),
            (&[429], RuleId::RATE_LIMIT),
            (&[498, 503, 529], RuleId::OVERLOADED),
            (&[499], RuleId::REQUEST_CANCELLED),
            (
                &[
                    409, 421, 423, 424, 425, 500, 502, 507, 508, 511, 520, 521, 522, 523, 525, 526,
                    530,
                ],
                RuleId::SERVER_ERROR,
            ),
        ] {
            for status in statuses {
                for body in ["", "<html>no</html>"] {
                    assert_eq!(super::super::rule_of(*status, body), rule, "{status}");
                }
            }
        }
    }

    #[test]
    fn after_answers_a_route_may_be_lost_and_an_account_or_a_model_gone() {
        let page = "<html><title>404 Not Found</title><script>let model = 1;</script></html>";
        for (status, body) in [
            (404, ""),
            (404, page),
            (404, r#"{"detail":"Not Found"}"#),
            (404, "404 page not found"),
            (404, "Cannot POST /v1/chat/completions"),
            (302, ""),
            (307, page),
            (403, page),
            (418, page),
            (405, r#"{"detail":"Method Not Allowed"}"#),
            (426, ""),
        ] {
            let later = super::super::later_of(status, body);
            assert_eq!(later, Some(ROUTE_LOST), "{status} {body}");
        }
        for (status, body) in [
            (301, ""),
            (308, page),
            (401, ""),
            (401, page),
            (402, page),
            (403, ""),
            (403, r#"{"message":"Forbidden"}"#),
            (
                404,
                r#"{"error":{"message":"The model `m` does not exist"}}"#,
            ),
            (404, r#"{"error":{"code":"DeploymentNotFound"}}"#),
            (404, r#"{"message":"m was deprecated on 1 May"}"#),
            (404, r#"{"error":"no endpoints found for m"}"#),
            (410, ""),
            (451, page),
            (400, page),
            (500, page),
        ] {
            let later = super::super::later_of(status, body);
            assert_eq!(later, None, "{status} {body}");
        }
        // Words that say what it is about stand.
        let full = r#"{"error":{"message":"maximum context length is 5"}}"#;
        assert_eq!(super::super::later_of(404, full), None);
    }
}
