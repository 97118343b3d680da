//! A namespace from both its ends: the program that asks for it, and the child that becomes it.

use std::io;
use std::path::{Path, PathBuf};

use rustix::thread::CapabilitySet;

use super::confine::{self, INIT_COMMAND};
use super::plan::NamespacePlan;
use super::root;
use crate::error::{Error, Result};
use crate::guest::call::{Door, SOCKET_VAR};
use crate::guest::powers::{OF_GUEST, seal_descriptors};
use crate::sandbox::channel::Channel;
use crate::sandbox::group::{self, Group};
use crate::sandbox::host_place::HostPlace;
use crate::sandbox::process::Guest;
use crate::sandbox::tools::{GUEST_COMMAND, INSIDE, guest_options, own_limits};
use crate::sandbox::{SandboxError, Spec};
use crate::{files, json, process};

/// The hidden command that becomes a namespace.
pub const COMMAND: &str = "__namespace";

/// Starts a guest in namespaces of its own, over a copy of a tree.
pub async fn start(
    place: &HostPlace,
    spec: &Spec,
    tree: &Path,
) -> std::result::Result<(Guest, Channel), SandboxError> {
    let mut guest = place.tools.command(INSIDE, GUEST_COMMAND);
    // Abstract sockets belong to network namespaces, and ours may be the host's.
    let door = Door::in_directory("/run").map_err(SandboxError::start)?;
    guest.extend(guest_options(&door, spec));
    guest.extend(own_limits(&spec.limits));
    let group = place.groups.map(|groups| groups.group(&spec.limits));
    let group = group.transpose().map_err(|error| {
        SandboxError::start(format!("its control group cannot be made: {error}"))
    })?;
    let group = group.flatten();
    let plan = NamespacePlan {
        rootfs: place.rootfs.clone(),
        tools: place.tools.dir().to_owned(),
        guest,
        init: place.tools.command(INSIDE, INIT_COMMAND),
        workspace: Some(tree.to_owned()),
        space: spec.limits.memory_bytes.unwrap_or(u64::MAX >> 1),
        page: rustix::param::page_size(),
        pids: spec.limits.pids,
        network: spec.limits.network,
        group: group.as_ref().map(Group::door),
    };
    let plan = serde_json::to_string(&plan).map_err(SandboxError::start)?;
    let program = place.tools.dir().join("regatta");
    let mut command = process::child(program).map_err(SandboxError::start)?;
    command.args([COMMAND, &plan]);
    // The mark of ownership is for the reaper; nothing else of our environment goes in.
    let owner = process::Owner::this().label();
    command.env_clear().env(process::OWNER_VAR, owner);
    command
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("HOME", "/root")
        .env("USER", "root")
        .env("LANG", "C.UTF-8")
        .envs(spec.calls_harness().then(|| (SOCKET_VAR, door.to_string())))
        .envs(&spec.env);
    let (mut guest, channel) = Guest::spawn(command, INSIDE.to_owned(), None).await?;
    guest.keep(group);
    Ok((guest, channel))
}

/// The other half of [`start`]: becomes the namespace, then waits for the guest in it.
pub fn become_namespace(plan: &str) -> Result<u8> {
    let plan: NamespacePlan = serde_json::from_str(plan)
        .map_err(|error| Error::usage(format!("no plan of a namespace: {error}")))?;
    process::leave_session()
        .map_err(|error| Error::world(format!("cannot leave the terminal's session: {error}")))?;
    if let Some(door) = &plan.group {
        group::join(door)
            .map_err(|error| Error::world(format!("cannot join {}: {error}", door.display())))?;
    }
    let no_namespace =
        |error: io::Error| Error::world(format!("no namespace can be made: {error}"));
    // Opened while we still are who may read it.
    let workspace = plan.workspace.as_deref().map(root::held).transpose();
    let workspace = workspace.map_err(|error| Error::world(error.to_string()))?;
    confine::stop_being_root()
        .map_err(|error| Error::world(format!("cannot stop being root: {error}")))?;
    confine::unshare(plan.network).map_err(no_namespace)?;
    root::build(&plan, workspace.as_ref().map(|(_, path)| path.as_path())).map_err(|error| {
        let mut text = format!("the root of the namespace: {error}");
        if error.to_string().contains("ermission denied") {
            text.push_str(" (started by root, a sandbox is nobody's: what it copies must be readable for all, `chmod -R a+rX`)");
        }
        Error::world(text)
    })?;
    // Only a child is in the new process namespace: it is process 1 there.
    confine::run_inside(&plan).map_err(|error| Error::world(format!("the namespace: {error}")))
}

