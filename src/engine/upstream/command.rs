//! The exact command for one attempt of one setting.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::agent_file::AgentFile;
use super::installed::{Installed, Version};
use super::invocation::Invocation;
use crate::agent::bash_tool;
use crate::agent::config::ModelAccess;
use crate::bench::{BackendKind, Pair, Setting, Subset};
use crate::config::Config;
use crate::engine::access::{Access, Asker, Beside, Named};
use crate::error::{Error, Result};
use crate::json;
use crate::model::chat::Tool;
use crate::secret::Secret;
use crate::store::{RunDir, SubsetRef};

/// The version that is planned for when none is installed: the last with `mini_swe_agent`.
pub const PLANNED_VERSION: Version = Version(0, 0, 11);

/// What is the same for every attempt of an experiment.
#[derive(Clone, Debug)]
pub struct UpstreamOptions {
    /// The program, or `cooperbench` when a dry run finds none.
    pub bin: PathBuf,
    /// Its version; `None` when a dry run finds none.
    pub version: Option<Version>,
    /// The agent framework that runs, as upstream registers it (`mini_swe_agent`).
    pub agent: String,
    /// The model, by litellm's name.
    pub model: String,
    /// The subset, as upstream takes it.
    pub subset: String,
    /// Pairs at the same time.
    pub concurrency: usize,
    /// The backend of upstream's sandboxes, passed as `--backend`.
    pub backend: BackendKind,
    /// The working directory: dataset paths are relative to it.
    pub dir: PathBuf,
    /// The absolute path for `--dataset-dir`; `None` leaves upstream its default.
    pub dataset_dir: Option<PathBuf>,
    /// The absolute path for `--log-dir`; `None` leaves upstream its default.
    pub logs_dir: Option<PathBuf>,
    /// The endpoint that the configuration names, which is passed on.
    pub api_base: Option<String>,
    /// How the agent reaches the model, by that and by everything else that it reads.
    pub access: Access,
    /// The configuration that the agent is given.
    pub agent_config: Option<AgentFile>,
    /// Whether the agents of a pair share a git remote.
    pub git: bool,
    /// The Redis that the configuration names.
    pub redis_url: String,
    /// What is added to the environment.
    pub env: BTreeMap<String, String>,
    /// What is added to the command's arguments, as it is.
    pub args: Vec<String>,
}

/// Which pairs the command covers.
#[derive(Clone, Copy, Debug)]
pub struct Cover<'a> {
    /// The pairs that are to run.
    pub pairs: &'a [Pair],
    /// Whether upstream's own resume over the named subset would run exactly these.
    pub is_whole_subset: bool,
}

impl UpstreamOptions {
    /// The options that a configuration means, checked against what is installed.
    ///
    /// With `installed` missing (a dry run on a machine without it) nothing is checked, and
    /// [`PLANNED_VERSION`] is planned for.
    pub fn of_config(
        config: &Config,
        installed: Option<&Installed>,
    ) -> Result<(Self, Vec<String>)> {
        let mut notes = Vec::new();
        let mut agent = config.experiment.agent.clone();
        if let Some(installed) = installed {
            installed.check_backend(config.experiment.backend)?;
            let (runs, note) = installed.agent(&agent)?;
            agent = runs;
            notes.extend(note);
            for setting in &config.experiment.settings {
                installed.check_setting(*setting)?;
            }
            check_options(config, installed)?;
        }
        let version = installed.map_or(PLANNED_VERSION, |found| found.version);
        let bin = installed.map(|found| found.bin.as_path());
        let access = access(config, &agent, version, bin)?;
        notes.extend(access.notes.iter().cloned());
        let absolute =
            |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let agent_config = config.upstream.agent_config.as_deref().map(absolute);
        // The first version of mini-swe-agent takes its endpoint from the environment.
        let endpoint = config.upstream.api_base.as_deref();
        let endpoint = endpoint.filter(|_| !is_first_agent(&agent));
        let agent_config = AgentFile::of(agent_config, endpoint)?;
        let options = Self {
            bin: installed.map_or_else(|| PathBuf::from("cooperbench"), |found| found.bin.clone()),
            version: installed.map(|found| found.version),
            agent,
            model: config.experiment.model.clone(),
            subset: SubsetRef::of(&config.experiment.subset).of_upstream(),
            concurrency: config.experiment.concurrency,
            backend: config.experiment.backend,
            dir: absolute(&config.upstream.cooperbench_dir),
            dataset_dir: config.upstream.dataset_dir.as_deref().map(absolute),
            logs_dir: config.upstream.logs_dir.as_deref().map(absolute),
            api_base: config.upstream.api_base.clone(),
            access,
            agent_config,
            git: config.experiment.git,
            redis_url: config.upstream.redis_url.clone(),
            env: config.upstream.env.clone(),
            args: config.upstream.args.clone(),
        };
        options.check_key_variable()?;
        Ok((options, notes))
    }

