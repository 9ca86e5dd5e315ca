//! What is shown when. Knows neither a clock nor a terminal.

use std::time::Duration;

use super::super::cast::{Event, Kind};

/// How far the arrows go, in seconds.
const JUMP: f64 = 5.0;

/// Puts the screen back to nothing.
const CLEAR: &str = "\x1b[m\x1b[H\x1b[2J";

/// What somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Leave,
    Pause,
    Step,
    Back,
    Forth,
    MarkerBefore,
    MarkerBehind,
}

/// A recording that is played.
pub(super) struct Player {
    events: Vec<Event>,
    speed: f64,
    /// How many of the events were shown.
    shown: usize,
    /// How many seconds of it have passed.
    at: f64,
    is_paused: bool,
    has_left: bool,
}

impl Player {
    /// So many times as fast, and with pauses of so many seconds at most.
    pub(super) fn new(mut events: Vec<Event>, speed: f64, idle_limit: Option<f64>) -> Player {
        let limit = idle_limit.unwrap_or(f64::INFINITY);
        let (mut before, mut at) = (0.0, 0.0);
        for Event(time, ..) in &mut events {
            at += (*time - before).clamp(0.0, limit);
            before = f64::max(*time, before);
            *time = at;
        }
        Player { events, speed, shown: 0, at: 0.0, is_paused: false, has_left: false }
    }

    /// Whether nothing more is to come.
    pub(super) fn is_over(&self) -> bool {
        self.has_left || (self.shown == self.events.len() && !self.is_paused)
    }

    /// How long it is until the next event; none, if only a key brings it.
    pub(super) fn wait(&self) -> Option<Duration> {
        let Event(time, ..) = self.events.get(self.shown).filter(|_| !self.is_paused)?;
        Duration::try_from_secs_f64((time - self.at).max(0.0) / self.speed).ok()
    }

    /// Time passes. What is to be shown now.
    pub(super) fn pass(&mut self, time: Duration) -> String {
        if self.is_paused {
            return String::new();
        }
        self.go_on_to(self.at + time.as_secs_f64() * self.speed)
    }

    /// A key is pressed. What is to be shown now.
    pub(super) fn press(&mut self, key: Key) -> String {
        match key {
            Key::Leave => self.has_left = true,
            Key::Pause => self.is_paused = !self.is_paused,
            Key::Step => {
                self.is_paused = true;
                let next = self.events[self.shown..].iter().find(|event| event.1 == Kind::Output);
                let next = next.map_or(self.at, |next| next.0);
                return self.go_on_to(next);
            }
            Key::Back => return self.go_to(self.at - JUMP),
            Key::Forth => return self.go_to(self.at + JUMP),
            Key::MarkerBefore => {
                // Whoever has only just come to a marker means the one before.
                let before = self.markers().rfind(|time| *time < self.at - 0.5);
                return self.go_to(before.unwrap_or(0.0));
            }
            Key::MarkerBehind => {
                let behind = self.markers().find(|time| *time > self.at);
                return behind.map(|time| self.go_to(time)).unwrap_or_default();
            }
        }
        String::new()
    }

    fn markers(&self) -> impl DoubleEndedIterator<Item = f64> {
        let markers = self.events.iter().filter(|event| event.1 == Kind::Marker);
        markers.map(|event| event.0)
    }

    fn go_to(&mut self, time: f64) -> String {
        if time > self.at {
            return self.go_on_to(time);
        }
        (self.shown, self.at) = (0, 0.0);
        CLEAR.to_owned() + &self.go_on_to(time.max(0.0))
    }

    /// Shows what comes until then.
    fn go_on_to(&mut self, time: f64) -> String {
        self.at = time;
        let due = self.events[self.shown..].iter().take_while(|event| event.0 <= time);
        let count = due.clone().count();
        let shown = due.filter(|event| event.1 == Kind::Output).map(|event| event.2.as_str());
        let shown = shown.collect();
        self.shown += count;
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn player(speed: f64, idle_limit: Option<f64>) -> Player {
        let event = |time, kind, text: &str| Event(time, kind, text.to_owned());
        let events = vec![
            event(0.0, Kind::Output, "a"),
            event(2.0, Kind::Marker, "power on"),
            event(2.5, Kind::Output, "b"),
            event(3.0, Kind::Input, "not shown"),
            event(4.0, Kind::Output, "c"),
            event(60.0, Kind::Marker, "noted"),
            event(61.0, Kind::Output, "d"),
        ];
        Player::new(events, speed, idle_limit)
    }

    fn seconds(count: f64) -> Duration {
        Duration::from_secs_f64(count)
    }

    #[test]
    fn everything_comes_when_it_came() {
        let mut player = player(1.0, None);
        for (time, shown) in [(0.0, "a"), (2.4, ""), (0.1, "b"), (1.5, "c"), (56.9, ""), (1.0, "d")]
        {
            assert!(!player.is_over());
            assert_eq!(player.pass(seconds(time)), shown);
        }
        assert!(player.is_over());
    }

    #[test]
    fn faster_and_without_long_pauses() {
        let mut player = player(4.0, Some(2.0));
        assert_eq!(player.pass(seconds(1.0)), "abc");
        assert_eq!(player.wait(), Some(seconds(0.5)), "the marker, as after two seconds");
        assert_eq!(player.pass(seconds(0.75)), "d");
    }

    #[test]
    fn keys_pause_step_and_go_to_and_fro() {
        let mut player = player(1.0, None);
        player.press(Key::Pause);
        assert_eq!((player.pass(seconds(9.0)).as_str(), player.wait()), ("", None));
        assert_eq!(player.press(Key::Step), "a");
        assert_eq!(player.press(Key::Step), "b");
        assert_eq!(player.press(Key::MarkerBehind), "c", "to the note");
        assert_eq!(player.press(Key::Step), "d");
        assert!(!player.is_over(), "it can still go back");
        assert_eq!(player.press(Key::Step), "");
        assert_eq!(player.press(Key::MarkerBefore), format!("{CLEAR}abcd").trim_end_matches('d'));
        assert_eq!(player.press(Key::MarkerBefore), format!("{CLEAR}a"), "to the power");
        assert_eq!(player.press(Key::Forth), "bc");
        assert_eq!(player.press(Key::Back), format!("{CLEAR}a"));
        player.press(Key::Pause);
        assert_eq!(player.pass(seconds(0.5)), "b");
        player.press(Key::Leave);
        assert!(player.is_over());
    }
}
