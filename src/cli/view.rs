//! `regatta view`.

use std::path::Path;

use clap::Args;

use super::options::RunSelection;
use super::page;
use super::tree;
use super::ui::Ui;
use crate::demo::cache_dir;
use crate::error::{Error, Result, exit};
use crate::experiment::setup;
use crate::files;
use crate::runner::Interrupt;
use crate::text::hex;
use crate::view::PageMask;
use crate::view::live::{LiveOf, LiveTree, serve};

const EXAMPLES: &str = "\
Examples:
  regatta view                   # every run, and those to come
  regatta view --open            # in the browser
  regatta view x-solo --port 0   # one run, on any free port";

/// Where the page is, unless another port is asked for.
const PORT: u16 = 7357;

/// Look at runs in a browser while they go on
///
/// Serves the page of `report --format html` on this machine's loopback, and changes it as runs go
/// on. It reads the log tree only. The address has a token: who has it may read the runs.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ViewArgs {
    /// The port on 127.0.0.1; 0 takes any that is free
    #[arg(long, value_name = "PORT", default_value_t = PORT)]
    port: u16,
    /// Open the page in the browser
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    selection: RunSelection,
}

pub async fn run(args: &ViewArgs, ui: &Ui) -> Result<u8> {
    let layers = args.selection.layers()?;
    let config = tree::config(&layers, ui)?;
    let (found, missing) = args.selection.read_begun(config)?;
    found.say_misnamed(ui);
    let mut trees = vec![setup::log_tree(&found.config)];
    if found.runs.is_empty() {
        trees = tree::awaited(&layers, &found.config)?;
    }
    let of = LiveOf {
        pooling: page::pooling(&found),
        title: page::title(&trees[0]),
        runs: args.selection.names().to_vec(),
        dataset: setup::dataset_alone(&found.config).ok(),
        rules: found.rules,
        prices: found.prices,
        mask: PageMask::of_environment(),
        trees,
    };
    let served = serve(LiveTree::new(of), args.port, token()?).await?;
    // Also with -q: without its address there is no page.
    ui.talk(&served.address);
    if let Some(why) = missing {
        say_missing(&why, ui);
    }
    ui.say("Ctrl-C ends it; runs go on without it.");
    if args.open {
        open(&served.address, ui);
    }
    if !has_display() {
        let port = served.port();
        let host = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        ui.say(format!(
            "from another machine: `ssh -L {port}:127.0.0.1:{port} {host}`, then open the same address there"
        ));
    }
    let mut interrupt = Interrupt::listen()?;
    tokio::select! {
        () = served.run() => {}
        () = interrupt.changed() => {}
    }
    Ok(exit::OK)
}

/// Whether a browser on this machine could show anything.
fn has_display() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Says what is not there yet. A name may be mistyped, so what is like it is said too.
fn say_missing(why: &Error, ui: &Ui) {
    ui.talk(format!("{why}: a run is shown when it begins"));
    for hint in why.hints() {
        ui.talk(format!("  {hint}"));
    }
}

/// Starts the user's browser, or says that there is none.
fn open(address: &str, ui: &Ui) {
    let named = std::env::var("BROWSER").ok();
    let named = named.filter(|browser| !browser.is_empty());
    let usual = has_display().then_some(["xdg-open", "open"].map(str::to_owned));
    let browsers = named.into_iter().chain(usual.into_iter().flatten());
    for browser in browsers {
        let started = std::process::Command::new(&browser)
            .arg(address)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn();
        let Ok(mut started) = started else { continue };
        let ui = ui.clone();
        // Whoever starts a browser that runs already ends at once.
        std::thread::spawn(move || {
            if started.wait().is_ok_and(|status| !status.success()) {
                ui.warn(format!(
                    "`{browser}` could not open the page: open the address yourself"
                ));
            }
        });
        return;
    }
    ui.warn("no browser could be started: open the address yourself");
}

/// What the address has beside the port: the same from one start to the next, so that a page that is
/// open finds its server again. Only this user can read it.
fn token() -> Result<String> {
    let Some(path) = cache_dir().map(|dir| dir.join("view-token")) else {
        return fresh();
    };
    let known = files::read_up_to(&path, 64).ok().flatten();
    let known = known.filter(|_| files::is_private(&path));
    let known = known.and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some(token) = known.filter(|token| is_token(token)) {
        return Ok(token);
    }
    let token = fresh()?;
    keep(&path, &token);
    Ok(token)
}

/// Keeps a token; without it the next start has another one.
fn keep(path: &Path, token: &str) {
    let dir = path.parent().map(files::create_dir);
    if matches!(dir, Some(Ok(()))) {
        let _ = files::write_private(path, token.as_bytes());
    }
}

/// 128 random bits.
fn fresh() -> Result<String> {
    let mut bytes = [0; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| Error::world(format!("no random number for the address: {error}")))?;
    Ok(hex(&bytes))
}

fn is_token(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
