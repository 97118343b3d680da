//! The `regatta` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    regatta::cli::main()
}
