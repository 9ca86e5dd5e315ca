//! Telnet without I/O: RFC 854 and 855, with the options BINARY (RFC 856), ECHO (857),
//! SUPPRESS-GO-AHEAD (858) and COM-PORT (2217). Every other option is refused, and each only once
//! a request, as in RFC 1143: two peers that follow it never loop.
//!
//! Both sides of it: labd is a client of terminal servers, and a server to others' clients.

use std::mem;

/// Bytes without meaning for a terminal: the option of RFC 856.
pub const BINARY: u8 = 0;
const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;
/// The option of RFC 2217.
pub const COM_PORT: u8 = 44;

/// Ends a subnegotiation.
pub const SE: u8 = 240;
/// A BREAK, of a length that the server decides.
pub const BRK: u8 = 243;
/// Begins a subnegotiation.
pub const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
/// Begins a command; doubled, it is a byte of data.
pub const IAC: u8 = 255;

/// Bytes of a subnegotiation that are kept; one that is longer is skipped. Those of RFC 2217 have
/// five, but for a signature, which nobody reads.
const LONGEST_MESSAGE: usize = 256;

/// What a byte from the peer has brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Nothing yet.
    Nothing,
    /// A byte from the board, or for it.
    Data(u8),
    /// The peer wants a BREAK.
    Break,
    /// The peer lets us use this option from now on.
    Agreed(u8),
    /// A whole subnegotiation: its option, and what it says.
    Message(u8, &'a [u8]),
}

/// One connection's state.
#[derive(Debug)]
pub struct Telnet {
    ours: Side,
    theirs: Side,
    input: Input,
    /// The last byte of data was a CR, and a NUL may follow that is only there to fill up.
    after_cr: bool,
    /// The subnegotiation so far: the option, and what it says.
    message: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Input {
    Data,
    Command,
    /// After WILL, WONT, DO or DONT.
    Negotiation(u8),
    Message,
    MessageCommand,
}

impl Telnet {
    /// A new connection to a server. Appends to `out` what it begins with: a request for each option,
    /// among them COM-PORT if `com_port`.
    pub fn client(com_port: bool, out: &mut Vec<u8>) -> Telnet {
        let both = [BINARY, SUPPRESS_GO_AHEAD];
        let mut telnet = Telnet::new(&both, &[BINARY, SUPPRESS_GO_AHEAD, ECHO]);
        if com_port {
            telnet.ours.options.push((COM_PORT, Standing::Off));
            telnet.ours.ask(COM_PORT, out);
        }
        telnet.ask_for(&both, out);
        telnet
    }

    /// A new connection from a client, which may ask for COM-PORT. It is told that the board echoes, so
    /// that a terminal sends each key as it is pressed. Appends to `out` what it begins with.
    pub fn server(out: &mut Vec<u8>) -> Telnet {
        let both = [BINARY, SUPPRESS_GO_AHEAD];
        let ours = [BINARY, SUPPRESS_GO_AHEAD, ECHO];
        let mut telnet = Telnet::new(&ours, &[BINARY, SUPPRESS_GO_AHEAD, COM_PORT]);
        telnet.ours.ask(ECHO, out);
        telnet.ask_for(&both, out);
        telnet
    }

    fn new(ours: &[u8], theirs: &[u8]) -> Telnet {
        Telnet {
            ours: Side::new(WILL, WONT, ours),
            theirs: Side::new(DO, DONT, theirs),
            input: Input::Data,
            after_cr: false,
            message: Vec::new(),
        }
    }

    /// Asks that both sides use these options.
    fn ask_for(&mut self, options: &[u8], out: &mut Vec<u8>) {
        for &option in options {
            self.ours.ask(option, out);
            self.theirs.ask(option, out);
        }
    }

