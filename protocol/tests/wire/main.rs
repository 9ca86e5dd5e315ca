//! Bytes that must never change: labs that already run rely on them.
//!
//! A file per version, with what that version added. If a test here fails, put the type back.

mod v01;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The value is written as these bytes, and these bytes are read as the value.
#[track_caller]
fn assert_wire<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
    value: &T,
    bytes: &str,
) {
    assert_eq!(serde_json::to_string(value).expect("a value can be written"), bytes);
    assert_read(value, bytes);
}

/// These bytes are read as the value: an older or a newer side writes them so.
#[track_caller]
fn assert_read<T: DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, bytes: &str) {
    assert_eq!(&serde_json::from_str::<T>(bytes).expect(bytes), value);
}
