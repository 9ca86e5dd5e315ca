//! RFC 2217: how a serial port behind telnet is set, asked about, and made to send a BREAK. The codes, and
//! the server's side: bytes in, bytes out, no I/O.

use crate::console::{FlowControl, Parity, Uart};
use crate::telnet::{COM_PORT, Event, IAC, SB, SE, Telnet};

/// What a message is about, as a client says it.
pub mod code {
    #![allow(missing_docs, reason = "they are the names of the RFC")]
    pub const SIGNATURE: u8 = 0;
    pub const SET_BAUDRATE: u8 = 1;
    pub const SET_DATASIZE: u8 = 2;
    pub const SET_PARITY: u8 = 3;
    pub const SET_STOPSIZE: u8 = 4;
    pub const SET_CONTROL: u8 = 5;
    pub const NOTIFY_LINESTATE: u8 = 6;
    pub const FLOWCONTROL_SUSPEND: u8 = 8;
    pub const FLOWCONTROL_RESUME: u8 = 9;
    pub const SET_LINESTATE_MASK: u8 = 10;
    pub const SET_MODEMSTATE_MASK: u8 = 11;
    pub const PURGE_DATA: u8 = 12;
}

/// Added to a code by the server.
pub const FROM_SERVER: u8 = 100;

const BREAK_ON: u8 = 5;
const BREAK_OFF: u8 = 6;
const DTR_ON: u8 = 8;
const DTR_OFF: u8 = 9;
const RTS_ON: u8 = 11;
const RTS_OFF: u8 = 12;

/// The values of `SET_PARITY`; another is one that labd's ports do not have.
const PARITY: [(u8, Parity); 3] = [(1, Parity::None), (2, Parity::Odd), (3, Parity::Even)];
/// The values of `SET_CONTROL` that set flow control.
const FLOW: [(u8, FlowControl); 3] =
    [(1, FlowControl::None), (2, FlowControl::Software), (3, FlowControl::Hardware)];
/// As much again for the flow control of what comes in, which is the same here.
const INBOUND: u8 = 13;

/// Appends a message to `out`. A server adds [`FROM_SERVER`] to the code.
pub fn say(code: u8, value: &[u8], out: &mut Vec<u8>) {
    out.extend([IAC, SB, COM_PORT, code]);
    for &byte in value {
        out.push(byte);
        if byte == IAC {
            out.push(IAC);
        }
    }
    out.extend([IAC, SE]);
}

/// Appends what sets the server's port up, as a client says it.
pub fn set_up(uart: &Uart, out: &mut Vec<u8>) {
    say(code::SET_BAUDRATE, &uart.speed.to_be_bytes(), out);
    say(code::SET_DATASIZE, &[uart.bits], out);
    say(code::SET_PARITY, &[value_of(&PARITY, uart.parity)], out);
    say(code::SET_STOPSIZE, &[uart.stop], out);
    say(code::SET_CONTROL, &[value_of(&FLOW, uart.flow)], out);
}

/// Appends what begins or ends a BREAK, as a client says it.
pub fn set_break(on: bool, out: &mut Vec<u8>) {
    say(code::SET_CONTROL, &[if on { BREAK_ON } else { BREAK_OFF }], out);
}

/// Appends what sets DTR, RTS or both, as a client says it. They stay as they are unless it does.
pub fn set_lines(dtr: Option<bool>, rts: Option<bool>, out: &mut Vec<u8>) {
    for (line, on, off) in [(dtr, DTR_ON, DTR_OFF), (rts, RTS_ON, RTS_OFF)] {
        if let Some(is_on) = line {
            say(code::SET_CONTROL, &[if is_on { on } else { off }], out);
        }
    }
}

/// What a client wants of the board, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// These bytes are typed.
    Type(Vec<u8>),
    /// A BREAK of a usual length.
    Break,
    /// A BREAK begins.
    BreakOn,
    /// It ends.
    BreakOff,
}

