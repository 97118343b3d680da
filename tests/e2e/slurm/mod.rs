//! Slurm's commands against a real Slurm: `just slurm` runs these tests.

pub mod cluster;

use std::path::{Path, PathBuf};

use regatta::error::{Error, Kind};
use regatta::slurm::{JobScript, Slurm, TaskId, TaskSeen, TaskState, why_pending};

use self::cluster::{Cluster, pause};
use crate::support::{Place, wait_until};

/// Runs a task that says that it runs, and then does nothing until it is ended.
const WAITS: &str = "echo begun >> begun; exec sleep 600";

fn now<T>(asked: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(asked)
}

fn slurm() -> Slurm {
    now(Slurm::find()).unwrap()
}

/// A job of one task in the place, that runs a script of the shell there.
fn job(cluster: &Cluster, place: &Place, script: &str) -> JobScript {
    let dir = place.path().display();
    JobScript {
        name: "of a test".to_owned(),
        comment: "regatta test".to_owned(),
        program: PathBuf::from("/bin/sh"),
        args: vec!["-c".to_owned(), format!("cd '{dir}'; {script}")],
        tasks: 1,
        more: cluster.here_only(),
        memory_mb: Some(50),
        output_dir: place.join("out"),
        ..JobScript::default()
    }
}

fn submit(cluster: &Cluster, slurm: &Slurm, job: &JobScript) -> u64 {
    cluster.own(now(slurm.submit(job)).unwrap())
}

fn tasks(slurm: &Slurm, job: u64) -> Vec<TaskSeen> {
    let mut tasks = now(slurm.tasks(&[job])).unwrap();
    tasks.sort_by_key(|it| it.task);
    tasks
}

/// Waits until the only task of a job is as it should be; says how it was last if that never comes.
#[track_caller]
fn wait_for(slurm: &Slurm, job: u64, what: &str, is_so: impl Fn(&TaskSeen) -> bool) -> TaskSeen {
    let mut last = None;
    for _ in 0..600 {
        last = tasks(slurm, job).pop();
        match last {
            Some(seen) if is_so(&seen) => return seen,
            _ => pause(),
        }
    }
    panic!("never came: {what}; last {last:?}");
}

/// Waits until accounting has this of a job; it comes some seconds later.
#[track_caller]
fn wait_for_accounted(
    slurm: &Slurm,
    job: u64,
    what: &str,
    is_so: impl Fn(&[TaskSeen]) -> bool,
) -> Vec<TaskSeen> {
    let mut last = Vec::new();
    wait_until(what, || {
        pause();
        last = now(slurm.accounted(&[job])).unwrap().unwrap();
        is_so(&last)
    });
    last
}

fn lines_of(file: &Path) -> usize {
    std::fs::read_to_string(file).map_or(0, |text| text.lines().count())
}

fn output(job: &JobScript, id: u64) -> String {
    let task = TaskId {
        job: id,
        index: Some(0),
    };
    std::fs::read_to_string(job.output_of(task)).unwrap_or_default()
}

fn whole(error: &Error) -> String {
    format!("{error} / {}", error.hints().join(" / "))
}

