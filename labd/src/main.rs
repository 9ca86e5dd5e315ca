//! The lab daemon. Everything is in the library, so that tests can start a lab in one process.

fn main() -> std::process::ExitCode {
    labd::cli::main()
}