/// The server's side of a connection.
///
/// A client that sets the port is told how it is set, which is as before: that is the board's
/// administrator's to say, and others look at the same console. DTR and RTS stay raised. Where there is no
/// line to set, as with a virtual machine, whatever a client sets is how it is set for that client.
#[derive(Debug)]
pub struct Server {
    telnet: Telnet,
    uart: Uart,
    is_fixed: bool,
    has_break: bool,
    suspended: bool,
}

impl Server {
    /// A new connection to a port that is set like that, if it can be set at all. Appends to `out` what it
    /// begins with.
    pub fn new(uart: Option<Uart>, out: &mut Vec<u8>) -> Server {
        Server {
            telnet: Telnet::server(out),
            uart: uart.unwrap_or_default(),
            is_fixed: uart.is_some(),
            has_break: false,
            suspended: false,
        }
    }

    /// Takes what the client has sent. Appends to `out` the replies: fewer than twice as many bytes.
    pub fn receive(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Vec<Wish> {
        let (mut wishes, mut typed) = (Vec::new(), Vec::new());
        for &byte in bytes {
            let wish = match self.telnet.take(byte, out) {
                Event::Data(byte) => {
                    typed.push(byte);
                    None
                }
                Event::Break => Some(Wish::Break),
                Event::Message(COM_PORT, said) => {
                    let said = said.to_vec();
                    // Whoever has not agreed to the option has nothing to say of it.
                    if self.telnet.is_used(COM_PORT) { self.heed(&said, out) } else { None }
                }
                Event::Nothing | Event::Agreed(_) | Event::Message(..) => None,
            };
            if let Some(wish) = wish {
                push_typed(&mut typed, &mut wishes);
                wishes.push(wish);
            }
        }
        push_typed(&mut typed, &mut wishes);
        wishes
    }

    /// Appends to `out` what the board printed.
    pub fn show(&self, printed: &[u8], out: &mut Vec<u8>) {
        self.telnet.escape(printed, out);
    }

    /// Whether the client wants nothing of the board's now.
    pub fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// Answers one message.
    fn heed(&mut self, said: &[u8], out: &mut Vec<u8>) -> Option<Wish> {
        let (&code, value) = said.split_first()?;
        let answer = |value: &[u8], out: &mut Vec<u8>| say(code + FROM_SERVER, value, out);
        match (code, value) {
            (code::SIGNATURE, []) => answer(b"labd", out),
            (code::SET_BAUDRATE, &[a, b, c, d]) => {
                self.set(|uart| uart.speed = u32::from_be_bytes([a, b, c, d]), &[a, b, c, d]);
                answer(&self.uart.speed.to_be_bytes(), out);
            }
            (code::SET_DATASIZE, [bits]) => {
                self.set(|uart| uart.bits = *bits, value);
                answer(&[self.uart.bits], out);
            }
            (code::SET_PARITY, [parity]) => {
                self.choose(&PARITY, *parity, |uart, parity| uart.parity = parity);
                answer(&[value_of(&PARITY, self.uart.parity)], out);
            }
            (code::SET_STOPSIZE, [stop]) => {
                self.set(|uart| uart.stop = *stop, value);
                answer(&[self.uart.stop], out);
            }
            (code::SET_CONTROL, [control]) => {
                let (stands, wish) = self.control(*control);
                answer(&[stands], out);
                return wish;
            }
            (code::FLOWCONTROL_SUSPEND, []) => self.suspended = true,
            (code::FLOWCONTROL_RESUME, []) => self.suspended = false,
            // No state of the line or the modem is known here, so that none is ever notified. Nothing is
            // kept that could be thrown away.
            (code::SET_LINESTATE_MASK | code::SET_MODEMSTATE_MASK | code::PURGE_DATA, [_]) => {
                answer(value, out);
            }
            _ => {}
        }
        None
    }

    /// How what a `SET_CONTROL` is about stands now, and what it wants of the board.
    fn control(&mut self, control: u8) -> (u8, Option<Wish>) {
        match control {
            0..=3 => {
                self.choose(&FLOW, control, |uart, flow| uart.flow = flow);
                (value_of(&FLOW, self.uart.flow), None)
            }
            BREAK_ON | BREAK_OFF => {
                let was = std::mem::replace(&mut self.has_break, control == BREAK_ON);
                let wish = if self.has_break { Wish::BreakOn } else { Wish::BreakOff };
                (control, (was != self.has_break).then_some(wish))
            }
            4 => (if self.has_break { BREAK_ON } else { BREAK_OFF }, None),
            7..=9 => (DTR_ON, None),
            10..=12 => (RTS_ON, None),
            // Flow control by DCD, DTR and DSR is not there to be had; it is told what is.
            _ => (INBOUND + value_of(&FLOW, self.uart.flow), None),
        }
    }

    /// Sets the port, if it is the client's to set; with a value of nothing, it is only asked about.
    fn set(&mut self, set: impl FnOnce(&mut Uart), value: &[u8]) {
        if !self.is_fixed && value.iter().any(|byte| *byte != 0) {
            set(&mut self.uart);
        }
    }

    fn choose<T: Copy>(&mut self, values: &[(u8, T)], value: u8, set: impl FnOnce(&mut Uart, T)) {
        if let Some((_, chosen)) = values.iter().find(|(known, _)| *known == value) {
            self.set(|uart| set(uart, *chosen), &[value]);
        }
    }
}

fn value_of<T: PartialEq>(values: &[(u8, T)], wanted: T) -> u8 {
    values.iter().find(|(_, it)| *it == wanted).map_or(0, |(value, _)| *value)
}

fn push_typed(typed: &mut Vec<u8>, wishes: &mut Vec<Wish>) {
    if !typed.is_empty() {
        wishes.push(Wish::Type(std::mem::take(typed)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UART: Uart =
        Uart { speed: 9600, bits: 7, parity: Parity::Even, stop: 2, flow: FlowControl::Hardware };

    fn message(code: u8, value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        say(code, value, &mut out);
        out
    }

    /// A server whose client has agreed to the option.
    fn server(uart: Option<Uart>) -> Server {
        let mut server = Server::new(uart, &mut Vec::new());
        server.receive(&[IAC, 251, COM_PORT], &mut Vec::new());
        server
    }

    /// What it answers to a message.
    fn answer(server: &mut Server, code: u8, value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        assert_eq!(server.receive(&message(code, value), &mut out), []);
        out
    }

    #[test]
    fn a_port_is_set_up_in_five_messages() {
        let mut out = Vec::new();
        let uart = Uart { speed: 1_500_000, ..UART };
        set_up(&uart, &mut out);
        let messages: [&[u8]; 5] = [&[1, 0, 0x16, 0xe3, 0x60], &[2, 7], &[3, 3], &[4, 2], &[5, 3]];
        let expected: Vec<u8> = messages
            .iter()
            .flat_map(|body| [&[IAC, SB, COM_PORT], *body, &[IAC, SE]].concat())
            .collect();
        assert_eq!(out, expected);
    }

    #[test]
    fn a_255_in_a_value_is_doubled() {
        let mut out = Vec::new();
        set_up(&Uart { speed: 0x00ff_00ff, ..Uart::default() }, &mut out);
        assert_eq!(out[..12], [IAC, SB, COM_PORT, 1, 0, IAC, IAC, 0, IAC, IAC, IAC, SE]);
    }

    #[test]
    fn a_break_begins_and_ends() {
        let mut out = Vec::new();
        set_break(true, &mut out);
        set_break(false, &mut out);
        assert_eq!(out, [IAC, SB, 44, 5, 5, IAC, SE, IAC, SB, 44, 5, 6, IAC, SE]);
    }

    #[test]
    fn whoever_sets_a_port_is_told_how_it_is_set() {
        let mut server = server(Some(UART));
        let cases: [(u8, &[u8], &[u8]); 12] = [
            (1, &[0, 1, 0xc2, 0], &[0, 0, 0x25, 0x80]),
            (1, &[0, 0, 0, 0], &[0, 0, 0x25, 0x80]),
            (2, &[8], &[7]),
            (3, &[1], &[3]),
            (3, &[0], &[3]),
            (4, &[1], &[2]),
            (5, &[1], &[3]),
            (5, &[0], &[3]),
            (5, &[13], &[16]),
            (5, &[9], &[8]),
            (5, &[12], &[11]),
            (5, &[19], &[16]),
        ];
        for (code, asked, told) in cases {
            let wanted = message(code + 100, told);
            assert_eq!(answer(&mut server, code, asked), wanted, "{code} {asked:?}");
        }
    }

    #[test]
    fn what_has_no_line_is_set_as_each_client_likes() {
        let mut server = server(None);
        assert_eq!(answer(&mut server, 1, &[0, 0, 0x25, 0x80]), message(101, &[0, 0, 0x25, 0x80]));
        assert_eq!(answer(&mut server, 1, &[0; 4]), message(101, &[0, 0, 0x25, 0x80]));
        assert_eq!(answer(&mut server, 2, &[7]), message(102, &[7]));
        assert_eq!(answer(&mut server, 3, &[3]), message(103, &[3]));
        assert_eq!(answer(&mut server, 3, &[5]), message(103, &[3]));
        assert_eq!(answer(&mut server, 5, &[2]), message(105, &[2]));
    }

    #[test]
    fn what_is_asked_besides_is_answered() {
        let mut server = server(Some(UART));
        assert_eq!(answer(&mut server, 0, b""), message(100, b"labd"));
        assert_eq!(answer(&mut server, 0, b"theirs"), b"");
        assert_eq!(answer(&mut server, 10, &[0xff]), message(110, &[0xff]));
        assert_eq!(answer(&mut server, 11, &[0]), message(111, &[0]));
        assert_eq!(answer(&mut server, 12, &[3]), message(112, &[3]));
        assert_eq!(answer(&mut server, 7, b""), b"");
        assert_eq!(answer(&mut server, 1, &[0]), b"");
        assert_eq!(answer(&mut server, 200, &[0]), b"");
    }

    #[test]
    fn a_break_begins_once_and_ends_once_between_what_is_typed() {
        let (mut server, mut out) = (server(None), Vec::new());
        let on = message(5, &[5]);
        let off = message(5, &[6]);
        let said = [b"a", &on[..], &on, b"b", &message(5, &[4]), &off, &off, b"c", &[IAC, 243]];
        let wishes = server.receive(&said.concat(), &mut out);
        let typed = |text: &[u8]| Wish::Type(text.to_vec());
        let wanted =
            [typed(b"a"), Wish::BreakOn, typed(b"b"), Wish::BreakOff, typed(b"c"), Wish::Break];
        assert_eq!(wishes, wanted);
        let told: Vec<_> = [5, 5, 5, 6, 6].iter().flat_map(|now| message(105, &[*now])).collect();
        assert_eq!(out, told);
    }

    #[test]
    fn nothing_is_shown_while_suspended() {
        let mut server = server(None);
        assert_eq!(answer(&mut server, 8, b""), b"");
        assert!(server.is_suspended());
        answer(&mut server, 9, b"");
        assert!(!server.is_suspended());
    }

    #[test]
    fn nothing_is_set_before_the_option_is_agreed_on() {
        let mut server = Server::new(None, &mut Vec::new());
        assert_eq!(answer(&mut server, 1, &[0, 0, 0x25, 0x80]), b"");
        assert_eq!(answer(&mut server, 5, &[5]), b"");
    }
}
