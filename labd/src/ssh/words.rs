//! What may be run for a visitor, and with which words.
//!
//! labctl runs here as labd's own user, so that its files and programs would be labd's: only commands that
//! have nothing to do with either are let through, by name. Which arguments name a file labctl knows
//! best; it refuses them when it runs for a visitor, see [`protocol::address::VISITOR`].

use protocol::Error;

/// What somebody wants run.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A token, with these options.
    Token(Vec<String>),
    /// labctl, with these words.
    Labctl(Vec<String>),
}

/// What may stand behind the words of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum More {
    /// Its arguments.
    Arguments,
    /// Nothing: what could, would be a file.
    Nothing,
}

use More::{Arguments, Nothing};

const OPEN: [(&[&str], More); 39] = [
    (&["boards"], Arguments),
    (&["board"], Arguments),
    (&["classes"], Arguments),
    (&["reserve"], Arguments),
    (&["release"], Arguments),
    (&["extend"], Arguments),
    (&["give"], Arguments),
    (&["holds"], Arguments),
    (&["queue"], Arguments),
    (&["power"], Arguments),
    (&["console"], Arguments),
    (&["break"], Arguments),
    (&["line"], Arguments),
    (&["journal"], Arguments),
    (&["search"], Arguments),
    (&["record"], Arguments),
    (&["at"], Arguments),
    (&["boots"], Arguments),
    (&["triggers"], Arguments),
    (&["audit"], Arguments),
    (&["note"], Arguments),
    (&["wait"], Arguments),
    (&["whoami"], Arguments),
    (&["auth"], Arguments),
    (&["user"], Arguments),
    (&["group"], Arguments),
    (&["token"], Arguments),
    (&["key", "list"], Arguments),
    (&["key", "remove"], Arguments),
    (&["reload"], Arguments),
    (&["doctor"], Arguments),
    (&["admin", "verify"], Nothing),
    (&["admin", "rebuild"], Nothing),
    (&["admin", "export"], Nothing),
    (&["admin", "import"], Nothing),
    (&["admin", "invite"], Arguments),
    (&["help"], Arguments),
    (&["--help"], Nothing),
    (&["--version"], Nothing),
];

/// What a command line asks for. It is split as a shell would, and nothing in it is expanded.
///
/// # Errors
/// [`Error::Bad`] for what cannot be split, or may not be run.
pub fn wanted(line: &[u8]) -> Result<Wanted, Error> {
    let bad = |why: &str| Error::Bad { why: why.to_owned() };
    let line = std::str::from_utf8(line).map_err(|_| bad("that is not UTF-8"))?;
    if line.contains('\0') {
        return Err(bad("there is a NUL in that"));
    }
    let mut words = shlex::split(line).ok_or_else(|| bad("a quote is open"))?;
    if words.first().is_some_and(|word| word == "labctl") {
        words.remove(0);
    }
    let options = words.get(1).is_none_or(|word| word.starts_with('-'));
    if options && words.first().is_some_and(|word| word == "token") {
        words.remove(0);
        return Ok(Wanted::Token(words));
    }
    if words.iter().any(|word| word.starts_with("--lab")) {
        return Err(bad("over ssh there is only this lab"));
    }
    if is_open(&words) { Ok(Wanted::Labctl(words)) } else { Err(closed(&words)) }
}

fn is_open(words: &[String]) -> bool {
    let asked: Vec<&str> =
        words.iter().map(String::as_str).skip_while(|word| *word == "--json").collect();
    OPEN.iter().any(|(command, more)| {
        asked
            .strip_prefix(*command)
            .is_some_and(|rest| *more == Arguments || rest.iter().all(|word| *word == "--json"))
    })
}

fn closed(words: &[String]) -> Error {
    let name = words.first().map(String::as_str).unwrap_or_default();
    let mut open: Vec<&str> = OPEN.iter().map(|(command, _)| command[0]).collect();
    open.retain(|word| !word.starts_with('-'));
    open.dedup();
    let name = protocol::text::plain(name.as_bytes(), 40);
    let why = format!("'{name}' cannot be used so over ssh; these can: {}", open.join(", "));
    Error::Bad { why }
}

