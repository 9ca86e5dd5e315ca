//! What the lab shows of itself: a certificate of the site's, or of its own authority.

use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use parking_lot::RwLock;
use protocol::tls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::authority::Authority;
use crate::config::{Site, Tls};

/// What is shown; another on the next connection, if it was renewed.
#[derive(Debug)]
pub(super) struct Shown(RwLock<Arc<CertifiedKey>>);

impl Shown {
    /// What the configuration says.
    ///
    /// # Errors
    /// The system's; what is wrong with the site's certificate.
    pub(super) fn new(authority: &Authority, tls: &Tls) -> io::Result<Shown> {
        Ok(Shown(RwLock::new(Arc::new(certificate(authority, tls)?))))
    }

    /// The same, again.
    ///
    /// # Errors
    /// As [`Shown::new`]; what was shown before is shown further.
    pub(super) fn renew(&self, authority: &Authority, tls: &Tls) -> io::Result<()> {
        *self.0.write() = Arc::new(certificate(authority, tls)?);
        Ok(())
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().clone())
    }
}

fn certificate(authority: &Authority, tls: &Tls) -> io::Result<CertifiedKey> {
    let Some(Site { certificate, key }) = &tls.site else {
        return authority.server(std::slice::from_ref(&tls.name));
    };
    let wrong = |file: &Path, what: String| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", file.display()))
    };
    let read = |file: &Path| fs::read(file).map_err(|error| wrong(file, error.to_string()));
    let chain = CertificateDer::pem_slice_iter(&read(certificate)?).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| wrong(certificate, format!("{error:?}")))?;
    let private = PrivateKeyDer::from_pem_slice(&read(key)?);
    let private = private.map_err(|error| wrong(key, format!("{error:?}")))?;
    let provider = tls::provider();
    CertifiedKey::from_der(chain, private, &provider)
        .map_err(|error| wrong(certificate, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_and_its_key_leaves_what_was_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::open(&folder.path().join("lab")).expect("an authority");
        // Any certificate with its key is good enough here.
        let pair = |name: &str| {
            let folder = folder.path().join(name);
            Authority::open(&folder).expect("a pair");
            (folder.join("certificate.pem"), folder.join("key.pem"))
        };
        let ((certificate, key), (other, _)) = (pair("one"), pair("other"));
        let site = Some(Site { certificate: certificate.clone(), key });
        let tls = Tls { listen: Vec::new(), name: "lab".to_owned(), site };
        let shown = Shown::new(&authority, &tls).expect("a pair");
        let first = shown.0.read().clone();
        let others = fs::read(other).expect("the other's");
        for wrong in [&others[..], b"", b"nonsense", &others[..others.len() / 2]] {
            fs::write(&certificate, wrong).expect("written");
            let error = shown.renew(&authority, &tls).expect_err("no certificate of that key");
            assert!(error.to_string().contains("certificate.pem"), "{error}");
            assert!(Arc::ptr_eq(&first, &shown.0.read()));
        }
    }
}
