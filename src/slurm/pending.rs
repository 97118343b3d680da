//! Why a job waits, in words.

/// What Slurm's reason for a task that waits means, and what can be done, in a sentence. Slurm has
/// far over a hundred reasons; those that are not here are shown as they are.
#[must_use]
pub fn why_pending(reason: &str) -> String {
    // `ReqNodeNotAvail, UnavailableNodes:n[1-2]` has its nodes behind the word.
    let (word, more) = reason
        .split_once([',', ' ', '('])
        .map_or((reason, ""), |(word, more)| {
            (word, more.trim_matches([' ', ')', ',']))
        });
    let Some(says) = known(word) else {
        return match word {
            "" | "None" => "Slurm has not looked at the job yet".to_owned(),
            _ => format!("Slurm's reason is `{reason}`"),
        };
    };
    if more.is_empty() {
        format!("{says} ({word})")
    } else {
        format!("{says} ({word}: {more})")
    }
}

fn known(word: &str) -> Option<&'static str> {
    Some(match word {
        "Priority" => "jobs of higher priority are before it",
        "Resources" => "it is the next, as soon as enough CPUs and memory are free",
        "BeginTime" => {
            "Slurm starts it only after a time; after a requeue that is about two minutes"
        }
        "Dependency" | "DependencyNeverSatisfied" => "it waits for another job to end",
        "JobHeldUser" => "its user holds it; `scontrol release` lets it go",
        "JobHeldAdmin" => "an administrator holds it",
        "JobArrayTaskLimit" => "as many tasks of its array run as it may have at once",
        "ReqNodeNotAvail" => "nodes that it needs are down, drained or reserved",
        "NodeDown" => "a node that it needs is down",
        "BadConstraints" | "FeatureNotAvail" => {
            "no node has what its constraints ask for: see `--sbatch`"
        }
        "PartitionTimeLimit" => "it asks for more time than the partition allows: lower `--time`",
        "PartitionNodeLimit" => "it asks for more nodes, CPUs or memory than the partition has",
        "PartitionConfig" => {
            "the partition does not take such a job: its time, nodes or memory are over a limit"
        }
        "PartitionDown" => "the partition is down",
        "PartitionInactive" => "the partition is inactive",
        "AccountNotAllowed" => "the partition does not take jobs of its account",
        "QOSNotAllowed" => "the partition does not take jobs of its QOS",
        "InvalidAccount" => "its account does not exist",
        "InvalidQOS" => "its QOS does not exist",
        "Licenses" => "it waits for licences",
        "Reservation" | "ReservationDeleted" => "it waits for a reservation",
        "MaxMemPerLimit" => "it asks for more memory than a job may have",
        "Cleaning" => "its earlier start is still being cleaned up",
        "RaisedSignal" | "LaunchFailedRequeued" | "launch_failed_requeued_held" => {
            "its node could not start it, and Slurm holds it back"
        }
        _ if word.starts_with("QOS") => of_a_limit(word, true),
        _ if word.starts_with("Assoc") || word.starts_with("MaxSubmit") => of_a_limit(word, false),
        _ => return None,
    })
}

/// The limits of a QOS and those of accounts and users have over a hundred names of one form.
fn of_a_limit(word: &str, is_qos: bool) -> &'static str {
    let is_of = |part: &str| word.contains(part);
    match (is_qos, is_of("Minutes") || is_of("Wall")) {
        (true, true) => "a time limit of its QOS is reached: `sacctmgr show qos` has them",
        (false, true) => "a time limit of its account or user is reached",
        (true, false) if is_of("Job") => "its QOS lets no more jobs run at once",
        (false, false) if is_of("Job") => "its account or user may have no more jobs at once",
        (true, false) => "a limit of its QOS is reached: `sacctmgr show qos` has them",
        (false, false) => "a limit of its account or user is reached",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_in_words_with_slurms_own_behind() {
        for (reason, says) in [
            (
                "Priority",
                "jobs of higher priority are before it (Priority)",
            ),
            (
                "QOSMaxJobsPerUserLimit",
                "its QOS lets no more jobs run at once (QOSMaxJobsPerUserLimit)",
            ),
            (
                "AssocGrpCPUMinutesLimit",
                "a time limit of its account or user is reached (AssocGrpCPUMinutesLimit)",
            ),
            (
                "AssocGrpCpuLimit",
                "a limit of its account or user is reached (AssocGrpCpuLimit)",
            ),
            (
                "ReqNodeNotAvail, UnavailableNodes:n[1-2]",
                "nodes that it needs are down, drained or reserved \
                 (ReqNodeNotAvail: UnavailableNodes:n[1-2])",
            ),
            (
                "PartitionTimeLimit",
                "it asks for more time than the partition allows: lower `--time` \
                 (PartitionTimeLimit)",
            ),
            ("None", "Slurm has not looked at the job yet"),
            ("", "Slurm has not looked at the job yet"),
            ("FrontEndDown", "Slurm's reason is `FrontEndDown`"),
        ] {
            assert_eq!(why_pending(reason), says);
        }
    }
}
