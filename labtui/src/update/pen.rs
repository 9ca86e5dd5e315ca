//! What others do about the pen of the console that is attached.

use protocol::Span;
use protocol::journal::{Entry, Event};
use protocol::user::UserName;

use crate::keys::{Action, Group};
use crate::model::Model;
use crate::notice::Tone;

/// What is older than this was so before anybody looked.
const RECENT: Span = Span::seconds(10);

/// Says what others do about the pen that this console has, or asked for. What was so before it was
/// attached is no news.
pub(super) fn tell(model: &mut Model, entries: &[Entry]) {
    let Some(ours) = model.console.as_ref().and_then(|console| console.session) else { return };
    let Some(me) = model.me.as_ref().map(|me| me.name.clone()) else { return };
    let now = model.now;
    for entry in entries.iter().filter(|entry| now.since(entry.at) < RECENT) {
        if let Some((tone, text)) = sentence(model, entry, &me, ours) {
            model.say(tone, &text);
        }
    }
}

fn sentence(model: &Model, entry: &Entry, me: &UserName, ours: u64) -> Option<(Tone, String)> {
    let who = entry.who.as_ref().map_or("somebody", |who| who.as_str());
    let text = match &entry.event {
        Event::PenAsked { session, of } if of == me && *session != ours => {
            let typed = |action| model.typed(Group::Console, action);
            let [grant, keep, pair] =
                [Action::GrantPen, Action::KeepPen, Action::PairPen].map(typed);
            format!(
                "{who} asks for the pen. {grant} hands it over, {keep} keeps it, \
                 {pair} lets them type as well."
            )
        }
        Event::PenForced { session, from, reason } if from == me && *session != ours => {
            return Some((Tone::Failed, format!("{who} took the pen: {reason}")));
        }
        Event::PenPassed { session, from } if from == me && *session != ours => {
            let text = format!("{who} has the pen, since you did not answer.");
            return Some((Tone::Failed, text));
        }
        Event::PenPassed { session, from } if *session == ours => {
            format!("You have the pen, since {from} did not answer.")
        }
        Event::PenGranted { session, .. } if *session == ours => {
            format!("{who} handed you the pen.")
        }
        Event::PenKept { from } if from.contains(me) => format!("{who} keeps the pen."),
        Event::Paired { session, .. } if *session == ours => {
            format!("{who} lets you type as well.")
        }
        Event::Parted { with } if with == me && entry.who.as_ref() != Some(me) => {
            format!("{who} types alone again.")
        }
        _ => return None,
    };
    Some((Tone::News, text))
}
