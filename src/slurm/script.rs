//! The batch script of a job, and the command that hands it in.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::rows::seconds_of;
use crate::error::{Error, Result};
use crate::text::one_line;

/// How the names of our jobs begin.
pub const NAME_PREFIX: &str = "regatta-";

/// The signal that says that the time is nearly up, and how many seconds before. It goes to the
/// program alone (`B`), not to what it started.
const SIGNAL: &str = "B:TERM@120";

/// A job to hand in: an array of tasks that all run one program.
///
/// No key belongs into any of it: Slurm shows a job's parts to others, and keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobScript {
    /// Its name behind [`NAME_PREFIX`]; see [`Self::full_name`].
    pub name: String,
    /// What `squeue` shows beside it.
    pub comment: String,
    /// The program that each task becomes, so that signals reach it. An absolute path that nodes see.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// How many tasks the array has, at least one.
    pub tasks: usize,
    /// How many of them may run at once; `None` for all.
    pub throttle: Option<usize>,
    /// The partition; `None` for the cluster's default.
    pub partition: Option<String>,
    /// The account; `None` for the user's default.
    pub account: Option<String>,
    /// How long a task may run, as Slurm writes times; `None` for the partition's default.
    pub time: Option<String>,
    /// Further arguments of `sbatch`, the user's. The last word is theirs.
    pub more: Vec<String>,
    /// The CPUs of a task; `None` for the cluster's default.
    pub cpus: Option<u32>,
    /// The memory of a task in MB; `None` for the cluster's default.
    pub memory_mb: Option<u64>,
    /// Where the script and the tasks' output go: an absolute path that nodes see.
    pub output_dir: PathBuf,
}

/// Options of `sbatch` that are not the user's to set, and why.
const OURS: [(&str, &str); 17] = [
    (
        "--export",
        "it would carry the environment, with its keys, into Slurm's files",
    ),
    (
        "--export-file",
        "it would carry an environment into the job",
    ),
    (
        "--get-user-env",
        "it would carry an environment into the job",
    ),
    ("--array", "the number of workers sets it"),
    ("-a", "the number of workers sets it"),
    ("--wrap", "it would replace the script"),
    ("--job-name", "our jobs are found by their name"),
    ("-J", "our jobs are found by their name"),
    ("--comment", "our jobs are found by their comment"),
    (
        "--output",
        "the output of workers has its place in the run's directory",
    ),
    (
        "-o",
        "the output of workers has its place in the run's directory",
    ),
    ("--signal", "workers are told of their end by it"),
    ("--parsable", "it is set already"),
    ("--wait", "Regatta waits by itself"),
    ("-W", "Regatta waits by itself"),
    (
        "--test-only",
        "`--dry-run` shows the job without handing it in",
    ),
    ("--clusters", "a run's workers are on one cluster"),
];

impl JobScript {
    /// The job's name, of characters that no format of Slurm's and no shell takes for its own.
    #[must_use]
    pub fn full_name(&self) -> String {
        let plain = |c: char| {
            let is_plain = c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            if is_plain { c } else { '-' }
        };
        let name: String = self.name.chars().map(plain).take(100).collect();
        format!("{NAME_PREFIX}{name}")
    }

