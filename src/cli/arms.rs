//! The runs and arms that a command on many of them reads.

use clap::Args;

use super::options::{ConfigSource, Places, SelectedRuns};
use super::tree;
use super::ui::Ui;
use crate::bench::RunName;
use crate::error::{Error, Result};
use crate::experiment::setup::{log_tree, prices, rules};
use crate::report::rows;
use crate::study::{ArmRun, Beside, Pooling, Study, study};
use crate::survey::Stand;

/// Runs and arms, and how runs are pooled.
#[derive(Debug, Args)]
pub struct ArmSelection {
    /// Arms, runs, groups, or patterns of them such as 'talk-*' [default: every arm of the log tree]
    #[arg(value_name = "ARM")]
    arms: Vec<String>,
    /// Take every run for an arm by itself
    #[arg(long)]
    no_pool: bool,
    /// Pool runs although their rule sets, datasets or images differ
    #[arg(long)]
    mixed: bool,
    /// Count a pass as a failure where hidden tests did not run, or where it fails without what
    /// steers its tests
    #[arg(long)]
    pub(super) strict_verdicts: bool,
    #[command(flatten)]
    source: ConfigSource,
    #[command(flatten)]
    places: Places,
}

impl ArmSelection {
    /// The runs that the words name, each by itself.
    pub fn runs(&self, ui: &Ui) -> Result<SelectedRuns> {
        for (flag, is_given) in [("--no-pool", self.no_pool), ("--mixed", self.mixed)] {
            if is_given {
                return Err(Error::usage(format!("{flag} is about arms"))
                    .hint("`regatta report --by arm` pools runs into arms"));
            }
        }
        let names: Vec<RunName> = self
            .arms
            .iter()
            .map(|it| it.parse())
            .collect::<Result<_>>()?;
        let mut layers = self.source.layers()?;
        self.places.apply(&mut layers)?;
        SelectedRuns::named(&names, tree::config(&layers, ui)?)
    }

    /// Reads the runs and pools them, the arms in the order in which they were named: without names
    /// the experiment's in its order, then the others by name.
    pub fn open(&self, ui: &Ui) -> Result<Study> {
        self.read(self.mixed, ui)
    }

    /// The same, with runs pooled although they are mixed: who looks for that wants to find it.
    pub fn open_mixed(&self, ui: &Ui) -> Result<Study> {
        self.read(true, ui)
    }

    fn read(&self, is_mixed: bool, ui: &Ui) -> Result<Study> {
        let mut layers = self.source.layers()?;
        self.places.apply(&mut layers)?;
        let config = tree::config(&layers, ui)?;
        let (rules, prices) = (rules(&config)?, prices(&config)?.0);
        let mut runs = Vec::new();
        for run in log_tree(&config).select(&[])? {
            let stand = Stand::read(&run, &rules, &prices)?;
            let repeat = stand.manifest.as_ref().and_then(|it| it.repeat);
            runs.push(ArmRun {
                name: run.name().clone(),
                repeat: repeat.map(u64::from),
                beside: Beside::of(&stand),
                rows: rows(&run, stand, self.strict_verdicts)?,
            });
        }
        let pooling = Pooling {
            each_alone: self.no_pool,
            is_mixed,
            groups: config.groups.clone(),
            order: config.arm_names().into_iter().map(str::to_owned).collect(),
            asked: self.arms.clone(),
        };
        study(runs, &pooling)
    }
}
