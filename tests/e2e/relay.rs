//! The relay passes every byte on, to both of Docker's clients.

use std::process::Command;

use regatta::sandbox::docker::DockerEndpoint;

use crate::lab::{Lab, Version, through_the_relay};
use crate::support::live::Live;

/// v1's way: Docker's Python library reads an exec's output from the raw connection. What arrives
/// together with the response's head is lost in its buffer.
const LIBRARY: &str = r#"
import concurrent.futures, docker
client = docker.from_env()
container = client.containers.run("akhatua/cooperbench-harbor:task1", "sleep infinity", entrypoint="", detach=True)
def one(n):
    code, output = container.exec_run(["bash", "-c", f"echo {n}; head -c {n * 50} /dev/zero | tr '\\0' x"])
    return code == 0 and output == f"{n}\n".encode() + b"x" * (n * 50)
try:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        wrong = [n for n, good in enumerate(pool.map(one, range(600))) if not good]
finally:
    container.remove(force=True)
print(f"{len(wrong)} of 600 outputs are wrong: {wrong[:10]}")
"#;

/// A container that goes under a running command: the error has to name it, not the exec alone.
const KILLED: &str = r#"
import docker, os, threading
client = docker.from_env()
beside = docker.DockerClient(base_url=os.environ["BESIDE"])
container = client.containers.run("akhatua/cooperbench-harbor:task1", "sleep infinity", entrypoint="", detach=True)
exec_id = client.api.exec_create(container.id, ["sleep", "60"])["Id"]
running = threading.Thread(target=lambda: client.api.exec_start(exec_id))
running.start()
while not client.api.exec_inspect(exec_id)["Running"]:
    pass
beside.containers.get(container.id).remove(force=True)
running.join()
try:
    client.api.exec_inspect(exec_id)
except docker.errors.APIError as error:
    print("named" if container.id in str(error) else f"not named: {error}")
"#;

/// v2's way: the client program.
const PROGRAM: &str = r#"
set -e
id=$(docker run -d --entrypoint sleep akhatua/cooperbench-harbor:task1 infinity)
trap 'docker rm -f "$id" >/dev/null' EXIT
wrong=0
for n in $(seq 60); do
  size=$(docker exec "$id" bash -c "head -c $((n * 20000)) /dev/zero" | wc -c)
  [ "$size" = $((n * 20000)) ] || wrong=$((wrong + 1))
done
echo "$wrong of 60 outputs are wrong"
"#;

#[test]
#[ignore = "needs Docker and cooperbench 0.0.11: just e2e"]
fn no_output_is_lost_to_the_python_library() {
    let python = Version::V11.bin().with_file_name("python");
    let said = through_the_relay(Command::new(python).args(["-c", LIBRARY]));
    assert!(said.starts_with("0 of 600"), "{said}");
}

#[test]
#[ignore = "needs Docker: just e2e"]
fn no_output_is_lost_to_the_client_program() {
    let said = through_the_relay(Command::new("bash").args(["-c", PROGRAM]));
    assert!(said.starts_with("0 of 60"), "{said}");
}

#[test]
#[ignore = "needs Docker and cooperbench 0.0.11: just e2e"]
fn a_container_that_goes_under_a_command_is_named() {
    let python = Version::V11.bin().with_file_name("python");
    let beside = DockerEndpoint::from_environment().unwrap().url();
    let said = through_the_relay(
        Command::new(python)
            .args(["-c", KILLED])
            .env("BESIDE", beside),
    );
    assert_eq!(said.trim(), "named");
}

/// What a live page shows of a trial of upstream's before it has a result.
fn viewed(version: Version) {
    let lab = Lab::new(version);
    // Its first command ends, and it waits for what to do next.
    lab.hold();
    let run = lab.start(&["run", "--setting", "solo", "--smoke", "1", "--no-progress"]);
    lab.wait_for_requests("head -3; ls", 1);
    lab.wait_for_events("t-solo", "commands_seen", 1);
    let args = ["view", "--cooperbench-dir", "cb", "--port", "0"];
    let live = Live::of(lab.place.regatta(&args));
    let commands = |index: &serde_json::Value| index["containers"][0]["commands"].as_u64();
    let index = live.wait_for("a command in a container", |index| {
        commands(index) > Some(0)
    });
    let container = &index["containers"][0];
    let pair = container["pair"].as_str().unwrap();
    let image = container["image"].as_str().unwrap();
    assert!(image.starts_with("akhatua/cooperbench-"), "{container}");
    assert!(
        !container["last"].as_str().unwrap().is_empty(),
        "{container}"
    );
    // Docker's library leaves it to the daemon to name a container.
    assert_eq!(
        container["name"].is_null(),
        version == Version::V11,
        "{container}"
    );
    let trials = index["trials"].as_array().unwrap();
    let running: Vec<_> = trials
        .iter()
        .filter(|it| it["is_running"] == true)
        .collect();
    let [trial] = running[..] else {
        panic!("{index}");
    };
    let place = usize::try_from(trial["pair"].as_u64().unwrap()).unwrap();
    assert_eq!(index["pairs"][place]["name"], pair);

    lab.fault("");
    run.wait().code(0);
    let index = live.wait_for("its result", |index| index["containers"].is_null());
    let trials = index["trials"].as_array().unwrap();
    assert!(
        trials.iter().all(|it| it["is_running"].is_null()),
        "{index}"
    );
    let ended = lab.place.events("t-solo", "container_ended");
    let [ended] = &ended[..] else {
        panic!("{ended:?}");
    };
    assert!(ended["commands"].as_u64() > Some(1), "{ended}");
}

#[test]
#[ignore = "needs Docker and cooperbench 0.0.11: just e2e"]
fn a_running_trial_is_viewed_on_v11() {
    viewed(Version::V11);
}

#[test]
#[ignore = "needs Docker and cooperbench 0.0.29: just e2e"]
fn a_running_trial_is_viewed_on_v29() {
    viewed(Version::V29);
}
