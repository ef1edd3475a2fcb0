//! Items as the door would read them, for the tests of taking them in.

use bytes::Bytes;
use clause9_shared::service::Served;
use clause9_shared::time::Timestamp;
use http::HeaderMap;

use crate::exchange::Exchange;
use crate::sink::{Account, Fate, Item, Naming, Whole, events, records};

pub(crate) fn record(text: &str, naming: &Naming) -> Result<Item, String> {
    records::record(text, naming)
}

pub(crate) fn binary(headers: &HeaderMap, body: &Bytes) -> Option<Result<Vec<Item>, String>> {
    events::binary(headers, body)
}

pub(crate) fn object(text: &str) -> Result<Vec<Item>, String> {
    events::object(text)
}

/// What a record of a topic of events holds.
#[cfg(feature = "kafka")]
pub(crate) fn of_topic(
    headers: &[(&str, &str)],
    value: &[u8],
    at: Timestamp,
    naming: &Naming,
) -> Vec<Item> {
    use crate::config::Content;
    let headers = headers
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()));
    let read = super::kafka::read_one(
        headers.collect(),
        value,
        at,
        (Content::Events, 1 << 20),
        naming,
    );
    let read = read.into_iter().flatten();
    read.flat_map(Result::unwrap_or_default).collect()
}

pub(crate) fn note(account: &mut Account, item: usize, fate: Fate) {
    account.note(item, fate);
}

/// The request of an exchange, by itself.
pub(crate) fn mirrored(exchange: &Exchange, at: Timestamp) -> Item {
    Item::Whole(Box::new(Whole {
        key: None,
        at: Some(at),
        method: exchange.method.clone(),
        target: exchange.target.path().parse().ok(),
        service: None,
        request_id: None,
        request: exchange.request.clone(),
        response: None,
        served: Served::default(),
    }))
}
