//! What OpenTelemetry's specification lets the environment say, as far as it is honoured here.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::Protocol;

/// What the environment says. Empty variables count as unset, as the specification asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Environment {
    pub(crate) endpoint: Option<String>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) service: Option<String>,
    pub(crate) resource: Vec<(String, String)>,
    pub(crate) interval: Option<Duration>,
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Result<Self, String> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads variables. An error names the variable, and never says its value.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let millis = |name: &str| {
            let value = set(name).map(|value| value.parse().map(Duration::from_millis));
            let value = value.transpose();
            value.map_err(|_| format!("the environment's `{name}` must be whole milliseconds"))
        };
        let pairs = |name: &str| {
            let found = set(name).map_or(Some(Vec::new()), |value| pairs(&value));
            found.ok_or_else(|| {
                format!("the environment's `{name}` must be KEY=VALUE pairs with commas between them, other characters as %XX")
            })
        };
        let protocol = match set("OTEL_EXPORTER_OTLP_PROTOCOL").as_deref() {
            None => None,
            Some("grpc") => Some(Protocol::Grpc),
            Some("http/protobuf") => Some(Protocol::Http),
            Some(_) => {
                return Err(
                    "the environment's `OTEL_EXPORTER_OTLP_PROTOCOL` must be grpc or http/protobuf"
                        .into(),
                );
            }
        };
        Ok(Self {
            endpoint: set("OTEL_EXPORTER_OTLP_ENDPOINT"),
            protocol,
            headers: pairs("OTEL_EXPORTER_OTLP_HEADERS")?,
            timeout: millis("OTEL_EXPORTER_OTLP_TIMEOUT")?,
            certificate: set("OTEL_EXPORTER_OTLP_CERTIFICATE").map(PathBuf::from),
            service: set("OTEL_SERVICE_NAME"),
            resource: pairs("OTEL_RESOURCE_ATTRIBUTES")?,
            interval: millis("OTEL_METRIC_EXPORT_INTERVAL")?,
        })
    }
}

/// `KEY=VALUE,KEY=VALUE` as in W3C Baggage, without its metadata.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let split = text
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty());
    split
        .map(|pair| {
            let (key, value) = pair.split_once('=')?;
            let key = key.trim();
            (!key.is_empty()).then_some(())?;
            Some((key.to_owned(), unescaped(value.trim())?))
        })
        .collect()
}

/// Undoes `%XX`.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let hex = after
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok())?;
        bytes.push(u8::from_str_radix(hex, 16).ok()?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &'static str, value: &'static str) -> Result<Environment, String> {
        Environment::read(|asked| (asked == name).then(|| value.to_owned()))
    }

    #[test]
    fn variables_are_read_as_the_specification_writes_them() {
        let headers = read("OTEL_EXPORTER_OTLP_HEADERS", "a=b%20c, x-d = e=f,");
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            headers.unwrap().headers,
            [pair("a", "b c"), pair("x-d", "e=f")]
        );
        let timeout = read("OTEL_EXPORTER_OTLP_TIMEOUT", "1500").unwrap().timeout;
        assert_eq!(timeout, Some(Duration::from_millis(1500)));
        assert_eq!(
            read("OTEL_EXPORTER_OTLP_PROTOCOL", "").unwrap(),
            Environment::default()
        );
    }

    #[test]
    fn what_cannot_be_read_is_named_and_never_shown() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=secret%zz"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "secret"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "secret"),
            ("OTEL_RESOURCE_ATTRIBUTES", "=secret"),
        ] {
            let said = read(name, value).unwrap_err();
            assert!(said.contains(name) && !said.contains("secret"), "{said}");
        }
    }
}
