//! Sending a file by a board's console: the bytes go up as they are, and how it goes comes back.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a file goes through a console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// In blocks of 128 bytes, with a checksum or a CRC, whichever the board asks for. The last is filled up.
    Xmodem,
    /// In blocks of 1024 bytes, if the board asks for a CRC.
    #[serde(rename = "xmodem-1k")]
    Xmodem1k,
    /// As XMODEM-1K, with its name and its size before it.
    Ymodem,
    /// As text is typed, each character when the one before has been echoed.
    Paste,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Way::Xmodem => "XMODEM",
            Way::Xmodem1k => "XMODEM-1K",
            Way::Ymodem => "YMODEM",
            Way::Paste => "paste",
        })
    }
}

/// A file that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct File {
    /// What it is called, without its folder.
    pub name: String,
    /// How many bytes follow.
    pub size: u64,
    /// How it is to go.
    pub way: Way,
}

/// How it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Sending {
    /// The board has taken so many bytes.
    Taken {
        /// Of the file's.
        bytes: u64,
    },
    /// The board has taken the whole file. Nothing more comes.
    Done,
    /// It went wrong, and was ended. Nothing more comes.
    Failed {
        /// So many bytes the board has taken: the offset of the one where it went wrong.
        at: u64,
        /// What.
        why: String,
    },
}
