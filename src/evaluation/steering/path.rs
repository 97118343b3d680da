//! Which files steer tests, by their paths.

use super::sections::FileFormat;
use crate::evaluation::patterns::patterns;

/// How a file at a path steers tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steers {
    /// All of the file does.
    Whole,
    /// It stands before a program or module of a test tool, where the base has no such file.
    Shim,
    /// It does where it says one of these.
    Saying(&'static [&'static str]),
    /// The same, where the base has no such file: one that only changes a source is the work itself.
    NewSaying(&'static [&'static str]),
    /// Sections or keys of it do.
    Parts(FileFormat),
}

patterns! {
    // Files of this name, wherever they are: of git, pytest and Python, of JavaScript's runners, of
    // cargo and go, of what chooses a toolchain.
    WHOLE = r"(?x)^(?:
        \.gitattributes | conftest\.py | \.?pytest\.(?:ini|toml) | nose\.cfg | unittest\.cfg | \.coveragerc |
        (?:site|user)customize\.py | .*\.pyc | .*\.egg-link |
        (?:jest|vitest|karma|ava|playwright|cypress|babel|wtr)\.(?:config|conf|setup|workspace|preset)(?:\..*)? |
        setup-?[jJ]est\..* | (?:jest|vitest|test)[-.]setup\..* | [sS]etup-?[tT]ests?\.[cm]?[jt]sx? | global-?[sS]etup\..* |
        \.mocharc(?:\..*)? | mocha\.opts | jasmine\.json | \.taprc | \.babelrc(?:\..*)? | \.swcrc | \.npmrc | \.yarnrc(?:\.yml)? |
        go\.(?:work|env) | nextest\.toml | rust-toolchain(?:\.toml)? |
        \.python-version | \.node-version | \.nvmrc | \.go-version | \.tool-versions | \.?mise\.toml | \.envrc
    )$";
    // Anything in such a directory.
    WHOLE_DIR = r"(?x)(?:^|/)(?:
        \.husky | \.githooks | node_modules | __mocks__ | \.?venv | [^/]+\.egg-info | [^/]+\.dist-info | (?:site|dist)-packages |
        vendor/(?:.*/)?(?:testify|gotest\.tools|go-cmp|ginkgo|gomega|check\.v1)
    )/";
    WHOLE_PATH = r"(?:^|/)\.cargo/config(?:\.toml)?$|^[^/]+\.pth$";
    // A tool's name, as a program or as a module that a runner would find first.
    PROGRAM = r"(?x)^(?:py\.?test | python[\d.]* | pip[\d.]* | tox | nox | uv | poetry | go | gotestsum | cargo(?:-nextest)? | rustc |
        node | npm | npx | pnpm | yarn | bun | deno | jest | vitest | mocha | make | git | env | bash | sh)$";
    MODULE = r"^(?:src/)?(?:pytest|_pytest|pluggy|iniconfig|xdist|nose|nose2|unittest|doctest)(?:\.py|/__(?:init|main)__\.py)$";
    // Scripts that a task's runner may start, where it names them.
    SCRIPT = r"(?i)^(?:(?:run|do|exec)[-_]?)?(?:all[-_]?)?(?:runner|tests?|checks?|ci)(?:\.(?:sh|bash|py|[cm]?[jt]s|pl|rb))?$";
    BUILD_TOOL = r"^(?:(?:GNUm|M|m)akefile|.*\.mk|[jJ]ustfile|\.justfile|Taskfile\.ya?ml|Rakefile|noxfile\.py|CMakeLists\.txt)$";
    // Files of a runner's own, where it names them; not those with dependencies.
    SETTINGS = r"\.(?:sh|bash|bats|py|pl|rb|[cm]?[jt]s|env|cfg|conf|ini|ya?ml|mk|awk|sed)$";
    DEPENDENCIES = r"^(?:requirements.*|setup\.py|pnpm-.*|environment\.ya?ml|tsconfig.*)$";
    STARTS_ONE = r"\b(?:g?make|just|task|rake|nox|cmake|ctest)\b";
}

/// Vite's configuration is the build's, and vitest's where it has a section for it.
const VITEST: &[&str] = &["test:", "'test'", "\"test\"", "vitest"];
/// What takes a go test binary's fate in its hands.
pub(super) const TEST_MAIN: &[&str] = &["func TestMain(", "func init()"];
/// Flags of a go test binary that are set from inside.
const TEST_FLAGS: &[&str] = &["test.run", "test.skip"];

