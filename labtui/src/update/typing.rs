//! Texts as they are typed: a filter, a command, an answer, a word to look for in help.

use super::{Effect, commands, past};
use crate::dialog::{Dialog, Question};
use crate::model::{Model, Page, Typing};
use crate::palette::{self, Palette, REMEMBERED};
use crate::text::clean;

/// The longest text somebody can type.
const LONGEST: usize = 200;

/// Appends to the text that is being typed.
pub(super) fn write(model: &mut Model, text: &str) {
    let text = clean(text);
    edit(model, |typed| {
        let room = LONGEST.saturating_sub(typed.chars().count());
        typed.extend(text.chars().take(room));
    });
}

/// Changes the text that is being typed.
pub(super) fn edit(model: &mut Model, change: impl FnOnce(&mut String)) {
    match (&mut model.typing, &mut model.dialog) {
        (Some(Typing::Command(palette)), _) => {
            change(&mut palette.text);
            (palette.offered, palette.recalled) = (None, None);
        }
        (Some(Typing::Past), _) => past::edit(model, change),
        (Some(Typing::Search), _) => {
            change(&mut model.search);
            model.page = model.page.map(|_| Page::Help(0));
        }
        (Some(Typing::Filter), _) => {
            let mut text = model.table.filter().text().to_owned();
            change(&mut text);
            model.table.set_filter(text);
        }
        (None, Some(Dialog::Question(Question { text, fault, .. }))) => {
            change(text);
            *fault = None;
        }
        _ => {}
    }
}

/// Takes what is typed.
pub(super) fn accept(model: &mut Model, effects: &mut Vec<Effect>) {
    match model.typing.take() {
        Some(Typing::Command(Palette { text, .. })) => {
            let line = text.trim();
            if !line.is_empty() {
                remember(model, line, effects);
                commands::run(model, line, effects);
            }
        }
        Some(Typing::Filter) if !model.table.filter().text().is_empty() => {
            model.sought = model.table.filter().clone();
        }
        Some(Typing::Filter | Typing::Search | Typing::Past) | None => {}
    }
}

fn remember(model: &mut Model, line: &str, effects: &mut Vec<Effect>) {
    if model.history.last().is_none_or(|last| last != line) {
        model.history.push(line.to_owned());
        effects.push(Effect::Remember(line.to_owned()));
    }
    let surplus = model.history.len().saturating_sub(REMEMBERED);
    model.history.drain(..surplus);
}

/// Forgets what is typed: a filter is taken away, a command is not run.
pub(super) fn cancel(model: &mut Model) {
    match model.typing.take() {
        Some(Typing::Filter) => model.table.set_filter(String::new()),
        Some(Typing::Search) => model.search.clear(),
        Some(Typing::Past) => past::cancel(model),
        Some(Typing::Command(_)) | None => {}
    }
}

/// Completes a command in the next way, or the one before.
pub(super) fn complete(model: &mut Model, by: isize) {
    let Some(Typing::Command(palette)) = &model.typing else { return };
    let offers = palette::offers(model, palette.by_hand());
    if let Some(Typing::Command(palette)) = &mut model.typing {
        palette.complete(&offers, by);
    }
}

/// An earlier command, or a later one.
pub(super) fn recall(model: &mut Model, by: isize) {
    if let Some(Typing::Command(palette)) = &mut model.typing {
        palette.recall(&model.history, by);
    }
}
