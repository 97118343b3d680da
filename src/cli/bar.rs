//! How far something is, below plain lines on a terminal; the lines alone elsewhere.

use std::fmt::Display;
use std::time::{Duration, Instant};

use super::rate::Rate;
use super::running::Running;
use super::ui::{Size, Ui, fit};
use crate::text::{duration, plural};

/// The longest bar, in columns.
const LONGEST: usize = 40;

/// After so long without a line, where no bar is drawn, one says that work goes on.
const SILENCE: Duration = Duration::from_mins(1);

/// A count of what is done, as a bar on stderr with what runs now below it. Where no bar is drawn
/// only its lines appear.
#[derive(Debug)]
pub struct Bar {
    ui: Ui,
    /// `None` where nothing is under way.
    begun: Option<Instant>,
    rate: Rate,
    done: usize,
    total: usize,
    words: String,
    /// What is under way now.
    pub running: Running,
    /// What is said in place of the time that is left.
    pub state: Option<&'static str>,
    /// When the last line was printed.
    said: Instant,
}

impl Bar {
    /// One that shows nothing yet.
    #[must_use]
    pub fn new(ui: Ui) -> Self {
        Self {
            ui,
            begun: None,
            rate: Rate::default(),
            done: 0,
            total: 0,
            words: String::new(),
            running: Running::default(),
            state: None,
            said: Instant::now(),
        }
    }

    /// Begins anew, with what is done already.
    pub fn begin(&mut self, done: usize, total: usize) {
        self.begun = Some(Instant::now());
        self.rate = Rate::default();
        self.set(done, total);
        self.words.clear();
        self.running = Running::default();
        self.state = None;
    }

    /// Whether it is drawn, so that lines need not say what it says.
    #[must_use]
    pub fn is_drawn(&self) -> bool {
        self.begun.is_some() && self.ui.room().is_some()
    }

    /// So many are done, of so many.
    pub const fn set(&mut self, done: usize, total: usize) {
        (self.done, self.total) = (done, total);
    }

    /// Work begins, or goes on.
    pub fn go(&mut self) {
        self.rate.go(Instant::now());
    }

    /// Nothing is done until [`Self::go`].
    pub fn rest(&mut self) {
        self.rate.rest(Instant::now());
    }

    /// One more was done by this command, which the time that is left is reckoned by.
    pub fn step(&mut self) {
        self.rate.step(Instant::now());
    }

    /// What is done, of what there is: `3/9`.
    #[must_use]
    pub fn position(&self) -> String {
        format!("{}/{}", self.done, self.total)
    }

    /// The counts and costs that are shown.
    pub fn words(&mut self, words: String) {
        self.words = words;
    }

    /// Draws it as it is now.
    pub fn draw(&self) {
        let Some(begun) = self.begun else { return };
        let now = Instant::now();
        let lines = self.ui.room().map(|size| self.lines(size, begun, now));
        self.ui.show(lines.unwrap_or_default());
    }

    fn lines(&self, size: Size, begun: Instant, now: Instant) -> Vec<String> {
        // In the last column some terminals break a line already.
        let width = size.columns - 1;
        let elapsed = duration(now.saturating_duration_since(begun).as_secs_f64());
        let left = self.total.saturating_sub(self.done);
        let eta = match self.state {
            Some(state) => format!(" · {state}"),
            None => match self.rate.eta(left, now).filter(|_| left > 0) {
                Some(eta) => format!(" · ETA {}", duration(eta.as_secs_f64())),
                None => String::new(),
            },
        };
        let (before, after) = (self.position(), format!("{elapsed}{eta}"));
        let mut lines = vec![head(&before, &after, self.done, self.total, width)];
        if !self.words.is_empty() {
            lines.push(fit::cut(&self.words, width));
        }
        let rows = (size.rows - 1).saturating_sub(lines.len() + 1);
        lines.extend(self.running.lines(width, rows, now));
        lines
    }

    /// Draws it where its times go on. Where it is not drawn, a line says now and then that what runs
    /// goes on.
    pub fn tick(&mut self) {
        self.draw();
        let now = Instant::now();
        let is_silent = now.saturating_duration_since(self.said) >= SILENCE;
        if let (Some(_), true, false) = (self.begun, is_silent, self.is_drawn())
            && let Some(longest) = self.running.longest(now)
        {
            let longest = duration(longest.as_secs_f64());
            let running = plural(self.running.count(), "pair");
            self.line(format!(
                "{} so far, {running} under way for up to {longest}: {}",
                self.position(),
                self.words
            ));
        }
    }

    /// A line above it, unless `-q`.
    pub fn line(&mut self, text: impl Display) {
        if !self.ui.is_quiet() {
            self.always(text);
        }
    }

    /// A line above it, even with `-q`.
    pub fn always(&mut self, text: impl Display) {
        self.said = Instant::now();
        self.ui.talk(text);
    }

    /// A line above it that is cut where it is too long, unless `-q`: one of many, and whole elsewhere.
    pub fn row(&mut self, text: impl Display) {
        self.said = Instant::now();
        if !self.ui.is_quiet() {
            self.ui.row(text);
        }
    }

    /// Takes it from the terminal. Lines after it are printed as they are.
    pub fn finish(&mut self) {
        self.begun = None;
        self.ui.show(Vec::new());
    }
}

/// A bar between two texts that stay, as long as there is room for it.
fn head(before: &str, after: &str, done: usize, total: usize, width: usize) -> String {
    let texts = fit::width(before) + fit::width(after) + 2;
    let inner = width.saturating_sub(texts + 2).min(LONGEST);
    if inner < 4 {
        return fit::cut(&format!("{before} {after}"), width);
    }
    let full = (inner * done.min(total)).checked_div(total).unwrap_or(0);
    let mut bar = "=".repeat(full);
    if full < inner {
        bar.push('>');
    }
    format!("{before} [{bar:inner$}] {after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_takes_what_room_there_is() {
        assert_eq!(
            head("3/9", "1m 02s · ETA 2m", 3, 9, 40),
            "3/9 [======>            ] 1m 02s · ETA 2m"
        );
        assert_eq!(head("9/9", "1m", 9, 9, 14), "9/9 [======] 1m");
        assert_eq!(head("0/0", "0s", 0, 0, 100).len(), 48);
        for width in 0..60 {
            let line = head("123/300", "4m 10s · ETA 3m 20s", 123, 300, width);
            assert!(fit::width(&line) <= width, "{width}: {line}");
        }
    }
}
