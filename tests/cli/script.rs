//! `scripts/run_cooperbench.sh`: `regatta run` by the name that plans of experiments give it.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Place, REGATTA, Ran};

fn script() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/run_cooperbench.sh")
}

/// The tools that it needs, and no other.
fn tools(place: &Place) {
    std::fs::create_dir(place.join("bin")).unwrap();
    for tool in ["sh", "dirname", "readlink", "sed", "tail"] {
        let real = ["/bin", "/usr/bin"].map(|dir| Path::new(dir).join(tool));
        let real = real.iter().find(|path| path.exists()).unwrap();
        symlink(real, place.join("bin").join(tool)).unwrap();
    }
}

/// Has `cargo` say that it built this program.
fn cargo(place: &Place, program: &str) {
    let text = format!(
        "#!/bin/sh\npwd > '{0}/built-in'\necho \"$@\" > '{0}/built-with'\necho building >&2\n\
         echo '{{\"reason\":\"compiler-artifact\",\"executable\":null}}'\n\
         echo '{{\"reason\":\"compiler-artifact\",\"executable\":\"{program}\",\"fresh\":true}}'\n\
         echo '{{\"reason\":\"build-finished\",\"success\":true}}'\n",
        place.path().display()
    );
    place.write_program("bin/cargo", text);
}

/// The script by a shell, in a directory that is not the checkout.
fn by(shell: &str, place: &Place, args: &[&str]) -> Command {
    let mut command = Command::new(shell);
    command
        .arg(script())
        .args(args)
        .current_dir(place.path())
        .env_clear()
        .env("PATH", place.join("bin"))
        .env("HOME", place.path());
    command
}

fn run(place: &Place, args: &[&str]) -> Ran {
    Ran::of(&by("/bin/sh", place, args).output().unwrap())
}

#[test]
fn arguments_directory_and_exit_code_are_the_callers() {
    let place = Place::new();
    tools(&place);
    let program = place.write_program(
        "target dir/regatta",
        "#!/bin/sh\nprintf '<%s>' \"$@\"\npwd\necho $$\nexit 42\n",
    );
    cargo(&place, program.to_str().unwrap());
    let args = ["--dry-run", "--name", "a b", "", "*", "--x=\"'$HOME"];
    for shell in ["/bin/sh", "/bin/bash"] {
        let child = by(shell, &place, &args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let id = child.id();
        let ran = Ran::of(&child.wait_with_output().unwrap()).code(42);
        let here = place.path().canonicalize().unwrap();
        let wanted = format!(
            "<run><--dry-run><--name><a b><><*><--x=\"'$HOME>{}\n{id}\n",
            here.display()
        );
        // The same process: a signal to it is one to Regatta.
        assert_eq!(ran.stdout, wanted);
        assert_eq!(ran.stderr, "building\n");
    }
    assert_eq!(
        place.read("built-in").trim(),
        env!("CARGO_MANIFEST_DIR"),
        "the toolchain is the checkout's"
    );
    assert!(place.read("built-with").contains("build "));
}

#[test]
fn the_plans_own_commands_do_what_they_say() {
    let place = Place::new();
    tools(&place);
    cargo(&place, REGATTA);
    let plan = [
        "--dry-run",
        "--cooperbench-dir",
        "cb",
        "--setting",
        "solo",
        "--model",
        "command-a-03-2025",
        "--subset",
        "lite",
        "--agent",
        "mini_swe_agent",
        "--concurrency",
        "2",
        "--backend",
        "docker",
    ];
    for said in [
        "1 run on lite (6 pairs), model command-a-03-2025, agent mini_swe_agent, engine upstream",
        "each: 2 pairs at a time, ",
        "command-a-solo (setting solo): 6 pairs, 0 finished, ",
        "-n command-a-solo -s lite -m command-a-03-2025 -a mini_swe_agent -c 2 --setting solo --backend docker --no-auto-eval\n",
    ] {
        run(&place, &plan).code(0).prints(said);
    }
    let smoke = [&plan[..], &["--smoke", "5"]].concat();
    run(&place, &smoke)
        .code(0)
        .prints("command-a-solo (setting solo): 5 of 6 pairs, ");
    // The native engine has no command line to look at: the plan says all of it itself.
    let native = [&plan[..], &["--engine", "native"]].concat();
    for said in [
        "model command-a-03-2025, agent regatta, engine native, backend docker\n",
        "each: 2 pairs at a time, ",
    ] {
        run(&place, &native).code(0).prints(said);
    }
    run(&place, &["--no-such-flag"]).code(2);
}

#[test]
fn without_cargo_it_says_what_to_do() {
    let place = Place::new();
    tools(&place);
    run(&place, &["--dry-run"])
        .code(3)
        .says("cannot build Regatta in ")
        .says("there is no cargo")
        .says("https://rustup.rs");
    place.write_program(
        "bin/cargo",
        "#!/bin/sh\necho 'error: no such crate' >&2\nexit 101\n",
    );
    run(&place, &["--dry-run"]).code(3).says("no such crate");
}
