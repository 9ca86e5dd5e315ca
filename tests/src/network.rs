//! A network between clients and a door, which is this test: it cuts connections, delays what they carry,
//! and loses it without a word.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use socket2::{SockFilter, SockRef};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use crate::dice::Dice;
use crate::patience::until;

/// How the weather is.
#[derive(Debug, Clone, Default)]
struct Weather {
    /// Each connection is cut after as many bytes, both ways together, as chance says: from, below.
    cuts: Option<(u64, u64)>,
    delay: Duration,
    /// Counts how often everything was cut.
    cut: u64,
    /// Counts the black holes: what was connected before the newest reaches nobody.
    lost: u64,
}

/// A network that ends at a door.
pub struct Network {
    port: u16,
    weather: watch::Sender<Weather>,
    counts: Arc<Counts>,
}

/// Connections.
#[derive(Debug, Default)]
struct Counts {
    /// Those that are there, and on which anything arrives.
    open: AtomicU64,
    /// Those that were cut.
    cut: AtomicU64,
}

impl Network {
    /// A network before the door at a port of this machine; chance begins at `seed`.
    ///
    /// # Errors
    /// The system's.
    pub async fn before(port: u16, seed: u64) -> Result<Network> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let network = Network {
            port: listener.local_addr()?.port(),
            weather: watch::Sender::default(),
            counts: Arc::default(),
        };
        let door = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (weather, counts) = (network.weather.subscribe(), network.counts.clone());
        tokio::spawn(carry_all(listener, door, Dice::new(seed), weather, counts));
        Ok(network)
    }

    /// Where clients come.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on each connection is cut after at least `from` bytes and less than `below`.
    pub fn cut(&self, from: u64, below: u64) {
        self.weather.send_modify(|weather| weather.cuts = Some((from, below)));
    }

    /// Cuts whatever is connected now.
    pub fn cut_now(&self) {
        self.weather.send_modify(|weather| weather.cut += 1);
    }

    /// From now on everything takes so much longer.
    pub fn delay(&self, delay: Duration) {
        self.weather.send_modify(|weather| weather.delay = delay);
    }

    /// Nothing of what is connected now arrives any more, and nobody is told. This is below TCP: not even
    /// that something arrived is told to the other side's system.
    ///
    /// # Errors
    /// If that does not come about.
    pub async fn lose(&self) -> Result<()> {
        // What arrived is acknowledged within 200 ms. If not, this side would send it again and again, which
        // no router does.
        tokio::time::sleep(Duration::from_millis(250)).await;
        self.weather.send_modify(|weather| weather.lost += 1);
        until(|| self.counts.open.load(Ordering::Relaxed) == 0).await
    }

    /// How many connections were cut.
    pub fn cuts(&self) -> u64 {
        self.counts.cut.load(Ordering::Relaxed)
    }
}

async fn carry_all(
    listener: TcpListener,
    door: SocketAddr,
    mut dice: Dice,
    weather: watch::Receiver<Weather>,
    counts: Arc<Counts>,
) {
    while let Ok((mut client, _)) = listener.accept().await {
        let cuts = weather.borrow().cuts;
        let left = cuts.map_or(u64::MAX, |(from, below)| from + dice.below(below - from));
        // From anywhere, as over the internet: whoever is cut off while coming in is none that the door
        // need remember.
        let from = Ipv4Addr::new(127, 1, dice.below(256) as u8, dice.below(256) as u8);
        let (weather, counts) = (weather.clone(), counts.clone());
        tokio::spawn(async move {
            counts.open.fetch_add(1, Ordering::Relaxed);
            let end = carry(&mut client, from, door, left, weather).await;
            counts.open.fetch_sub(1, Ordering::Relaxed);
            match end {
                Ok(End::Cut) => drop(counts.cut.fetch_add(1, Ordering::Relaxed)),
                Ok(End::Lost(_door)) => std::future::pending().await,
                Ok(End::Left) | Err(_) => {}
            }
        });
    }
}

/// How a connection ended.
enum End {
    /// One side has closed it.
    Left,
    /// It was cut.
    Cut,
    /// It has not, but nothing arrives any more; here is the side to the door.
    Lost(TcpStream),
}

/// Carries one connection to its end.
async fn carry(
    client: &mut TcpStream,
    from: Ipv4Addr,
    door: SocketAddr,
    left: u64,
    mut weather: watch::Receiver<Weather>,
) -> Result<End> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let mut door = socket.connect(door).await?;
    client.set_nodelay(true)?;
    door.set_nodelay(true)?;
    let Weather { lost, cut, .. } = *weather.borrow_and_update();
    let (left, delay) = (AtomicU64::new(left), weather.clone());
    let was_cut = {
        let ((hear, tell), (ask, answer)) = (client.split(), door.split());
        tokio::select! {
            cut = pass(hear, answer, &left, &delay) => cut?,
            cut = pass(ask, tell, &left, &delay) => cut?,
            changed = weather.wait_for(|now| now.lost > lost || now.cut > cut) => {
                changed?.cut > cut
            }
        }
    };
    let is_lost = weather.borrow().lost > lost;
    for stream in [&*client, &door] {
        if was_cut {
            // As when a router forgets a connection: it is reset.
            SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
        } else if is_lost {
            // Return 0: of every segment that comes, not a byte is taken.
            SockRef::from(stream).attach_filter(&[SockFilter::new(0x06, 0, 0, 0)])?;
        }
    }
    Ok(match (was_cut, is_lost) {
        (true, _) => End::Cut,
        (false, true) => End::Lost(door),
        (false, false) => End::Left,
    })
}

/// Passes on what comes until it ends, or as much as is left. Says whether that was it.
async fn pass(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    left: &AtomicU64,
    weather: &watch::Receiver<Weather>,
) -> Result<bool> {
    let mut piece = [0; 4096];
    loop {
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return Ok(false);
        }
        let delay = weather.borrow().delay;
        tokio::time::sleep(delay).await;
        let before = left.load(Ordering::Relaxed);
        let passed = before.min(read as u64);
        left.store(before - passed, Ordering::Relaxed);
        to.write_all(&piece[..passed as usize]).await?;
        if passed < read as u64 {
            return Ok(true);
        }
    }
}