    /// Takes one byte from the peer. Appends the reply to `out`, if there is one: three bytes at
    /// most, for the third byte of a request.
    pub fn take(&mut self, byte: u8, out: &mut Vec<u8>) -> Event<'_> {
        match (mem::replace(&mut self.input, Input::Data), byte) {
            (Input::Data, IAC) => self.input = Input::Command,
            (Input::Data, _) => return self.data(byte),
            (Input::Command, IAC) => return self.data(byte),
            (Input::Command, SB) => self.begin_message(),
            (Input::Command, WILL | WONT | DO | DONT) => self.input = Input::Negotiation(byte),
            (Input::Command, BRK) => return Event::Break,
            // NOP, DATA MARK, GO AHEAD and the like ask nothing of a console.
            (Input::Command, _) => {}
            (Input::Negotiation(verb), option) => return self.negotiate(verb, option, out),
            (Input::Message, IAC) => self.input = Input::MessageCommand,
            (Input::Message, _) | (Input::MessageCommand, IAC) => self.add_to_message(byte),
            (Input::MessageCommand, SE) => return self.end_message(),
            // No RFC says what this means; the message is broken off, and the command obeyed.
            (Input::MessageCommand, _) => {
                self.input = Input::Command;
                return self.take(byte, out);
            }
        }
        Event::Nothing
    }

    /// Appends `typed` to `out` as it has to travel.
    pub fn escape(&self, typed: &[u8], out: &mut Vec<u8>) {
        let binary = self.agreed(BINARY);
        for &byte in typed {
            out.push(byte);
            match byte {
                IAC => out.push(IAC),
                // RFC 854: a CR is followed by a LF or a NUL, and is a bare CR with the NUL.
                b'\r' if !binary => out.push(0),
                _ => {}
            }
        }
    }

    /// Whether the peer lets us use `option`.
    pub fn agreed(&self, option: u8) -> bool {
        self.ours.stands(option, Standing::On)
    }

    /// Whether the peer uses `option`.
    pub fn is_used(&self, option: u8) -> bool {
        self.theirs.stands(option, Standing::On)
    }

    /// Whether every request of ours is answered.
    pub fn is_settled(&self) -> bool {
        !self.ours.waits() && !self.theirs.waits()
    }

    fn data(&mut self, byte: u8) -> Event<'_> {
        let filling = self.after_cr && byte == 0 && !self.is_used(BINARY);
        self.after_cr = byte == b'\r';
        if filling { Event::Nothing } else { Event::Data(byte) }
    }

    fn negotiate(&mut self, verb: u8, option: u8, out: &mut Vec<u8>) -> Event<'_> {
        match verb {
            WILL | WONT => {
                self.theirs.hear(option, verb == WILL, out);
            }
            _ => {
                if self.ours.hear(option, verb == DO, out) {
                    return Event::Agreed(option);
                }
            }
        }
        Event::Nothing
    }

    fn begin_message(&mut self) {
        self.message.clear();
        self.input = Input::Message;
    }

    fn add_to_message(&mut self, byte: u8) {
        // One more than is kept, so that its end knows that it was too long.
        if self.message.len() <= LONGEST_MESSAGE {
            self.message.push(byte);
        }
        self.input = Input::Message;
    }

    fn end_message(&self) -> Event<'_> {
        match self.message.split_first() {
            Some((&option, said)) if self.message.len() <= LONGEST_MESSAGE => {
                Event::Message(option, said)
            }
            _ => Event::Nothing,
        }
    }
}

/// How an option stands on one side: RFC 1143's states, without those of one being given up, which
/// never happens here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Off,
    Asked,
    On,
}

/// The options that one side may use.
#[derive(Debug)]
struct Side {
    /// What we say for yes: WILL of our own options, DO of the peer's.
    yes: u8,
    no: u8,
    options: Vec<(u8, Standing)>,
}

impl Side {
    fn new(yes: u8, no: u8, options: &[u8]) -> Side {
        let options = options.iter().map(|&option| (option, Standing::Off)).collect();
        Side { yes, no, options }
    }

    fn ask(&mut self, option: u8, out: &mut Vec<u8>) {
        out.extend([IAC, self.yes, option]);
        self.set(option, Standing::Asked);
    }

