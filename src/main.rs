//! The program: arguments and environment in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    muster::cli::run(std::env::args_os(), std::env::vars_os())
}