/// The guest's half: process 1 of the new namespace enters its root, gives up its powers and
/// becomes the guest.
#[must_use]
pub fn enter(plan: &str) -> Error {
    let plan: NamespacePlan = match serde_json::from_str(plan) {
        Ok(plan) => plan,
        Err(error) => return Error::usage(format!("no plan of a namespace: {error}")),
    };
    match confined(&plan) {
        Ok(guest) => {
            let error = confine::exec(&guest);
            Error::world(format!("cannot start the guest: {error}"))
        }
        Err((what, error)) => Error::world(format!("the {what} of the namespace: {error}")),
    }
}

/// Enters the root and gives up all powers; the words that start the guest, or what failed.
fn confined(plan: &NamespacePlan) -> std::result::Result<Vec<String>, (&'static str, io::Error)> {
    let of = |what: &'static str| move |error: io::Error| (what, error);
    root::enter().map_err(of("root"))?;
    confine::stay_in_process_table().map_err(of("process table"))?;
    seal_descriptors().map_err(of("descriptors"))?;
    let mut guest = plan.guest.clone();
    if !plan.init.is_empty() {
        let init = confine::start_init(&plan.init, plan.pids).map_err(of("process table"))?;
        guest.extend(["--init".to_owned(), init.to_string()]);
    }
    confine::forbid_namespaces();
    if plan.network {
        confine::forbid_abstract_sockets().map_err(of("sockets"))?;
    }
    let segments = confine::limit_segments(plan.space, plan.page);
    let keeps = if plan.init.is_empty() {
        CapabilitySet::empty()
    } else {
        OF_GUEST
    };
    confine::give_up_powers(plan.pids, keeps, segments).map_err(of("limits"))?;
    Ok(guest)
}

/// Whether this kernel lets this user make namespaces; the error says what it said and what to do.
pub async fn check() -> Result<()> {
    // As for a sandbox: one that root starts is nobody's, who may not be let to our own program.
    let dir = files::temporary_dir()?;
    let own = dir.path().join("regatta");
    files::link_or_copy(&process::program()?, &own)?;
    files::open_to_all(dir.path())?;
    let probe = NamespacePlan {
        rootfs: PathBuf::from("/"),
        // Any directory that anybody may look into.
        tools: PathBuf::from("/bin"),
        guest: vec!["/bin/true".to_owned()],
        init: Vec::new(),
        workspace: None,
        space: 1 << 20,
        page: rustix::param::page_size(),
        pids: 64,
        network: false,
        group: None,
    };
    let plan = json::line(&probe);
    let deadline = std::time::Duration::from_secs(20);
    let output = process::capture(&own, &[COMMAND, &plan], deadline).await?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let why = words.lines().next().unwrap_or("it gives no reason");
    let why = why
        .trim_start_matches("error: ")
        .trim_start_matches("not fit: ");
    Err(Error::world(format!(
        "this kernel does not let you make a namespace sandbox: {why}"
    ))
    .hint("allow unprivileged user namespaces (`sysctl kernel.unprivileged_userns_clone=1`, or on Ubuntu `sysctl kernel.apparmor_restrict_unprivileged_userns=0`)")
    .hint("or take --backend docker, for a dataset that has images")
    .hint("or take --backend process: it isolates NOTHING, the model's commands run as you, on your files; for harmless fixtures only"))
}
