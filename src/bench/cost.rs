//! What work cost, as far as it is known.

use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::Usage;

/// A cost in USD. Unknown is not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// What is known of it; `None` when nothing is.
    pub usd: Option<f64>,
    /// Whether there is more that is not known.
    pub is_partial: bool,
}

impl Cost {
    /// Nothing is known of it.
    pub const UNKNOWN: Self = Self {
        usd: None,
        is_partial: true,
    };

    /// All of it is known.
    #[must_use]
    pub const fn whole(usd: f64) -> Self {
        Self {
            usd: Some(usd),
            is_partial: false,
        }
    }

    /// Whether any of it is unknown.
    #[must_use]
    pub const fn has_unknown(self) -> bool {
        self.usd.is_none() || self.is_partial
    }
}

/// What an agent has spent so far, as it is booked with every answer of the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spending {
    /// USD of the calls whose cost is known; `None` when no call's is.
    pub cost: Option<f64>,
    /// Tokens of the calls whose tokens are known.
    #[serde(flatten)]
    pub usage: Usage,
    /// Whether there were calls whose usage is not known.
    #[serde(default)]
    pub usage_unknown: bool,
}

impl AddAssign for Spending {
    fn add_assign(&mut self, other: Self) {
        if let Some(cost) = other.cost {
            *self.cost.get_or_insert(0.0) += cost;
        }
        self.usage += other.usage;
        self.usage_unknown |= other.usage_unknown;
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.usd, self.is_partial) {
            (Some(usd), false) => f.write_str(&dollars(usd)),
            (Some(usd), true) => write!(f, "{} + unknown", dollars(usd)),
            (None, _) => f.write_str("cost unknown"),
        }
    }
}

/// A sum of costs, some of which may be unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Total {
    /// The sum of the known ones, in USD.
    pub usd: f64,
    /// How many are unknown, or have a part that is, which is not in the sum.
    pub unknown: usize,
}

impl Total {
    /// Adds one cost.
    pub fn add(&mut self, cost: Cost) {
        self.usd += cost.usd.unwrap_or(0.0);
        self.unknown += usize::from(cost.has_unknown());
    }
}

impl AddAssign for Total {
    fn add_assign(&mut self, other: Self) {
        self.usd += other.usd;
        self.unknown += other.unknown;
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match (self.usd, self.unknown) {
            (usd, 0) => dollars(usd),
            (0.0, _) => "unknown".to_owned(),
            (usd, n) => format!("{} + {n} unknown", dollars(usd)),
        };
        f.pad(&text)
    }
}

/// An amount for people: cents, or finer below ten cents. What is not zero does not look like it.
#[must_use]
pub fn dollars(usd: f64) -> String {
    if usd > 0.0 && usd < 0.000_05 {
        "<$0.0001".to_owned()
    } else if usd > 0.0 && usd < 0.1 {
        format!("${usd:.4}")
    } else {
        format!("${usd:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_that_is_not_zero_does_not_look_like_it() {
        for (usd, shown) in [
            (0.0, "$0.00"),
            (1e-9, "<$0.0001"),
            (0.000_05, "$0.0001"),
            (0.0125, "$0.0125"),
            (0.1, "$0.10"),
            (2.656, "$2.66"),
        ] {
            assert_eq!(dollars(usd), shown, "{usd}");
        }
    }

    #[test]
    fn totals_show_what_they_do_not_know() {
        let mut total = Total::default();
        total.add(Cost::whole(1.25));
        assert_eq!(total.to_string(), "$1.25");
        total.add(Cost::UNKNOWN);
        assert_eq!(total.to_string(), "$1.25 + 1 unknown");
        total.add(Cost {
            usd: Some(0.5),
            is_partial: true,
        });
        assert_eq!(total.to_string(), "$1.75 + 2 unknown");
    }

    #[test]
    fn a_cost_says_what_of_it_is_unknown() {
        let part = Cost {
            usd: Some(0.5),
            is_partial: true,
        };
        let unknown = Cost {
            usd: None,
            is_partial: false,
        };
        for (cost, has_unknown, shown) in [
            (Cost::whole(0.5), false, "$0.50"),
            (part, true, "$0.50 + unknown"),
            (unknown, true, "cost unknown"),
            (Cost::UNKNOWN, true, "cost unknown"),
        ] {
            assert_eq!(
                (cost.has_unknown(), &*cost.to_string()),
                (has_unknown, shown)
            );
        }
    }

    #[test]
    fn what_was_spent_is_summed_and_one_call_untold_leaves_all_untold() {
        let one = Spending {
            cost: Some(0.5),
            usage: Usage {
                input_tokens: 3,
                ..Usage::default()
            },
            usage_unknown: false,
        };
        let mut sum = Spending::default();
        sum += Spending::default();
        assert_eq!(sum, Spending::default());
        sum += one;
        assert_eq!(sum, one);
        sum += Spending {
            usage_unknown: true,
            ..one
        };
        sum += one;
        assert_eq!((sum.cost, sum.usage.input_tokens), (Some(1.5), 9));
        assert!(sum.usage_unknown);
    }

    #[test]
    fn totals_of_several_runs_add_up_in_what_is_known_and_what_is_not() {
        let mut sum = Total {
            usd: 1.0,
            unknown: 1,
        };
        sum += Total {
            usd: 0.5,
            unknown: 2,
        };
        let both = Total {
            usd: 1.5,
            unknown: 3,
        };
        assert_eq!(sum, both);
    }
}
