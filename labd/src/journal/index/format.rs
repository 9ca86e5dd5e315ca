//! Numbers, lists of blocks and pages, as they are in an index.

use std::io;

pub(super) const MAGIC: &[u8; 8] = b"labgrams";
/// The magic, the head's length, its checksum.
pub(super) const HEADER: usize = 8 + 4 + 8;
/// No head is this large.
pub(super) const LARGEST_HEAD: u32 = 1 << 20;
/// A page is closed when it has so many bytes.
pub(super) const PAGE: usize = 4096;

/// A page's first trigram, its end and its checksum in the head, and itself in the body.
pub(super) fn close_page(head: &mut Vec<u8>, body: &mut Vec<u8>, first: u32, page: &mut Vec<u8>) {
    if page.is_empty() {
        return;
    }
    body.extend_from_slice(page);
    head.extend_from_slice(&first.to_le_bytes());
    head.extend_from_slice(&(body.len() as u32).to_le_bytes());
    head.extend_from_slice(&checksum(page).to_le_bytes());
    page.clear();
}

/// `0` if all blocks have it, `1` and a bit for each block, or one more than how many have it and the
/// distances between those.
pub(super) fn push_blocks(page: &mut Vec<u8>, having: &[u32], blocks: u32) {
    if having.len() == blocks as usize {
        return push_number(page, 0);
    }
    let mut list = Vec::new();
    push_number(&mut list, having.len() as u32 + 1);
    let mut before = 0;
    for block in having {
        push_number(&mut list, block - before);
        before = *block;
    }
    let mut bits = vec![0; 1 + blocks.div_ceil(8) as usize];
    bits[0] = 1;
    having.iter().for_each(|block| bits[1 + *block as usize / 8] |= 1 << (block % 8));
    page.extend_from_slice(if list.len() <= bits.len() { &list } else { &bits });
}

/// Seven bits a byte, the lowest first.
pub(super) fn push_number(to: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

pub(super) fn checksum(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    u64::from_le_bytes(*hash.as_bytes().first_chunk().unwrap_or(&[0; 8]))
}

pub(super) fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the index is damaged")
}

pub(super) fn take_u32(from: &mut &[u8]) -> io::Result<u32> {
    take(from).map(u32::from_le_bytes)
}

pub(super) fn take_u64(from: &mut &[u8]) -> io::Result<u64> {
    take(from).map(u64::from_le_bytes)
}

pub(super) fn take<const LENGTH: usize>(from: &mut &[u8]) -> io::Result<[u8; LENGTH]> {
    let (taken, rest) = from.split_first_chunk().ok_or_else(damaged)?;
    *from = rest;
    Ok(*taken)
}

pub(super) fn take_number(from: &mut &[u8]) -> io::Result<u32> {
    let mut number = 0;
    for shift in [0, 7, 14, 21, 28] {
        let [byte] = take(from)?;
        number |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(damaged())
}

pub(super) fn take_blocks(
    from: &mut &[u8],
    blocks: u32,
    mut tell: impl FnMut(u32),
) -> io::Result<()> {
    match take_number(from)? {
        0 => (0..blocks).for_each(tell),
        1 => {
            let bits = from.split_off(..blocks.div_ceil(8) as usize).ok_or_else(damaged)?;
            let is_set = |block: &u32| bits[*block as usize / 8] >> (block % 8) & 1 == 1;
            (0..blocks).filter(is_set).for_each(tell);
        }
        more => {
            let mut block = 0;
            for _ in 1..more {
                block += take_number(from)?;
                tell(block);
            }
        }
    }
    Ok(())
}
