//! A PoE switch, asked as each of those whom it knows, and by those whom it does not.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::Result;
use lab_tests::mib::Mib;
use lab_tests::settings::{Setting, read, text};
use lab_tests::switch::{Switch, WRITERS, Who};
use labd::config::ucl::Node;
use labd::power::snmp::SnmpPower;
use labd::power::{Error, Power};

use super::reach;

const FAKE_MIB: &str = env!("CARGO_BIN_EXE_fake-mib");

fn outlet(settings: Vec<Setting>, port: i64) -> Result<SnmpPower> {
    read(SnmpPower::read, settings.into_iter().chain([("port", Node::Int(port))]))
}

/// Settings of an outlet with some of them exchanged.
fn but(settings: Vec<Setting>, other: Setting) -> Vec<Setting> {
    let kept = settings.into_iter().filter(|(key, _)| *key != other.0);
    kept.chain([other.clone()]).collect()
}

/// A port that is switched on is between the two until the switch says that it delivers.
#[tokio::test]
async fn a_port_is_on_when_it_delivers_power() -> Result<()> {
    let switch = Switch::start(FAKE_MIB, &Mib::poe(8, 3)).await?;
    for (who, port) in WRITERS.into_iter().zip(1..) {
        let outlet = outlet(switch.settings(who), port)?;
        assert_eq!(outlet.get().await?, Some(true), "{who:?}");
        outlet.set(false).await?;
        assert_eq!(outlet.get().await?, Some(false), "{who:?}");
        outlet.set(true).await?;
        assert_eq!(outlet.get().await?, None, "{who:?}");
        reach(&outlet, true).await?;
    }
    let ordered: Vec<_> = (1..=4)
        .flat_map(|port| [2, 1].map(|value| (format!("1.3.6.1.2.1.105.1.1.1.3.1.{port}"), value)))
        .collect();
    assert_eq!(switch.orders()?, ordered);
    Ok(())
}

/// The other ports stay as they are.
#[tokio::test]
async fn one_port_is_switched_and_no_other() -> Result<()> {
    let switch = Switch::start(FAKE_MIB, &Mib::poe(3, 0)).await?;
    outlet(switch.settings(Who::Writer), 2)?.set(false).await?;
    for (port, on) in [(1, true), (2, false), (3, true)] {
        assert_eq!(outlet(switch.settings(Who::Reader), port)?.get().await?, Some(on));
    }
    Ok(())
}

#[tokio::test]
async fn who_may_only_read_is_told_what_to_set() -> Result<()> {
    let switch = Switch::start(FAKE_MIB, &Mib::poe(1, 0)).await?;
    let reader = outlet(switch.settings(Who::Reader), 1)?;
    assert_eq!(reader.get().await?, Some(true));
    let refusal = reader.set(false).await.unwrap_err().to_string();
    assert!(refusal.contains("may not write; set community_file to a file"), "{refusal}");
    assert_eq!(reader.get().await?, Some(true));
    Ok(())
}

