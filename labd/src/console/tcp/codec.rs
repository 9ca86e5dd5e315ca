//! What travels to and from a terminal server that speaks telnet, with RFC 2217 or without it:
//! bytes in, bytes out, no I/O.

use protocol::console::LineErrors;
use protocol::rfc2217;
use protocol::rfc2217::code::SET_LINESTATE_MASK;
use protocol::telnet::{BRK, COM_PORT, Event, IAC, Telnet};

use super::super::uart::Uart;
use super::rfc2217::{Notice, line_state};

/// One connection's codec.
#[derive(Debug)]
pub struct Codec {
    telnet: Telnet,
    /// To be set as soon as the server agrees to RFC 2217; never twice, so that a server which
    /// agrees again and again gets no more than it sends.
    to_set: Option<Uart>,
    /// The speed that was asked for, until the server says which it has set.
    asked_speed: Option<u32>,
    other_speed: Option<u32>,
    suspended: bool,
    /// None until the server agrees to tell.
    errors: Option<LineErrors>,
}

impl Codec {
    /// A new connection: RFC 2217 if there is a port to set. Appends to `out` what it begins with.
    pub fn new(uart: Option<Uart>, out: &mut Vec<u8>) -> Codec {
        Codec {
            telnet: Telnet::client(uart.is_some(), out),
            to_set: uart,
            asked_speed: None,
            other_speed: None,
            suspended: false,
            errors: None,
        }
    }

    /// Takes what the server has sent. Appends the board's bytes to `data`, and replies to `out`:
    /// as many bytes as were taken at most, but for the settings of the port, once.
    pub fn receive(&mut self, bytes: &[u8], data: &mut Vec<u8>, out: &mut Vec<u8>) {
        for &byte in bytes {
            match self.telnet.take(byte, out) {
                Event::Nothing => {}
                Event::Data(byte) => data.push(byte),
                Event::Agreed(COM_PORT) => self.set_up(out),
                // A server has no BREAK to ask for.
                Event::Agreed(_) | Event::Break => {}
                Event::Message(COM_PORT, said) => {
                    if let Some(notice) = Notice::read(said) {
                        self.heed(notice);
                    }
                }
                Event::Message(..) => {}
            }
        }
    }

    /// Appends to `out` what is typed.
    pub fn send(&self, typed: &[u8], out: &mut Vec<u8>) {
        self.telnet.escape(typed, out);
    }

    /// Appends to `out` what begins or ends a BREAK. Plain telnet has no end of it: the server
    /// decides how long it lasts.
    pub fn set_break(&self, on: bool, out: &mut Vec<u8>) {
        if self.sets_ports() {
            rfc2217::set_break(on, out);
        } else if on {
            out.extend([IAC, BRK]);
        }
    }

    /// Appends to `out` what sets DTR, RTS or both.
    pub fn set_lines(&self, dtr: Option<bool>, rts: Option<bool>, out: &mut Vec<u8>) {
        rfc2217::set_lines(dtr, rts, out);
    }

    /// Whether every option we asked for is answered.
    pub fn is_settled(&self) -> bool {
        self.telnet.is_settled()
    }

    /// Whether the server does RFC 2217.
    pub fn sets_ports(&self) -> bool {
        self.telnet.agreed(COM_PORT)
    }

    /// Whether the server wants no data now.
    pub fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// The speed that the server has set, said once, and only if it is not the one asked for.
    pub fn take_other_speed(&mut self) -> Option<u32> {
        self.other_speed.take()
    }

    /// What has gone wrong on the line, if the server tells.
    pub fn errors(&self) -> Option<LineErrors> {
        self.errors
    }

    fn set_up(&mut self, out: &mut Vec<u8>) {
        if let Some(uart) = self.to_set.take() {
            rfc2217::set_up(&uart.into(), out);
            rfc2217::say(SET_LINESTATE_MASK, &[line_state::ALL], out);
            self.asked_speed = Some(uart.speed);
        }
    }

    fn heed(&mut self, notice: Notice) {
        match notice {
            Notice::Speed(speed) => self.compare(speed),
            Notice::Suspend => self.suspended = true,
            Notice::Resume => self.suspended = false,
            Notice::TellsErrors => {
                self.errors = self.errors.or_else(|| Some(LineErrors::default()))
            }
            Notice::Errors(new) => self.errors = Some(self.errors.unwrap_or_default() + new),
        }
    }

