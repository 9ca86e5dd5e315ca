//! Which request is being answered. Each has a number, which all of its entries have on the timeline, and a
//! fault of labd's own as its id. What goes on in a task of its own still belongs to it.

use std::sync::atomic::Ordering;

use protocol::journal::By;
use protocol::user::Who;
use tokio::task::JoinHandle;
use tokio::task::futures::TaskLocalFuture;

use super::Lab;

tokio::task_local! {
    static PRESENT: u64;
}

impl Lab {
    /// Does `work` as a request of its own.
    pub fn answer<F: Future>(&self, work: F) -> TaskLocalFuture<u64, F> {
        PRESENT.scope(self.next_request.fetch_add(1, Ordering::Relaxed), work)
    }
}

/// The request that is being answered here; none, if the lab does something by itself.
pub(super) fn present() -> Option<u64> {
    PRESENT.try_with(|number| *number).ok()
}

/// Spawns what belongs to the same request.
pub(super) fn spawn<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    match present() {
        Some(number) => tokio::spawn(PRESENT.scope(number, work)),
        None => tokio::spawn(work),
    }
}

/// Somebody with this request; the lab because of it, if nobody is named.
pub(super) fn by(who: Option<&Who>) -> By {
    let name = who.map(|who| who.name.clone());
    By { who: name, via: who.and_then(|who| who.via.clone()), request: present() }
}

#[cfg(test)]
mod tests {
    use protocol::Error;

    use super::*;

    /// Planted, and caught here: a task of its own is no request's.
    #[tokio::test]
    async fn a_fault_has_the_id_of_its_request_in_a_task_of_its_own_too() {
        let fault = async { crate::lab::internal("planted") };
        let spawned = PRESENT.scope(12, async { spawn(fault).await.expect("it ends") }).await;
        assert_eq!(spawned, Error::Internal { id: "r12".to_owned() });
        assert_eq!(present(), None);
    }
}
