//! Which runs are repeats of one arm: by their manifests, else by their names. Pure.

use std::collections::BTreeMap;

use super::likeness::Likeness;
use super::{ArmRun, Pooling};
use crate::bench::RunName;
use crate::bench::pattern::fits;
use crate::error::{Error, Result};
use crate::text::{natural, some};

/// The largest number at a name's end that is a repeat's: more is an issue's or a year's.
const LAST_REPEAT: u64 = 99;
/// What stands before such a number.
const MARKS: [&str; 2] = ["-r", "_"];
/// How many runs a note names.
const TOLD: usize = 6;

/// Runs that are one arm, and by what.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub name: String,
    pub by: By,
    pub runs: Vec<ArmRun>,
}

/// By what runs are one arm; the order is that of who gets a name that several could have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum By {
    /// A group of the configuration.
    Group(String),
    /// A run by itself.
    Itself,
    /// The experiment and the arm in its manifest.
    Manifest { experiment: String, arm: String },
    /// The name before the number of the repeat, and what stands between them.
    Name { base: String, mark: &'static str },
}

impl By {
    /// The arm's name after its experiment's.
    pub fn with_experiment(&self) -> Option<String> {
        match self {
            Self::Manifest { .. } => self.full_name(),
            Self::Group(_) | Self::Itself | Self::Name { .. } => None,
        }
    }

    /// A longer name, for where another arm has the short one.
    fn full_name(&self) -> Option<String> {
        match self {
            Self::Group(_) | Self::Itself => None,
            Self::Manifest { experiment, arm } => Some(format!("{experiment}-{arm}")),
            Self::Name { base, mark } => Some(format!("{base}{mark}*")),
        }
    }
}

/// What is a repeat of what, and what is to be said of it.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    pub arms: Vec<Found>,
    pub notes: Vec<String>,
}

impl Repeats {
    /// Finds the arms among runs.
    pub fn of(mut runs: Vec<ArmRun>, pooling: &Pooling) -> Result<Self> {
        let mut found = Self::default();
        runs.sort_by(|a, b| a.name.cmp(&b.name));
        let empty: Vec<_> = runs.extract_if(.., |run| run.rows.is_empty()).collect();
        if !empty.is_empty() {
            let names: Vec<&str> = empty.iter().map(|run| run.name.as_str()).collect();
            found
                .notes
                .push(format!("no pairs, left out: {}", some(&names, TOLD)));
        }
        let arms: Vec<By> = runs.iter().filter_map(of_manifest).collect();
        let mut by: BTreeMap<By, Vec<ArmRun>> = BTreeMap::new();
        for mut run in runs {
            let (key, repeat) = key(&run, pooling, &arms)?;
            run.repeat = run.repeat.or(repeat);
            match key {
                By::Itself => found.take(By::Itself, vec![run]),
                key => by.entry(key).or_default().push(run),
            }
        }
        for (key, mut runs) in by {
            if !matches!(key, By::Group(_)) {
                found.set_apart(&key, &mut runs);
            }
            match (&key, runs.len()) {
                // One number is no repetition: `gpt_5`.
                (By::Name { .. }, 0 | 1) => found.alone(runs),
                _ => found.take(key, runs),
            }
        }
        found.name_apart()?;
        found.mention_bare_names();
        Ok(found)
    }

    fn take(&mut self, by: By, mut runs: Vec<ArmRun>) {
        runs.sort_by(|a, b| {
            let repeats = a.repeat.cmp(&b.repeat);
            repeats.then_with(|| a.name.cmp(&b.name))
        });
        let Some(first) = runs.first() else { return };
        let name = match &by {
            By::Group(name) => name.clone(),
            By::Itself => first.name.to_string(),
            By::Manifest { arm, .. } => arm.clone(),
            By::Name { base, .. } => base.clone(),
        };
        self.arms.push(Found { name, by, runs });
    }

    fn alone(&mut self, runs: Vec<ArmRun>) {
        for run in runs {
            self.take(By::Itself, vec![run]);
        }
    }

