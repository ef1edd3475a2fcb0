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
