//! `regatta images`: from an archive into the store and out again, and what registries refuse.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use regatta::images::{Digest, architecture};
use serde_json::{Value, json};

use crate::support::http::{Message, answer, serve};
use crate::support::{Place, Ran, interrupt, wait_until};

fn place() -> Place {
    let place = Place::new();
    place.write("regatta.toml", "[images]\nstore = 'my store'\n");
    place
}

fn ran(place: &Place, args: &[&str]) -> Ran {
    let mut command = place.regatta(args);
    // The logins of whoever runs the tests are not ours.
    command.env("DOCKER_CONFIG", place.path());
    Ran::of(&command.output().unwrap())
}

/// What `docker save` wrote of an image with one file, `/hello`, under these names.
fn archive(place: &Place, file: &str, tags: &[&str]) -> PathBuf {
    archive_for(architecture(), place, file, tags)
}

/// The same of an image for another processor.
fn archive_for(processor: &str, place: &Place, file: &str, tags: &[&str]) -> PathBuf {
    let dir = place.join("made");
    place.write("made/root/hello", tags.join(" "));
    let tar = |args: &[&str]| {
        let done = Command::new("tar").args(args).current_dir(&dir).status();
        assert!(done.unwrap().success());
    };
    tar(&[
        "-cf",
        "layer.tar",
        "--owner=0",
        "--group=0",
        "-C",
        "root",
        "hello",
    ]);
    let layer = std::fs::read(dir.join("layer.tar")).unwrap();
    let config = json!({"architecture": processor, "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [Digest::of(&layer).as_str()]}});
    place.write("made/config.json", config.to_string());
    let manifest = json!([{"Config": "config.json", "RepoTags": tags, "Layers": ["layer.tar"]}]);
    place.write("made/manifest.json", manifest.to_string());
    tar(&[
        "-cf",
        &format!("../{file}"),
        "layer.tar",
        "config.json",
        "manifest.json",
    ]);
    place.join(file)
}

#[test]
fn images_come_from_an_archive_are_listed_and_go_again() {
    let place = place();
    let run = |args: &[&str]| ran(&place, &[&["images"], args].concat());
    run(&["list"]).code(0).says("no image is in");
    archive(&place, "some images.tar", &["a/one:1", "a/two:2"]);
    let pulled = run(&["pull", "--from", "some images.tar"]).code(0);
    pulled.says("2 images pulled").says("a/one:1  ");
    run(&["list"])
        .code(0)
        .prints("a/one:1")
        .prints("some images.tar");
    let listed = run(&["list", "--format", "json"]).code(0).stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[1]["name"], "docker.io/a/two:2");
    assert_eq!(listed[1]["missing_layers"], 0);
    run(&["verify"])
        .code(0)
        .says("1 layer as they were unpacked");
    run(&["prune", "--dry-run"])
        .code(0)
        .says("nothing to remove");
    let layers = std::fs::read_dir(place.join("my store/layers")).unwrap();
    let layer = layers.map(|it| it.unwrap().path()).next().unwrap();
    std::fs::write(layer.join("tree/hello"), "another").unwrap();
    for names in [&["verify"][..], &["verify", "a/two:2"]] {
        run(names)
            .code(3)
            .prints("`hello` has another size\n")
            .prints("  of a/two:2")
            .says("1 of 1 layer not as they were unpacked");
    }
    run(&["verify", "a/two:2", "a/three:3"])
        .code(2)
        .says("a/three:3 is not in")
        .says("nothing is looked at");
    run(&["remove", "a/one:1"])
        .code(0)
        .prints("removed a/one:1 (0 MB of 0 layers)");
    run(&["remove", "a/one:1"])
        .code(2)
        .says("a/one:1 is not in");
    run(&["remove", "a/two:2"])
        .code(0)
        .prints("(1 MB of 1 layer)");
    run(&["list", "--format", "json"]).code(0).prints("[]");
}

#[test]
fn an_archive_comes_on_stdin_and_under_the_name_that_is_asked_for_only() {
    let place = place();
    let file = archive(&place, "images.tar", &["a/one:1"]);
    let mut command = place.regatta(&["images", "pull", "--from", "-", "a/one:1"]);
    command.stdin(std::fs::File::open(&file).unwrap());
    Ran::of(&command.output().unwrap())
        .code(0)
        .says("1 image pulled (1 MB fetched)");
    let args = ["images", "pull", "--from", "images.tar", "a/other:1"];
    let other = ran(&place, &args).code(2);
    other
        .says("does not have a/other:1: it has a/one:1")
        .says("hint: name an image as it is listed");
}

#[test]
fn what_is_no_image_and_no_source_is_said_to_be_none() {
    let place = place();
    place.write("text.tar", "I am a text\n");
    place.write("empty/file", "");
    for (args, code, says) in [
        (
            &["pull", "A/B"][..],
            2,
            "is no name of an image: a repository has no capitals",
        ),
        (
            &["pull", "--from", "nothing"],
            2,
            "there is no such file or directory",
        ),
        (
            &["pull", "--from", "text.tar"],
            2,
            "text.tar is no image: it",
        ),
        (
            &["pull", "--from", "empty"],
            2,
            "it has no index.json and no manifest.json",
        ),
        (&["pull", "a", "-s", "lite"], 2, "cannot be used with"),
        (
            &["pull", "-s", "nothing", "--cooperbench-dir", "cb"],
            2,
            "nothing",
        ),
        (&["remove"], 2, "IMAGE"),
    ] {
        ran(&place, &[&["images"], args].concat())
            .code(code)
            .says(says);
    }
    archive_for("s390x", &place, "other.tar", &["a/one:1"]);
    ran(&place, &["images", "pull", "--from", "other.tar"])
        .code(3)
        .says("a/one:1 is for another processor: this machine has linux/")
        .says("and there is linux/s390x")
        .says("hint: use a machine of that processor");
    place.write("regatta.toml", "[images]\nstore = 'cb'\n");
    ran(&place, &["images", "list"])
        .code(2)
        .says("cannot be the store of images");
}

#[test]
fn what_a_registry_refuses_is_told_with_what_to_do() {
    let place = place();
    let limit = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}"#;
    for (status, body, says, hint) in [
        (
            401,
            "{}",
            "does not give a/b:c to whom it does not know",
            "docker login",
        ),
        (
            403,
            "{}",
            "does not give a/b:c to whom it does not know",
            "docker login",
        ),
        (
            404,
            "{}",
            "does not have a/b:c",
            "check the name and the tag",
        ),
        (
            429,
            limit,
            "toomanyrequests: You have reached your pull rate limit",
            "or set a mirror",
        ),
        (
            200,
            "<html>",
            "it is a page of HTML and no JSON",
            "a proxy, a login page",
        ),
        (
            200,
            r#"{"manifests":[{"digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","platform":{"os":"linux","architecture":"s390x"}}]}"#,
            "a/b:c is for another processor",
            "use a machine of that processor",
        ),
    ] {
        let base = serve(move |mut stream| {
            if Message::read(&stream).is_some() {
                // A client that hangs up has seen enough.
                let _ = stream.write_all(answer(status, "", body).as_bytes());
            }
        });
        let config =
            format!("[images]\nstore = 'my store'\n[images.mirrors]\n'docker.io' = '{base}'\n");
        place.write("regatta.toml", config);
        let refused = ran(&place, &["images", "pull", "a/b:c"]).code(3);
        refused.says(says).says(hint);
    }
}

