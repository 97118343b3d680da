//! `regatta status --watch`.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::of_runs;
use crate::cli::options::RunSelection;
use crate::cli::ui::Ui;
use crate::cli::ui::screen::{self, Screen};
use crate::cli::{suspend, tree, width};
use crate::config::Layers;
use crate::error::{Error, Result, exit};
use crate::hint;
use crate::runner::Interrupt;
use crate::text::paint::{bad, faint};

/// How often it looks at the tree.
const EVERY: Duration = Duration::from_secs(2);

/// Shows the runs again and again. The last that was seen stays on the terminal. Where nothing has
/// begun, that is shown: whoever starts it beside a `run` may be the first.
pub async fn watch(selection: &RunSelection, layers: &Layers, ui: &Ui) -> Result<u8> {
    let Some(screen) = Screen::take() else {
        return Err(Error::usage(
            "--watch needs a terminal that is drawn anew in place: stdout is none, or TERM is `dumb`",
        )
        .hint(format!(
            "`{}` shows it once; `regatta/events.jsonl` of a run has a line for whatever happens",
            hint::command("status")
        )));
    };
    // What is wrong with the arguments or the configuration is said at once.
    let mut seen = Seen::look(selection, layers)?;
    let mut interrupt = Interrupt::listen()?;
    ui.guard(&interrupt);
    let listen = |kind| {
        signal(kind).map_err(|error| Error::world(format!("cannot listen for signals: {error}")))
    };
    let mut resized = listen(SignalKind::window_change())?;
    let mut quits = listen(SignalKind::quit())?;
    let mut stops = suspend::stops();
    let mut stopped = async || match &mut stops {
        Some(stops) => stops.recv().await,
        None => std::future::pending().await,
    };
    loop {
        screen.show(&seen.all());
        tokio::select! {
            () = interrupt.changed() => break,
            _ = quits.recv() => break,
            _ = resized.recv() => {}
            _ = stopped() => suspend::stop_after(screen::give_back),
            () = tokio::time::sleep(EVERY) => {
                seen = Seen::look(selection, layers).unwrap_or_else(|error| Seen {
                    said: None,
                    // A tree that is moved away may be back.
                    text: format!("{}: {error}\n", bad("error")),
                });
            }
        }
    }
    drop(screen);
    if let Some(said) = &seen.said {
        ui.say(said);
    }
    width::page(&seen.text, ui)?;
    Ok(exit::OK)
}

/// What is seen at a time.
struct Seen {
    /// Which tree it is, where that is to be said.
    said: Option<String>,
    text: String,
}

impl Seen {
    /// The runs as they are now, or that there is none yet.
    fn look(selection: &RunSelection, layers: &Layers) -> Result<Self> {
        let (config, said) = tree::chosen(layers)?;
        let (found, missing) = selection.read_begun(config)?;
        let mut text = of_runs(&found)?;
        if let Some(why) = missing {
            text.push_str(&not_begun(&why, found.runs.is_empty()));
        }
        Ok(Self { said, text })
    }

    fn all(&self) -> String {
        let said = self.said.as_ref();
        let said = said.map_or_else(String::new, |said| format!("{}\n", faint(said)));
        said + &self.text
    }
}

/// What is shown of a run that is not there yet.
fn not_begun(why: &Error, is_all: bool) -> String {
    let begin = if is_all { "nothing has begun: " } else { "" };
    let hints = why.hints().iter().map(|hint| format!("  {hint}\n"));
    let hints: String = hints.collect();
    format!("{begin}{why}\n{hints}  a run is shown here as soon as it begins; Ctrl-C ends this\n")
}
