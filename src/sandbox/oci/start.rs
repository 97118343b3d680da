//! A sandbox over an image.

use super::place::OciPlace;
use super::scratch::Scratch;
use crate::config::OverlayBy;
use crate::error::{Error, Result};
use crate::images::ImageConfig;
use crate::sandbox::channel::Channel;
use crate::sandbox::namespace::{self, IdRanges, ImageRoot, Laid, Network, Overlay, Root};
use crate::sandbox::process::Guest;
use crate::sandbox::{SandboxError, Spec};
use crate::{files, process};

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
    let root = Root::Image(ImageRoot {
        trees: held.trees().to_vec(),
        scratch: scratch.as_ref().map(|scratch| scratch.dir().to_owned()),
        overlay: overlay(place.overlay_by),
    });
    let network = namespace::network_for(spec, place.network_by)?;
    let env = environment(&held.image().config);
    let (mut guest, channel) =
        namespace::launch(&place.tools, place.groups, spec, root, network, env).await?;
    guest.hold((held, scratch));
    Ok((guest, channel))
}

/// The variables of a container of this image: Docker sets the first two where the image does not.
fn environment(config: &ImageConfig) -> Vec<(String, String)> {
    let own = [("PATH", PATH), ("HOME", "/root"), ("HOSTNAME", "sandbox")];
    let of_image = config.env.iter().filter_map(|line| line.split_once('='));
    let all = own.into_iter().chain(of_image);
    all.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// What is taken for an overlay on this machine.
fn overlay(by: OverlayBy) -> Overlay {
    Overlay {
        by,
        fuse: process::on_path("fuse-overlayfs"),
    }
}

/// Asks the kernel for a sandbox of an empty image: why there can be none, where that is so.
async fn probe(by: OverlayBy, ids: Option<IdRanges>) -> Result<Probed> {
    let dir = files::temporary_dir()?;
    let tree = dir.path().join("tree");
    files::create_open_dir(&tree)?;
    files::create_open_dir(&tree.join(namespace::REMADE))?;
    files::open_to_all(dir.path())?;
    let root = Root::Image(ImageRoot {
        trees: vec![tree],
        scratch: None,
        overlay: overlay(by),
    });
    let found = namespace::probe(root, ids, Network::None).await?;
    Ok(found.map(Option::unwrap_or_default))
}

/// How directories become one here, or why there can be no sandbox.
type Probed = std::result::Result<Laid, String>;

/// Why sandboxes have one user and one group, where they have no range of them.
pub async fn why_one_id(by: OverlayBy) -> Result<Option<String>> {
    match namespace::ranges() {
        Ok(ranges) => Ok(probe(by, Some(ranges.clone())).await?.err()),
        Err(why) => Ok(Some(why.to_owned())),
    }
}

/// Whether this kernel lets this user make such sandboxes, and how the layers of an image become one in
/// them; the error says what it said and what to do.
pub async fn check(by: OverlayBy) -> Result<Laid> {
    let why = match probe(by, None).await? {
        Ok(laid) => return Ok(laid),
        Err(why) => why,
    };
    let error = Error::world(format!(
        "this kernel does not let you make a sandbox of an image: {why}"
    ));
    let error = if why.contains("overlay") {
        error.hint("overlays in user namespaces need Linux 5.11, and 6.6 without a `[native] scratch` directory")
    } else {
        error.hint(namespace::allow())
    };
    Err(error
        .hint("or take --backend docker, where a daemon answers")
        .hint("or take --backend namespace, which uses this machine's programs, for a dataset that has the repositories as directories"))
}
