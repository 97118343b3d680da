//! Before and after an attempt: what stands is recorded, what must not stand is set aside, and what
//! was cut off is counted.

use std::collections::BTreeSet;

use super::{Event, Plan, Runner, forced, lost, record};
use crate::bench::{Pair, RuleId};
use crate::error::Result;
use crate::store::begun::DIED;
use crate::store::events::{History, OpenAttempt};
use crate::store::{Begun, aside};
use crate::survey::{Standing, Surveyed};
use crate::text::one_line;
use crate::triage::{Cause, Diagnosis, Finding};

impl Runner {
    /// Brings the ledger up to what stands: results that were there before us, or that were
    /// written after an earlier regatta died; and the trials that died with it.
    /// What goes on elsewhere is left open.
    pub(super) fn take_stock(
        &mut self,
        history: &History,
        going_on: &BTreeSet<Pair>,
    ) -> Result<()> {
        let open = history.open.as_ref();
        for surveyed in self.survey_of(&self.plan)? {
            let Standing::Result(judged) = &surveyed.standing else {
                continue;
            };
            let of_open = open.filter(|open| open.pairs.contains(&surveyed.pair));
            let entry = record::of_result(
                &surveyed.pair,
                self.setting,
                of_open.map(|open| open.attempt),
                judged,
            );
            self.ledger.record(entry)?;
            // Also for a trial that is known: we may have been killed between ledger and tag.
            self.with_survey(|survey| survey.tag(surveyed.tree, &surveyed.pair, judged, None))?;
        }
        if let Some(open) = open {
            self.cut_off_but(open, DIED, |pair| going_on.contains(pair))?;
        }
        Ok(())
    }

    pub(super) fn announce(&self) -> Result<()> {
        let surveyed = self.survey()?;
        let plan = Plan::of(&surveyed, true, &self.pass);
        let submitted = surveyed
            .iter()
            .filter(|pair| is_submitted(pair) && !forced::is_replaced(&self.pass, pair))
            .count();
        self.sink.emit(Event::RunStarted {
            run: self.run.name().clone(),
            setting: self.setting,
            pairs: plan.total(),
            finished: plan.finished.len() + plan.settled.len(),
            submitted,
            to_run: plan.to_run.len(),
            spent: self.total_here(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        });
        Ok(())
    }

    /// Says how far a forced pass is that goes on.
    pub(super) fn tell_of_pass(&self, surveyed: &[Surveyed], plan: &Plan) {
        let told = forced::progress(self.run.name(), &self.pass, surveyed, plan);
        if let Some(text) = told {
            self.sink.emit(Event::Note { text });
        }
    }

    /// Sets aside what must not stand while its pair runs again.
    pub(super) fn clear_the_way(&self, surveyed: &[Surveyed], plan: &Plan) -> Result<()> {
        if let Some(text) = forced::set_aside(self.run.name(), &self.pass, surveyed) {
            self.sink.emit(Event::Note { text });
        }
        for surveyed in surveyed
            .iter()
            .filter(|surveyed| plan.to_run.contains(&surveyed.pair))
        {
            let dir = self.run.pair(self.setting.tree(), &surveyed.pair);
            match &surveyed.standing {
                Standing::Missing => {
                    aside::without_result(&dir)?;
                }
                Standing::Unreadable(why) => {
                    self.sink.emit(Event::Note {
                        text: format!("{} is set aside: {why}", dir.result().display()),
                    });
                    aside::unreadable(&dir)?;
                }
                Standing::Result(judged) if forced::is_replaced(&self.pass, surveyed) => {
                    aside::void(&dir, &judged.record.trial)?;
                }
                Standing::Result(judged) => match judged.finding {
                    // Upstream would take it for finished.
                    Finding::OnlyLooksFinished(_) => aside::void(&dir, &judged.record.trial)?,
                    _ if !judged.record.is_upstreams_error => {
                        aside::void(&dir, &judged.record.trial)?;
                    }
                    _ => aside::before_rerun(&dir, &judged.record.trial)?,
                },
            }
        }
        Ok(())
    }

    /// Records the trials that were running when an attempt was ended: paid, and of a cost that is
    /// known as far as the engine told it.
    pub(super) fn cut_off(&mut self, open: &OpenAttempt, why: &str) -> Result<()> {
        self.cut_off_but(open, why, |_| false)
    }

    /// Records the trial of one pair that was ended.
    pub(super) fn cut_off_one(&mut self, open: &OpenAttempt, pair: &Pair) -> Result<()> {
        self.cut_off_but(open, CANCELLED, |other| other != pair)
    }

    /// Records the trials that were ended, but for those of pairs whose trials go on.
    fn cut_off_but(
        &mut self,
        open: &OpenAttempt,
        why: &str,
        goes_on: impl Fn(&Pair) -> bool,
    ) -> Result<()> {
        let begun = Begun {
            pairs: &self.plan,
            setting: self.setting,
            concurrency: self.policy.concurrency,
        };
        // What stands is in the ledger by now.
        let lines = begun.lines(open, &self.ledger, goes_on, Some(why));
        let cancelled = self.wheel.cancelled(self.run.name());
        for mut entry in lines {
            let pair = entry.pair.clone();
            let mut why = why.to_owned();
            let mut rule = None;
            if let Some(by) = cancelled.get(&pair) {
                why = format!("{CANCELLED} by {by}");
                rule = Some(RuleId::CANCELLED);
            } else if let Some((named, lost)) = open.lost.get(&pair) {
                why = one_line(lost, WHY);
                rule = Some(lost::rule(named));
            }
            if let Some(rule) = rule {
                entry.diagnosis = Some(Diagnosis::new(Cause::Infra, rule, "regatta", &why));
            }
            let (cost, usage_unknown) = (entry.cost, entry.usage_unknown);
            if self.ledger.record(entry)? {
                let event = Event::TrialCutOff {
                    attempt: open.attempt,
                    pair,
                    why,
                    cost,
                    usage_unknown,
                };
                self.wheel.note(&event);
                self.sink.emit(event);
            }
        }
        Ok(())
    }
}

/// The longest text that says why a trial is lost.
const WHY: usize = 400;

/// Why a trial has no result that somebody cancelled.
const CANCELLED: &str = "cancelled";

fn is_submitted(surveyed: &Surveyed) -> bool {
    match &surveyed.standing {
        Standing::Result(judged) => {
            judged.finding == Finding::Finished && judged.record.is_submitted()
        }
        _ => false,
    }
}
