//! Keys that ssh-keygen made, with the fingerprints that ssh-keygen prints.
//!
//! Planted, and caught: an RSA key of 2,047 bits passes for one of 2,048; options before a key are
//! dropped; DSA is taken.

use super::*;

/// A fingerprint and a line each.
const TAKEN: &str = include_str!("taken.txt");
/// DSA, RSA of 1,024 and of 2,047 bits, a certificate.
const REFUSED: &str = include_str!("refused.txt");

#[test]
fn a_key_is_known_by_the_fingerprint_that_ssh_keygen_prints() {
    assert_eq!(TAKEN.lines().count(), 7);
    for line in TAKEN.lines() {
        let (fingerprint, line) = line.split_once(' ').expect("both");
        let known = Taken { fingerprint: fingerprint.to_owned(), line: line.to_owned() };
        assert_eq!(read(line), Ok(known.clone()));
        assert_eq!(read(&format!(" {}\r\n", line.replace(' ', "  "))), Ok(known));
    }
}

#[test]
fn what_is_weak_or_no_key_is_refused_in_words() {
    let weak = ["a DSA key is too weak", "1024 bits is too weak", "2047 bits is too weak"];
    let told = weak.into_iter().chain(["that is a certificate"]);
    let rsa = TAKEN.lines().find_map(|line| line.split_once(" ssh-rsa ")).expect("one").1;
    let others = [
        (format!("from=\"10.0.0.0/8\" ssh-rsa {rsa}"), "without options"),
        (format!("ssh-ed25519 {rsa}"), "not an ssh public key"),
        (format!("ssh-rsa {}", &rsa[..80]), "not an ssh public key"),
        (format!("ssh-rsa {rsa}\nssh-rsa {rsa}"), "not an ssh public key"),
        (format!("ssh-rsa {rsa}\x1b[2J"), "not an ssh public key"),
        (format!("ssh-rsa {rsa} {}", "x".repeat(LONGEST)), "not an ssh public key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(), "that is a private key"),
        (String::new(), "not an ssh public key"),
    ];
    let refused = REFUSED.lines().map(str::to_owned).zip(told).chain(others);
    for (line, told) in refused {
        let said = read(&line).expect_err(&line).to_string();
        assert!(said.contains(told), "{line:.60}: {said}");
    }
}
