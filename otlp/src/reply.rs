//! What an answer means: taken, taken in part, to be sent again later, or never (OTLP 1, "OTLP/HTTP Response" and "OTLP/gRPC
//! Response"). Core.

use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, StatusCode, header};
use opentelemetry_proto::tonic::collector::{logs, metrics, trace};
use prost::Message as _;

use crate::Signal;

/// Longest answer that is read in bytes.
pub const MAX_ANSWER: usize = 64 << 10;
/// Most characters of what a receiver says that go into a log.
const MAX_SAID: usize = 200;

/// As binary headers of gRPC are written: with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// All was taken.
    Taken,
    /// All but so many items was taken. These must not be sent again.
    Partly {
        /// Items that were not taken.
        rejected: u64,
        /// Why, as the receiver says.
        said: String,
    },
    /// It may be sent again, if so not before this time.
    Later {
        /// What the receiver asks for.
        after: Option<Duration>,
    },
    /// It must not be sent again.
    Refused {
        /// Why, as the receiver says.
        said: String,
    },
    /// It cannot be read. Whether anything was taken is not known.
    Unreadable,
}

/// What an answer of HTTP means. `date` tells seconds from now until a date of HTTP, if it is one.
pub fn of_http(
    signal: Signal,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    date: impl Fn(&str) -> Option<Duration>,
) -> Reply {
    if status.is_success() {
        return taken(signal, body);
    }
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            let asked = headers.get(header::RETRY_AFTER);
            let asked = asked.and_then(|value| value.to_str().ok()).map(str::trim);
            let after = asked.and_then(|asked| {
                let seconds = asked.parse().map(Duration::from_secs);
                seconds.ok().or_else(|| date(asked))
            });
            Reply::Later { after }
        }
        status => {
            let told = Status::decode(body).map(|told| told.message);
            let told = printable(&told.unwrap_or_default());
            Reply::Refused {
                said: format!("{status} {told}").trim().to_owned(),
            }
        }
    }
}

/// What the end of a call of gRPC means: its trailers (or, if the call has none, its headers), and its message.
pub fn of_grpc(signal: Signal, end: &HeaderMap, body: &[u8]) -> Reply {
    let code = end.get("grpc-status").and_then(|value| value.to_str().ok());
    let Some(code) = code.and_then(|code| code.parse::<u32>().ok()) else {
        return Reply::Unreadable;
    };
    let retry = retry_info(end);
    match code {
        0 => message(body).map_or(Reply::Unreadable, |body| taken(signal, body)),
        // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS
        1 | 4 | 10 | 11 | 14 | 15 => Reply::Later { after: retry },
        // RESOURCE_EXHAUSTED: only if the receiver says that it recovers.
        8 if retry.is_some() => Reply::Later { after: retry },
        code => {
            let told = end
                .get("grpc-message")
                .and_then(|value| value.to_str().ok());
            let told = printable(told.unwrap_or_default());
            Reply::Refused {
                said: format!("gRPC status {code} {told}").trim().to_owned(),
            }
        }
    }
}

/// The one message of an answer.
fn message(body: &[u8]) -> Option<&[u8]> {
    let (&[packed, a, b, c, d], message) = body.split_first_chunk::<5>()?;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
    (packed == 0 && message.len() == length).then_some(message)
}

/// Whether all was taken. An empty message means yes, and so does one that rejects nothing: it warns.
fn taken(signal: Signal, body: &[u8]) -> Reply {
    let partial = match signal {
        Signal::Metrics => metrics::v1::ExportMetricsServiceResponse::decode(body).map(|r| {
            r.partial_success
                .map(|p| (p.rejected_data_points, p.error_message))
        }),
        Signal::Logs => logs::v1::ExportLogsServiceResponse::decode(body).map(|r| {
            r.partial_success
                .map(|p| (p.rejected_log_records, p.error_message))
        }),
        Signal::Traces => trace::v1::ExportTraceServiceResponse::decode(body).map(|r| {
            r.partial_success
                .map(|p| (p.rejected_spans, p.error_message))
        }),
    };
    match partial {
        Err(_) => Reply::Unreadable,
        Ok(None) => Reply::Taken,
        Ok(Some((rejected, said))) => match (u64::try_from(rejected).unwrap_or(0), said) {
            (0, said) if said.is_empty() => Reply::Taken,
            (rejected, said) => Reply::Partly {
                rejected,
                said: printable(&said),
            },
        },
    }
}

