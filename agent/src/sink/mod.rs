//! The ways in that are not the proxy: events of inference loggers, lines of captured traffic, records
//! of one's own, and mirrored requests. The door reads and answers; what it read goes to the monitor as
//! one [`Delivery`], taken as a whole or not at all, and becomes the same exchanges and inferences as
//! traffic of the proxy. Nothing here is in a request's path, so the door may say no.

use std::collections::BTreeMap;

use clause9_shared::inference::Inference;
use clause9_shared::plan::Outcome;
use clause9_shared::service::Served;
use clause9_shared::time::Timestamp;
use clause9_shared::window::{DropReason, UndecodableReason};
use http::{HeaderValue, Method, StatusCode, Uri};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;

use crate::exchange::Message;

mod account;
mod attributes;
mod captured;
mod door;
mod events;
mod joins;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(not(feature = "kafka"))]
#[path = "kafka/absent.rs"]
mod kafka;
mod naming;
mod otlp;
mod reading;
mod records;
mod seldon;
mod shape;
#[cfg(test)]
pub(crate) mod testing;

pub use account::Account;
pub use door::{Bounds, Sink};
pub(crate) use events::served;
pub use joins::{Gone, Joins, Standing, Waiting};
pub use kafka::Reader;
pub use naming::Naming;
pub use otlp::Names;
pub use records::schema;
pub use shape::Shapes;

/// Whether the program was built to read topics of Kafka.
pub const KAFKA: bool = cfg!(feature = "kafka");

/// Longest id of an event or record, in bytes.
const MAX_ID: usize = 256;
/// Most items of one delivery.
const MAX_ITEMS: usize = 10_000;
/// Longest label text or attribute value in bytes, as at the outcomes' address.
const MAX_VALUE: usize = 256;

/// What one message from a sender holds.
#[derive(Debug)]
pub struct Delivery {
    /// What could be read, in order.
    pub items: Vec<Item>,
    /// Where to say what became of each.
    pub answer: oneshot::Sender<Vec<Fate>>,
}

/// One thing that was told.
#[derive(Clone, Debug)]
pub enum Item {
    /// A request or an answer, whose other half is told separately.
    Half(Box<Half>),
    /// An exchange, or a request of which the answer is never told.
    Whole(Box<Whole>),
    /// A case with its features by name.
    Record(Box<Record>),
    /// A label that came later.
    Outcome(Box<Outcome>),
}

/// Which half of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What went in.
    Request,
    /// What came out.
    Response,
}

/// What two halves of an exchange have in common, and what is sent twice has, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key([u8; 16]);

impl Key {
    /// Of an id that is unique within a source.
    pub fn new(source: &str, id: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update((source.len() as u64).to_be_bytes());
        hash.update(source.as_bytes());
        hash.update(id.as_bytes());
        let mut key = [0; 16];
        for (byte, of) in key.iter_mut().zip(hash.finalize()) {
            *byte = of;
        }
        Self(key)
    }
}

/// Half an exchange.
#[derive(Clone, Debug)]
pub struct Half {
    /// What the other half has, too.
    pub key: Key,
    /// Which half.
    pub side: Side,
    /// When it happened, if that was said.
    pub at: Option<Timestamp>,
    /// Its body and what describes it.
    pub message: Message,
    /// How the server answered; of a request, nothing yet.
    pub status: StatusCode,
    /// What the event calls the inference service.
    pub service: Option<Box<str>>,
    /// The id that outcomes name.
    pub request_id: Option<HeaderValue>,
}

/// An exchange as it was told.
#[derive(Clone, Debug)]
pub struct Whole {
    /// By which it is known if it comes again.
    pub key: Option<Key>,
    /// When the request happened, if that was said.
    pub at: Option<Timestamp>,
    /// The request's method.
    pub method: Method,
    /// The path it went to, if that is known.
    pub target: Option<Uri>,
    /// What the inference service is called.
    pub service: Option<Box<str>>,
    /// The id that outcomes name.
    pub request_id: Option<HeaderValue>,
    /// What went in.
    pub request: Message,
    /// What came out; none if it is never told.
    pub response: Option<(StatusCode, Message)>,
    /// How it was served, as far as it was told.
    pub served: Served,
}

/// A case as a record tells it.
#[derive(Clone, Debug)]
pub struct Record {
    /// By which it is known if it comes again.
    pub key: Option<Key>,
    /// When it happened, if that was said.
    pub at: Option<Timestamp>,
    /// The case; its time is filled in when its pane is known.
    pub inference: Inference,
    /// Whether it says what the model answered.
    pub answered: bool,
    /// How it was served, as far as it was told.
    pub served: Served,
    /// What turned out to be true of it.
    pub outcome: Option<Outcome>,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Counted.
    Counted,
    /// Left out by the sampling rule.
    SampledOut,
    /// Not understood, and counted as that.
    Undecodable(UndecodableReason),
    /// Half an exchange: it waits for the other half.
    Waiting,
    /// It was told before and is not counted again.
    Duplicate,
    /// Its exchange was given up, and counted so, before this half of it came.
    Late,
    /// Let go, and counted so.
    Dropped(DropReason),
    /// A label, taken in.
    Outcome,
    /// A label that cannot be joined to anything, or was known.
    OutcomeLost,
    /// No inference; counted as that.
    NotInference,
    /// The monitor failed at it.
    Failed,
}

/// An id as a header would carry it.
fn id_header(id: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(id).ok()
}

/// Whether an id can be kept.
fn good_id(id: &str) -> Result<(), String> {
    if id.is_empty() || id.len() > MAX_ID {
        return Err(format!("an id must have 1 to {MAX_ID} bytes"));
    }
    Ok(())
}

/// What cannot be joined is refused as at the outcomes' address.
fn outcome(
    request_id: &str,
    row: u32,
    label: Option<clause9_shared::objective::document::Scalar>,
    attributes: BTreeMap<clause9_shared::ids::Name, String>,
    available_at: Option<Timestamp>,
) -> Result<Outcome, String> {
    use clause9_shared::objective::document::Scalar;
    good_id(request_id)?;
    let text = match &label {
        Some(Scalar::Text(text)) => text.len(),
        Some(Scalar::Number(_) | Scalar::Bool(_)) | None => 0,
    };
    if text > MAX_VALUE || attributes.values().any(|value| value.len() > MAX_VALUE) {
        return Err(format!(
            "a label or an attribute has more than {MAX_VALUE} bytes"
        ));
    }
    Ok(Outcome {
        request_id: request_id.to_owned(),
        row,
        label,
        attributes,
        available_at,
    })
}
