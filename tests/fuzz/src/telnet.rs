use labd::console::tcp::codec::Codec;
use labd::console::uart::Uart;

/// Bytes that set a port up at the usual speed.
const SETTINGS: usize = 45;

/// The first byte says whether there is a port to set, the second where TCP cuts the rest.
pub(crate) fn target(data: &[u8]) {
    let [port, cut, bytes @ ..] = data else { return };
    let uart = (port % 2 == 1).then(Uart::default);
    let whole = receive(uart, &[bytes]);
    let (one, other) = bytes.split_at(usize::from(*cut).min(bytes.len()));
    assert_eq!(receive(uart, &[one, other]), whole);
    let (data, replies) = whole;
    assert!(data.len() <= bytes.len());
    assert!(replies.len() <= bytes.len() + uart.map_or(0, |_| SETTINGS));
}

fn receive(uart: Option<Uart>, pieces: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
    let (mut data, mut replies) = (Vec::new(), Vec::new());
    let mut codec = Codec::new(uart, &mut Vec::new());
    pieces.iter().for_each(|piece| codec.receive(piece, &mut data, &mut replies));
    (data, replies)
}
