use std::fs::File;

use protocol::Span;

use super::rotation::FULL;
use super::segment::times_path;
use super::*;

fn recording(folder: &Path) -> Recording {
    Recording::open(folder, LastRun::Whole, Time(1_000)).expect("opens")
}

fn all(recording: &Recording, from: u64) -> Vec<u8> {
    let (mut at, mut bytes, mut buffer) = (from, Vec::new(), [0; 7]);
    loop {
        let (start, read) = recording.read(at, &mut buffer).expect("reads");
        if read == 0 {
            return bytes;
        }
        bytes.extend_from_slice(&buffer[..read]);
        at = start + read as u64;
    }
}

#[test]
fn what_was_appended_is_read_from_any_offset_also_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    recording(folder.path()).append(Time(1_000), b"U-Boot 2026.01\n").expect("appends");
    let again = recording(folder.path());
    again.append(Time(2_000), b"=> ").expect("appends");
    assert_eq!(all(&again, 0), b"U-Boot 2026.01\n=> ");
    assert_eq!(all(&again, 15), b"=> ");
    assert_eq!(again.end(), 18);
}

#[test]
fn what_is_appended_from_a_pipe_has_left_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = recording(folder.path());
    one.append(Time(1_000), b"U-Boot ").expect("appends");
    let (exit, entry) = nix::unistd::pipe().expect("a pipe");
    nix::unistd::write(&entry, b"2026.01\n=> ").expect("writes");
    assert_eq!(one.append_from(Time(2_000), &exit, 8).expect("appends"), 8);
    assert_eq!((all(&one, 0), one.end()), (b"U-Boot 2026.01\n".to_vec(), 15));
    assert_eq!(one.append_from(Time(3_000), &exit, 100).expect("appends"), 3);
    let empty = one.append_from(Time(3_000), &exit, 100).expect_err("there is nothing left");
    assert_eq!((empty.kind(), one.end()), (io::ErrorKind::WouldBlock, 18));
    assert_eq!(one.offset_at(Time(1_500)).expect("finds"), 7);
}

#[test]
fn a_new_recording_makes_its_files_when_it_is_settled() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().join("rpi4");
    let one = recording(&own);
    assert!(!own.exists());
    assert_eq!((one.start(), one.end(), all(&one, 0).len()), (0, 0, 0));
    assert!(one.settle(Time(2_000)).expect("settles").is_empty(), "there is nothing to sync");
    assert!(bytes_path(&own, 0).exists() && times_path(&own, 0).exists());
    one.append(Time(3_000), b"hello").expect("appends");
    assert_eq!(all(&one, 0), b"hello");
    assert_eq!(one.offset_at(Time(2_500)).expect("finds"), 0);
}

#[test]
fn the_end_of_a_finished_segment_is_synced_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = recording(folder.path());
    one.append(Time(1_000), b"before\n").expect("appends");
    one.append(Time(1_000) + Span::hours(24), b"after").expect("appends");
    let lengths = |files: Vec<Arc<File>>| -> Vec<u64> {
        files.iter().map(|file| file.metadata().expect("a file").len()).collect()
    };
    assert_eq!(lengths(one.settle(Time(0)).expect("settles")), [7, 5]);
    assert!(one.settle(Time(0)).expect("settles").is_empty());
}

#[test]
fn a_segment_ends_with_a_line_if_that_ends_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = recording(folder.path());
    let lengths = |hours, bytes: &[u8]| -> Vec<u64> {
        one.append(Time(1_000) + Span::hours(hours), bytes).expect("appends");
        one.segments().iter().map(|segment| segment.length).collect()
    };
    assert_eq!(lengths(0, b"log"), [3]);
    assert_eq!(lengths(30, b"in: root\n"), [12]);
    assert_eq!(lengths(31, b"# "), [12, 2]);
    assert_eq!(lengths(31 + 96, b"reboot\n"), [12, 2, 7], "its line is too late");
    assert_eq!(lengths(128, &vec![b'x'; FULL as usize]), [12, 2, 7 + FULL]);
    assert_eq!(lengths(128, &[b'x'; 64 << 10]), [12, 2, 7 + FULL + (64 << 10)]);
    assert_eq!(lengths(128, b"y"), [12, 2, 7 + FULL + (64 << 10), 1], "its line is too long");
}

#[test]
fn a_byte_came_when_it_was_appended() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = recording(folder.path());
    one.append(Time(1_000), b"aaaa").expect("appends");
    one.append(Time(2_000), b"bb").expect("appends");
    one.settle(Time(2_500)).expect("settles");
    one.append(Time(3_000), b"c").expect("appends");
    let times = one.times_of(&one.segments()[0]).expect("reads");
    for (offset, came) in [(0, 1_000), (3, 1_000), (4, 2_000), (5, 2_000), (6, 3_000)] {
        assert_eq!(times.at(offset), Time(came), "{offset}");
    }
}

#[test]
fn a_time_leads_to_the_first_byte_printed_since() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = recording(folder.path());
    one.append(Time(1_000), b"aaaa").expect("appends");
    one.append(Time(2_000), b"bb").expect("appends");
    one.settle(Time(2_500)).expect("settles");
    one.append(Time(3_000), b"c").expect("appends");
    for (when, offset) in [(0, 0), (1_000, 0), (1_001, 4), (2_000, 4), (2_500, 6), (3_001, 7)] {
        assert_eq!(one.offset_at(Time(when)).expect("finds"), offset, "at {when}");
    }
}

#[test]
fn after_a_crash_of_the_machine_no_offset_is_used_again() {
    let folder = tempfile::tempdir().expect("a folder");
    recording(folder.path()).append(Time(1_000), b"seen by somebody").expect("appends");
    let after = Recording::open(folder.path(), LastRun::Crashed, Time(9_000)).expect("opens");
    after.append(Time(9_000), b"new").expect("appends");
    let (start, read) = after.read(16, &mut [0; 16]).expect("reads");
    assert_eq!((start, read), (16 + GAP, 3));
}

#[test]
fn the_oldest_segments_go_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = recording(folder.path());
    for day in 0..5 {
        one.append(Time(1_000) + Span::hours(24 * day), b"012345678\n").expect("appends");
    }
    one.prune(25, Span::hours(24 * 365), Time(1_000) + Span::hours(96)).expect("prunes");
    assert_eq!(one.start(), 30);
    assert_eq!(all(&one, 0).len(), 20, "what is gone is skipped");
    one.prune(25, Span::hours(12), Time(1_000) + Span::hours(96 + 13)).expect("prunes");
    assert_eq!(one.start(), 40, "the newest stays whatever its age");
}

#[test]
fn a_line_is_found_by_any_byte_in_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = recording(folder.path());
    one.append(Time(1_000), b"one\ntwo\nthree").expect("appends");
    for (offset, start) in [(0, 0), (2, 0), (4, 4), (7, 4), (9, 8), (13, 8)] {
        assert_eq!(one.line_start(offset).expect("finds"), start, "of {offset}");
    }
}
