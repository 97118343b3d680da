//! What the installed `cooperbench` is and knows, read from its own files.
//!
//! Asking the program takes seconds (it imports litellm first) and it has no `--version`. Its
//! package directory says the same at once: the version in the distribution's metadata, the
//! agents in their `@register("…")`, the options in the argument parser's source.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use super::run_options::RunOptions;
use crate::bench::{BackendKind, Setting};
use crate::config::UpstreamConfig;
use crate::error::{Error, Result, nearest};
use crate::{files, process};

/// An installed `cooperbench`, as its package's files describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// The path of the program, which may be a link.
    pub bin: PathBuf,
    /// The version in the distribution's `METADATA`.
    pub version: Version,
    /// The names in the `@register("…")` of its agents.
    pub agents: BTreeSet<String>,
    /// The options of its `run`.
    pub run_options: RunOptions,
    /// The words that its `--setting` takes: `solo`, `coop`, from 0.0.15 on `team`.
    pub settings: BTreeSet<String>,
}

/// A released version, e.g. 0.0.11.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('.').map(|part| {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        });
        Some(Self(
            parts.next()??,
            parts.next()??,
            parts.next().flatten().unwrap_or(0),
        ))
    }
}

/// The versions on which agents' containers exit at once on Docker, because the image's
/// entrypoint is not cleared (seen up to 0.0.8; evaluation also on 0.0.9).
const BROKEN_ON_DOCKER: (Version, Version) = (Version(0, 0, 3), Version(0, 0, 9));

/// The first version with the setting `team`; its five `--team-no-…` came with the next.
pub const FIRST_WITH_TEAM: Version = Version(0, 0, 15);

/// In which version each option we use came first, for a message when it is missing.
const FIRST_VERSION: [(&str, &str); 10] = [
    ("--team-no-task-list", "0.0.16"),
    ("--team-no-scratchpad", "0.0.16"),
    ("--team-no-mcp", "0.0.16"),
    ("--team-no-auto-refresh", "0.0.16"),
    ("--team-no-protocol", "0.0.16"),
    (
        "--backend",
        "0.0.3, and 0.0.10 is the first that works on Docker",
    ),
    ("--agent-config", "0.0.3"),
    ("--no-auto-eval", "0.0.3"),
    ("--dataset-dir", "0.0.12"),
    ("--log-dir", "0.0.12"),
];

impl Installed {
    /// Finds the CLI: the one that is named, the checkout's own, or the one on `PATH`.
    pub fn find(config: &UpstreamConfig) -> Result<Self> {
        let bin = Self::find_bin(config)?;
        Self::read(&bin)
    }

    fn find_bin(config: &UpstreamConfig) -> Result<PathBuf> {
        if let Some(bin) = &config.cooperbench_bin {
            if process::is_executable(bin) {
                return Ok(std::path::absolute(bin).unwrap_or_else(|_| bin.clone()));
            }
            return Err(Error::usage(format!(
                "no executable at {} (--cooperbench-bin)",
                bin.display()
            ))
            .hint("name the program itself, such as VENV/bin/cooperbench"));
        }
        let own = config.cooperbench_dir.join(".venv/bin/cooperbench");
        if process::is_executable(&own) {
            return Ok(std::path::absolute(&own).unwrap_or(own));
        }
        process::on_path("cooperbench").ok_or_else(|| {
            let what = format!("no cooperbench CLI: neither {} nor one on PATH", own.display());
            let mut error = Error::usage(what);
            if process::on_path("uv").is_none() {
                error = error.hint(HOW_TO_GET_UV);
            }
            error.hint(how_to_install(&config.cooperbench_dir)).hint("or name the program with --cooperbench-bin; the native engine needs none: --engine native")
        })
    }

    /// Reads what is installed beside a program.
    pub fn read(bin: &Path) -> Result<Self> {
        let unknown = |why: &str| {
            Error::usage(format!("cannot tell which cooperbench {} is: {why}", bin.display()))
                .hint("install it into a venv (`uv pip install --python VENV cooperbench==0.0.11`), and name that venv's bin/cooperbench with --cooperbench-bin")
        };
        // The program may be a link into the venv, the venv's python a link out of it.
        let real = bin.canonicalize().unwrap_or_else(|_| bin.to_path_buf());
        let site = [bin, real.as_path()]
            .iter()
            .filter_map(|bin| bin.parent()?.parent())
            .find_map(site_packages)
            .ok_or_else(|| unknown("no site-packages beside it"))?;
        let metadata = files::list(&site)?
            .into_iter()
            .find(|path| {
                let name = path
                    .file_name()
                    .and_then(|name| name.to_str())
                    .unwrap_or_default();
                name.starts_with("cooperbench-") && name.ends_with(".dist-info")
            })
            .ok_or_else(|| unknown("no cooperbench-*.dist-info in its site-packages"))?
            .join("METADATA");
        let version = files::read_text(&metadata)?
            .lines()
            .find_map(|line| Version::parse(line.strip_prefix("Version: ")?))
            .ok_or_else(|| unknown("its METADATA has no version"))?;
        let package =
            package_dir(&site).ok_or_else(|| unknown("its package directory is not there"))?;
        let cli = files::read_text(&package.join("cli.py"))?;
        Ok(Self {
            bin: bin.to_path_buf(),
            version,
            agents: agents(&package),
            run_options: RunOptions::read(&cli),
            settings: settings(&cli),
        })
    }

