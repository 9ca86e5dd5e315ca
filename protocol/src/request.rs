//! Which request is which, so that one that is asked again is not done again.
//!
//! A connection may break before the answer has come. The caller then asks again on another, under the
//! same id, and says how long ago it asked first: the daemon tells what came of it, or does it now if it
//! has never heard of it, or says that it cannot know any more.
//!
//! The id travels in the context that tarpc sends with every call. There it names a trace, so an
//! administrator who looks for a request in two logs finds it in both.

use std::time::Duration;

use tarpc::context::Context;

/// The bits of a trace's name that say how many seconds ago it was asked first.
const AGE: u128 = 0xFFFF;

/// A request: random, and known to nobody but its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(u128);

impl RequestId {
    /// Another than all before; none if the system has no chance to give.
    pub fn new() -> Option<RequestId> {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).ok()?;
        RequestId::from_bits(u128::from_ne_bytes(bits))
    }

    /// One that its caller has made by other means; none of bits that are all 0.
    pub fn from_bits(bits: u128) -> Option<RequestId> {
        let bits = bits & !AGE;
        (bits != 0).then_some(RequestId(bits))
    }

    /// Writes it into what is sent, as asked first so long ago; `None` if this is the first time.
    pub fn put(self, context: &mut Context, first: Option<Duration>) {
        // Rounded up, so that the first time alone is 0.
        let age = first.map_or(0, |ago| (u128::from(ago.as_secs()) + 1).min(AGE));
        context.trace_context.trace_id = (self.0 | age).into();
    }

    /// Reads it, and how long ago it was asked first. There is none in what older clients send.
    pub fn of(context: &Context) -> Option<(RequestId, Option<Duration>)> {
        let bits = u128::from(context.trace_context.trace_id);
        let age = (bits & AGE) as u64;
        Some((RequestId::from_bits(bits)?, (age > 0).then(|| Duration::from_secs(age))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_the_same_however_often_it_is_asked() {
        let mut context = tarpc::context::current();
        assert_eq!(RequestId::of(&context), None, "an older client has none");
        let id = RequestId::new().expect("chance");
        assert_ne!(RequestId::new(), Some(id));
        id.put(&mut context, None);
        assert_eq!(RequestId::of(&context), Some((id, None)));
        for (ago, read) in [(0, 1), (3, 4), (1 << 40, 0xFFFF)] {
            id.put(&mut context, Some(Duration::from_secs(ago)));
            assert_eq!(RequestId::of(&context), Some((id, Some(Duration::from_secs(read)))));
        }
        // On the wire it is in what tarpc sends anyway.
        let sent = serde_json::to_vec(&context).expect("JSON");
        let heard = serde_json::from_slice(&sent).expect("a context");
        assert_eq!(RequestId::of(&heard).map(|(id, _)| id), Some(id));
    }
}
