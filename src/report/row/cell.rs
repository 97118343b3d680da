//! A value of a row, as a table without types has it. Pure.

use std::fmt;

use jiff::civil::DateTime;
use serde::{Serialize, Serializer};

use crate::report::Outcome;
use crate::store::{Cause, Moment};

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// Text: a name, a word, or what a program said.
    Text,
    /// A time of day without a zone: `2026-01-31T10:00:00.000000`.
    Time,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
}

impl ValueKind {
    /// Its name in the documentation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Time => "time",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }
}

/// A value as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// It is not known, or there is none.
    Empty,
    /// A number, a time or a word of ours: never a formula.
    Plain(String),
    /// Text that may be anybody's.
    Text(&'a str),
}

/// A type that columns have.
pub trait Value {
    /// What its values are.
    const KIND: ValueKind;

    /// Whether a value may be unknown.
    const MAY_BE_EMPTY: bool = false;

    /// This value.
    fn cell(&self) -> Cell<'_>;
}

impl<T: Value> Value for Option<T> {
    const KIND: ValueKind = T::KIND;
    const MAY_BE_EMPTY: bool = true;

    fn cell(&self) -> Cell<'_> {
        self.as_ref().map_or(Cell::Empty, T::cell)
    }
}

impl Value for String {
    const KIND: ValueKind = ValueKind::Text;

    fn cell(&self) -> Cell<'_> {
        Cell::Text(self)
    }
}

/// Types whose values are written as they are shown.
macro_rules! plain {
    ($($type:ty: $kind:ident,)+) => {
        $(impl Value for $type {
            const KIND: ValueKind = ValueKind::$kind;

            fn cell(&self) -> Cell<'_> {
                Cell::Plain(self.to_string())
            }
        })+
    };
}

plain! {
    &'static str: Text,
    Cause: Text,
    Outcome: Text,
    LocalTime: Time,
    u64: Integer,
    i64: Integer,
    f64: Number,
    bool: Boolean,
}

/// A time of day, wherever that was, in one form whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalTime(DateTime);

impl LocalTime {
    /// The time that a file tells; `None` where that is none.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        Some(Self(Moment::read(text)?.local()))
    }

    /// How many seconds it is after another one; fewer than none if it is before.
    #[must_use]
    pub fn seconds_after(self, other: Self) -> i64 {
        self.0.duration_since(other.0).as_secs()
    }

    /// `2026-01-31 10:00`.
    #[must_use]
    pub fn to_minute(self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// The time of day, and its day.
    #[must_use]
    pub const fn time(self) -> DateTime {
        self.0
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%dT%H:%M:%S.%6f"))
    }
}

impl Serialize for LocalTime {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_form_whoever_wrote_them() {
        let of = |text| LocalTime::of(text).map(|it| it.to_string());
        for (written, wanted) in [
            ("2026-01-31T10:00:00", "2026-01-31T10:00:00.000000"),
            ("2026-01-31T10:00:00.5", "2026-01-31T10:00:00.500000"),
            ("2026-01-31T10:00:00.25Z", "2026-01-31T10:00:00.250000"),
            ("Sat Jan 31 10:00:00 2026", "2026-01-31T10:00:00.000000"),
        ] {
            assert_eq!(of(written).as_deref(), Some(wanted), "{written}");
        }
        assert_eq!(of("soon"), None);
    }

    #[test]
    fn what_is_unknown_is_empty_and_zero_is_not() {
        assert_eq!(None::<f64>.cell(), Cell::Empty);
        assert_eq!(Some(0.0).cell(), Cell::Plain("0".to_owned()));
        assert_eq!(Some(-0.5).cell(), Cell::Plain("-0.5".to_owned()));
        assert_eq!(1e-7.cell(), Cell::Plain("0.0000001".to_owned()));
        assert_eq!(
            Outcome::InfraError.cell(),
            Cell::Plain("infra_error".to_owned())
        );
        assert_eq!(String::from("=1").cell(), Cell::Text("=1"));
    }
}
