//! The lab's own small authority: it says who the lab is, and who its people are.
//!
//! Made when a door that speaks TLS is opened for the first time, in the folder `authority` of the
//! lab's state: `certificate.pem` and `key.pem`, the latter for nobody but labd. Clients know it by the
//! hash of its certificate, see [`protocol::tls::Pin`]; so whoever loses it lets everybody log in anew.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use protocol::account::CERTIFICATE;
use protocol::tls::{self, Pin};
use protocol::user::UserName;
use protocol::{Span, Time};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SubjectPublicKeyInfo,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;

/// Clocks of other machines may be wrong by this much.
const LEEWAY: Span = Span::minutes(10);

/// The authority.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Opens the authority in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// The system's; [`io::ErrorKind::InvalidData`] for a file that is not what was written.
    pub fn open(folder: &Path) -> io::Result<Authority> {
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        if !certificate.exists() {
            if !key.exists() {
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
                let (new, its_key) = make().map_err(io::Error::other)?;
                draft(&certificate, &new)?;
                draft(&key, &its_key.serialize_pem())?;
                finish(&key)?;
            } else if !unfinished(&certificate).exists() {
                return Err(orphaned(&certificate, &key));
            }
            // The certificate last: if it is there, so is the key.
            finish(&certificate)?;
        }
        if fs::metadata(&key)?.mode() & 0o077 != 0 {
            let key = key.display();
            let why = format!("others may read {key}; take that away with 'chmod 600 {key}'");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        let damaged = |what: &dyn std::fmt::Display| {
            let why = format!("{}: {what}; restore it from a backup", folder.display());
            io::Error::new(io::ErrorKind::InvalidData, why)
        };
        let der = CertificateDer::from_pem_slice(&fs::read(&certificate)?)
            .map_err(|error| damaged(&format_args!("{error:?}")))?;
        let key = KeyPair::from_pem(&fs::read_to_string(&key)?).map_err(|error| damaged(&error))?;
        let issuer = Issuer::from_ca_cert_der(&der, key).map_err(|error| damaged(&error))?;
        Ok(Authority { certificate: der, issuer })
    }

    /// By which clients know it.
    pub fn pin(&self) -> Pin {
        Pin::of(&self.certificate)
    }

    /// Its certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// What the lab shows of itself, under its usual name and these.
    ///
    /// # Errors
    /// What is wrong with a name.
    pub fn server(&self, names: &[String]) -> io::Result<CertifiedKey> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let names: Vec<String> = names.iter().cloned().chain([tls::NAME.to_owned()]).collect();
        let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
        params.distinguished_name = named(tls::NAME);
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Made anew whenever labd starts; and a client whose clock is wrong is to get in all the same.
        (params.not_before, params.not_after) = always();
        let certificate = params.signed_by(&key, &self.issuer).map_err(io::Error::other)?;
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(io::Error::other)?;
        let key = protocol::tls::provider().key_provider.load_private_key(key);
        Ok(CertifiedKey::new(chain, key.map_err(io::Error::other)?))
    }

    /// A certificate for a person's public key, as PEM, and its hash.
    ///
    /// # Errors
    /// What is wrong with the key.
    pub fn certify(
        &self,
        who: &UserName,
        key: &str,
        now: Time,
    ) -> Result<(String, String), rcgen::Error> {
        let key = SubjectPublicKeyInfo::from_pem(key)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(who.as_str());
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        (params.not_before, params.not_after) = (moment(now - LEEWAY), moment(now + CERTIFICATE));
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok((certificate.pem(), hash(certificate.der())))
    }
}

/// By what a certificate is known to the lab.
pub fn hash(certificate: &CertificateDer<'_>) -> String {
    blake3::hash(certificate).to_hex().to_string()
}

/// A new authority would be one that no client knows.
fn orphaned(certificate: &Path, key: &Path) -> io::Error {
    let (certificate, key) = (certificate.display(), key.display());
    let why = format!(
        "{certificate} is missing, and its key is there; restore it from a backup, or delete {key}: then \
         everybody logs in anew"
    );
    io::Error::new(io::ErrorKind::NotFound, why)
}

fn make() -> Result<(String, KeyPair), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = named("labd authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    (params.not_before, params.not_after) = always();
    Ok((params.self_signed(&key)?.pem(), key))
}

