//! An ssh agent whose key is in hardware, as far as anybody can tell: it signs as a FIDO token does.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use russh::keys::signature::Signer;
use russh::keys::ssh_encoding::Encode;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::ssh_key::public::{EcdsaPublicKey, KeyData, SkEcdsaSha2NistP256, SkEd25519};
use russh::keys::ssh_key::{PrivateKey, PublicKey, Signature};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// What a token signs besides the hash of the message: for whom, that somebody touched it, how often.
const APPLICATION: &str = "ssh:";
const TOUCHED: u8 = 1;
const COUNTER: u32 = 7;

/// The agent protocol's numbers.
const ASKED_FOR_KEYS: u8 = 11;
const KEYS: u8 = 12;
const ASKED_TO_SIGN: u8 = 13;
const SIGNED: u8 = 14;
const FAILED: u8 = 5;

/// The token, and the agent in front of it.
pub(super) struct Agent {
    token: Arc<Token>,
}

struct Token {
    key: PrivateKey,
    public: PublicKey,
    /// It says that it was touched more often than it signed.
    forges: AtomicBool,
}

impl Agent {
    pub(super) fn ed25519() -> Result<Agent> {
        let pair = Ed25519Keypair::from_seed(&[7; 32]);
        let public = SkEd25519::new(pair.public, APPLICATION);
        let key = PrivateKey::new(KeypairData::Ed25519(pair), "")?;
        Ok(Agent::of(key, KeyData::SkEd25519(public)))
    }

    /// With the key in that file.
    pub(super) fn ecdsa(file: &Path) -> Result<Agent> {
        let key = PrivateKey::read_openssh_file(file)?;
        let KeyData::Ecdsa(EcdsaPublicKey::NistP256(point)) = key.public_key().key_data() else {
            bail!("{} is of another kind", file.display());
        };
        let public = SkEcdsaSha2NistP256::new(*point, APPLICATION);
        Ok(Agent::of(key, KeyData::SkEcdsaSha2NistP256(public)))
    }

    fn of(key: PrivateKey, public: KeyData) -> Agent {
        let public = PublicKey::new(public, "token");
        Agent { token: Arc::new(Token { key, public, forges: AtomicBool::new(false) }) }
    }

    /// As in authorized_keys.
    pub(super) fn line(&self) -> Result<String> {
        Ok(self.token.public.to_openssh()?)
    }

    /// What it signs is not what it says from now on.
    pub(super) fn forge(&self) {
        self.token.forges.store(true, Ordering::Relaxed);
    }

    /// Answers there.
    pub(super) fn serve(&self, socket: &Path) -> Result<PathBuf> {
        let listener = UnixListener::bind(socket)?;
        let token = self.token.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, token.clone()));
            }
        });
        Ok(socket.to_owned())
    }
}

async fn answer(mut stream: UnixStream, token: Arc<Token>) -> Result<()> {
    loop {
        let mut asked = vec![0; stream.read_u32().await? as usize];
        stream.read_exact(&mut asked).await?;
        let mut answer = Vec::new();
        match asked.split_first() {
            Some((&ASKED_FOR_KEYS, _)) => {
                answer.push(KEYS);
                1_u32.encode(&mut answer)?;
                token.public.to_bytes()?.encode(&mut answer)?;
                "token".encode(&mut answer)?;
            }
            Some((&ASKED_TO_SIGN, rest)) => {
                answer.push(SIGNED);
                token.sign(string(string(rest)?.1)?.0)?.encode(&mut answer)?;
            }
            _ => answer.push(FAILED),
        }
        stream.write_u32(answer.len().try_into()?).await?;
        stream.write_all(&answer).await?;
    }
}

/// The first string of some bytes, and the rest.
fn string(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(4).context("a length")?;
    let length = u32::from_be_bytes(length.try_into()?) as usize;
    rest.split_at_checked(length).context("a string")
}

impl Token {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let forged = u32::from(self.forges.load(Ordering::Relaxed));
        let mut signed = hash(APPLICATION.as_bytes());
        signed.push(TOUCHED);
        signed.extend(COUNTER.to_be_bytes());
        signed.extend(hash(message));
        let signature: Signature = self.key.try_sign(&signed)?;
        let mut blob = Vec::new();
        self.public.algorithm().as_str().encode(&mut blob)?;
        signature.as_bytes().encode(&mut blob)?;
        blob.push(TOUCHED);
        (COUNTER + forged).encode(&mut blob)?;
        Ok(blob)
    }
}

fn hash(bytes: &[u8]) -> Vec<u8> {
    use russh::keys::ssh_key::sha2::{Digest, Sha256};
    Sha256::digest(bytes).to_vec()
}
