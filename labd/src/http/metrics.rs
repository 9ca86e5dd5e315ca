//! The lab in numbers, for Prometheus: on a listener of its own, in the clear, and with nothing in it that
//! a board has printed or a person is called.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use protocol::board::{Board, Filter, State as BoardState};
use protocol::user::{Role, Who};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::health;
use crate::doorstep::{self, Doorstep};
use crate::lab::Lab;
use crate::lab::counts::Labels;
use crate::rules::guard::Limits;

/// The format that Prometheus asks for (OpenMetrics 1.0).
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// So many scrape at a time, from one address and from one site. When all places are taken, whoever has been
/// there longest of those from where most come gives way.
const LIMITS: Limits = Limits { all: 16, source: 4, site: 8 };
/// Whoever comes asks within this time. Each asks once: whoever scrapes comes again.
const REQUEST: Duration = Duration::from_secs(10);
/// Whoever does not read what they asked for is let go after so long.
const LONGEST: Duration = Duration::from_secs(60);

/// What is looked at.
#[derive(Clone)]
struct Seen {
    lab: Arc<Lab>,
    doorstep: Arc<Doorstep>,
}

/// Serves whoever comes until the lab ends.
pub async fn serve(lab: Arc<Lab>, doorstep: Arc<Doorstep>, listener: TcpListener) {
    let routes = Router::new()
        .route("/metrics", get(metrics))
        .with_state(Seen { lab: lab.clone(), doorstep })
        .merge(health::routes(lab.clone()));
    let (room, mut ending) = (Doorstep::with(LIMITS), lab.ending());
    let _open = lab.keep_out_tunnels(&listener);
    while let Some((stream, from)) = doorstep::next(&listener, &mut ending).await {
        let Some(place) = room.admit_line(from, &stream) else { continue };
        let routes = TowerToHyperService::new(routes.clone());
        tokio::spawn(async move {
            let mut server = super::server();
            server.header_read_timeout(REQUEST).keep_alive(false);
            let connection = server.serve_connection(TokioIo::new(stream), routes);
            // Whoever scrapes sees for themselves what went wrong.
            if let Ok(Err(error)) = timeout(LONGEST, connection).await {
                tracing::debug!(%from, %error, "a connection for metrics ended");
            }
            drop(place);
        });
    }
}

async fn metrics(State(seen): State<Seen>) -> Response {
    let Ok(who) = "labd".parse().map(|name| Who::new(name, Role::Admin)) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut registry = Registry::with_prefix("labd");
    boards(&mut registry, &seen.lab.rows(&who, &Filter::default()));
    consoles(&mut registry, &seen.lab);
    let queue = seen.lab.queue(&who).len();
    registry.register("queue_places", "Who wait for a board", gauge(queue));
    doors(&mut registry, &seen.doorstep);
    let counts = seen.lab.counts();
    registry.register("calls", "Calls that were answered", counts.calls.clone());
    let help = "How long calls took";
    registry.register_with_unit("call", help, Unit::Seconds, counts.seconds.clone());
    process(&mut registry, &seen.lab);
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => ([(CONTENT_TYPE, FORMAT)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// How the boards stand: what is not known has a state of its own.
fn boards(registry: &mut Registry, rows: &[Board]) {
    let (board, power, console) = (Family::default(), Family::default(), Family::default());
    let faulty = Family::<Labels, Gauge>::default();
    for row in rows {
        let of = |state: &str| {
            let class = ("class", row.class.clone());
            vec![("board", row.name.to_string()), class, ("state", state.to_owned())]
        };
        is_so(&board, of(&row.state.to_string()));
        is_so(&power, of(&row.power.to_string()));
        is_so(&console, of(&row.console.to_string()));
        let name = vec![("board", row.name.to_string())];
        faulty.get_or_create(&name).set(row.fault.is_some().into());
    }
    registry.register("board_state", "1 for the state in which a board is", board);
    registry.register("board_power", "1 for the state in which a board's power is", power);
    registry.register("board_console", "1 for the state in which a console is", console);
    registry.register("board_faulty", "Whether something is wrong with a board", faulty);
    let held = rows.iter().filter(|row| row.state == BoardState::Held).count();
    registry.register("boards", "The boards of the lab", gauge(rows.len()));
    registry.register("boards_held", "Boards that somebody has", gauge(held));
}

fn is_so(family: &Family<Labels, Gauge>, labels: Labels) {
    family.get_or_create(&labels).set(1);
}

fn consoles(registry: &mut Registry, lab: &Lab) {
    let bytes = Family::<Labels, Counter>::default();
    let viewers = Family::<Labels, Gauge>::default();
    let errors = Family::<Labels, Counter>::default();
    for (board, detail) in lab.consoles() {
        let name = vec![("board", board.to_string())];
        bytes.get_or_create(&name).inc_by(detail.end);
        viewers.get_or_create(&name).set(number(detail.viewers.len()));
        // A port that does not count has no row, and not a zero.
        if let Some(found) = detail.quality.and_then(|quality| quality.errors) {
            let kinds = [
                ("overrun", found.overrun),
                ("framing", found.framing),
                ("parity", found.parity),
                ("break", found.breaks),
            ];
            for (kind, count) in kinds {
                let labels = vec![("board", board.to_string()), ("kind", kind.to_owned())];
                errors.get_or_create(&labels).inc_by(count);
            }
        }
    }
    let help = "What went wrong on a console's line, where its port counts that";
    registry.register("console_line_errors", help, errors);
    let help = "What a console has printed since labd first opened it";
    registry.register_with_unit("console_printed", help, Unit::Bytes, bytes);
    registry.register("console_viewers", "Who look at a console", viewers);
}

fn doors(registry: &mut Registry, doorstep: &Doorstep) {
    let strangers = gauge(doorstep.strangers());
    registry.register("strangers", "Who are at a door and not known yet", strangers);
    let (refused, offences) = doorstep.counts();
    let help = "Connections that were closed unheard: too many, or barred";
    registry.register("strangers_refused", help, counter(refused));
    let help = "Connections that ended without anybody having come in";
    registry.register("strangers_offences", help, counter(offences));
}

/// labd itself.
fn process(registry: &mut Registry, lab: &Lab) {
    registry.register("ledger_entries", "Entries that are on disk", counter(lab.newest()));
    let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    let info = Family::<Labels, Gauge>::default();
    is_so(&info, version);
    registry.register("build", "The version that runs", info);
    if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
        let spent = (usage.user_time() + usage.system_time()).num_milliseconds();
        let processor = Counter::<f64>::default();
        processor.inc_by(spent.max(0) as f64 / 1_000.0);
        let help = "Time of processors that labd has used";
        registry.register_with_unit("processor", help, Unit::Seconds, processor);
        let resident = usage.max_rss().max(0) as usize * 1_024;
        let help = "The most memory that labd has had";
        registry.register_with_unit("memory_most", help, Unit::Bytes, gauge(resident));
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        registry.register("descriptors", "Open descriptors", gauge(open.count()));
    }
}

fn gauge(value: usize) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(number(value));
    gauge
}

fn counter(value: u64) -> Counter {
    let counter = Counter::default();
    counter.inc_by(value);
    counter
}

fn number(value: usize) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}
