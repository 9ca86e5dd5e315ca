//! Files sent to `rx` and `rb` of lrzsz, and text to a boot loader that drops characters.
//!
//! Planted, and caught: a CRC from 0xffff; no padding; a block number that does not wrap; YMODEM without the
//! block that ends it; a line entered as it stands; the rest of a line typed behind a dropped character.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use protocol::send::{File, Way};
use tokio::io::{DuplexStream, duplex, join};
use tokio::process::Command;

use super::*;

/// By a clock that does not wait, in most of the tests.
const LIMIT: Duration = Duration::from_secs(3_600);

/// As many bytes, in which all values come, and no two blocks are alike.
fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 + at / 251) as u8).collect()
}

async fn sent(
    way: Way,
    content: &[u8],
    wire: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<(), (u64, String)> {
    let file = File { name: "image.bin".to_owned(), size: content.len() as u64, way };
    let taken = watch::Sender::new(0);
    let sending = send(&file, content, wire, b"=> ".to_vec(), &taken, std::future::pending::<()>());
    let sent = timeout(LIMIT, sending).await.expect("it ends");
    sent.map_err(|why| (*taken.borrow(), why))
}

/// A folder of its own, gone when it is dropped.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("transfer-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).expect("a folder");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Sends to a receiver of lrzsz's, and returns what it has then.
async fn received_by(program: &str, arguments: &[&str], way: Way, content: &[u8]) -> Vec<u8> {
    let folder = Folder::new();
    let mut receiver = Command::new(program)
        .args(arguments)
        .current_dir(&folder.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; is lrzsz installed?"));
    let wire = join(receiver.stdout.take().expect("piped"), receiver.stdin.take().expect("piped"));
    assert_eq!(sent(way, content, wire).await, Ok(()), "{program} {arguments:?}");
    let status = timeout(LIMIT, receiver.wait()).await.expect("it ends").expect("it ran");
    assert!(status.success(), "{program} {arguments:?}: {status}");
    std::fs::read(folder.0.join(Path::new("image.bin"))).expect("what it received")
}

#[tokio::test]
async fn xmodem_arrives_with_checksums_and_crcs_and_the_last_block_filled_up() {
    for (arguments, way) in [
        (&["-b", "image.bin"][..], Way::Xmodem),
        (&["-b", "-c", "image.bin"], Way::Xmodem),
        (&["-b", "image.bin"], Way::Xmodem1k),
        (&["-b", "-c", "image.bin"], Way::Xmodem1k),
    ] {
        // More blocks than a number counts.
        let content = bytes(128 * 300 + 5);
        let received = received_by("rx", arguments, way, &content).await;
        assert!(received.starts_with(&content), "{way} {arguments:?}");
        assert_eq!(received[content.len()..], [0x1a; 123]);
    }
}

#[tokio::test]
async fn ymodem_arrives_under_its_name_with_its_size() {
    for size in [0, 1, 128, 1024, 100_000] {
        let content = bytes(size);
        assert!(received_by("rb", &["-b"], Way::Ymodem, &content).await == content, "{size}");
    }
}

/// Plays a receiver: what it says when it has read so much.
async fn conversation(way: Way, script: &[(&[u8], usize)]) -> (Result<(), (u64, String)>, Vec<u8>) {
    let (ours, theirs) = duplex(4 * 1024);
    let receiver = async {
        let (mut read, mut write) = tokio::io::split(theirs);
        for (says, then_reads) in script {
            write.write_all(says).await.expect("open");
            let mut block = vec![0; *then_reads];
            read.read_exact(&mut block).await.expect("a block");
        }
        let mut rest = Vec::new();
        read.read_to_end(&mut rest).await.expect("the rest");
        rest
    };
    let content = bytes(200);
    tokio::join!(sent(way, &content, ours), receiver)
}

#[tokio::test(start_paused = true)]
async fn what_is_not_taken_is_sent_again_and_who_cancels_is_heard() {
    let (outcome, _) = conversation(
        Way::Xmodem,
        &[(b"C", 133), (b"\x15", 133), (b"\x06", 133), (b"\x06", 1), (b"\x06", 0)],
    )
    .await;
    assert_eq!(outcome, Ok(()));
    let (outcome, _) =
        conversation(Way::Xmodem, &[(b"C", 133), (b"\x06", 133), (b"\x18\x18", 0)]).await;
    assert_eq!(outcome, Err((128, "the board cancelled it".to_owned())));
    // Noise is no answer; silence is none either, and in the end the receiver is told.
    let (outcome, rest) = conversation(Way::Xmodem, &[(b"C", 133), (b"\x18x", 0)]).await;
    assert_eq!(outcome, Err((0, "the board did not take block 1 in 10 tries".to_owned())));
    assert_eq!(rest.len(), 9 * 133 + xmodem::CANCEL.len());
    assert!(rest.ends_with(xmodem::CANCEL));
    let (outcome, rest) = conversation(Way::Ymodem, &[(b"login: ", 0)]).await;
    assert!(outcome.unwrap_err().1.starts_with("nothing on the board asked for a file within 60s"));
    assert_eq!(rest, xmodem::CANCEL);
}

#[tokio::test]
async fn a_file_that_does_not_come_whole_is_cancelled() {
    let (ours, mut theirs) = duplex(4 * 1024);
    let file = File { name: "image.bin".to_owned(), size: 1_000, way: Way::Xmodem };
    let (taken, source) = (watch::Sender::new(0), bytes(10));
    let sending = send(&file, &source[..], ours, Vec::new(), &taken, std::future::pending::<()>());
    let receiver = async {
        theirs.write_all(b"C").await.expect("open");
        let mut all = Vec::new();
        theirs.read_to_end(&mut all).await.expect("the rest");
        all
    };
    let (sent, received) = tokio::join!(sending, receiver);
    assert!(sent.unwrap_err().starts_with("the rest of the file did not come"));
    assert_eq!(received, xmodem::CANCEL);
}

#[test]
fn the_crc_is_that_of_the_protocol() {
    assert_eq!(xmodem::crc(b"123456789"), 0x31c3);
}

/// A boot loader whose receiver holds so many characters, and loses what is more; and one in so many of
/// the others. Returns the lines that were entered.
struct Loader {
    holds: usize,
    loses_one_in: usize,
    /// A byte that is lost each time.
    deaf_to: Option<u8>,
}

impl Loader {
    async fn run(self, wire: DuplexStream) -> Vec<Vec<u8>> {
        let (mut read, mut write) = tokio::io::split(wire);
        let (mut entered, mut line, mut count) = (Vec::new(), Vec::<u8>::new(), 0);
        let mut fifo = vec![0; 4096];
        while let Ok(read @ 1..) = read.read(&mut fifo).await {
            for byte in &fifo[..read.min(self.holds)] {
                count += 1;
                if count % self.loses_one_in == 0 || Some(*byte) == self.deaf_to {
                    continue;
                }
                let echo = match byte {
                    0x15 => b"\x08 \x08".repeat(std::mem::take(&mut line).len()),
                    b'\r' => {
                        entered.push(std::mem::take(&mut line));
                        b"\r\nok\r\n=> ".to_vec()
                    }
                    _ => {
                        line.push(*byte);
                        vec![*byte]
                    }
                };
                if write.write_all(&echo).await.is_err() {
                    return entered;
                }
            }
        }
        entered
    }

    async fn takes(self, text: &[u8]) -> (Result<(), (u64, String)>, Vec<Vec<u8>>) {
        let (ours, theirs) = duplex(4 * 1024);
        tokio::join!(sent(Way::Paste, text, ours), self.run(theirs))
    }
}

/// Lines as people paste them: 100 KB.
fn script() -> Vec<u8> {
    let line = |n| format!("setenv variable_{n} 'a value that is {n} long; and some; more'\n");
    let mut script: String = (0..)
        .map(line)
        .scan(0, |size, line| {
            *size += line.len();
            (*size <= 100_000).then_some(line)
        })
        .collect();
    script.push_str("boot");
    script.into_bytes()
}

#[tokio::test(start_paused = true)]
async fn a_hundred_kilobytes_arrive_whole_at_a_boot_loader_that_drops_characters() {
    for (holds, loses_one_in) in [(4096, usize::MAX), (16, usize::MAX), (16, 1_009), (7, 211)] {
        let script = script();
        let loader = Loader { holds, loses_one_in, deaf_to: None };
        let (outcome, entered) = loader.takes(&script).await;
        assert_eq!(outcome, Ok(()), "{holds} {loses_one_in}");
        let mut lines: Vec<_> = script.split(|byte| *byte == b'\n').collect();
        assert_eq!(lines.pop(), Some(&b"boot"[..]), "typed, and not entered");
        assert!(entered == lines, "{holds} {loses_one_in}: {} lines", entered.len());
    }
}

#[tokio::test(start_paused = true)]
async fn where_a_paste_goes_wrong_is_told_to_the_byte() {
    let text = b"setenv a 1\nsetenv b#2\nboot\n";
    let (outcome, entered) =
        Loader { holds: 16, loses_one_in: usize::MAX, deaf_to: Some(b'#') }.takes(text).await;
    let at = text.iter().position(|byte| *byte == b'#').expect("it is there") as u64;
    assert_eq!(outcome, Err((at, "'#' was typed, and nothing came back".to_owned())));
    assert_eq!(entered, [b"setenv a 1"], "and no half of a line is entered");
}
