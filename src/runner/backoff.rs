//! The wait between attempts. Pure.

use std::time::Duration;

/// The wait before the attempt after number `ended` (from 1): `base` doubled each time up to
/// `max`, drawn from its upper half by `random` in `0.0..1.0` ("equal jitter": Brooker, Exponential
/// Backoff and Jitter, AWS Architecture Blog, 2015).
#[must_use]
pub fn wait(base: Duration, max: Duration, ended: u32, random: f64) -> Duration {
    let doubled = base.saturating_mul(2_u32.saturating_pow(ended.saturating_sub(1).min(31)));
    let full = doubled.min(max);
    full / 2 + (full / 2).mul_f64(random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_maximum_and_stays_in_the_upper_half() {
        let (base, max) = (Duration::from_secs(30), Duration::from_mins(2));
        for (ended, full) in [(1, 30), (2, 60), (3, 120), (9, 120), (90, 120)] {
            let full = Duration::from_secs(full);
            assert_eq!(wait(base, max, ended, 0.0), full / 2, "{ended}");
            assert_eq!(wait(base, max, ended, 1.0), full, "{ended}");
        }
    }
}
