//! What `regatta eval --gold` prints.

use std::fmt::Write as _;

use super::bar::Bar;
use super::ui::Ui;
use crate::error::{Result, exit};
use crate::experiment::graded::{Grade, Graded};
use crate::text::plural;

/// How many features were found to be what.
#[derive(Default)]
pub struct GradeCounts {
    ungradeable: usize,
    unknown: usize,
}

impl GradeCounts {
    /// Counts a feature; gives the line on one that is as it should be.
    pub fn take_in(&mut self, graded: &Graded, bar: &mut Bar) -> Option<String> {
        let line = match graded.grade {
            Grade::Gradeable => Some(line_of(graded)),
            Grade::Ungradeable(_) => {
                self.ungradeable += 1;
                None
            }
            Grade::Unknown(_) => {
                self.unknown += 1;
                None
            }
        };
        bar.step();
        bar.draw(format_args!(
            "{} ungradeable · {} not known",
            self.ungradeable, self.unknown
        ));
        line
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
    ui.data(&text)?;
    Ok(if unknown == 0 { exit::OK } else { exit::ERRORS })
}
