//! The smallest guest that is worth a console: it says who it is, then gives back what is typed.

/// Its first and only words of its own.
pub(crate) const BANNER: &str = "The boot sector is up.\r\n";
/// What it says to a BREAK.
pub(crate) const BREAK: &str = "!";
/// Typed, this makes it power itself off: Ctrl-D.
pub(crate) const POWER_OFF: &str = "\x04";

/// Where the firmware loads it to.
const ORIGIN: u16 = 0x7c00;
const SIZE: usize = 512;

/// 16-bit code for a PC with its console on COM1 (0x3f8) and QEMU's power management at 0x600.
#[rustfmt::skip]
const CODE: &[u8] = &[
    // start:
    0x31, 0xc0,             // 00  xor ax, ax
    0x8e, 0xd8,             // 02  mov ds, ax
    0xbe, 0x4e, 0x7c,       // 04  mov si, banner       which follows the code
    // next:
    0xac,                   // 07  lodsb
    0x84, 0xc0,             // 08  test al, al
    0x74, 0x05,             // 0a  jz echo
    0xe8, 0x30, 0x00,       // 0c  call send
    0xeb, 0xf6,             // 0f  jmp next
    // echo:
    0xba, 0xfd, 0x03,       // 11  mov dx, 0x3fd        line status
    0xec,                   // 14  in al, dx
    0xa8, 0x10,             // 15  test al, 0x10        a BREAK came
    0x75, 0x11,             // 17  jnz broken
    0xa8, 0x01,             // 19  test al, 1           a byte came
    0x74, 0xf7,             // 1b  jz 14
    0xba, 0xf8, 0x03,       // 1d  mov dx, 0x3f8
    0xec,                   // 20  in al, dx
    0x3c, 0x04,             // 21  cmp al, 4            Ctrl-D
    0x74, 0x10,             // 23  je off
    0xe8, 0x17, 0x00,       // 25  call send
    0xeb, 0xe7,             // 28  jmp echo
    // broken:
    0xba, 0xf8, 0x03,       // 2a  mov dx, 0x3f8
    0xec,                   // 2d  in al, dx            the zero that comes with a BREAK
    0xb0, b'!',             // 2e  mov al, '!'
    0xe8, 0x0c, 0x00,       // 30  call send
    0xeb, 0xdc,             // 33  jmp echo
    // off:
    0xba, 0x04, 0x06,       // 35  mov dx, 0x604        power management control
    0xb8, 0x00, 0x20,       // 38  mov ax, 0x2000       sleep, as deeply as can be
    0xef,                   // 3b  out dx, ax
    0xf4,                   // 3c  hlt
    0xeb, 0xfd,             // 3d  jmp 3c
    // send:                       al to the line, once it has room
    0x50,                   // 3f  push ax
    0xba, 0xfd, 0x03,       // 40  mov dx, 0x3fd
    0xec,                   // 43  in al, dx
    0xa8, 0x20,             // 44  test al, 0x20        room for a byte
    0x74, 0xfb,             // 46  jz 43
    0x58,                   // 48  pop ax
    0xba, 0xf8, 0x03,       // 49  mov dx, 0x3f8
    0xee,                   // 4c  out dx, al
    0xc3,                   // 4d  ret
];

/// The disk: code, banner, and the mark that makes it bootable.
pub(crate) fn boot_sector() -> Vec<u8> {
    let banner = (ORIGIN as usize + CODE.len()).to_le_bytes();
    assert_eq!(CODE[5..7], banner[..2], "the code must know where the banner is");
    let mut sector = CODE.to_vec();
    sector.extend_from_slice(BANNER.as_bytes());
    sector.resize(SIZE - 2, 0);
    sector.extend([0x55, 0xaa]);
    sector
}
