//! From a run as it stands to its numbers.

use super::Summary;
use super::mixed;
use super::setting::{ToldSetting, setting_by};
use super::trials::Trials;
use crate::bench::EngineKind;
use crate::error::Result;
use crate::model::price::PriceTable;
use crate::store::gold::Gold;
use crate::store::{Pass, RunDir};
use crate::survey::stand::planned_by_upstream;
use crate::survey::{Stand, Standing};
use crate::triage::Rules;

impl Summary {
    /// The numbers of one run, from disk.
    pub fn read(run: &RunDir, rules: &Rules, prices: &PriceTable) -> Result<Self> {
        Self::of_stand(run, &mut Stand::read(run, rules, prices)?, false)
    }

    /// The numbers of a run, with what the dataset's gold results say of its pairs; strictly, where
    /// flagged passes are no passes: then the stand has them as failures too.
    pub fn of_stand(run: &RunDir, stand: &mut Stand, is_strict: bool) -> Result<Self> {
        let void = is_strict.then(|| {
            let surveyed = stand.surveyed.iter_mut();
            surveyed
                .filter_map(|pair| pair.make_strict().then_some(()))
                .count()
        });
        let mut summary = Self::of_run(run, stand);
        summary.strict_verdicts = void;
        if let Some(logs) = run.path().parent()
            && let Some(gold) = Gold::read(logs)?
        {
            let spoiled = stand.surveyed.iter().filter(|it| gold.spoils(&it.pair));
            summary.ungradeable = spoiled.map(|it| it.pair.to_string()).collect();
        }
        Ok(summary)
    }

    /// The numbers of a run as it stands.
    #[must_use]
    pub fn of_run(run: &RunDir, stand: &Stand) -> Self {
        let manifest = stand.manifest.as_ref();
        let ledger = &stand.books.ledger;
        let results = stand.surveyed.iter().filter_map(|it| match &it.standing {
            Standing::Result(judged) => Some(ToldSetting::of(it.tree, &judged.record)),
            Standing::Missing | Standing::Unreadable(_) => None,
        });
        // What a file that cannot be read says of a pass is of no importance to the numbers.
        let pass = Pass::read(&run.pass()).ok().flatten();
        let mut summary = Self::of(
            run.name().clone(),
            setting_by(run, manifest, results),
            &stand.surveyed,
            Trials::of(stand, pass.as_ref()),
            planned_by_upstream(run, manifest),
            &stand.unread,
        );
        if let Some(manifest) = manifest {
            summary.take_asked(manifest, &stand.surveyed);
        }
        mixed::add_to(&mut summary, &stand.surveyed, manifest);
        summary.unreadable_ledger_lines = ledger.unreadable_lines;
        // Our own engine's results have costs of the price that its run had.
        if let Some(manifest) = manifest
            && manifest.engine == EngineKind::Native
            && summary.headline_cost.usd > 0.0
        {
            summary.priced_as.extend(manifest.priced_as.clone());
        }
        summary
    }
}
