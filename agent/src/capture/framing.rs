//! Requests that two readers could take for different ones are refused, never repaired.
//!
//! What hyper and h2 refuse while parsing never comes here: lengths that differ or are no numbers,
//! `transfer-encoding` in HTTP/1.0 or without `chunked` at its end, folded lines, spaces before a
//! colon, control bytes, fields of a connection in HTTP/2.

use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header};

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ambiguous {
    /// Coded otherwise than in chunks, or twice.
    Coding,
    /// No host, several, one that is none, or one beside another in the target.
    Host,
    /// A target that is none for this method.
    Target,
}

/// Looks at a request's head. A target that repeats the host loses it.
pub(super) fn settle<B>(request: &mut Request<B>) -> Result<(), Ambiguous> {
    if request.method() == Method::CONNECT {
        return Ok(());
    }
    check_coding(request)?;
    let host = the_host(request)?;
    let uri = request.uri();
    let streamed = request.version() == Version::HTTP_2;
    let path_fits =
        uri.path().starts_with('/') || uri.path() == "*" && request.method() == Method::OPTIONS;
    if !path_fits {
        return Err(Ambiguous::Target);
    }
    let named = uri.authority().map(|a| a.as_str().as_bytes());
    if let (Some(named), Some(host)) = (named, host)
        && !named.eq_ignore_ascii_case(host.as_bytes())
    {
        return Err(Ambiguous::Host);
    }
    match (named, host) {
        (None, None) if request.version() != Version::HTTP_10 => return Err(Ambiguous::Host),
        (Some(named), _) if !is_host(named) || named.is_empty() => return Err(Ambiguous::Host),
        _ => {}
    }
    if uri.scheme().is_some() && !streamed {
        absolute_to_origin(request)?;
    }
    Ok(())
}

/// Leaves the length out of an answer that comes in chunks, too, and tells whether it was there: chunks
/// win (RFC 9112, section 6.3), and whoever believed the other would read another answer.
pub(super) fn settle_answer(headers: &mut HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        && headers.remove(header::CONTENT_LENGTH).is_some()
}

fn check_coding<B>(request: &Request<B>) -> Result<(), Ambiguous> {
    let mut codings = request.headers().get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        (Some(_), _) => Err(Ambiguous::Coding),
    }
}

fn the_host<B>(request: &Request<B>) -> Result<Option<&HeaderValue>, Ambiguous> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => Ok(None),
        (Some(only), None) if is_host(only.as_bytes()) => Ok(Some(only)),
        (Some(_), _) => Err(Ambiguous::Host),
    }
}

/// Whether a name, an address or nothing, and perhaps a port (RFC 3986, section 3.2, without users).
fn is_host(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .all(|b| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(b))
}

fn absolute_to_origin<B>(request: &mut Request<B>) -> Result<(), Ambiguous> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    let known = [Scheme::HTTP, Scheme::HTTPS];
    if !parts.scheme.as_ref().is_some_and(|s| known.contains(s)) {
        return Err(Ambiguous::Target);
    }
    let path = parts.path_and_query.take();
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    if let Some(named) = parts.authority
        && !request.headers().contains_key(header::HOST)
    {
        let host = HeaderValue::from_str(named.as_str()).map_err(|_| Ambiguous::Host)?;
        request.headers_mut().insert(header::HOST, host);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(
        method: Method,
        version: Version,
        target: &str,
        headers: &[(&'static str, &'static str)],
    ) -> Result<(String, Option<String>), Ambiguous> {
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.version_mut() = version;
        *request.uri_mut() = target.parse().unwrap();
        for (name, value) in headers {
            request
                .headers_mut()
                .append(*name, HeaderValue::from_static(value));
        }
        settle(&mut request)?;
        let host = request.headers().get(header::HOST);
        Ok((
            request.uri().to_string(),
            host.map(|h| h.to_str().unwrap().to_owned()),
        ))
    }

    fn get(
        target: &str,
        headers: &[(&'static str, &'static str)],
    ) -> Result<(String, Option<String>), Ambiguous> {
        settled(Method::GET, Version::HTTP_11, target, headers)
    }

    #[test]
    fn a_request_names_exactly_one_host() {
        let kept = |host: &str| Ok(("/a".to_owned(), Some(host.to_owned())));
        assert_eq!(get("/a", &[("host", "m:80")]), kept("m:80"));
        assert_eq!(get("/a", &[("host", "[::1]:80")]), kept("[::1]:80"));
        assert_eq!(get("/a", &[("host", "")]), kept(""));
        for wrong in [
            &[][..],
            &[("host", "a"), ("host", "a")],
            &[("host", "a, b c")],
            &[("host", "a/b")],
            &[("host", "u@a")],
        ] {
            assert_eq!(get("/a", wrong), Err(Ambiguous::Host), "{wrong:?}");
        }
        let old = settled(Method::GET, Version::HTTP_10, "/a", &[]);
        assert_eq!(old, Ok(("/a".to_owned(), None)));
    }

    #[test]
    fn a_target_with_a_host_must_agree_with_the_header_and_becomes_one_without() {
        let both = get("http://M/a?b", &[("host", "m")]);
        assert_eq!(both, Ok(("/a?b".to_owned(), Some("m".to_owned()))));
        assert_eq!(get("http://evil/a", &[("host", "m")]), Err(Ambiguous::Host));
        assert_eq!(get("http://u@m/a", &[("host", "m")]), Err(Ambiguous::Host));
        assert_eq!(get("ftp://m/a", &[("host", "m")]), Err(Ambiguous::Target));
        assert_eq!(get("*", &[("host", "m")]), Err(Ambiguous::Target));
        assert_eq!(get("m:80", &[("host", "m:80")]), Err(Ambiguous::Target));
        let old = settled(Method::GET, Version::HTTP_10, "http://m/a", &[]);
        assert_eq!(old, Ok(("/a".to_owned(), Some("m".to_owned()))));
    }

    #[test]
    fn by_http2_the_host_may_come_in_two_ways_but_not_as_two() {
        let h2 = |target, headers| settled(Method::GET, Version::HTTP_2, target, headers);
        assert!(h2("http://m/a", &[]).is_ok());
        assert!(h2("http://m/a", &[("host", "m")]).is_ok());
        assert_eq!(h2("http://m/a", &[("host", "evil")]), Err(Ambiguous::Host));
        assert_eq!(h2("/a", &[]), Err(Ambiguous::Host));
    }

    #[test]
    fn an_answer_keeps_one_framing() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("3"));
        assert!(!settle_answer(&mut headers));
        assert_eq!(headers[header::CONTENT_LENGTH], "3");
        headers.insert(
            header::TRANSFER_ENCODING,
            HeaderValue::from_static("chunked"),
        );
        assert!(settle_answer(&mut headers) && !settle_answer(&mut headers));
        assert_eq!(headers.len(), 1);
    }

    #[test]
    fn nothing_but_one_chunked_coding_is_understood() {
        let coded = |headers: &[(&'static str, &'static str)]| {
            get("/a", &[&[("host", "m")], headers].concat()).map(|_| ())
        };
        assert_eq!(coded(&[("transfer-encoding", "Chunked")]), Ok(()));
        for wrong in ["gzip, chunked", "chunked, chunked", "identity", "xchunked"] {
            assert_eq!(
                coded(&[("transfer-encoding", wrong)]),
                Err(Ambiguous::Coding)
            );
        }
        let twice = [
            ("transfer-encoding", "chunked"),
            ("transfer-encoding", "chunked"),
        ];
        assert_eq!(coded(&twice), Err(Ambiguous::Coding));
    }
}
