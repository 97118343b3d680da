//! How often the intervals and p-values of the room `statistics` keep what they promise, over tasks
//! whose rates are drawn.
//!
//! `just coverage` draws all samples and writes the table into `docs/concepts/statistics.md`.
//! `just coverage --tenth` draws a tenth of them, prints the table, and fails if something is far
//! from its promise. What is drawn depends on the cell and on nothing else.

mod cell;
mod design;
mod draw;
mod found;
mod page;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use cell::Cell;
use found::Found;

/// Samples of each cell.
const SAMPLES: u32 = 20_000;

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let samples = match asked.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => SAMPLES,
        ["--tenth"] => SAMPLES / 10,
        _ => return fails("usage: just coverage [--tenth]"),
    };
    let found = drawn(&Cell::all(), samples);
    let table = page::table(&found, samples);
    if samples < SAMPLES {
        say(&table);
    } else if let Err(error) = page::write(&table) {
        return fails(&error);
    }
    let broken: Vec<String> = found.iter().flat_map(Found::broken).collect();
    if broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        fails(&broken.join("\n"))
    }
}

/// What comes out in each cell, in their order.
fn drawn(cells: &[Cell], samples: u32) -> Vec<Found> {
    let next = AtomicUsize::new(0);
    let (to, from) = mpsc::channel();
    thread::scope(|threads| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            let (to, next) = (to.clone(), &next);
            threads.spawn(move || {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let _ = to.send(Found::of(cell, samples));
                }
            });
        }
    });
    drop(to);
    let mut found: Vec<Found> = from.into_iter().collect();
    found.sort_by_key(|found| found.cell.number);
    found
}

#[expect(clippy::print_stdout, reason = "its output is its result")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "it says what is wrong")]
fn fails(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::FAILURE
}
