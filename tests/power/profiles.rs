//! One device of every shape that a profile can have: other numbers in answers than in orders,
//! objects of their own for on and off, outlets with more than one number, states between the two.

use anyhow::Result;
use lab_tests::mib::{Kind, Mib};
use lab_tests::settings::{Setting, read, text};
use lab_tests::switch::{Switch, Who};
use labd::config::ucl::Node;
use labd::power::Power;
use labd::power::snmp::SnmpPower;

use super::reach;

/// Switches an outlet off and on, and gives what its device was ordered.
async fn cycle(
    profile: &str,
    mib: Mib,
    index: &[(&'static str, i64)],
) -> Result<Vec<(String, i64)>> {
    let switch = Switch::start(env!("CARGO_BIN_EXE_fake-mib"), &mib).await?;
    let index = index.iter().map(|(key, number)| (*key, Node::Int(*number)));
    let settings = switch.settings(Who::User).into_iter().chain(index);
    let profile: Setting = ("profile", text(profile));
    let outlet = read(SnmpPower::read, settings.chain([profile]))?;
    assert_eq!(outlet.get().await?, Some(true));
    for on in [false, true] {
        outlet.set(on).await?;
        assert_ne!(outlet.get().await?, Some(!on));
        reach(&outlet, on).await?;
    }
    switch.orders()
}

fn orders(orders: &[(&str, i64)]) -> Vec<(String, i64)> {
    orders.iter().map(|(oid, value)| ((*oid).to_owned(), *value)).collect()
}

/// cpeExtPsePortEnable takes auto(1), static(2), limit(3) and disable(4).
#[tokio::test]
async fn poe_cisco_is_enabled_there_and_detected_here() -> Result<()> {
    let (enable, detection) = ("1.3.6.1.4.1.9.9.402.1.2.1.1.2.14", "1.3.6.1.2.1.105.1.1.1.6.2.14");
    let mib = Mib::default()
        .writable(enable, Kind::Integer, 2, &[(1, 4)])
        .readable(detection, 3)
        .rule(enable, 4, detection, 1)
        .rule(enable, 1, detection, 2)
        .slow_rule(enable, 1, detection, 3, 2);
    let ordered = cycle("poe-cisco", mib, &[("group", 2), ("port", 14)]).await?;
    assert_eq!(ordered, orders(&[(enable, 4), (enable, 1)]));
    Ok(())
}

/// Ordered immediateOn(1) and immediateOff(2); answered off(1) and on(2).
#[tokio::test]
async fn apc_rpdu2_answers_the_other_way_round() -> Result<()> {
    let order = "1.3.6.1.4.1.318.1.1.26.9.2.4.1.5.8";
    let state = "1.3.6.1.4.1.318.1.1.26.9.2.3.1.5.8";
    let mib = Mib::default()
        .writable(order, Kind::Integer, 1, &[(1, 8)])
        .readable(state, 2)
        .rule(order, 2, state, 1)
        .rule(order, 1, state, 2);
    let ordered = cycle("apc-rpdu2", mib, &[("port", 8)]).await?;
    assert_eq!(ordered, orders(&[(order, 2), (order, 1)]));
    Ok(())
}

/// Each of on and off is an object of its own that takes a delay in seconds, -1 to cancel. While
/// it goes off it is pendingOff(2), and on the way back pendingOn(3).
#[tokio::test]
async fn eaton_marlin_has_an_object_for_on_and_one_for_off() -> Result<()> {
    let state = "1.3.6.1.4.1.534.6.6.7.6.6.1.2.0.5";
    let off = "1.3.6.1.4.1.534.6.6.7.6.6.1.3.0.5";
    let on = "1.3.6.1.4.1.534.6.6.7.6.6.1.4.0.5";
    let mib = Mib::default()
        .readable(state, 1)
        .writable(off, Kind::Integer, -1, &[(-1, 99_999)])
        .writable(on, Kind::Integer, -1, &[(-1, 99_999)])
        .rule(off, 0, state, 2)
        .slow_rule(off, 0, state, 0, 2)
        .rule(on, 0, state, 3)
        .slow_rule(on, 0, state, 1, 2);
    let ordered = cycle("eaton-marlin", mib, &[("port", 5)]).await?;
    assert_eq!(ordered, orders(&[(off, 0), (on, 0)]));
    Ok(())
}

/// The same, on a device that takes its delays literally.
#[tokio::test]
async fn hpe_pdu3_is_switched_now_and_not_later() -> Result<()> {
    let state = "1.3.6.1.4.1.232.165.11.5.2.1.1.1.5";
    let off = "1.3.6.1.4.1.232.165.11.5.2.1.2.1.5";
    let on = "1.3.6.1.4.1.232.165.11.5.2.1.3.1.5";
    let mib = Mib::default()
        .readable(state, 2)
        .writable(off, Kind::Integer, -1, &[(-1, 99_999)])
        .writable(on, Kind::Integer, -1, &[(-1, 99_999)])
        .delayed_rule(off, state, 1)
        .delayed_rule(on, state, 2);
    let ordered = cycle("hpe-pdu3", mib, &[("port", 5)]).await?;
    assert_eq!(ordered, orders(&[(off, 0), (on, 0)]));
    Ok(())
}

#[tokio::test]
async fn sentry3_finds_an_outlet_by_tower_infeed_and_number() -> Result<()> {
    let order = "1.3.6.1.4.1.1718.3.2.3.1.11.2.1.16";
    let state = "1.3.6.1.4.1.1718.3.2.3.1.5.2.1.16";
    let mib = Mib::default()
        .writable(order, Kind::Integer, 0, &[(0, 3)])
        .readable(state, 1)
        .rule(order, 2, state, 2)
        .slow_rule(order, 2, state, 0, 2)
        .rule(order, 1, state, 3)
        .slow_rule(order, 1, state, 1, 2);
    let ordered = cycle("sentry3", mib, &[("tower", 2), ("port", 16)]).await?;
    assert_eq!(ordered, orders(&[(order, 2), (order, 1)]));
    Ok(())
}

/// Ordered on(2) and off(4); answered on(1) and off(2), and 3 and 4 on the way.
#[tokio::test]
async fn geist_has_other_numbers_in_answers() -> Result<()> {
    let order = "1.3.6.1.4.1.21239.5.2.3.5.1.6.12";
    let state = "1.3.6.1.4.1.21239.5.2.3.5.1.4.12";
    let mib = Mib::default()
        .writable(order, Kind::Integer, 1, &[(1, 8)])
        .readable(state, 1)
        .rule(order, 4, state, 3)
        .slow_rule(order, 4, state, 2, 2)
        .rule(order, 2, state, 4)
        .slow_rule(order, 2, state, 1, 2);
    let ordered = cycle("geist", mib, &[("port", 12)]).await?;
    assert_eq!(ordered, orders(&[(order, 4), (order, 2)]));
    Ok(())
}

/// A limit in milliwatts, which is a Gauge32.
#[tokio::test]
async fn netgear_is_switched_by_its_limit() -> Result<()> {
    let (limit, detection) = ("1.3.6.1.4.1.4526.11.15.1.1.1.1.1.2", "1.3.6.1.2.1.105.1.1.1.6.1.2");
    let mib = Mib::default()
        .writable(limit, Kind::Gauge, 30_000, &[(3_000, 30_000)])
        .readable(detection, 3)
        .rule(limit, 3_000, detection, 2)
        .rule(limit, 15_400, detection, 3);
    let ordered = cycle("poe-netgear-smart", mib, &[("port", 2)]).await?;
    assert_eq!(ordered, orders(&[(limit, 3_000), (limit, 15_400)]));
    Ok(())
}

/// A profile of another device is not taken for a state.
#[tokio::test]
async fn an_answer_that_the_profile_does_not_know_is_an_error() -> Result<()> {
    let mib = Mib::default().readable("1.3.6.1.4.1.318.1.1.12.3.5.1.1.4.1", 9);
    let switch = Switch::start(env!("CARGO_BIN_EXE_fake-mib"), &mib).await?;
    let settings = switch.settings(Who::Writer).into_iter();
    let settings = settings.chain([("profile", text("apc-rpdu")), ("port", Node::Int(1))]);
    let error = read(SnmpPower::read, settings)?.get().await.unwrap_err();
    assert!(error.to_string().contains("it answers 9, which profile 'apc-rpdu'"), "{error}");
    Ok(())
}
