//! Clicks and the wheel, where somebody wants them to be labtui's. In a console they never are.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::actions;
use ratatui::layout::Position;

use crate::keys::Move;
use crate::model::Model;
use crate::view::{self, Spot};

/// How many lines the wheel moves.
const WHEEL: usize = 3;

pub(super) fn take(model: &mut Model, event: MouseEvent) {
    if model.console.is_some() || model.dialog.is_some() || model.typing.is_some() {
        return;
    }
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) if model.page.is_none() => click(model, event),
        MouseEventKind::ScrollUp => turn(model, event, Move::Up),
        MouseEventKind::ScrollDown => turn(model, event, Move::Down),
        _ => {}
    }
}

fn click(model: &mut Model, event: MouseEvent) {
    let at = Position { x: event.column, y: event.row };
    let hit = view::panes(model).into_iter().find(|(_, area)| area.contains(at));
    if let Some(grid) = &mut model.grid {
        grid.focus = hit.map_or(grid.focus, |(place, _)| place);
        return;
    }
    let Some(Spot { pane, row }) = view::spot(model, event.column, event.row) else { return };
    model.focus = pane;
    if let Some(place) = row {
        model.table.select(place);
    }
}

/// The wheel moves what is under it.
fn turn(model: &mut Model, event: MouseEvent, by: Move) {
    if model.page.is_none() && model.grid.is_some() {
        return;
    }
    if model.page.is_none()
        && let Some(spot) = view::spot(model, event.column, event.row)
    {
        model.focus = spot.pane;
    }
    (0..WHEEL).for_each(|_| actions::move_by(model, by));
}
