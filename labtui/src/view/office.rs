//! What administrators look at: lists, with the commands that change them, and who did what.

use protocol::account::{Account, Grant, Token};
use protocol::journal::Entry;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::closeup::{clock, furthest, named_lines, newest_last};
use super::layout::Layout;
use super::pane;
use crate::audit::{Audit, Sought, is_denied};
use crate::dialog::left;
use crate::model::{Link, Model};
use crate::text::{clean, fit};

/// How they are changed; labtui does not.
const USERS: &str = "changed by 'labctl user'";
const TOKENS: &str = "changed by 'labctl token'";

pub(super) fn users(frame: &mut Frame, model: &Model, top: usize, layout: &Layout) {
    let rows = model.accounts.as_ref();
    let rows = rows.map(|all| all.iter().map(|account| user(model, account)).collect());
    list(
        frame,
        model,
        layout,
        ("Users", USERS),
        ["USER", "ROLES", "GROUPS", "COMES AS"],
        rows,
        top,
    );
}

pub(super) fn tokens(frame: &mut Frame, model: &Model, top: usize, layout: &Layout) {
    let rows = model.tokens.as_ref();
    let rows = rows.map(|all| all.iter().map(|it| token(model, it)).collect());
    list(
        frame,
        model,
        layout,
        ("Tokens", TOKENS),
        ["TOKEN", "USER", "UNTIL", "OPENS, FOR"],
        rows,
        top,
    );
}

type Row = [String; 4];

fn user(model: &Model, account: &Account) -> Row {
    let role = |grant: &Grant| match grant.until {
        None => grant.role.to_string(),
        Some(until) if until <= model.now => format!("{} (over)", grant.role),
        Some(until) => format!("{} ({} more)", grant.role, left(until, model.now)),
    };
    let roles: Vec<String> = account.roles.iter().map(role).collect();
    let roles = if roles.is_empty() { "none".to_owned() } else { roles.join(", ") };
    let identities: Vec<String> = account.identities.iter().map(ToString::to_string).collect();
    [account.name.to_string(), roles, account.groups.join(", "), identities.join(", ")]
}

fn token(model: &Model, token: &Token) -> Row {
    let (scope, note) = (&token.scope, token.note.clone().unwrap_or_default());
    let boards = scope.boards.iter().map(ToString::to_string);
    let what: Vec<String> = boards.chain(scope.classes.iter().cloned()).collect();
    let verbs: Vec<String> = scope.verbs.iter().map(ToString::to_string).collect();
    let opens = match (what.is_empty(), verbs.is_empty()) {
        (true, true) => "everything".to_owned(),
        (false, true) => what.join(", "),
        (true, false) => format!("to {}", verbs.join(", ")),
        (false, false) => format!("{} to {}", what.join(", "), verbs.join(", ")),
    };
    let once = if token.once { ", once" } else { "" };
    let note = if note.is_empty() { note } else { format!(": {note}") };
    let until = clock(&model.zone, token.until, model.now);
    let until = if token.until <= model.now { format!("{until} over") } else { until };
    [token.id.clone(), token.who.to_string(), until, format!("{opens}{once}{note}")]
}

/// A list with its headings, and how it is changed.
fn list(
    frame: &mut Frame,
    model: &Model,
    layout: &Layout,
    (title, hint): (&str, &str),
    heads: [&str; 4],
    rows: Option<Vec<Row>>,
    top: usize,
) {
    let count = rows.as_ref().map_or(String::new(), |rows| format!("{} ", rows.len()));
    let title = Line::styled(format!(" {title} {count}· {hint} "), model.theme.strong);
    let inner = pane(frame, model, layout, layout.page(), title, None);
    let Some(rows) = rows else {
        return frame.render_widget(Line::raw("The lab has not answered yet."), inner);
    };
    let mut areas = inner.rows();
    if let Some(area) = areas.next() {
        row(frame, model.theme.quiet, area, &heads.map(str::to_owned));
    }
    for (area, cells) in areas.zip(rows.iter().skip(top)) {
        row(frame, model.theme.text, area, cells);
    }
}

/// Three columns as wide as is usual, and the rest.
fn row(frame: &mut Frame, look: Style, area: Rect, cells: &Row) {
    const WIDTHS: [usize; 3] = [16, 26, 14];
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(WIDTHS) {
        let cell = fit(&clean(cell), width - 1).into_owned();
        text.push_str(&format!("{cell:width$}"));
    }
    text.push_str(&clean(&cells[3]));
    frame.render_widget(Line::styled(fit(&text, area.width.into()).into_owned(), look), area);
}

pub(super) fn audit(frame: &mut Frame, model: &Model, back: usize, layout: &Layout) {
    let Some(audit) = &model.audit else { return };
    let live = match &audit.link {
        Link::Connecting | Link::Up => String::new(),
        Link::Down { .. } => "· not live ".to_owned(),
        Link::Refused(why) => format!("· {why} "),
    };
    let newer = if back > 0 { format!("· ↓ {back} newer ") } else { String::new() };
    let title = format!(" Audit{} · {} {live}{newer}", words(&audit.sought), audit.entries.len());
    let title = Line::styled(clean(&title).into_owned(), model.theme.strong);
    let inner = pane(frame, model, layout, layout.page(), title, None);
    let entries = audit.entries.iter().rev().skip(back);
    newest_last(frame, inner, entries.map(|entry| sentence(model, entry, inner.width)));
}

/// What is looked for, as it is written.
fn words(sought: &Sought) -> String {
    let Sought { user, board, via, denied } = sought;
    let user = user.as_ref().map(|it| format!(" user={it}"));
    let board = board.as_ref().map(|it| format!(" board={it}"));
    let via = via.as_ref().map(|it| format!(" via={it}"));
    let denied = denied.then(|| " denied".to_owned());
    [user, board, via, denied].into_iter().flatten().collect()
}

/// `14:02:11 denied rk-1 ada (10.0.0.7): may not power: …`
fn sentence(model: &Model, entry: &Entry, width: u16) -> Vec<Line<'static>> {
    let at = clock(&model.zone, entry.at, model.now);
    let denied = is_denied(&entry.event);
    let may = if denied { "denied " } else { "" };
    let board = entry.board.as_ref().map(|board| format!("{board} ")).unwrap_or_default();
    let who = entry.who.as_ref().map_or_else(|| "a stranger".to_owned(), ToString::to_string);
    let via = entry.via.as_ref().map(|via| format!(" ({via})")).unwrap_or_default();
    let text = format!("{may}{board}{who}{via}: {}", entry.event);
    let look = if denied { model.theme.bad } else { model.theme.quiet };
    named_lines(&at, look, &clean(&text), at.len() + 1, width)
}

/// How many entries up from the newest the oldest one is on top.
pub(super) fn furthest_back(model: &Model, audit: &Audit, layout: &Layout) -> usize {
    let width = layout.inner(layout.page()).width;
    let lines = audit.entries.iter().map(|entry| sentence(model, entry, width).len());
    furthest(lines, layout.page_rows())
}