    /// Takes those runs away that are something else than most: they stay apart.
    fn set_apart(&mut self, key: &By, runs: &mut Vec<ArmRun>) {
        let likenesses: Vec<Likeness> = runs.iter().map(Likeness::of).collect();
        let mut order: Vec<usize> = (0..runs.len()).collect();
        order.sort_by_key(|n| std::cmp::Reverse(likenesses[*n].named()));
        // The runs that agree, and what they are.
        let mut parts: Vec<(Likeness, Vec<usize>)> = Vec::new();
        for n in order {
            let is_alike =
                |part: &&mut (Likeness, _)| part.0.differences(&likenesses[n]).is_empty();
            match parts.iter_mut().find(is_alike) {
                Some((part, members)) => {
                    part.take(&likenesses[n]);
                    members.push(n);
                }
                None => parts.push((likenesses[n].clone(), vec![n])),
            }
        }
        let Some(most) = (0..parts.len()).rev().max_by_key(|n| parts[*n].1.len()) else {
            return;
        };
        let (likeness, members) = parts.swap_remove(most);
        if parts.is_empty() {
            return;
        }
        let whose = match (key, members.as_slice()) {
            (By::Name { .. }, [one]) => runs[*one].name.to_string(),
            (By::Name { base, .. }, _) => format!("`{base}`"),
            _ => key.full_name().unwrap_or_default(),
        };
        for (other, apart) in &parts {
            let names: Vec<&str> = apart.iter().map(|n| runs[*n].name.as_str()).collect();
            self.notes.push(format!(
                "{}: no repeat of {whose}, since {} differ",
                some(&names, TOLD),
                likeness.differences(other).join(" and ")
            ));
        }
        let stay: Vec<RunName> = members.iter().map(|n| runs[*n].name.clone()).collect();
        let apart = runs
            .extract_if(.., |run| !stay.contains(&run.name))
            .collect();
        self.alone(apart);
    }

    /// Gives those arms a longer name whose name another one has.
    fn name_apart(&mut self) -> Result<()> {
        self.arms
            .sort_by(|a, b| a.by.cmp(&b.by).then_with(|| natural(&a.name, &b.name)));
        let names: Vec<String> = self.arms.iter().map(|arm| arm.name.clone()).collect();
        for (n, arm) in self.arms.iter_mut().enumerate() {
            let is_taken = |(at, name): (usize, &String)| {
                let is_prior = at < n || matches!(arm.by, By::Manifest { .. });
                at != n && is_prior && *name == names[n]
            };
            if names.iter().enumerate().any(is_taken)
                && let Some(full) = arm.by.full_name()
            {
                arm.name = full;
            }
        }
        for (n, arm) in self.arms.iter().enumerate() {
            if let Some(other) = self.arms[..n].iter().find(|it| it.name == arm.name) {
                return Err(Error::usage(format!(
                    "two arms would be called `{}`: {} and {}",
                    arm.name,
                    named(&other.runs),
                    named(&arm.runs)
                ))
                .hint("[groups] in the configuration gives runs a name of their own"));
            }
        }
        Ok(())
    }

    fn mention_bare_names(&mut self) {
        let mut notes = Vec::new();
        for arm in &self.arms {
            if let By::Name { base, .. } = &arm.by
                && arm.name != *base
            {
                notes.push(format!(
                    "`{base}` is a run by itself; {} are `{}`",
                    named(&arm.runs),
                    arm.name
                ));
            }
        }
        self.notes.extend(notes);
    }
}

/// The runs of an arm, for a sentence.
pub(super) fn named(runs: &[ArmRun]) -> String {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    some(&names, TOLD)
}

/// What a run is one with, and which repeat it is by its name.
fn key(run: &ArmRun, pooling: &Pooling, arms: &[By]) -> Result<(By, Option<u64>)> {
    let split = split(run.name.as_str());
    let repeat = split.map(|(.., repeat)| repeat);
    let mut groups = pooling.groups.iter().filter(|(_, patterns)| {
        let mut patterns = patterns.iter();
        patterns.any(|pattern| fits(pattern, run.name.as_str()))
    });
    if let Some((group, _)) = groups.next() {
        if let Some((other, _)) = groups.next() {
            return Err(Error::usage(format!(
                "the run {} is in two [groups]: `{group}` and `{other}`",
                run.name
            ))
            .hint("a run is of one arm: narrow the patterns of one of them"));
        }
        return Ok((By::Group(group.clone()), repeat));
    }
    if let Some(by) = of_manifest(run) {
        return Ok((by, None));
    }
    // Older manifests have no arm. A run without a number is the first repeat.
    let (name, first) = match split {
        Some((base, "-r", repeat)) => (base, repeat),
        _ => (run.name.as_str(), 1),
    };
    let is_of = |arm: &&By| arm.full_name().is_some_and(|full| full == name);
    if let Some(arm) = arms.iter().find(is_of) {
        return Ok((arm.clone(), Some(first)));
    }
    Ok(match split {
        Some((base, mark, repeat)) => {
            let base = base.to_owned();
            (By::Name { base, mark }, Some(repeat))
        }
        None => (By::Itself, None),
    })
}

/// The arm that a run's manifest names.
fn of_manifest(run: &ArmRun) -> Option<By> {
    let row = run.rows.first()?;
    Some(By::Manifest {
        experiment: row.experiment.clone()?,
        arm: row.arm.clone()?,
    })
}

/// A name before the number of its repeat, what stands between, and that number.
fn split(name: &str) -> Option<(&str, &'static str, u64)> {
    MARKS.into_iter().find_map(|mark| {
        let (base, number) = name.rsplit_once(mark)?;
        let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
        let number = number.parse().ok().filter(|it| *it <= LAST_REPEAT)?;
        (is_number && !base.is_empty()).then_some((base, mark, number))
    })
}
