//! How an agent ended, in upstream's word: other programs and people have their own.

use super::ERROR;

/// The ends that upstream and our own engine write.
const ENDS: [&str; 6] = [
    "Submitted",
    "LimitsExceeded",
    "CostLimitExceeded",
    super::TIME_LIMIT,
    "SandboxEnded",
    ERROR,
];

/// What others call an error.
const FAILED: [&str; 5] = ["failed", "failure", "exception", "crashed", "crash"];

/// What is said of a whole trial, for the agents of which it is not said.
#[derive(Clone, Copy)]
pub struct OfAll<'a> {
    pub status: Option<&'a str>,
    pub error: Option<&'a str>,
}

/// An agent's status and error by what is said of it, and of its trial; `None` where nothing says
/// how it ended.
///
/// A word that is nobody's end, beside an error, is the end of an agent that had that error.
pub fn read(
    own: Option<String>,
    error: Option<String>,
    all: OfAll,
) -> Option<(String, Option<String>)> {
    let is_own = own.is_some();
    let word = own.or_else(|| all.status.map(str::to_owned))?;
    let error = error.filter(|text| !text.trim().is_empty());
    let is = |other: &&str| other.eq_ignore_ascii_case(word.trim());
    let end = ENDS.into_iter().find(is);
    if let Some(end) = end.filter(|end| *end != ERROR) {
        return Some((end.to_owned(), error));
    }
    // An exception's class, as Python writes them.
    let is_class = end.is_none() && (word.ends_with("Error") || word.ends_with("Exception"));
    let has_error = error.is_some() || !is_own && all.error.is_some();
    if !(end.is_some() || is_class || has_error || FAILED.iter().any(is)) {
        return Some((word, error));
    }
    let error = error
        .or_else(|| all.error.map(str::to_owned))
        .or_else(|| is_class.then_some(word));
    Some((ERROR.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_known_end_is_an_error_where_there_is_one() {
        let nothing = (None, None);
        for (own, error, (status_of_all, error_of_all), wanted) in [
            (
                Some("Submitted"),
                Some("x"),
                nothing,
                ("Submitted", Some("x")),
            ),
            (Some("submitted"), Some(" "), nothing, ("Submitted", None)),
            (
                Some("limitsexceeded"),
                None,
                nothing,
                ("LimitsExceeded", None),
            ),
            (Some("done"), None, nothing, ("done", None)),
            (Some("Killed"), Some("x"), nothing, (ERROR, Some("x"))),
            (Some("ERROR"), None, nothing, (ERROR, None)),
            (Some("failed"), None, nothing, (ERROR, None)),
            (
                Some("APIError"),
                Some(""),
                nothing,
                (ERROR, Some("APIError")),
            ),
            (Some("APIError"), Some("x"), nothing, (ERROR, Some("x"))),
            (None, None, (Some("error"), Some("y")), (ERROR, Some("y"))),
            (
                None,
                Some("x"),
                (Some("Error"), Some("y")),
                (ERROR, Some("x")),
            ),
            (None, None, (Some("Timeout"), Some("y")), (ERROR, Some("y"))),
            (
                None,
                None,
                (Some("Submitted"), Some("y")),
                ("Submitted", None),
            ),
            (Some("Error"), None, (None, Some("y")), (ERROR, Some("y"))),
            (Some("done"), None, (None, Some("y")), ("done", None)),
        ] {
            let text = |text: Option<&str>| text.map(str::to_owned);
            let all = OfAll {
                status: status_of_all,
                error: error_of_all,
            };
            let found = read(text(own), text(error), all).unwrap();
            assert_eq!((found.0.as_str(), found.1.as_deref()), wanted, "{own:?}");
        }
    }
}
