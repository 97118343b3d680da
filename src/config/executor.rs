//! `[executor]`: where attempts run.

use serde::Deserialize;

use crate::bench::word::Listed;
use crate::bench::{BackendKind, EngineKind};

/// A key, and what is wrong with its value.
type Mistake = (&'static str, String);

/// Where the batches of attempts run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutorKind {
    /// In this process.
    Here,
    /// In workers that Slurm starts.
    Slurm,
}

impl Listed for ExecutorKind {
    const LIST: &'static [Self] = &[Self::Here, Self::Slurm];

    fn word(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::Slurm => "slurm",
        }
    }
}

/// `[executor]`: where attempts run, and what is asked of Slurm.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "default-config.toml is the reference")]
pub struct ExecutorConfig {
    pub executor: ExecutorKind,
    pub workers: usize,
    pub nodes: Option<usize>,
    pub partition: Option<String>,
    pub account: Option<String>,
    pub time: Option<String>,
    pub sbatch: Option<String>,
    pub address: Option<std::net::IpAddr>,
}

impl ExecutorConfig {
    /// How many workers there are at most.
    #[must_use]
    pub fn most_workers(&self) -> usize {
        self.nodes.unwrap_or(self.workers)
    }

    /// The further arguments of `sbatch`, in words; `None` where they end within a quotation.
    #[must_use]
    pub fn sbatch_words(&self) -> Option<Vec<String>> {
        self.sbatch
            .as_deref()
            .map_or(Some(Vec::new()), shlex::split)
    }

    /// What is wrong with it, for an engine and a backend.
    pub(super) fn mistakes(&self, engine: EngineKind, backend: BackendKind) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        for (key, value) in [
            ("executor.workers", Some(self.workers)),
            ("executor.nodes", self.nodes),
        ] {
            if value == Some(0) {
                mistakes.push((key, "must be at least 1".to_owned()));
            }
        }
        for (key, value) in [
            ("executor.partition", &self.partition),
            ("executor.account", &self.account),
            ("executor.time", &self.time),
        ] {
            let is_wrong = |text: &String| {
                text.is_empty()
                    || text.starts_with('-')
                    || text.chars().any(|c| c.is_control() || c == ' ')
            };
            if value.as_ref().is_some_and(is_wrong) {
                let why =
                    "is no word that sbatch takes: it is empty, begins with `-`, or holds a space";
                mistakes.push((key, why.to_owned()));
            }
        }
        if self.sbatch_words().is_none() {
            let why = "ends within a quotation: close the quote".to_owned();
            mistakes.push(("executor.sbatch", why));
        }
        if self.executor == ExecutorKind::Slurm {
            if engine != EngineKind::Native {
                let why = "is slurm, whose workers need no daemon, and the upstream engine needs Docker: write engine = \"native\" and backend = \"oci\" or \"namespace\"";
                mistakes.push(("executor.executor", why.to_owned()));
            } else if !backend.needs_namespaces() {
                let why = format!(
                    "is slurm, whose nodes have nothing but the kernel, and the backend is {}: write backend = \"oci\" or \"namespace\"",
                    backend.name()
                );
                mistakes.push(("executor.executor", why));
            }
        }
        mistakes
    }
}
