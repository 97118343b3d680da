//! The keys whose values are words of a closed list: a slip is answered with the list.

use toml::Value;

use super::executor::ExecutorKind;
use super::keys::{Mistake, Order};
use crate::bench::word::Listed;
use crate::bench::{BackendKind, EngineKind, RuleSet, Setting};
use crate::error::likely;

/// What is wrong with the words, before they are typed. What is no text at all is another mistake.
pub(super) fn mistakes<'a>(value: impl Fn(&str) -> Option<&'a Value>) -> Vec<Mistake> {
    let word = |key| value(key).and_then(Value::as_str);
    let mut wrong = Vec::new();
    if let Some(engine) = word("experiment.engine") {
        match one_of(
            "experiment.engine",
            engine,
            EngineKind::LIST.iter().copied(),
        ) {
            Ok(engine) => {
                if let Some(backend) = word("experiment.backend") {
                    let backends = engine.backends().iter().copied();
                    wrong.extend(one_of("experiment.backend", backend, backends).err());
                }
            }
            Err(mistake) => wrong.push(mistake),
        }
    }
    let settings = value("experiment.settings").and_then(Value::as_array);
    for setting in settings.into_iter().flatten().filter_map(Value::as_str) {
        let all = Setting::LIST.iter().copied();
        wrong.extend(one_of("experiment.settings", setting, all).err());
    }
    if let Some(backend) = word("evaluation.suite_backend") {
        let suites = BackendKind::ALL.into_iter();
        let suites = suites.filter(|kind| kind.runs_commands());
        wrong.extend(one_of("evaluation.suite_backend", backend, suites).err());
    }
    if let Some(order) = word("experiment.order") {
        let all = Order::LIST.iter().copied();
        wrong.extend(one_of("experiment.order", order, all).err());
    }
    if let Some(executor) = word("executor.executor") {
        let all = ExecutorKind::LIST.iter().copied();
        wrong.extend(one_of("executor.executor", executor, all).err());
    }
    if let Some(rules) = word("evaluation.rules") {
        let all = RuleSet::LIST.iter().copied();
        wrong.extend(one_of("evaluation.rules", rules, all).err());
    }
    wrong
}

fn one_of<K: Listed>(
    key: &'static str,
    word: &str,
    list: impl Iterator<Item = K> + Clone,
) -> Result<K, Mistake> {
    let mut known = list.clone();
    if let Some(found) = known.find(|known| known.word() == word) {
        return Ok(found);
    }
    let names: Vec<&str> = list.map(Listed::word).collect();
    let near = likely(word, &names);
    let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
    let names = names.join(", ");
    Err((
        key,
        format!("is `{word}`, but it must be one of {names}{near}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Layers};
    use super::*;
    use crate::error::Result;

    fn config(words: &[(&str, &str)]) -> Result<Config> {
        let mut layers = Layers::defaults();
        for (key, word) in words {
            layers.set(key, word, "--flag")?;
        }
        layers.config()
    }

    #[test]
    fn the_words_are_the_names() {
        for engine in EngineKind::ALL {
            for backend in engine.backends() {
                let words = [
                    ("experiment.engine", engine.name()),
                    ("experiment.backend", backend.name()),
                ];
                let experiment = config(&words).unwrap().experiment;
                assert_eq!((experiment.engine, experiment.backend), (engine, *backend));
            }
        }
        for backend in BackendKind::ALL.into_iter().filter(|it| it.runs_commands()) {
            let found = config(&[("evaluation.suite_backend", backend.name())]).unwrap();
            assert_eq!(found.evaluation.suite_backend, Some(backend));
        }
    }

    #[test]
    fn another_word_is_answered_with_those_that_there_are() {
        let native = ("experiment.engine", "native");
        for (words, why) in [
            (
                &[("experiment.engine", "nativ")][..],
                "experiment.engine is `nativ`, but it must be one of upstream, native; did you mean `native`? (--flag)",
            ),
            (
                &[("experiment.backend", "namespace")],
                "experiment.backend is `namespace`, but it must be one of docker (--flag)",
            ),
            (
                &[native, ("experiment.backend", "namspace")],
                "experiment.backend is `namspace`, but it must be one of docker, oci, namespace, process, fake; did you mean `namespace`? (--flag)",
            ),
            (
                &[("evaluation.suite_backend", "fake")],
                "evaluation.suite_backend is `fake`, but it must be one of docker, oci, namespace, process (--flag)",
            ),
        ] {
            assert_eq!(config(words).unwrap_err().to_string(), why);
        }
    }
}