    /// Refuses a named key that there is no way to hand to the agent.
    fn check_key_variable(&self) -> Result<()> {
        let names = self.access.provider.map_or(&[][..], |it| it.key_variables);
        if self.access.key_variable.is_none() || !names.is_empty() || is_first_agent(&self.agent) {
            return Ok(());
        }
        Err(Error::usage(format!(
            "api_key_env is set, and it is not known which variable holds the key of `{}` for {}",
            self.model, self.agent
        ))
        .hint(
            "leave api_key_env out, and export the variable that litellm reads for this provider",
        ))
    }

    /// The tools that its agent offers to the model: the first version's reads commands from text.
    #[must_use]
    pub fn tools(&self) -> Vec<Tool> {
        if is_first_agent(&self.agent) {
            Vec::new()
        } else {
            vec![bash_tool()]
        }
    }

    /// The command for one attempt.
    #[must_use]
    pub fn invocation(
        &self,
        run: &RunDir,
        setting: Setting,
        attempt: u32,
        cover: Cover<'_>,
        redis_url: &str,
    ) -> Invocation {
        let mut files = Vec::new();
        let subset = if cover.is_whole_subset {
            self.subset.clone()
        } else {
            let path = run.attempt_subset(attempt);
            let pairs = Subset::of_pairs(
                &format!("{}-attempt-{attempt}", run.name()),
                "Written by regatta: the pairs of one attempt",
                cover.pairs,
            );
            files.push((path.clone(), json::pretty(&pairs)));
            // Upstream joins this to its subsets directory and adds `.json`: an absolute path
            // without the ending names the file itself, and the user's dataset stays untouched.
            path.with_extension("").display().to_string()
        };
        let mut args: Vec<String> = ["run", "-n", run.name().as_str(), "-s", &subset]
            .iter()
            .map(ToString::to_string)
            .collect();
        let mut add = |words: &[&str]| args.extend(words.iter().map(ToString::to_string));
        add(&[
            "-m",
            &self.model,
            "-a",
            &self.agent,
            "-c",
            &self.concurrency.to_string(),
        ]);
        add(&["--setting", setting.tree().name()]);
        if setting.agents() > 1 && !setting.messaging() {
            add(&["--no-messaging"]);
        }
        if self.git && setting.agents() > 1 {
            add(&["--git"]);
        }
        if setting.messaging() {
            add(&["--redis", redis_url]);
        }
        add(&["--backend", self.backend.name(), "--no-auto-eval"]);
        if let Some(dir) = &self.dataset_dir {
            add(&["--dataset-dir", &dir.display().to_string()]);
        }
        if let Some(dir) = &self.logs_dir {
            add(&["--log-dir", &dir.display().to_string()]);
        }
        let mut env = self.env.clone();
        if let Some(config) = &self.agent_config {
            let path = match config {
                AgentFile::Users(path) => path.clone(),
                AgentFile::Written(text) => {
                    files.push((run.agent_config(), text.clone()));
                    run.agent_config()
                }
            };
            add(&["--agent-config", &path.display().to_string()]);
        }
        args.extend(self.args.iter().cloned());
        if let Some(base) = &self.api_base {
            env.insert("MSWEA_MODEL_API_BASE".to_owned(), base.clone());
        }
        Invocation {
            program: self.bin.clone(),
            args,
            dir: self.dir.clone(),
            env,
            keys: self.keys(),
            files,
        }
    }
}

