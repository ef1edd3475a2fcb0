//! Headers that concern one connection only, and what of them goes on.

use http::{HeaderMap, HeaderValue, header};

/// Whether the request asks to switch protocols. Not to HTTP/2 in the clear: that way is withdrawn
/// (RFC 9113, section 3.1), and what passed behind such a switch would be unseen; clients may begin
/// with HTTP/2 at once.
pub(super) fn wants_upgrade(headers: &HeaderMap) -> bool {
    let mut asked = headers.get_all(header::UPGRADE).into_iter().peekable();
    asked.peek().is_some()
        && !asked.any(|v| v.as_bytes().to_ascii_lowercase().starts_with(b"h2c"))
        && connection_names(headers).any(|n| n.eq_ignore_ascii_case("upgrade"))
}

fn connection_names(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::CONNECTION).into_iter();
    values
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .map(str::trim)
}

/// Removes what concerns one connection only, and keeps the others in their order.
/// `transfer-encoding` stays: it tells hyper to frame the body as it came.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap, upgrading: bool) {
    let te_trailers = headers.get(header::TE).is_some_and(|v| {
        v.as_bytes()
            .split(|b| *b == b',')
            .any(|t| t.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    });
    let concerned = [
        header::CONNECTION.as_str(),
        "keep-alive",
        "proxy-connection",
        header::TE.as_str(),
        header::UPGRADE.as_str(),
    ];
    if !concerned.iter().any(|name| headers.contains_key(*name)) {
        return;
    }
    let named: Vec<String> = connection_names(headers)
        .map(str::to_ascii_lowercase)
        .collect();
    let framing = [
        header::TRANSFER_ENCODING,
        header::CONTENT_LENGTH,
        header::HOST,
        header::TRAILER,
    ];
    let mut kept = HeaderMap::with_capacity(headers.keys_len());
    for (name, value) in headers.iter() {
        let hop = concerned.contains(&name.as_str())
            || (named.iter().any(|n| n == name.as_str()) && !framing.contains(name));
        if !hop {
            kept.append(name, value.clone());
        }
    }
    if te_trailers {
        kept.append(header::TE, HeaderValue::from_static("trailers"));
    }
    if upgrading {
        for value in headers.get_all(header::UPGRADE) {
            kept.append(header::UPGRADE, value.clone());
        }
        kept.append(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    *headers = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(n, v)| {
                (
                    n.parse::<http::HeaderName>().unwrap(),
                    HeaderValue::from_static(v),
                )
            })
            .collect()
    }

    fn stripped(lines: &[(&'static str, &'static str)], upgrading: bool) -> Vec<(String, String)> {
        let mut map = headers(lines);
        strip_hop_by_hop(&mut map, upgrading);
        map.iter()
            .map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned()))
            .collect()
    }

    #[test]
    fn what_concerns_one_connection_goes_and_the_rest_keeps_its_order() {
        let kept = stripped(
            &[
                ("a", "1"),
                ("connection", "close, X-Secret"),
                ("b", "2"),
                ("x-secret", "s"),
                ("keep-alive", "5"),
                ("te", "gzip, trailers"),
                ("c", "3"),
                ("upgrade", "h2c"),
            ],
            false,
        );
        let names: Vec<_> = kept.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "te"]);
        assert_eq!(kept[3].1, "trailers");
    }

    #[test]
    fn a_connection_header_cannot_remove_framing_or_host() {
        let lines = [
            ("connection", "content-length, host, transfer-encoding"),
            ("content-length", "3"),
            ("host", "h"),
        ];
        assert_eq!(stripped(&lines, false).len(), 2);
    }

    #[test]
    fn a_switch_to_http2_in_the_clear_is_not_passed_on() {
        let asks = |to| headers(&[("connection", "Upgrade, HTTP2-Settings"), ("upgrade", to)]);
        assert!(wants_upgrade(&asks("websocket")));
        assert!(!wants_upgrade(&asks("h2c")));
        assert!(!wants_upgrade(&asks("H2C, websocket")));
    }

    #[test]
    fn an_upgrade_keeps_what_it_needs() {
        let kept = stripped(&[("connection", "Upgrade"), ("upgrade", "websocket")], true);
        assert_eq!(
            kept,
            [
                ("upgrade".into(), "websocket".into()),
                ("connection".into(), "upgrade".into())
            ]
        );
    }
}
