//! A lab made of nothing behind a real socket: it says what a test tells it to say, and writes down
//! what it is asked.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use futures::StreamExt;
use protocol::account::{
    Account, AccountAsk, Enrolled, Key, Login, May, MayAsk, NewToken, Token, TokenAsk,
};
use protocol::address::Address;
use protocol::board::{Board, BoardDetail, BoardName, Class, Filter};
use protocol::boot::Boots;
use protocol::console::{Desk, From, PenAsk, PenState};
use protocol::hold::{Ask, Hold, Place, Placed, Release};
use protocol::journal::Entry;
use protocol::power::{PowerAsk, PowerDetail, PowerState};
use protocol::search::Hit;
use protocol::service::Lab;
use protocol::trigger::Trigger;
use protocol::user::{Role, UserName, Who};
use protocol::wire::{self, Follow, Purpose, Welcome};
use protocol::{Error, Span, Time};
use tarpc::context::Context;
use tarpc::server::{BaseChannel, Channel};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::sample::{boots, detail, hold, user};

/// What the fake lab knows, and what it was asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// The rows, in the order in which they were sent; first `all` of them.
    pub(crate) rows: Vec<Board>,
    pub(crate) all: usize,
    pub(crate) entries: Vec<Entry>,
    /// What the console printed, and how much of its beginning is lost.
    pub(crate) printed: Vec<u8>,
    pub(crate) lost: u64,
    /// What paints the screen before the first byte.
    pub(crate) paint: Vec<u8>,
    /// Who is at the console.
    pub(crate) desk: Desk,
    /// What every search finds.
    pub(crate) hits: Vec<Hit>,
    pub(crate) typed: Vec<u8>,
    pub(crate) calls: VecDeque<String>,
    /// How often connections were cut; a connection ends when this grows.
    pub(crate) cuts: u32,
    /// How many follows there are and were.
    pub(crate) follows: Vec<Follow>,
    /// Who has an account.
    pub(crate) accounts: Vec<Account>,
    /// Who waits.
    pub(crate) queue: Vec<Place>,
    /// Whether first lines are answered with no.
    pub(crate) refusing: Option<Error>,
}

#[derive(Clone)]
pub(crate) struct FakeLab {
    known: watch::Sender<Known>,
    folder: Arc<TempDir>,
}

/// Accepts connections until dropped.
pub(crate) struct Door(JoinHandle<()>);

impl Drop for Door {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl FakeLab {
    pub(crate) fn new(rows: Vec<Board>, entries: Vec<Entry>) -> FakeLab {
        let known = Known { all: rows.len(), rows, entries, ..Known::default() };
        FakeLab { known: watch::Sender::new(known), folder: Arc::new(TempDir::new().unwrap()) }
    }

    pub(crate) fn address(&self) -> Address {
        Address::Unix(self.folder.path().join("lab.sock"))
    }

