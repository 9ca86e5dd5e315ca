//! Whether what was typed may be written down.
//!
//! A board that asks for a password does not echo it. So what was typed is written down only if
//! the board printed it back; else only that something was typed, and how much.

/// Whether every printable character of `typed` appears in `printed`, in order.
pub fn was_echoed(typed: &[u8], printed: &[u8]) -> bool {
    let mut printed = printed.iter();
    let mut letters = typed.iter().filter(|byte| matches!(byte, 0x20..=0x7e | 0x80..));
    letters.all(|letter| printed.any(|byte| byte == letter))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::was_echoed;

    fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(select(&b"ab\r\x1b\x7f\xe4"[..]), 0..8)
    }

    /// Tries every way in which the board may have left out what it printed besides.
    fn can_be_found(typed: &[u8], printed: &[u8]) -> bool {
        match (typed, printed) {
            ([b'\r' | b'\x1b' | b'\x7f', typed @ ..], _) => can_be_found(typed, printed),
            ([], _) => true,
            (_, []) => false,
            ([letter, rest @ ..], [first, printed @ ..]) => {
                (letter == first && can_be_found(rest, printed)) || can_be_found(typed, printed)
            }
        }
    }

    proptest! {
        /// What counts as echoed is there letter by letter, and nothing that is there is missed.
        #[test]
        fn every_letter_is_looked_for_once(typed in any_bytes(), printed in any_bytes()) {
            prop_assert_eq!(was_echoed(&typed, &printed), can_be_found(&typed, &printed));
        }

        /// A letter that the board did not print hides the whole line.
        #[test]
        fn a_missing_letter_is_noticed(mut typed in any_bytes(), printed in any_bytes()) {
            typed.push(b'z');
            prop_assert!(!was_echoed(&typed, &printed));
        }
    }

    #[test]
    fn a_command_is_echoed_and_a_password_is_not() {
        assert!(was_echoed(b"uname -a\r", b"uname -a\r\nLinux"));
        assert!(was_echoed(b"ls\x1b[A\r", b"l\x07s\x1b[A[A\r\n"));
        assert!(!was_echoed(b"hunter2\r", b"\r\nLogin incorrect\r\n"));
        assert!(!was_echoed(b"secret\r", b"******\r\n"));
        assert!(was_echoed(b"\r", b""), "nothing to hide in a bare return");
    }
}
