//! The distribution of a sum of independent whole numbers.

/// The distribution of a sum of independent whole numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sum {
    /// The least that it can be.
    least: i64,
    /// The probability of that, and of each whole number after it.
    chances: Vec<f64>,
}

/// The most cells that are added up for an exact test: some tens of milliseconds.
pub(super) const MOST_WORK: u64 = 1 << 25;

impl Sum {
    /// Of no numbers.
    pub(super) fn of_nothing() -> Self {
        Self {
            least: 0,
            chances: vec![1.0],
        }
    }

    /// With one number more, whose values come with their probabilities.
    pub(super) fn plus(&self, number: &[(i64, f64)]) -> Self {
        let least = number.iter().map(|(value, _)| *value).min().unwrap_or(0);
        let most = number.iter().map(|(value, _)| *value).max().unwrap_or(0);
        let mut chances = vec![0.0; self.chances.len() + steps(most - least)];
        for (value, chance) in number {
            let moved = &mut chances[steps(value - least)..];
            for (to, from) in moved.iter_mut().zip(&self.chances) {
                *to += chance * from;
            }
        }
        Self {
            least: self.least + least,
            chances,
        }
    }

    /// How likely it is at least so far from 0, on either side.
    pub(super) fn beyond(&self, distance: i64) -> f64 {
        let values = (self.least..).zip(&self.chances);
        let far = values.filter(|(value, _)| value.abs() >= distance);
        far.map(|(_, chance)| chance).sum::<f64>().min(1.0)
    }
}

fn steps(n: i64) -> usize {
    usize::try_from(n).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_dice_are_as_likely_as_everybody_knows() {
        let die: Vec<(i64, f64)> = (1..=6).map(|value| (value, 1.0 / 6.0)).collect();
        let two = Sum::of_nothing().plus(&die).plus(&die);
        assert!((two.beyond(12) - 1.0 / 36.0).abs() < 1e-12);
        assert!((two.beyond(11) - 3.0 / 36.0).abs() < 1e-12);
        assert!((two.beyond(0) - 1.0).abs() < 1e-12);
        assert!(two.beyond(13).abs() < 1e-12);
    }

    #[test]
    fn both_sides_of_nothing_count() {
        let coin = Sum::of_nothing().plus(&[(-3, 0.25), (2, 0.75)]);
        assert!((coin.beyond(3) - 0.25).abs() < 1e-12);
        assert!((coin.beyond(2) - 1.0).abs() < 1e-12);
    }
}
