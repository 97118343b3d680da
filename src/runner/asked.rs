//! What a command answers when it is asked to pause and the like, and what it does about it.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::Timestamp;

use super::Event;
use super::limit::local;
use super::setting_change::SettingChange;
use super::wheel::{GoingRun, Wheel, WheelTurns};
use crate::bench::cost::dollars;
use crate::bench::{Pair, RunName};
use crate::engine::Stop;
use crate::error::{Error, Result, nearest};
use crate::store::manifest::SetByHand;
use crate::store::wheel::{Answer, Ask, CANCEL_SIGNAL, Hand, WheelRequest, WheelState};
use crate::text::{NAME, by_number, exact, one_line, plural};

impl Wheel {
    /// Does what is asked, or nothing of it, and answers.
    #[must_use]
    pub fn ask(&self, request: &WheelRequest) -> Answer {
        let by = shown(&request.by);
        let did = match &request.ask {
            Ask::Pause => self.pause(&by),
            Ask::Resume => self.resume(&by),
            Ask::Cancel { pairs } if pairs.is_empty() => Ok(self.cancel(&by)),
            Ask::Cancel { pairs } => self.cancel_pairs(pairs, request.run.as_ref(), &by),
            Ask::Set { settings } => self.change(settings, &by),
        };
        match did {
            Ok(said) => self.answer(true, said, None),
            Err(error) => {
                let hint = (!error.hints().is_empty()).then(|| error.hints().join("; "));
                self.answer(false, vec![error.to_string()], hint)
            }
        }
    }

    /// What is answered to what cannot be read.
    #[must_use]
    pub fn not_understood(&self, why: &str) -> Answer {
        let said = format!("the request cannot be read: {}", one_line(why, 200));
        let hint = "the run's regatta may be of another version".to_owned();
        self.answer(false, vec![said], Some(hint))
    }

    /// What is answered to who may not ask.
    #[must_use]
    pub fn refused_to_a_stranger(&self) -> Answer {
        let said = "only a process of the user who began the run may ask, and none in a sandbox";
        self.answer(false, vec![said.to_owned()], None)
    }

    fn answer(&self, done: bool, said: Vec<String>, hint: Option<String>) -> Answer {
        let turns = self.state();
        let state = if self.interrupt().came().stop > Stop::No {
            WheelState::Stopping
        } else if turns.paused.is_some() {
            WheelState::Paused
        } else {
            WheelState::Running
        };
        let now = turns.now.as_ref();
        Answer {
            done,
            state,
            runs: self.runs().to_vec(),
            run: now.map(|now| now.run.name().clone()),
            said,
            hint,
        }
    }

    fn pause(&self, by: &Hand) -> Result<Vec<String>> {
        self.refuse_if_stopping()?;
        let mut turns = self.state();
        if let Some((at, by)) = &turns.paused {
            let at = local(*at);
            return Ok(vec![format!("it is paused already, by {by} at {at}")]);
        }
        turns.paused = Some((Timestamp::now(), by.clone()));
        if let Some(now) = &turns.now {
            now.sink.emit(Event::Paused { by: by.clone() });
        }
        let said = format!("nothing new begins; {}", goes_on(turns.now.as_ref()));
        drop(turns);
        self.turn();
        Ok(vec![said])
    }

    fn resume(&self, by: &Hand) -> Result<Vec<String>> {
        self.refuse_if_stopping()?;
        let mut turns = self.state();
        if turns.paused.take().is_none() {
            return Ok(vec!["it is not paused: it goes on".to_owned()]);
        }
        let mut said = "pairs begin again".to_owned();
        if let Some(now) = &turns.now {
            now.sink.emit(Event::Resumed { by: by.clone() });
            if !now.obeys_within && !now.left.is_empty() {
                said.push_str(", as soon as what still runs of the paused attempt has ended");
            }
        }
        drop(turns);
        self.turn();
        Ok(vec![said])
    }

    /// Stops all of it, as the first Ctrl-C does.
    fn cancel(&self, by: &Hand) -> Vec<String> {
        let came = self.interrupt().came();
        if came.stop > Stop::No {
            return vec![format!("it is being stopped already, by {}", came.signal)];
        }
        let turns = self.state();
        let mut said = "it stops as after the first Ctrl-C".to_owned();
        if let Some(now) = &turns.now {
            now.sink.emit(Event::Cancelled {
                by: by.clone(),
                pairs: Vec::new(),
            });
            let grace = exact(now.policy.grace.as_secs_f64());
            let _ = write!(said, "; what runs has {grace} to finish");
        }
        drop(turns);
        self.interrupt().ask(CANCEL_SIGNAL);
        vec![said]
    }

