//! What a server of RFC 2217 says. DTR and RTS are never mentioned to it, so that they stay as they are.
//! Nor are acknowledgements waited for: some servers give none for what their port cannot do.

use protocol::rfc2217::FROM_SERVER;
use protocol::rfc2217::code::{FLOWCONTROL_RESUME, FLOWCONTROL_SUSPEND, SET_BAUDRATE};

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

#[cfg(test)]
mod tests {
    use super::*;

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
