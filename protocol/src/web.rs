//! One request to a web server: what is asked of those who vouch for people, and of a lab by whoever is
//! not known to it yet.
//!
//! Over TLS, or without to this machine itself. No redirect is followed, and an answer has an end: whoever
//! answers is not to choose who is asked next, nor how much is heard of them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{HOST, USER_AGENT};
pub use hyper::{Method, StatusCode, header};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::dial::Stream;
use crate::proxy;
use crate::tls::{self, Trust};

/// A server that is there has answered within this time.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer, in bytes.
pub const LARGEST: usize = 256 * 1024;

/// `https://HOST[:PORT][/PATH]`; `http://` only with an address of this machine itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    text: String,
    uri: Uri,
}

/// Why a text is no [`Url`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Whoever is on the way could read and change what is said.
    #[error("http:// is for this machine itself (127.0.0.1, [::1]); write https://")]
    Plain,
    /// It is something else.
    #[error("that is no https:// address")]
    Other,
}

impl FromStr for Url {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Url, BadUrl> {
        let uri: Uri = text.parse().map_err(|_| BadUrl::Other)?;
        let authority = uri.authority().ok_or(BadUrl::Other)?;
        if authority.as_str().contains('@') || text.contains('#') || authority.host().is_empty() {
            return Err(BadUrl::Other);
        }
        let own = host(&uri).parse().is_ok_and(|address: IpAddr| address.is_loopback());
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if own => {}
            Some("http") => return Err(BadUrl::Plain),
            _ => return Err(BadUrl::Other),
        }
        Ok(Url { text: text.to_owned(), uri })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Url {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether what is said there is behind TLS.
    pub fn is_secret(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// What is found there under a path.
    ///
    /// # Errors
    /// [`BadUrl`].
    pub fn at(&self, path: &str) -> Result<Url, BadUrl> {
        format!("{}{path}", self.text.trim_end_matches('/')).parse()
    }

    fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.is_secret() { 443 } else { 80 })
    }
}

/// A host without the brackets of IPv6.
fn host(uri: &Uri) -> &str {
    uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Ask {
    method: Method,
    headers: Vec<(header::HeaderName, String)>,
    body: String,
}

impl Ask {
    /// What is there?
    pub fn get() -> Ask {
        Ask { method: Method::GET, headers: Vec::new(), body: String::new() }
    }

    /// What becomes of this?
    pub fn post(kind: &str, body: String) -> Ask {
        let ask = Ask { method: Method::POST, headers: Vec::new(), body };
        ask.header(header::CONTENT_TYPE, kind)
    }

    /// With a header.
    pub fn header(mut self, name: header::HeaderName, value: impl Into<String>) -> Ask {
        self.headers.push((name, value.into()));
        self
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// How it went.
    pub status: StatusCode,
    /// What was said.
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is nobody, or not whom they should be.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// They do not speak HTTP.
    #[error("{0}")]
    Http(#[from] hyper::Error),
    /// Nothing can be asked like this.
    #[error("{0}")]
    Request(#[from] hyper::http::Error),
    /// There is no TLS to be had.
    #[error("{0}")]
    Tls(#[from] rustls::Error),
    /// The host is no name.
    #[error("'{0}' is no name of a host")]
    Name(String),
    /// They say more than anybody wants to hear.
    #[error("the answer does not come whole, or has more than {LARGEST} bytes")]
    TooLarge,
    /// They take their time.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Late,
}

/// Asks whoever is there, if they are to be trusted.
///
/// # Errors
/// [`Failure`].
pub async fn ask(url: &Url, trust: &Trust, what: Ask) -> Result<Answer, Failure> {
    timeout(PATIENCE, converse(url, trust, what)).await.unwrap_or(Err(Failure::Late))
}

async fn converse(url: &Url, trust: &Trust, what: Ask) -> Result<Answer, Failure> {
    let stream = open(url, trust).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let talk = async {
        let response = sender.send_request(request(url, what)?).await?;
        let (head, body) = response.into_parts();
        let whole = Limited::new(body, LARGEST).collect().await.map_err(|_| Failure::TooLarge)?;
        Ok(Answer { status: head.status, body: whole.to_bytes().into() })
    };
    // The connection ends with the answer, whether or not the other side keeps it.
    let mut talk = std::pin::pin!(talk);
    tokio::select! {
        answer = &mut talk => answer,
        _ = connection => talk.await,
    }
}

fn request(url: &Url, what: Ask) -> Result<Request<Full<Bytes>>, Failure> {
    let path = url.uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = url.uri.authority().map(|it| it.as_str()).unwrap_or_default();
    let own = concat!("lab/", env!("CARGO_PKG_VERSION"));
    let request = Request::builder()
        .method(what.method)
        .uri(path)
        .header(HOST, authority)
        .header(USER_AGENT, own)
        .header(header::CONNECTION, "close");
    let request = what
        .headers
        .into_iter()
        .fold(request, |request, (name, value)| request.header(name, value));
    Ok(request.body(Full::new(what.body.into()))?)
}

async fn open(url: &Url, trust: &Trust) -> Result<Box<dyn Stream>, Failure> {
    let host = host(&url.uri).to_owned();
    let stream = proxy::connect(&host, url.port()).await?;
    stream.set_nodelay(true)?;
    if !url.is_secret() {
        return Ok(Box::new(stream));
    }
    let config = tls::client(trust, None, tls::HTTP)?;
    let name = ServerName::try_from(host.clone()).map_err(|_| Failure::Name(host))?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    Ok(Box::new(stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_itself_is_spoken_to_without_tls() {
        for text in [
            "https://id.example.org",
            "https://id.example.org:8443/realms/lab",
            "http://127.0.0.1:8080/x?y=z",
            "http://[::1]:8080",
        ] {
            assert_eq!(text.parse::<Url>().map(|url| url.to_string()), Ok(text.to_owned()));
        }
        for text in ["http://id.example.org", "http://localhost:80", "http://127.0.0.1.example.org"]
        {
            assert_eq!(text.parse::<Url>(), Err(BadUrl::Plain), "{text}");
        }
        for text in
            ["", "id.example.org", "/x", "ftp://x", "https://", "https://a@b", "https://a/#b"]
        {
            assert_eq!(text.parse::<Url>(), Err(BadUrl::Other), "{text}");
        }
    }

    #[test]
    fn a_path_is_put_behind_what_is_there() {
        let at = |url: &str, path| url.parse::<Url>().and_then(|url| url.at(path));
        assert_eq!(at("https://a/b/", "/c").map(|url| url.to_string()), Ok("https://a/b/c".into()));
        assert_eq!(at("https://a", "/c").map(|url| url.to_string()), Ok("https://a/c".into()));
    }
}
