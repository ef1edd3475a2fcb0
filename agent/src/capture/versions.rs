//! Requests that go on in another version of HTTP than they came in (RFC 9113, section 8).

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header};
use http_body::Body;

use crate::config::{Speaks, Upstream};

/// Turns a request that came by HTTP/2 into one for HTTP/1.1.
pub(super) fn to_http1<B: Body>(request: &mut Request<B>) {
    let authority = request.uri().authority().map(ToString::to_string);
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    *request.version_mut() = Version::HTTP_11;
    if let Some(host) = authority.and_then(|a| HeaderValue::from_str(&a).ok()) {
        request.headers_mut().insert(header::HOST, host);
    }
    join_cookies(request.headers_mut());
    if request.headers().contains_key(header::CONTENT_LENGTH) {
        return;
    }
    let usually_with_body = matches!(
        *request.method(),
        Method::POST | Method::PUT | Method::PATCH
    );
    match (request.body().is_end_stream(), usually_with_body) {
        (false, _) => {
            // Said so that hyper sends a body whatever the method.
            let chunked = HeaderValue::from_static("chunked");
            request
                .headers_mut()
                .insert(header::TRANSFER_ENCODING, chunked);
        }
        (true, true) => {
            let none = HeaderValue::from_static("0");
            request.headers_mut().insert(header::CONTENT_LENGTH, none);
        }
        (true, false) => {}
    }
}

/// HTTP/2 may send cookies in pieces; a server of HTTP/1.1 expects one line.
fn join_cookies(headers: &mut HeaderMap) {
    let cookies = headers.get_all(header::COOKIE).iter();
    let cookies: Vec<_> = cookies.map(HeaderValue::as_bytes).collect();
    if cookies.len() < 2 {
        return;
    }
    if let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

/// Turns any request into one for HTTP/2. Twice is as once.
pub(super) fn to_http2<B>(request: &mut Request<B>, upstream: &Upstream) {
    let headers = request.headers_mut();
    let host = headers.remove(header::HOST);
    headers.remove(header::TRANSFER_ENCODING);
    headers.remove(header::UPGRADE);
    headers.remove(header::CONNECTION);
    headers.remove(header::EXPECT);
    let host = host.and_then(|h| Authority::try_from(h.as_bytes()).ok());
    let own = || Authority::try_from(&*upstream.authority).ok();
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.authority = parts.authority.or(host).or_else(own);
    parts.scheme = Some(match upstream.speaks {
        Speaks::Http1 | Speaks::Http2 => Scheme::HTTP,
        Speaks::Tls(_) => Scheme::HTTPS,
    });
    let path = parts.path_and_query.take();
    parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    // All three parts are there, so this cannot fail.
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    *request.version_mut() = Version::HTTP_2;
}

#[cfg(test)]
mod tests {
    use http_body_util::{Empty, Full};

    use super::*;
    use crate::config::Place;

    fn came(body: Full<bytes::Bytes>) -> Request<Full<bytes::Bytes>> {
        let mut request = Request::new(body);
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = "http://model.example/v2/x?a=b".parse().unwrap();
        request
    }

    #[test]
    fn going_down_a_version_a_request_gets_one_host_one_cookie_line_and_one_framing() {
        let mut request = came(Full::from("body"));
        for pair in ["a=1", "b=2"] {
            request
                .headers_mut()
                .append(header::COOKIE, HeaderValue::from_static(pair));
        }
        to_http1(&mut request);
        assert_eq!(request.version(), Version::HTTP_11);
        assert_eq!(request.uri(), "/v2/x?a=b");
        assert_eq!(request.headers()[header::HOST], "model.example");
        assert_eq!(request.headers()[header::COOKIE], "a=1; b=2");
        assert_eq!(request.headers()[header::TRANSFER_ENCODING], "chunked");

        let mut empty = came(Full::default());
        *empty.method_mut() = Method::POST;
        to_http1(&mut empty);
        assert_eq!(empty.headers()[header::CONTENT_LENGTH], "0");
        assert!(!empty.headers().contains_key(header::TRANSFER_ENCODING));
    }

    #[test]
    fn going_up_a_version_a_request_loses_what_concerns_the_connection_and_twice_is_as_once() {
        let upstream = Upstream {
            place: Place::Unix("/x".into()),
            speaks: Speaks::Http2,
            authority: "localhost".into(),
        };
        let mut request = Request::get("/v2/x?a=b")
            .body(Empty::<bytes::Bytes>::new())
            .unwrap();
        for (name, value) in [
            (header::HOST, "model.example:80"),
            (header::TRANSFER_ENCODING, "chunked"),
            (header::EXPECT, "100-continue"),
        ] {
            request
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        for _ in 0..2 {
            to_http2(&mut request, &upstream);
            assert_eq!(request.uri(), "http://model.example:80/v2/x?a=b");
            assert!(request.headers().is_empty());
        }
        let mut nameless = Request::get("/")
            .body(Empty::<bytes::Bytes>::new())
            .unwrap();
        to_http2(&mut nameless, &upstream);
        assert_eq!(nameless.uri(), "http://localhost/");
    }
}
