//! A namespace from both its ends: the program that asks for it, and the child that becomes it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::thread::{CapabilitySet, UnshareFlags};

use super::confine::{self, Confinement};
use super::ids::{self, IdCount};
use super::layered::Overlaid;
use super::pasta::{self, Uplink};
use super::plan::{GuestPlan, IdRanges, NamespacePlan, Network, Root};
use super::syscalls::Pretends;
use super::{image_root, network, root};
use crate::config::NetworkBy;
use crate::error::{Error, Result};
use crate::guest::call::{Door, SOCKET_VAR};
use crate::guest::powers::{OF_GUEST, seal_descriptors};
use crate::guest::{self, GuestOptions};
use crate::images::remove_path;
use crate::sandbox::channel::Channel;
use crate::sandbox::group::{self, Group, Groups};
use crate::sandbox::host_place::HostPlace;
use crate::sandbox::process::Guest;
use crate::sandbox::tools::{INSIDE, Tools};
use crate::sandbox::{SandboxError, Spec};
use crate::{files, json, process};

/// The hidden command that becomes a namespace.
pub const COMMAND: &str = "__namespace";
/// The variable with its plan: what stands in arguments is seen by everybody, and by its commands.
const PLAN_VAR: &str = "REGATTA_PLAN";

/// Starts a guest in namespaces of its own, over a copy of a tree.
pub async fn start(
    place: &HostPlace,
    spec: &Spec,
    tree: &Path,
) -> std::result::Result<(Guest, Channel), SandboxError> {
    let root = Root::Shown {
        rootfs: place.rootfs.clone(),
        workspace: Some(tree.to_owned()),
    };
    let env = [
        (
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ),
        ("HOME", "/root"),
        ("USER", "root"),
        ("LANG", "C.UTF-8"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let network = network_for(spec, place.network_by)?;
    launch(&place.tools, place.groups, spec, root, network, env.into()).await
}

/// Starts a guest in namespaces of its own with this root, and with these variables beside those of
/// the specification.
pub async fn launch(
    tools: &Tools,
    groups: Option<&Groups>,
    spec: &Spec,
    root: Root,
    network: Network,
    mut env: Vec<(String, String)>,
) -> std::result::Result<(Guest, Channel), SandboxError> {
    // Abstract sockets belong to network namespaces, and ours may be the host's.
    let door = Door::in_directory("/run").map_err(SandboxError::start)?;
    let door = spec.calls_harness().then(|| door.to_string());
    let group = groups.map(|groups| groups.group(&spec.limits));
    let group = group.transpose().map_err(|error| {
        SandboxError::start(format!("its control group cannot be made: {error}"))
    })?;
    let group = group.flatten();
    env.extend(door.clone().map(|door| (SOCKET_VAR.to_owned(), door)));
    let of_spec = spec.env.iter();
    env.extend(of_spec.map(|(name, value)| (name.clone(), value.clone())));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of CPUs, checked to be positive"
    )]
    let cpus = spec.limits.cpus.map(|cpus| cpus.ceil() as usize);
    let plan = NamespacePlan {
        ids: root
            .is_image()
            .then(|| ids::ranges().ok().cloned())
            .flatten(),
        root,
        tools: tools.dir().to_owned(),
        guest: Some(GuestPlan {
            door,
            memory: spec.limits.memory_bytes,
            cpus,
            env,
        }),
        space: spec.limits.memory_bytes.unwrap_or(u64::MAX >> 1),
        page: rustix::param::page_size(),
        pids: spec.limits.pids,
        network,
        group: group.as_ref().map(Group::door),
    };
    let command = command(&tools.dir().join("regatta"), &plan);
    let (mut guest, channel) = Guest::spawn(command, INSIDE.to_owned(), None).await?;
    guest.keep(group);
    Ok((guest, channel))
}

/// The network that a sandbox gets here.
pub fn network_for(spec: &Spec, by: NetworkBy) -> std::result::Result<Network, SandboxError> {
    if !spec.limits.network {
        return Ok(Network::None);
    }
    let uplink = Uplink::of(by).map_err(SandboxError::start)?;
    Ok(uplink.network())
}

/// What becomes a namespace by this plan.
fn command(program: &Path, plan: &NamespacePlan) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(program);
    // Its commands see its first word, which is also that of their first process.
    command.arg0("regatta").arg(COMMAND);
    // The mark of ownership is for the reaper; nothing else of our environment goes in.
    command
        .env_clear()
        .env(process::OWNER_VAR, process::Owner::this().label())
        .env(PLAN_VAR, json::line(plan))
        .kill_on_drop(true);
    process::keep_out_of_our_group(&mut command);
    command
}