/// Whether a variable of the visitor's may be one of their program's: how they read, and nothing else.
pub fn is_locale(name: &str, value: &str) -> bool {
    let is_name = name == "LANG"
        || name.strip_prefix("LC_").is_some_and(|rest| {
            rest.len() <= 32 && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        });
    is_name && is_word(value)
}

/// The kind of a terminal, if it can be one.
pub fn terminal(term: &str) -> &str {
    if is_word(term) && !term.is_empty() { term } else { "dumb" }
}

/// Nothing that is a path, or does something to whatever prints it.
fn is_word(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+@:".contains(&byte);
    text.len() <= 64 && !text.contains("..") && text.bytes().all(is_fit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labctl(line: &str) -> Option<Vec<String>> {
        match wanted(line.as_bytes()) {
            Ok(Wanted::Labctl(words)) => Some(words),
            _ => None,
        }
    }

    #[test]
    fn words_are_split_and_nothing_is_expanded() {
        for (line, words) in [
            ("boards", &["boards"][..]),
            ("  labctl   board rpi4 ", &["board", "rpi4"]),
            ("note rpi4 'a  b' \"c d\" e\\ f", &["note", "rpi4", "a  b", "c d", "e f"]),
            ("note rpi4 $HOME `id` $(id) *", &["note", "rpi4", "$HOME", "`id`", "$(id)", "*"]),
            ("note rpi4 a;b|c&d>e", &["note", "rpi4", "a;b|c&d>e"]),
            ("--json boards", &["--json", "boards"]),
            ("admin export --json", &["admin", "export", "--json"]),
            ("token list", &["token", "list"]),
        ] {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(labctl(line), Some(words), "{line}");
        }
        let options = ["--for", "8h"].map(str::to_owned).to_vec();
        assert_eq!(wanted(b"token --for 8h").ok(), Some(Wanted::Token(options)));
        assert_eq!(wanted(b"token").ok(), Some(Wanted::Token(Vec::new())));
    }

    #[test]
    fn what_would_touch_labds_own_files_or_programs_is_not_run() {
        for line in [
            "",
            "sh",
            "run rpi4 -- id",
            "--json run rpi4 -- id",
            "demo",
            "man /tmp",
            "key add /etc/shadow",
            "admin",
            "admin export /tmp/x",
            "admin export --json /tmp/x",
            "admin export -- /tmp/x",
            "admin import /etc/shadow",
            "admin verify /x",
            "--color always run rpi4 -- id",
            "--lab unix:/run/labd/labd.sock boards",
            "boards --lab unix:/run/labd/labd.sock",
            "boards --lab=unix:/run/labd/labd.sock",
            "boards '--lab=unix:/run/labd/labd.sock'",
            "boards \"--la\"b=/run/labd/labd.sock",
            "/usr/bin/labctl boards",
            "../labctl boards",
            "labctl labctl boards",
            "labctl run rpi4 -- id",
            "boards 'open quote",
            "scp -t /tmp",
            "sftp-server",
            "-c id",
        ] {
            assert!(wanted(line.as_bytes()).is_err(), "{line}");
        }
        assert!(wanted(b"note rpi4 \xff").is_err());
        assert!(wanted(b"note rpi4 a\0b").is_err());
    }

    #[test]
    fn of_the_visitors_environment_only_how_they_read_is_taken() {
        assert!(is_locale("LANG", "de_DE.UTF-8") && is_locale("LC_ALL", "C.UTF-8"));
        for (name, value) in [
            ("LD_PRELOAD", "x"),
            ("PATH", "x"),
            ("LAB", "x"),
            ("LAB_VISITOR", "x"),
            ("LC_", "a/b"),
            ("LC_lower", "C"),
            ("LANG", "../../etc"),
            ("LANG", "\x1b[31m"),
            ("LANGUAGE", "de"),
            ("HOME", "x"),
        ] {
            assert!(!is_locale(name, value), "{name}={value}");
        }
        assert_eq!(terminal("xterm-256color"), "xterm-256color");
        for term in ["", "../x", "a/b", "a b", "\x1b"] {
            assert_eq!(terminal(term), "dumb");
        }
    }
}
