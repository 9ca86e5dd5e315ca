//! A replay: what a console printed, and what happened to its board, in the order in which both came.

use base64::prelude::{BASE64_STANDARD as BASE64, Engine as _};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::journal::Entry;
use crate::time::Time;

/// A line of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Moment {
    /// The console printed something.
    Printed {
        /// When, to the millisecond.
        at: Time,
        /// How many bytes it had printed before.
        offset: u64,
        /// What, in base64: a console prints bytes, which need not be text.
        #[serde(serialize_with = "encode", deserialize_with = "decode")]
        #[schemars(with = "String")]
        bytes: Vec<u8>,
    },
    /// Something happened to the board.
    Happened {
        /// What.
        entry: Entry,
    },
    /// Said by a newer daemon.
    #[serde(other)]
    Unknown,
}

fn encode<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&BASE64.encode(bytes))
}

fn decode<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<u8>, D::Error> {
    BASE64.decode(String::deserialize(from)?).map_err(D::Error::custom)
}