    fn compare(&mut self, speed: u32) {
        if self.asked_speed.take().is_some_and(|asked| asked != speed) {
            self.other_speed = Some(speed);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// Bytes that set a port up at the usual speed.
    const SETTINGS: usize = 45;

    fn codec(uart: Option<Uart>) -> Codec {
        Codec::new(uart, &mut Vec::new())
    }

    fn receive(codec: &mut Codec, bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let (mut data, mut out) = (Vec::new(), Vec::new());
        codec.receive(bytes, &mut data, &mut out);
        (data, out)
    }

    #[test]
    fn the_port_is_set_once_when_agreed() {
        let mut codec = codec(Some(Uart::default()));
        assert!(!codec.sets_ports());
        let (_, out) = receive(&mut codec, &[255, 253, 44]);
        let mut settings = Vec::new();
        rfc2217::set_up(&Uart::default().into(), &mut settings);
        settings.extend([255, 250, 44, 10, 0x1e, 255, 240]);
        assert_eq!(out, settings);
        assert!(codec.sets_ports());
        assert_eq!(receive(&mut codec, &[255, 254, 44, 255, 253, 44]).1.len(), 6);
    }

    #[test]
    fn data_waits_while_suspended() {
        let mut codec = codec(Some(Uart::default()));
        receive(&mut codec, &[255, 253, 44, 255, 250, 44, 108, 255, 240]);
        assert!(codec.is_suspended());
        receive(&mut codec, &[255, 250, 44, 109, 255, 240]);
        assert!(!codec.is_suspended());
    }

    #[test]
    fn a_speed_that_was_not_asked_for_is_told_once() {
        let mut codec = codec(Some(Uart::default()));
        let answer = [255, 250, 44, 101, 0, 0, 0x25, 0x80, 255, 240];
        receive(&mut codec, &[255, 253, 44]);
        receive(&mut codec, &answer);
        assert_eq!(codec.take_other_speed(), Some(9600));
        receive(&mut codec, &answer);
        assert_eq!(codec.take_other_speed(), None);
    }

    #[test]
    fn what_a_server_does_not_tell_is_not_none() {
        let mut codec = codec(Some(Uart::default()));
        receive(&mut codec, &[255, 253, 44]);
        assert_eq!(codec.errors(), None);
        receive(&mut codec, &[255, 250, 44, 110, 0x1e, 255, 240]);
        assert_eq!(codec.errors(), Some(LineErrors::default()));
        // Framing and overrun at once, then a BREAK; that there is data is of no interest.
        for state in [8 | 2 | 1, 16, 0x60] {
            receive(&mut codec, &[255, 250, 44, 106, state, 255, 240]);
        }
        let told = LineErrors { overrun: 1, framing: 1, parity: 0, breaks: 1 };
        assert_eq!(codec.errors(), Some(told));
    }

    #[test]
    fn a_server_that_refuses_to_tell_is_not_believed_to_have_no_errors() {
        let mut codec = codec(Some(Uart::default()));
        receive(&mut codec, &[255, 253, 44, 255, 250, 44, 110, 0, 255, 240]);
        assert_eq!(codec.errors(), None);
    }

    #[test]
    fn a_break_is_said_as_the_server_understands_it() {
        let (mut codec, mut out) = (codec(Some(Uart::default())), Vec::new());
        codec.set_break(true, &mut out);
        codec.set_break(false, &mut out);
        assert_eq!(out, [255, 243]);
        receive(&mut codec, &[255, 253, 44]);
        codec.set_break(false, &mut out);
        assert_eq!(out[2..], [255, 250, 44, 5, 6, 255, 240]);
    }

    /// Bytes as hostile as telnet allows: mostly its own.
    fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
        let telling =
            vec![0, 1, 3, 13, 44, 101, 108, 109, 240, 243, 250, 251, 252, 253, 254, 255, 255];
        vec(prop_oneof![4 => select(telling), 1 => any::<u8>()], 0..400)
    }

    fn any_port() -> impl Strategy<Value = Option<Uart>> {
        prop_oneof![Just(None), Just(Some(Uart::default()))]
    }

    proptest! {
        /// However TCP cuts a stream, it means the same.
        #[test]
        fn chunks_do_not_matter(
            bytes in any_bytes(),
            cuts in vec(1_usize..20, 1..50),
            uart in any_port(),
        ) {
            let whole = receive(&mut codec(uart), &bytes);
            let (mut codec, mut data, mut out) = (codec(uart), Vec::new(), Vec::new());
            let (mut rest, mut cuts) = (bytes.as_slice(), cuts.iter().cycle());
            while !rest.is_empty() {
                let cut = cuts.next().map_or(1, |cut| *cut).min(rest.len());
                codec.receive(&rest[..cut], &mut data, &mut out);
                rest = &rest[cut..];
            }
            prop_assert_eq!(whole, (data, out));
        }

        /// Nothing that a server sends makes us panic, or send more than it did.
        #[test]
        fn replies_are_no_more_than_was_received(bytes in any_bytes(), uart in any_port()) {
            let (data, out) = receive(&mut codec(uart), &bytes);
            let settings = uart.map_or(0, |_| SETTINGS);
            prop_assert!(data.len() <= bytes.len());
            prop_assert!(out.len() <= bytes.len() + settings, "{} > {}", out.len(), bytes.len());
        }

        /// What is typed arrives, whether both sides have agreed on BINARY, or neither.
        #[test]
        fn what_is_typed_arrives(typed in vec(any::<u8>(), 0..400), binary in any::<bool>()) {
            let (mut here, mut there) = (codec(None), codec(None));
            if binary {
                receive(&mut here, &[255, 253, 0]);
                receive(&mut there, &[255, 251, 0]);
            }
            let mut wire = Vec::new();
            here.send(&typed, &mut wire);
            prop_assert_eq!(receive(&mut there, &wire), (typed, vec![]));
        }

        /// Two that both ask for everything agree, and fall silent.
        #[test]
        fn two_peers_settle(ports in (any_port(), any_port())) {
            let (mut to_right, mut to_left) = (Vec::new(), Vec::new());
            let mut left = Codec::new(ports.0, &mut to_right);
            let mut right = Codec::new(ports.1, &mut to_left);
            for _ in 0..4 {
                to_left.extend(receive(&mut right, &std::mem::take(&mut to_right)).1);
                to_right.extend(receive(&mut left, &std::mem::take(&mut to_left)).1);
            }
            prop_assert_eq!((to_left, to_right), (vec![], vec![]));
            prop_assert!(left.is_settled() && right.is_settled());
        }
    }
}
