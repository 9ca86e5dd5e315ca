use futures::executor::block_on;
use protocol::wire::{answer, ask, listen};

pub(crate) fn target(data: &[u8]) {
    if let Ok(purpose) = block_on(listen(&mut &*data)) {
        let mut asked = Vec::new();
        block_on(ask(&mut asked, &purpose)).expect("a vector takes it");
        let again = block_on(listen(&mut asked.as_slice()));
        assert_eq!(again, Ok(purpose), "{:?}", String::from_utf8_lossy(&asked));
    }
    // The same bytes as the answer that a client hears.
    drop(block_on(answer(&mut &*data)));
}
