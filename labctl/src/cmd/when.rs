//! An instant in the past, as people say it.

use jiff::civil::{DateTime, Time as Clock};
use jiff::{ToSpan, Zoned};
use protocol::Time;
use protocol::console::From;

/// `boot`, `start`, `10m`, `@OFFSET`; or by the clock, `14:20`, `2026-03-01T02:14`.
pub(super) fn when(text: &str) -> Result<From, String> {
    if let Ok(time) = instant(text, &Zoned::now()) {
        return Ok(From::Time { time });
    }
    text.parse().map_err(|_| {
        let text = text.escape_debug();
        format!("'{text}' is not a point in the past; write boot, start, 10m, 14:20, 2026-03-01T02:14 or @OFFSET")
    })
}

/// An instant: by the clock, the last time that it was so late; or with its day.
fn instant(text: &str, now: &Zoned) -> Result<Time, jiff::Error> {
    let at = match text.parse::<DateTime>() {
        Ok(day) => day.to_zoned(now.time_zone().clone())?,
        Err(_) => {
            let today = now.with().time(text.parse::<Clock>()?).build()?;
            if today > *now { today.checked_sub(1.day())? } else { today }
        }
    };
    Ok(Time(u64::try_from(at.timestamp().as_millisecond()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_read_as_the_last_time_it_was_so_late() {
        let now: Zoned = "2030-06-03T09:00[UTC]".parse().expect("an instant");
        for (text, wanted) in [
            ("08:59", "2030-06-03T08:59Z"),
            ("09:01", "2030-06-02T09:01Z"),
            ("08:59:30", "2030-06-03T08:59:30Z"),
            ("2030-03-01T02:14", "2030-03-01T02:14Z"),
            ("2030-03-01 02:14:05", "2030-03-01T02:14:05Z"),
        ] {
            let wanted: jiff::Timestamp = wanted.parse().expect("an instant");
            let read = instant(text, &now).expect("an instant");
            assert_eq!(read.0 as i64, wanted.as_millisecond(), "{text}");
        }
        for text in ["10m", "boot", "@5", "start", "1h30m", "2d"] {
            assert!(instant(text, &now).is_err(), "{text}");
            assert!(when(text).is_ok(), "{text}");
        }
    }
}
