//! Files of which only sections or keys are test configuration. Pure.

use indexmap::IndexMap;
use serde_json::value::RawValue;
use toml::{Table, Value};

use super::base::Back;

/// The file's format, with which parts of it steer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// Sections of an INI file; one that ends in `*` stands for all that begin so.
    Ini(&'static [&'static str]),
    /// Keys of a TOML file, with dots; `*` is any one key.
    Toml(&'static [&'static str]),
    /// Keys of a `package.json` and of what is like it.
    PackageJson,
    /// A `go.mod`: replacements of test libraries by something local.
    GoMod,
}

const PYPROJECT: &[&str] = &[
    "tool.pytest",
    "tool.pytest_env",
    "tool.pytest-env",
    "tool.tox",
    "tool.nox",
    "tool.coverage",
    "tool.hatch.envs.*.scripts",
    "tool.poe.tasks",
    "tool.pdm.scripts",
    "tool.rye.scripts",
    "tool.taskipy.tasks",
    // Only pytest reads these.
    "project.entry-points.pytest11",
    "tool.poetry.plugins.pytest11",
];
const CARGO: &[&str] = &[
    "test",
    "package.autotests",
    "lib.test",
    "lib.doctest",
    "lib.harness",
    "profile.test",
    "profile.dev.overflow-checks",
    "profile.dev.debug-assertions",
    "profile.dev.panic",
];
/// Keys of a package.json that belong to a test runner.
const JS_KEYS: [&str; 9] = [
    "jest", "vitest", "mocha", "ava", "babel", "jasmine", "tap", "c8", "nyc",
];
/// Objects of a package.json that name packages, with their versions or paths.
const JS_DEPENDENCIES: [&str; 5] = [
    "dependencies",
    "devDependencies",
    "overrides",
    "resolutions",
    "imports",
];
/// Test libraries, by a part of their names.
const JS_LIBRARIES: [&str; 8] = [
    "jest", "vitest", "mocha", "chai", "ava", "jasmine", "expect", "tap",
];
const GO_LIBRARIES: [&str; 6] = [
    "testify",
    "gotest.tools",
    "go-cmp",
    "ginkgo",
    "gomega",
    "check.v1",
];

impl FileFormat {
    /// The format of a file of this name, if only parts of it steer.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "setup.cfg" => {
                Self::Ini(&["tool:pytest", "pytest", "aliases", "nosetests", "unittest"])
            }
            "tox.ini" => Self::Ini(&["pytest", "tox", "testenv*"]),
            "pyproject.toml" => Self::Toml(PYPROJECT),
            "Cargo.toml" => Self::Toml(CARGO),
            "bunfig.toml" => Self::Toml(&["test", "preload"]),
            "package.json" | "deno.json" | "deno.jsonc" => Self::PackageJson,
            "go.mod" => Self::GoMod,
            _ => return None,
        })
    }

    /// The file with these parts as in the base. One that cannot be read is the base's as a whole.
    #[must_use]
    pub fn put_back(self, base: Option<&[u8]>, work: Option<&[u8]>) -> Back {
        let read = |bytes: Option<&[u8]>| {
            let text = std::str::from_utf8(bytes.unwrap_or_default());
            text.ok().map(str::to_owned)
        };
        // A whole file that goes takes its settings along.
        let (Some(before), Some(after), Some(_)) = (read(base), read(work), work) else {
            return Back::to(base);
        };
        let edited = match self {
            Self::Ini(sections) => ini(&before, &after, sections),
            Self::Toml(keys) => toml(&before, &after, keys).unwrap_or(Edited::Unreadable),
            Self::PackageJson => package(&before, &after).unwrap_or(Edited::Unreadable),
            Self::GoMod => go_mod(&before, &after),
        };
        match edited {
            Edited::Unreadable => Back::to(base),
            Edited::Not => Back::Untouched,
            Edited::To(text) if base.is_none() && text.trim().is_empty() => Back::Gone,
            Edited::To(text) => Back::File(text.into_bytes()),
        }
    }
}

/// What became of a text.
enum Edited {
    /// It has no such format.
    Unreadable,
    /// It is as it was.
    Not,
    /// The text of the file with the base's sections put back.
    To(String),
}

/// The text of each section, with its header; what is before the first has no name.
fn ini_sections(text: &str) -> Vec<(String, String)> {
    let mut sections = vec![(String::new(), String::new())];
    for line in text.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix('[')
            && let Some((name, _)) = rest.split_once(']')
        {
            sections.push((name.trim().to_owned(), String::new()));
        }
        if let Some((_, text)) = sections.last_mut() {
            text.push_str(line);
        }
    }
    sections
}

