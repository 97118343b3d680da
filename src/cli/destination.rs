//! Where a report goes: stdout or a file.

use std::path::Path;

use super::ui::Ui;
use crate::error::{Error, Result};
use crate::files::OutputFile;

/// Where a report goes.
pub enum Destination<'a> {
    Stdout(&'a Ui),
    File(OutputFile, &'a Path, &'a Ui),
}

impl<'a> Destination<'a> {
    /// A file, or stdout where none is named.
    pub fn of(output: Option<&'a Path>, ui: &'a Ui) -> Result<Self> {
        Ok(match output {
            None => Self::Stdout(ui),
            Some(path) => {
                let file = OutputFile::begin(path).map_err(Error::into_usage)?;
                Self::File(file, path, ui)
            }
        })
    }

    /// Whether there is still somebody who reads.
    pub fn write(&mut self, text: &str) -> Result<bool> {
        match self {
            Self::Stdout(ui) => ui.data_as_it_is(text),
            Self::File(file, ..) => {
                let written = file.write(text.as_bytes());
                written.map_err(Error::into_usage).map(|()| true)
            }
        }
    }

    /// Makes a file whole.
    pub fn finish(self) -> Result<()> {
        if let Self::File(file, path, ui) = self {
            file.finish().map_err(Error::into_usage)?;
            ui.say(format!("wrote {}", path.display()));
        }
        Ok(())
    }
}
