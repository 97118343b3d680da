//! `regatta view`.

use std::path::Path;

use clap::Args;

use super::options::RunSelection;
use super::page;
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
    let found = args.selection.open(ui)?;
    found.say_misnamed(ui);
    let tree = setup::log_tree(&found.config);
    let of = LiveOf {
        pooling: page::pooling(&found),
        title: page::title(&tree),
        runs: args.selection.names().to_vec(),
        dataset: setup::dataset_alone(&found.config).ok(),
        rules: found.rules,
        prices: found.prices,
        mask: PageMask::of_environment(),
        tree,
    };
    let served = serve(LiveTree::new(of), args.port, token()?).await?;
    ui.say(format!(
        "{}\nCtrl-C ends it; runs go on without it.",
        served.address
    ));
    if args.open && !open(&served.address) {
        ui.warn("no browser could be started: open the address yourself");
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

/// Starts the user's browser; says whether there is one.
fn open(address: &str) -> bool {
    let browsers = ["xdg-open", "open"].map(str::to_owned);
    std::env::var("BROWSER")
        .into_iter()
        .chain(browsers)
        .any(|browser| {
            std::process::Command::new(browser)
                .arg(address)
                .stdin(std::process::Stdio::null())
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .is_ok()
        })
}

/// What the address has beside the port: the same from one start to the next, so that a page that is
/// open finds its server again. Only this user can read it.
fn token() -> Result<String> {
    let Some(path) = cache_dir().map(|dir| dir.join("view-token")) else {
        return fresh();
    };
    let known = files::read_up_to(&path, 64).ok().flatten();
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
        let _ = files::write_atomic(path, token.as_bytes());
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
