//! labd as the crash tests must not let it pass: it acknowledges before it writes.
//!
//! The sources are labd's own; `early-ack` in [`labd_early::ledger`] is the one thing that differs.

fn main() -> std::process::ExitCode {
    labd_early::cli::main()
}