fn ini(before: &str, after: &str, steering: &[&str]) -> Edited {
    let steers = |name: &str| {
        steering.iter().any(|it| match it.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *it,
        })
    };
    let of = |text: &str| -> Vec<(String, String)> {
        let all = ini_sections(text).into_iter();
        all.filter(|(name, _)| steers(name)).collect()
    };
    let settings = |sections: &[(String, String)]| -> Vec<String> {
        let lines = sections.iter().flat_map(|(_, text)| text.lines());
        let lines = lines
            .map(str::trim_end)
            .filter(|line| !line.is_empty() && !line.starts_with(['#', ';']));
        lines.map(str::to_owned).collect()
    };
    let (old, new) = (of(before), of(after));
    if settings(&old) == settings(&new) {
        return Edited::Not;
    }
    let mut back = String::new();
    let kept = ini_sections(after);
    let kept = kept.iter().filter(|(name, _)| !steers(name));
    for (_, text) in kept.chain(&old) {
        back.push_str(text);
        if !back.is_empty() && !back.ends_with('\n') {
            back.push('\n');
        }
    }
    Edited::To(back)
}

/// `None` where it cannot be read.
fn toml(before: &str, after: &str, keys: &[&str]) -> Option<Edited> {
    let before: Table = before.parse().ok()?;
    let mut after: Table = after.parse().ok()?;
    let mut differs = false;
    for key in keys {
        let path: Vec<&str> = key.split('.').collect();
        differs |= toml_key(Some(&before), &mut after, &path);
    }
    if !differs {
        return Some(Edited::Not);
    }
    toml::to_string(&after).ok().map(Edited::To)
}

/// Puts one key back; says whether it differs.
fn toml_key(before: Option<&Table>, after: &mut Table, path: &[&str]) -> bool {
    let [key, rest @ ..] = path else { return false };
    if *key == "*" {
        let mut names: Vec<String> = after.keys().cloned().collect();
        names.extend(before.into_iter().flat_map(Table::keys).cloned());
        names.sort();
        names.dedup();
        let differs = names.iter().map(|name| {
            let path: Vec<&str> = std::iter::once(name.as_str())
                .chain(rest.iter().copied())
                .collect();
            toml_key(before, after, &path)
        });
        return differs.fold(false, |one, other| one | other);
    }
    let old = before.and_then(|table| table.get(*key));
    if rest.is_empty() {
        if old == after.get(*key) {
            return false;
        }
        match old {
            Some(old) => after.insert((*key).to_owned(), old.clone()),
            None => after.remove(*key),
        };
        return true;
    }
    let old = old.and_then(Value::as_table);
    match after.get_mut(*key) {
        Some(Value::Table(table)) => toml_key(old, table, rest),
        None if old.is_some() => {
            let mut table = Table::new();
            let differs = toml_key(old, &mut table, rest);
            if differs {
                after.insert((*key).to_owned(), Value::Table(table));
            }
            differs
        }
        Some(_) | None => false,
    }
}

type Keys = IndexMap<String, Box<RawValue>>;

/// `None` where it cannot be read; the other keys stay as they are, and in their order, which has a meaning.
fn package(before: &str, after: &str) -> Option<Edited> {
    let read = |text: &str| -> Option<Keys> {
        match text.trim() {
            "" => Some(Keys::new()),
            text => serde_json::from_str(text).ok(),
        }
    };
    let (before, mut after) = (read(before)?, read(after)?);
    let mut differs = put_keys(&before, &mut after, |key, _| JS_KEYS.contains(&key));
    let mut inner = |name: &str, steers: &dyn Fn(&str, &RawValue) -> bool| -> Option<()> {
        let of = |keys: &Keys| match keys.get(name) {
            None => Keys::new(),
            Some(value) => serde_json::from_str(value.get()).unwrap_or_default(),
        };
        let (old, mut new) = (of(&before), of(&after));
        if put_keys(&old, &mut new, steers) {
            differs = true;
            after.insert(name.to_owned(), serde_json::value::to_raw_value(&new).ok()?);
        }
        Some(())
    };
    let is_test = |key: &str, _: &RawValue| {
        let key = key
            .strip_prefix("pre")
            .or(key.strip_prefix("post"))
            .unwrap_or(key);
        key == "test" || key == "tests" || key.starts_with("test:")
    };
    inner("scripts", &is_test)?;
    inner("tasks", &is_test)?;
    let is_local = |key: &str, value: &RawValue| {
        let value = value.get().trim_matches('"');
        let is_library = JS_LIBRARIES.iter().any(|library| key.contains(library));
        is_library
            && ["file:", "link:", "portal:", "npm:", ".", "/"]
                .iter()
                .any(|it| value.starts_with(it))
    };
    for name in JS_DEPENDENCIES {
        inner(name, &is_local)?;
    }
    if !differs {
        return Some(Edited::Not);
    }
    let text = serde_json::to_string_pretty(&after).ok()?;
    Some(Edited::To(text + "\n"))
}