/// What a receiver says, fit for a log.
fn printable(text: &str) -> String {
    text.chars()
        .take(MAX_SAID)
        .flat_map(char::escape_debug)
        .collect()
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// What `grpc-status-details-bin` says of when to come again.
fn retry_info(end: &HeaderMap) -> Option<Duration> {
    let packed = end.get("grpc-status-details-bin")?.as_bytes();
    let status = Status::decode(BASE64.decode(packed).ok()?.as_slice()).ok()?;
    let info = status
        .details
        .iter()
        .find(|any| any.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(info.value.as_slice()).ok()?.retry_delay?;
    let nanos = u32::try_from(delay.nanos)
        .ok()
        .filter(|n| *n < 1_000_000_000)?;
    Some(Duration::new(u64::try_from(delay.seconds).ok()?, nanos))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn http(status: u16, retry: Option<&'static str>, body: &[u8]) -> Reply {
        let mut headers = HeaderMap::new();
        if let Some(retry) = retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(retry));
        }
        let status = StatusCode::from_u16(status).unwrap();
        let date = |text: &str| (text == "a date").then_some(Duration::from_secs(9));
        of_http(Signal::Logs, status, &headers, body, date)
    }

    fn partial(rejected: i64, said: &str) -> Vec<u8> {
        let partial = logs::v1::ExportLogsPartialSuccess {
            rejected_log_records: rejected,
            error_message: said.to_owned(),
        };
        let answer = logs::v1::ExportLogsServiceResponse {
            partial_success: Some(partial),
        };
        answer.encode_to_vec()
    }

    #[test]
    fn only_what_the_specification_lists_is_sent_again() {
        for status in 300..600 {
            let again = matches!(http(status, None, b""), Reply::Later { .. });
            assert_eq!(again, [429, 502, 503, 504].contains(&status), "{status}");
        }
        let seconds = |n| Reply::Later {
            after: Some(Duration::from_secs(n)),
        };
        assert_eq!(http(503, Some("7"), b""), seconds(7));
        assert_eq!(http(429, Some("a date"), b""), seconds(9));
        assert_eq!(http(429, Some("soon"), b""), Reply::Later { after: None });
    }

    #[test]
    fn what_was_taken_in_part_says_how_much_was_not() {
        assert_eq!(http(200, None, b""), Reply::Taken);
        assert_eq!(http(200, None, &partial(0, "")), Reply::Taken);
        let (rejected, said) = (3, "no\nroom".to_owned());
        let partly = Reply::Partly {
            rejected,
            said: "no\\nroom".into(),
        };
        assert_eq!(http(200, None, &partial(3, &said)), partly);
        assert_eq!(http(200, None, b"\xff"), Reply::Unreadable);
        assert!(matches!(
            http(200, None, &partial(-5, "x")),
            Reply::Partly { rejected: 0, .. }
        ));
    }

    fn grpc(code: &'static str, details: Option<&'static str>, body: &[u8]) -> Reply {
        let mut end = HeaderMap::new();
        end.insert("grpc-status", HeaderValue::from_static(code));
        if let Some(details) = details {
            end.insert("grpc-status-details-bin", HeaderValue::from_static(details));
        }
        of_grpc(Signal::Logs, &end, body)
    }

    #[test]
    fn calls_are_made_again_by_their_status() {
        for code in 1..=16_u32 {
            let mut end = HeaderMap::new();
            end.insert("grpc-status", HeaderValue::from(code));
            let again = matches!(of_grpc(Signal::Logs, &end, b""), Reply::Later { .. });
            assert_eq!(again, [1, 4, 10, 11, 14, 15].contains(&code), "{code}");
        }
        // RESOURCE_EXHAUSTED with a delay of three seconds and a half.
        let delay = Delay {
            seconds: 3,
            nanos: 500_000_000,
        };
        let info = RetryInfo {
            retry_delay: Some(delay),
        };
        let any = Any {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".into(),
            value: info.encode_to_vec(),
        };
        let status = Status {
            code: 8,
            message: String::new(),
            details: vec![any],
        };
        let packed = BASE64.encode(status.encode_to_vec());
        let packed: &'static str = Box::leak(packed.into_boxed_str());
        let after = Some(Duration::from_millis(3500));
        assert_eq!(grpc("8", Some(packed), b""), Reply::Later { after });
        assert!(matches!(grpc("8", None, b""), Reply::Refused { .. }));
        assert_eq!(grpc("0", None, &[0, 0, 0, 0, 0]), Reply::Taken);
        assert_eq!(grpc("0", None, &[0, 0, 0, 0, 9]), Reply::Unreadable);
        assert_eq!(
            of_grpc(Signal::Logs, &HeaderMap::new(), b""),
            Reply::Unreadable
        );
    }
}