#[test]
#[ignore = "needs Slurm; `just slurm` runs it"]
fn an_array_is_handed_in_watched_and_cancelled() {
    let (cluster, place, slurm) = (Cluster::of(1), Place::new(), slurm());
    // A path with all that a path may have, and a program that sees every signal.
    let dir = place.join("it's 5% of\u{e4}");
    let array = JobScript {
        tasks: 4,
        throttle: Some(2),
        output_dir: dir.clone(),
        ..job(
            &cluster,
            &place,
            "trap 'echo TERM >> ended; exit 3' TERM; env > env.$SLURM_ARRAY_TASK_ID; echo begun; \
             while :; do sleep 0.1; done",
        )
    };
    let id = submit(&cluster, &slurm, &array);
    let mut seen = Vec::new();
    wait_until("two tasks run and two wait", || {
        pause();
        seen = tasks(&slurm, id);
        let count = |state: &TaskState| seen.iter().filter(|it| it.state == *state).count();
        count(&TaskState::Running) == 2
            && count(&TaskState::Pending) == 2
            && seen.iter().any(|it| it.reason == "JobArrayTaskLimit")
    });
    let indices: Vec<_> = seen.iter().map(|it| it.task.index.unwrap()).collect();
    assert_eq!(indices, [0, 1, 2, 3]);
    assert_eq!(seen[0].node, cluster.nodes()[0]);
    assert_eq!(seen[0].restarts, Some(0));
    assert_eq!(seen[0].exit, None);
    let ours = now(slurm.ours()).unwrap();
    let ours = ours.iter().find(|it| it.job == id).unwrap();
    assert_eq!(ours.name, "regatta-of-a-test");
    assert_eq!(ours.comment, "regatta test");
    assert_eq!(ours.tasks.len(), 4);

    wait_until("both have begun", || {
        let begun = |n| lines_of(&dir.join(format!("{id}_{n}.log"))) > 0;
        begun(0) && begun(1)
    });
    // Nothing of our environment is in theirs.
    let env = place.read("env.0");
    assert!(env.contains("SLURM_JOB_ID="), "{env}");
    assert!(!env.contains("CARGO_"), "{env}");

    now(slurm.cancel(&[id])).unwrap();
    wait_until("all are cancelled", || {
        pause();
        let seen = tasks(&slurm, id);
        seen.len() == 4 && seen.iter().all(|it| it.state == TaskState::Cancelled)
    });
    wait_until("each was told", || lines_of(&place.join("ended")) == 2);
    wait_for_accounted(&slurm, id, "accounting has them", |seen| {
        seen.len() == 4 && seen.iter().all(|it| it.state == TaskState::Cancelled)
    });
    // Once more is no error, and neither is a job that nobody knows.
    now(slurm.cancel(&[id, 999_999])).unwrap();
    let ours = now(slurm.ours()).unwrap();
    assert!(ours.iter().all(|it| it.job != id), "{ours:?}");
    assert_eq!(tasks(&slurm, 999_999), []);
}

#[test]
#[ignore = "needs Slurm; `just slurm` runs it"]
fn a_program_is_told_before_its_time_is_up_and_then_ended() {
    let (cluster, place, slurm) = (Cluster::of(1), Place::new(), slurm());
    let short = JobScript {
        time: Some("1".to_owned()),
        ..job(
            &cluster,
            &place,
            "trap 'echo TERM >> told' TERM; while :; do sleep 0.1; done",
        )
    };
    let id = submit(&cluster, &slurm, &short);
    wait_until("the program is told", || lines_of(&place.join("told")) > 0);
    let seen = tasks(&slurm, id);
    assert_eq!(seen[0].state, TaskState::Running, "told before the end");
    let seen = wait_for(&slurm, id, "the time is up", |it| it.state.is_over());
    assert_eq!(seen.state, TaskState::Timeout);
    assert_eq!(seen.state.rule().unwrap().as_str(), "slurm_timeout");
    let seen = wait_for_accounted(&slurm, id, "accounting has it", |seen| {
        seen.iter().any(|it| it.state == TaskState::Timeout)
    });
    assert_eq!(seen.len(), 1, "it does not begin again: {seen:?}");
}

#[test]
#[ignore = "needs Slurm; `just slurm` runs it"]
fn a_preempted_task_begins_again_and_both_incarnations_are_accounted() {
    let (cluster, place, slurm) = (Cluster::of(1), Place::new(), slurm());
    let job = job(&cluster, &place, WAITS);
    let id = submit(&cluster, &slurm, &job);
    wait_until("it runs", || lines_of(&place.join("begun")) == 1);
    let rivals = cluster.compete();
    let seen = wait_for(&slurm, id, "it waits again", |it| {
        it.state == TaskState::Pending && !["", "None"].contains(&&*it.reason)
    });
    assert_eq!(seen.restarts, Some(1));
    assert!(!seen.state.is_over());
    assert_eq!(
        TaskState::told_by(&output(&job, id)),
        Some(TaskState::Preempted)
    );
    let seen = wait_for_accounted(&slurm, id, "accounting has both", |seen| seen.len() == 2);
    assert_eq!(seen[0].state, TaskState::Preempted);
    assert_eq!(seen[0].restarts, Some(0));
    assert_eq!(seen[0].state.rule().unwrap().as_str(), "preempted");
    assert_eq!(seen[1].state, TaskState::Pending);
    assert_eq!(seen[1].restarts, Some(1));

    cluster::cancel(&rivals);
    wait_until("it runs again", || lines_of(&place.join("begun")) == 2);
}

