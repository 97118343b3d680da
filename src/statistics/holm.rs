//! Several tests of one family.

/// The p-values of one family, adjusted by Holm (1979), in their order.
///
/// The smallest of m is multiplied by m, the next by m - 1, and so on; none falls below one before
/// it. So the chance of any false alarm in the family stays at the level of a single test.
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|one, other| p[*one].total_cmp(&p[*other]));
    let mut adjusted = vec![0.0; p.len()];
    let mut largest = 0.0_f64;
    for (rank, at) in order.into_iter().enumerate() {
        largest = largest.max(((p.len() - rank) as f64 * p[at]).min(1.0));
        adjusted[at] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_of_none_and_at_most_one() {
        assert_eq!(holm(&[]), Vec::<f64>::new());
        assert_eq!(holm(&[0.5, 0.75]), [1.0, 1.0]);
    }
}
