//! What administrators look at: users, tokens, and who did what.

use super::{Effect, call};
use crate::audit::{Audit, Sought};
use crate::call::Call;
use crate::model::{Model, Page};

/// Shows who has an account.
pub(super) fn users(model: &mut Model, effects: &mut Vec<Effect>) {
    model.page = Some(Page::Users(0));
    ask(model, Call::Accounts, effects);
}

/// Shows what people come in with.
pub(super) fn tokens(model: &mut Model, effects: &mut Vec<Effect>) {
    model.page = Some(Page::Tokens(0));
    ask(model, Call::Tokens, effects);
}

fn ask(model: &mut Model, what: Call, effects: &mut Vec<Effect>) {
    if !model.calls.contains(&what) {
        call(model, what, effects);
    }
}

/// Shows who did what.
pub(super) fn audit(model: &mut Model, sought: Sought, effects: &mut Vec<Effect>) {
    model.feeds += 1;
    model.page = Some(Page::Audit(0));
    model.audit = Some(Audit::new(model.feeds, sought));
    effects.push(Effect::Audit(Some(model.feeds)));
}

/// Follows the journal only as long as somebody looks at it.
pub(super) fn settle(model: &mut Model, effects: &mut Vec<Effect>) {
    let looks = matches!(model.page, Some(Page::Audit(_)));
    if !looks && model.audit.take().is_some() {
        effects.push(Effect::Audit(None));
    }
}
