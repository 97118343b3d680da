//! A p-value with how it was found, or why there is none.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use super::Interval;

/// What is said of a difference for one of the targets.
///
/// As JSON: `interval`, `p`, `p_by` (`exact` or `drawn`) and `no_p`, the reason where `p` is null.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tested {
    /// Its 95% interval, where there is one.
    pub interval: Option<Interval>,
    /// Its two-sided p-value.
    pub p: Result<P, NoP>,
}

/// A two-sided p-value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct P {
    /// From above 0 to 1.
    pub value: f64,
    /// How it was found.
    pub by: Method,
}

/// How a p-value was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// From the whole distribution.
    Exact,
    /// From 20,000 draws by a fixed seed, as (1 + as extreme) / (1 + draws).
    Drawn,
}

/// Why there is no p-value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoP {
    /// No p-value over so few tasks can reach 5%.
    FewerThanSixTasks,
    /// Nothing is known of what more repeats would change.
    OneRepeat,
}

impl Method {
    /// As in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Drawn => "drawn",
        }
    }
}

impl NoP {
    /// As in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FewerThanSixTasks => "fewer_than_six_tasks",
            Self::OneRepeat => "one_repeat",
        }
    }
}

impl fmt::Display for NoP {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FewerThanSixTasks => "fewer than 6 tasks",
            Self::OneRepeat => "one repeat",
        })
    }
}

impl Serialize for Tested {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut fields = to.serialize_struct("Tested", 4)?;
        fields.serialize_field("interval", &self.interval)?;
        fields.serialize_field("p", &self.p.ok().map(|it| it.value))?;
        fields.serialize_field("p_by", &self.p.ok().map(|it| it.by.name()))?;
        fields.serialize_field("no_p", &self.p.err().map(NoP::name))?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_reads_the_p_value_or_why_there_is_none() {
        let told = |p| serde_json::to_value(Tested { interval: None, p }).unwrap();
        let p = P {
            value: 0.25,
            by: Method::Drawn,
        };
        assert_eq!(
            told(Ok(p)),
            serde_json::json!({"interval": null, "p": 0.25, "p_by": "drawn", "no_p": null})
        );
        assert_eq!(
            told(Err(NoP::OneRepeat)),
            serde_json::json!({"interval": null, "p": null, "p_by": null, "no_p": "one_repeat"})
        );
    }
}
