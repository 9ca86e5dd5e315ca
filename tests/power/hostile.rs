//! Agents that answer anything but the truth. Nothing here may panic, and nothing that was not
//! said may be believed.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context, Result};
use lab_tests::mib::Mib;
use lab_tests::settings::{Setting, read, text};
use lab_tests::switch::{Switch, Who};
use labd::config::ucl::Node;
use labd::power::snmp::SnmpPower;
use labd::power::{Error, Power};
use snmp::{AsnReader, Oid, Pdu};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const NAME: u8 = 0x06;
const RESPONSE: u8 = 0xa2;
const REPORT: u8 = 0xa8;

/// sPDUOutletCtl of outlet 1.
const OUTLET: [u64; 15] = [1, 3, 6, 1, 4, 1, 318, 1, 1, 4, 4, 2, 1, 3, 1];

/// Tag, length and content (X.690).
fn ber(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match content.len() {
        length @ 0..128 => vec![length as u8],
        length @ 128..256 => vec![0x81, length as u8],
        length => vec![0x82, (length >> 8) as u8, length as u8],
    };
    [[tag].as_slice(), &length, content].concat()
}

fn integer(number: i64) -> Vec<u8> {
    ber(INTEGER, &number.to_be_bytes())
}

/// A name and its number.
fn binding(name: &[u64], number: u8) -> Vec<u8> {
    let name = Oid::from(name).expect("a name");
    ber(SEQUENCE, &[ber(NAME, name.as_bytes()), ber(INTEGER, &[number])].concat())
}

fn pdu(tag: u8, request: i32, binding: &[u8]) -> Vec<u8> {
    let status = [integer(0), integer(0)].concat();
    ber(tag, &[integer(request.into()), status, ber(SEQUENCE, binding)].concat())
}

/// An answer of version 2c.
fn answer(community: &[u8], request: i32, binding: &[u8]) -> Vec<u8> {
    let pdu = pdu(RESPONSE, request, binding);
    ber(SEQUENCE, &[ber(INTEGER, &[1]), ber(OCTETS, community), pdu].concat())
}

/// What an agent of version 3 tells to those who do not know it yet.
fn report(request: i32, boots: i64, time: i64) -> Vec<u8> {
    let none = ber(OCTETS, &[]);
    let global = [integer(request.into()), integer(65_507), ber(OCTETS, &[0]), integer(3)];
    let engine = [ber(OCTETS, b"\x80engine"), integer(boots), integer(time)].concat();
    let security = ber(SEQUENCE, &[engine, none.clone(), none.clone(), none.clone()].concat());
    let scoped = [ber(OCTETS, b"\x80engine"), none, pdu(REPORT, request, &[])].concat();
    let message = [integer(3), ber(SEQUENCE, &global.concat()), ber(OCTETS, &security)].concat();
    ber(SEQUENCE, &[message, ber(SEQUENCE, &scoped)].concat())
}

/// The number of a question of version 3, which is never hidden.
fn number_of(question: &[u8]) -> Option<i32> {
    let mut message =
        AsnReader::from_bytes(AsnReader::from_bytes(question).read_raw(SEQUENCE).ok()?);
    message.read_asn_integer().ok()?;
    let mut global = AsnReader::from_bytes(message.read_raw(SEQUENCE).ok()?);
    global.read_asn_integer().ok()?.try_into().ok()
}

/// Answers each question on a port of its own, until the test ends. What gives none is not
/// answered.
fn agent(mut to: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> Result<u16> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let port = socket.local_addr()?.port();
    thread::spawn(move || -> Result<()> {
        let mut question = [0; 65_507];
        loop {
            let (length, from) = socket.recv_from(&mut question)?;
            if let Some(answer) = to(&question[..length]) {
                socket.send_to(&answer, from)?;
            }
        }
    });
    Ok(port)
}

/// Hands each question on to another port, and the answer back as `change` leaves it.
fn between(
    port: u16,
    mut change: impl FnMut(&[u8], Vec<u8>) -> Option<Vec<u8>> + Send + 'static,
) -> Result<u16> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(("127.0.0.1", port))?;
    agent(move |question| {
        let mut answer = [0; 65_507];
        socket.send(question).ok()?;
        let length = socket.recv(&mut answer).ok()?;
        change(question, answer[..length].to_vec())
    })
}

/// Outlet 1 of an agent that is given so many seconds for each of three tries.
fn outlet(port: u16, timeout: f64) -> Result<SnmpPower> {
    let settings = [
        ("host", text("127.0.0.1")),
        ("udp_port", Node::Int(port.into())),
        ("profile", text("apc-spdu")),
        ("port", Node::Int(1)),
        ("timeout", Node::Seconds(timeout)),
    ];
    read(SnmpPower::read, settings)
}