    fn cancel_pairs(
        &self,
        texts: &[String],
        run: Option<&RunName>,
        by: &Hand,
    ) -> Result<Vec<String>> {
        self.refuse_if_stopping()?;
        let mut turns = self.state();
        let WheelTurns { now, cancelled, .. } = &mut *turns;
        let now = now.as_ref().ok_or_else(not_going)?;
        let name = now.run.name();
        if let Some(run) = run.filter(|run| *run != name) {
            return Err(Error::usage(format!(
                "`{run}` does not go on now: its command is at `{name}`"
            ))
            .hint("a pair is cancelled where its trial runs or waits"));
        }
        if !now.obeys_within {
            return Err(Error::usage(
                "upstream's CLI runs all pairs in one process and does not tell which container is whose: a pair cannot be ended alone",
            )
            .hint("`regatta cancel` without a pair stops the run; with --engine native a pair can be ended"));
        }
        let of_run = cancelled.entry(name.clone()).or_default();
        let mut fresh = BTreeSet::new();
        let mut said = Vec::new();
        for text in texts {
            let pair = now.pair(text)?;
            if of_run.contains_key(&pair) {
                said.push(format!("{pair}: it was cancelled before"));
                continue;
            }
            said.push(now.told_of_cancelled(&pair)?);
            fresh.insert(pair);
        }
        if !fresh.is_empty() {
            now.sink.emit(Event::Cancelled {
                by: by.clone(),
                pairs: fresh.iter().cloned().collect(),
            });
            of_run.extend(fresh.into_iter().map(|pair| (pair, by.clone())));
        }
        drop(turns);
        self.turn();
        Ok(said)
    }

    fn change(&self, settings: &BTreeMap<String, String>, by: &Hand) -> Result<Vec<String>> {
        let changes = SettingChange::read(settings)?;
        self.refuse_if_stopping()?;
        let mut turns = self.state();
        let WheelTurns { now, set, .. } = &mut *turns;
        let now = now.as_mut().ok_or_else(not_going)?;
        let (mut said, mut told, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
        for change in changes {
            now.check(&change)?;
            let turned = change.told(&now.policy);
            if turned.old == turned.new {
                said.push(format!("{turned}: it is so already"));
                continue;
            }
            let is_later = !now.obeys_within && matches!(change, SettingChange::Concurrency(_));
            said.push(if is_later {
                format!(
                    "{turned}, from the next attempt on: upstream's CLI has read it for this one"
                )
            } else {
                turned.to_string()
            });
            told.push(turned);
            fresh.push(change);
        }
        if fresh.is_empty() {
            return Ok(said);
        }
        for change in &fresh {
            change.apply(&mut now.policy);
        }
        let by_hand = SetByHand {
            at: Timestamp::now(),
            by: by.clone(),
            changes: told,
        };
        now.tell_of(&by_hand);
        set.push((by_hand, fresh));
        drop(turns);
        self.turn();
        Ok(said)
    }

    fn refuse_if_stopping(&self) -> Result<()> {
        let came = self.interrupt().came();
        if came.stop == Stop::No {
            return Ok(());
        }
        Err(Error::usage(format!(
            "it is being stopped, by {}: nothing new begins",
            came.signal
        )))
    }
}

impl GoingRun {
    /// A pair of the plan by its name.
    fn pair(&self, text: &str) -> Result<Pair> {
        let found = Pair::of_text(text).filter(|pair| self.plan.contains(pair));
        found.ok_or_else(|| {
            let names: Vec<String> = self.plan.iter().map(ToString::to_string).collect();
            let error = Error::usage(format!(
                "`{}` has no pair `{}`",
                self.run.name(),
                one_line(text, NAME)
            ));
            match nearest(text, names.iter().map(String::as_str)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("a pair is named as `regatta status` does: repo_task/7/f1_f2"),
            }
        })
    }

    /// What becomes of a pair that is cancelled now.
    fn told_of_cancelled(&self, pair: &Pair) -> Result<String> {
        if self.running.contains(pair) {
            return Ok(format!("{pair}: its trial is ended"));
        }
        if self.left.contains(pair) {
            return Ok(format!("{pair}: no trial of it runs, and none begins"));
        }
        Err(Error::usage(format!(
            "{pair}: nothing of it is left to run, so nothing can be cancelled"
        ))
        .hint("it has finished, its error is the agent's own, or it was not asked for"))
    }

    /// Refuses what makes no sense for this run.
    fn check(&self, change: &SettingChange) -> Result<()> {
        match change {
            SettingChange::Concurrency(count) if *count > self.plan.len() => {
                let pairs = plural(self.plan.len(), "pair");
                Err(Error::usage(format!(
                    "concurrency={count} is more than the run has: {pairs}"
                )))
            }
            SettingChange::Budget(Some(budget)) if *budget <= self.spent => {
                Err(Error::usage(format!(
                    "a budget of {} is not more than what is spent, {}: nothing could begin",
                    dollars(*budget),
                    dollars(self.spent)
                ))
                .hint("`regatta pause` begins nothing new, and `regatta cancel` stops the run"))
            }
            _ => Ok(()),
        }
    }
}

/// An error where no run goes on.
fn not_going() -> Error {
    Error::usage("no run of this command has begun yet, or the last one has ended")
        .hint("`regatta status` shows what it does; try again when a run goes on")
}

/// What goes on while nothing new begins.
fn goes_on(now: Option<&GoingRun>) -> String {
    let Some(now) = now else {
        return "no run has begun yet".to_owned();
    };
    let count = now.running.len();
    let trials = plural(count, "trial");
    match (now.obeys_within, count) {
        (true, 0) => "no trial runs".to_owned(),
        (true, _) => format!("{trials} {} on", by_number(count, "goes", "go")),
        (false, _) => {
            "what runs goes on, and the attempt ends with it: upstream's CLI cannot wait".to_owned()
        }
    }
}

/// Who asks, as it is shown and kept: it is another's text.
fn shown(by: &Hand) -> Hand {
    let word = |text: &str| match one_line(text, NAME).as_str() {
        "" => "?".to_owned(),
        text => text.to_owned(),
    };
    Hand {
        user: word(&by.user),
        host: word(&by.host),
    }
}
