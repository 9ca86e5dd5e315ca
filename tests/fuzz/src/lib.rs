//! Whatever meets bytes from outside, fuzzed: a file for each parser, and a folder of seeds.
//!
//! A target is a function of bytes that panics if what must hold does not. `tests/fuzz/run` gives it
//! libFuzzer's bytes; the tests here give it its seeds, so that no target rots. What the fuzzer finds
//! becomes a seed.
//!
//! Another parser is a file here with a function `target`, its name in the list below, and a folder of
//! that name in `seeds/`.

/// Makes the modules, the list, and a test for each.
macro_rules! targets {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        $($(#[$doc])* mod $name;)*

        /// Every target, by name.
        pub const TARGETS: &[(&str, fn(&[u8]))] = &[$((stringify!($name), $name::target),)*];

        #[cfg(test)]
        mod seeds {
            $(#[test] fn $name() { crate::tests::sow(stringify!($name), crate::$name::target) })*
        }
    };
}

targets! {
    /// The audit's chain: what was changed is found.
    audit_chain,
    /// Frames, and the calls in them.
    calls,
    /// The first line of a connection, and its answer.
    first_line,
    /// Requests to the HTTPS door, of somebody who shows nothing.
    http,
    /// Records of the ledger and of the store, and a backup.
    records,
    /// What is shown of what a board prints.
    sanitiser,
    /// What a client of other make sends to a serial port that labd serves.
    serial_client,
    /// What an SNMP agent answers.
    snmp,
    /// ssh public keys.
    ssh_key,
    /// What may be run over ssh.
    ssh_words,
    /// What a terminal server sends.
    telnet,
    /// Tokens, invitations, addresses.
    tokens,
    /// labd.conf.
    ucl,
    /// What comes within a WebSocket.
    websocket,
}

/// The target of that name.
pub fn named(name: &str) -> Option<fn(&[u8])> {
    TARGETS.iter().find(|(of, _)| *of == name).map(|(_, target)| *target)
}

/// What bytes of a board, a visitor or a file come to in an error or a list must be fit for a terminal.
fn assert_plain(text: &str) {
    let bad = text.chars().find(|c| *c != '\n' && !protocol::text::is_plain(*c));
    assert!(bad.is_none(), "{bad:?} in {text:?}");
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Every seed as it is, and cut short at each of its bytes.
    pub(crate) fn sow(name: &str, target: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
        let seeds = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        let mut sown = 0;
        for seed in seeds {
            let seed = fs::read(seed.expect("a seed").path()).expect("a seed");
            target(&seed);
            (0..seed.len().min(200)).for_each(|end| target(&seed[..end]));
            sown += 1;
        }
        assert!(sown > 0, "{folder:?} has no seeds");
    }
}
