//! How boards boot, and what triggers are there.

use protocol::board::BoardName;
use protocol::boot::{Boot, Boots};
use protocol::trigger::Trigger;
use protocol::user::{Verb, Who};
use protocol::{Error, Time};

use super::{Lab, internal};
use crate::rules::trigger::{self, Deed};
use crate::watcher::boots_of;

impl Lab {
    /// A board's boots since a time, and how long those of its class take.
    ///
    /// # Errors
    /// [`Error::NoSuch`].
    pub async fn boots(
        &self,
        who: &Who,
        name: &BoardName,
        since: Option<Time>,
    ) -> Result<Boots, Error> {
        let board = self.told(|| self.find(who, Verb::See, name)).await?;
        self.memory.caught_up().await;
        let known = self.memory.scan::<Boot>(&boots_of(name)).map_err(internal)?;
        let is_wanted = |boot: &Boot| since.is_none_or(|since| boot.at >= since);
        let boots = known.into_iter().map(|(_, boot)| boot).filter(is_wanted).collect();
        Ok(Boots { boots, usual: board.watcher.usual() })
    }

    /// The triggers that see a board which is there for whoever asks.
    pub fn triggers(&self, who: &Who) -> Vec<Trigger> {
        let mut triggers: Vec<Trigger> = Vec::new();
        for board in self.boards_seen(who) {
            for configured in &board.config.triggers {
                let new = described(configured);
                let is_same = |known: &&mut Trigger| is_same(known, &new);
                let name = board.config.name.clone();
                match triggers.iter_mut().find(is_same) {
                    Some(known) => known.boards.push(name),
                    None => triggers.push(Trigger { boards: vec![name], ..new }),
                }
            }
        }
        triggers.sort_by(|one, other| one.name.cmp(&other.name));
        triggers
    }

    /// What time does to boots: one that goes on for too long hangs.
    pub(super) fn look_at_boots(&self) {
        for board in self.boards_now().values() {
            let offset = board.recording.as_ref().map_or(0, |recording| recording.end());
            board.watcher.look(offset);
        }
    }
}

/// A trigger without what is the administrator's alone.
fn described(trigger: &trigger::Trigger) -> Trigger {
    let word = |deed: &Deed| match deed {
        Deed::Send(_) => "send",
        Deed::PowerOff => "power off",
        Deed::Release => "release",
        Deed::Post(_) | Deed::PostSecretly(_) => "post",
        Deed::Run(_) => "run",
    };
    Trigger {
        name: trigger.name.clone(),
        pattern: trigger.pattern.clone(),
        deeds: trigger.deeds.iter().map(|deed| word(deed).to_owned()).collect(),
        times: trigger.limit.times as u64,
        every: trigger.limit.every,
        boards: Vec::new(),
    }
}

/// Whether two are one, but for their boards.
fn is_same(one: &Trigger, other: &Trigger) -> bool {
    let but_boards = |it: &Trigger| Trigger { boards: Vec::new(), ..it.clone() };
    but_boards(one) == but_boards(other)
}
