//! How far something is, below plain lines on a terminal; the lines alone elsewhere.

use std::fmt::Display;
use std::time::{Duration, Instant};

use super::running::Running;
use super::tempo::Tempo;
use super::ui::{Size, Ui};
use crate::text::{duration, fit, plural};

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
    tempo: Tempo,
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
            tempo: Tempo::default(),
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
        self.tempo = Tempo::default();
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
        self.tempo.go(Instant::now());
    }

    /// Nothing is done until [`Self::go`].
    pub fn rest(&mut self) {
        self.tempo.rest(Instant::now());
    }

    /// One more was done by this command, which the time that is left is reckoned by.
    pub fn step(&mut self) {
        self.tempo.step(Instant::now());
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
        self.ui.show(&lines.unwrap_or_default());
    }

    fn lines(&self, size: Size, begun: Instant, now: Instant) -> Vec<String> {
        // In the last column some terminals break a line already.
        let width = size.columns - 1;
        let elapsed = duration(now.saturating_duration_since(begun).as_secs_f64());
        let left = self.total.saturating_sub(self.done);
        let eta = match self.state {
            Some(state) => format!(" · {state}"),
            None => match self.tempo.eta(left, now).filter(|_| left > 0) {
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
        if !self.is_drawn()
            && let Some(reminder) = self.reminder(Instant::now())
        {
            self.line(reminder);
        }
    }

    /// What is said after a time without a line, if something is under way.
    fn reminder(&self, now: Instant) -> Option<String> {
        let is_silent = now.saturating_duration_since(self.said) >= SILENCE;
        let longest = self.running.longest(now).filter(|_| is_silent)?;
        Some(format!(
            "still at work: {} done, {} under way, the longest for {}: {}",
            self.position(),
            plural(self.running.count(), "pair"),
            duration(longest.as_secs_f64()),
            self.words
        ))
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
        self.ui.show(&[]);
    }
}

/// A bar between two texts that stay, as long as there is room for it.
pub(super) fn head(before: &str, after: &str, done: usize, total: usize, width: usize) -> String {
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
    use crate::bench::{Pair, TaskKey};

    #[test]
    fn after_a_minute_without_a_line_one_says_that_work_goes_on() {
        let mut bar = Bar::new(Ui::default());
        bar.begin(3, 9);
        bar.words("2 pass, 1 fail, 0 errors".to_owned());
        let begun = Instant::now();
        let later = begun + Duration::from_secs(200);
        assert_eq!(bar.reminder(later), None);
        let pair = Pair::new(TaskKey::new("gull_task", 7), 1, 2);
        bar.running.begin(&pair, begun);
        let said = "still at work: 3/9 done, 1 pair under way, the longest for 3m 20s: 2 pass, 1 fail, 0 errors";
        assert_eq!(bar.reminder(later).as_deref(), Some(said));
        assert_eq!(bar.reminder(bar.said), None);
    }

    #[test]
    fn the_bar_takes_what_room_there_is() {
        assert_eq!(
            head("3/9", "1m 02s · ETA 2m", 3, 9, 40),
            "3/9 [======>           ] 1m 02s · ETA 2m"
        );
        assert_eq!(head("9/9", "1m", 9, 9, 14), "9/9 [=====] 1m");
        assert_eq!(head("0/0", "0s", 0, 0, 100).len(), 49);
        for width in 0..60 {
            let line = head("123/300", "4m 10s · ETA 3m 20s", 123, 300, width);
            assert!(fit::width(&line) <= width, "{width}: {line}");
        }
    }
}
