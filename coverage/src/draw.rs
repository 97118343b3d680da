//! Random numbers of the distributions that tasks and trials have.

use coverage::statistics::Random;

/// A rate with this mean, such that trials of one rate correlate by so much: beta with
/// mean × (1/correlation - 1) and (1 - mean) × (1/correlation - 1).
pub fn rate(mean: f64, correlation: f64, random: &mut Random) -> f64 {
    if correlation <= 0.0 || mean <= 0.0 || mean >= 1.0 {
        return mean;
    }
    let all = 1.0 / correlation - 1.0;
    let one = log_gamma(mean * all, random);
    let other = log_gamma((1.0 - mean) * all, random);
    1.0 / (1.0 + (other - one).exp())
}

/// How many of so many trials pass.
pub fn passes(trials: u32, rate: f64, random: &mut Random) -> u32 {
    (0..trials).map(|_| u32::from(random.unit() < rate)).sum()
}

/// The logarithm of a gamma variate (Marsaglia and Tsang 2000): small shapes have values that are too
/// small for a number.
fn log_gamma(shape: f64, random: &mut Random) -> f64 {
    if shape < 1.0 {
        let below = positive(random).ln() / shape;
        return log_gamma(shape + 1.0, random) + below;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(random);
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && positive(random).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return (d * v).ln();
        }
    }
}

/// A normal variate (Box and Muller 1958).
fn normal(random: &mut Random) -> f64 {
    let radius = (-2.0 * positive(random).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.unit()).cos()
}

/// Above 0, to 1.
fn positive(random: &mut Random) -> f64 {
    1.0 - random.unit()
}
