//! Images from a real registry (Debian's `docker-registry`) and from the daemon, as the daemon's
//! containers have them.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use regatta::images::{Digest, ImageName, Store, StoredImage};
use serde_json::Value;

use crate::registry::{Registry, docker};
use crate::support::{Place, wait_until};

const TASK: &str = "akhatua/cooperbench-harbor:task1";

/// An image of one program without libraries, and of layers that remove and replace.
pub fn little(name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let script = r"set -e
mkdir -p root/bin root/data/gone root/data/dir root/data/closed root/etc
cp /bin/busybox root/bin/busybox
ln -s busybox root/bin/sh
echo old > root/data/gone/file; echo old > root/data/dir/old; echo kept > root/data/kept
ln root/data/kept root/data/hard; ln -s ../kept root/data/dir/link
echo hidden > root/data/closed/hidden; chmod 0 root/data/closed/hidden; chmod 555 root/data/closed
chmod 4755 root/bin/busybox; printf 'two words' > 'root/data/a name'
cat > Dockerfile <<'END'
FROM scratch
COPY root/ /
RUN busybox rm -rf /data/gone /data/dir && busybox mkdir /data/dir && echo new > /data/dir/new
RUN busybox head -c 6000000 /dev/urandom > /data/big
ENV LITTLE=yes
WORKDIR /data
END
";
    let made = Command::new("sh")
        .args(["-c", script])
        .current_dir(dir.path())
        .status();
    assert!(made.unwrap().success());
    let built = Command::new("docker")
        .args(["build", "-q", "--network", "none", "-t", name, "."])
        .env("DOCKER_BUILDKIT", "0")
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
}

/// What a file is, whatever its owner and its times.
type Seen = BTreeMap<PathBuf, (u32, Vec<u8>)>;

fn look(dir: &Path, inner: &Path, seen: &mut Seen) {
    for entry in std::fs::read_dir(dir.join(inner)).unwrap() {
        let entry = entry.unwrap();
        let path = inner.join(entry.file_name());
        let meta = entry.metadata().unwrap();
        let kind = meta.mode() & 0o170_000;
        let content = if meta.is_dir() {
            look(dir, &path, seen);
            Vec::new()
        } else if meta.is_symlink() {
            let to = std::fs::read_link(entry.path()).unwrap();
            to.into_os_string().into_encoded_bytes()
        } else if meta.is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            Digest::of(&bytes).as_str().as_bytes().to_vec()
        } else {
            // Devices are the container's own.
            continue;
        };
        let mode = if meta.is_symlink() {
            0
        } else {
            meta.permissions().mode() & 0o1777
        };
        seen.insert(path, (kind | mode, content));
    }
}

/// What the daemon puts into a container beside its image.
fn without_the_daemons(mut seen: Seen) -> Seen {
    let its = ["dev", "proc", "sys"];
    let files = [
        ".dockerenv",
        "etc/hostname",
        "etc/hosts",
        "etc/resolv.conf",
        "etc/mtab",
    ];
    seen.retain(|path, _| {
        !its.iter().any(|it| path.starts_with(it)) && !files.iter().any(|it| path == Path::new(it))
    });
    seen
}

fn in_a_container(image: &str) -> Seen {
    let dir = tempfile::tempdir().unwrap();
    let id = docker(&["create", image, "x"]);
    let script = format!("docker export {id} | tar -x -C \"$0\"");
    let done = Command::new("sh")
        .args(["-c", &script])
        .arg(dir.path())
        .status();
    docker(&["rm", &id]);
    assert!(done.unwrap().success());
    let mut seen = Seen::new();
    look(dir.path(), Path::new(""), &mut seen);
    without_the_daemons(seen)
}

/// Its directories over one another.
fn in_the_store(store: &Store, image: &StoredImage) -> Seen {
    let held = store.hold(image).unwrap();
    let mut seen = Seen::new();
    for tree in held.trees().iter().rev() {
        look(tree, Path::new(""), &mut seen);
    }
    without_the_daemons(seen)
}

#[track_caller]
fn assert_same(one: &Seen, other: &Seen) {
    let differ = |a: &Seen, b: &Seen| -> Vec<PathBuf> {
        let differing = a.iter().filter(|(path, what)| b.get(*path) != Some(what));
        differing.map(|(path, _)| path.clone()).take(5).collect()
    };
    let (one_way, other_way) = (differ(one, other), differ(other, one));
    assert!(one.len() > 5);
    assert_eq!((one_way, other_way), (Vec::new(), Vec::new()));
}

