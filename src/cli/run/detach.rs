//! `--detach`: the driver is a job of Slurm's itself.

use std::ffi::OsString;
use std::fmt::Write as _;

use crate::cli::ui::Ui;
use crate::config::ExecutorKind;
use crate::error::{Error, Result, exit};
use crate::experiment::Experiment;
use crate::hint;
use crate::slurm::{JobScript, Slurm};

/// The word that is left out of the job's command.
const FLAG: &str = "--detach";

/// What a job that writes to a file is given in any case.
const QUIET: &str = "--no-progress";

/// Variables of ours that are no configuration, and may be set.
const HARMLESS: [&str; 2] = ["REGATTA_CACHE", "REGATTA_SLURM_DIR"];

/// The job in which the driver of an experiment runs.
pub fn script(experiment: &Experiment) -> Result<JobScript> {
    let executor = &experiment.config.executor;
    if executor.executor != ExecutorKind::Slurm {
        return Err(
            Error::usage("--detach is for a cluster: it submits the command as a job")
                .hint("give --executor slurm too; on one machine, `nohup regatta run … &` does it"),
        );
    }
    check_environment(experiment)?;
    let Some(first) = experiment.runs.first() else {
        return Err(Error::usage("there is no run to detach"));
    };
    let words = std::env::args_os().skip(1).map(OsString::into_string);
    let mut words: Vec<String> = words
        .collect::<std::result::Result<_, _>>()
        .map_err(|word| {
            let word = word.display();
            Error::usage(format!("{word}: it is no text, which a job's script is"))
        })?;
    words.retain(|word| word != FLAG && word != QUIET);
    words.push(QUIET.to_owned());
    let at_once = first.arm.options.concurrency();
    let workers = crate::executor::slurm::script(executor, &first.run, at_once)?;
    Ok(JobScript {
        name: "driver".to_owned(),
        args: words,
        tasks: 1,
        more: executor.sbatch_words().unwrap_or_default(),
        output_dir: first.run.cluster().join("driver"),
        ..workers
    })
}

/// A job gets nothing of this environment: what it would miss is refused here.
fn check_environment(experiment: &Experiment) -> Result<()> {
    for (name, _) in std::env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        if name.starts_with("REGATTA_") && !HARMLESS.contains(&name) {
            return Err(
                Error::usage(format!("{name} is set, and no variable reaches a job"))
                    .hint("write it into regatta.toml, or give it as a flag"),
            );
        }
    }
    for arm in &experiment.arms {
        let key = arm.options.access().key.as_ref();
        if let Some(key) = key.filter(|key| key.by != "api_key_file") {
            return Err(Error::usage(format!(
                "the key of {} is in {}, and no variable reaches a job",
                arm.options.access().shown_endpoint(),
                key.by
            ))
            .hint("write it into a file that only you can read (chmod 600), and name that: api_key_file in [upstream]"));
        }
    }
    Ok(())
}

/// Submits the driver; says how to look at it.
pub async fn submit(experiment: &Experiment, ui: &Ui) -> Result<u8> {
    let script = script(experiment)?;
    let slurm = Slurm::find().await?;
    let job = slurm.submit(&script).await?;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "the driver is job {job}; what it prints is in {}",
        script.output_dir.display()
    );
    let names: Vec<&str> = experiment
        .runs
        .iter()
        .map(|one| one.run.name().as_str())
        .collect();
    let look = hint::command(&format!("status {}", names.join(" ")));
    let stop = hint::command(&format!(
        "cancel {}",
        names.first().copied().unwrap_or_default()
    ));
    let _ = writeln!(text, "`{look}` shows how far it is, `{stop}` ends it");
    ui.data(&text)?;
    Ok(exit::OK)
}
