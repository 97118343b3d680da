//! What is known of a pair.

/// A pair's judged trials in one arm: so many, and how many of them passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated<'a> {
    /// Its task.
    pub task: &'a str,
    /// How many passed.
    pub passed: u32,
    /// Of how many; a pair with none does not count.
    pub of: u32,
}

/// A pair's judged trials in one of two arms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passes {
    /// How many passed.
    pub passed: u32,
    /// Of how many.
    pub of: u32,
}

/// A pair's judged trials in two arms; one without any in either does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Both<'a> {
    /// Its task.
    pub task: &'a str,
    /// In the first arm.
    pub first: Passes,
    /// In the second arm.
    pub second: Passes,
}

impl Both<'_> {
    /// The first arm's rate less the second's.
    pub(super) fn difference(&self) -> f64 {
        rate(self.first.passed, self.first.of) - rate(self.second.passed, self.second.of)
    }
}

/// A pair's own rate.
pub(super) fn rate(passed: u32, of: u32) -> f64 {
    f64::from(passed) / f64::from(of)
}
