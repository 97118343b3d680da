//! The kinds of backends are the sandbox's and the host's business: others ask what they want to know.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Who may tell kinds apart; `bench/backend.rs` answers what others ask.
const MAY: [&str; 3] = ["sandbox/", "host/", "bench/backend.rs"];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn nobody_else_tells_the_kinds_of_backends_apart() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let kind = r"\bBackend(Kind)?::(Docker|Namespace|Process|Fake)\b";
    // As a pattern, or compared.
    let told = [
        format!(r"{kind}(\([^)]*\))?\s*(=>|\||=[^=>]|[=!]=)"),
        format!(r"([=!]=|matches!\([^;]*,)\s*{kind}"),
        format!(r"\blet\s+\(?{kind}"),
    ];
    let told = Regex::new(&told.join("|")).unwrap();
    assert!(told.is_match("matches!(self.backend, BackendKind::Namespace | BackendKind::Process)"));
    assert!(
        told.is_match("Backend::Docker(place) => place,")
            && told.is_match("x == BackendKind::Fake")
    );
    assert!(told.is_match("if let Backend::Docker(place) = &self.backend {"));
    assert!(!told.is_match("host::backend(BackendKind::Namespace, &native.rootfs)"));
    let mut wrong = Vec::new();
    for file in files {
        let inside = file
            .strip_prefix(&src)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        if MAY.iter().any(|may| inside.starts_with(may)) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let found = told.find_iter(code).map(|found| found.as_str());
        wrong.extend(found.map(|found| format!("{inside}: {found}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
