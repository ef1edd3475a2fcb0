//! What holds for every protocol, asked of each row of the table with its recorded exchanges.

use std::collections::BTreeSet;

use bytes::Bytes;
use clause9_shared::window::UndecodableReason;
use http::{HeaderValue, StatusCode};
use proptest::prelude::*;

use super::recorded::Recorded;
use super::{DECODERS, Decoder, find};
use crate::exchange::{Body, Exchange, Message};

/// Every recorded exchange with the protocol that names it.
fn all() -> impl Iterator<Item = (&'static dyn Decoder, &'static Recorded)> {
    DECODERS
        .iter()
        .flat_map(|decoder| decoder.recorded().iter().map(|one| (*decoder, one)))
}

#[test]
fn each_protocol_has_a_name_of_its_own_and_a_recorded_exchange() {
    let names: BTreeSet<_> = DECODERS.iter().map(|d| d.name()).collect();
    assert_eq!(names.len(), DECODERS.len());
    for decoder in DECODERS {
        assert!(!decoder.recorded().is_empty(), "{}", decoder.name());
    }
}

#[test]
fn each_recorded_exchange_is_found_by_its_own_protocol_and_decodes_to_full_tensors() {
    for (decoder, recorded) in all() {
        let (exchange, name) = (recorded.exchange(), recorded.name);
        let found = find(DECODERS, &exchange.method, exchange.target.path());
        assert_eq!(found.map(Decoder::name), Some(decoder.name()), "{name}");
        let inference = decoder.decode(&exchange).unwrap();
        assert!(!inference.model.is_empty(), "{name}");
        assert!(!inference.inputs.is_empty(), "{name}");
        assert!(!inference.outputs.is_empty(), "{name}");
        for tensor in inference.inputs.iter().chain(&inference.outputs) {
            let cells = inference.rows * tensor.columns;
            assert_eq!(tensor.values.len(), cells, "{name}: {}", tensor.name);
        }
    }
}

#[test]
fn what_cannot_be_read_has_the_same_reason_in_every_protocol() {
    fn each(message: &mut Message, spoil: fn(&mut Message)) {
        spoil(message);
    }
    let cut = |message: &mut Message| message.body.truncated = true;
    let pack = |message: &mut Message| {
        message.content_encoding = Some(HeaderValue::from_static("unheard-of"));
    };
    for (decoder, recorded) in all() {
        let spoilt = |spoil: &dyn Fn(&mut Exchange)| {
            let mut exchange = recorded.exchange();
            spoil(&mut exchange);
            decoder.decode(&exchange).unwrap_err()
        };
        let failed = spoilt(&|e| e.status = StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(failed, UndecodableReason::UpstreamError);
        for (spoil, reason) in [
            (cut as fn(&mut Message), UndecodableReason::Truncated),
            (pack, UndecodableReason::Unsupported),
        ] {
            assert_eq!(spoilt(&|e| each(&mut e.request, spoil)), reason);
            assert_eq!(spoilt(&|e| each(&mut e.response, spoil)), reason);
        }
    }
}

/// The same bytes, cut at these shares of their length.
fn in_pieces(body: &Body, cuts: &[f64]) -> Body {
    let bytes = body.joined();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "shares of a length"
    )]
    let mut at: Vec<usize> = cuts
        .iter()
        .map(|share| (share * bytes.len() as f64) as usize)
        .collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|w| bytes.slice(w[0]..w[1])).collect()
}

proptest! {
    #[test]
    fn pieces_of_a_body_do_not_matter(cuts in proptest::collection::vec(0.0_f64..1.0, 0..12)) {
        for (decoder, recorded) in all() {
            let whole = recorded.exchange();
            let mut split = whole.clone();
            split.request.body = in_pieces(&whole.request.body, &cuts);
            split.response.body = in_pieces(&whole.response.body, &cuts);
            let inference = decoder.decode(&whole).unwrap();
            prop_assert_eq!(decoder.decode(&split).unwrap(), inference);
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(request: Vec<u8>, response: Vec<u8>) {
        for (decoder, recorded) in all() {
            let mut exchange = recorded.exchange();
            let whole = exchange.request.body.clone();
            exchange.request.body = Body::from_iter([Bytes::from(request.clone())]);
            let _ = decoder.decode(&exchange);
            exchange.response.body = Body::from_iter([Bytes::from(response.clone())]);
            let _ = decoder.decode(&exchange);
            exchange.request.body = whole;
            let _ = decoder.decode(&exchange);
        }
    }

    #[test]
    fn a_spoilt_byte_makes_no_decoder_panic(at in 0.0_f64..1.0, byte: u8) {
        for (decoder, recorded) in all() {
            let mut exchange = recorded.exchange();
            for message in [&mut exchange.request, &mut exchange.response] {
                let mut bytes = message.body.joined().to_vec();
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
                let place = (at * bytes.len() as f64) as usize;
                bytes[place] = byte;
                message.body = Body::from_iter([Bytes::from(bytes)]);
            }
            let _ = decoder.decode(&exchange);
        }
    }
}
