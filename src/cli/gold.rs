//! What `regatta eval --gold` prints.

use std::fmt::Write as _;

use super::bar::Bar;
use super::ui::Ui;
use super::width;
use crate::error::{Result, exit};
use crate::experiment::graded::{Grade, Graded};
use crate::text::plural;

/// How many features were found to be what.
#[derive(Default)]
pub struct GradeCounts {
    gradeable: usize,
    ungradeable: usize,
    unknown: usize,
    total: usize,
}

impl GradeCounts {
    /// Begins the bar anew, for so many features.
    pub fn begin(total: usize, bar: &mut Bar) -> Self {
        bar.begin(0, total);
        bar.go();
        bar.draw();
        Self {
            total,
            ..Self::default()
        }
    }

    /// Counts a feature, and shows it.
    pub fn take_in(&mut self, graded: &Graded, bar: &mut Bar) {
        match graded.grade {
            Grade::Gradeable => self.gradeable += 1,
            Grade::Ungradeable(_) => self.ungradeable += 1,
            Grade::Unknown(_) => self.unknown += 1,
        }
        bar.step();
        let done = self.gradeable + self.ungradeable + self.unknown;
        bar.set(done, self.total);
        let counts = format!(
            "{} gradeable, {} ungradeable, {} not known",
            self.gradeable, self.ungradeable, self.unknown
        );
        let line = line_of(graded);
        if bar.is_drawn() {
            bar.row(format_args!("  {line}"));
        } else {
            bar.line(format_args!("  {line}  [{}: {counts}]", bar.position()));
        }
        bar.words(counts);
        bar.draw();
    }
}

fn line_of(graded: &Graded) -> String {
    let Graded {
        task,
        feature,
        grade,
    } = graded;
    let grade = match grade {
        Grade::Gradeable => "gradeable".to_owned(),
        Grade::Ungradeable(why) => format!("ungradeable: {why}"),
        Grade::Unknown(why) => format!("not known: {why}"),
    };
    format!("{task} feature {feature}: {grade}")
}

/// Prints the features that no patch can be judged by; gives the exit code.
pub fn conclude(found: &[Graded], ui: &Ui) -> Result<u8> {
    let is_gradeable = |one: &&Graded| one.grade == Grade::Gradeable;
    let gradeable = found.iter().filter(is_gradeable).count();
    let is_unknown = |one: &&Graded| matches!(one.grade, Grade::Unknown(_));
    let unknown = found.iter().filter(is_unknown).count();
    let others = found.iter().filter(|one| !is_gradeable(one));
    let mut lines: Vec<String> = others.map(line_of).collect();
    lines.sort();
    let mut text = lines.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(
        text,
        "{} gradeable, {} ungradeable, {unknown} not known",
        plural(gradeable, "feature"),
        lines.len() - unknown,
    );
    width::page(&text, ui)?;
    Ok(if unknown == 0 { exit::OK } else { exit::ERRORS })
}
