//! What a cluster allows.

use super::rows::{PARTITIONS, rows, seconds_of, unknown_columns};
use super::script::JobScript;
use crate::error::{Error, Result, likely};
use crate::text::{duration, some};

/// The tasks that an array may have where Slurm does not say: its own default.
const TASKS_OF_AN_ARRAY: usize = 1001;

/// What a cluster has and allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How many tasks an array may have (`MaxArraySize`); `None` where `scontrol` does not tell.
    pub max_array_size: Option<usize>,
    /// The addresses of the machines of slurmctld, the first one first; none where `scontrol` does
    /// not tell.
    pub controllers: Vec<String>,
    /// All partitions.
    pub partitions: Vec<Partition>,
}

/// A partition of the nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partition {
    /// Its name.
    pub name: String,
    /// Whether jobs that name none go to it.
    pub is_default: bool,
    /// Slurm's word for whether it starts jobs: `up`, `down`, `drain`, `inact`.
    pub availability: String,
    /// The seconds that a job may run; `None` for as long as it wants.
    pub max_seconds: Option<u64>,
    /// How many nodes it has, in whatever state.
    pub nodes: usize,
    /// The CPUs of its largest node.
    pub cpus: Option<u32>,
    /// The memory of its largest node, in MB.
    pub memory_mb: Option<u64>,
}

impl Partition {
    /// Whether it starts jobs.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.availability == "up"
    }
}

impl Limits {
    /// What `sinfo` printed of the fields [`PARTITIONS`], and `scontrol show config` if there is one.
    pub(super) fn read(partitions: &str, config: Option<&str>) -> Result<Self> {
        let names = PARTITIONS.map(|(name, _)| name);
        let mut limits = Self::default();
        for row in rows("sinfo", &names, partitions)? {
            let read = partition(&row);
            let read = read.ok_or_else(|| unknown_columns("sinfo", &names, &row.join("|")))?;
            // A partition has a row for each state that its nodes are in.
            let known = limits.partitions.iter_mut();
            match known.into_iter().find(|it| it.name == read.name) {
                Some(known) => {
                    known.nodes += read.nodes;
                    known.cpus = known.cpus.max(read.cpus);
                    known.memory_mb = known.memory_mb.max(read.memory_mb);
                }
                None => limits.partitions.push(read),
            }
        }
        for line in config.unwrap_or_default().lines() {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let value = value.trim();
            if key.trim() == "MaxArraySize" {
                limits.max_array_size = value.parse().ok();
            } else if key.starts_with("SlurmctldHost[") {
                // `name(address)`, or the name alone.
                let address = value
                    .split_once('(')
                    .map(|(_, it)| it.trim_end_matches(')'));
                limits.controllers.push(address.unwrap_or(value).to_owned());
            }
        }
        Ok(limits)
    }

    /// The tasks that an array of so many may have.
    #[must_use]
    pub fn tasks_of(&self, wanted: usize) -> usize {
        wanted.min(self.max_array_size.unwrap_or(TASKS_OF_AN_ARRAY).max(1))
    }

    /// The partition of this name, or the one of jobs that name none.
    pub fn partition(&self, name: Option<&str>) -> Result<&Partition> {
        let there = self.names();
        let Some(name) = name else {
            let default = self.partitions.iter().find(|it| it.is_default);
            return default.ok_or_else(|| {
                Error::usage("Slurm has no default partition, and none is named")
                    .hint(format!("Name one by `--partition`. There {there}"))
            });
        };
        let found = self.partitions.iter().find(|it| it.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.partitions.iter().map(|it| it.name.as_str()).collect();
            let error = Error::usage(format!("Slurm has no partition `{name}`"));
            match likely(name, &names) {
                Some(near) => error.hint(format!("Did you mean {near}? There {there}")),
                None => error.hint(format!("There {there}")),
            }
        })
    }

    fn names(&self) -> String {
        let names = self.partitions.iter();
        let names = names.map(|it| {
            format!(
                "{}{}",
                it.name,
                if it.is_default { " (default)" } else { "" }
            )
        });
        let names: Vec<String> = names.collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match *names.as_slice() {
            [] => "is none that you may use".to_owned(),
            [one] => format!("is {one}"),
            _ => format!("are {}", some(&names, 12)),
        }
    }

    /// Refuses a job that Slurm would refuse, or take and never start.
    pub fn check(&self, job: &JobScript) -> Result<()> {
        let partition = self.partition(job.partition.as_deref())?;
        let name = &partition.name;
        let availability = &partition.availability;
        if !partition.is_up() {
            return Err(Error::world(format!(
                "the partition `{name}` starts no jobs: Slurm says it is `{availability}`"
            ))
            .hint(format!(
                "Wait, or name another by `--partition`. There {}",
                self.names()
            )));
        }
        let asked = job.time.as_deref().and_then(seconds_of);
        if let (Some(asked), Some(most)) = (asked, partition.max_seconds)
            && asked.is_none_or(|asked| asked > most)
        {
            let typed = job.time.as_deref().unwrap_or_default();
            return Err(Error::usage(format!(
                "the partition `{name}` lets a job run for {} at most; --time {typed} is longer",
                duration(most as f64)
            ))
            .hint(format!(
                "Give a shorter `--time`: a worker that reaches it gives its pair back. Or name another `--partition`. There {}",
                self.names()
            )));
        }
        let most = self.tasks_of(usize::MAX);
        if job.tasks > most {
            return Err(Error::usage(format!(
                "an array of {} tasks is longer than this Slurm allows: {most} (MaxArraySize)",
                job.tasks
            ))
            .hint("Ask for fewer workers"));
        }
        let over = |what: &str, asked: Option<u64>, there: Option<u64>| match (asked, there) {
            (Some(asked), Some(there)) if asked > there => Err(Error::usage(format!(
                "no node of the partition `{name}` has {asked} {what}: the largest has {there}"
            ))
            .hint("Ask for less, or name another partition by `--partition`")),
            _ => Ok(()),
        };
        over(
            "CPUs",
            job.cpus.map(u64::from),
            partition.cpus.map(u64::from),
        )?;
        over("MB of memory", job.memory_mb, partition.memory_mb)
    }
}