/// Puts keys back that steer, in one object or the other; says whether any differs.
fn put_keys(before: &Keys, after: &mut Keys, steers: impl Fn(&str, &RawValue) -> bool) -> bool {
    let differs = |key: &str, after: &Keys| {
        let value = |keys: &Keys| {
            keys.get(key)
                .and_then(|raw| serde_json::from_str::<serde_json::Value>(raw.get()).ok())
        };
        value(before) != value(after)
    };
    let both = before.iter().chain(after.iter());
    let names: Vec<String> = both
        .filter(|(key, value)| steers(key, value) && differs(key, after))
        .map(|(key, _)| key.clone())
        .collect();
    for name in &names {
        match before.get(name) {
            Some(old) => after.insert(name.clone(), old.clone()),
            None => after.shift_remove(name),
        };
    }
    !names.is_empty()
}

fn go_mod(before: &str, after: &str) -> Edited {
    let steers = |line: &&str| {
        line.split_once("=>").is_some_and(|(module, by)| {
            let by = by.trim_start();
            GO_LIBRARIES.iter().any(|library| module.contains(library))
                && (by.starts_with('.') || by.starts_with('/'))
        })
    };
    let old: Vec<&str> = before.lines().filter(steers).collect();
    let new = after.lines().filter(steers);
    if new.eq(old.iter().copied()) {
        return Edited::Not;
    }
    let kept = after
        .lines()
        .filter(|line| !steers(line) || old.contains(line));
    Edited::To(kept.flat_map(|line| [line, "\n"]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(name: &str, base: Option<&str>, work: Option<&str>) -> Back {
        let format = FileFormat::of(name).unwrap();
        format.put_back(base.map(str::as_bytes), work.map(str::as_bytes))
    }

    fn file(text: &str) -> Back {
        Back::File(text.as_bytes().to_vec())
    }

    fn text(name: &str, base: &str, work: &str) -> String {
        match back(name, Some(base), Some(work)) {
            Back::File(bytes) => String::from_utf8(bytes).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_the_settings_of_tests_go_back() {
        let base = "[project]\nname = \"quay\"\ndependencies = []\n[tool.pytest.ini_options]\ntestpaths = [\"tests\"]\n";
        let work = "[project]\nname = \"quay\"\ndependencies = [\"attrs\"]\n[project.scripts]\nquay = \"quay:main\"\n[tool.pytest.ini_options]\ntestpaths = [\"tests\"]\naddopts = \"-k one\"\n";
        let put = text("pyproject.toml", base, work);
        assert!(
            !put.contains("addopts")
                && put.contains("attrs")
                && put.contains("quay:main")
                && put.contains("testpaths"),
            "{put}"
        );
        // Another package's sections, a comment, or a cheat that is not there.
        let honest = work.replace(
            "addopts = \"-k one\"\n",
            "# a word\n[tool.ruff]\nline-length = 99\n",
        );
        assert_eq!(
            back("pyproject.toml", Some(base), Some(&honest)),
            Back::Untouched
        );
        // Settings that were taken away come back.
        assert!(text("pyproject.toml", base, "[project]\nname = \"quay\"\n").contains("testpaths"));
        let hatch = "[tool.hatch.envs.default.scripts]\ntest = \"true\"\n[tool.hatch.envs.default]\ndependencies = [\"x\"]\n";
        let put = text("pyproject.toml", base, &format!("{base}{hatch}"));
        assert!(
            !put.contains("test = \"true\"") && put.contains("\"x\""),
            "{put}"
        );
        // What nobody can read is the base's.
        assert_eq!(text("pyproject.toml", base, "[tool"), base);
        assert_eq!(
            back("pyproject.toml", None, Some("[tool.pytest]\nx = 1\n")),
            file("[tool]\n")
        );
    }

    #[test]
    fn cargos_targets_of_tests_go_back_and_its_dependencies_stay() {
        let base = "[package]\nname = \"quay\"\n[dependencies]\n";
        let work = "[package]\nname = \"quay\"\nautotests = false\n[lib]\nname = \"q\"\nharness = false\n[dependencies]\nlog = \"0.4\"\n[[test]]\nname = \"a\"\npath = \"b.rs\"\n[profile.test]\ndebug-assertions = false\n";
        let put = text("Cargo.toml", base, work);
        for gone in ["autotests", "harness", "b.rs", "debug-assertions"] {
            assert!(!put.contains(gone), "{put}");
        }
        assert!(
            put.contains("log = ") && put.contains("name = \"q\""),
            "{put}"
        );
        assert_eq!(
            back(
                "Cargo.toml",
                Some(base),
                Some(
                    "[package]\nname = \"quay\"\n[dependencies]\nlog = \"0.4\"\n[[bin]]\nname = \"b\"\n"
                )
            ),
            Back::Untouched
        );
    }

    #[test]
    fn of_an_ini_file_sections_go_back() {
        let base = "[metadata]\nname = quay\n\n[tool:pytest]\naddopts = -q\n";
        let put = text(
            "setup.cfg",
            base,
            "[metadata]\nname = quay2\n\n[tool:pytest]\naddopts = -q -k one\n[flake8]\nx = 1\n",
        );
        assert_eq!(
            put,
            "[metadata]\nname = quay2\n\n[flake8]\nx = 1\n[tool:pytest]\naddopts = -q\n"
        );
        assert_eq!(
            back(
                "setup.cfg",
                Some(base),
                Some("[metadata]\nname = other\n[tool:pytest]\n# a word\naddopts = -q\n")
            ),
            Back::Untouched
        );
        assert_eq!(
            back("tox.ini", None, Some("[testenv:x]\ncommands = true\n")),
            Back::Gone
        );
        assert_eq!(back("setup.cfg", Some(base), None), file(base));
    }

    #[test]
    fn of_a_package_the_runners_keys_go_back_and_the_order_stays() {
        let base = r#"{"name": "quay", "scripts": {"build": "tsc", "test": "jest"}, "exports": {"z": 1, "a": 2}}"#;
        let work = r#"{"name": "quay", "scripts": {"build": "tsc -b", "test": "true", "pretest": "rm -r tests"}, "exports": {"z": 1, "a": 3}, "jest": {"testNamePattern": "a"}, "dependencies": {"left-pad": "1"}, "devDependencies": {"jest": "file:fake", "mine": "file:mine"}}"#;
        let put = text("package.json", base, work);
        let value: serde_json::Value = serde_json::from_str(&put).unwrap();
        assert_eq!(
            value["scripts"],
            serde_json::json!({"build": "tsc -b", "test": "jest"})
        );
        assert_eq!(value.get("jest"), None);
        assert_eq!(value["dependencies"]["left-pad"], "1");
        assert_eq!(
            value["devDependencies"],
            serde_json::json!({"mine": "file:mine"})
        );
        assert!(put.find("\"z\"") < put.find("\"a\""), "{put}");
        let honest = base
            .replace("\"tsc\"", "\"tsc -b\"")
            .replace("\"exports\"", "\"bin\": \"a.js\", \"exports\"");
        assert_eq!(
            back("package.json", Some(base), Some(&honest)),
            Back::Untouched
        );
    }

    #[test]
    fn of_a_go_module_a_test_library_of_its_own_goes() {
        let base = "module example.org/quay\n\ngo 1.19\n";
        let work = format!(
            "{base}require github.com/stretchr/testify v1.8.0\nreplace github.com/stretchr/testify => ./fake\nreplace example.org/a => ./a\n"
        );
        assert_eq!(
            text("go.mod", base, &work),
            work.replace("replace github.com/stretchr/testify => ./fake\n", "")
        );
        assert_eq!(
            back(
                "go.mod",
                Some(base),
                Some(&format!("{base}require example.org/a v1.0.0\n"))
            ),
            Back::Untouched
        );
    }
    #[test]
    fn every_differing_key_of_a_table_goes_back() {
        let base = "[tool.hatch.envs.one.scripts]\nt = \"pytest\"\n[tool.hatch.envs.two.scripts]\nt = \"pytest\"\n";
        let work = base.replace("pytest", "true");
        assert_eq!(
            text("pyproject.toml", base, &work)
                .matches("pytest")
                .count(),
            2
        );
        assert_eq!(
            back(
                "bunfig.toml",
                Some("[install]\n"),
                Some("preload = [\"./a.ts\"]\n[install]\n")
            ),
            file("[install]\n")
        );
    }
}
