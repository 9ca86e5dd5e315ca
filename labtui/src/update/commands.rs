//! Commands: what was typed after `:`.

use protocol::board::BoardName;

use super::{Effect, actions, asks, call, grid, lists, office, views};
use crate::audit::Sought;
use crate::call::Call;
use crate::dialog::Dialog;
use crate::model::{Model, View};
use crate::notice::Tone;
use crate::palette::{self, POWER};
use crate::settings::nearest;
use crate::theme;

/// A line that somebody gave where there is no screen: the answer to what was asked, or a command.
pub(super) fn take(model: &mut Model, line: &str, effects: &mut Vec<Effect>) {
    if !answer(model, line, effects) {
        run(model, line, effects);
    }
}

/// Does what a line says.
pub(super) fn run(model: &mut Model, line: &str, effects: &mut Vec<Effect>) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some((name, about)) = words.split_first() else { return };
    let done = match (palette::action(model, name), palette::command(name)) {
        (Some(action), _) if about.is_empty() => {
            actions::act(model, action, effects);
            Ok(())
        }
        (_, Some(command)) => with_words(model, command.name, about, effects),
        (Some(_), None) => Err(format!("'{name}' takes no words after it.")),
        (None, None) => Err(unknown(model, name)),
    };
    if let Err(why) = done {
        model.say(Tone::Failed, &why);
    }
}

fn unknown(model: &Model, name: &str) -> String {
    let names = palette::names(model);
    match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!("There is no command '{name}'. Did you mean '{near}'?"),
        None => format!("There is no command '{name}'. Tab shows them all."),
    }
}

type Done = Result<(), String>;

fn with_words(model: &mut Model, name: &str, words: &[&str], effects: &mut Vec<Effect>) -> Done {
    let changes = ["power", "reserve", "release", "extend"].contains(&name);
    if changes && model.settings.read_only {
        return Err("Nothing is changed here: labtui is read-only.".to_owned());
    }
    match (name, words) {
        ("boards", words) => views::show(model, View::Boards(palette::filter(words)), effects),
        ("board", [name]) => views::show(model, View::Board(board(name)?), effects),
        ("console", [name]) => views::show(model, View::Console(board(name)?), effects),
        ("consoles", names) if !names.is_empty() => return consoles(model, names, effects),
        ("power", [name, ask]) => return power(model, name, ask, effects),
        ("reserve", [name, span @ ..]) if span.len() < 2 => {
            return reserve(model, board(name)?, span.first().copied(), effects);
        }
        ("extend", [name, span]) => {
            let (board, span) = (board(name)?, span.parse().map_err(|why| format!("{why}."))?);
            call(model, Call::Extend { board, span }, effects);
        }
        ("release", [name]) => {
            let name = board(name)?;
            let row = model.table.row(&name).cloned().ok_or_else(|| missing(&name))?;
            asks::release(model, &row);
        }
        ("search", words @ [_, ..]) => lists::search(model, &words.join(" "), effects),
        ("boots", [name]) => {
            let name = board(name)?;
            let row = model.table.row(&name).cloned().ok_or_else(|| missing(&name))?;
            lists::boots(model, &row, effects);
        }
        ("theme", [name]) => return look(model, name),
        ("users", []) => office::users(model, effects),
        ("tokens", []) => office::tokens(model, effects),
        ("audit", words) => office::audit(model, Sought::read(words)?, effects),
        ("labs", []) => views::labs(model),
        ("labs", [name]) => return go(model, name, effects),
        (name, _) => return Err(usage(name)),
    }
    Ok(())
}

fn board(name: &str) -> Result<BoardName, String> {
    name.parse().map_err(|why| format!("{why}."))
}

fn consoles(model: &mut Model, names: &[&str], effects: &mut Vec<Effect>) -> Done {
    let boards = names.iter().map(|name| board(name)).collect::<Result<Vec<_>, _>>()?;
    if let Some(name) = boards.iter().find(|name| model.table.row(name).is_none()) {
        return Err(missing(name));
    }
    grid::open(model, boards, effects);
    Ok(())
}

fn missing(name: &BoardName) -> String {
    format!("There is no board {name} here. :boards lists them all.")
}

/// How a command is written.
fn usage(name: &str) -> String {
    let about = palette::command(name).map(|it| it.about).unwrap_or_default();
    let words = about.iter().map(|word| format!(" {}", word.title())).collect::<String>();
    format!("It is written so: {name}{words}")
}

fn power(model: &mut Model, name: &str, ask: &str, effects: &mut Vec<Effect>) -> Done {
    let name = board(name)?;
    let row = model.table.row(&name).cloned().ok_or_else(|| missing(&name))?;
    let (_, ask) =
        POWER.into_iter().find(|(word, _)| *word == ask).ok_or_else(|| usage("power"))?;
    asks::switch(model, &row, ask, effects);
    Ok(())
}

fn reserve(
    model: &mut Model,
    board: BoardName,
    span: Option<&str>,
    effects: &mut Vec<Effect>,
) -> Done {
    let span = span.map(|span| span.parse().map_err(|why| format!("{why}."))).transpose()?;
    call(model, Call::Reserve { board, span }, effects);
    Ok(())
}

fn look(model: &mut Model, name: &str) -> Done {
    let Some(known) = theme::NAMES.into_iter().find(|known| *known == name) else {
        return Err(format!("There is no theme '{name}'. There are {}.", theme::NAMES.join(", ")));
    };
    let mut settings = model.settings.clone();
    settings.theme.name = Some(known);
    model.adopt(settings);
    Ok(())
}

fn go(model: &mut Model, name: &str, effects: &mut Vec<Effect>) -> Done {
    let found = model.labs.iter().find(|(known, _)| known == name);
    let (_, address) = found
        .ok_or_else(|| format!("You have logged in to no lab '{name}'. labctl login does that."))?;
    views::go(model, address.clone(), effects);
    Ok(())
}

/// Answers the question that waits, if there is one; false if there is none.
fn answer(model: &mut Model, line: &str, effects: &mut Vec<Effect>) -> bool {
    match &mut model.dialog {
        None => return false,
        Some(Dialog::Question(question)) => question.text = line.trim().to_owned(),
        Some(Dialog::Choice(choice)) => {
            let said = line.trim().to_lowercase();
            let is = |(answer, _): &(String, _)| answer.to_lowercase() == said;
            match choice.answers.iter().position(is) {
                Some(place) => choice.marked = place,
                None => {
                    let all: Vec<&str> = choice.answers.iter().map(|(it, _)| it.as_str()).collect();
                    let text = format!("Say one of: {}.", all.join(", "));
                    model.say(Tone::Failed, &text);
                    return true;
                }
            }
        }
    }
    actions::act(model, crate::keys::Action::Accept, effects);
    true
}
