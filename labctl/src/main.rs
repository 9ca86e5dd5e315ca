//! The lab's command line. Everything is in the library, so that tests can call it.

fn main() -> std::process::ExitCode {
    labctl::main()
}