    /// Hears what the peer says of an option. True if it has just come into use.
    fn hear(&mut self, option: u8, yes: bool, out: &mut Vec<u8>) -> bool {
        let known = self.options.iter().any(|(known, _)| *known == option);
        let was = self.set(option, if yes && known { Standing::On } else { Standing::Off });
        match (was, yes) {
            (Standing::Off, true) if known => out.extend([IAC, self.yes, option]),
            (Standing::Off, true) | (Standing::On, false) => out.extend([IAC, self.no, option]),
            _ => {}
        }
        yes && known && was != Standing::On
    }

    /// Sets how an option stands, if it is a known one, and returns how it stood.
    fn set(&mut self, option: u8, now: Standing) -> Standing {
        match self.options.iter_mut().find(|(known, _)| *known == option) {
            Some((_, standing)) => mem::replace(standing, now),
            None => Standing::Off,
        }
    }

    fn stands(&self, option: u8, standing: Standing) -> bool {
        self.options.contains(&(option, standing))
    }

    fn waits(&self) -> bool {
        self.options.iter().any(|(_, standing)| *standing == Standing::Asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `bytes` to a connection that has asked for all it wants; what it was sent, and what it
    /// answered.
    fn hear(telnet: &mut Telnet, bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let (mut data, mut out) = (Vec::new(), Vec::new());
        for &byte in bytes {
            if let Event::Data(byte) = telnet.take(byte, &mut out) {
                data.push(byte);
            }
        }
        (data, out)
    }

    fn telnet() -> Telnet {
        Telnet::client(true, &mut Vec::new())
    }

    #[test]
    fn begins_with_a_request_for_each_option() {
        let mut out = Vec::new();
        Telnet::client(false, &mut out);
        assert_eq!(out, [IAC, WILL, 0, IAC, DO, 0, IAC, WILL, 3, IAC, DO, 3]);
        out.clear();
        Telnet::client(true, &mut out);
        assert_eq!(out[..3], [IAC, WILL, 44]);
    }

    #[test]
    fn a_server_asks_too_and_lets_the_port_be_set_if_asked() {
        let mut out = Vec::new();
        let mut server = Telnet::server(&mut out);
        let asked = [IAC, WILL, 1, IAC, WILL, 0, IAC, DO, 0, IAC, WILL, 3, IAC, DO, 3];
        assert_eq!(out, asked);
        assert!(!server.is_used(COM_PORT));
        assert_eq!(hear(&mut server, &[IAC, WILL, COM_PORT]).1, [IAC, DO, COM_PORT]);
        assert!(server.is_used(COM_PORT));
        assert_eq!(hear(&mut server, &[IAC, DO, COM_PORT]).1, [IAC, WONT, COM_PORT]);
        assert_eq!(hear(&mut server, &[IAC, WONT, COM_PORT]).1, [IAC, DONT, COM_PORT]);
        assert!(!server.is_used(COM_PORT));
    }

    /// Each asks for what it wants, and is answered; nobody answers an answer.
    #[test]
    fn a_client_and_a_server_come_to_terms_and_fall_silent() {
        let (mut asked, mut answered) = (Vec::new(), Vec::new());
        let mut client = Telnet::client(true, &mut asked);
        let mut server = Telnet::server(&mut answered);
        for _ in 0..2 {
            let (_, replies) = hear(&mut server, &asked);
            answered.extend(replies);
            asked = hear(&mut client, &answered).1;
            answered.clear();
        }
        assert_eq!((asked, answered), (vec![], vec![]));
        assert!(client.is_settled() && server.is_settled());
        assert!(client.agreed(COM_PORT) && server.is_used(COM_PORT));
        assert!(client.agreed(BINARY) && server.agreed(BINARY));
    }

    #[test]
    fn a_break_is_heard() {
        assert_eq!(telnet().take(IAC, &mut Vec::new()), Event::Nothing);
        let mut telnet = telnet();
        telnet.take(IAC, &mut Vec::new());
        assert_eq!(telnet.take(BRK, &mut Vec::new()), Event::Break);
    }

    #[test]
    fn an_answer_is_not_answered() {
        let mut telnet = telnet();
        let (data, out) = hear(&mut telnet, &[IAC, DO, 0, IAC, WILL, 0, IAC, DONT, 3]);
        assert_eq!((data, out), (vec![], vec![]));
        assert!(telnet.agreed(BINARY));
        assert!(!telnet.is_settled());
        hear(&mut telnet, &[IAC, WONT, 3, IAC, DO, 44]);
        assert!(telnet.is_settled());
    }

    #[test]
    fn an_offer_is_answered_once() {
        let mut telnet = telnet();
        assert_eq!(hear(&mut telnet, &[IAC, WILL, ECHO]).1, [IAC, DO, ECHO]);
        assert_eq!(hear(&mut telnet, &[IAC, WILL, ECHO]).1, b"");
        assert_eq!(hear(&mut telnet, &[IAC, WONT, ECHO]).1, [IAC, DONT, ECHO]);
        assert_eq!(hear(&mut telnet, &[IAC, WONT, ECHO]).1, b"");
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let mut telnet = telnet();
        assert_eq!(hear(&mut telnet, &[IAC, WILL, 24]).1, [IAC, DONT, 24]);
        assert_eq!(hear(&mut telnet, &[IAC, DO, 31]).1, [IAC, WONT, 31]);
        assert_eq!(hear(&mut telnet, &[IAC, DO, ECHO]).1, [IAC, WONT, ECHO]);
        assert_eq!(hear(&mut telnet, &[IAC, WONT, 24, IAC, DONT, 31]).1, b"");
        let mut plain = Telnet::client(false, &mut Vec::new());
        assert_eq!(hear(&mut plain, &[IAC, DO, COM_PORT]).1, [IAC, WONT, COM_PORT]);
    }

    #[test]
    fn commands_are_no_data() {
        let (data, out) = hear(&mut telnet(), &[b'a', IAC, 241, b'b', IAC, IAC, IAC, 249, b'c']);
        assert_eq!((data, out), (vec![b'a', b'b', IAC, b'c'], vec![]));
    }

    #[test]
    fn a_nul_after_cr_fills_up_unless_binary() {
        let mut telnet = telnet();
        assert_eq!(hear(&mut telnet, b"a\r\0b\r\n\0").0, b"a\rb\r\n\0");
        hear(&mut telnet, &[IAC, WILL, BINARY]);
        assert_eq!(hear(&mut telnet, b"a\r\0").0, b"a\r\0");
    }

    #[test]
    fn a_cr_is_filled_up_unless_binary() {
        let (mut telnet, mut out) = (telnet(), Vec::new());
        telnet.escape(b"ls\r", &mut out);
        assert_eq!(out, b"ls\r\0");
        hear(&mut telnet, &[IAC, DO, BINARY]);
        out.clear();
        telnet.escape(b"ls\r\xff", &mut out);
        assert_eq!(out, b"ls\r\xff\xff");
    }

    #[test]
    fn a_message_is_kept_whole_or_not_at_all() {
        let (mut telnet, mut out) = (telnet(), Vec::new());
        for byte in [IAC, SB, 44, 101, 0, IAC, IAC, 3, IAC] {
            assert_eq!(telnet.take(byte, &mut out), Event::Nothing);
        }
        assert_eq!(telnet.take(SE, &mut out), Event::Message(44, &[101, 0, IAC, 3]));
        for byte in [IAC, SB].into_iter().chain([7; LONGEST_MESSAGE + 1]).chain([IAC, SE]) {
            assert_eq!(telnet.take(byte, &mut out), Event::Nothing);
        }
        assert_eq!(telnet.take(b'x', &mut out), Event::Data(b'x'));
    }

    #[test]
    fn a_message_broken_off_by_a_command_is_forgotten() {
        let (data, out) = hear(&mut telnet(), &[IAC, SB, 44, 101, IAC, WILL, ECHO, b'x', IAC, SE]);
        assert_eq!((data, out), (vec![b'x'], vec![IAC, DO, ECHO]));
    }
}
