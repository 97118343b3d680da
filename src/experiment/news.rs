//! What an experiment tells while it is opened, run and judged, in the order in which it happens.

use std::fmt::Display;
use std::path::PathBuf;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::graded::Graded;
use super::outlook::Outlook;
use crate::bench::{RuleSet, RunName};
use crate::images::PullNews;
use crate::runner::Event;
use crate::runner::judging::Told;
use crate::runner::preflight::Check;

/// One thing that happened. `cli` turns it into lines and bars.
#[derive(Clone, Debug)]
pub enum News {
    /// A check before the runs came out well, or well enough.
    Checked(Check),
    /// Something that a dead run had left was removed; what it was.
    Removed(String),
    /// Images are pulled before the runs begin.
    PullingBegun {
        /// How many.
        images: usize,
        /// Where they are kept.
        store: PathBuf,
    },
    /// A pull of these tells something.
    Pulling {
        /// The image, by its whole name.
        image: String,
        /// What its pull tells.
        told: PullNews,
    },
    /// They are pulled, or could not be.
    PullingEnded,
    /// The runs begin, one after the other; what stands before.
    Begun(Outlook),
    /// An event of a run, as its `events.jsonl` has it.
    Run(Event),
    /// The judging of the runs begins, one after the other.
    JudgingBegun {
        /// How many pairs of all runs will be judged.
        pairs: usize,
        /// Whether it is each of their agents alone.
        alone: bool,
    },
    /// The judging of a run begins.
    JudgingStarted {
        /// The run whose judging begins.
        run: RunName,
        /// How many pairs will be judged.
        pairs: usize,
        /// Those of them that have a verdict, which stands until its new one is there.
        again: usize,
        /// How many pairs keep the verdict that they have.
        judged: usize,
        /// Whose rules decide what passes.
        rules: RuleSet,
        /// Whether it is each of their agents alone.
        alone: bool,
    },
    /// The judging of a run tells of a pair.
    Judging {
        /// The run that is judged.
        run: RunName,
        /// What became of one pair, or a note.
        told: Told,
    },
    /// The judging of a run is over, or was ended.
    JudgingEnded {
        /// The run whose judging is over.
        run: RunName,
    },
    /// The dataset's features are looked at.
    GradingStarted {
        /// The subset that they are of.
        subset: String,
        /// How many features will be graded, over all tasks.
        features: usize,
    },
    /// A feature was looked at.
    Graded(Graded),
    /// Something that the user should know even if nothing else is shown.
    Warning(String),
    /// Something that the user should know.
    Note(String),
    /// Something that is told to who asks for more.
    Detail(String),
}

/// Where news go. Nobody has to listen.
#[derive(Clone, Debug)]
pub struct NewsSender(UnboundedSender<News>);

/// A place for news, and where they are heard. They end when the last sender is gone.
#[must_use]
pub fn channel() -> (NewsSender, UnboundedReceiver<News>) {
    let (sender, receiver) = unbounded_channel();
    (NewsSender(sender), receiver)
}

impl NewsSender {
    /// Sends news. If nobody listens any more they are dropped.
    pub fn tell(&self, news: News) {
        // Who no longer listens does not end what runs.
        let _ = self.0.send(news);
    }

    /// Tells a [`News::Warning`], which the terminal shows even with `-q`.
    pub fn warn(&self, text: impl Display) {
        self.tell(News::Warning(text.to_string()));
    }

    /// Tells a [`News::Note`], which the terminal shows unless `-q` is given.
    pub fn note(&self, text: impl Display) {
        self.tell(News::Note(text.to_string()));
    }

    /// Tells a [`News::Detail`], which the terminal shows only with `-v`.
    pub fn detail(&self, text: impl Display) {
        self.tell(News::Detail(text.to_string()));
    }
}
