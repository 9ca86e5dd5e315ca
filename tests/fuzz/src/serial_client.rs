use protocol::console::Uart;
use protocol::rfc2217::{Server, Wish};

/// The first byte says whether the port can be set, the second where TCP cuts the rest.
pub(crate) fn target(data: &[u8]) {
    let [port, cut, bytes @ ..] = data else { return };
    let uart = (port % 2 == 1).then(Uart::default);
    let whole = receive(uart, &[bytes]);
    let (one, other) = bytes.split_at(usize::from(*cut).min(bytes.len()));
    assert_eq!(receive(uart, &[one, other]), whole);
    let (wishes, replies) = whole;
    let typed = wishes.iter().map(|wish| if let Wish::Type(bytes) = wish { bytes.len() } else { 1 });
    assert!(typed.sum::<usize>() <= bytes.len());
    assert!(replies.len() <= 2 * bytes.len());
}

/// What comes of it, with what is typed in one piece as far as it goes.
fn receive(uart: Option<Uart>, pieces: &[&[u8]]) -> (Vec<Wish>, Vec<u8>) {
    let (mut wishes, mut replies) = (Vec::new(), Vec::new());
    let mut server = Server::new(uart, &mut Vec::new());
    for wish in pieces.iter().flat_map(|piece| server.receive(piece, &mut replies)) {
        match (wishes.last_mut(), wish) {
            (Some(Wish::Type(before)), Wish::Type(bytes)) => before.extend(bytes),
            (_, wish) => wishes.push(wish),
        }
    }
    (wishes, replies)
}
