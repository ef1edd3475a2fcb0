//! What the key `upstream` means: where the model server is and what it speaks.

use std::path::PathBuf;

use http::Uri;

use crate::capture::tls::UpstreamTls;
use crate::config::UpstreamTlsConfig;
use crate::config::plan::{PlanProblem, wrong};

/// Where the model server is, and what it speaks.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Where.
    pub place: Place,
    /// In which versions of HTTP requests go there.
    pub speaks: Speaks,
    /// Host and port for requests that name none.
    pub authority: Box<str>,
}

/// Where to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Over TCP.
    Tcp {
        /// Host name or address.
        host: Box<str>,
        /// Port.
        port: u16,
    },
    /// A socket in the file system.
    Unix(PathBuf),
}

/// In which versions of HTTP requests go to the model server.
#[derive(Clone, Debug)]
pub enum Speaks {
    /// HTTP/1.1; gRPC, which cannot, HTTP/2 with prior knowledge.
    Http1,
    /// HTTP/2 with prior knowledge, all of them.
    Http2,
    /// TLS: HTTP/1.1 for requests that came so, for others what the server chooses.
    Tls(UpstreamTls),
}

/// Works out what `upstream` says.
///
/// # Errors
///
/// When it is no address of a form that is spoken here, or the roots cannot be read.
pub fn upstream(text: &str, tls: &UpstreamTlsConfig) -> Result<Upstream, PlanProblem> {
    let bad = |why: &str| {
        let forms =
            "http://HOST:PORT, https://HOST:PORT, h2c://HOST:PORT, unix:/PATH or unix+h2c:/PATH";
        wrong("upstream", format!("`{text}` {why}; write {forms}"))
    };
    let given = tls.roots.is_some() || tls.name.is_some();
    if given && !text.starts_with("https://") {
        let message =
            "is for an upstream that begins with https://; take it out, or change upstream";
        return Err(wrong("upstream_tls", message));
    }
    let unix = [("unix:", Speaks::Http1), ("unix+h2c:", Speaks::Http2)];
    for (prefix, speaks) in unix {
        if let Some(path) = text.strip_prefix(prefix) {
            if !path.starts_with('/') || path.starts_with("//") {
                return Err(bad("has no path that begins at the root"));
            }
            return Ok(Upstream {
                place: Place::Unix(path.into()),
                speaks,
                authority: "localhost".into(),
            });
        }
    }
    let uri: Uri = text.parse().map_err(|_| bad("is not an address"))?;
    let default_port = match uri.scheme_str() {
        Some("http" | "h2c") => 80,
        Some("https") => 443,
        _ => return Err(bad("does not begin with a protocol that is spoken here")),
    };
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(bad("has a path, but requests pass with their own"));
    }
    let authority = uri.authority().map_or("", |a| a.as_str());
    if authority.contains('@') {
        return Err(bad("has a user in it"));
    }
    let host = uri
        .host()
        .filter(|h| !h.is_empty())
        .ok_or_else(|| bad("has no host"))?;
    let host = host.trim_matches(['[', ']']);
    let speaks = match uri.scheme_str() {
        Some("https") => {
            let name = tls.name.as_deref().unwrap_or(host);
            Speaks::Tls(UpstreamTls::new(name, tls.roots.as_deref())?)
        }
        Some("h2c") => Speaks::Http2,
        _ => Speaks::Http1,
    };
    Ok(Upstream {
        place: Place::Tcp {
            host: host.into(),
            port: uri.port_u16().unwrap_or(default_port),
        },
        speaks,
        authority: authority.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Upstream, String> {
        upstream(text, &UpstreamTlsConfig::default()).map_err(|e| e.to_string())
    }

    #[test]
    fn each_form_says_where_and_what_is_spoken_there() {
        let tcp = |host: &str, port| Place::Tcp {
            host: host.into(),
            port,
        };
        let http = read("http://model:9000").unwrap();
        assert_eq!(http.place, tcp("model", 9000));
        assert!(matches!(http.speaks, Speaks::Http1));
        assert_eq!(&*http.authority, "model:9000");
        let h2c = read("h2c://[::1]").unwrap();
        assert_eq!(h2c.place, tcp("::1", 80));
        assert!(matches!(h2c.speaks, Speaks::Http2));
        let unix = read("unix:/run/model.sock").unwrap();
        assert_eq!(unix.place, Place::Unix("/run/model.sock".into()));
        assert!(matches!(unix.speaks, Speaks::Http1));
        let unix = read("unix+h2c:/run/model.sock").unwrap();
        assert!(matches!(unix.speaks, Speaks::Http2));
    }

    #[test]
    fn what_is_no_place_is_refused_with_the_forms_there_are() {
        for (text, why) in [
            ("ftp://x", "does not begin with"),
            ("model:9000", "does not begin with"),
            ("http://", "is not an address"),
            ("http://x/y", "has a path"),
            ("http://user@x", "has a user"),
            ("unix:run/model.sock", "has no path"),
            ("unix://run/model.sock", "has no path"),
        ] {
            let message = read(text).unwrap_err();
            assert!(
                message.starts_with(&format!("upstream: `{text}` {why}")),
                "{message}"
            );
            assert!(
                message.ends_with("unix:/PATH or unix+h2c:/PATH"),
                "{message}"
            );
        }
    }

    #[test]
    fn trust_in_a_certificate_needs_an_upstream_that_shows_one() {
        let tls = UpstreamTlsConfig {
            name: Some("model".into()),
            roots: None,
        };
        let message = upstream("http://x", &tls).unwrap_err().to_string();
        assert!(message.starts_with("upstream_tls: "), "{message}");
    }
}
