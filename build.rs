//! Puts the git revision into `regatta --version`.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/index");
    let output = Command::new("git")
        .args(["rev-parse", "--short=10", "HEAD"])
        .output();
    let revision = output
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "no git".to_owned(), |text| text.trim().to_owned());
    println!("cargo:rustc-env=GIT_REVISION={revision}");
}