pub struct Images {
    pub place: Place,
    store: Store,
}

impl Images {
    pub fn new(mirrors: &[(&str, &str)]) -> Self {
        let place = Place::new();
        let lines = mirrors.iter();
        let lines: String = lines
            .map(|(of, url)| ["'", of, "' = '", url, "'\n"].concat())
            .collect();
        let config = [
            "[images]\nstore = 'the store'\n[images.mirrors]\n",
            lines.as_str(),
        ]
        .concat();
        place.write("regatta.toml", config);
        let store = Store::open(&place.join("the store")).unwrap();
        Self { place, store }
    }

    pub fn pulling(&self, args: &[&str]) -> Command {
        let mut command = self.place.regatta(&[&["images", "pull"], args].concat());
        // The logins of whoever runs the tests are not ours.
        command.env("DOCKER_CONFIG", self.place.path());
        command
    }

    pub fn pull(&self, args: &[&str]) -> crate::support::Ran {
        crate::support::Ran::of(&self.pulling(args).output().unwrap())
    }

    fn image(&self, name: &str) -> Option<StoredImage> {
        let name: ImageName = name.parse().unwrap();
        self.store.image(&name).unwrap()
    }

    fn partials(&self) -> Vec<u64> {
        let files = std::fs::read_dir(self.place.join("the store/partial")).unwrap();
        files
            .map(|it| it.unwrap().metadata().unwrap().len())
            .collect()
    }
}

#[test]
#[ignore = "needs Docker and docker-registry: just e2e"]
fn an_image_is_the_same_from_a_registry_the_daemon_and_an_archive_as_in_a_container() {
    let registry = Registry::start();
    little("regatta-e2e/little:same");
    for image in [TASK, "regatta-e2e/little:same"] {
        let name = registry.push(image);
        let images = Images::new(&[]);
        images.pull(&[&name]).code(0).says("1 image pulled");
        let from_registry = images.image(&name).unwrap();
        let wanted = in_a_container(image);
        assert_same(&wanted, &in_the_store(&images.store, &from_registry));
        let id = docker(&["image", "inspect", "--format", "{{.Id}}", image]);
        assert_eq!(from_registry.config_digest.as_str(), id);
        images.pull(&[&name]).code(0).says("the image is there");
        let listed = images
            .place
            .run(&["images", "list", "--format", "json"])
            .code(0);
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
        assert_eq!(listed[0]["config"], id.as_str());

        let images = Images::new(&[]);
        images.pull(&["--from", "docker", image]).code(0);
        let from_daemon = images.image(image).unwrap();
        assert_eq!(from_daemon.config, from_registry.config);
        assert_eq!(from_daemon.layers, from_registry.layers);
        assert_same(&wanted, &in_the_store(&images.store, &from_daemon));
        let saved = images.place.join("saved images.tar");
        docker(&["save", "-o", saved.to_str().unwrap(), image]);
        let images = Images::new(&[]);
        images.pull(&["--from", saved.to_str().unwrap()]).code(0);
        assert_eq!(images.image(image).unwrap().layers, from_daemon.layers);
    }
    docker(&["rmi", "regatta-e2e/little:same"]);
}

/// What a proxy does with a response after so many bytes.
#[derive(Clone, Copy)]
enum After {
    Nothing,
    Cut(u64),
    Hold(u64),
}

/// A proxy before a registry.
struct Proxy {
    at: String,
    after: Arc<Mutex<After>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn before(registry: &Registry) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let after = Arc::new(Mutex::new(After::Nothing));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (shared, kept, to) = (Arc::clone(&after), Arc::clone(&heads), registry.at.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (after, heads, to) = (Arc::clone(&shared), Arc::clone(&kept), to.clone());
                std::thread::spawn(move || {
                    // A client that was killed is what is tested.
                    let _ = pass_on(stream, &to, &after, &heads);
                });
            }
        });
        Self { at, after, heads }
    }

    fn set(&self, after: After) {
        *self.after.lock().unwrap() = after;
    }

    /// The requests for a blob since the last time.
    fn take(&self, digest: &Digest) -> Vec<String> {
        let mut heads = self.heads.lock().unwrap();
        let taken = std::mem::take(&mut *heads).into_iter();
        taken
            .filter(|head| head.contains(digest.as_str()))
            .collect()
    }
}

