//! What Slurm's commands print, read as rows of named fields.

use super::{TaskId, TaskSeen, TaskState};
use crate::error::{Error, Result};
use crate::text::one_line;

/// Between two fields, also behind the last one.
const SEPARATOR: char = '|';

/// The fields of tasks that `squeue` is asked for, each with the room that it gets: it cuts what is
/// longer. No user's text is among them.
pub const QUEUE: [(&str, u16); 6] = [
    ("JobArrayID", 200),
    ("State", 40),
    ("RestartCnt", 20),
    ("exit_code", 20),
    ("NodeList", 400),
    ("Reason", 400),
];

/// The fields of jobs: those of tasks, and the texts of users last, where they may hold anything but
/// the end of a line.
pub const JOBS: [(&str, u16); 8] = [
    QUEUE[0],
    QUEUE[1],
    QUEUE[2],
    QUEUE[3],
    QUEUE[4],
    QUEUE[5],
    ("Name", 256),
    ("Comment", 4096),
];

/// The fields of partitions that `sinfo` is asked for.
pub const PARTITIONS: [(&str, u16); 7] = [
    ("PartitionName", 200),
    ("Partition", 201),
    ("Available", 20),
    ("Time", 40),
    ("Nodes", 20),
    ("CPUs", 20),
    ("Memory", 20),
];

/// What `sacct` must have, and what only some versions do.
pub const ACCOUNTED: [&str; 4] = ["JobID", "State", "ExitCode", "NodeList"];
/// Fields of accounting that are asked for where this Slurm has them.
pub const ACCOUNTED_BY_SOME: [&str; 2] = ["Restarts", "Reason"];

/// Fields as `--Format` of `squeue` and `sinfo` takes them.
pub fn format_of(fields: &[(&str, u16)]) -> String {
    let fields = fields
        .iter()
        .map(|(name, width)| format!("{name}:{width}{SEPARATOR}"));
    fields.collect::<Vec<_>>().join(",")
}

/// Lines of a command as rows of so many fields. The last one may hold separators.
pub fn rows<'a>(command: &str, names: &[&str], text: &'a str) -> Result<Vec<Vec<&'a str>>> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let line = line.trim_end();
            let whole = line.strip_suffix(SEPARATOR).unwrap_or(line);
            let row: Vec<&str> = whole
                .splitn(names.len(), SEPARATOR)
                .map(str::trim)
                .collect();
            if row.len() == names.len() {
                Ok(row)
            } else {
                Err(unknown_columns(command, names, line))
            }
        })
        .collect()
}

/// The error of a row that is not what was asked for.
pub fn unknown_columns(command: &str, names: &[&str], line: &str) -> Error {
    Error::world(format!(
        "`{command}` answers with other columns than it was asked for: expected `{}`, got `{}`",
        names.join("|"),
        one_line(line, 200)
    ))
    .hint(format!(
        "Look at what `{command}` is on this machine (`type {command}`): a wrapper or an old Slurm may print a table of its own"
    ))
}

/// The tasks of one row of `squeue`, whose fields are those of [`QUEUE`], in a job of ours or not.
/// One row is more than one task where tasks that wait share it.
pub fn of_the_queue(row: &[&str]) -> Option<Vec<TaskSeen>> {
    let &[id, state, restarts, exit, node, reason, ..] = row else {
        return None;
    };
    if !TaskState::can_be(state) {
        return None;
    }
    let state = TaskState::parse(state);
    let has_ended = state.is_over() || state == TaskState::Preempted;
    let seen = TaskSeen {
        task: TaskId::parse_all(id)?.first().copied()?,
        exit: has_ended.then(|| exit_code(exit)).flatten(),
        state,
        reason: said(reason),
        node: said(node),
        restarts: restarts.parse().ok(),
    };
    Some(each(&seen, TaskId::parse_all(id)?))
}

fn each(seen: &TaskSeen, tasks: Vec<TaskId>) -> Vec<TaskSeen> {
    let tasks = tasks.into_iter();
    let of = |task| TaskSeen {
        task,
        ..seen.clone()
    };
    tasks.map(of).collect()
}