/// Whether a text has a word by itself.
fn says_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-' || c == '.';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// How a path steers the tests of a task with this runner, if it does.
#[must_use]
pub fn steers(path: &str, runner: &str) -> Option<Steers> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_whole = WHOLE.is_match(name)
        || WHOLE_DIR.is_match(path)
        || WHOLE_PATH.is_match(path)
        || (SCRIPT.is_match(name) && says_word(runner, name))
        || (BUILD_TOOL.is_match(name) && STARTS_ONE.is_match(runner));
    if is_whole {
        return Some(Steers::Whole);
    }
    if PROGRAM.is_match(name) || MODULE.is_match(path) {
        return Some(Steers::Shim);
    }
    if let Some(format) = FileFormat::of(name) {
        return Some(Steers::Parts(format));
    }
    let ends = |end: &str| name.ends_with(end);
    if name.starts_with("vite.config.") {
        Some(Steers::Saying(VITEST))
    } else if ends("_test.go") {
        Some(Steers::Saying(TEST_MAIN))
    } else if ends(".go") {
        Some(Steers::NewSaying(TEST_FLAGS))
    } else if SETTINGS.is_match(name) && !DEPENDENCIES.is_match(name) && says_word(runner, path) {
        Some(Steers::Whole)
    } else {
        None
    }
}

/// The text of a runner without the files that the features' own patches change: what it names of
/// those is the work, and what else it names is its own.
#[must_use]
pub fn harness(runner: &str, features: &[&[u8]]) -> String {
    let mut text = runner.to_owned();
    for patch in features {
        for line in patch.split(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            let path = line
                .strip_prefix("+++ b/")
                .or_else(|| line.strip_prefix("--- a/"))
                .or_else(|| line.strip_prefix("rename to "));
            if let Some(path) = path.filter(|path| !path.is_empty()) {
                text = text.replace(path, "");
            }
        }
    }
    text
}