    pub(crate) fn open(&self) -> Door {
        let path = self.folder.path().join("lab.sock");
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(path).unwrap();
        let lab = self.clone();
        Door(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(lab.clone().connection(stream));
            }
        }))
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Known)) {
        self.known.send_modify(change);
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, what: &str, so: impl FnMut(&Known) -> bool) -> Known {
        let mut known = self.known.subscribe();
        let limit = std::time::Duration::from_secs(20);
        let waited = tokio::time::timeout(limit, known.wait_for(so)).await;
        match waited {
            Ok(known) => known.unwrap().clone(),
            Err(_) => panic!("never: {what}; {:?}", self.known.borrow()),
        }
    }

    async fn connection(self, stream: UnixStream) {
        let mut known = self.known.subscribe();
        let cuts = known.borrow().cuts;
        tokio::select! {
            _ = self.answer(stream) => {}
            _ = known.wait_for(|known| known.cuts > cuts) => {}
        }
    }

    async fn answer(&self, stream: UnixStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let Ok(purpose) = wire::listen(&mut stream).await else { return Ok(()) };
        let refusing = self.known.borrow().refusing.clone();
        if let Some(why) = refusing {
            return wire::refuse(&mut stream, &why).await;
        }
        match purpose {
            Purpose::Call => {
                wire::accept(&mut stream, &Welcome::default()).await?;
                let calls = BaseChannel::with_defaults(wire::frames(stream));
                calls.execute(Lab::serve(self.clone())).for_each_concurrent(9, |it| it).await;
                Ok(())
            }
            Purpose::Prove(_) | Purpose::Ssh => wire::refuse(&mut stream, &Error::Unknown).await,
            Purpose::Follow(follow) => {
                self.change(|known| known.follows.push(follow.clone()));
                self.flow(stream, follow).await
            }
        }
    }

    async fn flow(&self, mut stream: BufReader<UnixStream>, follow: Follow) -> io::Result<()> {
        match follow {
            Follow::Boards => self.flow_boards(&mut stream).await,
            Follow::Journal { board, from, tail, .. } => {
                self.flow_entries(&mut stream, board, from, tail).await
            }
            Follow::Console { from, stop_at_end, .. } => {
                self.flow_console(stream, from, stop_at_end).await
            }
            Follow::Desk { .. } => self.flow_desks(&mut stream).await,
            Follow::Search(_) => self.flow_hits(&mut stream).await,
            // What labtui does not follow.
            _ => Ok(()),
        }
    }

    async fn flow_boards(&self, stream: &mut BufReader<UnixStream>) -> io::Result<()> {
        let mut known = self.known.subscribe();
        wire::accept(stream, &Welcome::default()).await?;
        let (mut sent, all) = (0, known.borrow().all);
        loop {
            let rows = known.borrow_and_update().rows[sent..].to_vec();
            for row in rows {
                stream.write_all((serde_json::to_string(&row)? + "\n").as_bytes()).await?;
                sent += 1;
                if sent == all {
                    stream.write_all(b"\n").await?;
                }
            }
            known.changed().await.map_err(io::Error::other)?;
        }
    }

    async fn flow_entries(
        &self,
        stream: &mut BufReader<UnixStream>,
        board: Option<BoardName>,
        from: Option<u64>,
        tail: u32,
    ) -> io::Result<()> {
        let mut known = self.known.subscribe();
        let of_board = move |entry: &&Entry| board.is_none() || entry.board == board;
        let all = known.borrow().entries.iter().filter(of_board.clone()).count();
        let mut sent = match from {
            Some(from) => known
                .borrow()
                .entries
                .iter()
                .filter(|it| it.seq < from)
                .filter(of_board.clone())
                .count(),
            None => all.saturating_sub(tail as usize),
        };
        wire::accept(stream, &Welcome::default()).await?;
        loop {
            let news: Vec<Entry> = known
                .borrow_and_update()
                .entries
                .iter()
                .filter(of_board.clone())
                .skip(sent)
                .cloned()
                .collect();
            for entry in news {
                stream.write_all((serde_json::to_string(&entry)? + "\n").as_bytes()).await?;
                sent += 1;
            }
            known.changed().await.map_err(io::Error::other)?;
        }
    }

    /// Sends a few bytes at a time, so that a cut falls anywhere.
    async fn flow_console(
        &self,
        mut stream: BufReader<UnixStream>,
        from: From,
        stop_at_end: bool,
    ) -> io::Result<()> {
        let mut known = self.known.subscribe();
        let (lost, end) = (known.borrow().lost, known.borrow().printed.len() as u64);
        let start = match from {
            From::Offset { offset } => offset,
            // A screen is kept every eight bytes.
            From::Screen { offset: Some(offset), .. } => offset / 8 * 8,
            From::Tail { bytes } => end.saturating_sub(bytes),
            _ => 0,
        };
        let mut at = start.max(lost);
        let is_screen = matches!(from, From::Screen { .. });
        let paint = if is_screen { known.borrow().paint.clone() } else { Vec::new() };
        let painted = paint.len() as u64;
        let welcome = Welcome { start: at, session: 3, painted, ..Welcome::default() };
        wire::accept(&mut stream, &welcome).await?;
        stream.write_all(&paint).await?;
        let mut keys = [0; 64];
        loop {
            let piece: Vec<u8> =
                known.borrow_and_update().printed[at as usize..].iter().take(97).copied().collect();
            stream.write_all(&piece).await?;
            at += piece.len() as u64;
            if !piece.is_empty() {
                continue;
            }
            if stop_at_end {
                return stream.shutdown().await;
            }
            tokio::select! {
                changed = known.changed() => changed.map_err(io::Error::other)?,
                read = stream.read(&mut keys) => match read? {
                    0 => return Ok(()),
                    count => self.change(|known| known.typed.extend(&keys[..count])),
                },
            }
        }
    }

    async fn flow_desks(&self, stream: &mut BufReader<UnixStream>) -> io::Result<()> {
        let mut known = self.known.subscribe();
        wire::accept(stream, &Welcome::default()).await?;
        loop {
            let desk = known.borrow_and_update().desk.clone();
            stream.write_all((serde_json::to_string(&desk)? + "\n").as_bytes()).await?;
            known.wait_for(|known| known.desk != desk).await.map_err(io::Error::other)?;
        }
    }

    async fn flow_hits(&self, stream: &mut BufReader<UnixStream>) -> io::Result<()> {
        wire::accept(stream, &Welcome::default()).await?;
        let hits = self.known.borrow().hits.clone();
        for hit in hits {
            stream.write_all((serde_json::to_string(&hit)? + "\n").as_bytes()).await?;
        }
        stream.write_all(b"\n").await
    }

    fn wrote(&self, call: String) {
        self.change(|known| known.calls.push_back(call));
    }
}

