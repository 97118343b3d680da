//! What trials leave in the log tree, in upstream's form.

use std::path::PathBuf;
use std::time::Instant;

use jiff::Zoned;
use serde_json::{Map, Value, json};

use super::Shared;
use super::journal::Journal;
use crate::agent::{AgentEnd, Letter, Status};
use crate::bench::Pair;
use crate::error::{Error, Result};
use crate::files;
use crate::json;
use crate::store::result::{FRAMEWORK, ResultFile, harness_error, read};

/// When a trial was made, and its id.
#[derive(Clone, Debug)]
pub struct Made {
    /// Eight hexadecimal digits, as upstream's `run_id`.
    pub trial: String,
    started: Zoned,
    begun: Instant,
}

impl Made {
    /// A new trial that starts now, with a random id.
    pub fn now() -> Self {
        Self {
            trial: format!("{:08x}", fastrand::u32(..)),
            started: Zoned::now(),
            begun: Instant::now(),
        }
    }
}

/// Local time without a zone, as upstream writes it.
fn local(time: &Zoned) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

/// Writes `config.json`, as upstream does at the beginning of every invocation.
pub fn begin(shared: &Shared) -> Result<()> {
    let batch = &shared.batch;
    files::create_dir(batch.run.path())?;
    let config = json!({
        "run_name": batch.run.name(),
        "agent_framework": FRAMEWORK,
        "model": shared.options.model,
        "setting": batch.setting.tree().name(),
        "concurrency": shared.options.concurrency,
        "total_tasks": batch.plan.len(),
        "started_at": local(&Zoned::now()),
    });
    files::write_atomic(&batch.run.config_json(), &pretty(&config))
}

/// Writes `summary.json`, as upstream does at the end of every invocation.
pub fn end(shared: &Shared) -> Result<()> {
    let batch = &shared.batch;
    let tree = batch.setting.tree();
    let (mut completed, mut skipped, mut cost) = (0, 0, 0.0);
    let mut results = Vec::new();
    for pair in &batch.plan {
        let ran = batch.pairs.contains(pair);
        let ResultFile::Read(record) = read(&batch.run.pair(tree, pair).result()) else {
            continue;
        };
        let costs = record.agents.iter().filter_map(|agent| agent.cost);
        let paid = costs.fold(0.0, |sum, cost| sum + cost);
        cost += paid;
        completed += usize::from(ran);
        skipped += usize::from(!ran);
        let [a, b] = pair.features;
        results.push(json!({
            "task": format!("{}/{a},{b}", pair.task),
            "status": if ran { "done" } else { "skip" },
            "cost": paid,
        }));
    }
    let summary = json!({
        "run_name": batch.run.name(),
        "completed_at": local(&Zoned::now()),
        "pass_rate": null,
        "total_tasks": batch.plan.len(),
        "completed": completed,
        "skipped": skipped,
        "failed": 0,
        "total_cost": cost,
        "results": results,
    });
    files::write_atomic(&batch.run.path().join("summary.json"), &pretty(&summary))
}

/// Begins the running trajectory of an agent, with what tells whose it is.
pub fn journal(shared: &Shared, pair: &Pair, made: &Made, id: &str, features: &[u64]) -> Journal {
    let batch = &shared.batch;
    let dir = batch.run.pair(batch.setting.tree(), pair);
    let feature = match features {
        [feature] => Some(*feature),
        _ => None,
    };
    let mut head = about(shared, pair, id, feature);
    head["run_id"] = json!(made.trial);
    head["started_at"] = json!(local(&made.started));
    let path = dir.running_trajectory(&made.trial, feature);
    shared.journals.begin(path, head, shared.mask())
}

/// The keys that say whose trajectory it is; without `feature`, one of both features.
fn about(shared: &Shared, pair: &Pair, id: &str, feature: Option<u64>) -> Value {
    let mut about = json!({"repo": pair.task.repo, "task_id": pair.task.task_id});
    match feature {
        None => about["features"] = json!(pair.features),
        Some(feature) => about["feature_id"] = json!(feature),
    }
    about["agent_id"] = json!(id);
    about["model"] = json!(shared.options.model);
    about
}

