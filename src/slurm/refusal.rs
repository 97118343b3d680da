//! What Slurm's commands say when they refuse.

use super::limits::Limits;
use super::script::JobScript;
use crate::error::{Error, Result};
use crate::text::one_line;

/// The last thing that a command complained about, without its own name before it.
pub fn complaint(stderr: &str) -> String {
    let lines = stderr
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let lines: Vec<&str> = lines.collect();
    let error = lines.iter().rfind(|line| line.contains("error"));
    let line = error
        .or(lines.first())
        .copied()
        .unwrap_or("it says nothing");
    let said = match line.rsplit_once("error: ") {
        Some((_, said)) => said,
        None => line.strip_prefix("sbatch: ").unwrap_or(line),
    };
    let said = said
        .strip_prefix("Batch job submission failed: ")
        .unwrap_or(said);
    one_line(said, 300)
}

/// Whether a command could not speak with slurmctld.
pub fn is_unreachable(stderr: &str) -> bool {
    [
        "Unable to contact slurm controller",
        "Unable to contact the controller",
        "Slurm backup controller in standby mode",
        "Socket timed out on send/recv operation",
        "Zero Bytes were transmitted or received",
        "Connection refused",
        "Connection timed out",
        "Unable to establish configuration source",
        "Could not establish a configuration source",
    ]
    .iter()
    .any(|words| stderr.contains(words))
}

/// Whether accounting is switched off.
pub fn is_without_accounting(stderr: &str) -> bool {
    stderr.contains("accounting storage is disabled")
}

/// The error of a command that failed.
pub fn failed(command: &str, stderr: &str) -> Error {
    let said = complaint(stderr);
    if is_unreachable(stderr) {
        return Error::world(format!("slurmctld does not answer `{command}`: {said}"))
            .hint("Jobs that run go on meanwhile. `scontrol ping` says whether it is up; when it is, give the same command again");
    }
    if stderr.contains("Munge") || stderr.contains("authentication error") {
        return Error::world(format!("Slurm does not know who asks (`{command}`): {said}"))
            .hint("Ask whoever runs the cluster: munged must run on this machine, with the cluster's key and a right clock");
    }
    Error::world(format!("`{command}` failed: {said}"))
}

/// What `sbatch` says, the words that it is known by, and what to do.
const REFUSALS: [(&str, &str); 16] = [
    (
        "Invalid account or account/partition combination",
        "`sacctmgr show assoc user=$USER format=account,partition,qos` lists the accounts that you have; name one by `--account`",
    ),
    (
        "Invalid qos specification",
        "`sacctmgr show assoc user=$USER format=account,qos` lists what you may use; name one by `--sbatch '--qos=NAME'`",
    ),
    (
        "Job violates accounting/QOS policy",
        "A limit of your account or QOS refuses the job (its number of jobs, size or time): ask for fewer workers or a shorter `--time`; `sacctmgr show assoc user=$USER` and `sacctmgr show qos` have the limits",
    ),
    (
        "Invalid partition name",
        "`sinfo` lists the partitions; name one by `--partition`",
    ),
    (
        "No partition specified or system default partition",
        "Name a partition by `--partition`; `sinfo` lists them",
    ),
    (
        "User's group not permitted to use this partition",
        "Name a partition by `--partition` that you may use; `scontrol show partition` says whom each allows",
    ),
    (
        "Invalid job array specification",
        "Ask for fewer workers: `scontrol show config` has the longest array as MaxArraySize",
    ),
    (
        "Requested time limit is invalid",
        "Give another `--time`; `sinfo` has the longest of each partition",
    ),
    (
        "Invalid --time specification",
        "Write hours, minutes and seconds: `--time 04:00:00`",
    ),
    (
        "Memory specification can not be satisfied",
        "Ask for less memory; `sinfo -o '%P %m'` has what nodes have",
    ),
    (
        "Requested node configuration is not available",
        "No node has what the job asks for: ask for fewer CPUs or less memory, or look at `--sbatch`",
    ),
    (
        "Invalid feature specification",
        "No node has this feature: look at `--constraint` in `--sbatch`; `sinfo -o '%n %f'` lists features",
    ),
    (
        "Unable to open file",
        "The words of `--sbatch` must be options of `sbatch`",
    ),
    (
        "unrecognized option",
        "This Slurm does not know the option: look at `--sbatch`, and at `sbatch --help`",
    ),
    (
        "Access/permission denied",
        "Ask whoever runs the cluster: you may not hand in such a job",
    ),
    (
        "Job submit limit reached",
        "You have as many jobs as you may have: wait for some to end",
    ),
];

