//! What came of a pull.

use super::{on_disk, short, size};
use crate::cli::ui::Ui;
use crate::error::{Error, Result, exit};
use crate::hint;
use crate::images::{ImageError, ImageName, Pulled, Store};
use crate::text::{by_number, plural, some};

/// The most hints that are given, and the most names that are listed.
const HINTS: usize = 4;
const NAMES: usize = 4;

/// Says what came of it; gives the exit code.
pub fn tell(store: &Store, pulled: &Pulled, fetched: u64, ui: &Ui) -> Result<u8> {
    let left = pulled.failed.len() + pulled.left.len();
    let text = format!(
        "{} pulled ({} fetched); the store has {}",
        plural(pulled.images.len(), "image"),
        size(fetched),
        size(on_disk(store)?)
    );
    if left == 0 {
        ui.say(text);
        return Ok(exit::OK);
    }
    if let ([(name, error)], 1, true) = (pulled.failed.as_slice(), left, pulled.images.is_empty()) {
        return Err(hinted(Error::world(of_image(name, error)), pulled));
    }
    ui.talk(format!("{text}; {left} not pulled"));
    for (name, error) in &pulled.failed {
        ui.warn(of_image(name, error));
    }
    if !pulled.left.is_empty() {
        let names: Vec<String> = pulled.left.iter().map(ToString::to_string).collect();
        let names: Vec<&str> = names.iter().map(|name| short(name)).collect();
        ui.talk(format!(
            "nothing more was asked for after that: {}",
            some(&names, NAMES)
        ));
    }
    let are = by_number(left, "image is", "images are");
    Err(hinted(
        Error::world(format!("{left} {are} missing")),
        pulled,
    ))
}

/// An image's error, with its name.
fn of_image(name: &ImageName, error: &ImageError) -> String {
    let (name, text) = (name.to_string(), error.to_string());
    if text.contains(&name) {
        text.replace(&name, short(&name))
    } else {
        format!("{}: {text}", short(&name))
    }
}

/// The error with what can be done about what it comes from, each once.
fn hinted(mut error: Error, pulled: &Pulled) -> Error {
    let mut hints: Vec<String> = Vec::new();
    for hint in pulled.failed.iter().flat_map(|(_, error)| error.hints()) {
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    for hint in hints.iter().take(HINTS) {
        error = error.hint(hint::in_text(hint));
    }
    let is_of_usage = |(_, error): &(ImageName, ImageError)| matches!(error, ImageError::Fetch(error) if error.is_of_usage());
    if pulled.failed.iter().all(is_of_usage) {
        error = error.into_usage();
    }
    error
}
