//! Suites that need the network, and what is said where their sandboxes have none.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::Trouble;
use crate::bench::{RuleId, TaskKey};
use crate::files;
use crate::sandbox::SandboxLimits;
use crate::store::dataset::task_dir;
use crate::text::{by_number, plural};

/// What gives sandboxes a network, for the end of a sentence.
pub const SETTING: &str = "`network = true` in [native] gives sandboxes one";

/// The calls by which runners install packages. `uv run` and build tools take what is there first.
static INSTALLS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?m)^[^#\n]*\b(?:",
        r"pip[0-9.]* install|uv sync|poetry install|conda install",
        r"|(?:npm|pnpm|yarn) (?:install|ci|add)|yarn --frozen-lockfile|npx (?:-\S+ )*\w+@\w+",
        r"|go (?:get|install|mod download)|cargo (?:install|fetch)|bundle install",
        r"|apt(?:-get)? (?:-\S+ )*install|apk (?:-\S+ )*add",
        r")\b"
    ))
    .ok()
});

/// Whether a task's runner installs packages before its tests run.
#[must_use]
pub fn installs(runner: &str) -> bool {
    INSTALLS.as_ref().is_some_and(|it| it.is_match(runner))
}

/// What is said before suites run without a network, where some of them install packages: what is
/// so, and what to do.
#[must_use]
pub fn lack<'a>(
    dataset: &Path,
    limits: &SandboxLimits,
    tasks: impl IntoIterator<Item = &'a TaskKey>,
) -> Option<(String, &'static str)> {
    if limits.network {
        return None;
    }
    let tasks: BTreeSet<&TaskKey> = tasks.into_iter().collect();
    let does_install = |task: &&&TaskKey| {
        let runner = files::read(&task_dir(dataset, task).join("runner.sh"));
        runner.is_ok_and(|runner| installs(&String::from_utf8_lossy(&runner)))
    };
    let some = tasks.iter().filter(does_install).count();
    (some > 0).then(|| {
        let verb = by_number(some, "installs", "install");
        let what = format!(
            "sandboxes have no network, and {some} of {} {verb} packages before the tests run",
            plural(tasks.len(), "task")
        );
        (what, "set network = true in [native]")
    })
}

/// Trouble of a suite whose sandbox had no network, with what to set where that may be why.
pub(super) fn explained(mut trouble: Trouble) -> Trouble {
    let is_why = trouble.rule == RuleId::DEPENDENCY_DOWNLOAD;
    let may_be_why = trouble.rule == RuleId::SUITE_BROKEN || trouble.rule == RuleId::SUITE_TIMEOUT;
    if trouble.text.ends_with(SETTING) {
        return trouble;
    }
    let if_so = if is_why { "" } else { "if this one needs it, " };
    if is_why || may_be_why {
        trouble.text = format!("{}; suites have no network: {if_so}{SETTING}", trouble.text);
    }
    trouble
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runners_install_packages_by_these_calls() {
        for runner in [
            "set -e\npip install -e '.[test]' || pip install -e .",
            "python3 -m pip install pytest",
            "if uv pip install --system -e .; then",
            "    uv sync",
            "npm ci",
            "npx pnpm@8 test src",
            "go mod download",
            "apt-get -qq install -y make",
        ] {
            assert!(installs(runner), "{runner}");
        }
        for runner in [
            "# pip install pytest\npython -m pytest tests",
            "go test ./... -v",
            "pnpm test src",
            "cargo test -p typst-tests",
            "echo no snippet install",
            "",
        ] {
            assert!(!installs(runner), "{runner}");
        }
    }

    #[test]
    fn trouble_that_a_network_may_mend_names_the_setting_once() {
        let of = |rule| explained(explained(Trouble::new(rule, "it broke"))).text;
        assert_eq!(
            of(RuleId::SUITE_BROKEN),
            "it broke; suites have no network: if this one needs it, `network = true` in [native] gives sandboxes one"
        );
        assert_eq!(of(RuleId::SUITE_TIMEOUT), of(RuleId::SUITE_BROKEN));
        let certain = explained(Trouble::new(RuleId::DEPENDENCY_DOWNLOAD, "curl: (6) x"));
        assert_eq!(
            certain.text,
            "curl: (6) x; suites have no network: `network = true` in [native] gives sandboxes one"
        );
        assert_eq!(of(RuleId::CONTAINER_LOST), "it broke");
    }
}
