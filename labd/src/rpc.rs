//! The lab's door for its own clients: tarpc calls and follows, on a Unix socket and behind [TLS](crate::tls).
//!
//! - [`listen`]: sockets, the first line, what a connection is for
//! - [`identity`]: who is at the other end
//! - [`frames`]: what a call looks like on the way
//! - [`calls`]: every call, handed on to the lab; [`once`]: what changes something, done once
//! - [`follow`]: everything that flows
//! - [`inside`]: what another door asks for its visitor

pub mod calls;
pub mod follow;
pub mod frames;
pub mod identity;
pub mod inside;
pub mod listen;
pub(crate) mod once;
