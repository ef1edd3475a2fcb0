//! The agent's protocols, but reading goes wrong where a client asks for it in `x-request-id`: with
//! [`PANIC`] it panics, with [`STALL`] it stands still for as long as it is told to.

use std::time::Duration;

use clause9_agent::decode::{DECODERS, Decoder};
use clause9_agent::exchange::Exchange;
use clause9_shared::inference::Inference;
use clause9_shared::window::UndecodableReason;
use http::Method;

/// The request id at which reading panics.
pub const PANIC: &str = "panic";
/// The request id at which reading stands still.
pub const STALL: &str = "stall";

/// A decoder that goes wrong on demand, and is that of the Open Inference Protocol otherwise.
#[derive(Debug)]
pub struct Faulty {
    /// Whether what stands still goes on standing still.
    pub stalled: fn() -> bool,
}

fn usual() -> &'static dyn Decoder {
    // The table's first row, which reads what tests send.
    DECODERS[0]
}

impl Decoder for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn matches(&self, method: &Method, path: &str) -> bool {
        usual().matches(method, path)
    }

    fn addressed<'a>(&self, path: &'a str) -> Option<&'a str> {
        usual().addressed(path)
    }

    fn decode(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason> {
        let id = exchange.request_id.as_ref();
        let id = id.map_or(&b""[..], |id| id.as_bytes());
        assert!(id != PANIC.as_bytes(), "as told");
        while id == STALL.as_bytes() && (self.stalled)() {
            std::thread::sleep(Duration::from_millis(5));
        }
        usual().decode(exchange)
    }
}
