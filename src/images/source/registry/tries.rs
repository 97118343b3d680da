//! Trying again what may pass.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use super::super::error::SourceError;

/// How something went wrong, and whether it may go right later.
#[derive(Debug)]
pub struct FetchTrouble {
    pub error: SourceError,
    pub again: Again,
}

/// Whether to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    Never,
    /// After a pause; at least as long as the server asks for.
    Later(Option<Duration>),
}

impl From<SourceError> for FetchTrouble {
    fn from(error: SourceError) -> Self {
        let again = Again::Never;
        Self { error, again }
    }
}

/// How often something is tried, and how long the pauses are.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The most tries, the first included.
    pub tries: u32,
    /// The longest pause before the second try; it doubles with each further one. The pause itself
    /// is drawn from zero to that (as `model/client` does).
    pub pause: Duration,
    /// The longest pause that a server may ask for. One that wants more is given up on: what is here
    /// stays.
    pub longest: Duration,
    /// How long a server may say nothing.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            tries: 5,
            pause: Duration::from_secs(2),
            longest: Duration::from_mins(2),
            silence: Duration::from_mins(1),
        }
    }
}

/// The tries of one thing.
#[derive(Debug)]
pub struct Tries {
    patience: Patience,
    tried: u32,
}

impl Tries {
    pub const fn new(patience: Patience) -> Self {
        let tried = 0;
        Self { patience, tried }
    }

    /// Something came of the last try: what follows is a new beginning.
    pub const fn begin_again(&mut self) {
        self.tried = 0;
    }

    /// The pause before the next try, or the error where there is none.
    pub fn pause(&mut self, trouble: FetchTrouble) -> Result<(Duration, SourceError), SourceError> {
        self.tried += 1;
        let FetchTrouble { mut error, again } = trouble;
        if let SourceError::Unreachable { tries, .. } | SourceError::Status { tries, .. } =
            &mut error
        {
            *tries = self.tried;
        }
        let Again::Later(asked) = again else {
            return Err(error);
        };
        let asked = asked.unwrap_or_default();
        if self.tried >= self.patience.tries || asked > self.patience.longest {
            return Err(error);
        }
        let doubled = 2_u32.saturating_pow(self.tried - 1);
        let longest = self.patience.pause.saturating_mul(doubled);
        let pause = longest.min(self.patience.longest).mul_f64(fastrand::f64());
        Ok((pause.max(asked), error))
    }
}

/// The pause that a response asks for: seconds, or a date of HTTP.
pub fn asked(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = DateTimeParser::new().parse_timestamp(text).ok()?;
    Duration::try_from(at.duration_since(Timestamp::now())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(again: Again) -> FetchTrouble {
        let error = SourceError::Status {
            url: "u".to_owned(),
            status: 500,
            said: "s".to_owned(),
            tries: 1,
        };
        FetchTrouble { error, again }
    }

    #[test]
    fn what_may_pass_is_tried_so_often_and_the_error_says_how_often() {
        let patience = Patience {
            tries: 3,
            ..Patience::default()
        };
        let mut tries = Tries::new(patience);
        let seconds = Duration::from_secs;
        let asked = Again::Later(Some(seconds(7)));
        assert!(tries.pause(trouble(asked)).unwrap().0 >= seconds(7));
        assert!(tries.pause(trouble(Again::Later(None))).is_ok());
        let last = tries.pause(trouble(Again::Later(None))).unwrap_err();
        assert_eq!(last.to_string(), "u answered 500 (tried 3 times): s");
        tries.begin_again();
        assert!(tries.pause(trouble(Again::Later(None))).is_ok());
        // A wait of hours is not waited for.
        let hours = Again::Later(Some(seconds(7200)));
        assert!(tries.pause(trouble(hours)).is_err());
        assert!(Tries::new(patience).pause(trouble(Again::Never)).is_err());
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let of = |text: &str| {
            asked(&HeaderMap::from_iter([(
                RETRY_AFTER,
                text.parse().unwrap(),
            )]))
        };
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        assert!(of("Mon, 23 Nov 2099 12:00:30 GMT").unwrap() > Duration::from_mins(1));
        for text in ["soon", "-1", "Mon, 23 Nov 2009 12:00:30 GMT"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
