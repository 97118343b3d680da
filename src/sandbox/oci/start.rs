//! A sandbox over an image.

use std::path::{Path, PathBuf};

use super::place::OciPlace;
use super::readied::{Readied, Readying};
use super::scratch::Scratch;
use crate::error::{Error, Result};
use crate::files;
use crate::guest::order::GuestOrder;
use crate::images::ImageConfig;
use crate::sandbox::channel::Channel;
use crate::sandbox::namespace::{self, ALLOW, IdRanges, ImageRoot, Root};
use crate::sandbox::place::{Repo, WORKSPACE};
use crate::sandbox::process::Guest;
use crate::sandbox::repo::{SETUP_OUTPUT, open_script, setup_script};
use crate::sandbox::{Repository, SandboxError, Spec};

/// Where programs are looked for in an image that does not say (Docker's default).
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Starts a guest in namespaces of its own, over an image.
pub async fn start(
    place: &OciPlace,
    spec: &Spec,
    image: &str,
) -> std::result::Result<(Guest, Channel), SandboxError> {
    let held = place.hold(image)?;
    let scratch = place.scratch.as_deref().map(Scratch::make).transpose()?;
    let mut trees = held.trees().to_vec();
    let env = environment(&held.image().config);
    let for_agent = spec.repository == Repository::ForAgent;
    let readying = Readying {
        trees: trees.clone(),
        env: env.clone(),
        agent: for_agent.then(|| spec.agent.clone()),
    };
    let made = Box::pin(ready(place, spec, &trees, &env));
    let readied = place.readied.get(readying, made).await;
    let above = readied.as_ref().and_then(|it| it.above.as_ref());
    trees.splice(..0, above.map(Scratch::upper));
    let root = Root::Image(ImageRoot {
        trees,
        scratch: scratch.as_ref().map(|scratch| scratch.dir().to_owned()),
        resolver: resolver(spec.limits.network),
        // In the layer below it would keep nothing free.
        room: above.map(|_| Repo::at(WORKSPACE).room()),
    });
    let (mut guest, channel) =
        namespace::launch(&place.tools, place.groups, spec, root, env).await?;
    guest.set_up = readied.as_ref().map(|readied| readied.said.clone());
    guest.hold((held, scratch, readied));
    Ok((guest, channel))
}

/// Makes the repository ready in a sandbox of its own. Where that fails, it fails again in the
/// sandbox that wants it, which says why.
async fn ready(
    place: &OciPlace,
    spec: &Spec,
    trees: &[PathBuf],
    env: &[(String, String)],
) -> Option<Readied> {
    let temporary = std::env::temp_dir();
    let above = Scratch::make(place.scratch.as_deref().unwrap_or(&temporary)).ok()?;
    let root = Root::Image(ImageRoot {
        trees: trees.to_vec(),
        scratch: Some(above.dir().to_owned()),
        resolver: String::new(),
        room: None,
    });
    // Nobody calls, so that there is no socket in what is written.
    let spec = Spec {
        messaging: false,
        git: false,
        ..spec.clone()
    };
    let env = env.to_vec();
    let launched = namespace::launch(&place.tools, place.groups, &spec, root, env).await;
    let (guest, mut channel) = launched.ok()?;
    let mut repo = Repo::at(WORKSPACE);
    let path = channel.image_path.clone();
    let script = match spec.repository {
        Repository::ForAgent => setup_script(&repo, &spec.agent, false, &path),
        Repository::AsItIs => open_script(&repo, false),
    };
    let order = GuestOrder {
        script: &script,
        cwd: WORKSPACE,
        login: false,
        deadline: spec.limits.setup_timeout,
        limit: SETUP_OUTPUT,
    };
    let said = channel.run(&order, None).await;
    drop(channel);
    guest.end().await;
    let said = said.ok()?;
    repo.set_up(&said, &path, None).ok()?;
    let is_agents = spec.repository == Repository::ForAgent;
    let above = is_agents.then_some(above);
    Some(Readied { above, said })
}

/// The variables of a container of this image: Docker sets the first two where the image does not.
fn environment(config: &ImageConfig) -> Vec<(String, String)> {
    let own = [("PATH", PATH), ("HOME", "/root"), ("HOSTNAME", "sandbox")];
    let of_image = config.env.iter().filter_map(|line| line.split_once('='));
    let all = own.into_iter().chain(of_image);
    all.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// What a sandbox's `/etc/resolv.conf` says: this machine's servers, where it shares its network.
fn resolver(network: bool) -> String {
    let shared = network.then(|| files::read_text(Path::new("/etc/resolv.conf")).ok());
    let none = || "# There is no network here.\n".to_owned();
    shared.flatten().unwrap_or_else(none)
}

/// Asks the kernel for a sandbox of an empty image: why there can be none, where that is so.
async fn probe(ids: Option<IdRanges>) -> Result<Option<String>> {
    let dir = files::temporary_dir()?;
    let tree = dir.path().join("tree");
    files::create_open_dir(&tree)?;
    files::create_open_dir(&tree.join(namespace::REMADE))?;
    files::open_to_all(dir.path())?;
    let root = Root::Image(ImageRoot {
        trees: vec![tree],
        scratch: None,
        resolver: String::new(),
        room: None,
    });
    namespace::probe(root, ids).await
}

/// Why sandboxes have one user and one group, where they have no range of them.
pub async fn why_one_id() -> Result<Option<String>> {
    match namespace::ranges() {
        Ok(ranges) => probe(Some(ranges.clone())).await,
        Err(why) => Ok(Some(why.to_owned())),
    }
}

/// Whether this kernel lets this user make such sandboxes; the error says what it said and what to do.
pub async fn check() -> Result<()> {
    let Some(why) = probe(None).await? else {
        return Ok(());
    };
    let error = Error::world(format!(
        "this kernel does not let you make a sandbox of an image: {why}"
    ));
    let error = if why.contains("overlay") {
        error.hint("overlays in user namespaces need Linux 5.11, and 6.6 without a `[native] scratch` directory")
    } else {
        error.hint(ALLOW)
    };
    Err(error
        .hint("or take --backend docker, where a daemon answers")
        .hint("or take --backend namespace, which uses this machine's programs, for a dataset that has the repositories as directories"))
}
