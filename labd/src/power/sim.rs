//! Outlets of simulated boards.

use super::{Error, Power};
use crate::sim::{Mood, Sim};

impl Power for Sim {
    async fn set(&self, on: bool) -> Result<(), Error> {
        let board = self.board();
        match board.mood_for_order() {
            Mood::Willing => board.switch(on).await,
            Mood::Deaf => {}
            Mood::Mute(limit) => return Err(silence(self, limit).await),
        }
        Ok(())
    }

    async fn get(&self) -> Result<Option<bool>, Error> {
        let board = self.board();
        match board.mood_for_question() {
            Mood::Mute(limit) => Err(silence(self, limit).await),
            Mood::Willing | Mood::Deaf => Ok(board.supply()),
        }
    }

    async fn reset(&self) -> Result<(), Error> {
        let board = self.board();
        if board.supply() != Some(true) {
            return Err(Error::Refused { device: self.to_string(), why: "it is off".to_owned() });
        }
        board.reset();
        Ok(())
    }

    fn can_reset(&self) -> bool {
        true
    }

    fn controller(&self) -> String {
        match self.switch() {
            Some(switch) => format!("sim {switch}"),
            None => self.to_string(),
        }
    }
}

async fn silence(sim: &Sim, limit: std::time::Duration) -> Error {
    tokio::time::sleep(limit).await;
    Error::Silent { device: sim.to_string(), limit }
}
