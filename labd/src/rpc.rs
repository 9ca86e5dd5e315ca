//! The lab's door for its own clients: tarpc calls and follows, on a Unix socket and behind TLS.
//!
//! - [`listen`]: sockets, the first line, what a connection is for
//! - [`tls`]: those from elsewhere
//! - [`identity`]: who is at the other end
//! - [`calls`]: every call, handed on to the lab
//! - [`follow`]: everything that flows

pub mod calls;
pub mod follow;
pub mod identity;
pub mod listen;
pub mod tls;