    /// The file that the script is written to.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.output_dir.join("job.sh")
    }

    /// The output of one task.
    #[must_use]
    pub fn output_of(&self, task: super::TaskId) -> PathBuf {
        let index = task.index.unwrap_or(0);
        self.output_dir.join(format!("{}_{index}.log", task.job))
    }

    /// The batch script.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = "#!/bin/sh\n".to_owned();
        let mut option = |name: &str, value: &str| {
            let _ = writeln!(text, "#SBATCH --{name}={}", quoted(value));
        };
        option("job-name", &self.full_name());
        option("comment", &self.comment);
        let last = self.tasks.max(1) - 1;
        let throttle = self.throttle.map(|most| format!("%{most}"));
        option(
            "array",
            &format!("0-{last}{}", throttle.unwrap_or_default()),
        );
        // Slurm puts its own words where it finds a `%`.
        let dir = self.output_dir.to_string_lossy().replace('%', "%%");
        option("output", &format!("{dir}/%A_%a.log"));
        option("open-mode", "append");
        text.push_str("#SBATCH --requeue\n");
        let mut option = |name: &str, value: &str| {
            let _ = writeln!(text, "#SBATCH --{name}={}", quoted(value));
        };
        option("signal", SIGNAL);
        option("export", "NONE");
        option("nodes", "1");
        option("ntasks", "1");
        let cpus = self.cpus.map(|cpus| cpus.to_string());
        let memory = self.memory_mb.map(|memory| format!("{memory}M"));
        for (name, value) in [
            ("cpus-per-task", cpus.as_deref()),
            ("mem", memory.as_deref()),
            ("partition", self.partition.as_deref()),
            ("account", self.account.as_deref()),
            ("time", self.time.as_deref()),
        ] {
            if let Some(value) = value {
                option(name, value);
            }
        }
        let program = self.program.to_string_lossy();
        let words = [&*program]
            .into_iter()
            .chain(self.args.iter().map(String::as_str));
        let _ = writeln!(text, "exec {}", line_of(words));
        text
    }

    /// The arguments of `sbatch`, of which the script is the last.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = vec!["--parsable".to_owned()];
        words.extend(self.more.iter().cloned());
        words.push(self.file().to_string_lossy().into_owned());
        words
    }

    /// The command that hands it in, as one can paste it.
    #[must_use]
    pub fn command(&self) -> String {
        let words = self.words();
        line_of(
            ["sbatch"]
                .into_iter()
                .chain(words.iter().map(String::as_str)),
        )
    }

    /// Refuses what cannot be written into a script, and arguments that are not the user's to give.
    pub fn check(&self) -> Result<()> {
        for dir in [&self.output_dir, &self.program] {
            check_path(dir)?;
        }
        let args = self
            .args
            .iter()
            .map(|word| ("an argument of a worker", word));
        let texts = [("the comment of a job", &self.comment)]
            .into_iter()
            .chain(args);
        for (what, text) in texts.chain(self.more.iter().map(|word| ("--sbatch", word))) {
            if text.chars().any(char::is_control) {
                return Err(Error::usage(format!(
                    "{what} has a line break or another control character, which no batch script can hold: `{}`",
                    one_line(text, 100)
                )));
            }
        }
        if self.comment.contains(['"', '\\']) {
            return Err(Error::usage(format!(
                "the comment of a job has a `\"` or a `\\`, which Slurm takes for its own: `{}`",
                self.comment
            )));
        }
        check_word("--partition", self.partition.as_deref())?;
        check_word("--account", self.account.as_deref())?;
        if let Some(time) = self.time.as_deref()
            && seconds_of(time).is_none()
        {
            return Err(Error::usage(format!("--time `{}` is no time of Slurm's", one_line(time, 60)))
                .hint("Write hours, minutes and seconds (`04:00:00`), minutes (`240`), or days and hours (`1-12`)"));
        }
        check_more(&self.more)
    }
}

fn check_more(more: &[String]) -> Result<()> {
    for word in more {
        let name = word.split('=').next().unwrap_or_default();
        let is = |option: &str| {
            if option.starts_with("--") {
                // `sbatch` takes the beginning of a long name for it, as far as it is the only one.
                name.len() > 4 && name.starts_with("--") && option.starts_with(name)
            } else {
                name.starts_with(option) && !name.starts_with("--")
            }
        };
        if let Some((option, why)) = OURS.iter().find(|(option, _)| is(option)) {
            return Err(Error::usage(format!(
                "--sbatch may not have `{}`: {why}",
                one_line(word, 60)
            ))
            .hint(format!("Leave `{option}` out of `--sbatch`")));
        }
    }
    if more.first().is_some_and(|first| !first.starts_with('-')) {
        return Err(Error::usage(format!(
            "--sbatch `{}` begins with no option: `sbatch` would take it for its script",
            one_line(&more[0], 60)
        ))
        .hint("Write options as `sbatch` takes them: `--sbatch '--constraint=avx2 --qos=long'`"));
    }
    Ok(())
}

fn check_path(path: &Path) -> Result<()> {
    let shown = path.display().to_string();
    let text = path.to_str();
    let is_plain = |text: &str| {
        !text
            .chars()
            .any(|c| c.is_control() || matches!(c, '"' | '\\' | '\u{fffd}'))
    };
    if !text.is_some_and(is_plain) {
        return Err(Error::usage(format!(
            "Slurm cannot be given the path `{}`: it has a `\"`, a `\\`, a line break, or bytes that are no text",
            one_line(&shown, 200)
        ))
        .hint("Move it, or name it otherwise"));
    }
    if !path.is_absolute() {
        return Err(Error::usage(format!(
            "a job of Slurm's needs a whole path, and `{shown}` is none"
        )));
    }
    Ok(())
}

