//! How a serial line is set: speed, frame and flow control. The same for a port of this machine
//! and for one behind RFC 2217.

use std::fmt;

use protocol::Span;
use tokio_serial::{DataBits, FlowControl, Parity, StopBits};

use crate::config::Pace;
use crate::config::reader::{Setting, Table};
use crate::config::ucl::Value;
use crate::setting_words;

/// `speed = 115200, bits = 8, parity = none, stop = 1, flow = none`: each as here, if not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uart {
    /// Baud, from 50 to 4,000,000. Zero is no speed: it would hang up the line.
    pub speed: u32,
    /// Bits of a character.
    pub bits: DataBits,
    /// The check of each character.
    pub parity: Parity,
    /// Bits that end a character.
    pub stop: StopBits,
    /// How either side makes the other wait.
    pub flow: FlowControl,
}

impl Default for Uart {
    fn default() -> Uart {
        Uart {
            speed: 115_200,
            bits: DataBits::Eight,
            parity: Parity::None,
            stop: StopBits::One,
            flow: FlowControl::None,
        }
    }
}

/// What a board's UART keeps of what it is sent, until its software looks: that of a 16550, and what
/// U-Boot's own test suite sends at once.
const FIFO: usize = 16;
/// On the line, with start and stop.
const BITS_PER_BYTE: u64 = 10;

impl Uart {
    /// The keys that [`Uart::read`] asks for.
    pub const KEYS: [&'static str; 5] = ["speed", "bits", "parity", "stop", "flow"];

    /// How fast may be typed: a FIFO at once, at half the line's speed, since a boot loader polls its
    /// UART, and sends the echo of what it has before it looks again. At line speed it loses bytes from the
    /// second FIFO on. Where flow control does it, nothing else need.
    pub fn pace(&self) -> Pace {
        if self.flow != FlowControl::None {
            return Pace::UNLIMITED;
        }
        let on_the_line = FIFO as u64 * BITS_PER_BYTE * 1000;
        Pace { bytes: FIFO, every: Span((2 * on_the_line).div_ceil(self.speed.into())) }
    }

    /// Reads the settings; what is wrong becomes a fault of the table.
    pub fn read(table: &mut Table<'_>) -> Uart {
        let usual = Uart::default();
        Uart {
            speed: table.or("speed", Speed(usual.speed)).0,
            bits: table.or("bits", usual.bits),
            parity: table.or("parity", usual.parity),
            stop: table.or("stop", usual.stop),
            flow: table.or("flow", usual.flow),
        }
    }
}

/// `115200 8N1`; with flow control `115200 8N1 hardware`.
impl fmt::Display for Uart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        write!(f, "{} {}{parity}{}", self.speed, u8::from(self.bits), u8::from(self.stop))?;
        match self.flow {
            FlowControl::None => Ok(()),
            FlowControl::Software => write!(f, " software"),
            FlowControl::Hardware => write!(f, " hardware"),
        }
    }
}

impl From<Uart> for protocol::console::Uart {
    fn from(uart: Uart) -> protocol::console::Uart {
        use protocol::console;
        console::Uart {
            speed: uart.speed,
            bits: uart.bits.into(),
            parity: match uart.parity {
                Parity::None => console::Parity::None,
                Parity::Odd => console::Parity::Odd,
                Parity::Even => console::Parity::Even,
            },
            stop: uart.stop.into(),
            flow: match uart.flow {
                FlowControl::None => console::FlowControl::None,
                FlowControl::Software => console::FlowControl::Software,
                FlowControl::Hardware => console::FlowControl::Hardware,
            },
        }
    }
}

/// What a UART's clock can be set to.
struct Speed(u32);

impl Setting for Speed {
    const WANTED: &'static str = "a speed from 50 to 4000000 baud";

    fn read(value: &Value) -> Result<Speed, Option<String>> {
        match u32::read(value) {
            Ok(speed @ 50..=4_000_000) => Ok(Speed(speed)),
            _ => Err(None),
        }
    }
}

setting_words!(DataBits, "5, 6, 7 or 8", {
    "5" => DataBits::Five,
    "6" => DataBits::Six,
    "7" => DataBits::Seven,
    "8" => DataBits::Eight,
});

setting_words!(Parity, "none, even or odd", {
    "none" => Parity::None,
    "even" => Parity::Even,
    "odd" => Parity::Odd,
});

setting_words!(StopBits, "1 or 2", { "1" => StopBits::One, "2" => StopBits::Two });

setting_words!(FlowControl, "none, software or hardware", {
    "none" => FlowControl::None,
    "software" => FlowControl::Software,
    "hardware" => FlowControl::Hardware,
});

#[cfg(test)]
pub(super) mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::config::fault::Faults;
    use crate::config::ucl::{Key, Node, Place};

    /// Reads a section of `key = value` as `read` does, and tells the faults.
    pub(in crate::console) fn from_settings<T>(
        settings: &[(&str, &str)],
        read: impl FnOnce(&mut Table<'_>) -> T,
    ) -> (T, Vec<String>) {
        let at = Place { file: Arc::new(PathBuf::from("labd.conf")), line: 1, column: 1 };
        let node = |text: &str| match text.parse() {
            Ok(number) => Node::Int(number),
            Err(_) => Node::Text(text.to_owned()),
        };
        let entries = settings.iter().map(|(key, value)| {
            let value = Value::new(node(value), at.clone());
            (Key { text: (*key).to_owned(), at: at.clone() }, value)
        });
        let section = Value::new(Node::Object(entries.collect()), at.clone());
        let faults = Faults::default();
        let mut table = Table::new(&section, &faults);
        let read = read(&mut table);
        table.finish();
        (read, faults.into_sorted().into_iter().map(|fault| fault.message).collect())
    }

    #[test]
    fn what_is_not_said_is_as_usual() {
        let (uart, faults) = from_settings(&[], Uart::read);
        assert_eq!(uart.to_string(), "115200 8N1");
        assert!(faults.is_empty());
    }

    #[test]
    fn everything_can_be_said() {
        let (uart, faults) = from_settings(
            &[
                ("speed", "50"),
                ("bits", "7"),
                ("parity", "even"),
                ("stop", "2"),
                ("flow", "hardware"),
            ],
            Uart::read,
        );
        assert_eq!(uart.to_string(), "50 7E2 hardware");
        assert!(faults.is_empty());
    }

    #[test]
    fn a_paste_is_typed_a_fifo_at_a_time_and_at_half_the_speed_of_the_line() {
        for (speed, ms) in [(115_200, 3), (9_600, 34), (1_500_000, 1)] {
            let pace = Uart { speed, ..Uart::default() }.pace();
            assert_eq!(pace, Pace { bytes: 16, every: Span(ms) });
        }
        let flow = FlowControl::Hardware;
        assert_eq!(Uart { flow, ..Uart::default() }.pace(), Pace::UNLIMITED);
    }

    #[test]
    fn what_no_uart_can_do_is_a_fault() {
        for speed in ["0", "49", "4000001", "fast"] {
            let (_, faults) = from_settings(&[("speed", speed)], Uart::read);
            assert!(faults[0].contains("a speed from 50 to 4000000 baud"), "{faults:?}");
        }
        for (key, value) in [("bits", "9"), ("parity", "mark"), ("stop", "3"), ("flow", "on")] {
            let (_, faults) = from_settings(&[(key, value)], Uart::read);
            assert!(faults[0].starts_with(&format!("{key}: ")), "{faults:?}");
        }
    }
}
