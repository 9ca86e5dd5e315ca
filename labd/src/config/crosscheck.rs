//! Faults that only two boards together can have.

use std::collections::HashMap;

use super::board::Draft;
use super::fault::Faults;
use super::ucl::Place;
use crate::console::Device;

/// Something that only one board may have.
struct Claim<'a> {
    thing: String,
    board: &'a Draft,
    at: &'a Place,
}

/// Reports boards of one name, and boards that use one thing; each cause once.
pub(super) fn crosscheck(drafts: &[Draft], faults: &Faults) {
    for (first, second) in twice(drafts.iter().map(name)) {
        let lines = first.at.and(second.at);
        faults.add(second.at, format!("board '{}' is there twice ({lines})", first.thing));
    }
    let used = drafts.iter().flat_map(|board| outlet(board).into_iter().chain(console(board)));
    for (first, second) in
        twice(used.chain(drafts.iter().flat_map(macs)).chain(drafts.iter().flat_map(ports)))
    {
        let (one, other) = (&first.board.board.name, &second.board.board.name);
        // A board that is there twice has everything twice, and that it is there twice is told.
        if one == other && !std::ptr::eq(first.board, second.board) {
            continue;
        }
        let (thing, lines) = (&first.thing, first.at.and(second.at));
        let message = match one == other {
            true => format!("{one} has {thing} twice ({lines})"),
            false => format!("{one} and {other} both use {thing} ({lines})"),
        };
        faults.add(second.at, message);
    }
}

/// Every claim to something that is taken, behind the one that took it.
fn twice<'a>(claims: impl Iterator<Item = Claim<'a>>) -> Vec<(Claim<'a>, Claim<'a>)> {
    let mut taken = HashMap::<String, (&Draft, &Place)>::new();
    let mut twice = Vec::new();
    for second in claims {
        match taken.get(&second.thing) {
            None => {
                taken.insert(second.thing, (second.board, second.at));
            }
            Some((board, at)) => {
                twice.push((Claim { thing: second.thing.clone(), board, at }, second));
            }
        }
    }
    twice
}

fn name(board: &Draft) -> Claim<'_> {
    Claim { thing: board.board.name.to_string(), board, at: &board.places.name }
}

fn outlet(board: &Draft) -> Option<Claim<'_>> {
    let outlet = board.board.outlet.as_ref()?;
    Some(Claim { thing: format!("outlet {outlet}"), board, at: &board.places.outlet })
}

fn ports(board: &Draft) -> impl Iterator<Item = Claim<'_>> {
    let ports = board.board.serve.ports();
    ports.map(|(port, _)| Claim { thing: format!("port {port}"), board, at: &board.places.serve })
}

fn console(board: &Draft) -> Option<Claim<'_>> {
    let device = board.board.console.as_ref()?;
    // An option that is both is told of as the outlet.
    if board.board.outlet.is_some() && board.places.console == board.places.outlet {
        return None;
    }
    let thing = match device {
        // One port is one console, at whatever speed and in whatever protocol.
        Device::Serial(_) | Device::Tcp(_) => {
            device.to_string().split(' ').take(2).collect::<Vec<_>>().join(" ")
        }
        _ => device.to_string(),
    };
    Some(Claim { thing: format!("console {thing}"), board, at: &board.places.console })
}

fn macs(board: &Draft) -> impl Iterator<Item = Claim<'_>> {
    let claim = |mac| Claim { thing: format!("mac {mac}"), board, at: &board.places.mac };
    board.board.macs.iter().map(claim)
}
