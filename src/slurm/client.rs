//! Slurm's commands, and what they answer.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::OnceCell;

use super::rows::{
    ACCOUNTED, ACCOUNTED_BY_SOME, JOBS, PARTITIONS, QUEUE, accounted, format_of, of_the_queue,
    rows, unknown_columns,
};
use super::script::{JobScript, NAME_PREFIX};
use super::{JobId, Limits, TaskSeen, refusal};
use crate::error::{Error, Result};
use crate::{files, process};

/// How long a command may take. One that slurmctld does not answer gives up by itself before.
const DEADLINE: Duration = Duration::from_mins(2);

/// Slurm, as this machine has it.
#[derive(Debug)]
pub struct Slurm {
    sbatch: PathBuf,
    squeue: PathBuf,
    scancel: PathBuf,
    sinfo: PathBuf,
    sacct: Option<PathBuf>,
    scontrol: Option<PathBuf>,
    /// `SLURM_CONF` for the commands, where it is not this process's own.
    conf: Option<PathBuf>,
    version: String,
    /// The fields of `sacct` that this Slurm has.
    accounted: OnceCell<Option<Vec<&'static str>>>,
}

/// A job of ours that waits or runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OurJob {
    /// Its number.
    pub job: JobId,
    /// Its whole name.
    pub name: String,
    /// Its comment.
    pub comment: String,
    /// Its tasks that wait or run.
    pub tasks: Vec<TaskSeen>,
}

/// What a command printed.
struct Answer {
    stdout: String,
    stderr: String,
    is_success: bool,
}

