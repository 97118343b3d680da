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
    /// Wilson's (1927) for a share seen in so many independent trials.
    pub(super) fn wilson(share: f64, trials: f64) -> Self {
        let of = trials;
        let z2 = Z * Z;
        let centre = (share + z2 / (2.0 * of)) / (1.0 + z2 / of);
        let half = Z * (share * (1.0 - share) / of + z2 / (4.0 * of * of)).sqrt() / (1.0 + z2 / of);
        Self {
            low: (centre - half).max(0.0).min(share),
            high: (centre + half).min(1.0).max(share),
        }
    }

    /// Student's for a difference of shares with this variance, whose own estimate has so many
    /// degrees of freedom.
    pub(super) fn student(difference: f64, variance: f64, freedom: f64) -> Self {
        Self::within(difference, quantile(freedom) * variance.sqrt())
    }

    /// The normal distribution's for a difference of shares.
    pub(super) fn normal(difference: f64, variance: f64) -> Self {
        Self::within(difference, Z * variance.sqrt())
    }

    fn within(difference: f64, half: f64) -> Self {
        Self {
            low: (difference - half).max(-1.0),
            high: (difference + half).min(1.0),
        }
    }
}

/// What is left of a number of trials where a variance is itself estimated with so many degrees of
/// freedom (Korn and Graubard 1998): Wilson's interval then has the half-width of Student's.
pub(super) fn shrunk(freedom: f64) -> f64 {
    (Z / quantile(freedom)).powi(2)
}

/// A variance drawn towards one that is assumed, each with its weight in degrees of freedom (Smyth
/// 2004, equation 3): few tasks or repeats may all be alike by chance.
pub(super) fn moderated(found: (f64, f64), assumed: (f64, f64)) -> f64 {
    (found.0 * found.1 + assumed.0 * assumed.1) / (found.1 + assumed.1)
}

/// The 97.5% quantile of Student's t.
pub(super) fn quantile(freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::INFINITY, |student| student.inverse_cdf(0.975))
}