    /// The agent that runs when this one is asked for, and a note when it is another one.
    pub fn agent(&self, asked: &str) -> Result<(String, Option<String>)> {
        if self.agents.contains(asked) {
            return Ok((asked.to_owned(), None));
        }
        let successor = format!("{asked}_v2");
        if self.agents.contains(&successor) {
            let note = format!(
                "cooperbench {} has no {asked}: {successor} runs instead (0.0.11 is the last version with {asked})",
                self.version
            );
            return Ok((successor, Some(note)));
        }
        let known: Vec<&str> = self.agents.iter().map(String::as_str).collect();
        let error = Error::usage(format!(
            "cooperbench {} has no agent `{asked}`",
            self.version
        ))
        .hint(format!("it has: {}", known.join(", ")));
        Err(match nearest(asked, known) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        })
    }

    /// Refuses versions whose agents cannot work on this backend.
    pub fn check_backend(&self, backend: BackendKind) -> Result<()> {
        let (first, last) = BROKEN_ON_DOCKER;
        if backend.has_images() && self.version >= first && self.version <= last {
            return Err(Error::usage(format!(
                "cooperbench {} does not work on Docker: it leaves the image's entrypoint in place, so containers exit at once and agents spend their calls on nothing",
                self.version
            ))
            .hint("install 0.0.10 or 0.0.11 (the last with mini_swe_agent), or 0.0.12 or newer (mini_swe_agent_v2)"));
        }
        Ok(())
    }

    /// Refuses a setting that this version does not have, naming the version that does.
    pub fn check_setting(&self, setting: Setting) -> Result<()> {
        let has = |word: &str| self.settings.is_empty() || self.settings.contains(word);
        if has(setting.tree().name()) {
            return Ok(());
        }
        Err(Error::usage(format!(
            "cooperbench {} has no setting {setting}: it came with {FIRST_WITH_TEAM}",
            self.version
        ))
        .hint("install that or a newer version into the venv, or name one that is there with --cooperbench-bin")
        .hint(format!("or ask for other settings: {}", names(&Setting::USUAL))))
    }

    /// Refuses an option that this version does not have, naming the version that does.
    pub fn check_option(&self, option: &str) -> Result<()> {
        if self.run_options.is_empty() || self.run_options.has(option) {
            return Ok(());
        }
        let first = FIRST_VERSION.iter().find(|(name, _)| *name == option);
        let first = first.map_or_else(String::new, |(_, version)| {
            format!(": it came with {version}")
        });
        Err(Error::usage(format!(
            "cooperbench {} has no {option}{first}",
            self.version
        ))
        .hint("install a newer version, or leave the option out"))
    }

    /// Refuses arguments that its `run` would refuse, which ends the program before any pair; `ours`
    /// are the options that stand before them.
    pub fn check_args(&self, args: &[String], ours: &[&str]) -> Result<()> {
        for arg in args {
            let name = arg.split('=').next().unwrap_or(arg);
            if FIRST_VERSION.iter().any(|(known, _)| *known == name) {
                self.check_option(name)?;
            }
        }
        let mistakes = self.run_options.mistakes(args, ours);
        if mistakes.is_empty() {
            return Ok(());
        }
        let bin = self.bin.to_string_lossy();
        let bin = shlex::try_quote(&bin).unwrap_or_default();
        Err(Error::usage(format!(
            "cooperbench {} would refuse `args`: {}",
            self.version,
            mistakes.join("; ")
        ))
        .hint(format!(
            "correct `args`; `{bin} run --help` shows what it takes"
        )))
    }
}

/// pip alone tries versions for longer than anybody waits; uv takes half a minute.
fn how_to_install(checkout: &Path) -> String {
    let venv = checkout.join(".venv");
    let venv = venv.to_string_lossy();
    let venv = shlex::try_quote(&venv).unwrap_or_default();
    format!(
        "make the venv: `uv venv --python 3.12 {venv} && uv pip install --python {venv} cooperbench==0.0.11`"
    )
}