impl Slurm {
    /// The Slurm of this machine, by the commands in `PATH`.
    pub async fn find() -> Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self::find_in(&path, None).await
    }

    /// The Slurm whose commands are in these directories, with a configuration other than that of
    /// `SLURM_CONF`.
    pub async fn find_in(path: &OsStr, conf: Option<PathBuf>) -> Result<Self> {
        let find = |name: &str| {
            let mut files = std::env::split_paths(path).map(|dir| dir.join(name));
            files.find(|file| process::is_executable(file))
        };
        let need = |name: &str| {
            find(name).ok_or_else(|| {
                Error::world(format!("there is no Slurm here: `{name}` is in no directory of PATH"))
                    .hint("Give the command on a login node of the cluster; some need `module load slurm` first")
            })
        };
        let mut slurm = Self {
            sbatch: need("sbatch")?,
            squeue: need("squeue")?,
            scancel: need("scancel")?,
            sinfo: need("sinfo")?,
            sacct: find("sacct"),
            scontrol: find("scontrol"),
            conf,
            version: String::new(),
            accounted: OnceCell::new(),
        };
        // `slurm-wlm 22.05.8`, `slurm 23.11.4`.
        let said = slurm.ask(&slurm.sbatch, &["--version"]).await?;
        if !said.is_success {
            return Err(refusal::failed("sbatch --version", &said.stderr));
        }
        let version = said.stdout.split_whitespace().last();
        version
            .unwrap_or("of an unknown version")
            .clone_into(&mut slurm.version);
        Ok(slurm)
    }

    /// The version, `22.05.8`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What the cluster has and allows. A partition that is named must be there.
    pub async fn limits(&self, partition: Option<&str>) -> Result<Limits> {
        let format = format_of(&PARTITIONS);
        let args = ["--all", "--noheader", "--Format", &format];
        let partitions = self.table(&self.sinfo, &args).await?;
        // It may be missing on nodes, or be for administrators alone.
        let config = match &self.scontrol {
            Some(scontrol) => Some(self.ask(scontrol, &["show", "config"]).await?),
            None => None,
        };
        let config = config.filter(|it| it.is_success).map(|it| it.stdout);
        let limits = Limits::read(&partitions, config.as_deref())?;
        limits.partition(partition)?;
        Ok(limits)
    }

    /// Writes the script, and hands it in.
    pub async fn submit(&self, job: &JobScript) -> Result<JobId> {
        job.check()?;
        files::create_dir(&job.output_dir)?;
        files::write_atomic(&job.file(), job.text().as_bytes())?;
        let words = job.words();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = self.ask(&self.sbatch, &words).await?;
        if !said.is_success {
            let is_away = refusal::is_unreachable(&said.stderr);
            let limits = if is_away {
                None
            } else {
                self.limits(None).await.ok()
            };
            return Err(refusal::refused(&said.stderr, job, limits.as_ref()));
        }
        // `12`, or `12;cluster`.
        let last = said.stdout.lines().last().unwrap_or_default();
        let id = last.split(';').next().and_then(|id| id.trim().parse().ok());
        id.ok_or_else(|| unknown_columns("sbatch --parsable", &["JobId"], last))
    }

    /// The tasks of these jobs that slurmctld still knows: those that wait and run, and for some
    /// minutes those that have ended. It is asked once for all of them.
    pub async fn tasks(&self, jobs: &[JobId]) -> Result<Vec<TaskSeen>> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let format = format_of(&QUEUE);
        let args = ["--me", "--noheader", "--states=all", "--Format", &format];
        let said = self.table(&self.squeue, &args).await?;
        let names = QUEUE.map(|(name, _)| name);
        let mut all = Vec::new();
        for row in rows("squeue", &names, &said)? {
            let seen = of_the_queue(&row);
            let seen = seen.ok_or_else(|| unknown_columns("squeue", &names, &row.join("|")))?;
            all.extend(seen.into_iter().filter(|it| jobs.contains(&it.task.job)));
        }
        Ok(all)
    }

    /// What accounting has of these jobs: every incarnation of each task, the earlier ones first.
    /// `None` where the cluster keeps none.
    pub async fn accounted(&self, jobs: &[JobId]) -> Result<Option<Vec<TaskSeen>>> {
        let Some(sacct) = &self.sacct else {
            return Ok(None);
        };
        let fields = self.accounted.get_or_try_init(|| self.fields_of(sacct));
        let Some(fields) = fields.await? else {
            return Ok(None);
        };
        if jobs.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let jobs: Vec<String> = jobs.iter().map(JobId::to_string).collect();
        let jobs = format!("--jobs={}", jobs.join(","));
        let format = format!("--format={}", fields.join(","));
        let args = [
            // Without it only the last incarnation is shown.
            "--duplicates",
            "--allocations",
            "--parsable2",
            "--noheader",
            &jobs,
            &format,
        ];
        let said = self.ask(sacct, &args).await?;
        if refusal::is_without_accounting(&said.stderr) {
            return Ok(None);
        }
        if !said.is_success {
            return Err(refusal::failed("sacct", &said.stderr));
        }
        accounted(fields, &said.stdout).map(Some)
    }

    /// The fields of `sacct` that are asked for: versions differ, and an unknown one is an error.
    async fn fields_of(&self, sacct: &Path) -> Result<Option<Vec<&'static str>>> {
        let said = self.ask(sacct, &["--helpformat"]).await?;
        if refusal::is_without_accounting(&said.stderr) {
            return Ok(None);
        }
        let known: Vec<&str> = said.stdout.split_whitespace().collect();
        let by_some = ACCOUNTED_BY_SOME.iter().filter(|name| known.contains(name));
        Ok(Some(ACCOUNTED.iter().chain(by_some).copied().collect()))
    }

    /// Cancels these jobs with all their tasks. Those that have ended are no error.
    pub async fn cancel(&self, jobs: &[JobId]) -> Result<()> {
        self.cancel_with(&[], jobs).await
    }

    async fn cancel_with(&self, options: &[&str], jobs: &[JobId]) -> Result<()> {
        if jobs.is_empty() {
            return Ok(());
        }
        let jobs: Vec<String> = jobs.iter().map(JobId::to_string).collect();
        let jobs = jobs.iter().map(String::as_str);
        let words: Vec<&str> = options.iter().copied().chain(jobs).collect();
        let said = self.ask(&self.scancel, &words).await?;
        let has_ended = |line: &str| {
            line.contains("Invalid job id specified")
                || line.contains("already completing or completed")
        };
        let lines = said.stderr.lines().filter(|line| !line.trim().is_empty());
        if said.is_success || lines.clone().count() > 0 && lines.clone().all(has_ended) {
            return Ok(());
        }
        Err(refusal::failed("scancel", &said.stderr))
    }

    /// Takes those tasks of jobs out of the queue that have not begun.
    pub async fn cancel_pending(&self, jobs: &[JobId]) -> Result<()> {
        self.cancel_with(&["--state=PENDING"], jobs).await
    }

    /// Our jobs that wait or run, of whatever run: those whose name begins with [`NAME_PREFIX`].
    pub async fn ours(&self) -> Result<Vec<OurJob>> {
        let format = format_of(&JOBS);
        let args = ["--array", "--me", "--noheader", "--Format", &format];
        let said = self.table(&self.squeue, &args).await?;
        let names = JOBS.map(|(name, _)| name);
        let mut ours: BTreeMap<JobId, OurJob> = BTreeMap::new();
        for (n, line) in said.lines().enumerate() {
            let row = rows("squeue", &names, line);
            let read = match row.as_ref().map(|row| row.first()) {
                Ok(None) => continue,
                Ok(Some(row)) => of_the_queue(row).map(|seen| (row, seen)),
                Err(_) => None,
            };
            let Some((row, tasks)) = read else {
                // A comment of somebody's may have line breaks; the first row begins with none.
                if n == 0 {
                    return Err(unknown_columns("squeue", &names, line));
                }
                continue;
            };
            let &[.., name, comment] = row.as_slice() else {
                continue;
            };
            let Some(first) = tasks.first().filter(|_| name.starts_with(NAME_PREFIX)) else {
                continue;
            };
            let job = ours.entry(first.task.job).or_insert_with(|| OurJob {
                job: first.task.job,
                name: name.to_owned(),
                comment: comment.to_owned(),
                tasks: Vec::new(),
            });
            job.tasks.extend(tasks);
        }
        Ok(ours.into_values().collect())
    }

    /// What a command that prints a table says.
    async fn table(&self, program: &Path, args: &[&str]) -> Result<String> {
        let said = self.ask(program, args).await?;
        // Some say what is wrong with a field, print empty lines and end well.
        let is_empty = said.stdout.trim().is_empty() && said.stderr.contains("error");
        if !said.is_success || is_empty {
            let name = program.file_name().unwrap_or_default();
            return Err(refusal::failed(&name.to_string_lossy(), &said.stderr));
        }
        Ok(said.stdout)
    }

    async fn ask(&self, program: &Path, args: &[&str]) -> Result<Answer> {
        let mut command = Command::new(program);
        command.args(args).kill_on_drop(true);
        for name in foreign(std::env::vars_os().map(|(name, _)| name)) {
            command.env_remove(name);
        }
        if let Some(conf) = &self.conf {
            command.env("SLURM_CONF", conf);
        }
        // A Ctrl-C for us must not end an `sbatch` whose job is already taken.
        process::keep_out_of_our_group(&mut command);
        let output = process::output_of(command, DEADLINE).await?;
        Ok(Answer {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            is_success: output.status.success(),
        })
    }
}