fn always() -> (OffsetDateTime, OffsetDateTime) {
    (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2120, 1, 1))
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn moment(time: Time) -> OffsetDateTime {
    let seconds = i64::try_from(time.0 / 1_000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn unfinished(path: &Path) -> PathBuf {
    path.with_extension("unfinished")
}

fn draft(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(unfinished(path))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Gives a draft its name, and the disk both before anything is built upon it.
fn finish(path: &Path) -> io::Result<()> {
    fs::rename(unfinished(path), path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn an_authority_is_the_same_when_it_is_opened_again_and_its_key_is_nobody_elses() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("authority");
        let pin = Authority::open(&folder).expect("made").pin();
        assert_eq!(Authority::open(&folder).expect("opened").pin(), pin);
        let mode = |name: &str| {
            let about = fs::metadata(folder.join(name)).expect("it is there");
            about.permissions().mode() & 0o777
        };
        assert_eq!((mode("key.pem"), mode("")), (0o600, 0o700));
        let key = folder.join("key.pem");
        fs::set_permissions(&key, Permissions::from_mode(0o640)).expect("changed");
        let error = Authority::open(&folder).err().expect("others may read it");
        assert!(error.to_string().contains("chmod 600"), "{error}");
        fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("changed");
        fs::write(&key, "not a key").expect("written");
        let error = Authority::open(&folder).err().expect("it is refused");
        assert!(error.to_string().contains("restore it from a backup"), "{error}");
    }

    #[test]
    fn a_key_whose_certificate_is_lost_is_not_written_over() {
        let dir = tempfile::tempdir().expect("a folder");
        Authority::open(dir.path()).expect("made");
        let key = fs::read(dir.path().join("key.pem")).expect("it is there");
        fs::remove_file(dir.path().join("certificate.pem")).expect("removed");
        let error = Authority::open(dir.path()).err().expect("it is refused");
        assert!(error.to_string().contains("restore it from a backup"), "{error}");
        assert_eq!(fs::read(dir.path().join("key.pem")).expect("it is there"), key);
    }

    #[test]
    fn what_a_crash_left_half_made_is_finished() {
        let dir = tempfile::tempdir().expect("a folder");
        let pin = Authority::open(dir.path()).expect("made").pin();
        let certificate = dir.path().join("certificate.pem");
        fs::rename(&certificate, unfinished(&certificate)).expect("renamed");
        assert_eq!(Authority::open(dir.path()).expect("finished").pin(), pin);
    }

    #[test]
    fn only_a_public_key_is_certified() {
        let dir = tempfile::tempdir().expect("a folder");
        let authority = Authority::open(dir.path()).expect("made");
        let (ada, now) = ("ada".parse().expect("a name"), Time(1_800_000_000_000));
        let key = KeyPair::generate().expect("a key");
        let (certificate, hash) =
            authority.certify(&ada, &key.public_key_pem(), now).expect("certified");
        assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----"), "{certificate}");
        assert_eq!(hash.len(), 64);
        for key in ["", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
            assert!(authority.certify(&ada, key, now).is_err(), "{key}");
        }
    }
    /// What is made, as those see it who go by RFC 5280 to the letter: Python since 3.13, for one.
    #[test]
    fn what_it_certifies_is_good_for_the_strict() {
        let dir = tempfile::tempdir().expect("a folder");
        let authority = Authority::open(dir.path()).expect("made");
        let (ada, now) = ("ada".parse().expect("a name"), Time(1_800_000_000_000));
        let key = KeyPair::generate().expect("a key").public_key_pem();
        let (client, _) = authority.certify(&ada, &key, now).expect("certified");
        let server = authority.server(&["lab.example.org".to_owned()]).expect("certified");
        let server = server.cert[0].to_vec();
        for (purpose, certificate) in [("sslserver", server), ("sslclient", client.into_bytes())] {
            let file = dir.path().join(purpose);
            fs::write(&file, certificate).expect("written");
            let mut openssl = Command::new("openssl");
            openssl.args(["verify", "-x509_strict", "-attime", "1800000000", "-purpose", purpose]);
            openssl.arg("-CAfile").arg(dir.path().join("certificate.pem")).arg(file);
            let said = openssl.output().expect("openssl is there");
            assert!(said.status.success(), "{purpose}: {said:?}");
        }
    }
}