/// In one line, with any Python that has venv.
const HOW_TO_GET_UV: &str =
    "get uv: `python3 -m venv ~/.uv && PATH=~/.uv/bin:$PATH && pip install uv`";

fn site_packages(prefix: &Path) -> Option<PathBuf> {
    let pythons = files::list(&prefix.join("lib")).ok()?;
    pythons
        .into_iter()
        .map(|python| python.join("site-packages"))
        .find(|site| site.is_dir())
}

/// The package's directory: in site-packages, or where an editable install's `.pth` points.
fn package_dir(site: &Path) -> Option<PathBuf> {
    let own = site.join("cooperbench");
    if own.join("cli.py").is_file() {
        return Some(own);
    }
    let links = files::list(site).ok()?;
    let links = links
        .iter()
        .filter(|path| path.extension().is_some_and(|ext| ext == "pth"));
    links
        .filter_map(|path| files::read_text(path).ok())
        .flat_map(|text| {
            text.lines()
                .map(|line| Path::new(line).join("cooperbench"))
                .collect::<Vec<_>>()
        })
        .find(|package| package.join("cli.py").is_file())
}

fn agents(package: &Path) -> BTreeSet<String> {
    static REGISTERED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"(?m)^@register\("([\w-]+)"\)"#).expect("tested"));
    let dirs = files::list(&package.join("agents")).unwrap_or_default();
    let files = dirs
        .iter()
        .flat_map(|dir| [dir.join("adapter.py"), dir.join("__init__.py")]);
    files
        .filter_map(|path| files::read_text(&path).ok())
        .flat_map(|text| {
            REGISTERED
                .captures_iter(&text)
                .map(|found| found[1].to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The words that the `--setting` of `run` takes; none where its parser says that in another form.
fn settings(cli: &str) -> BTreeSet<String> {
    static CHOICES: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#""--setting",\s*choices=\[([^\]]*)\]"#).expect("tested"));
    let found = CHOICES.captures(cli);
    let words = found.iter().flat_map(|found| {
        let list = found.get(1).map_or("", |list| list.as_str());
        list.split(',')
            .map(|word| word.trim().trim_matches(['"', '\'']))
    });
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Settings as a message lists them.
fn names(settings: &[Setting]) -> String {
    let names: Vec<&str> = settings.iter().map(|it| it.name()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(version: Version, agents: &[&str]) -> Installed {
        Installed {
            bin: "cooperbench".into(),
            version,
            agents: agents.iter().map(|agent| (*agent).to_owned()).collect(),
            run_options: RunOptions::read("run_parser.add_argument(\"--backend\")"),
            settings: settings(OLD),
        }
    }

    #[test]
    fn the_successor_runs_where_the_agent_is_gone() {
        let new = installed(Version(0, 0, 29), &["mini_swe_agent_v2", "codex"]);
        let (agent, note) = new.agent("mini_swe_agent").unwrap();
        assert_eq!(agent, "mini_swe_agent_v2");
        assert!(note.unwrap().contains("0.0.11"));
        let error = new.agent("codx").unwrap_err();
        assert!(error.hints().contains(&"did you mean `codex`?".to_owned()));
    }

    #[test]
    fn versions_that_cannot_work_on_docker_are_refused_with_the_reason() {
        for (version, fits) in [
            (2, true),
            (3, false),
            (9, false),
            (10, true),
            (11, true),
            (29, true),
        ] {
            let found = installed(Version(0, 0, version), &[]).check_backend(BackendKind::Docker);
            assert_eq!(found.is_ok(), fits, "0.0.{version}");
        }
    }

    #[test]
    fn a_missing_option_names_the_version_that_has_it() {
        let error = installed(Version(0, 0, 11), &[])
            .check_option("--log-dir")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "cooperbench 0.0.11 has no --log-dir: it came with 0.0.12"
        );
    }

    /// How 0.0.14 writes it; 0.0.15 has "team" in the list too.
    const OLD: &str =
        "run_parser.add_argument(\n        \"--setting\",\n        choices=[\"coop\", \"solo\"],\n";

    #[test]
    fn a_setting_that_is_missing_names_the_version_that_has_it() {
        let mut found = installed(Version(0, 0, 14), &[]);
        for setting in Setting::USUAL {
            assert!(found.check_setting(setting).is_ok(), "{setting}");
        }
        let error = found.check_setting(Setting::Team).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cooperbench 0.0.14 has no setting team: it came with 0.0.15"
        );
        assert!(error.hints()[1].ends_with("solo, coop-comm, coop-nocomm"));
        for parser in [OLD.replace("\"solo\"", "\"solo\", \"team\""), String::new()] {
            found.settings = settings(&parser);
            assert!(found.check_setting(Setting::Team).is_ok(), "{parser}");
        }
    }
}
