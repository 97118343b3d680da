//! A command of upstream's as it will be run, and as it is shown.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::engine::access::Named;
use crate::error::Result;
use crate::files;
use crate::secret::{PageMask, Secret, environment, masked, masked_url};

/// A command as it will be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The `cooperbench` program that is run.
    pub program: PathBuf,
    /// Its arguments, `run` first; the program's name is none of them.
    pub args: Vec<String>,
    /// The directory in which it runs.
    pub dir: PathBuf,
    /// What is added to its environment.
    pub env: BTreeMap<String, String>,
    /// The model's key by the variables in which it is looked for, where another one holds it. Where
    /// that one is not set, these are empty: another endpoint's key is none of this one's.
    pub keys: Vec<(&'static str, Option<Named<Secret>>)>,
    /// Files that it reads and that have to be written first, with their text.
    pub files: Vec<(PathBuf, String)>,
}

impl Invocation {
    /// The command line, quoted for a shell; the passwords of URLs are masked.
    #[must_use]
    pub fn shell(&self) -> String {
        let program = self.program.display().to_string();
        let words = std::iter::once(program.as_str()).chain(self.args.iter().map(String::as_str));
        words
            .map(|word| quoted(&masked_url(word)))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The environment it adds, quoted, secrets masked; of a key the variable that holds it.
    #[must_use]
    pub fn shown_env(&self) -> Vec<String> {
        let env = self.env.iter();
        let env = env.map(|(name, value)| format!("{name}={}", quoted(&masked(name, value))));
        let keys = self.keys.iter().map(|(name, key)| match key {
            Some(key) => format!("{name}=${}", key.by),
            None => format!("{name}="),
        });
        env.chain(keys).collect()
    }

    /// What hides the keys that the command has: those of its own environment and of this process's.
    #[must_use]
    pub fn mask(&self) -> PageMask {
        let of_env = |(name, value): (&String, &String)| (name.clone(), value.clone());
        let keys = self.keys.iter().filter_map(|(name, key)| {
            let value = key.as_ref()?.value.expose();
            Some(((*name).to_owned(), value.to_owned()))
        });
        PageMask::of(environment().chain(self.env.iter().map(of_env)).chain(keys))
    }

    /// Writes the files that the command reads.
    pub fn write_files(&self) -> Result<()> {
        for (path, text) in &self.files {
            if let Some(dir) = path.parent() {
                files::create_dir(dir)?;
            }
            files::write_atomic(path, text.as_bytes())?;
        }
        Ok(())
    }
}

fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| format!("{word:?}"), std::borrow::Cow::into_owned)
}
