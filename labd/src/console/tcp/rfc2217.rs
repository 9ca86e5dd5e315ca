//! What a server of RFC 2217 says. Acknowledgements are not waited for: some servers give none for what
//! their port cannot do.

use protocol::console::LineErrors;
use protocol::rfc2217::FROM_SERVER;
use protocol::rfc2217::code::{
    FLOWCONTROL_RESUME, FLOWCONTROL_SUSPEND, NOTIFY_LINESTATE, SET_BAUDRATE, SET_LINESTATE_MASK,
};

/// What a server says that matters here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The port's speed is this now, in baud.
    Speed(u32),
    /// Send no more data.
    Suspend,
    /// Send data again.
    Resume,
    /// Errors of the line will be told.
    TellsErrors,
    /// These errors have just been.
    Errors(LineErrors),
}

impl Notice {
    /// Reads a message of the server. None for most acknowledgements, and for the state of the modem (107).
    pub(super) fn read(said: &[u8]) -> Option<Notice> {
        let (code, value) = said.split_first()?;
        match code.checked_sub(FROM_SERVER)? {
            SET_BAUDRATE => Some(Notice::Speed(u32::from_be_bytes(value.try_into().ok()?))),
            FLOWCONTROL_SUSPEND => Some(Notice::Suspend),
            FLOWCONTROL_RESUME => Some(Notice::Resume),
            SET_LINESTATE_MASK if value == [line_state::ALL] => Some(Notice::TellsErrors),
            NOTIFY_LINESTATE => line_state::errors(value).map(Notice::Errors),
            _ => None,
        }
    }
}

/// The bits of a line's state.
pub(super) mod line_state {
    use super::LineErrors;

    const OVERRUN: u8 = 2;
    const PARITY: u8 = 4;
    const FRAMING: u8 = 8;
    const BREAK: u8 = 16;

    /// Those that are to be told.
    pub(crate) const ALL: u8 = OVERRUN | PARITY | FRAMING | BREAK;

    /// What a state says of errors, if it says that there are any.
    pub(super) fn errors(value: &[u8]) -> Option<LineErrors> {
        let &[state] = value else { return None };
        let is = |bit: u8| u64::from(state & bit != 0);
        let (overrun, parity) = (is(OVERRUN), is(PARITY));
        let errors = LineErrors { overrun, parity, framing: is(FRAMING), breaks: is(BREAK) };
        (state & ALL != 0).then_some(errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_read() {
        assert_eq!(Notice::read(&[101, 0, 1, 0xc2, 0]), Some(Notice::Speed(115_200)));
        assert_eq!(Notice::read(&[108]), Some(Notice::Suspend));
        assert_eq!(Notice::read(&[109]), Some(Notice::Resume));
        let of_no_interest: [&[u8]; 6] =
            [&[], &[1, 0, 0, 0, 1], &[101, 0, 1], &[106, 0x60], &[107, 0xb0], &[105, 8]];
        for said in of_no_interest {
            assert_eq!(Notice::read(said), None, "{said:?}");
        }
    }
}