/// The error of a job that `sbatch` refused. What there is comes from the limits, if they are known.
pub fn refused(stderr: &str, job: &JobScript, limits: Option<&Limits>) -> Error {
    if let Some(error) = limits.and_then(|limits| foreseen(job, limits).err()) {
        return error;
    }
    let Some((words, hint)) = REFUSALS.iter().find(|(words, _)| stderr.contains(words)) else {
        return failed("sbatch", stderr).hint(format!("The command was: {}", job.command()));
    };
    let whose = [
        ("account", &job.account, *words == REFUSALS[0].0),
        ("partition", &job.partition, words.contains("partition")),
    ];
    let whose = whose.iter().find_map(|(what, value, is_it)| {
        let value = value.as_deref().filter(|_| *is_it)?;
        Some(format!(" ({what} `{value}`)"))
    });
    // A command line that is at fault is the user's; the rest is the cluster's word.
    Error::usage(format!(
        "Slurm refused the job{}: {}",
        whose.unwrap_or_default(),
        complaint(stderr)
    ))
    .hint(*hint)
}

fn foreseen(job: &JobScript, limits: &Limits) -> Result<()> {
    limits.check(job)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> JobScript {
        JobScript {
            account: Some("nope".to_owned()),
            output_dir: "/o".into(),
            tasks: 1,
            ..JobScript::default()
        }
    }

    #[test]
    fn the_last_complaint_is_told_without_the_commands_name() {
        let stderr = "sbatch: error: invalid partition specified: nope\n\
            sbatch: error: Batch job submission failed: Invalid partition name specified\n";
        assert_eq!(complaint(stderr), "Invalid partition name specified");
        assert_eq!(
            complaint("slurm_load_jobs error: Invalid job id specified\n"),
            "Invalid job id specified"
        );
        assert_eq!(
            complaint(
                "sbatch: unrecognized option '--bogus'\nTry \"sbatch --help\" for more information\n"
            ),
            "unrecognized option '--bogus'"
        );
        assert_eq!(complaint(""), "it says nothing");
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let stderr = "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified\n";
        let error = refused(stderr, &job(), None);
        assert_eq!(
            error.to_string(),
            "Slurm refused the job (account `nope`): Invalid account or account/partition combination specified"
        );
        assert!(
            error.hints()[0].contains("sacctmgr show assoc"),
            "{error:?}"
        );
        for (words, _) in REFUSALS {
            let stderr = format!("sbatch: error: {words} specified\n");
            let error = refused(&stderr, &job(), None);
            assert_eq!(error.hints().len(), 1, "{words}");
            assert!(error.to_string().contains(words), "{error}");
        }
        let unknown = refused(
            "sbatch: error: Batch job submission failed: Moon is full\n",
            &job(),
            None,
        );
        assert_eq!(unknown.to_string(), "`sbatch` failed: Moon is full");
        assert_eq!(
            unknown.hints(),
            ["The command was: sbatch --parsable /o/job.sh"]
        );
    }

    #[test]
    fn a_controller_that_is_away_is_told_apart() {
        let stderr =
            "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n";
        let error = failed("squeue", stderr);
        assert_eq!(
            error.to_string(),
            "slurmctld does not answer `squeue`: Unable to contact slurm controller (connect failure)"
        );
        assert!(error.hints()[0].contains("scontrol ping"));
        let error = failed(
            "squeue",
            "squeue: error: Munge encode failed: Failed to access \"/run/munge/munge.socket.2\"\n",
        );
        assert!(
            error.to_string().contains("does not know who asks"),
            "{error}"
        );
    }
}