/// A partition by its row of `sinfo`.
fn partition(row: &[&str]) -> Option<Partition> {
    let &[name, starred, availability, time, nodes, cpus, memory] = row else {
        return None;
    };
    // `4+` is at least 4.
    let least = |number: &str| number.trim_end_matches('+').parse().ok();
    Some(Partition {
        name: name.to_owned(),
        is_default: starred.ends_with('*'),
        availability: availability.to_owned(),
        max_seconds: seconds_of(time)?,
        nodes: nodes.parse().ok()?,
        cpus: least(cpus).and_then(|it| u32::try_from(it).ok()),
        memory_mb: least(memory),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINFO: &str = "\
main  |main*  |up   |10:00    |1 |4  |4096  |
main  |main*  |up   |10:00    |2 |8+ |8192+ |
long  |long   |down |infinite |3 |4  |4096  |
";
    const CONFIG: &str = "Configuration data as of 2026-11-29T03:00:00
MaxArraySize            = 51
SlurmctldHost[0]        = head(10.0.0.1)
SlurmctldHost[1]        = spare
";

    fn limits() -> Limits {
        Limits::read(SINFO, Some(CONFIG)).unwrap()
    }

    fn job() -> JobScript {
        JobScript {
            tasks: 51,
            ..JobScript::default()
        }
    }

    #[test]
    fn partitions_are_whole_and_the_controller_has_an_address() {
        let limits = limits();
        assert_eq!(limits.controllers, ["10.0.0.1", "spare"]);
        assert_eq!(limits.partitions.len(), 2);
        let main = limits.partition(None).unwrap();
        assert_eq!(
            *main,
            Partition {
                name: "main".to_owned(),
                is_default: true,
                availability: "up".to_owned(),
                max_seconds: Some(600),
                nodes: 3,
                cpus: Some(8),
                memory_mb: Some(8192),
            }
        );
        assert_eq!(limits.partition(Some("long")).unwrap().max_seconds, None);
    }

    #[test]
    fn an_array_is_cut_to_what_slurm_takes() {
        assert_eq!(limits().tasks_of(7), 7);
        assert_eq!(limits().tasks_of(300), 51);
        let silent = Limits::read(SINFO, None).unwrap();
        assert_eq!(silent.max_array_size, None);
        assert_eq!(silent.tasks_of(5000), 1001);
    }

    #[test]
    fn what_would_be_refused_or_never_start_is_refused_before() {
        let refused = |change: fn(&mut JobScript)| {
            let mut job = job();
            change(&mut job);
            let error = limits().check(&job).unwrap_err();
            format!("{error} / {}", error.hints().join(" / "))
        };
        assert!(limits().check(&job()).is_ok());
        assert_eq!(
            refused(|job| job.partition = Some("mian".to_owned())),
            "Slurm has no partition `mian` / Did you mean `main`? There are main (default), long"
        );
        assert_eq!(
            refused(|job| job.partition = Some("long".to_owned())),
            "the partition `long` starts no jobs: Slurm says it is `down` / Wait, or name another by \
             `--partition`. There are main (default), long"
        );
        assert_eq!(
            refused(|job| job.time = Some("04:00:00".to_owned())),
            "the partition `main` lets a job run for 10m 00s at most; --time 04:00:00 is longer / Give \
             a shorter `--time`: a worker that reaches it gives its pair back. Or name another \
             `--partition`. There are main (default), long"
        );
        assert!(refused(|job| job.time = Some("UNLIMITED".to_owned())).contains("is longer"));
        assert_eq!(
            refused(|job| job.tasks = 52),
            "an array of 52 tasks is longer than this Slurm allows: 51 (MaxArraySize) / Ask for fewer \
             workers"
        );
        assert_eq!(
            refused(|job| job.memory_mb = Some(10_000)),
            "no node of the partition `main` has 10000 MB of memory: the largest has 8192 / Ask for \
             less, or name another partition by `--partition`"
        );
    }

    #[test]
    fn without_a_default_one_must_be_named() {
        let limits = Limits::read("long |long |up |1-00:00:00 |3 |4 |4096 |\n", None).unwrap();
        let error = limits.check(&job()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Slurm has no default partition, and none is named"
        );
        assert_eq!(error.hints(), ["Name one by `--partition`. There is long"]);
    }

    #[test]
    fn a_table_of_other_columns_is_an_error() {
        let error = Limits::read("PARTITION AVAIL\nmain up\n", None).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("`sinfo` answers with other columns")
        );
        let moved = "main |main* |up |4 nodes |10:00 |4 |4096 |\n";
        assert!(Limits::read(moved, None).is_err());
    }
}