/// Port 1 of a switch, asked in version 3 by way of another port.
fn signed(switch: &Switch, by: u16, more: &[Setting]) -> Result<SnmpPower> {
    let mut settings = switch.settings(Who::User);
    settings.retain(|(key, _)| *key != "udp_port");
    settings.extend(
        [("udp_port", by), ("port", 1), ("retries", 0)]
            .map(|(key, number)| (key, Node::Int(number.into()))),
    );
    read(SnmpPower::read, settings.into_iter().chain(more.iter().cloned()))
}

/// Small numbers in an order that is the same every time (xorshift64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides.max(1) as u64) as usize
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.roll(3) {
            let (at, byte) = (self.roll(bytes.len()), self.roll(256) as u8);
            match self.roll(7) {
                _ if bytes.is_empty() => bytes.push(byte),
                0 => bytes[at] ^= 1 << self.roll(8),
                1 => bytes[at] = byte,
                2 => bytes.truncate(at),
                3 => bytes.insert(at, byte),
                4 => drop(bytes.remove(at)),
                5 => bytes.splice(at..=at, [0x88, 0xff, 0xff, 0xff, 0xff]).for_each(drop),
                _ => bytes.extend_from_within(at..),
            }
        }
    }
}

/// A state is believed only if it was said, of this outlet. No mutation may bring forth another.
#[tokio::test]
async fn a_mutated_answer_is_an_error_or_what_it_says() -> Result<()> {
    let panics = Arc::new(AtomicUsize::new(0));
    let (counted, before) = (panics.clone(), std::panic::take_hook());
    let here = thread::current().id();
    std::panic::set_hook(Box::new(move |panic| {
        if thread::current().id() == here {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        before(panic);
    }));
    let sent = Arc::new(Mutex::new(Vec::new()));
    let (last, mut dice) = (sent.clone(), Dice(0x5eed));
    let port = agent(move |question| {
        let question = Pdu::from_bytes(question).ok()?;
        let mut bytes = answer(question.community, question.req_id, &binding(&OUTLET, 1));
        dice.mutate(&mut bytes);
        bytes.clone_into(&mut *last.lock().ok()?);
        Some(bytes)
    })?;
    let outlet = outlet(port, 2.0)?;
    let mut believed = 0;
    for _ in 0..2_000 {
        let Ok(state) = outlet.get().await else { continue };
        let said = binding(&OUTLET, if state == Some(true) { 1 } else { 2 })[2..].to_vec();
        let sent = sent.lock().ok().context("the agent is dead")?.clone();
        assert!(state.is_some(), "{sent:x?}");
        assert!(sent.windows(said.len()).any(|part| part == said), "{state:?} of {sent:x?}");
        believed += 1;
    }
    // Some mutations are in what nobody reads.
    assert!((1..1_000).contains(&believed), "{believed}");
    for _ in 0..500 {
        let _ = outlet.set(true).await;
    }
    assert_eq!(panics.load(Ordering::Relaxed), 0);
    Ok(())
}

/// What is signed cannot be changed at all.
#[tokio::test]
async fn a_mutated_signed_answer_is_never_another_state() -> Result<()> {
    let mib = Mib::poe(1, 0);
    let switch = Switch::start(env!("CARGO_BIN_EXE_fake-mib"), &mib).await?;
    let mut dice = Dice(0xd1ce);
    let port = between(switch.udp_port(), move |_, mut answer| {
        dice.mutate(&mut answer);
        Some(answer)
    })?;
    let outlet = signed(&switch, port, &[])?;
    for _ in 0..200 {
        assert!(matches!(outlet.get().await, Ok(Some(true)) | Err(_)));
    }
    Ok(())
}

/// Who sees a question of version 3 knows all that an answer of version 2c needs.
#[tokio::test]
async fn a_signed_question_takes_no_unsigned_answer() -> Result<()> {
    let switch = Switch::start(env!("CARGO_BIN_EXE_fake-mib"), &Mib::poe(1, 0)).await?;
    let port = between(switch.udp_port(), |question, truth| {
        // The first question asks who the agent is.
        if question.len() < 100 {
            return Some(truth);
        }
        let off: Vec<u8> = [(3, 2), (6, 1)]
            .into_iter()
            .flat_map(|(column, number)| {
                binding(&[1, 3, 6, 1, 2, 1, 105, 1, 1, 1, column, 1, 1], number)
            })
            .collect();
        Some(answer(b"labuser", number_of(question)?, &off))
    })?;
    let error = signed(&switch, port, &[])?.get().await.unwrap_err();
    assert!(error.to_string().contains("it answers in another version of SNMP"), "{error}");
    Ok(())
}

/// An agent whose clock is at the ends of time.
#[tokio::test]
async fn an_impossible_clock_is_an_error() -> Result<()> {
    let switch = Switch::start(env!("CARGO_BIN_EXE_fake-mib"), &Mib::poe(1, 0)).await?;
    for boots in [0, 1, i64::MAX, i64::MIN] {
        for time in [i64::MAX, i64::MIN, -1] {
            let port = agent(move |question| Some(report(number_of(question)?, boots, time)))?;
            for privacy in ["aes128", "des"] {
                let outlet = signed(&switch, port, &[("privacy", text(privacy))])?;
                let error = outlet.get().await.unwrap_err();
                assert!(!matches!(error, Error::Silent { .. }), "{boots} {time} {privacy}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_to_another_question_is_not_taken() -> Result<()> {
    let other_outlet = [OUTLET[..14].to_vec(), vec![2]].concat();
    let bindings = [
        binding(&other_outlet, 1),
        Vec::new(),
        binding(&OUTLET, 1)[..9].to_vec(),
        ber(SEQUENCE, &[ber(NAME, &[]), ber(INTEGER, &[1])].concat()),
        ber(
            SEQUENCE,
            &[ber(NAME, Oid::from(&OUTLET).unwrap().as_bytes()), ber(OCTETS, b"1")].concat(),
        ),
    ];
    for binding in bindings {
        let port = agent(move |question| {
            let question = Pdu::from_bytes(question).ok()?;
            Some(answer(question.community, question.req_id, &binding))
        })?;
        let error = outlet(port, 2.0)?.get().await.unwrap_err();
        assert!(error.to_string().contains("it answers something that"), "{error}");
    }
    let true_binding = || binding(&OUTLET, 1);
    let late = agent(move |question| {
        let question = Pdu::from_bytes(question).ok()?;
        Some(answer(question.community, question.req_id.wrapping_sub(1), &true_binding()))
    })?;
    assert!(outlet(late, 2.0)?.get().await.is_err());
    let stranger = agent(move |question| {
        let question = Pdu::from_bytes(question).ok()?;
        Some(answer(b"other", question.req_id, &true_binding()))
    })?;
    assert!(outlet(stranger, 2.0)?.get().await.is_err());
    Ok(())
}

/// The socket hears the agent's address and no other.
#[tokio::test]
async fn an_answer_from_elsewhere_is_not_heard() -> Result<()> {
    let agent = UdpSocket::bind("127.0.0.1:0")?;
    let port = agent.local_addr()?.port();
    thread::spawn(move || -> Result<()> {
        let elsewhere = UdpSocket::bind("127.0.0.1:0")?;
        let mut question = [0; 1500];
        loop {
            let (length, from) = agent.recv_from(&mut question)?;
            let question = Pdu::from_bytes(&question[..length])?;
            let truth = answer(question.community, question.req_id, &binding(&OUTLET, 1));
            elsewhere.send_to(&truth, from)?;
        }
    });
    let outlet = outlet(port, 0.2)?;
    assert!(matches!(outlet.get().await, Err(Error::Silent { .. })));
    assert!(matches!(outlet.set(true).await, Err(Error::Silent { .. })));
    Ok(())
}

/// The network may lose a question, and an answer.
#[tokio::test]
async fn what_is_lost_is_sent_again() -> Result<()> {
    let mut lost = 0;
    let port = agent(move |question| {
        lost += 1;
        let question = Pdu::from_bytes(question).ok()?;
        (lost > 2).then(|| answer(question.community, question.req_id, &binding(&OUTLET, 2)))
    })?;
    assert_eq!(outlet(port, 0.2)?.get().await?, Some(false));
    Ok(())
}

/// A switch that goes away with an order may have obeyed it.
#[tokio::test]
async fn an_order_that_may_have_been_obeyed_is_not_called_undelivered() -> Result<()> {
    let agent = UdpSocket::bind("127.0.0.1:0")?;
    let outlet = outlet(agent.local_addr()?.port(), 0.2)?;
    thread::spawn(move || agent.recv_from(&mut [0; 1500]).map(drop));
    assert!(matches!(outlet.set(true).await, Err(Error::Silent { .. })));
    assert!(matches!(outlet.set(true).await, Err(Error::Unreachable { .. })));
    Ok(())
}
