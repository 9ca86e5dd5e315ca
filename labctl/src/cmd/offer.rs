//! The names that completion offers, as they are in the lab now.

use std::time::Duration;

use clap::builder::StyledStr;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use protocol::Error;
use protocol::address::Address;
use protocol::client::Client;
use protocol::text::plain;
use protocol::user::{Role, Verb};

use super::key::comment;

/// A lab that does not answer the completion in this time is not asked.
const COMPLETION: Duration = Duration::from_millis(150);

/// The accounts.
pub(super) fn users() -> ArgValueCandidates {
    from_lab(async |lab| {
        let accounts = lab.accounts().await?;
        Ok(accounts.into_iter().map(|it| (it.name.to_string(), it.groups.join(", "))).collect())
    })
}

/// The groups of the accounts and of the boards.
pub(super) fn groups() -> ArgValueCandidates {
    from_lab(async |lab| {
        let groups = super::group::all(&lab).await?;
        let of = |group: super::group::Of| (group.name, group.members.join(", "));
        Ok(groups.into_iter().map(of).collect())
    })
}

/// The tokens, by id.
pub(super) fn tokens() -> ArgValueCandidates {
    from_lab(async |lab| {
        let tokens = lab.tokens().await?;
        let note = |note: Option<String>| note.map(|note| format!(": {note}")).unwrap_or_default();
        Ok(tokens.into_iter().map(|it| (it.id, format!("{}{}", it.who, note(it.note)))).collect())
    })
}

/// The ssh keys, by fingerprint.
pub(super) fn keys() -> ArgValueCandidates {
    from_lab(async |lab| {
        let keys = lab.keys().await?;
        let about = |line: &str, who| format!("{who} {}", comment(line));
        Ok(keys.iter().map(|it| (it.fingerprint.clone(), about(&it.line, &it.who))).collect())
    })
}

/// The roles.
pub(super) fn roles() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        Role::ALL.map(|role| CompletionCandidate::new(role.to_string())).into()
    })
}

/// The verbs.
pub(super) fn verbs() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        Verb::ALL.map(|verb| CompletionCandidate::new(verb.to_string())).into()
    })
}

/// Names with a word on each. If the lab does not answer at once nothing is offered.
pub(super) fn from_lab<F>(ask: F) -> ArgValueCandidates
where
    F: AsyncFn(Client) -> Result<Vec<(String, String)>, Error> + Send + Sync + 'static,
{
    ArgValueCandidates::new(move || {
        let named = std::env::var("LAB").ok().and_then(|lab| lab.parse().ok());
        let lab = named.unwrap_or_else(Address::usual);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return Vec::new() };
        let asked = async { ask(Client::connect(&lab).await?).await };
        let names = runtime.block_on(async { tokio::time::timeout(COMPLETION, asked).await });
        let mut names = names.ok().and_then(Result::ok).unwrap_or_default();
        names.dedup_by(|a, b| a.0 == b.0);
        let help = |text: String| Some(StyledStr::from(plain(text.as_bytes(), 200)));
        names
            .into_iter()
            .map(|(name, text)| CompletionCandidate::new(name).help(help(text)))
            .collect()
    })
}
