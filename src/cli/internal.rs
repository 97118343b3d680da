//! Hidden commands: what a child begins as, and the scripted model for trying things out.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use clap::Args;
use tokio::net::TcpListener;

use super::ui::Ui;
use crate::error::{Error, Result, exit};
use crate::guest;
use crate::guest::call::Door;
use crate::model::script::ModelScript;

/// Become a child that dies with its parent
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// The program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub command: Vec<OsString>,
}

/// Serve the sandbox that this is the first process of
#[derive(Debug, Args)]
pub struct GuestArgs {
    /// The secret and the socket for calls of the harness
    #[arg(long)]
    socket: Option<Door>,
    /// How many processes there may be
    #[arg(long, default_value_t = u32::MAX)]
    pids: u32,
    /// How many bytes processes may hold together
    #[arg(long)]
    memory: Option<u64>,
    /// How many CPUs they may run on
    #[arg(long)]
    cpus: Option<usize>,
}

/// Call the harness from inside a sandbox
#[derive(Debug, Args)]
pub struct CallArgs {
    /// The program's name and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<String>,
}

/// Be a namespace, and the guest in it
#[derive(Debug, Args)]
pub struct NamespaceArgs {}

pub fn serve_guest(args: GuestArgs) -> Result<u8> {
    let options = guest::GuestOptions {
        socket: args.socket,
        pids: args.pids as usize,
        memory: args.memory,
        cpus: args.cpus,
        ..guest::GuestOptions::default()
    };
    guest::serve(&options)
        .map_err(|error| Error::world(format!("the sandbox's channel: {error}")))?;
    Ok(exit::OK)
}

/// Serve a scripted model on loopback that solves a dataset's features from their gold patches
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// The dataset
    #[arg(long, value_name = "DIR")]
    dataset: PathBuf,
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// A file that says how requests fail, by its first line that applies: `429 retry-after=1`,
    /// `401`, `malformed`, `hang`, `hold`, `slow 2s`, and after any of them ` until=N` and then
    /// ` when=TEXT`; requests that met with a fault are added to FILE.met
    #[arg(long, value_name = "FILE")]
    fault_file: Option<PathBuf>,
    /// How many commands an agent gives at least
    #[arg(long, default_value_t = 0)]
    steps: usize,
}

pub async fn serve_model(args: &ModelArgs, ui: &Ui) -> Result<u8> {
    let script =
        ModelScript::for_dataset(&args.dataset, args.fault_file.clone())?.with_steps(args.steps);
    let failed = |error| Error::world(format!("cannot listen on port {}: {error}", args.port));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port))
        .await
        .map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    ui.data(&format!("http://{address}\n"))?;
    script.serve(listener).await?;
    Ok(exit::OK)
}