/// The paths in a patch's headers that may steer. It errs on the side of more; git knows.
#[must_use]
pub fn named(patch: &[u8], runner: &str) -> Vec<String> {
    // Looked for once, whatever the number of files.
    let says = [VITEST, TEST_MAIN, TEST_FLAGS].map(|words| {
        std::cell::LazyCell::new(move || {
            words.iter().any(|word| {
                let word = word.as_bytes();
                patch.windows(word.len()).any(|part| part == word)
            })
        })
    });
    let [vitest, main, flags] = &says;
    let asks = |path: &str| match steers(path, runner) {
        None => false,
        Some(Steers::Saying(words)) if words == VITEST => **vitest,
        Some(Steers::Saying(_)) => **main,
        Some(Steers::NewSaying(_)) => **flags,
        Some(_) => true,
    };
    let starts = [&b"diff "[..], b"--- ", b"+++ ", b"rename ", b"copy "];
    let mut found = Vec::new();
    for line in patch.split(|byte| *byte == b'\n') {
        if !starts.iter().any(|start| line.starts_with(start)) {
            continue;
        }
        let line = String::from_utf8_lossy(line);
        for word in line.split_whitespace() {
            let word = word.trim_matches('"');
            let inner = word.split_once('/').map_or(word, |(_, inner)| inner);
            // A name that git quotes is not read here.
            if asks(inner) || asks(word) || word.contains('\\') {
                found.push(inner.to_owned());
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_tests_is_known_by_its_path() {
        for path in [
            ".gitattributes",
            "pkg/.gitattributes",
            "conftest.py",
            "src/a/conftest.py",
            "pytest.ini",
            "jest.config.ts",
            "vitest.config.mts",
            "web/.mocharc.yml",
            ".cargo/config.toml",
            "crates/a/.cargo/config",
            "go.work",
            "sitecustomize.py",
            "fast.pth",
            "quay.egg-info/entry_points.txt",
            "node_modules/.bin/jest",
            "__mocks__/fs.js",
            ".config/nextest.toml",
            "src/__pycache__/a.cpython-311.pyc",
            "vendor/github.com/stretchr/testify/assert/a.go",
            "babel.config.js",
            "src/setupTests.ts",
            "rust-toolchain.toml",
        ] {
            assert_eq!(steers(path, ""), Some(Steers::Whole), "{path}");
        }
        for path in [
            "bin/pytest",
            "tools/go",
            "pytest.py",
            "src/_pytest/__init__.py",
            "unittest/__main__.py",
        ] {
            assert_eq!(steers(path, ""), Some(Steers::Shim), "{path}");
        }
        for path in [
            "src/quay.py",
            "README.md",
            "src/contest.py",
            "src/runner.py",
            "Makefile",
            "build.rs",
            "src/jest/index.ts",
            "go.sum",
            "Cargo.lock",
            "setup.py",
            "src/check.py",
            "docs/pytest.md",
            "py/quay.py",
            "weights/model.pth",
            "check",
            "lib/unittest/a.py",
            "tsconfig.json",
            "src/make.rs",
        ] {
            assert_eq!(steers(path, "pytest -q"), None, "{path}");
        }
        // What the runner starts.
        assert_eq!(steers("Makefile", "make check"), Some(Steers::Whole));
        assert_eq!(
            steers("scripts/run_tests.sh", "bash scripts/run_tests.sh"),
            Some(Steers::Whole)
        );
        assert_eq!(
            steers("etc/quay.cfg", "./run etc/quay.cfg"),
            Some(Steers::Whole)
        );
        assert_eq!(
            steers("requirements.txt", "pip install -r requirements.txt"),
            None
        );
        // But what the features' own patches change is the work.
        let rest = harness(". ./quay.sh; . ./all.sh", &[b"+++ b/quay.sh\n"]);
        assert_eq!(steers("quay.sh", &rest), None);
        assert_eq!(steers("all.sh", &rest), Some(Steers::Whole));
        assert_eq!(ALL.len(), 10);
    }

    #[test]
    fn a_patch_is_asked_by_its_headers() {
        let asks = |text: &str| !named(text.as_bytes(), "").is_empty();
        assert!(asks("diff --git a/conftest.py b/conftest.py\n"));
        assert!(asks("--- /dev/null\n+++ b/a b/conftest.py\n"));
        assert!(asks(
            "diff --git \"a/\\143onftest.py\" \"b/\\143onftest.py\"\n"
        ));
        assert!(asks("rename from a.py\nrename to conftest.py\n"));
        assert!(!asks("diff --git a/src/a.go b/src/a.go\n+// conftest.py\n"));
        assert!(asks(
            "diff --git a/src/a.go b/src/a.go\n+flag.Set(\"test.run\", \"A\")\n"
        ));
    }
    #[test]
    fn a_runner_names_a_file_by_its_whole_name_only() {
        for (runner, is_named) in [
            ("bash quay.sh", true),
            ("(quay.sh)", true),
            ("bash my_quay.sh", false),
            ("bash my-quay.sh", false),
            ("bash my.quay.sh", false),
            ("bash myquay.sh", false),
            ("bash quay.sh-old", false),
        ] {
            assert_eq!(says_word(runner, "quay.sh"), is_named, "{runner}");
        }
    }

    #[test]
    fn a_file_that_the_runner_names_steers_where_it_is_a_setting_and_no_dependency() {
        let runner = "pytest --config quay.yaml < pier.csv; pip install -r requirements.py";
        for (path, steers_it) in [
            ("quay.yaml", Some(Steers::Whole)),
            ("mole.yaml", None),
            ("pier.csv", None),
            ("requirements.py", None),
        ] {
            assert_eq!(steers(path, runner), steers_it, "{path}");
        }
    }

    #[test]
    fn files_that_steer_by_what_they_say_are_asked_for_it() {
        let asks = |text: &str| !named(text.as_bytes(), "").is_empty();
        for (path, says, is_asked) in [
            ("vite.config.ts", "test: {}", true),
            ("vite.config.ts", "plugins: []", false),
            ("vite.config.ts", "func TestMain(m *testing.M) {}", false),
            ("a_test.go", "func TestMain(m *testing.M) {}", true),
            ("a_test.go", "a := \"vitest\"", false),
            ("a.go", "flag.Set(\"test.run\", \"A\")", true),
        ] {
            let patch = format!("diff --git a/{path} b/{path}\n+{says}\n");
            assert_eq!(asks(&patch), is_asked, "{patch}");
        }
        // A path with git's letter before it, and one without.
        assert!(asks("+++ b/pytest.py\n"));
        assert!(asks("rename to .config/nextest.toml\n"));
    }
}