#[test]
fn an_interrupt_ends_a_pull_and_the_exit_code_says_so() {
    let place = place();
    let (asked, heard) = std::sync::mpsc::channel();
    let asked = std::sync::Mutex::new(asked);
    let base = serve(move |stream| {
        let _ = Message::read(&stream);
        // A test that is over waits for nobody.
        let _ = asked.lock().unwrap().send(());
        // Until the other side hangs up.
        let _ = std::io::Read::read(&mut &stream, &mut [0]);
    });
    let name = format!("{}/a", base.trim_start_matches("http://"));
    let started = place
        .regatta(&["images", "pull", &name])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("the request", || heard.try_recv().is_ok());
    interrupt(&started);
    let ended = Ran::of(&started.wait_with_output().unwrap());
    ended
        .code(130)
        .says("Ctrl-C: the same command goes on where this one stopped");
}

/// A registry with one image, of a layer with a file of so many bytes; tells which bytes of the layer
/// were asked for.
fn registry(bytes: usize) -> (String, Arc<Mutex<Vec<Option<String>>>>) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("big"), vec![b'x'; bytes]).unwrap();
    let tar = Command::new("tar")
        .args(["-c", "--owner=0", "--group=0", "big"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let layer = tar.stdout;
    let digest = Digest::of(&layer);
    let config = json!({"architecture": architecture(), "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest.as_str()]}});
    let config = config.to_string().into_bytes();
    let manifest = json!({"schemaVersion": 2,
        "config": {"digest": Digest::of(&config).as_str(), "size": config.len()},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": digest.as_str(), "size": layer.len()}]});
    let manifest = manifest.to_string().into_bytes();
    let asked: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let kept = Arc::clone(&asked);
    let base = serve(move |mut stream| {
        let Some(message) = Message::read(&stream) else {
            return;
        };
        let path = message.second().unwrap_or_default();
        let (mut from, mut status, mut range) = (0, 200, String::new());
        let whole = if path.ends_with(digest.as_str()) {
            kept.lock().unwrap().push(message.range.clone());
            if let Some(wanted) = message.range.as_deref() {
                let wanted = wanted.trim_start_matches("bytes=").trim_end_matches('-');
                (from, status) = (wanted.parse().unwrap(), 206);
                range = format!(
                    "Content-Range: bytes {from}-{}/{}\r\n",
                    layer.len() - 1,
                    layer.len()
                );
            }
            &layer
        } else if path.contains("/blobs/") {
            &config
        } else {
            &manifest
        };
        let body = &whole[from..];
        let head = format!(
            "HTTP/1.1 {status} Said\r\nConnection: close\r\n{range}Content-Length: {}\r\n\r\n",
            body.len()
        );
        // A client whose disk is full hangs up.
        let _ = stream.write_all(&[head.as_bytes(), body].concat());
    });
    let name = base.trim_start_matches("http://").to_owned() + "/a/b:c";
    (name, asked)
}

/// Runs a script of ours in a mount namespace of its own, where the store's directory is a small file
/// system of its own; `"$0"` is regatta.
fn with_small_disk(place: &Place, script: &str, args: &[&str]) -> Ran {
    std::fs::create_dir(place.join("my store")).unwrap();
    let script = format!("mount -t tmpfs -o size=4m none 'my store' || exit 99\n{script}");
    let asked = place.regatta(&[]);
    let mut command = Command::new("unshare");
    command
        .args(["-rm", "sh", "-c", &script, crate::support::REGATTA])
        .args(args)
        .current_dir(place.path());
    for (name, value) in asked.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("DOCKER_CONFIG", place.path());
    Ran::of(&command.output().unwrap())
}

#[test]
fn a_disk_that_is_full_in_the_middle_of_a_fetch_says_what_to_do_and_the_next_pull_goes_on() {
    let place = place();
    let (name, asked) = registry(8 << 20);
    let script = r#"
"$0" images pull "$1"; echo "first: $?"
"$0" images list --format json
mount -o remount,size=64m 'my store'
"$0" images pull "$1"; echo "second: $?"
"$0" images verify; echo "verified: $?"
ls 'my store/partial' | wc -l
"#;
    let ran = with_small_disk(&place, script, &[&name]);
    assert_eq!(
        ran.stdout, "first: 3\n[]\nsecond: 0\nverified: 0\n0\n",
        "{}",
        ran.stderr
    );
    let ran = ran
        .says("cannot write the layer ")
        .says("/my store/partial/")
        .says("No space left on device")
        .says("hint: free some space (`regatta images prune`)")
        .says("the same command goes on")
        .says("1 image pulled");
    assert!(!ran.stderr.contains("next try"), "{}", ran.stderr);
    let asked = asked.lock().unwrap().clone();
    assert_eq!((asked.len(), &asked[0]), (2, &None), "{asked:?}");
    let went_on = asked[1].as_deref().unwrap();
    let from: usize = went_on["bytes=".len()..went_on.len() - 1].parse().unwrap();
    assert!(from > 1 << 20, "{went_on}");
}
