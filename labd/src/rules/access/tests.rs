//! Who may do what, as one table; and what closes it further.
//!
//! Planted, and caught: an administrator reaches a board's network without holding it; a moderator is
//! shut out by a board's groups; a token's verbs do not matter; a token for a class opens all of them.

use protocol::Time;
use protocol::user::Scope;

use super::*;

fn user(name: &str) -> UserName {
    name.parse().expect("a name")
}

fn rpi() -> BoardName {
    "rpi".parse().expect("a name")
}

fn hold_of(who: &str) -> Hold {
    Hold {
        number: 7,
        board: rpi(),
        who: user(who),
        since: Time(0),
        until: Time(1_000),
        grace: None,
        note: None,
        place: None,
    }
}

fn on<'a>(board: &'a BoardName, groups: &'a [String], hold: Option<&'a Hold>) -> On<'a> {
    On { board, class: "pi", groups, hold, lent: None }
}

/// Rows are verbs; columns are roles, each for a board of one's own, somebody else's, nobody's: `+` is
/// allowed under the hold, `*` without one, `h` held by somebody, `n` not held, `-` by the role.
const TABLE: &str = "
see        ***  ***  ***  ***  ***
hold       ---  ***  ***  ***  ***
type       ---  +hn  +hn  +hn  +**
power      ---  +hn  +hn  +hn  +**
tunnel     ---  +hn  +hn  +hn  +hn
flash      ---  +hn  +hn  +hn  +**
share      ---  ---  ***  ***  ***
moderate   ---  ---  ---  ***  ***
administer ---  ---  ---  ---  ***
";

#[test]
fn the_table_of_who_may_do_what() {
    let (board, mine, theirs) = (rpi(), hold_of("ada"), hold_of("bob"));
    let mut table = String::from("\n");
    for verb in Verb::ALL {
        table.push_str(&format!("{verb:<10}"));
        for (index, role) in Role::ALL.into_iter().enumerate() {
            table.push_str(if index == 0 { " " } else { "  " });
            let who = Who::new(user("ada"), role);
            for hold in [Some(&mine), Some(&theirs), None] {
                let answer = may_on(&who, verb, on(&board, &[], hold));
                let allowed = explain(&who, verb, Some(on(&board, &[], hold))).allowed;
                assert_eq!(answer.is_ok(), allowed, "{role} {verb}");
                table.push(match answer {
                    Ok(Some(7)) => '+',
                    Ok(None) => '*',
                    Err(Error::HeldBy { who, .. }) if who == user("bob") => 'h',
                    Err(Error::NotHeld { .. }) => 'n',
                    Err(Error::NotAllowed { .. }) => '-',
                    other => panic!("{role} {verb}: {other:?}"),
                });
            }
            let needs_no_board = may(&who, verb).is_ok();
            assert_eq!(needs_no_board, role >= needs(verb), "{role} {verb}");
        }
        table.push('\n');
    }
    assert_eq!(table, TABLE);
}

/// Planted, and caught: what is lent opens power, too, or outlasts its hold.
#[test]
fn the_holder_lets_others_type_under_the_hold_and_do_nothing_else() {
    let (board, theirs) = (rpi(), hold_of("bob"));
    let lent = |number| On { lent: Some(number), ..on(&board, &[], Some(&theirs)) };
    let ada = |role| Who::new(user("ada"), role);
    assert_eq!(may_on(&ada(Role::User), Verb::Type, lent(7)), Ok(Some(7)));
    let told = explain(&ada(Role::User), Verb::Type, Some(lent(7))).because;
    assert_eq!(told.last().map(String::as_str), Some("bob lets ada type at rpi"));
    let held = |verb, on| matches!(may_on(&ada(Role::User), verb, on), Err(Error::HeldBy { .. }));
    assert!(held(Verb::Type, lent(6)), "another hold");
    for verb in [Verb::Power, Verb::Tunnel, Verb::Flash] {
        assert!(held(verb, lent(7)), "{verb}");
    }
    let refused = may_on(&ada(Role::Viewer), Verb::Type, lent(7));
    assert!(matches!(refused, Err(Error::NotAllowed { .. })), "{refused:?}");
}

#[test]
fn a_board_of_others_is_not_there_and_nobody_says_that_it_is() {
    let (board, kernel) = (rpi(), ["kernel".to_owned()]);
    let here = on(&board, &kernel, None);
    let stranger = Who::new(user("ada"), Role::User);
    let member = Who { groups: vec!["ops".to_owned(), "kernel".to_owned()], ..stranger.clone() };
    for verb in Verb::ALL {
        let answer = may_on(&stranger, verb, here);
        let hidden = matches!(answer, Err(Error::NoSuch { .. } | Error::NotAllowed { .. }));
        assert!(hidden, "{verb}: {answer:?}");
    }
    assert!(!sees(&stranger, here) && sees(&member, here));
    assert_eq!(may_on(&member, Verb::Hold, here), Ok(None));
    for role in [Role::Moderator, Role::Admin] {
        assert!(sees(&Who::new(user("root"), role), here), "{role} sees every board");
    }
}

#[test]
fn a_token_opens_what_it_is_for_and_no_more_than_its_owner_may() {
    let (board, other) = (rpi(), "nuc".parse().expect("a name"));
    let with = |scope: Scope, role| Who { scope, ..Who::new(user("ada"), role) };
    let class = |name: &str| Scope { classes: vec![name.to_owned()], ..Scope::default() };
    let verbs = |verbs: &[Verb]| Scope { verbs: verbs.to_vec(), ..Scope::default() };
    let here = on(&board, &[], None);
    let out = |answer: Result<Option<u64>, Error>| matches!(answer, Err(Error::OutOfScope { .. }));
    assert_eq!(may_on(&with(class("pi"), Role::User), Verb::Hold, here), Ok(None));
    assert!(out(may_on(&with(class("nuc"), Role::Admin), Verb::Hold, here)));
    assert!(out(may_on(&with(class("nuc"), Role::Admin), Verb::See, here)));
    let by_name = Scope { boards: vec![other], ..class("pi") };
    assert_eq!(may_on(&with(by_name.clone(), Role::User), Verb::Hold, here), Ok(None));
    assert!(out(may_on(&with(Scope { classes: vec![], ..by_name }, Role::User), Verb::Hold, here)));
    let looking = with(verbs(&[Verb::See]), Role::Admin);
    assert_eq!(may_on(&looking, Verb::See, here), Ok(None));
    assert!(matches!(may(&looking, Verb::Administer), Err(Error::OutOfScope { .. })));
    let wide = with(verbs(&[Verb::Administer]), Role::Viewer);
    assert!(matches!(may(&wide, Verb::Administer), Err(Error::NotAllowed { .. })));
}

#[test]
fn an_explanation_ends_with_what_decides() {
    let (board, theirs) = (rpi(), hold_of("bob"));
    let ada = Who::new(user("ada"), Role::User);
    let no = explain(&ada, Verb::Power, Some(on(&board, &[], Some(&theirs))));
    assert_eq!(
        no.because,
        [
            "ada has the role 'user', and to power takes 'machine'",
            "rpi is everybody's",
            "rpi is held by bob"
        ]
    );
    let mine = hold_of("ada");
    let yes = explain(&ada, Verb::Power, Some(on(&board, &["kernel".to_owned()], Some(&mine))));
    assert!(!yes.allowed);
    let admin =
        explain(&Who::new(user("root"), Role::Admin), Verb::Power, Some(on(&board, &[], None)));
    assert_eq!(
        admin.because.last().map(String::as_str),
        Some("an administrator may without holding it")
    );
}
