//! Whose program on this machine is at the other end of a connection over loopback.
//!
//! Every user of a machine can connect to its loopback ports, so that who comes there must be known. The
//! kernel says which user has the other end, as it does to an ident server.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use tokio::fs;
use tokio::net::TcpStream;

/// Where Linux lists its connections; one between addresses of IPv4 may be in either.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
/// A connection that neither side has closed. One that its program has closed is nobody's, and shown as
/// root's.
const ESTABLISHED: &str = "01";

/// The user that has the other end.
///
/// # Errors
/// [`io::ErrorKind::PermissionDenied`] if that cannot be said for sure: the other end is on another machine
/// or already closed, or this system does not tell.
pub async fn uid(stream: &TcpStream) -> io::Result<u32> {
    let (here, there) = (stream.local_addr()?, stream.peer_addr()?);
    let unsaid = || io::Error::new(io::ErrorKind::PermissionDenied, format!("whose {there} is"));
    if !is_loopback(here.ip()) || !is_loopback(there.ip()) {
        return Err(unsaid());
    }
    let mut owner = None;
    for table in TABLES {
        // Without IPv6, one of them is not there.
        let rows = fs::read_to_string(table).await.unwrap_or_default();
        owner = owner.or_else(|| owner_in(&rows, there, here));
    }
    // A connection that was reset meanwhile has no peer. Whoever has its other end now is somebody else, and
    // what was typed before is not theirs.
    stream.peer_addr()?;
    owner.ok_or_else(unsaid)
}

/// Whether it is this machine's alone, in whichever way it is written.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// The user of the connection from `local` to `remote`, as the other end of it sees them.
fn owner_in(rows: &str, local: SocketAddr, remote: SocketAddr) -> Option<u32> {
    let wanted = Some((canonical(local), canonical(remote)));
    rows.lines().skip(1).find_map(|row| {
        let words: Vec<_> = row.split_ascii_whitespace().take(10).collect();
        let [_, from, to, state, _, _, _, uid, _, inode] = words[..] else { return None };
        let is_it = read(from).zip(read(to)) == wanted && state == ESTABLISHED && inode != "0";
        if is_it { uid.parse().ok() } else { None }
    })
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// `0100007F:1F90`: words of 32 bits as the machine has them, and the port.
fn read(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let words: Option<Vec<[u8; 4]>> = (0..address.len() / 8)
        .map(|at| address.get(8 * at..8 * at + 8))
        .map(|word| Some(u32::from_str_radix(word?, 16).ok()?.to_ne_bytes()))
        .collect();
    let address: IpAddr = match words?.as_slice() {
        [four] => (*four).into(),
        six => Ipv6Addr::from(<[u8; 16]>::try_from(six.concat()).ok()?).to_canonical(),
    };
    Some(SocketAddr::new(address, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use nix::unistd::getuid;
    use tokio::net::TcpListener;

    use super::*;

    /// As Linux has it on a little-endian machine.
    #[cfg(target_endian = "little")]
    const ROWS: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 100 1 0 100
   1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1001        0 101 1 0 20
   2: 0100007F:C351 0100007F:1F90 06 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20
   3: 0100007F:C352 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20
   4: 0000000000000000FFFF00000100007F:C353 0000000000000000FFFF00000100007F:1F90 01 0:0 00:0 0 1002 0 103
   5: 00000000000000000000000001000000:C354 00000000000000000000000001000000:1F90 01 0:0 00:0 0 1003 0 104
";

    #[cfg(target_endian = "little")]
    #[test]
    fn a_connection_is_whose_the_table_says() {
        let owner = |local: &str, remote: &str| {
            owner_in(ROWS, local.parse().expect("one"), remote.parse().expect("one"))
        };
        assert_eq!(owner("127.0.0.1:50000", "127.0.0.1:8080"), Some(1001));
        // Of one that is closed, or not accepted yet, it says root's.
        assert_eq!(owner("127.0.0.1:50001", "127.0.0.1:8080"), None);
        assert_eq!(owner("127.0.0.1:50002", "127.0.0.1:8080"), None);
        assert_eq!(owner("127.0.0.1:50003", "127.0.0.1:8080"), Some(1002));
        assert_eq!(owner("[::1]:50004", "[::1]:8080"), Some(1003));
        // The other end of one is not it, nor is who listens.
        assert_eq!(owner("127.0.0.1:8080", "127.0.0.1:50000"), None);
        assert_eq!(owner("127.0.0.1:50000", "127.0.0.1:8081"), None);
    }

    #[tokio::test]
    async fn a_connection_of_this_program_is_its_users() -> io::Result<()> {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).await?;
            let client = TcpStream::connect(listener.local_addr()?).await?;
            let (accepted, _) = listener.accept().await?;
            assert_eq!(uid(&accepted).await?, getuid().as_raw());
            drop(client);
            assert!(uid(&accepted).await.is_err());
        }
        Ok(())
    }
}
