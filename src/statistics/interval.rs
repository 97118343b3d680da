//! 95% intervals.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// The normal distribution's 97.5% quantile.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// A 95% interval, as shares of 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Its lower end, not below what the share can be.
    pub low: f64,
    /// Its upper end, not above what the share can be.
    pub high: f64,
}

impl Interval {
    /// Wilson's (1927) for a share seen in so many.
    pub(super) fn wilson(share: f64, of: f64) -> Self {
        let z2 = Z * Z;
        let centre = (share + z2 / (2.0 * of)) / (1.0 + z2 / of);
        let half = Z * (share * (1.0 - share) / of + z2 / (4.0 * of * of)).sqrt() / (1.0 + z2 / of);
        Self {
            low: (centre - half).max(0.0),
            high: (centre + half).min(1.0),
        }
    }

    /// Student's for a difference.
    pub(super) fn student(difference: f64, variance: f64, freedom: f64) -> Self {
        let half = quantile(freedom) * variance.sqrt();
        Self {
            low: (difference - half).max(-1.0),
            high: (difference + half).min(1.0),
        }
    }
}

/// How many independent trials say as much as a share with this variance, whose own estimate has so
/// many degrees of freedom (Korn and Graubard 1998).
pub(super) fn effective(share: f64, variance: f64, freedom: f64) -> f64 {
    share * (1.0 - share) / variance * shrunk(freedom)
}

/// What so many degrees of freedom leave of a number of trials.
pub(super) fn shrunk(freedom: f64) -> f64 {
    (Z / quantile(freedom)).powi(2)
}

/// The 97.5% quantile of Student's t.
pub(super) fn quantile(freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::INFINITY, |student| student.inverse_cdf(0.975))
}
