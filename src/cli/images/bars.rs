//! Pulls under way: a bar of bytes for each, below lines for what is done.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{short, size};
use crate::cli::bar::head;
use crate::cli::ui::Ui;
use crate::images::PullNews;
use crate::text::{duration, exact, fit};

/// After so long without a line, where no bar is drawn, one says that work goes on.
const SILENCE: Duration = Duration::from_mins(1);

/// The most bars that are drawn.
const MOST: usize = 8;

/// The longest name that is drawn, in columns.
const NAME: usize = 44;

/// What is pulled.
pub struct Bars {
    ui: Ui,
    begun: Instant,
    said: Instant,
    images: usize,
    done: usize,
    fetched: u64,
    running: BTreeMap<String, Pull>,
}

/// One pull.
struct Pull {
    at: Instant,
    /// Bytes that are there, those of a pull that was cut among them, and how many there will be.
    done: u64,
    total: u64,
    /// Bytes that came in this pull.
    fetched: u64,
    missing: usize,
    unpacked: usize,
    /// How many of them another pull fetches.
    waits: usize,
    is_refused: bool,
}

impl Bars {
    /// For so many images; nothing is drawn yet.
    pub fn new(ui: Ui, images: usize) -> Self {
        let now = Instant::now();
        Self {
            ui,
            begun: now,
            said: now,
            images,
            done: 0,
            fetched: 0,
            running: BTreeMap::new(),
        }
    }

    /// How many bytes came.
    pub const fn fetched(&self) -> u64 {
        self.fetched
    }

    /// Takes in what a pull tells.
    pub fn take_in(&mut self, name: &str, news: PullNews) {
        let pull = self
            .running
            .entry(name.to_owned())
            .or_insert_with(Pull::new);
        match news {
            PullNews::Begun { missing, bytes, .. } => {
                (pull.done, pull.total, pull.missing) = (0, bytes, missing);
            }
            PullNews::Resumed(bytes) => pull.done += bytes,
            PullNews::Bytes(bytes) => {
                pull.done += bytes;
                pull.fetched += bytes;
                pull.is_refused = false;
                self.fetched += bytes;
            }
            PullNews::Lost(bytes) => pull.done = pull.done.saturating_sub(bytes),
            PullNews::Layer => pull.unpacked += 1,
            PullNews::Waits => pull.waits += 1,
            PullNews::Waited => pull.waits = pull.waits.saturating_sub(1),
            PullNews::Retry { why, pause, .. } => {
                pull.is_refused = true;
                let pause = exact(pause.as_secs_f64());
                self.line(format!("{}: {why}; next try in {pause}", short(name)));
            }
            PullNews::Note(note) => self.line(format!("{}: {note}", short(name))),
            PullNews::Done => {
                let took = duration(pull.at.elapsed().as_secs_f64());
                let fetched = size(pull.fetched);
                self.running.remove(name);
                self.done += 1;
                self.line(format!("{}  {fetched}, {took}", short(name)));
            }
            PullNews::Failed => {
                self.running.remove(name);
            }
        }
    }

    fn line(&mut self, text: String) {
        self.said = Instant::now();
        self.ui.say(text);
    }

    /// Draws them. Where they are not drawn, a line says now and then that work goes on.
    pub fn tick(&mut self) {
        if let Some(room) = self.ui.room() {
            let rows = room.rows.saturating_sub(2).min(MOST);
            self.ui
                .show(&self.lines(room.columns - 1, rows, Instant::now()));
        } else if self.said.elapsed() >= SILENCE {
            let text = format!("still at work: {}", self.all(Instant::now()));
            self.line(text);
        }
    }

    /// Takes them from the terminal.
    pub fn finish(&self) {
        self.ui.show(&[]);
    }

    fn all(&self, now: Instant) -> String {
        format!(
            "{}/{} images · {} · {}",
            self.done,
            self.images,
            size(self.fetched),
            duration(now.saturating_duration_since(self.begun).as_secs_f64())
        )
    }

    fn lines(&self, width: usize, rows: usize, now: Instant) -> Vec<String> {
        let names: Vec<&str> = self.running.keys().map(|name| short(name)).collect();
        let widths = names.iter().map(|name| fit::width(name));
        let column = widths.max().unwrap_or(0).min(NAME).min(width / 2);
        let mut lines = vec![fit::cut(&self.all(now), width)];
        for (name, pull) in names.iter().zip(self.running.values()).take(rows) {
            let name = fit::without_middle(name, column);
            let gap = " ".repeat(column.saturating_sub(fit::width(&name)));
            lines.push(pull.line(&format!("{name}{gap}"), width, now));
        }
        lines
    }
}

impl Pull {
    fn new() -> Self {
        Self {
            at: Instant::now(),
            done: 0,
            total: 0,
            fetched: 0,
            missing: 0,
            unpacked: 0,
            waits: 0,
            is_refused: false,
        }
    }

    fn line(&self, name: &str, width: usize, now: Instant) -> String {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        let speed = self.fetched as f64 / seconds.max(1.0) / 1e6;
        let state = if self.is_refused {
            "waits for the next try".to_owned()
        } else if self.waits > 0 && self.waits + self.unpacked >= self.missing {
            "another pull fetches the rest".to_owned()
        } else if self.total == 0 {
            "asking".to_owned()
        } else if self.done >= self.total {
            format!("unpacking, {}/{} layers", self.unpacked, self.missing)
        } else {
            format!("{speed:.1} MB/s")
        };
        let megabytes = |bytes: u64| bytes / 1_000_000;
        let after = format!(
            "{}/{} MB · {state}",
            megabytes(self.done),
            self.total.div_ceil(1_000_000)
        );
        // What there is of a bar is a thousand steps wide.
        let part = self.done.saturating_mul(1000).checked_div(self.total);
        let part = usize::try_from(part.unwrap_or(0)).unwrap_or(1000);
        head(name, &after, part, 1000, width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pull_has_a_bar_of_its_bytes_within_the_width() {
        let mut bars = Bars::new(Ui::default(), 30);
        let one = "docker.io/akhatua/cooperbench-dspy:task8394";
        let other = "docker.io/akhatua/cooperbench-samuelcolvin-dirty-equals:task43";
        bars.take_in(
            one,
            PullNews::Begun {
                layers: 5,
                missing: 3,
                bytes: 412_000_000,
            },
        );
        bars.take_in(one, PullNews::Resumed(100_000_000));
        bars.take_in(one, PullNews::Bytes(106_000_000));
        bars.take_in(other, PullNews::Waits);
        let lines = bars.lines(100, 8, bars.begun);
        assert_eq!(lines[0], "0/30 images · 106 MB · 0s");
        assert!(lines[1].contains("[====="), "{lines:#?}");
        assert!(
            lines[1].ends_with("] 206/412 MB · 106.0 MB/s"),
            "{lines:#?}"
        );
        assert!(lines[2].contains("another pull fetches"), "{lines:#?}");
        for width in 20..120 {
            for line in bars.lines(width, 8, bars.begun) {
                assert!(fit::width(&line) <= width, "{width}: {line}");
            }
        }
        bars.take_in(one, PullNews::Done);
        assert_eq!(bars.lines(100, 8, bars.begun).len(), 2);
    }
}
