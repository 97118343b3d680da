//! What `--dry-run` prints. It reads, and touches nothing.

use std::fmt::Write as _;

use super::experiment::Experiment;
use crate::bench::Setting;
use crate::cli::ui::{bold, warning};
use crate::engine::upstream::command::{Cover, upstream_would_run};
use crate::error::Result;
use crate::executor::redis::Choice;
use crate::report::survey::Books;
use crate::report::text::{duration, plural};
use crate::runner::Plan;
use crate::store::RunDir;
use crate::store::events::History;

/// The plan of every run.
pub fn render(experiment: &Experiment, redis: &Choice, force: bool) -> Result<String> {
    let options = &experiment.options;
    let limits = &experiment.config.limits;
    let attempts = &experiment.config.attempts;
    let mut text = String::new();
    for note in &experiment.notes {
        let _ = writeln!(text, "{}", warning(note));
    }
    let version = options
        .version
        .map_or_else(|| "not installed".to_owned(), |version| version.to_string());
    let _ = writeln!(
        text,
        "{} on {} ({} pairs), model {}, agent {}, engine upstream (cooperbench {version})",
        plural(experiment.runs.len(), "run"),
        experiment.subset,
        experiment.pairs.len(),
        options.model,
        options.agent,
    );
    let _ = writeln!(
        text,
        "each: at most {}, back-off from {} to {} after infrastructure errors, task timeout {}, stall timeout {}",
        plural(attempts.max_attempts as usize, "attempt"),
        for_people(attempts.backoff),
        for_people(attempts.backoff_max),
        for_people(limits.task_timeout),
        for_people(limits.stall_timeout),
    );
    match limits.budget {
        Some(budget) => {
            let _ = writeln!(text, "budget: ${budget:.2} in all");
        }
        None => text.push_str("budget: none\n"),
    }
    if force {
        text.push_str("--force: results that stand are set aside first\n");
    }
    for (setting, run) in &experiment.runs {
        text.push('\n');
        text.push_str(&render_run(experiment, *setting, run, redis, force)?);
    }
    Ok(text)
}

fn render_run(
    experiment: &Experiment,
    setting: Setting,
    run: &RunDir,
    redis: &Choice,
    force: bool,
) -> Result<String> {
    let books = Books::read(run)?;
    let survey = books.survey(run, &experiment.rules, &experiment.prices);
    let surveyed: Vec<_> = experiment
        .pairs
        .iter()
        .map(|pair| survey.pair(setting.tree(), pair))
        .collect();
    let mut plan = Plan::of(&surveyed, true);
    if force {
        plan.finished.clear();
        plan.settled.clear();
        plan.to_run.clone_from(&experiment.pairs);
    }
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{} (setting {setting}): {} pairs, {} finished, {} in an error of the agent's own, {} to run",
        bold(run.name()),
        plan.total(),
        plan.finished.len(),
        plan.settled.len(),
        plan.to_run.len()
    );
    if plan.to_run.is_empty() {
        text.push_str("  nothing to run\n");
        return Ok(text);
    }
    let url = &experiment.config.upstream.redis_url;
    let (redis_url, word) = match redis {
        Choice::Configured => (
            url.clone(),
            format!("{} answers", crate::secret::masked_url(url)),
        ),
        Choice::Private => (
            "redis://127.0.0.1:PORT".to_owned(),
            format!(
                "none answers at {}: a private one is started on a free PORT",
                crate::secret::masked_url(url)
            ),
        ),
        Choice::None => (
            url.clone(),
            format!(
                "none answers at {}, and there is no redis-server: install it first",
                crate::secret::masked_url(url)
            ),
        ),
    };
    let attempt = History::of_run(run)?.last_attempt + 1;
    let whole = force || upstream_would_run(run, setting, &experiment.pairs, &plan.to_run);
    let cover = Cover {
        pairs: &plan.to_run,
        is_whole_subset: whole,
    };
    let invocation = experiment
        .options
        .invocation(run, setting, attempt, cover, &redis_url);
    let _ = writeln!(text, "  directory    {}", invocation.dir.display());
    let _ = writeln!(text, "  environment  {}", invocation.shown_env().join(" "));
    if setting.messaging() {
        let _ = writeln!(text, "  redis        {word}");
    }
    for (path, _) in &invocation.files {
        let _ = writeln!(text, "  writes       {}", path.display());
    }
    let _ = writeln!(text, "  command      {}", invocation.shell());
    Ok(text)
}

fn for_people(time: std::time::Duration) -> String {
    if time.is_zero() {
        return "off".to_owned();
    }
    duration(time.as_secs_f64())
}