/// Writes a trial: the result last, so that where it is, everything is.
pub async fn write(
    shared: &Shared,
    pair: &Pair,
    made: &Made,
    ends: Vec<AgentEnd>,
    letters: Vec<Letter>,
) -> Result<()> {
    let batch = &shared.batch;
    let dir = batch.run.pair(batch.setting.tree(), pair);
    let alone = ends.len() == 1;
    let feature = |index: usize| (!alone).then(|| pair.features[index]);
    let conversation = (!alone).then(|| letters.iter().map(|letter| said(letter, pair)).collect());
    let conversation: Option<Value> = conversation.map(Value::Array);
    let home = batch.home.as_ref().unwrap_or(&batch.run);
    let home = home.pair(batch.setting.tree(), pair);
    let result = result(shared, pair, made, &ends, letters.len(), home.path());
    let mut works = Vec::new();
    for (index, end) in ends.into_iter().enumerate() {
        let id = id(alone, index);
        let mut trajectory = about(shared, pair, &id, feature(index));
        trajectory["status"] = json!(end.status.word());
        trajectory["cost"] = json!(end.cost);
        trajectory["steps"] = json!(end.steps);
        trajectory["messages"] = Value::Array(end.log);
        works.push((feature(index), end.patch, trajectory));
    }
    // An endpoint may echo the key, and a repository hold it: it is in nothing that is written, but
    // in a patch, whose bytes are the agent's.
    let mask = shared.mask();
    // Formatting takes the processor, and writing waits for the disk; the other agents need not.
    let done = tokio::task::spawn_blocking(move || {
        let pretty = |mut value: Value| {
            mask.hide_in(&mut value);
            pretty(&value)
        };
        let mut files: Vec<(PathBuf, Vec<u8>)> = Vec::new();
        if let Some(conversation) = conversation {
            let path = dir.path().join("conversation.json");
            files.push((path, pretty(conversation)));
        }
        for (feature, patch, trajectory) in works {
            files.push((dir.patch(feature), patch));
            files.push((dir.trajectory(feature), pretty(trajectory)));
        }
        files.push((dir.result(), pretty(result)));
        files::create_dir(dir.path())?;
        files::write_in_order(&files)
    });
    done.await
        .map_err(|error| Error::world(format!("writing a result broke: {error}")))?
}

fn id(alone: bool, index: usize) -> String {
    if alone {
        "solo".to_owned()
    } else {
        format!("agent{}", index + 1)
    }
}

fn said(letter: &Letter, pair: &Pair) -> Value {
    let index = usize::from(letter.from == "agent2");
    json!({
        "from": letter.from,
        "to": letter.to,
        "message": letter.text,
        "timestamp": letter.at,
        "feature_id": pair.features[index],
    })
}

fn result(
    shared: &Shared,
    pair: &Pair,
    made: &Made,
    ends: &[AgentEnd],
    messages: usize,
    dir: &std::path::Path,
) -> Value {
    let batch = &shared.batch;
    let alone = ends.len() == 1;
    let mut result = json!({
        "repo": pair.task.repo,
        "task_id": pair.task.task_id,
        "features": pair.features,
        "setting": batch.setting.tree().name(),
        "run_id": made.trial,
        "run_name": batch.run.name(),
        "agent_framework": FRAMEWORK,
        "model": shared.options.model,
        "started_at": local(&made.started),
        "ended_at": local(&Zoned::now()),
        "duration_seconds": made.begun.elapsed().as_secs_f64(),
    });
    let mut agents = Map::new();
    for (index, end) in ends.iter().enumerate() {
        let mut agent = of_agent(end);
        if alone {
            result["agent"] = agent;
        } else {
            agent["feature_id"] = json!(pair.features[index]);
            agents.insert(id(alone, index), agent);
        }
    }
    if !alone {
        result["agents"] = Value::Object(agents);
    }
    // Not `sum`: that of nothing is -0.0.
    let costs = ends.iter().filter_map(|end| end.cost);
    result["total_cost"] = json!(costs.fold(0.0, |sum, cost| sum + cost));
    result["total_steps"] = json!(ends.iter().map(|end| end.steps).sum::<u64>());
    if !alone {
        result["messages_sent"] = json!(messages);
    }
    result["log_dir"] = json!(dir);
    result["sandbox"] = json!({"backend": shared.backend.name(), "limits": *shared.options.limits});
    result
}

fn of_agent(end: &AgentEnd) -> Value {
    let error = match &end.status {
        Status::Failed(failure) => Some(harness_error(&failure.rule, &failure.text)),
        Status::SandboxEnded(how) => Some(how.clone()),
        _ => None,
    };
    json!({
        "status": end.status.word(),
        // Upstream sums these: an unknown cost is 0 to it, and the steps tell us.
        "cost": end.cost.unwrap_or(0.0),
        "steps": end.steps,
        "input_tokens": end.usage.input_tokens,
        "output_tokens": end.usage.output_tokens,
        "cache_read_tokens": end.usage.cached_tokens,
        "cache_write_tokens": end.usage.cache_write_tokens,
        "reasoning_tokens": end.usage.reasoning_tokens,
        "patch_lines": end.patch.split(|byte| *byte == b'\n').count().saturating_sub(1),
        "error": error,
        "usage_unknown": end.usage_unknown,
        "rate_limited_seconds": end.rate_limited.as_secs_f64(),
        "base_commit": end.base,
    })
}

fn pretty(value: &Value) -> Vec<u8> {
    json::pretty(value).into_bytes()
}