/// The variables that change what Slurm's commands print or do: those of a user's taste, and those
/// of a job that we run in ourselves. The ones that say where Slurm is stay.
fn foreign(names: impl Iterator<Item = OsString>) -> Vec<OsString> {
    const STAY: [&str; 3] = ["SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT"];
    const PREFIXES: [&str; 9] = [
        "SLURM_",
        "SLURMD_",
        "SBATCH_",
        "SQUEUE_",
        "SACCT_",
        "SINFO_",
        "SCANCEL_",
        "SCONTROL_",
        "SALLOC_",
    ];
    let is_foreign = |name: &OsString| {
        let name = name.to_string_lossy();
        PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !STAY.contains(&&*name)
    };
    names.filter(is_foreign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_taste_and_of_our_own_job_are_taken_from_the_commands() {
        let names = [
            "PATH",
            "SLURM_CONF",
            "SLURM_JOB_ID",
            "SQUEUE_FORMAT",
            "SACCT_FORMAT",
            "SINFO_SORT",
            "SBATCH_EXPORT",
            "SLURM_TIME_FORMAT",
            "SLURM_CLUSTERS",
            "HOME",
        ];
        let taken = foreign(names.iter().map(OsString::from));
        let left: Vec<_> = names
            .into_iter()
            .filter(|name| !taken.contains(&OsString::from(name)))
            .collect();
        assert_eq!(left, ["PATH", "SLURM_CONF", "HOME"]);
    }
}