/// Calls that labtui does not make.
macro_rules! unanswered {
    ($($name:ident($($ask:ty),*) -> $answer:ty;)*) => {
        $(
            async fn $name(self, _: Context $(, _: $ask)*) -> Result<$answer, Error> {
                Err(Error::Unknown)
            }
        )*
    };
}

impl Lab for FakeLab {
    async fn whoami(self, _: Context) -> Result<Who, Error> {
        self.wrote("whoami".to_owned());
        Ok(Who::new(user("ada"), Role::User))
    }

    async fn board(self, _: Context, name: BoardName) -> Result<BoardDetail, Error> {
        let row = self.known.borrow().rows.iter().rfind(|row| row.name == name).cloned();
        let (what, near) = ("board".to_owned(), None);
        row.map(detail).ok_or(Error::NoSuch { what, name: name.to_string(), near })
    }

    async fn reserve(self, _: Context, ask: Ask) -> Result<Placed, Error> {
        self.wrote(format!("reserve {} {:?}", ask.want, ask.span));
        Ok(Placed::Held { hold: hold(&ask.want.to_string(), "ada", 50, Span::hours(2)) })
    }

    async fn power(
        self,
        _: Context,
        board: BoardName,
        ask: PowerAsk,
    ) -> Result<PowerDetail, Error> {
        self.wrote(format!("power {board} {ask}"));
        let (outlet, state) = ("fake".to_owned(), PowerState::On);
        Ok(PowerDetail { outlet, state, seen: None, doing: None, fault: None })
    }

    async fn queue(self, _: Context) -> Result<Vec<Place>, Error> {
        Ok(self.known.borrow().queue.clone())
    }

    async fn accounts(self, _: Context) -> Result<Vec<Account>, Error> {
        Ok(self.known.borrow().accounts.clone())
    }

    async fn pen(self, _: Context, session: u64, ask: PenAsk) -> Result<PenState, Error> {
        self.wrote(format!("pen {session} {ask:?}"));
        Ok(PenState::Yours)
    }

    async fn type_in(self, _: Context, _: u64, _: Vec<u8>) -> Result<(), Error> {
        Err(Error::Unknown)
    }

    async fn send_break(self, _: Context, session: u64, _: Span) -> Result<(), Error> {
        self.wrote(format!("break {session}"));
        Ok(())
    }

    async fn boots(self, _: Context, _: BoardName, _: Option<Time>) -> Result<Boots, Error> {
        Ok(boots())
    }

    unanswered! {
        signal(BoardName, protocol::console::Signal) -> ();
        boards(Filter) -> Vec<Board>;
        classes() -> Vec<Class>;
        holds() -> Vec<Hold>;
        placed(u64, Span) -> Placed;
        unqueue(u64) -> ();
        release(BoardName, Release) -> Hold;
        extend(BoardName, Span) -> Hold;
        give(BoardName, UserName) -> Hold;
        outlet(BoardName) -> PowerDetail;
        triggers() -> Vec<Trigger>;
        note(BoardName, String) -> ();
        reload() -> Vec<String>;
        doctor() -> Vec<String>;
        verify() -> Vec<String>;
        rebuild() -> Vec<String>;
        import(Vec<String>) -> Vec<String>;
        may(MayAsk) -> May;
        change_account(UserName, AccountAsk) -> Option<Account>;
        tokens() -> Vec<Token>;
        make_token(TokenAsk) -> NewToken;
        revoke_token(String) -> Token;
        enrol(String) -> Enrolled;
        logins() -> Vec<Login>;
        log_out(String) -> Login;
        found_at() -> Address;
        keys() -> Vec<Key>;
        add_key(Option<UserName>, String) -> Key;
        remove_key(String) -> Key;
    }
}