/// Refuses what the installed version's command line does not take: options that we need, and arguments
/// of the user's.
fn check_options(config: &Config, installed: &Installed) -> Result<()> {
    let upstream = &config.upstream;
    let mut ours = vec!["--backend", "--no-auto-eval"];
    ours.extend(upstream.dataset_dir.is_some().then_some("--dataset-dir"));
    ours.extend(upstream.logs_dir.is_some().then_some("--log-dir"));
    ours.extend(upstream.agent_config.is_some().then_some("--agent-config"));
    for option in &ours {
        installed.check_option(option)?;
    }
    let mut settings = config.experiment.settings.iter();
    let is_silent = settings.any(|setting| setting.agents() > 1 && !setting.messaging());
    ours.extend(is_silent.then_some("--no-messaging"));
    ours.extend(config.experiment.git.then_some("--git"));
    installed.check_args(&upstream.args, &ours)
}

/// v1 (up to 0.0.11) reads `MSWEA_MODEL_API_BASE`; v2 ignores it.
fn is_first_agent(agent: &str) -> bool {
    agent == "mini_swe_agent"
}

/// The first version in which Azure's variables override every endpoint.
const FIRST_WITH_AZURE: Version = Version(0, 0, 16);

/// How upstream's agent reaches the model of a configuration, with what is installed.
pub fn access_of_config(config: &Config, installed: Option<&Installed>) -> Result<Access> {
    let named = || config.experiment.agent.clone();
    let agent = installed.and_then(|installed| Some(installed.agent(&named()).ok()?.0));
    let version = installed.map_or(PLANNED_VERSION, |installed| installed.version);
    let bin = installed.map(|installed| installed.bin.as_path());
    access(config, &agent.unwrap_or_else(named), version, bin)
}

/// How this agent of this version reaches the model.
fn access(config: &Config, agent: &str, version: Version, bin: Option<&Path>) -> Result<Access> {
    let asker = if is_first_agent(agent) {
        Asker::FirstAgent
    } else {
        Asker::Litellm {
            knows_azure: version >= FIRST_WITH_AZURE,
        }
    };
    let named = match &config.upstream.agent_config {
        Some(path) if path.is_file() => ModelAccess::read(path),
        _ => Ok(ModelAccess::default()),
    };
    let named_agent = agent;
    let (agent, unreadable) = match named {
        Ok(named) => (named, None),
        Err(why) => (ModelAccess::default(), Some(why)),
    };
    let beside = Beside {
        agent,
        unreadable,
        dotenv: bin.and_then(dotenv),
        is_mini_swe: named_agent.starts_with("mini_swe_agent"),
    };
    Access::of_config(config, asker, beside)
}

/// The `.env` that cooperbench loads: it is searched upward from its package, which is in the
/// environment of its program.
fn dotenv(bin: &Path) -> Option<PathBuf> {
    let bin = std::path::absolute(bin).ok()?;
    let dirs = bin.ancestors().skip(2);
    dirs.map(|dir| dir.join(".env")).find(|file| file.is_file())
}

/// Whether upstream's own resume over the whole plan would run exactly `pairs`: those without a
/// result and those whose result has an error, no others.
#[must_use]
pub fn upstream_would_run(run: &RunDir, setting: Setting, plan: &[Pair], pairs: &[Pair]) -> bool {
    use crate::store::{ResultFile, result};
    plan.iter().all(|pair| {
        let runs = match result::read(&run.pair(setting.tree(), pair).result()) {
            // Upstream would crash on an unreadable one; by then it has been set aside.
            ResultFile::Missing | ResultFile::Unreadable(_) => true,
            ResultFile::Read(record) => record.is_upstreams_error,
        };
        runs == pairs.contains(pair)
    })
}

