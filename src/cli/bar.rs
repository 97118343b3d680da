//! A bar on a terminal, with plain lines above it; the lines alone elsewhere.

use std::fmt::Display;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::ui::Ui;
use crate::text::{duration, one_line};

/// A count of what is done, as a bar on stderr. Where no bar is drawn only its lines appear.
#[derive(Debug)]
pub struct Bar {
    ui: Ui,
    drawn: ProgressBar,
    /// `None` before it begins first.
    begun: Option<Instant>,
    done: usize,
    done_here: usize,
    total: usize,
}

impl Bar {
    /// One that shows nothing yet.
    pub fn new(ui: Ui) -> Self {
        let target = if ui.draws_bars() {
            ProgressDrawTarget::stderr_with_hz(4)
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            ui,
            drawn: ProgressBar::with_draw_target(None, target),
            begun: None,
            done: 0,
            done_here: 0,
            total: 0,
        }
    }

    /// Begins anew, under a name, with what is done already.
    pub fn begin(&mut self, name: &str, done: usize, total: usize) {
        self.begun = Some(Instant::now());
        (self.done, self.done_here, self.total) = (done, 0, total);
        let style =
            ProgressStyle::with_template("{prefix} [{bar:12}] {pos}/{len} {elapsed} {wide_msg}");
        if let Ok(style) = style {
            self.drawn.set_style(style.progress_chars("=> "));
        }
        // A long name must leave room for the numbers.
        self.drawn.set_prefix(one_line(name, 24));
        // What was drawn before is of something else.
        self.drawn.set_message("");
        self.drawn.set_length(total as u64);
        self.drawn.reset();
        if self.ui.draws_bars() {
            self.drawn.enable_steady_tick(Duration::from_secs(1));
        }
    }

    /// So many are done, whoever did them.
    pub fn set_done(&mut self, done: usize) {
        self.done = done;
    }

    /// One more is done, by this command. The ETA is the mean time of such steps.
    pub fn step(&mut self) {
        self.done += 1;
        self.done_here += 1;
    }

    /// What is done, of what there is: `3/9`.
    pub fn position(&self) -> String {
        format!("{}/{}", self.done, self.total)
    }

    /// Draws it with these words, and when it will be over.
    pub fn draw(&self, words: impl Display) {
        self.drawn.set_position(self.done as u64);
        let left = self.total.saturating_sub(self.done) as f64;
        let eta = match self.begun {
            Some(begun) if self.done_here > 0 && left > 0.0 => {
                let each = begun.elapsed().as_secs_f64() / self.done_here as f64;
                format!(" · ETA {}", duration(each * left))
            }
            _ => String::new(),
        };
        self.drawn.set_message(format!("· {words}{eta}"));
    }

    /// A line above it, unless `-q`.
    pub fn line(&self, text: impl Display) {
        if !self.ui.is_quiet() {
            self.always(text);
        }
    }

    /// A line above it, even with `-q`.
    pub fn always(&self, text: impl Display) {
        // One that is not there would be drawn below the line.
        if self.begun.is_none() || self.drawn.is_finished() {
            self.ui.talk(text);
        } else {
            self.drawn.suspend(|| self.ui.talk(text));
        }
    }

    /// Clears the bar from the terminal. Lines after it are printed as they are.
    pub fn finish(&self) {
        self.drawn.finish_and_clear();
    }
}
