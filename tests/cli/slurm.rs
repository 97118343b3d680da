//! Slurm's commands, played by scripts: what other versions and broken ones print. Those of a real
//! Slurm are asked by the tests of `tests/e2e/slurm`.

use regatta::error::Kind;
use regatta::slurm::{JobScript, Slurm, TaskId};

use crate::support::Place;

fn now<T>(asked: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(asked)
}

/// Slurm's commands, of which these do something.
fn slurm(place: &Place, commands: &[(&str, &str)]) -> Slurm {
    for name in ["squeue", "scancel", "sinfo", "sacct", "scontrol"] {
        place.write_program(&format!("bin/{name}"), "#!/bin/sh\nexit 0\n");
    }
    place.write_program("bin/sbatch", "#!/bin/sh\necho slurm 23.11.4\n");
    for (name, script) in commands {
        place.write_program(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
    }
    now(Slurm::find_in(place.join("bin").as_os_str(), None)).unwrap()
}

#[test]
fn where_there_is_no_slurm_the_error_says_where_one_is() {
    let place = Place::new();
    let error = now(Slurm::find_in(place.path().as_os_str(), None)).unwrap_err();
    assert_eq!(error.kind(), Kind::World);
    assert_eq!(
        error.to_string(),
        "there is no Slurm here: `sbatch` is in no directory of PATH"
    );
    assert!(error.hints()[0].contains("login node"), "{error:?}");
}

#[test]
fn a_queue_of_other_columns_is_an_error_that_shows_it() {
    let place = Place::new();
    let table = "echo 'JOBID PARTITION NAME USER ST'; echo '12 main x root R'";
    let slurm = slurm(&place, &[("squeue", table)]);
    assert_eq!(slurm.version(), "23.11.4");
    let tasks = now(slurm.tasks(&[12])).unwrap_err();
    let ours = now(slurm.ours()).unwrap_err();
    for error in [tasks, ours] {
        let said = error.to_string();
        assert!(
            said.contains("`squeue` answers with other columns"),
            "{said}"
        );
        assert!(
            said.contains("got `JOBID PARTITION NAME USER ST`"),
            "{said}"
        );
    }
}

#[test]
fn a_field_that_is_unknown_is_no_empty_queue() {
    let place = Place::new();
    let says = "echo 'squeue: error: Invalid job format specification: exit_code' >&2; echo";
    let slurm = slurm(&place, &[("squeue", says)]);
    let error = now(slurm.tasks(&[12])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`squeue` failed: Invalid job format specification: exit_code"
    );
}

#[test]
fn comments_of_others_may_have_any_text() {
    let place = Place::new();
    let rows = "printf '12_0|RUNNING|0|0|n1|None|regatta-t|of a|b|\\n13|PENDING|0|0||Priority|x|two\\n\
        lines|\\n14|RUNNING|0|0|n2|None|regatta-u||\\n'";
    let slurm = slurm(&place, &[("squeue", rows)]);
    let ours = now(slurm.ours()).unwrap();
    let shown: Vec<_> = ours
        .iter()
        .map(|it| format!("{} {} {}", it.job, it.name, it.comment))
        .collect();
    assert_eq!(shown, ["12 regatta-t of a|b", "14 regatta-u "]);
}

#[test]
fn accounting_is_asked_for_the_fields_that_it_has() {
    let place = Place::new();
    let script = r#"case "$1" in
--helpformat) echo 'JobID Restarts'; exit;;
esac
case "$*" in
*--duplicates*--format=JobID,State,ExitCode,NodeList,Restarts) echo '7_1|NODE_FAIL|1:0|n1|2';;
*) echo "sacct: error: $*" >&2; exit 1;;
esac"#;
    let slurm = slurm(&place, &[("sacct", script)]);
    let seen = now(slurm.accounted(&[7])).unwrap().unwrap();
    assert_eq!(seen[0].task, TaskId::parse("7_1").unwrap());
    assert_eq!(seen[0].restarts, Some(2));
}

#[test]
fn without_accounting_there_is_none() {
    let place = Place::new();
    let off = "echo 'Slurm accounting storage is disabled' >&2; exit 1";
    let with = slurm(&place, &[("sacct", off)]);
    assert_eq!(now(with.accounted(&[7])).unwrap(), None);
    std::fs::remove_file(place.join("bin/sacct")).unwrap();
    let without = now(Slurm::find_in(place.join("bin").as_os_str(), None)).unwrap();
    assert_eq!(now(without.accounted(&[7])).unwrap(), None);
}

#[test]
fn a_job_that_has_ended_is_cancelled() {
    let place = Place::new();
    let gone = "echo \"scancel: error: Kill job error on job id $1: Invalid job id specified\" >&2; exit 1";
    let slurm = slurm(&place, &[("scancel", gone)]);
    now(slurm.cancel(&[7])).unwrap();
    now(slurm.cancel(&[])).unwrap();
    let refused =
        "echo 'scancel: error: Kill job error on job id 7: Access/permission denied' >&2; exit 1";
    place.write_program("bin/scancel", format!("#!/bin/sh\n{refused}\n"));
    let error = now(slurm.cancel(&[7])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`scancel` failed: Kill job error on job id 7: Access/permission denied"
    );
}

#[test]
fn a_job_of_a_cluster_with_a_name_has_its_number() {
    let place = Place::new();
    let takes = "[ \"$1\" = --version ] && echo slurm 24.05.1 && exit; echo 'hello from the site'; echo '4711;big'";
    let slurm = slurm(&place, &[("sbatch", takes)]);
    let job = JobScript {
        program: "/bin/true".into(),
        tasks: 1,
        output_dir: place.join("out"),
        ..JobScript::default()
    };
    assert_eq!(now(slurm.submit(&job)).unwrap(), 4711);
    assert_eq!(place.read("out/job.sh"), job.text());
    place.write_program("bin/sbatch", "#!/bin/sh\necho Submitted batch job 12\n");
    let error = now(slurm.submit(&job)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("expected `JobId`, got `Submitted batch job 12`"),
        "{error}"
    );
}

#[test]
fn nodes_may_have_no_scontrol() {
    let place = Place::new();
    let table = "echo 'main |main* |up |infinite |3 |4 |4096 |'";
    let slurm = slurm(&place, &[("sinfo", table), ("scontrol", "exit 1")]);
    let limits = now(slurm.limits(None)).unwrap();
    assert_eq!(limits.max_array_size, None);
    assert_eq!(limits.tasks_of(2000), 1001);
    assert!(limits.controllers.is_empty());
}