#[test]
#[ignore = "needs Slurm; `just slurm` runs it"]
fn a_task_over_its_memory_is_ended_and_its_output_says_so() {
    let (cluster, place, slurm) = (Cluster::of(1), Place::new(), slurm());
    let job = JobScript {
        memory_mb: Some(20),
        ..job(
            &cluster,
            &place,
            "big=$(head -c 150000000 /dev/zero | tr '\\0' x); while :; do sleep 1; done",
        )
    };
    let id = submit(&cluster, &slurm, &job);
    let seen = wait_for(&slurm, id, "it is ended", |it| it.state.is_over());
    // Without cgroups Slurm has no state for it.
    assert!(
        [TaskState::OutOfMemory, TaskState::Failed].contains(&seen.state),
        "{seen:?}"
    );
    wait_until("its output tells", || {
        TaskState::told_by(&output(&job, id)) == Some(TaskState::OutOfMemory)
    });
}

#[test]
#[ignore = "needs Slurm; `just slurm` runs it"]
fn a_task_of_a_killed_node_begins_again_when_there_is_one() {
    let (cluster, place, slurm) = (Cluster::of(1), Place::new(), slurm());
    let id = submit(&cluster, &slurm, &job(&cluster, &place, WAITS));
    wait_until("it runs", || lines_of(&place.join("begun")) == 1);
    let node = cluster.nodes()[0];
    cluster.kill_node(node);
    let seen = wait_for(&slurm, id, "it waits again", |it| {
        it.state == TaskState::Pending
    });
    assert_eq!(seen.restarts, Some(1));
    let seen = wait_for_accounted(&slurm, id, "accounting has both", |seen| seen.len() == 2);
    assert_eq!(seen[0].state, TaskState::NodeFail);
    assert_eq!(seen[0].state.rule().unwrap().as_str(), "node_fail");
    cluster.start_node(node);
    wait_until("it runs again", || lines_of(&place.join("begun")) == 2);
    now(slurm.cancel(&[id])).unwrap();
    wait_for(&slurm, id, "it is cancelled", |it| {
        it.state == TaskState::Cancelled
    });
}

#[test]
#[ignore = "needs Slurm; `just slurm` runs it"]
fn a_controller_that_is_away_is_named_and_finds_its_jobs_again() {
    let (cluster, place, slurm) = (Cluster::of(3), Place::new(), slurm());
    let id = submit(&cluster, &slurm, &job(&cluster, &place, WAITS));
    wait_until("it runs", || lines_of(&place.join("begun")) == 1);
    cluster.stop_controller();
    let error = now(slurm.tasks(&[id])).unwrap_err();
    assert_eq!(error.kind(), Kind::World);
    let said = whole(&error);
    assert!(
        said.starts_with("slurmctld does not answer `squeue`: "),
        "{said}"
    );
    assert!(said.contains("scontrol ping"), "{said}");
    let again = job(&cluster, &place, WAITS);
    let said = whole(&now(slurm.submit(&again)).unwrap_err());
    assert!(
        said.starts_with("slurmctld does not answer `sbatch`: "),
        "{said}"
    );
    cluster.start_controller();
    wait_for(&slurm, id, "it runs still", |it| {
        it.state == TaskState::Running
    });
    assert_eq!(lines_of(&place.join("begun")), 1);
}

