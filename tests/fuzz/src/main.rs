//! libFuzzer's way in: the target that `FUZZ_TARGET` names. One program for all of them is built in a
//! tenth of the time of one for each.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    lab_fuzz::named(&name).unwrap_or_else(|| panic!("FUZZ_TARGET={name:?} is no target"))
});

fuzz_target!(
    // A panic that the product catches, as of a library, is none of the target's.
    init: std::panic::set_hook(Box::new(|panic| eprintln!("{panic}"))),
    |data: &[u8]| TARGET(data)
);
