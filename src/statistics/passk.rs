//! What repeats of one pair come to.

/// pass@k: the chance that at least one of k repeats passes, 1 - C(n-c, k)/C(n, k), of which so many
/// passed (Chen et al. 2021); none with fewer repeats than k.
#[must_use]
pub fn pass_at(k: u32, passed: u32, of: u32) -> Option<f64> {
    Some(1.0 - all_of(k, of.checked_sub(passed)?, of)?)
}

/// pass^k: the chance that all of k repeats pass, C(c, k)/C(n, k), of which so many passed (Yao et
/// al. 2024); none with fewer repeats than k.
#[must_use]
pub fn pass_hat(k: u32, passed: u32, of: u32) -> Option<f64> {
    all_of(k, passed, of)
}

/// C(some, k)/C(of, k): the chance that k drawn without replacement are all of these.
fn all_of(k: u32, some: u32, of: u32) -> Option<f64> {
    if k == 0 || k > of || some > of {
        return None;
    }
    let chances = (0..k).map(|n| f64::from(some.saturating_sub(n)) / f64::from(of - n));
    Some(chances.product())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_there_are_have_no_chance_to_be_told() {
        for (k, passed, of) in [(0, 1, 2), (3, 1, 2), (1, 3, 2)] {
            assert_eq!(
                (pass_at(k, passed, of), pass_hat(k, passed, of)),
                (None, None)
            );
        }
        assert_eq!(
            (pass_at(2, 0, 2), pass_hat(2, 2, 2)),
            (Some(0.0), Some(1.0))
        );
    }
}
