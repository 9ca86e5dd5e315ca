use std::net::UdpSocket;
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex};
use std::thread;

use lab_tests::settings::{read, text};
use labd::config::ucl::Node;
use labd::power::Power;
use labd::power::snmp::SnmpPower;
use snmp::AsnReader;
use tokio::runtime::{Builder, Runtime};

/// Where the number of the question is to stand in an answer.
const NUMBER: &[u8; 4] = b"NUM?";

const SEQUENCE: u8 = 0x30;

/// An agent that answers what it was told last, and outlets that ask it.
struct Rig {
    runtime: Runtime,
    answers: Sender<Vec<u8>>,
    v2c: SnmpPower,
    v3: SnmpPower,
    _password: tempfile::NamedTempFile,
}

static RIG: LazyLock<Mutex<Rig>> = LazyLock::new(|| Mutex::new(rig()));

/// The first byte says which version is asked; the rest is each answer.
pub(crate) fn target(data: &[u8]) {
    let [version, answer @ ..] = data else { return };
    let rig = RIG.lock().expect("nobody panicked");
    rig.answers.send(answer.to_vec()).expect("the agent listens");
    let outlet = if *version == b'3' { &rig.v3 } else { &rig.v2c };
    if let Err(error) = rig.runtime.block_on(outlet.get()) {
        crate::assert_plain(&error.to_string());
    }
}

fn rig() -> Rig {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("a port").port();
    let (answers, told) = channel::<Vec<u8>>();
    thread::spawn(move || {
        let (mut question, mut answer) = ([0; 65_507], Vec::new());
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            answer = told.try_iter().last().unwrap_or(answer);
            let number = number_of(&question[..length]).unwrap_or_default();
            // What is too large to be sent is not answered.
            let _ = socket.send_to(&numbered(&answer, number), from);
        }
    });
    let password = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(password.path(), "twelve letters\n").expect("a password");
    let file = password.path().display().to_string();
    let usual = [
        ("host", text("127.0.0.1")),
        ("udp_port", Node::Int(port.into())),
        ("profile", text("apc-spdu")),
        ("port", Node::Int(1)),
        ("retries", Node::Int(0)),
        ("timeout", Node::Seconds(0.5)),
    ];
    let user = [
        ("version", Node::Int(3)),
        ("user", text("lab")),
        ("auth_file", text(file.clone())),
        ("privacy_file", text(file)),
    ];
    let v2c = read(SnmpPower::read, usual.clone()).expect("an outlet");
    let v3 = read(SnmpPower::read, usual.into_iter().chain(user)).expect("an outlet");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    Rig { runtime, answers, v2c, v3, _password: password }
}

/// The answer with the question's number.
fn numbered(answer: &[u8], number: i32) -> Vec<u8> {
    let mut answer = answer.to_vec();
    while let Some(at) = answer.windows(4).position(|window| window == NUMBER) {
        answer[at..at + 4].copy_from_slice(&number.to_be_bytes());
    }
    answer
}

/// The number of a question, of whichever version.
fn number_of(question: &[u8]) -> Option<i32> {
    let mut message = AsnReader::from_bytes(AsnReader::from_bytes(question).read_raw(SEQUENCE).ok()?);
    let number = if message.read_asn_integer().ok()? == 3 {
        AsnReader::from_bytes(message.read_raw(SEQUENCE).ok()?).read_asn_integer()
    } else {
        message.read_asn_octetstring().ok()?;
        const GET: u8 = 0xa0;
        AsnReader::from_bytes(message.read_raw(GET).ok()?).read_asn_integer()
    };
    number.ok()?.try_into().ok()
}