/// The tasks of one row of `sacct` with these fields.
fn of_accounting(names: &[&str], row: &[&str]) -> Option<Vec<TaskSeen>> {
    let field = |name| {
        let at = names.iter().position(|it| *it == name)?;
        row.get(at).copied()
    };
    let state = field("State")?;
    // Of a step (`12.batch`), which is no task: it is left out even where `sacct` names it.
    let id = field("JobID")?;
    if id.contains('.') {
        return Some(Vec::new());
    }
    let tasks = TaskId::parse_all(id)?;
    if !TaskState::can_be(state) {
        return None;
    }
    let state = TaskState::parse(state);
    let has_ended = state.is_over() || matches!(state, TaskState::Preempted | TaskState::Requeued);
    let exit = field("ExitCode")?;
    let seen = TaskSeen {
        task: tasks.first().copied()?,
        exit: (has_ended && exit.contains(':')).then(|| exit.to_owned()),
        state,
        reason: said(field("Reason").unwrap_or_default()),
        node: said(field("NodeList")?),
        restarts: field("Restarts").and_then(|it| it.parse().ok()),
    };
    Some(each(&seen, tasks))
}

/// What `sacct -D` printed: every incarnation of each task, the earlier ones first. Where this Slurm
/// does not count restarts, they are counted here.
pub fn accounted(names: &[&str], text: &str) -> Result<Vec<TaskSeen>> {
    let mut all: Vec<TaskSeen> = Vec::new();
    for row in rows("sacct", names, text)? {
        let seen = of_accounting(names, &row);
        all.extend(seen.ok_or_else(|| unknown_columns("sacct", names, &row.join("|")))?);
    }
    if !names.contains(&"Restarts") {
        let mut seen = std::collections::HashMap::new();
        for one in &mut all {
            let count = seen.entry(one.task).or_insert(0);
            one.restarts = Some(*count);
            *count += 1;
        }
    }
    Ok(all)
}

/// Slurm's words for nothing are nothing.
fn said(word: &str) -> String {
    match word {
        "None" | "None assigned" | "(null)" | "N/A" => String::new(),
        _ => one_line(word, 400),
    }
}

/// What `squeue` says of an end is the status of `wait`, where accounting has code and signal.
fn exit_code(word: &str) -> Option<String> {
    if word.contains(':') {
        return Some(word.to_owned());
    }
    let status: u32 = word.parse().ok()?;
    Some(format!("{}:{}", status >> 8 & 0xff, status & 0x7f))
}

