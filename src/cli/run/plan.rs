//! What `--dry-run` prints. It reads, and touches nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use super::{detach, matrix};
use crate::bench::{Pair, Setting};
use crate::cli::ui::warning;
use crate::config::ExecutorKind;
use crate::engine::native::{self, TapeMode};
use crate::engine::upstream::command::{Cover, upstream_would_run};
use crate::engine::{EngineOptions, upstream};
use crate::error::Result;
use crate::executor::slurm;
use crate::experiment::{Experiment, PlannedArm, PlannedRun};
use crate::host::redis::{self, RedisChoice};
use crate::runner::{Plan, forced};
use crate::slurm::JobScript;
use crate::store::events::History;
use crate::store::{Pass, RunDir};
use crate::text::paint::strong;
use crate::text::{by_number, exact, plural};

/// The plan of every run.
pub async fn render(experiment: &Experiment, force: bool, detached: bool) -> Result<String> {
    let mut text = String::new();
    for note in &experiment.notes {
        let _ = writeln!(text, "{}", warning(note));
    }
    let passes = experiment.passes_in_force(force)?;
    let is_matrix = matrix::is_one(experiment);
    if is_matrix {
        text.push_str(&matrix::render(experiment, &passes)?);
    } else if let Some(arm) = experiment.arms.first() {
        let _ = writeln!(
            text,
            "{} on {} ({}), {}",
            plural(experiment.runs.len(), "run"),
            experiment.subset,
            asked(experiment),
            runs_on(arm),
        );
        let _ = writeln!(text, "each: {}", bounds_of(arm));
    }
    match experiment.config.limits.budget {
        Some(budget) => {
            let _ = writeln!(text, "budget: ${budget:.2} in all");
        }
        None => text.push_str("budget: none\n"),
    }
    let mut bounds: Vec<String> = experiment.arms.iter().map(|arm| bounds_of(arm)).collect();
    bounds.dedup();
    let is_one = bounds.len() == 1;
    if let (true, true, Some(bounds)) = (is_matrix, is_one, bounds.first()) {
        let _ = writeln!(text, "each run: {bounds}");
    }
    let is_upstream = |arm: &Arc<PlannedArm>| matches!(arm.options, EngineOptions::Upstream(_));
    let redis = if experiment.arms.iter().any(is_upstream) {
        redis::choose(&experiment.config.upstream.redis_url).await
    } else {
        RedisChoice::None
    };
    if detached {
        text.push_str("\nthe driver is a job:\n");
        render_job(&detach::script(experiment)?, &mut text);
    }
    let mut shown = BTreeSet::new();
    for (one, pass) in experiment.runs.iter().zip(passes) {
        let surveyed = experiment.survey(one)?;
        let plan = Plan::of(&surveyed, true, &pass);
        let replaced = forced::set_aside(one.run.name(), &pass, &surveyed);
        let held = if force { None } else { experiment.held(one)? };
        // A run of each arm shows how all of them run.
        if is_matrix && (shown.contains(&one.arm.name) || plan.to_run.is_empty()) {
            for line in [replaced, held].into_iter().flatten() {
                let _ = writeln!(text, "{line}");
            }
            continue;
        }
        text.push('\n');
        if is_matrix && shown.insert(one.arm.name.clone()) {
            let arm = &one.arm;
            let name = strong(&arm.name);
            let _ = writeln!(text, "arm {name}: {}", runs_on(arm));
            if !is_one {
                let _ = writeln!(text, "  each run: {}", bounds_of(arm));
            }
        }
        let told = [
            forced::progress(one.run.name(), &pass, &surveyed, &plan),
            replaced,
        ];
        text.push_str(&head(experiment, one, &plan));
        for line in told.into_iter().flatten() {
            let _ = writeln!(text, "  {line}");
        }
        text.push_str(&how(experiment, one, &plan.to_run, &redis, &pass)?);
        if let Some(held) = held {
            let _ = writeln!(text, "  {held}");
        }
    }
    Ok(text)
}

/// What an arm runs on: model, agent, engine.
fn runs_on(arm: &PlannedArm) -> String {
    let model = &arm.options.access().model;
    let agent = arm.options.agent();
    match &arm.options {
        EngineOptions::Upstream(options) => {
            let version = options
                .version
                .map_or_else(|| "not installed".to_owned(), |version| version.to_string());
            format!("model {model}, agent {agent}, engine upstream (cooperbench {version})")
        }
        EngineOptions::Native(_) => {
            let backend = arm.options.backend();
            format!("model {model}, agent {agent}, engine native, backend {backend}")
        }
    }
}

/// What bounds each run of an arm.
fn bounds_of(arm: &PlannedArm) -> String {
    let (limits, attempts) = (&arm.config.limits, &arm.config.attempts);
    let stall = match &arm.options {
        EngineOptions::Upstream(_) => {
            format!(", stall timeout {}", for_people(limits.stall_timeout))
        }
        EngineOptions::Native(_) => String::new(),
    };
    format!(
        "{} at a time, at most {}, back-off from {} to {} after infrastructure errors, task timeout {}{stall}",
        plural(arm.options.concurrency(), "pair"),
        plural(attempts.max_attempts as usize, "attempt"),
        for_people(attempts.backoff),
        for_people(attempts.backoff_max),
        for_people(limits.task_timeout),
    )
}

