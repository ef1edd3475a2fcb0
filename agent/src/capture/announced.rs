//! Announced bodies (`expect: 100-continue`, RFC 9110, section 10.1.1): the client waits for the server's
//! word before it sends, and so does the agent before it reads. A body that comes all the same is
//! passed on at once, and the word that nobody gave is not made up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use http::{Request, StatusCode, Version, header};
use hyper::body::Incoming;
use tokio::sync::watch;

use crate::capture::body::Gate;

/// How long an announced body waits for a word of the server's, if it does not come by itself; then
/// the agent asks for it.
const CONTINUE: Duration = Duration::from_secs(1);
/// How hyper asks a client for a body, in bytes.
pub(super) const ASKING: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Tells whether a body may flow; nothing yet: it waits.
pub(super) type Opener = watch::Sender<Option<bool>>;

/// What a client's connection knows of the body that was announced on it last.
#[derive(Debug, Default)]
pub(crate) struct Announced {
    /// It was announced, and nothing of it has come.
    awaited: AtomicBool,
    /// It came without anybody having asked for it.
    unasked: AtomicBool,
    opener: Mutex<Weak<Opener>>,
}

impl Announced {
    fn expect(&self, opener: &Arc<Opener>) {
        let mut slot = self.opener.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Arc::downgrade(opener);
        self.unasked.store(false, Ordering::Relaxed);
        self.awaited.store(true, Ordering::Relaxed);
    }

    /// Whether to look if it comes.
    pub(super) fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::Relaxed)
    }

    /// Its first bytes are there: it may flow.
    pub(super) fn came(&self) {
        self.awaited.store(false, Ordering::Relaxed);
        let slot = self.opener.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(opener) = slot.upgrade() else {
            return;
        };
        opener.send_if_modified(|told| {
            let first = told.is_none();
            if first {
                *told = Some(true);
                self.unasked.store(true, Ordering::Relaxed);
            }
            first
        });
    }

    /// Whether what is about to be written asks for a body that came unasked; told once.
    pub(super) fn is_idle_talk(&self, bytes: &[u8]) -> bool {
        self.unasked.load(Ordering::Relaxed)
            && bytes.starts_with(ASKING)
            && self.unasked.swap(false, Ordering::Relaxed)
    }
}

/// Whether bytes of a connection go on after a head that ends in them.
pub(super) fn goes_on(bytes: &[u8]) -> bool {
    let whole_head = bytes.ends_with(b"\n\r\n") || bytes.ends_with(b"\n\n");
    !whole_head || bytes.ends_with(b"\n0\r\n\r\n")
}

/// Whether the client waits to be asked for the body.
pub(super) fn is_announced(request: &Request<Incoming>) -> bool {
    let expects = request.headers().get(header::EXPECT);
    request.version() == Version::HTTP_11
        && expects.is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Holds an announced body back until the server asks for it, or it comes, or for a while.
pub(super) fn gated(
    request: &mut Request<Incoming>,
    announced: &Announced,
) -> (Option<Gate>, Option<Arc<Opener>>) {
    let (opener, mut opened) = watch::channel(None);
    let opener = Arc::new(opener);
    announced.expect(&opener);
    let weak = Arc::downgrade(&opener);
    hyper::ext::on_informational(request, move |response| {
        if let (StatusCode::CONTINUE, Some(opener)) = (response.status(), weak.upgrade()) {
            let _ = opener.send(Some(true));
        }
    });
    let gate = async move {
        tokio::select! {
            told = opened.wait_for(Option::is_some) => told.is_ok_and(|t| *t == Some(true)),
            () = tokio::time::sleep(CONTINUE) => true,
        }
    };
    (Some(Box::pin(gate)), Some(opener))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_in_the_same_read_is_told_from_the_end_of_a_head() {
        for head in [
            &b"POST / HTTP/1.1\r\nA: b\r\n\r\n"[..],
            b"A: b\n\n",
            b"\n\r\n",
        ] {
            assert!(!goes_on(head));
        }
        for more in [&b"A: b\r\n\r\n{"[..], b"A: b\r\n\r\n2\r\n{}\r\n0\r\n\r\n"] {
            assert!(goes_on(more));
        }
    }

    #[test]
    fn only_the_word_that_nobody_gave_is_held_back_and_once() {
        let announced = Announced::default();
        let opener = Arc::new(watch::Sender::new(None));
        announced.expect(&opener);
        assert!(!announced.is_idle_talk(ASKING));
        announced.came();
        assert_eq!(*opener.borrow(), Some(true));
        assert!(!announced.is_idle_talk(b"HTTP/1.1 200 OK\r\n\r\n"));
        assert!(announced.is_idle_talk(ASKING) && !announced.is_idle_talk(ASKING));

        let opener = Arc::new(watch::Sender::new(None));
        announced.expect(&opener);
        opener.send_replace(Some(true));
        announced.came();
        assert!(!announced.is_idle_talk(ASKING), "the server gave it");
    }
}
