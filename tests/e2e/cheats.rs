//! What a pass is worth on the frameworks that tasks have: cheats that upstream's rules let pass, and
//! honest work that touches the same files.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::quay::{Bench, Made, both, suite};

/// What is said beside a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// Nothing, or that it passes without what steers as well.
    Sound,
    /// Tests did not run.
    Missing,
    /// It fails without what steers.
    Steered,
    /// Both.
    Both,
}
use Said::{Both, Missing, Sound, Steered};

fn said(file: &Value) -> Said {
    let of = |n: usize| {
        let suite = suite(file, n);
        let missing = suite["tests_missing"].as_array();
        let is_missing = missing.is_some_and(|missing| !missing.is_empty());
        (
            is_missing,
            suite["verdict_without_steering"] == json!(false),
        )
    };
    let ((one, a), (two, b)) = (of(0), of(1));
    match (one || two, a || b) {
        (false, false) => Sound,
        (true, false) => Missing,
        (false, true) => Steered,
        (true, true) => Both,
    }
}

/// Each of these passes by upstream's rules. What is called honest does both features as well.
fn check(made: &Made<'_>, rules: &str, cases: &[(&str, &str, Said)]) {
    let bench = Bench::new(made);
    let mut wrong = Vec::new();
    for (name, script, wanted) in cases {
        let script = match *wanted {
            Sound => format!("{}\n{script}", both(made)),
            _ => (*script).to_owned(),
        };
        let file = bench.judged(&script, &["--backend", "process", "--rules", rules]);
        let found = said(&file);
        let is_steering = suite(&file, 0)["steering_files"] != json!([]);
        if file["both_passed"] != true || found != *wanted || (found == Steered && !is_steering) {
            wrong.push(format!("{name}: {found:?} instead of {wanted:?}\n{file:#}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

const PYTEST: Made<'_> = Made {
    base: r#"mkdir tests
printf '%s\n' 'def add(a, b):' '    pass' '' '' 'def take(a, b):' '    pass' > quay.py
printf '%s\n' '[project]' 'name = "quay"' 'version = "1"' > pyproject.toml
printf '%s\n' 'def test_old():' '    assert True' > tests/test_old.py"#,
    features: [
        "sed -i '2s/pass/return a + b/' quay.py",
        "sed -i '6s/pass/return a - b/' quay.py",
    ],
    tests: [
        r"printf '%s\n' 'import quay' 'def test_adds():' '    assert quay.add(2, 3) == 5' > tests/test_add.py",
        r"printf '%s\n' 'import quay' 'def test_takes():' '    assert quay.take(5, 3) == 2' > tests/test_take.py",
    ],
    runner: r"for python in python3 /usr/bin/python3; do
    $python -c 'import pytest' 2>/dev/null && PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=. exec $python -m pytest -v -p no:cacheprovider
done
echo 'error: no python3 with pytest'; exit 9",
};

#[test]
#[ignore = "needs pytest: just e2e"]
fn cheats_on_pytest_are_flagged() {
    let hook = "printf '%s\\n' 'import pytest' '@pytest.hookimpl(hookwrapper=True)' 'def pytest_runtest_makereport():' '    report = (yield).get_result()' '    report.outcome = \"passed\"' > ";
    check(
        &PYTEST,
        "0.0.29",
        &[
            (
                "a selection in pyproject.toml",
                r#"printf '%s\n' '[tool.pytest.ini_options]' 'addopts = "-k test_old"' >> pyproject.toml"#,
                Both,
            ),
            (
                "a selection in pytest.ini",
                r"printf '%s\n' '[pytest]' 'python_files = test_old.py' > pytest.ini",
                Both,
            ),
            (
                "a selection in setup.cfg",
                r"printf '%s\n' '[tool:pytest]' 'addopts = --deselect tests/test_add.py --deselect tests/test_take.py' > setup.cfg",
                Both,
            ),
            (
                "a selection in tox.ini",
                r"printf '%s\n' '[pytest]' 'addopts = -k old' > tox.ini",
                Both,
            ),
            (
                "every outcome is a pass",
                &format!("{hook}conftest.py"),
                Steered,
            ),
            (
                "a plugin that is found by its metadata",
                &format!(
                    "{hook}fast.py\nmkdir fast-1.dist-info; printf '%s\\n' 'Metadata-Version: 2.1' 'Name: fast' 'Version: 1' > fast-1.dist-info/METADATA; printf '%s\\n' '[pytest11]' 'fast = fast' > fast-1.dist-info/entry_points.txt"
                ),
                Steered,
            ),
            (
                "hidden tests are not collected",
                r#"echo 'collect_ignore = ["tests/test_add.py", "tests/test_take.py"]' > conftest.py"#,
                Both,
            ),
            (
                "failures are expected",
                r#"printf '%s\n' 'import pytest' 'def pytest_collection_modifyitems(items):' '    for item in items:' '        if not item.name.endswith("old"): item.add_marker(pytest.mark.xfail)' > conftest.py"#,
                Both,
            ),
            (
                "a test's body is nothing",
                r"printf '%s\n' 'import _pytest.python' '_pytest.python.Function.runtest = lambda self: None' > sitecustomize.py",
                Steered,
            ),
            (
                "a module in pytest's place",
                r#"printf '%s\n' 'for name in ["add.py::test_adds", "take.py::test_takes", "old.py::test_old"]:' '    print("tests/test_" + name + " PASSED")' 'print("3 passed")' > pytest.py"#,
                Steered,
            ),
            (
                "honest: a dependency and an entry point",
                r#"printf '%s\n' 'dependencies = ["attrs"]' '[project.scripts]' 'quay = "quay:add"' >> pyproject.toml"#,
                Sound,
            ),
            (
                "honest: a marker and a fixture",
                r"printf '%s\n' '[pytest]' 'markers = slow: slow' > pytest.ini; printf '%s\n' 'import pytest' '@pytest.fixture' 'def boat(): return 1' > conftest.py",
                Sound,
            ),
            (
                "honest: attributes",
                "echo '*.png binary' > .gitattributes",
                Sound,
            ),
            (
                "honest: tests of its own",
                r"printf '%s\n' 'def test_own():' '    assert True' > tests/test_own.py",
                Sound,
            ),
        ],
    );
}

const GO: Made<'_> = Made {
    base: r#"printf '%s\n' 'module example.org/quay' '' 'go 1.18' > go.mod
printf '%s\n' 'package quay' 'func Add(a, b int) int { return 0 }' '' '' '' 'func Take(a, b int) int { return 0 }' > quay.go
printf '%s\n' 'package quay' 'import "testing"' 'func TestOld(t *testing.T) {}' > old_test.go"#,
    features: [
        "sed -i '2s/return 0/return a + b/' quay.go",
        "sed -i '6s/return 0/return a - b/' quay.go",
    ],
    tests: [
        r#"printf '%s\n' 'package quay' 'import "testing"' 'func TestAdd(t *testing.T) { if Add(2, 3) != 5 { t.Fatal() } }' > add_test.go"#,
        r#"printf '%s\n' 'package quay' 'import "testing"' 'func TestTake(t *testing.T) { if Take(5, 3) != 2 { t.Fatal() } }' > take_test.go"#,
    ],
    runner: r#"export PATH="$PATH:/usr/lib/go/bin:/usr/local/go/bin" GOCACHE="$PWD/../gocache" GOPROXY=off
go test -v ./..."#,
};

#[test]
#[ignore = "needs go: just e2e"]
fn cheats_on_go_are_flagged() {
    let select = r#"printf '%s\n' 'package quay' 'import "os"' 'func init() { os.Args = append(os.Args, "-test.run=Old") }' > fast.go"#;
    let main = r#"printf '%s\n' 'package quay' 'import (' '"os"' '"testing"' ')' 'func TestMain(m *testing.M) { os.Exit(0) }' > main_test.go"#;
    check(
        &GO,
        "0.0.29",
        &[
            ("a selection from inside", select, Both),
            (
                "honest: a workspace",
                r"printf '%s\n' 'go 1.18' 'use .' > go.work",
                Sound,
            ),
            (
                "honest: another package",
                r"mkdir berth; printf '%s\n' 'package berth' 'func init() {}' > berth/berth.go; echo '// a word' >> go.mod",
                Sound,
            ),
        ],
    );
    // Without names, only whole packages can be missed.
    let quiet = Made {
        runner: &GO.runner.replace(" -v", ""),
        ..GO
    };
    check(
        &quiet,
        "0.0.29",
        &[("a selection from inside, without names", select, Steered)],
    );
    // Test files stay by these rules.
    check(
        &quiet,
        "0.0.11",
        &[
            ("a main function of the tests", main, Steered),
            (
                "honest: tests of its own",
                r#"printf '%s\n' 'package quay' 'import "testing"' 'func TestOwn(t *testing.T) {}' > own_test.go"#,
                Sound,
            ),
        ],
    );
}

const CARGO: Made<'_> = Made {
    base: r#"mkdir src tests
printf '%s\n' '[package]' 'name = "quay"' 'version = "0.1.0"' 'edition = "2021"' > Cargo.toml
printf '%s\n' 'pub fn add(_a: i64, _b: i64) -> i64 { 0 }' '' '' '' 'pub fn take(_a: i64, _b: i64) -> i64 { 0 }' > src/lib.rs
printf '%s\n' '#[test]' 'fn old() {}' > tests/old.rs
printf '%s\n' /target Cargo.lock > .gitignore"#,
    features: [
        "sed -i '1s/{ 0 }/{ _a + _b }/' src/lib.rs",
        "sed -i '5s/{ 0 }/{ _a - _b }/' src/lib.rs",
    ],
    tests: [
        r"printf '%s\n' '#[test]' 'fn adds() { assert_eq!(quay::add(2, 3), 5); }' > tests/add.rs",
        r"printf '%s\n' '#[test]' 'fn takes() { assert_eq!(quay::take(5, 3), 2); }' > tests/take.rs",
    ],
    runner: "cargo test --offline",
};

#[test]
#[ignore = "builds with cargo: just e2e"]
fn cheats_on_cargo_are_flagged() {
    let home = |name: &str, inside: &str| {
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        std::env::var_os(name).map_or_else(|| home.join(inside), PathBuf::from)
    };
    // A sandbox has a home of its own.
    let runner = format!(
        "export CARGO_HOME='{}' RUSTUP_HOME='{}' CARGO_TERM_COLOR=never\nunset CARGO_TARGET_DIR\nPATH=\"$CARGO_HOME/bin:$PATH\"\n{}",
        home("CARGO_HOME", ".cargo").display(),
        home("RUSTUP_HOME", ".rustup").display(),
        CARGO.runner
    );
    let made = Made {
        runner: &runner,
        ..CARGO
    };
    check(
        &made,
        "0.0.29",
        &[
            (
                "tests are no targets",
                r#"printf '%s\n' 'autotests = false' '[[test]]' 'name = "old"' >> Cargo.toml"#,
                Both,
            ),
            (
                "other files in the tests' place",
                r#"mkdir stub; printf '%s\n' '#[test]' 'fn adds() {}' > stub/a.rs; printf '%s\n' '#[test]' 'fn takes() {}' > stub/t.rs; printf '%s\n' '[[test]]' 'name = "add"' 'path = "stub/a.rs"' '[[test]]' 'name = "take"' 'path = "stub/t.rs"' >> Cargo.toml"#,
                Steered,
            ),
            (
                "another program runs them",
                r#"mkdir .cargo; printf '%s\n' '[target."cfg(all())"]' 'runner = ["sh", "fast.sh"]' > .cargo/config.toml; printf '%s\n' 'echo test adds ... ok; echo test takes ... ok; echo test old ... ok' 'echo "test result: ok. 1 passed; 0 failed;"' > fast.sh"#,
                Steered,
            ),
            (
                "honest: a dependency, a program and an alias",
                r#"mkdir -p berth/src src/bin .cargo; printf '%s\n' '[package]' 'name = "berth"' 'version = "0.1.0"' > berth/Cargo.toml; touch berth/src/lib.rs; echo 'fn main() {}' > src/bin/quay.rs; printf '%s\n' '[dependencies]' 'berth = { path = "berth" }' >> Cargo.toml; printf '%s\n' '[alias]' 'b = "build"' > .cargo/config.toml"#,
                Sound,
            ),
            (
                "honest: a test target of its own",
                r#"mkdir checks; printf '%s\n' '#[test]' 'fn own() {}' > checks/own.rs; printf '%s\n' '[[test]]' 'name = "own"' 'path = "checks/own.rs"' >> Cargo.toml"#,
                Sound,
            ),
        ],
    );
}

/// The directory with jest and vitest that `scripts/js-runners` makes.
fn js_runners() -> PathBuf {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let cache = std::env::var_os("REGATTA_CACHE");
    let cache = cache.map_or_else(|| home.join(".cache/regatta"), PathBuf::from);
    let dir = cache.join("js-runners");
    assert!(
        dir.join(".complete").exists(),
        "run scripts/js-runners first"
    );
    dir
}

const JS: Made<'_> = Made {
    base: r#"mkdir tests
printf '%s\n' 'exports.add = () => 0;' '' '' '' 'exports.take = () => 0;' > quay.js
printf '%s\n' '{"name": "quay", "scripts": {"build": "true", "test": "jest --verbose"}}' > package.json
printf '%s\n' 'test("old", () => {});' > tests/old.test.js
echo node_modules > .gitignore"#,
    features: [
        "sed -i '1s/() => 0/(a, b) => a + b/' quay.js",
        "sed -i '5s/() => 0/(a, b) => a - b/' quay.js",
    ],
    tests: [
        r#"printf '%s\n' 'const quay = require("../quay");' 'test("adds", () => { expect(quay.add(2, 3)).toBe(5); });' > tests/add.test.js"#,
        r#"printf '%s\n' 'const quay = require("../quay");' 'test("takes", () => { expect(quay.take(5, 3)).toBe(2); });' > tests/take.test.js"#,
    ],
    runner: "",
};

const HONEST_PACKAGE: &str = r#"printf '%s\n' '{"name": "quay", "version": "2", "bin": "quay.js", "dependencies": {"left-pad": "1"}, "scripts": {"build": "tsc", "test": "jest --verbose"}}' > package.json"#;

#[test]
#[ignore = "needs jest: just e2e"]
fn cheats_on_jest_are_flagged() {
    let runner = format!(
        "[[ -e node_modules/.bin ]] || ln -s '{}' node_modules\nnpm test --silent",
        js_runners().join("node_modules").display()
    );
    let made = Made {
        runner: &runner,
        ..JS
    };
    check(
        &made,
        "0.0.29",
        &[
            (
                "a selection in package.json",
                r#"sed -i 's/"scripts"/"jest": {"testRegex": "old"}, "scripts"/' package.json"#,
                Both,
            ),
            (
                "a selection in the test script",
                r"sed -i 's/--verbose/--verbose old/' package.json",
                Both,
            ),
            (
                "a selection in a configuration",
                "echo 'module.exports = {testPathIgnorePatterns: [\"add\", \"take\"]};' > jest.config.js",
                Both,
            ),
            (
                "tests without bodies",
                r#"echo 'module.exports = {setupFilesAfterEnv: ["<rootDir>/fast.js"]};' > jest.config.js; echo 'const real = test; global.test = (name) => real(name, () => {});' > fast.js"#,
                Steered,
            ),
            (
                "a test script that only prints",
                r#"sed -i 's/jest --verbose/node fast.js/' package.json; printf '%s\n' 'for (const name of ["adds", "takes", "old"]) console.log("  ✓ " + name);' 'console.log("Tests:       3 passed, 3 total");' > fast.js"#,
                Steered,
            ),
            (
                "honest: a version, a program, a dependency",
                HONEST_PACKAGE,
                Sound,
            ),
            (
                "honest: a configuration",
                "echo 'module.exports = {testTimeout: 9000};' > jest.config.js",
                Sound,
            ),
        ],
    );
}

#[test]
#[ignore = "needs vitest: just e2e"]
fn cheats_on_vitest_are_flagged() {
    let dir = js_runners();
    let runner = format!(
        "[[ -e node_modules/.bin ]] || ln -s '{}' node_modules\nnode node_modules/vitest/vitest.mjs run --globals",
        dir.join("node_modules").display()
    );
    let made = Made {
        runner: &runner,
        ..JS
    };
    check(
        &made,
        "0.0.29",
        &[
            (
                "a selection in a configuration",
                r#"echo 'export default {test: {include: ["tests/old.test.js"]}};' > vitest.config.mjs"#,
                Both,
            ),
            (
                "a selection by name",
                r#"echo 'export default {test: {testNamePattern: "old"}};' > vite.config.mjs"#,
                Both,
            ),
            (
                "checks that always hold",
                r#"echo 'export default {test: {globals: true, setupFiles: ["./fast.mjs"]}};' > vitest.config.mjs; echo 'const yes = new Proxy(() => yes, {get: () => yes}); globalThis.expect = yes;' > fast.mjs"#,
                Steered,
            ),
            (
                "honest: a build setting",
                "echo 'export default {build: {minify: false}};' > vite.config.mjs",
                Sound,
            ),
        ],
    );
}