fn check_word(what: &str, word: Option<&str>) -> Result<()> {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | ',' | '@' | '+');
    match word {
        Some(word) if word.is_empty() || word.starts_with('-') || !word.chars().all(is_plain) => {
            Err(Error::usage(format!(
                "{what} `{}` is no name",
                one_line(word, 60)
            )))
        }
        _ => Ok(()),
    }
}

/// A value of an `#SBATCH` line. Slurm reads such a line much as a shell does.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:@_=".contains(c);
    if !value.is_empty() && value.chars().all(is_plain) {
        value.to_owned()
    } else {
        format!("\"{value}\"")
    }
}

fn line_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    // A word with a NUL, which alone cannot be quoted, is refused by `check`.
    let words = words.map(|word| shlex::try_quote(word).unwrap_or_default());
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> JobScript {
        JobScript {
            name: "my run/solo".to_owned(),
            comment: "regatta /data/logs/my run".to_owned(),
            program: "/opt/regatta".into(),
            args: vec!["__worker".to_owned(), "/data/it's 5%".to_owned()],
            tasks: 12,
            throttle: Some(4),
            partition: Some("main".to_owned()),
            account: Some("lab".to_owned()),
            time: Some("04:00:00".to_owned()),
            more: vec!["--constraint=a|b".to_owned()],
            cpus: Some(2),
            memory_mb: Some(4000),
            output_dir: "/data/it's 5%/slurm".into(),
        }
    }

    #[test]
    fn the_script_and_the_command_are_what_one_would_write() {
        assert_eq!(
            job().text(),
            r#"#!/bin/sh
#SBATCH --job-name=regatta-my-run-solo
#SBATCH --comment="regatta /data/logs/my run"
#SBATCH --array=0-11%4
#SBATCH --output="/data/it's 5%%/slurm/%A_%a.log"
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:TERM@120
#SBATCH --export=NONE
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem=4000M
#SBATCH --partition=main
#SBATCH --account=lab
#SBATCH --time=04:00:00
exec /opt/regatta __worker "/data/it's 5%"
"#
        );
        assert_eq!(
            job().command(),
            r#"sbatch --parsable '--constraint=a|b' "/data/it's 5%/slurm/job.sh""#
        );
        job().check().unwrap();
    }

    #[test]
    fn what_is_not_set_is_slurms_own_default() {
        let bare = JobScript {
            program: "/r".into(),
            output_dir: "/o".into(),
            tasks: 1,
            ..JobScript::default()
        };
        let text = bare.text();
        assert!(text.contains("--array=0-0\n"), "{text}");
        for name in ["partition", "account", "time", "mem", "cpus"] {
            assert!(!text.contains(name), "{text}");
        }
    }

    #[test]
    fn what_no_script_can_hold_is_refused() {
        let refused = |change: fn(&mut JobScript)| {
            let mut job = job();
            change(&mut job);
            job.check().unwrap_err().to_string()
        };
        for (said, part) in [
            (
                refused(|job| job.args.push("a\nb".to_owned())),
                "line break",
            ),
            (refused(|job| job.comment.push('\n')), "line break"),
            (refused(|job| job.comment.push('"')), "takes for its own"),
            (
                refused(|job| job.output_dir = "/a\nb".into()),
                "cannot be given the path `/a b`",
            ),
            (
                refused(|job| job.output_dir = "/a\\b".into()),
                "cannot be given the path",
            ),
            (
                refused(|job| job.output_dir = "logs".into()),
                "needs a whole path, and `logs`",
            ),
            (
                refused(|job| job.partition = Some("a b".to_owned())),
                "--partition `a b` is no name",
            ),
            (
                refused(|job| job.account = Some(String::new())),
                "--account `` is no name",
            ),
            (
                refused(|job| job.time = Some("4h".to_owned())),
                "--time `4h` is no time",
            ),
        ] {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn arguments_that_are_ours_are_refused_by_name() {
        let said = |word: &str| {
            let job = JobScript {
                more: vec![word.to_owned()],
                ..job()
            };
            job.check().err().map(|error| error.to_string())
        };
        assert_eq!(
            said("--export=ALL").unwrap(),
            "--sbatch may not have `--export=ALL`: it would carry the environment, with its keys, into \
             Slurm's files"
        );
        for word in [
            "--expo=ALL",
            "-a0-3",
            "-a",
            "--array=1",
            "--job-n=x",
            "-Jx",
            "--wrap=id",
            "x.sh",
        ] {
            assert!(said(word).is_some(), "{word}");
        }
        for word in [
            "--exclude=n1",
            "--qos=high",
            "-C gpu",
            "--no-requeue",
            "--account=x",
            "--exclusive",
        ] {
            assert_eq!(said(word), None, "{word}");
        }
    }
}