#[tokio::test]
async fn an_outlet_that_is_not_there_is_named() -> Result<()> {
    let switch = Switch::start(FAKE_MIB, &Mib::poe(8, 0)).await?;
    for who in WRITERS {
        let outlet = outlet(switch.settings(who), 99)?;
        for error in [outlet.get().await.unwrap_err(), outlet.set(true).await.unwrap_err()] {
            assert!(matches!(error, Error::Refused { .. }), "{who:?}: {error}");
            assert!(error.to_string().contains("has no outlet 99"), "{who:?}: {error}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_port_with_a_fault_says_so() -> Result<()> {
    let (admin, detection) = ("1.3.6.1.2.1.105.1.1.1.3.1.1", "1.3.6.1.2.1.105.1.1.1.6.1.1");
    let mib = Mib::default().readable(admin, 1).readable(detection, 4);
    let switch = Switch::start(FAKE_MIB, &mib).await?;
    let error = outlet(switch.settings(Who::Writer), 1)?.get().await.unwrap_err();
    assert!(error.to_string().contains("port reports a power fault"), "{error}");
    Ok(())
}

/// The switch says so at once; nobody waits for a time-out.
#[tokio::test]
async fn a_stranger_is_told_what_to_compare() -> Result<()> {
    let switch = Switch::start(FAKE_MIB, &Mib::poe(1, 0)).await?;
    let user = || switch.settings(Who::User);
    for settings in [
        but(user(), switch.secret("auth_file", "not-the-password")),
        but(user(), ("user", text("nobody"))),
        but(user(), ("auth", text("sha512"))),
        but(user(), ("user", text("oldie"))),
    ] {
        let error = outlet(settings, 1)?.get().await.unwrap_err();
        assert!(error.to_string().contains("wrong user, auth or privacy"), "{error}");
    }
    Ok(())
}

/// What the switch cannot read it does not answer.
#[tokio::test]
async fn a_wrong_privacy_password_switches_nothing() -> Result<()> {
    let switch = Switch::start(FAKE_MIB, &Mib::poe(1, 0)).await?;
    let settings = but(switch.settings(Who::User), switch.secret("privacy_file", "not-it-either"));
    let settings = but(settings, ("retries", Node::Int(0)));
    let settings = but(settings, ("timeout", Node::Seconds(0.5)));
    let error = outlet(settings, 1)?.set(false).await.unwrap_err();
    assert!(matches!(error, Error::Silent { .. }), "{error}");
    assert_eq!(outlet(switch.settings(Who::Reader), 1)?.get().await?, Some(true));
    assert!(switch.orders()?.is_empty());
    Ok(())
}

/// A switch that asks for privacy does not talk without it.
#[tokio::test]
async fn privacy_none_is_signed_and_not_hidden() -> Result<()> {
    let switch = Switch::start(FAKE_MIB, &Mib::poe(1, 0)).await?;
    let mut open = but(switch.settings(Who::User), ("privacy", text("none")));
    open.retain(|(key, _)| *key != "privacy_file");
    let error = outlet(open, 1)?.get().await.unwrap_err();
    assert!(error.to_string().contains("may not write"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_secret_that_cannot_be_used_is_named() -> Result<()> {
    let switch = Switch::start(FAKE_MIB, &Mib::poe(1, 0)).await?;
    let error = |settings| async move { outlet(settings, 1)?.get().await.map_err(Into::into) };
    for (who, other, told) in [
        (Who::Writer, ("community_file", text("/nonexistent")), "community_file /nonexistent"),
        (Who::Writer, switch.secret("community_file", ""), "the first line is empty"),
        (Who::User, switch.secret("auth_file", "six666"), "holds 6 characters"),
        (Who::User, switch.secret("privacy_file", "seven77"), "holds 7 characters"),
    ] {
        let error: Result<_> = error(but(switch.settings(who), other)).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    Ok(())
}

fn at(host: &str, udp_port: u16, timeout: f64) -> Vec<Setting> {
    let port = Node::Int(udp_port.into());
    vec![("host", text(host)), ("udp_port", port), ("timeout", Node::Seconds(timeout))]
}

#[tokio::test]
async fn a_dead_switch_is_silent_within_the_limit() -> Result<()> {
    let dead = UdpSocket::bind("127.0.0.1:0")?;
    let outlet = outlet(at("127.0.0.1", dead.local_addr()?.port(), 0.1), 1)?;
    let begun = Instant::now();
    let error = outlet.set(true).await.unwrap_err();
    let limit = Duration::from_millis(300);
    assert!(matches!(&error, Error::Silent { limit: told, .. } if *told == limit), "{error}");
    assert!((limit..limit * 10).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    Ok(())
}

#[tokio::test]
async fn where_nothing_listens_is_known_without_waiting() -> Result<()> {
    let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    let error = outlet(at("127.0.0.1", port, 60.0), 1)?.get().await.unwrap_err();
    assert!(error.to_string().contains("nothing listens there; is SNMP enabled?"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_name_without_an_address_is_unreachable() -> Result<()> {
    let error = outlet(at("no-such-switch.invalid", 161, 5.0), 1)?.get().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    Ok(())
}

/// `localhost` may be `::1` first, where this switch does not listen.
#[tokio::test]
async fn a_host_is_tried_at_each_of_its_addresses() -> Result<()> {
    let switch = Switch::start(FAKE_MIB, &Mib::poe(1, 0)).await?;
    let by_name = but(switch.settings(Who::Writer), ("host", text("localhost")));
    assert_eq!(outlet(by_name, 1)?.get().await?, Some(true));
    Ok(())
}
