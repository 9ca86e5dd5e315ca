use std::path::Path;

use super::*;
use crate::config::ucl;

/// The faults of a section that is read by `read`, each with its line and column.
fn faults_of(text: &str, read: impl FnOnce(Table<'_>)) -> Vec<String> {
    let faults = Faults::default();
    read(Table::new(&ucl::parse(text, Path::new("t"), &faults), &faults));
    faults.into_sorted().iter().map(ToString::to_string).collect()
}

#[test]
fn what_was_not_asked_for_is_not_known() {
    let faults = faults_of("prot = 1\ncolour = red", |mut table| {
        table.required::<u16>("port");
        table.optional::<String>("host");
        table.finish();
    });
    assert_eq!(
        faults,
        [
            "t:1:1: 'prot' is not known here; did you mean 'port'?",
            "t:2:1: 'colour' is not known here; known here: port, host",
        ]
    );
}

#[test]
fn of_a_section_that_was_given_up_only_what_is_misspelt_is_told() {
    let faults = faults_of("prot = 1\ncolour = red", |mut table| {
        table.optional::<u16>("port");
        table.abandon();
    });
    assert_eq!(faults, ["t:1:1: 'prot' is not known here; did you mean 'port'?"]);
}

#[test]
fn a_secret_that_is_written_out_is_told_where_to_go() {
    let faults = faults_of("community = x\nauth_password = y\ntoken = z", |mut table| {
        table.required::<String>("community_file");
        table.required::<String>("auth_file");
        table.finish();
    });
    assert_eq!(
        faults,
        [
            "t:1:1: 'community' would be a secret in this file; write community_file = PATH",
            "t:2:1: 'auth_password' would be a secret in this file; write auth_file = PATH",
            "t:3:1: 'token' would be a secret in this file; take it away",
        ]
    );
}

#[test]
fn attributes_are_what_is_left_and_not_misspelt() {
    let faults = faults_of("tag = x\narch = arm64\npassword = x", |mut table| {
        table.optional::<String>("tags");
        let rest = table.rest();
        assert_eq!(rest, BTreeMap::from([("arch".to_owned(), "arm64".into())]));
        table.finish();
    });
    assert_eq!(
        faults,
        [
            "t:1:1: 'tag' is not known here; did you mean 'tags'?",
            "t:3:1: 'password' would be a secret in this file; take it away",
        ]
    );
}

#[test]
fn a_wrong_value_is_told_with_its_words() {
    let faults = faults_of(
        "a = two\nb = [1, x]\nc = 1; c = 2\nd = poe port = 2\ne = 5m\nf = { }",
        |mut table| {
            table.optional::<u8>("a");
            table.optional::<Vec<u8>>("b");
            table.optional::<u8>("c");
            table.optional::<bool>("d");
            table.optional::<protocol::Span>("e");
            table.optional::<String>("f");
        },
    );
    assert_eq!(
        faults,
        [
            "t:1:5: a: 'two' is not a whole number from 0 to 255",
            "t:2:5: b: 'x' is not a whole number from 0 to 255",
            "t:3:5: c: this is given 2 times (line 3); write it once",
            "t:4:5: d: 'poe port = 2' is not yes or no; is a ';' missing?",
            "t:5:5: e: in UCL 'm' is a million, not a minute; write 5min",
            "t:6:5: f: a section is not a text",
        ]
    );
}

#[test]
fn a_list_may_be_one_value_or_come_in_parts() {
    for text in ["a = [x, y]", "a = x; a = y", "a = [x]; a = [y]", "a = [x]; a = y"] {
        let faults = faults_of(text, |mut table| {
            let list: Option<Vec<String>> = table.optional("a");
            assert_eq!(list, Some(vec!["x".to_owned(), "y".to_owned()]), "{text}");
        });
        assert_eq!(faults, [""; 0]);
    }
}
