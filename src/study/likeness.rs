//! What runs must agree in to be repeats of one arm. Pure.

use std::collections::BTreeSet;

use super::ArmRun;
use crate::bench::setting::RunSetting;

/// What a run is of, as its rows tell.
#[derive(Clone, Debug)]
pub(super) struct Likeness<'a> {
    models: BTreeSet<&'a str>,
    agents: BTreeSet<&'a str>,
    setting: Option<&'static str>,
    pairs: BTreeSet<&'a str>,
    /// How many pairs its plan has, with those that nothing on disk names.
    planned: usize,
}

impl<'a> Likeness<'a> {
    pub fn of(run: &'a ArmRun) -> Self {
        let rows = || run.rows.iter();
        Self {
            models: rows().filter_map(|row| row.model.as_deref()).collect(),
            agents: rows().filter_map(|row| row.agent.as_deref()).collect(),
            setting: rows().find_map(|row| row.setting),
            pairs: rows().filter_map(|row| row.pair.as_deref()).collect(),
            planned: run.rows.len(),
        }
    }

    /// How many pairs it names: the larger one says what the other has too few of.
    pub fn named(&self) -> usize {
        self.pairs.len()
    }

    /// What another run differs in. A run that names fewer pairs, of a plan of as many, is one that is
    /// not finished.
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let are_alike =
            |one: &BTreeSet<_>, two: &BTreeSet<_>| one.is_subset(two) || two.is_subset(one);
        let mut found = Vec::new();
        if !are_alike(&self.models, &other.models) {
            found.push("model");
        }
        if !are_alike(&self.agents, &other.agents) {
            found.push("agent");
        }
        if !are_one_setting(self.setting, other.setting) {
            found.push("setting");
        }
        if self.planned != other.planned || !are_alike(&self.pairs, &other.pairs) {
            found.push("pairs");
        }
        found
    }

    /// Takes in a run that does not differ: what it knows is known.
    pub fn take(&mut self, other: &Self) {
        self.models.extend(&other.models);
        self.agents.extend(&other.agents);
        self.pairs.extend(&other.pairs);
        if self.setting == Some(RunSetting::Coop.name()) {
            self.setting = other.setting;
        }
    }
}

/// Two agents of which nobody knows whether they could talk are no other setting than those of whom
/// it is known.
fn are_one_setting(one: Option<&str>, other: Option<&str>) -> bool {
    let is_unknown = |it: Option<&str>| it == Some(RunSetting::Coop.name());
    let is_coop = |it: Option<&str>| it.is_some_and(|it| it.starts_with("coop"));
    one == other || (is_unknown(one) && is_coop(other)) || (is_unknown(other) && is_coop(one))
}