/// The other half of [`start`]: becomes the namespace. One process waits for the other, which serves
/// as the guest in it.
pub fn become_namespace() -> Result<u8> {
    let plan = std::env::var(PLAN_VAR).unwrap_or_default();
    let mut plan: NamespacePlan = serde_json::from_str(&plan)
        .map_err(|error| Error::usage(format!("no plan of a namespace: {error}")))?;
    process::become_child()?;
    if let Some(door) = &plan.group {
        group::join(door)
            .map_err(|error| Error::world(format!("cannot join {}: {error}", door.display())))?;
    }
    // Opened, or shown, while we still are who may read it.
    let workspace = match &plan.root {
        Root::Shown { workspace, .. } => workspace.as_deref().map(root::held).transpose(),
        Root::Image(_) => image_root::expose(&mut plan).map(|()| None),
        Root::Removed(_) => Ok(None),
    };
    let workspace = workspace.map_err(|error| Error::world(error.to_string()))?;
    confine::stop_being_root()
        .map_err(|error| Error::world(format!("cannot stop being root: {error}")))?;
    let ids = become_its_root(&plan)?;
    if let Root::Removed(dir) = &plan.root {
        return remove_path(dir).map(|()| 0).map_err(|error| {
            Error::world(format!("{} cannot be removed: {error}", dir.display()))
        });
    }
    connect(&plan.network)?;
    let laid = build(&plan, workspace.as_ref().map(|(_, path)| path.as_path()))?;
    drop(workspace);
    if let (None, Some(laid)) = (&plan.guest, laid) {
        say(&laid)?;
    }
    // Only a child is in the new process namespace: it is process 1 there.
    let of_namespace = |error: io::Error| Error::world(format!("the namespace: {error}"));
    if let Some(code) = confine::go_inside().map_err(of_namespace)? {
        return Ok(code);
    }
    let guest = confined(plan, ids)
        .map_err(|(what, error)| Error::world(format!("the {what} of the namespace: {error}")))?;
    if let Some(options) = guest {
        guest::serve(&options)
            .map_err(|error| Error::world(format!("the sandbox's channel: {error}")))?;
    }
    Ok(0)
}

/// Leaves the host's namespaces.
fn become_its_root(plan: &NamespacePlan) -> Result<IdCount> {
    let kinds = confine::kinds(&plan.network);
    let unshared = ids::unshare(kinds, plan.ids.as_ref(), plan.pids);
    let ids =
        unshared.map_err(|error| Error::world(format!("no namespace can be made: {error}")))?;
    // Names of control groups tell whose session this is. Not every kernel has them.
    let _ = confine::leave(UnshareFlags::NEWCGROUP);
    if plan.guest.is_none() && plan.ids.is_some() && ids == IdCount::One {
        return Err(Error::world(
            "newuidmap and newgidmap do not map this user's range",
        ));
    }
    Ok(ids)
}

/// Gives the namespace its network.
fn connect(network: &Network) -> Result<()> {
    let connected = match network {
        Network::None => network::bring_up_loopback(),
        Network::Shared(_) => Ok(()),
        Network::Through(program, resolver) => pasta::connect(program, resolver),
    };
    connected.map_err(|error| Error::world(format!("the network of the namespace: {error}")))
}

/// Tells who only asks how an image's directories became one.
fn say(laid: &Overlaid) -> Result<()> {
    use std::io::Write as _;
    writeln!(io::stdout(), "{}", json::line(laid))
        .map_err(|error| Error::world(format!("what was found cannot be told: {error}")))
}

fn build(plan: &NamespacePlan, workspace: Option<&Path>) -> Result<Option<Overlaid>> {
    let built = match &plan.root {
        Root::Shown { rootfs, .. } => root::build(plan, rootfs, workspace).map(|()| None),
        Root::Image(image) => image_root::build(plan, image).map(Some),
        Root::Removed(_) => Ok(None),
    };
    built.map_err(|error| {
        let mut text = format!("the root of the namespace: {error}");
        if error.to_string().contains("ermission denied") && !plan.root.is_image() {
            text.push_str(" (started by root, a sandbox is nobody's: what it copies must be readable for all, `chmod -R a+rX`)");
        }
        Error::world(text)
    })
}

/// Enters the root and gives up all powers; how the guest serves, or what failed.
fn confined(
    plan: NamespacePlan,
    ids: IdCount,
) -> std::result::Result<Option<GuestOptions>, (&'static str, io::Error)> {
    let of = |what: &'static str| move |error: io::Error| (what, error);
    let is_image = plan.root.is_image();
    let entered = if is_image {
        image_root::enter()
    } else {
        root::enter()
    };
    entered.map_err(of("root"))?;
    confine::stay_in_process_table().map_err(of("process table"))?;
    seal_descriptors().map_err(of("descriptors"))?;
    let mut init = None;
    if plan.guest.is_some() {
        init = Some(confine::start_init(plan.pids).map_err(of("process table"))?);
    }
    confine::forbid_namespaces();
    if matches!(plan.network, Network::Shared(_)) {
        confine::forbid_abstract_sockets().map_err(of("sockets"))?;
    }
    let of_guest = if plan.guest.is_some() {
        OF_GUEST
    } else {
        CapabilitySet::empty()
    };
    let (of_commands, pretends) = match (is_image, ids) {
        (false, _) => (CapabilitySet::empty(), Pretends::Nothing),
        (true, IdCount::One) => (confine::OVER_FILES, Pretends::OwnersAndDevices),
        (true, IdCount::Many) => (
            confine::OVER_FILES.union(confine::OVER_USERS),
            Pretends::Devices,
        ),
    };
    let confinement = Confinement {
        pids: plan.pids,
        keeps: of_guest.union(of_commands),
        segments: confine::limit_segments(plan.space, plan.page),
        pretends,
    };
    confinement.apply().map_err(of("limits"))?;
    if plan.guest.is_none() && is_image {
        image_root::remake().map_err(of("overlay"))?;
    }
    Ok(plan.guest.map(|guest| GuestOptions {
        socket: guest.door.and_then(|door| door.parse().ok()),
        pids: plan.pids as usize,
        memory: guest.memory,
        cpus: guest.cpus,
        init,
        env: Some(guest.env),
    }))
}

