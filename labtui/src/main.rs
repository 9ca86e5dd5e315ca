//! `labtui`: see the library.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<std::process::ExitCode> {
    labtui::run(clap::Parser::parse()).await
}