fn pass_on(
    mut client: TcpStream,
    to: &str,
    after: &Mutex<After>,
    heads: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    heads.lock().unwrap().push(head.clone());
    // The method is in capitals, and nothing else of it needs to be.
    let head = head
        .replacen("get ", "GET ", 1)
        .replacen(" http/1.1", " HTTP/1.1", 1);
    let head = head.trim_end().to_owned() + "\r\nconnection: close\r\n\r\n";
    let mut server = TcpStream::connect(to)?;
    server.write_all(head.as_bytes())?;
    let after = *after.lock().unwrap();
    let most = match after {
        After::Nothing => u64::MAX,
        After::Cut(most) | After::Hold(most) => most,
    };
    let passed = std::io::copy(&mut (&server).take(most), &mut client)?;
    if passed == most && matches!(after, After::Hold(_)) {
        client.read_to_end(&mut Vec::new())?;
    }
    Ok(())
}

/// The largest layer of an image: its digest in the registry, by the manifest.
fn largest_blob(registry: &Registry, name: &str) -> Digest {
    let (path, tag) = name.rsplit_once(':').unwrap();
    let (_, repository) = path.split_once('/').unwrap();
    let mut stream = TcpStream::connect(&registry.at).unwrap();
    let accept = "application/vnd.docker.distribution.manifest.v2+json";
    let head = format!(
        "GET /v2/{repository}/manifests/{tag} HTTP/1.1\r\nhost: x\r\naccept: {accept}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let manifest: Value = serde_json::from_str(body).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    let largest = layers
        .iter()
        .max_by_key(|layer| layer["size"].as_u64())
        .unwrap();
    largest["digest"].as_str().unwrap().parse().unwrap()
}

#[test]
#[ignore = "needs Docker and docker-registry: just e2e"]
fn a_pull_that_is_cut_killed_spoilt_or_made_twice_leaves_nothing_half() {
    let registry = Registry::start();
    little("regatta-e2e/little:cut");
    let name = registry.push("regatta-e2e/little:cut");
    docker(&["rmi", "regatta-e2e/little:cut"]);
    let wanted = in_a_container(&name);
    let largest = largest_blob(&registry, &name);
    let proxy = Proxy::before(&registry);
    let url = format!("http://{}", proxy.at);
    let fresh = || Images::new(&[(&registry.at, &url)]);
    let is_whole = |images: &Images| {
        let image = images.image(&name).unwrap();
        assert_same(&wanted, &in_the_store(&images.store, &image));
        assert_eq!(images.partials(), Vec::<u64>::new());
    };

    // Every connection ends after 2 MB.
    proxy.set(After::Cut(2_000_000));
    let images = fresh();
    images.pull(&[&name]).code(0).says("next try in");
    is_whole(&images);
    let asked = proxy.take(&largest);
    assert!(asked.len() >= 3, "{asked:#?}");
    assert!(
        asked[1..].iter().all(|head| head.contains("range: bytes=")),
        "{asked:#?}"
    );

    // `kill -9` in the middle.
    proxy.set(After::Hold(3_000_000));
    let images = fresh();
    let mut killed: Child = images
        .pulling(&[&name])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("some of the layer", || {
        images.partials().iter().any(|bytes| *bytes > 2_000_000)
    });
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(images.image(&name), None);
    proxy.take(&largest);
    proxy.set(After::Nothing);
    images.pull(&[&name]).code(0);
    is_whole(&images);
    let asked = proxy.take(&largest);
    assert!(
        asked.len() == 1 && asked[0].contains("range: bytes="),
        "{asked:#?}"
    );

    // Two at once.
    let images = fresh();
    let both: Vec<Child> = (0..2)
        .map(|_| {
            images
                .pulling(&[&name])
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut one in both {
        assert!(one.wait().unwrap().success());
    }
    is_whole(&images);
    assert_eq!(proxy.take(&largest).len(), 1);

    // The registry's disk spoils a layer, and somebody mends it.
    let file = registry.blob(&largest);
    let bytes = std::fs::read(&file).unwrap();
    let mut spoilt = bytes.clone();
    spoilt[1_000_000] ^= 1;
    std::fs::write(&file, spoilt).unwrap();
    let images = fresh();
    images
        .pull(&[&name])
        .code(3)
        .says("gives wrong bytes for the layer");
    assert_eq!(proxy.take(&largest).len(), 2);
    assert_eq!((images.image(&name), images.partials()), (None, Vec::new()));
    std::fs::write(&file, bytes).unwrap();
    images.pull(&[&name]).code(0);
    is_whole(&images);
}
