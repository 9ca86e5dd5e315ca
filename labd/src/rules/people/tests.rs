//! Accounts and tokens, against what a few lists would say.
//!
//! Planted, and caught: the last administrator can be demoted; a token good for once is good twice; a
//! token outlives its end by a millisecond; somebody revokes another's token; who is removed keeps a
//! token; a role for a while lasts for good.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use protocol::user::Scope;

use super::*;

fn user(name: &str) -> UserName {
    name.parse().expect("a name")
}

fn token(who: &str, id: u64, until: Time, once: bool) -> Token {
    let (note, scope, used) = (None, Scope::default(), None);
    let joins = false;
    Token {
        id: format!("t{id}"),
        who: user(who),
        note,
        scope,
        since: Time(0),
        until,
        once,
        joins,
        used,
        identity: None,
        exchanged: None,
    }
}

#[derive(Debug, Clone)]
enum Deed {
    Change(&'static str, AccountAsk),
    Make(&'static str, u64, bool),
    Spend(u64),
    Revoke(u64, Option<&'static str>),
    Wait(u64),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let who = || select(vec!["ada", "bob"]);
    let role = || select(Role::ALL.to_vec());
    let span = || prop_oneof![Just(None), (1_u64..50).prop_map(|ms| Some(Span(ms)))];
    let ask = prop_oneof![
        3 => (role(), span()).prop_map(|(role, span)| AccountAsk::Add { role, span }),
        3 => (role(), span()).prop_map(|(role, span)| AccountAsk::Grant { role, span }),
        2 => role().prop_map(|role| AccountAsk::Withdraw { role }),
        1 => Just(AccountAsk::Remove),
    ];
    let deed = prop_oneof![
        4 => (who(), ask).prop_map(|(who, ask)| Deed::Change(who, ask)),
        3 => (who(), 1_u64..50, any::<bool>()).prop_map(|(who, ms, once)| Deed::Make(who, ms, once)),
        4 => (0_u64..8).prop_map(Deed::Spend),
        1 => (0_u64..8, prop_oneof![Just(None), who().prop_map(Some)])
            .prop_map(|(id, of)| Deed::Revoke(id, of)),
        2 => (1_u64..30).prop_map(Deed::Wait),
    ];
    vec(deed, 1..60)
}

/// What a few lists know.
#[derive(Default)]
struct Lists {
    now: u64,
    /// Who has which role until when.
    roles: Vec<(&'static str, Role, Option<u64>)>,
    accounts: Vec<&'static str>,
    /// Whose, until when, once, and whether it still opens.
    tokens: Vec<(&'static str, u64, bool, bool)>,
}

impl Lists {
    fn is_admin(&self, who: &str) -> bool {
        self.roles
            .iter()
            .any(|(of, role, until)| *of == who && *role == Role::Admin && until.is_none())
    }

    fn role(&self, who: &str) -> Option<Role> {
        let lasts = |until: &Option<u64>| until.is_none_or(|until| until > self.now);
        let theirs = self.roles.iter().filter(|(of, _, until)| *of == who && lasts(until));
        theirs.map(|(_, role, _)| *role).max()
    }

    fn change(&mut self, who: &'static str, ask: &AccountAsk) -> bool {
        let before = (self.roles.clone(), self.accounts.clone());
        let is_there = self.accounts.contains(&who);
        let until = |span: &Option<Span>| span.map(|Span(ms)| self.now + ms);
        match ask {
            AccountAsk::Add { role, span } if !is_there => {
                let until = until(span);
                self.accounts.push(who);
                self.roles.push((who, *role, until));
            }
            AccountAsk::Grant { role, span } if is_there => {
                let until = until(span);
                self.roles.retain(|(of, had, _)| (*of, *had) != (who, *role));
                self.roles.push((who, *role, until));
            }
            AccountAsk::Withdraw { role }
                if self.roles.iter().any(|(of, had, _)| (*of, *had) == (who, *role)) =>
            {
                self.roles.retain(|(of, had, _)| (*of, *had) != (who, *role));
            }
            AccountAsk::Remove if is_there => {
                self.accounts.retain(|of| *of != who);
                self.roles.retain(|(of, _, _)| *of != who);
            }
            _ => return false,
        }
        let now_none = !["ada", "bob"].iter().any(|who| self.is_admin(who));
        let was = before
            .0
            .iter()
            .any(|(of, role, until)| *of == who && *role == Role::Admin && until.is_none());
        if was && now_none {
            (self.roles, self.accounts) = before;
            return false;
        }
        if *ask == AccountAsk::Remove {
            self.tokens.iter_mut().filter(|token| token.0 == who).for_each(|token| token.3 = false);
        }
        true
    }
}

proptest! {
    #[test]
    fn people_are_what_a_few_lists_say(deeds in deeds()) {
        let (mut people, mut lists) = (People::default(), Lists::default());
        for deed in deeds {
            let now = Time(lists.now);
            match deed {
                Deed::Change(who, ask) => {
                    let changed = people.change(&user(who), &ask, false, now);
                    prop_assert_eq!(changed.is_ok(), lists.change(who, &ask), "{:?}", changed);
                }
                Deed::Make(who, ms, once) => {
                    let id = lists.tokens.len() as u64;
                    let token = token(who, id, Time(lists.now + ms), once);
                    people.add_token(id.to_string(), token, now).expect("there is room");
                    lists.tokens.push((who, lists.now + ms, once, true));
                }
                Deed::Spend(id) => {
                    let spent = people.spend(&id.to_string(), now).map(|(token, _)| token.who);
                    let known = lists.tokens.get_mut(id as usize);
                    let open = known.filter(|token| token.3 && token.1 > lists.now);
                    prop_assert_eq!(spent.ok(), open.as_ref().map(|token| user(token.0)));
                    if let Some(token) = open {
                        token.3 &= !token.2;
                        let is_there = people.token(&id.to_string()).is_some();
                        prop_assert!(is_there, "whoever came with it can be shown out");
                    }
                }
                Deed::Revoke(id, of) => {
                    let of = of.map(user);
                    // What is over may be gone already.
                    let is_there = people.token(&id.to_string()).is_some();
                    let revoked = people.revoke(&format!("t{id}"), of.as_ref()).is_ok();
                    if let Some(token) = lists.tokens.get_mut(id as usize) {
                        let theirs = of.is_none_or(|of| of == user(token.0));
                        prop_assert_eq!(revoked, is_there && theirs);
                        token.3 &= !revoked;
                    }
                }
                Deed::Wait(ms) => lists.now += ms,
            }
            for who in ["ada", "bob"] {
                let account = people.account(&user(who));
                prop_assert_eq!(account.is_some(), lists.accounts.contains(&who));
                let role = account.and_then(|account| account.role(Time(lists.now)));
                prop_assert_eq!(role, lists.role(who));
            }
        }
    }
}

#[test]
fn the_configurations_administrators_count_too() {
    let mut people = People::default();
    let add = AccountAsk::Add { role: Role::Admin, span: None };
    people.change(&user("ada"), &add, false, Time(0)).expect("added");
    let refused = people.change(&user("ada"), &AccountAsk::Remove, false, Time(1)).unwrap_err();
    assert!(refused.to_string().contains("last administrator"), "{refused}");
    people.change(&user("ada"), &AccountAsk::Remove, true, Time(1)).expect("removed");
}

#[test]
fn a_key_is_one_persons() {
    let mut people = People::default();
    let key = |who: &str, fingerprint: &str| Key {
        fingerprint: fingerprint.to_owned(),
        who: user(who),
        line: "ssh-ed25519 AAAA".to_owned(),
        since: Time(0),
    };
    people.add_key(key("ada", "SHA256:1")).expect("added");
    assert!(people.add_key(key("bob", "SHA256:1")).is_err());
    assert!(people.remove_key("SHA256:1", Some(&user("bob"))).is_err(), "not theirs");
    people.remove_key("SHA256:1", Some(&user("ada"))).expect("removed");
    assert_eq!(people.keys().count(), 0);
}

/// Planted, and caught: what is used up counts; it stays for ever.
#[test]
fn a_token_that_is_used_up_counts_no_more_and_so_many_stay() {
    let mut people = People::default();
    let mut make = |id: usize, once| {
        let now = Time(id as u64);
        let token = token("ada", now.0, Time(1_000_000), once);
        let added = people.add_token(id.to_string(), token, now);
        if once {
            people.spend(&id.to_string(), now).expect("it is good once");
        }
        (added, people.tokens().count())
    };
    for id in 0..3 * MOST {
        let (added, count) = make(id, true);
        assert!(added.is_ok() && count <= MOST + 1, "{id}: {added:?}, {count}");
    }
    assert!((0..MOST).all(|id| make(1_000 + id, false).0.is_ok()));
    assert!(make(2_000, false).0.is_err());
    assert!(people.token("0").is_none() && people.token("299").is_some(), "the oldest goes");
}