/// Whether this kernel lets this user make namespaces; the error says what it said and what to do.
pub async fn check() -> Result<()> {
    let root = Root::Shown {
        rootfs: PathBuf::from("/"),
        workspace: None,
    };
    match probe(root, None, Network::None).await? {
        Ok(_) => Ok(()),
        Err(why) => Err(Error::world(format!(
            "this kernel does not let you make a namespace sandbox: {why}"
        ))
        .hint(allow())
        .hint("or take --backend docker, for a dataset that has images")
        .hint("or take --backend process: it isolates NOTHING, the model's commands run as you, on your files; for harmless fixtures only")),
    }
}

/// By what sandboxes reach the network here, which is tried.
pub async fn uplink(by: NetworkBy) -> Result<Uplink> {
    let uplink = Uplink::of(by).map_err(Error::world)?;
    if let Uplink::Shared(_) = uplink {
        return Ok(uplink);
    }
    let root = Root::Shown {
        rootfs: PathBuf::from("/"),
        workspace: None,
    };
    match probe(root, None, uplink.network()).await? {
        Ok(_) => Ok(uplink),
        Err(why) => Err(Error::world(why).hint(
            "`network_by = \"host\"` in [native] shares this machine's network, its loopback included",
        )),
    }
}

/// What lets namespaces be made where they are forbidden.
#[must_use]
pub fn allow() -> &'static str {
    let is_there = |mark: &str| Path::new(mark).exists();
    if is_there("/run/.containerenv") {
        IN_PODMAN
    } else if is_there("/.dockerenv") {
        IN_DOCKER
    } else {
        ALLOW
    }
}

/// The same in a container of Docker's, whose profiles forbid the calls and cover parts of `/proc`.
const IN_DOCKER: &str = "this is a container: start it with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined`";

/// In one of Podman's, which names the covers of `/proc` otherwise.
const IN_PODMAN: &str = "this is a container: start it with `--security-opt seccomp=unconfined --security-opt unmask=ALL`, or with `--privileged`";

const ALLOW: &str = "allow unprivileged user namespaces (`sysctl kernel.unprivileged_userns_clone=1`, or on Ubuntu `sysctl kernel.apparmor_restrict_unprivileged_userns=0`)";

/// Whether a sandbox with such a root can be made, without a guest in it: how its directories became
/// one, where it has several; or why not.
pub async fn probe(
    root: Root,
    ids: Option<IdRanges>,
    network: Network,
) -> Result<std::result::Result<Option<Overlaid>, String>> {
    // As for a sandbox: one that root starts is nobody's, who may not be let to our own program.
    let dir = files::temporary_dir()?;
    files::runs_programs(dir.path())?;
    let own = dir.path().join("regatta");
    files::link_or_copy(&process::program()?, &own)?;
    files::open_to_all(dir.path())?;
    let deadline = std::time::Duration::from_secs(20);
    let plan = plan_without_guest(root, ids, network);
    let output = process::output_of(command(&own, &plan), deadline).await?;
    if output.status.success() {
        return Ok(Ok(serde_json::from_slice(&output.stdout).ok()));
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let why = words.lines().next().unwrap_or("it gives no reason");
    let why = why
        .trim_start_matches("error: ")
        .trim_start_matches("not fit: ");
    Ok(Err(why.to_owned()))
}

fn plan_without_guest(root: Root, ids: Option<IdRanges>, network: Network) -> NamespacePlan {
    NamespacePlan {
        root,
        ids,
        // Any directory that anybody may look into.
        tools: PathBuf::from("/bin"),
        guest: None,
        space: 1 << 20,
        page: rustix::param::page_size(),
        pids: 64,
        network,
        group: None,
    }
}

/// Removes a directory in which users of a sandbox's range left what only they may remove.
pub fn remove(dir: &Path) {
    let (Ok(ranges), Ok(program)) = (ids::ranges(), process::program()) else {
        return;
    };
    let root = Root::Removed(dir.to_owned());
    let plan = plan_without_guest(root, Some(ranges.clone()), Network::None);
    let mut command = command(&program, &plan).into_std();
    command.stdin(Stdio::null()).stdout(Stdio::null());
    // What stays is found again by the next who looks for what the dead left.
    let _ = command.stderr(Stdio::null()).status();
}
