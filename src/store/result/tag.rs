//! Our tag in a `result.json`: what else stands there keeps its place and its bytes.

use std::path::Path;

use super::{MAX_BYTES, Tag};
use crate::error::Result;
use crate::files;
use crate::store::keys::{Keys, indented};

/// Writes, replaces or (with `None`) removes our tag; false when it already stood so.
///
/// Every other key keeps its place and its bytes.
pub fn write_tag(path: &Path, tag: Option<&Tag>) -> Result<bool> {
    let Some(old) = files::read_up_to(path, MAX_BYTES)? else {
        return Ok(false);
    };
    let new = tagged(&old, tag).map_err(|error| {
        crate::error::Error::world(format!("cannot tag {}: {error}", path.display()))
    })?;
    if new == old {
        return Ok(false);
    }
    files::write_atomic(path, &new)?;
    Ok(true)
}

/// The keys that are ours.
pub(super) const OURS: [&str; 2] = ["infra_error", "regatta"];

fn tagged(bytes: &[u8], tag: Option<&Tag>) -> serde_json::Result<Vec<u8>> {
    let mut keys = Keys::of(bytes)?;
    let Some(tag) = tag else {
        if OURS.iter().all(|key| keys.get(key).is_none()) {
            return Ok(bytes.to_vec());
        }
        for key in OURS {
            keys.take(key);
        }
        return keys.written();
    };
    if tag.cause.passes() {
        keys.put("infra_error", "true");
    } else {
        keys.take("infra_error");
    }
    keys.put("regatta", indented(tag)?);
    keys.written()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::RuleId;
    use crate::store::{Cause, Evidence};

    const SOLO: &str = r#"{
  "repo": "dspy_task",
  "run_id": "1a2b3c4d",
  "agent": {
    "status": "Error",
    "cost": 0,
    "steps": 3,
    "error": "litellm.RateLimitError: \u00e9"
  },
  "total_cost": 1.50,
  "log_dir": "logs/x"
}"#;

    fn tag(cause: Cause) -> Tag {
        Tag {
            cause,
            evidence: Evidence::new(RuleId::RATE_LIMIT, "agent.error", "429"),
            attempt: Some(2),
            trial: "1a2b3c4d".to_owned(),
            version: "0.1.0".to_owned(),
        }
    }

    #[test]
    fn tagging_and_untagging_gives_back_every_byte() {
        let once = tagged(SOLO.as_bytes(), Some(&tag(Cause::Infra))).unwrap();
        let text = String::from_utf8(once.clone()).unwrap();
        assert!(text.contains("\"infra_error\": true"), "{text}");
        assert!(text.contains(r"\u00e9") && text.contains("1.50"), "{text}");
        assert_eq!(tagged(&once, Some(&tag(Cause::Infra))).unwrap(), once);
        assert_eq!(tagged(&once, None).unwrap(), SOLO.as_bytes());
    }

    #[test]
    fn an_infra_mark_that_no_longer_applies_goes() {
        let once = tagged(SOLO.as_bytes(), Some(&tag(Cause::Infra))).unwrap();
        let now = String::from_utf8(tagged(&once, Some(&tag(Cause::Agent))).unwrap()).unwrap();
        assert!(
            !now.contains("infra_error") && now.contains("\"cause\": \"agent\""),
            "{now}"
        );
    }

    #[test]
    fn what_json_has_no_number_for_stays_as_it_is_written() {
        let odd = SOLO
            .replace("1.50", "-Infinity")
            .replace("\"cost\": 0", "\"cost\": NaN");
        let once = tagged(odd.as_bytes(), Some(&tag(Cause::Infra))).unwrap();
        assert!(String::from_utf8_lossy(&once).contains("\"total_cost\": -Infinity,"));
        assert_eq!(tagged(&once, None).unwrap(), odd.as_bytes());
    }
    #[test]
    fn a_file_is_written_only_where_its_tag_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("result.json");
        let tag = tag(Cause::Infra);
        assert!(!write_tag(&path, Some(&tag)).unwrap());
        files::write_atomic(&path, SOLO.as_bytes()).unwrap();
        assert!(!write_tag(&path, None).unwrap());
        assert!(write_tag(&path, Some(&tag)).unwrap());
        assert!(!write_tag(&path, Some(&tag)).unwrap());
        assert!(write_tag(&path, None).unwrap());
        let text = files::read_text(&path).unwrap();
        assert_eq!(text, SOLO);
    }
}
