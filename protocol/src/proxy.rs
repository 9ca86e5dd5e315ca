//! Connecting to somebody elsewhere; through a proxy, where the environment names one: `https_proxy` or
//! `all_proxy`, except for the hosts in `no_proxy` and for this machine itself.

use std::fmt::{self, Write as _};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD as BASE64, Engine as _};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::sleep;
use url::Url;

/// The longest answer of a proxy, in bytes.
const LONGEST: usize = 16 * 1024;

/// An address is tried alone for so long.
const HEAD_START: Duration = Duration::from_millis(250);

/// An HTTP proxy.
#[derive(Clone, PartialEq, Eq)]
struct Proxy {
    host: String,
    port: u16,
    /// `user:password`, as it is shown to the proxy.
    user: Option<String>,
}

impl fmt::Debug for Proxy {
    /// Without what it is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_ref().map(|_| "…");
        f.debug_struct("Proxy")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &user)
            .finish()
    }
}

/// Connects to a port of a host.
///
/// # Errors
/// The system's; what the proxy said.
pub async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    match named(host, |name| std::env::var(name).ok())? {
        None => reach(host, port).await,
        Some(proxy) => {
            let of_proxy = |error: io::Error| {
                io::Error::new(error.kind(), format!("the proxy {}: {error}", proxy.host))
            };
            let stream = reach(&proxy.host, proxy.port).await;
            through(&proxy, stream.map_err(of_proxy)?, host, port).await.map_err(of_proxy)
        }
    }
}

/// Connects to a host by whichever of its addresses answers first.
async fn reach(host: &str, port: u16) -> io::Result<TcpStream> {
    first_of(lookup_host((host, port)).await?).await
}

/// Tries one address after the other, as RFC 8305 has it: the next when one has failed, or has not answered for
/// a moment.
async fn first_of(mut addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let mut tries = FuturesUnordered::new();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "it has no address");
    loop {
        match addresses.next() {
            Some(address) => tries.push(TcpStream::connect(address)),
            None if tries.is_empty() => return Err(failure),
            None => {}
        }
        tokio::select! {
            Some(tried) = tries.next() => match tried {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            },
            () = sleep(HEAD_START) => {}
        }
    }
}

/// The proxy that the environment names for a host.
fn named(host: &str, variable: impl Fn(&str) -> Option<String>) -> io::Result<Option<Proxy>> {
    let said = |names: &[&str]| {
        names.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()))
    };
    let is_here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    let is_excepted = said(&["no_proxy", "NO_PROXY"]).is_some_and(|list| excepts(&list, host));
    let url = said(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]);
    let Some(url) = url.filter(|_| !is_here && !is_excepted) else { return Ok(None) };
    parse(&url).map(Some).ok_or_else(|| {
        // Of what it says nothing is told: a password may be in it, and not where one looks for it.
        let why = "https_proxy or all_proxy names no proxy: it is to be http://HOST:PORT";
        io::Error::new(io::ErrorKind::InvalidInput, why)
    })
}

/// `http://USER:PASSWORD@HOST:PORT`, of which only the host must be there.
fn parse(url: &str) -> Option<Proxy> {
    let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let url = Url::parse(&url).ok().filter(|url| url.scheme() == "http")?;
    let text = |part: &str| percent_decode_str(part).decode_utf8().map(String::from).ok();
    let user = match (url.username(), url.password()) {
        ("", None) => None,
        (user, password) => Some(format!("{}:{}", text(user)?, text(password.unwrap_or(""))?)),
    };
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    Some(Proxy { host, port: url.port_or_known_default()?, user })
}

/// Whether a list of hosts and of ends of hosts has one.
fn excepts(list: &str, host: &str) -> bool {
    list.split(',').map(str::trim).any(|entry| {
        let end = entry.trim_start_matches('.');
        let is_within = || host.strip_suffix(end).is_some_and(|rest| rest.ends_with('.'));
        entry == "*" || (!end.is_empty() && (host.eq_ignore_ascii_case(end) || is_within()))
    })
}

/// Has a proxy connect (RFC 9110, 9.3.6).
async fn through(
    proxy: &Proxy,
    mut stream: TcpStream,
    host: &str,
    port: u16,
) -> io::Result<TcpStream> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    if let Some(user) = &proxy.user {
        // Into a text one can always write.
        let _ = write!(request, "Proxy-Authorization: Basic {}\r\n", BASE64.encode(user));
    }
    request += "\r\n";
    stream.write_all(request.as_bytes()).await?;
    let answer = head(&mut stream).await?;
    let line = answer.lines().next().unwrap_or_default();
    let mut words = line.splitn(3, ' ');
    let is_http = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
    match words.next() {
        Some(status) if is_http && status.starts_with('2') => Ok(stream),
        _ => Err(io::Error::other(format!("it answered '{}'", line.escape_debug()))),
    }
}

