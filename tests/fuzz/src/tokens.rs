use std::fmt::{Debug, Display};
use std::str::FromStr;

use protocol::account::Secret;
use protocol::address::Address;
use protocol::login::Invitation;
use protocol::tls::Pin;

pub(crate) fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(secret) = text.parse::<Secret>() {
        assert_eq!(secret.as_str(), text);
        assert!(!format!("{secret:?}").contains(&text[4..]));
    }
    again::<Pin>(text);
    again::<Address>(text);
    again::<Invitation>(text);
}

/// What is read is written so that it is read as the same.
fn again<T: FromStr<Err: Debug + Display> + Display + PartialEq + Debug>(text: &str) {
    match text.parse::<T>() {
        Ok(read) => assert_eq!(read.to_string().parse::<T>().expect("as it was written"), read),
        Err(error) => crate::assert_plain(&error.to_string()),
    }
}