/// A run's name, and how its pairs stand.
fn head(experiment: &Experiment, one: &PlannedRun, plan: &Plan) -> String {
    format!(
        "{} (setting {}): {}, {} finished, {} in an error of the agent's own, {} to run\n",
        strong(one.run.name()),
        one.setting(),
        asked(experiment),
        plan.finished.len(),
        plan.settled.len(),
        plan.to_run.len()
    )
}

/// How the pairs of a run that are to run do so.
fn how(
    experiment: &Experiment,
    one: &PlannedRun,
    to_run: &[Pair],
    redis: &RedisChoice,
    pass: &Pass,
) -> Result<String> {
    let (setting, run) = (one.setting(), &one.run);
    let mut text = String::new();
    if to_run.is_empty() {
        text.push_str("  nothing to run\n");
        return Ok(text);
    }
    match &one.arm.options {
        EngineOptions::Native(options) => {
            render_native(options, &mut text);
            let executor = &one.arm.config.executor;
            if executor.executor == ExecutorKind::Slurm {
                let script = slurm::script(executor, run, options.concurrency)?;
                let _ = writeln!(text, "  workers      at most {}", executor.most_workers());
                render_job(&script, &mut text);
            }
        }
        EngineOptions::Upstream(options) => {
            // What is set aside by then has no result, and is to run.
            let all = experiment.survey_all(one)?;
            let stays = all.iter().filter(|one| !forced::is_replaced(pass, one));
            let stays: Vec<_> = stays.map(|one| one.pair.clone()).collect();
            let whole = upstream_would_run(run, setting, &stays, to_run);
            let cover = Cover {
                pairs: to_run,
                is_whole_subset: whole,
            };
            let attempt = History::of_run(run)?.last_attempt + 1;
            render_upstream(options, run, setting, attempt, cover, redis, &mut text);
        }
    }
    Ok(text)
}

/// How many pairs are asked for: `100 pairs`, or `5 of 100 pairs`.
fn asked(experiment: &Experiment) -> String {
    let all = plural(experiment.all.len(), "pair");
    if experiment.is_filtered() {
        format!("{} of {all}", experiment.pairs.len())
    } else {
        all
    }
}

/// Where the native engine gets things from, and what it keeps to.
fn render_native(options: &native::NativeOptions, text: &mut String) {
    let endpoint = options.access.shown_endpoint();
    let _ = writeln!(text, "  endpoint     {endpoint}");
    let _ = writeln!(
        text,
        "  each agent   {}, ${:.2}, {} a command, {} in all",
        plural(options.agent.step_limit, "step"),
        options.agent.cost_limit,
        for_people(options.times.command),
        options
            .times
            .trial
            .map_or_else(|| "no limit".to_owned(), for_people),
    );
    let network = if options.limits.network {
        "with"
    } else {
        "without"
    };
    let _ = writeln!(
        text,
        "  sandbox      {} {}, {network} network",
        options.limits.pids,
        by_number(options.limits.pids, "process", "processes")
    );
    let tape = match &options.tape {
        TapeMode::Off => return,
        TapeMode::Record(dir) => format!("recorded in {}", dir.display()),
        TapeMode::Replay(dir) => format!("replayed from {}", dir.display()),
    };
    let _ = writeln!(text, "  exchanges    {tape}");
}

/// How a job is submitted, and its script.
fn render_job(script: &JobScript, text: &mut String) {
    let _ = writeln!(text, "{COMMAND}{}", script.command());
    let _ = writeln!(text, "  script");
    for line in script.text().lines() {
        let _ = writeln!(text, "{SCRIPT}{line}");
    }
}

/// Begins the lines of a job's script.
const SCRIPT: &str = "    | ";

/// The command that the upstream CLI is started with.
fn render_upstream(
    options: &upstream::UpstreamOptions,
    run: &RunDir,
    setting: Setting,
    attempt: u32,
    cover: Cover<'_>,
    redis: &RedisChoice,
    text: &mut String,
) {
    let url = &options.redis_url;
    let (redis_url, word) = match redis {
        RedisChoice::Configured => (
            url.clone(),
            format!("{} answers", crate::secret::masked_url(url)),
        ),
        RedisChoice::Private => (
            "redis://127.0.0.1:PORT".to_owned(),
            format!(
                "none answers at {}: a private one is started on a free PORT",
                crate::secret::masked_url(url)
            ),
        ),
        RedisChoice::None => (
            url.clone(),
            format!(
                "none answers at {}, and there is no redis-server: install it first",
                crate::secret::masked_url(url)
            ),
        ),
    };
    let invocation = options.invocation(run, setting, attempt, cover, &redis_url);
    let _ = writeln!(text, "  endpoint     {}", options.access.shown_endpoint());
    let _ = writeln!(text, "  directory    {}", invocation.dir.display());
    let _ = writeln!(text, "  environment  {}", invocation.shown_env().join(" "));
    if setting.messaging() {
        let _ = writeln!(text, "  redis        {word}");
    }
    for (path, _) in &invocation.files {
        let _ = writeln!(text, "  writes       {}", path.display());
    }
    let _ = writeln!(text, "{COMMAND}{}", invocation.shell());
}

/// Begins the line of the command.
const COMMAND: &str = "  command      ";

/// Whether a line is of a command that is to be copied.
pub fn is_command(line: &str) -> bool {
    line.starts_with(COMMAND) || line.starts_with(SCRIPT)
}

fn for_people(time: std::time::Duration) -> String {
    if time.is_zero() {
        return "off".to_owned();
    }
    exact(time.as_secs_f64())
}
