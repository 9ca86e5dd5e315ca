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
    use super::was_echoed;

    #[test]
    fn a_command_is_echoed_and_a_password_is_not() {
        assert!(was_echoed(b"uname -a\r", b"uname -a\r\nLinux"));
        assert!(was_echoed(b"ls\x1b[A\r", b"l\x07s\x1b[A[A\r\n"));
        assert!(!was_echoed(b"hunter2\r", b"\r\nLogin incorrect\r\n"));
        assert!(!was_echoed(b"secret\r", b"******\r\n"));
        assert!(was_echoed(b"\r", b""), "nothing to hide in a bare return");
    }
}