impl UpstreamOptions {
    fn keys(&self) -> Vec<(&'static str, Option<Named<Secret>>)> {
        let names = self.access.key_variables_of_agent().into_iter();
        names.map(|name| (name, self.access.key.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::TaskKey;
    use crate::config::Layers;
    use crate::store::LogTree;

    fn options(api_base: Option<&str>, agent: &str) -> UpstreamOptions {
        let mut layers = Layers::defaults();
        if let Some(base) = api_base {
            layers.set("upstream.api_base", base, "test").unwrap();
        }
        layers.set("experiment.agent", agent, "test").unwrap();
        UpstreamOptions::of_config(&layers.config().unwrap(), None)
            .unwrap()
            .0
    }

    fn shell(options: &UpstreamOptions, setting: Setting, whole: bool) -> Invocation {
        let name = format!("command-a-{setting}").parse().unwrap();
        let run = LogTree::at("/logs").run(&name);
        let pairs = [Pair::new(TaskKey::new("a_task", 1), 1, 2)];
        let cover = Cover {
            pairs: &pairs,
            is_whole_subset: whole,
        };
        options.invocation(&run, setting, 1, cover, "redis://localhost:6379")
    }

    #[test]
    fn each_setting_gives_the_command_of_the_contract() {
        let options = options(None, "mini_swe_agent");
        let common = "-m command-a-03-2025 -a mini_swe_agent -c 4 --setting";
        assert_eq!(
            shell(&options, Setting::Solo, true).shell(),
            format!(
                "cooperbench run -n command-a-solo -s lite {common} solo --backend docker --no-auto-eval"
            )
        );
        assert_eq!(
            shell(&options, Setting::CoopComm, true).shell(),
            format!(
                "cooperbench run -n command-a-coop-comm -s lite {common} coop --redis redis://localhost:6379 --backend docker --no-auto-eval"
            )
        );
        assert_eq!(
            shell(&options, Setting::CoopNocomm, true).shell(),
            format!(
                "cooperbench run -n command-a-coop-nocomm -s lite {common} coop --no-messaging --backend docker --no-auto-eval"
            )
        );
    }

    #[test]
    fn part_of_a_subset_goes_through_a_file_of_ours_by_its_absolute_path() {
        let invocation = shell(&options(None, "mini_swe_agent"), Setting::Solo, false);
        let own = "/logs/command-a-solo/regatta/subset-1";
        assert!(
            invocation.shell().contains(&format!("-s {own} ")),
            "{}",
            invocation.shell()
        );
        assert_eq!(invocation.files[0].0, PathBuf::from(format!("{own}.json")));
    }

    #[test]
    fn one_api_base_reaches_both_agents() {
        let url = "http://127.0.0.1:1/v1";
        let v1 = shell(&options(Some(url), "mini_swe_agent"), Setting::Solo, true);
        assert_eq!(v1.env["MSWEA_MODEL_API_BASE"], url);
        assert!(!v1.shell().contains("--agent-config"));
        let v2 = shell(
            &options(Some(url), "mini_swe_agent_v2"),
            Setting::Solo,
            true,
        );
        assert!(v2.shell().contains("--agent-config"));
        assert!(v2.files[0].1.contains(url));
    }

    #[test]
    fn what_is_shown_can_be_pasted_and_holds_no_secret() {
        let mut options = options(None, "mini_swe_agent");
        options.model = "a b'; rm -rf /".to_owned();
        options
            .env
            .insert("COHERE_API_KEY".to_owned(), "sk-1".to_owned());
        let invocation = shell(&options, Setting::Solo, true);
        assert_eq!(shlex::split(&invocation.shell()).unwrap()[7], options.model);
        assert!(
            invocation
                .shown_env()
                .contains(&"COHERE_API_KEY='****'".to_owned())
        );
    }
}
