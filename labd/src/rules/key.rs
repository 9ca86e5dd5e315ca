//! Which ssh public keys the lab takes, and by what it knows them.
//!
//! Asked by `lab::people` for a key that is to be added. Whose it may be is [`super::people`]'s.

use protocol::Error;
use ssh_key::public::{KeyData, RsaPublicKey};
use ssh_key::{HashAlg, PublicKey};

#[cfg(test)]
mod tests;

/// The longest line, in bytes; RSA of 16,384 bits takes 2,800.
const LONGEST: usize = 8 * 1024;
/// The shortest RSA key, in bits.
const LEAST_RSA: usize = 2_048;

/// A key that the lab takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// `SHA256:…`, as ssh-keygen -l prints it.
    pub fingerprint: String,
    /// As it is kept: kind, base64, comment.
    pub line: String,
}

/// Reads a line as in `id_ed25519.pub`. Of authorized_keys' options it knows none: a key that was
/// limited there must not be unlimited here.
///
/// # Errors
/// [`Error::Bad`], with what to bring instead.
pub fn read(text: &str) -> Result<Taken, Error> {
    if text.contains("PRIVATE KEY") {
        return bad(
            "that is a private key, which is nobody's business but yours; add the file that ends in .pub",
        );
    }
    let text = text.trim();
    if text.len() > LONGEST || text.chars().any(char::is_control) {
        return bad(NO_KEY);
    }
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let kind = line.split(' ').next().unwrap_or_default();
    if kind.ends_with("-cert-v01@openssh.com") {
        return bad("that is a certificate; add the public key that it certifies");
    }
    let Ok(key) = PublicKey::from_openssh(&line) else { return bad(NO_KEY) };
    match key.key_data() {
        KeyData::Ed25519(_)
        | KeyData::Ecdsa(_)
        | KeyData::SkEd25519(_)
        | KeyData::SkEcdsaSha2NistP256(_) => {}
        KeyData::Rsa(key) if bits(key) >= LEAST_RSA => {}
        KeyData::Rsa(key) => {
            return bad(format!(
                "an RSA key of {} bits is too weak; it takes {LEAST_RSA}, or one of 'ssh-keygen -t ed25519'",
                bits(key)
            ));
        }
        KeyData::Dsa(_) => {
            return bad("a DSA key is too weak; make one with 'ssh-keygen -t ed25519'");
        }
        _ => {
            return bad(format!(
                "a key of the kind {} is not taken: ed25519, ecdsa, rsa, sk-ed25519 or sk-ecdsa",
                kind.escape_debug()
            ));
        }
    }
    Ok(Taken { fingerprint: key.fingerprint(HashAlg::Sha256).to_string(), line })
}

const NO_KEY: &str =
    "that is not an ssh public key: one line, as in id_ed25519.pub, without options";

/// Of the modulus, to the bit: the crate counts whole bytes.
fn bits(key: &RsaPublicKey) -> usize {
    let modulus = key.n().as_positive_bytes().unwrap_or_default();
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let first = modulus.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    (modulus.len() - zeros) * 8 - first
}

fn bad<T>(why: impl Into<String>) -> Result<T, Error> {
    Err(Error::Bad { why: why.into() })
}