/// Seconds of a time as Slurm writes and takes it: minutes, `M:S`, `H:M:S`, `D-H`, `D-H:M`, `D-H:M:S`.
/// `Some(None)` is a time without an end.
#[expect(clippy::option_option, reason = "no time at all, and none that ends")]
pub fn seconds_of(time: &str) -> Option<Option<u64>> {
    if ["infinite", "unlimited"].contains(&time.to_ascii_lowercase().as_str()) {
        return Some(None);
    }
    let (days, rest) = match time.split_once('-') {
        Some((days, rest)) => (Some(days.parse::<u64>().ok()?), rest),
        None => (None, time),
    };
    let parts: Option<Vec<u64>> = rest.split(':').map(|part| part.parse().ok()).collect();
    let seconds = match (days, parts?.as_slice()) {
        (Some(_), &[hours]) => hours.checked_mul(3600)?,
        (Some(_), &[hours, minutes]) => hours
            .checked_mul(3600)?
            .checked_add(minutes.checked_mul(60)?)?,
        (None, &[minutes]) => minutes.checked_mul(60)?,
        (None, &[minutes, seconds]) => minutes.checked_mul(60)?.checked_add(seconds)?,
        (_, &[hours, minutes, seconds]) => hours
            .checked_mul(3600)?
            .checked_add(minutes.checked_mul(60)?)?
            .checked_add(seconds)?,
        _ => return None,
    };
    let days = days.unwrap_or(0).checked_mul(86400)?;
    Some(Some(days.checked_add(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<const N: usize>(fields: [(&'static str, u16); N]) -> [&'static str; N] {
        fields.map(|(name, _)| name)
    }

    #[test]
    fn a_row_of_the_queue_is_read() {
        let line = "1_2        |PENDING  |1   |0  |      |BeginTime    |\n";
        let rows = rows("squeue", &names(QUEUE), line).unwrap();
        let seen = of_the_queue(&rows[0]).unwrap();
        assert_eq!(
            seen,
            [TaskSeen {
                task: TaskId::parse("1_2").unwrap(),
                state: TaskState::Pending,
                reason: "BeginTime".to_owned(),
                node: String::new(),
                restarts: Some(1),
                exit: None,
            }]
        );
        let waiting = ["1_[2-7%2]", "PENDING", "0", "0", "", "JobArrayTaskLimit"];
        assert_eq!(of_the_queue(&waiting).unwrap().len(), 6);
        let failed = ["1_0", "FAILED", "0", "768", "n1", "NonZeroExitCode"];
        let exit = of_the_queue(&failed).unwrap()[0].exit.clone();
        assert_eq!(exit.as_deref(), Some("3:0"));
    }

    #[test]
    fn the_last_field_may_hold_the_separator() {
        let line = "1|RUNNING|0|0|n1|None|regatta-t|of a|b|\n";
        let rows = rows("squeue", &names(JOBS), line).unwrap();
        assert_eq!(rows[0][7], "of a|b");
    }

    #[test]
    fn other_columns_are_an_error_that_shows_both() {
        let table = "JOBID PARTITION NAME\n12 main x\n";
        let error = rows("squeue", &names(QUEUE), table).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`squeue` answers with other columns than it was asked for: expected \
             `JobArrayID|State|RestartCnt|exit_code|NodeList|Reason`, got `JOBID PARTITION NAME`"
        );
        assert!(error.hints()[0].contains("type squeue"), "{error:?}");
        assert_eq!(of_the_queue(&["n1", "12", "0", "0", "", ""]), None);
        let error = accounted(&ACCOUNTED, "12|n1|0:0|COMPLETED\n").unwrap_err();
        assert!(
            error.to_string().contains("got `12|n1|0:0|COMPLETED`"),
            "{error}"
        );
    }

    #[test]
    fn every_incarnation_of_a_task_is_read_and_counted() {
        let text = "1_0|PREEMPTED|0:0|n1\n1_0.batch|CANCELLED|0:15|n1\n1_1|CANCELLED by 0|0:15|n2\n\
            1_0|RUNNING|0:0|n3\n1_[2-3%2]|PENDING|0:0|None assigned\n";
        let seen = accounted(&ACCOUNTED, text).unwrap();
        let shown: Vec<_> = seen
            .iter()
            .map(|it| {
                let restarts = it.restarts.unwrap();
                let exit = it.exit.as_deref().unwrap_or("-");
                format!("{} {} {} {restarts} {exit}", it.task, it.state, it.node)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "1_0 PREEMPTED n1 0 0:0",
                "1_1 CANCELLED n2 0 0:15",
                "1_0 RUNNING n3 1 -",
                "1_2 PENDING  0 -",
                "1_3 PENDING  0 -",
            ]
        );
    }

    #[test]
    fn restarts_of_accounting_stand_where_it_has_them() {
        let names = [
            "JobID", "State", "ExitCode", "NodeList", "Restarts", "Reason",
        ];
        let text = "7|TIMEOUT|0:0|n1|2|TimeLimit\n";
        let seen = accounted(&names, text).unwrap();
        assert_eq!(seen[0].restarts, Some(2));
        assert_eq!(seen[0].reason, "TimeLimit");
    }

    #[test]
    fn times_of_slurm_are_read() {
        for (time, seconds) in [
            ("10", Some(Some(600))),
            ("10:30", Some(Some(630))),
            ("04:00:00", Some(Some(14400))),
            ("1-12", Some(Some(129_600))),
            ("1-12:30", Some(Some(131_400))),
            ("2-00:00:01", Some(Some(172_801))),
            ("infinite", Some(None)),
            ("UNLIMITED", Some(None)),
            ("", None),
            ("4h", None),
            ("1:2:3:4", None),
            ("18446744073709551615-1", None),
        ] {
            assert_eq!(seconds_of(time), seconds, "{time}");
        }
    }
}
