//! The messages of RFC 2217, client's side: how a serial port behind telnet is set.
//!
//! DTR and RTS are not mentioned unless somebody sets them, so that they stay as they are. Nor are acknowledgements waited
//! for: some servers give none for what their port cannot do.

use tokio_serial::{FlowControl, Parity};

use super::super::uart::Uart;
use super::telnet::{COM_PORT, IAC, SB, SE};

const SET_BAUDRATE: u8 = 1;
const SET_DATASIZE: u8 = 2;
const SET_PARITY: u8 = 3;
const SET_STOPSIZE: u8 = 4;
const SET_CONTROL: u8 = 5;
const FLOWCONTROL_SUSPEND: u8 = 8;
const FLOWCONTROL_RESUME: u8 = 9;

/// Added to a code by the server.
const FROM_SERVER: u8 = 100;

const BREAK_ON: u8 = 5;
const BREAK_OFF: u8 = 6;
/// On, and off.
const DTR: [u8; 2] = [8, 9];
const RTS: [u8; 2] = [11, 12];

/// What a server says that matters here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The port's speed is this now, in baud.
    Speed(u32),
    /// Send no more data.
    Suspend,
    /// Send data again.
    Resume,
}

impl Notice {
    /// Reads a message of the server. None for acknowledgements, and for the state of the line (106)
    /// and of the modem (107).
    pub(super) fn read(said: &[u8]) -> Option<Notice> {
        let (code, value) = said.split_first()?;
        match code.checked_sub(FROM_SERVER)? {
            SET_BAUDRATE => Some(Notice::Speed(u32::from_be_bytes(value.try_into().ok()?))),
            FLOWCONTROL_SUSPEND => Some(Notice::Suspend),
            FLOWCONTROL_RESUME => Some(Notice::Resume),
            _ => None,
        }
    }
}

/// Appends to `out` what sets the server's port up.
pub(super) fn set_up(uart: &Uart, out: &mut Vec<u8>) {
    let parity = match uart.parity {
        Parity::None => 1,
        Parity::Odd => 2,
        Parity::Even => 3,
    };
    let flow = match uart.flow {
        FlowControl::None => 1,
        FlowControl::Software => 2,
        FlowControl::Hardware => 3,
    };
    say(SET_BAUDRATE, &uart.speed.to_be_bytes(), out);
    say(SET_DATASIZE, &[uart.bits.into()], out);
    say(SET_PARITY, &[parity], out);
    say(SET_STOPSIZE, &[uart.stop.into()], out);
    say(SET_CONTROL, &[flow], out);
}

/// Appends to `out` what begins or ends a BREAK.
pub(super) fn set_break(on: bool, out: &mut Vec<u8>) {
    say(SET_CONTROL, &[if on { BREAK_ON } else { BREAK_OFF }], out);
}

/// Appends to `out` what sets DTR, RTS or both.
pub(super) fn set_lines(dtr: Option<bool>, rts: Option<bool>, out: &mut Vec<u8>) {
    for (line, [on, off]) in [(dtr, DTR), (rts, RTS)] {
        if let Some(is_on) = line {
            say(SET_CONTROL, &[if is_on { on } else { off }], out);
        }
    }
}

fn say(code: u8, value: &[u8], out: &mut Vec<u8>) {
    out.extend([IAC, SB, COM_PORT, code]);
    for &byte in value {
        out.push(byte);
        if byte == IAC {
            out.push(IAC);
        }
    }
    out.extend([IAC, SE]);
}

#[cfg(test)]
mod tests {
    use tokio_serial::{DataBits, StopBits};

    use super::*;

    #[test]
    fn a_port_is_set_up_in_five_messages() {
        let mut out = Vec::new();
        let uart = Uart {
            speed: 1_500_000,
            bits: DataBits::Seven,
            parity: Parity::Even,
            stop: StopBits::Two,
            flow: FlowControl::Hardware,
        };
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
    fn notices_are_read() {
        assert_eq!(Notice::read(&[101, 0, 1, 0xc2, 0]), Some(Notice::Speed(115_200)));
        assert_eq!(Notice::read(&[108]), Some(Notice::Suspend));
        assert_eq!(Notice::read(&[109]), Some(Notice::Resume));
        let of_no_interest: [&[u8]; 6] =
            [&[], &[1, 0, 0, 0, 1], &[101, 0, 1], &[106, 16], &[107, 0xb0], &[105, 8]];
        for said in of_no_interest {
            assert_eq!(Notice::read(said), None, "{said:?}");
        }
    }
}
