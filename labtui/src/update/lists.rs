//! Pages with a row for each: a board's boots, and what a search of all consoles has found.

use protocol::board::{Board, BoardName};
use protocol::boot::Boots;
use protocol::search::{Hit, Search};

use super::{Effect, call, moved, past, set_mode, views};
use crate::call::Call;
use crate::keys::Move;
use crate::model::{Mode, Model, Page};
use crate::notice::Tone;
use crate::past::{BootList, Hits, MOST_HITS, Place, wish};

/// Looks for a text on all consoles.
pub(super) fn search(model: &mut Model, text: &str, effects: &mut Vec<Effect>) {
    let asked = Box::new(Search { limit: Some(MOST_HITS as u64), ..wish(text) });
    model.hits = Some(Hits { text: text.to_owned(), asked: asked.clone(), found: None });
    model.page = Some(Page::Hits(0));
    call(model, Call::Find(asked), effects);
}

/// What was found on all consoles, if it is still what is looked for.
pub(super) fn found(model: &mut Model, asked: &Search, found: Vec<Hit>) {
    let Some(hits) = model.hits.as_mut().filter(|hits| *hits.asked == *asked) else { return };
    let (count, text) = (found.len(), hits.text.clone());
    hits.found = Some(found);
    if count == MOST_HITS {
        let text = format!("The newest {count} lines with '{text}'. Look for more to find less.");
        model.say(Tone::News, &text);
    }
}

/// Lists the board's boots.
pub(super) fn boots(model: &mut Model, board: &Board, effects: &mut Vec<Effect>) {
    set_mode(model, Mode::Live);
    let board = board.name.clone();
    model.boots = Some(BootList { board: board.clone(), boots: None, usual: Vec::new() });
    model.page = Some(Page::Boots(0));
    call(model, Call::Boots(board), effects);
}

/// A board's boots, if they are still what is listed.
pub(super) fn booted(model: &mut Model, board: &BoardName, boots: Boots) {
    if let Some(list) = model.boots.as_mut().filter(|list| list.board == *board) {
        list.boots = Some(boots.boots.into_iter().rev().collect());
        list.usual = boots.usual;
    }
}

/// How many rows the page has.
fn count(model: &Model, page: Page) -> usize {
    match page {
        Page::Hits(_) => model.hits.iter().flat_map(|hits| &hits.found).map(Vec::len).sum(),
        _ => model.boots.iter().flat_map(|list| &list.boots).map(Vec::len).sum(),
    }
}

/// Which row is marked after a movement.
pub(super) fn moved_by(model: &Model, page: Page, by: Move, height: usize) -> Page {
    let count = count(model, page);
    match page {
        Page::Hits(row) => Page::Hits(moved(row, by, height, count)),
        Page::Boots(row) => Page::Boots(moved(row, by, height, count)),
        page => page,
    }
}

/// Shows the console as it was at the marked row.
pub(super) fn jump(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some((board, place)) = marked(model) else {
        return model.say(Tone::News, "Nothing is marked.");
    };
    let Some(row) = model.table.row(&board).cloned() else {
        let text = format!("{board} is not in the lab any more. labctl console shows its past.");
        return model.say(Tone::Failed, &text);
    };
    model.page = None;
    if model.console.as_ref().is_none_or(|console| console.board != board) {
        views::attach(model, &row, effects);
    }
    past::go(model, place);
}

fn marked(model: &Model) -> Option<(BoardName, Place)> {
    match model.page? {
        Page::Hits(row) => {
            let hits = model.hits.as_ref()?;
            let hit = hits.found.as_ref()?.get(row)?;
            Some((hit.board.clone(), Place::of_hit(hit, &hits.text)))
        }
        Page::Boots(row) => {
            let list = model.boots.as_ref()?;
            Some((list.board.clone(), Place::of_boot(list.boots.as_ref()?.get(row)?)))
        }
        _ => None,
    }
}
