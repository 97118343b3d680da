//! Hidden commands: what a child begins as, and the scripted model for trying things out.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use clap::{Args, Parser as _, Subcommand as _};
use tokio::net::TcpListener;

use super::ui::Ui;
use crate::bench::{BackendKind, Word};
use crate::error::{Error, Result, exit};
use crate::guest::call::Door;
use crate::model::script::ModelScript;
use crate::sandbox::namespace;
use crate::store::RunDir;
use crate::{guest, process};

/// The hidden commands. They have a command line of their own: a sandbox starts several of them, and
/// to describe all the others first takes most of the time of each.
#[derive(Debug, clap::Parser)]
#[command(name = "regatta")]
pub struct HiddenCli {
    #[command(subcommand)]
    command: HiddenCommand,
}

#[derive(Debug, clap::Subcommand)]
enum HiddenCommand {
    #[command(name = process::EXEC_COMMAND)]
    Exec(ExecArgs),
    #[command(name = "__model")]
    Model(ModelArgs),
    #[command(name = crate::executor::slurm::WORKER_COMMAND)]
    Worker(WorkerArgs),
    #[command(name = crate::runner::preflight::NODE_COMMAND)]
    Node(NodeArgs),
    #[command(name = crate::sandbox::tools::GUEST_COMMAND)]
    Guest(GuestArgs),
    #[command(name = crate::sandbox::tools::CALL_COMMAND, disable_help_flag = true)]
    Call(CallArgs),
    #[command(name = namespace::COMMAND)]
    Namespace(NamespaceArgs),
}

impl HiddenCli {
    /// The hidden command of a line; `None` where its first word is none of them.
    pub fn of(line: &[OsString]) -> Option<std::result::Result<Self, clap::Error>> {
        let word = line.get(1)?.to_str()?;
        // As cheap as this, since every start of the program asks it.
        (word.starts_with("__") && HiddenCommand::has_subcommand(word))
            .then(|| Self::try_parse_from(line))
    }

    /// Becomes what the command says.
    pub fn run(self, ui: &Ui) -> Result<u8> {
        match self.command {
            HiddenCommand::Exec(args) => Err(process::exec_as_child(&args.command)),
            HiddenCommand::Model(args) => super::block_on(serve_model(&args, ui)),
            HiddenCommand::Worker(args) => super::block_on(work(args)),
            HiddenCommand::Node(args) => super::block_on(look_around(args)),
            HiddenCommand::Guest(args) => serve_guest(args),
            HiddenCommand::Call(args) => Ok(guest::call::make(args.args)),
            HiddenCommand::Namespace(_) => namespace::become_namespace(),
        }
    }
}

/// Become a child that dies with its parent
#[derive(Debug, Args)]
struct ExecArgs {
    /// The program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    command: Vec<OsString>,
}

/// Serve the sandbox that this is the first process of
#[derive(Debug, Args)]
struct GuestArgs {
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
struct CallArgs {
    /// The program's name and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// Be a namespace, and the guest in it
#[derive(Debug, Args)]
struct NamespaceArgs {}

fn serve_guest(args: GuestArgs) -> Result<u8> {
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
struct ModelArgs {
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

async fn serve_model(args: &ModelArgs, ui: &Ui) -> Result<u8> {
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

/// A worker of a run, which Slurm starts.
#[derive(Debug, Args)]
struct WorkerArgs {
    /// The run's directory
    run: PathBuf,
    /// Pairs at the same time
    #[arg(long, default_value_t = 1)]
    at_once: usize,
}

async fn work(args: WorkerArgs) -> Result<u8> {
    let run = RunDir::try_from(args.run)?;
    crate::experiment::worker::work(run, args.at_once).await?;
    Ok(exit::OK)
}

/// Looks around on a node, for doctor.
#[derive(Debug, Args)]
struct NodeArgs {
    /// Where the answer goes
    dir: PathBuf,
    /// The backend of the sandboxes
    backend: Word<BackendKind>,
    #[arg(long)]
    endpoint: Option<String>,
    #[arg(long)]
    store: Option<PathBuf>,
}

async fn look_around(args: NodeArgs) -> Result<u8> {
    let backend = args.backend.known().unwrap_or(BackendKind::Namespace);
    let endpoint = args.endpoint.as_deref();
    crate::runner::preflight::look_around(&args.dir, backend, endpoint, args.store).await?;
    Ok(exit::OK)
}
