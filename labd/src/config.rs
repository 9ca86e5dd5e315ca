//! `labd.conf`: UCL in, [`Config`] out, or every fault at once.

pub mod fault;
pub mod reader;
pub mod ucl;
