//! Panics with the terminal taken: a test runs this in a terminal of its own.

fn main() -> std::io::Result<()> {
    let _taken = labtui::terminal::open()?;
    assert!(labtui::terminal::is_taken());
    panic!("on purpose")
}