/// Reads an answer up to its empty line, and nothing of what comes behind it.
async fn head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == LONGEST {
            return Err(io::Error::other("its answer is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::{TcpListener, TcpSocket};
    use tokio::time::timeout;

    use super::*;

    const ANY: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

    /// An address at which nobody answers, as long as what is returned with it is there: nobody takes the
    /// connections that wait there, and there is no room for another.
    async fn silent() -> (SocketAddr, (TcpListener, Vec<TcpStream>)) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(ANY.into()).expect("bound");
        let listener = socket.listen(1).expect("it listens");
        let address = listener.local_addr().expect("an address");
        let mut waiting = Vec::new();
        let second = Duration::from_secs(1);
        while let Ok(there) = timeout(second, TcpStream::connect(address)).await {
            waiting.push(there.expect("connected"));
        }
        (address, (listener, waiting))
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_keeps_nobody_from_the_next() {
        let (silent, _nobody) = silent().await;
        let listener = TcpListener::bind(ANY).await.expect("it listens");
        let there = listener.local_addr().expect("an address");
        let gone = TcpListener::bind(ANY).await.expect("bound").local_addr().expect("an address");
        for addresses in [vec![there], vec![silent, there], vec![silent, gone, silent, there]] {
            let found = timeout(Duration::from_secs(10), first_of(addresses.into_iter())).await;
            let stream = found.expect("in time").expect("connected");
            assert_eq!(stream.peer_addr().expect("an address"), there);
        }
        let refused = first_of([gone].into_iter()).await.map(drop).expect_err("nobody is there");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let none = first_of([].into_iter()).await.map(drop).expect_err("no address");
        assert_eq!(none.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn the_environment_says_which_way_to_go() {
        let proxy = |host: &str, port, user: Option<&str>| {
            Some(Proxy { host: host.to_owned(), port, user: user.map(str::to_owned) })
        };
        for (host, variables, wanted) in [
            ("lab.example.org", &[][..], None),
            ("lab", &[("https_proxy", "http://proxy:3128")], proxy("proxy", 3128, None)),
            ("lab", &[("HTTPS_PROXY", "proxy:3128/")], proxy("proxy", 3128, None)),
            ("lab", &[("all_proxy", "http://[::1]:8080")], proxy("::1", 8080, None)),
            ("lab", &[("https_proxy", "http://a%40b:c@proxy")], proxy("proxy", 80, Some("a@b:c"))),
            ("lab", &[("https_proxy", "")], None),
            ("127.0.0.1", &[("https_proxy", "http://proxy:1")], None),
            ("localhost", &[("https_proxy", "http://proxy:1")], None),
            ("lab", &[("https_proxy", "http://proxy:1"), ("no_proxy", "*")], None),
            ("lab.a.org", &[("https_proxy", "http://proxy:1"), ("no_proxy", "b, .a.org")], None),
            ("a.org", &[("https_proxy", "http://proxy:1"), ("no_proxy", "A.ORG")], None),
            (
                "ba.org",
                &[("https_proxy", "http://proxy:1"), ("no_proxy", "a.org")],
                proxy("proxy", 1, None),
            ),
        ] {
            let variable = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
            };
            assert_eq!(named(host, variable).expect("a proxy"), wanted, "{host} {variables:?}");
        }
        for wrong in ["socks5://proxy:1", "http://", "http://proxy:x", "http://%ff@proxy:1"] {
            assert!(named("lab", |_| Some(wrong.to_owned())).is_err(), "{wrong}");
        }
    }

    /// Planted, and caught: the whole of what is no proxy in the error; the whole of a proxy for whoever debugs.
    #[test]
    fn a_password_is_not_told_with_what_is_wrong() {
        for wrong in ["socks5://u:secret@proxy", "http://u:secret@proxy:x", "u:secret/@proxy:x"] {
            let why = named("lab", |_| Some(wrong.to_owned())).expect_err(wrong);
            assert!(!why.to_string().contains("secret"), "{why}");
        }
        let right = named("lab", |_| Some("http://u:secret@proxy".to_owned()));
        assert!(!format!("{right:?}").contains("secret"), "{right:?}");
    }
}