#[test]
#[ignore = "needs Slurm; `just slurm` runs it"]
fn what_slurm_refuses_is_told_with_what_to_do() {
    let (cluster, place, slurm) = (Cluster::of(1), Place::new(), slurm());
    let limits = now(slurm.limits(None)).unwrap();
    assert_eq!(limits.max_array_size, Some(51));
    assert_eq!(limits.controllers, ["127.0.0.1"]);
    assert_eq!(limits.partition(None).unwrap().name, "main");
    assert_eq!(
        limits.partition(Some("high")).unwrap().max_seconds,
        Some(600)
    );
    assert_eq!(limits.partition(None).unwrap().nodes, 3);
    assert_eq!(limits.tasks_of(300), 51);
    assert!(slurm.version().starts_with(|c: char| c.is_ascii_digit()));
    let error = now(slurm.limits(Some("nope"))).unwrap_err();
    assert_eq!(
        whole(&error),
        "Slurm has no partition `nope` / There are main (default), high"
    );

    let refused = |change: &dyn Fn(&mut JobScript)| {
        let mut job = job(&cluster, &place, WAITS);
        change(&mut job);
        whole(&now(slurm.submit(&job)).unwrap_err())
    };
    let more = |word: &str| refused(&|job| job.more.push(word.to_owned()));
    for (said, parts) in [
        (
            refused(&|job| job.partition = Some("nope".to_owned())),
            ["no partition `nope`", "main (default), high"],
        ),
        (
            refused(&|job| job.account = Some("nope".to_owned())),
            ["refused the job (account `nope`)", "sacctmgr show assoc"],
        ),
        (more("--qos=nope"), ["Invalid qos", "--qos=NAME"]),
        (
            refused(&|job| job.tasks = 52),
            ["52 tasks", "51 (MaxArraySize)"],
        ),
        (
            refused(&|job| job.memory_mb = Some(100_000)),
            ["100000 MB", "the largest has 4096"],
        ),
        (
            more("--constraint=gpu"),
            ["Invalid feature", "--constraint"],
        ),
        (
            more("--bogus"),
            ["unrecognized option '--bogus'", "sbatch --help"],
        ),
    ] {
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    }
}

#[test]
#[ignore = "needs Slurm; `just slurm` runs it"]
fn why_a_job_waits_is_told() {
    let (cluster, place, slurm) = (Cluster::of(1), Place::new(), slurm());
    let why = |job: &JobScript, part: &str| {
        let id = submit(&cluster, &slurm, job);
        let seen = wait_for(&slurm, id, part, |it| {
            why_pending(&it.reason).contains(part)
        });
        assert_eq!(seen.state, TaskState::Pending);
    };
    let mut narrow = job(&cluster, &place, WAITS);
    narrow.more.push("--qos=narrow".to_owned());
    let first = submit(&cluster, &slurm, &narrow);
    wait_for(&slurm, first, "the first runs", |it| {
        it.state == TaskState::Running
    });
    why(&narrow, "its QOS lets no more jobs run at once");
    let long = JobScript {
        time: Some("04:00:00".to_owned()),
        ..job(&cluster, &place, WAITS)
    };
    why(&long, "more time than the partition allows");
    let mut held = job(&cluster, &place, WAITS);
    held.more.push("--hold".to_owned());
    why(&held, "its user holds it");
    let mut later = job(&cluster, &place, WAITS);
    later.more.push("--begin=now+1hour".to_owned());
    why(&later, "only after a time");
}

#[test]
#[ignore = "needs Slurm; `just slurm` runs it"]
fn without_accounting_the_queue_is_all_there_is() {
    let (cluster, place) = (Cluster::of(1), Place::new());
    let conf = std::fs::read_to_string(cluster.dir().join("slurm.conf")).unwrap();
    let without: Vec<&str> = conf
        .lines()
        .filter(|line| !line.starts_with("Accounting"))
        .collect();
    let conf = place.write("slurm.conf", without.join("\n"));
    let path = std::env::var_os("PATH").unwrap();
    let slurm = now(Slurm::find_in(&path, Some(conf))).unwrap();
    assert_eq!(now(slurm.accounted(&[1])).unwrap(), None);
    let fails = job(&cluster, &place, "exit 3");
    let id = submit(&cluster, &slurm, &fails);
    let seen = wait_for(&slurm, id, "it ends", |it| it.state.is_over());
    assert_eq!(seen.state, TaskState::Failed);
    assert_eq!(seen.exit.as_deref(), Some("3:0"));
}
