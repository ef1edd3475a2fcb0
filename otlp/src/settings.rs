//! What is configured, with the environment and the files that it names: everything that is needed to send. Shell.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clause9_shared::time::Span;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use crate::config::{OtlpConfig, Protocol};
use crate::environment::Environment;

/// Longest file with a header's value in bytes.
const MAX_HEADER_FILE: usize = 16 << 10;
/// Longest file with certificates in bytes.
const MAX_ROOTS_FILE: usize = 4 << 20;
/// Most headers of the configuration or the environment, and most attributes of the resource.
const MAX_PAIRS: usize = 64;
/// Most events or spans that may wait.
const MAX_QUEUE: usize = 100_000;
/// Events that may wait, and spans, if nothing is said: as OpenTelemetry's own processors have it.
const QUEUE: usize = 2048;
/// As the specification has it.
const TIMEOUT: Duration = Duration::from_secs(10);
/// As the specification has it.
const INTERVAL: Duration = Duration::from_mins(1);
/// Shortest interval and timeout, so that nothing turns round and round.
const SHORTEST: Duration = Duration::from_millis(10);
/// Longest of both.
const LONGEST: Duration = Duration::from_hours(24);

/// Where to send, how, and as whom.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) endpoint: Endpoint,
    pub(crate) protocol: Protocol,
    pub(crate) headers: HeaderMap,
    pub(crate) timeout: Duration,
    pub(crate) interval: Duration,
    pub(crate) resource: Vec<(String, String)>,
    pub(crate) queue: usize,
    pub(crate) ratio: Option<f64>,
}

/// Where a receiver listens.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As a request names it.
    pub(crate) authority: String,
    /// Before `/v1/metrics`, without a last slash.
    pub(crate) path: String,
    pub(crate) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// Who sends: what the resource says of the program itself.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// `service.name` if nobody says another one.
    pub name: &'static str,
    /// `service.version`.
    pub version: &'static str,
}

impl Settings {
    /// Puts together what is configured, what the environment says and what the files hold. Paths of the configuration
    /// start from `base`. An error says what is wrong, and never a header's value.
    pub fn new(
        config: &OtlpConfig,
        base: &Path,
        environment: Environment,
        service: Service,
    ) -> Result<Self, String> {
        let protocol = config
            .protocol
            .or(environment.protocol)
            .unwrap_or(Protocol::Http);
        let address = config.endpoint.clone().or(environment.endpoint);
        let address = address.unwrap_or_else(|| {
            let port = match protocol {
                Protocol::Http => 4318,
                Protocol::Grpc => 4317,
            };
            format!("http://localhost:{port}")
        });
        let roots = config.tls.as_ref().and_then(|tls| tls.roots.as_ref());
        let roots = roots.map(|path| base.join(path));
        let roots = roots.or(environment.certificate);
        let endpoint = Endpoint::new(&address, protocol, roots.as_deref())?;
        let headers = headers(config, base, environment.headers)?;
        if !headers.is_empty() && endpoint.tls.is_none() && !endpoint.is_this_machine() {
            return Err(format!(
                "`otlp.headers` would be sent to {} in the clear; write `https://` in `otlp.endpoint`, or use a loopback address",
                endpoint.host
            ));
        }
        let ratio = config.traces.map(|traces| traces.ratio);
        if ratio.is_some_and(|ratio| !(0.0..=1.0).contains(&ratio)) {
            return Err("`otlp.traces.ratio` must be 0 to 1".into());
        }
        let queue = config.queue.unwrap_or(QUEUE);
        if !(1..=MAX_QUEUE).contains(&queue) {
            return Err(format!("`otlp.queue` must be 1 to {MAX_QUEUE}"));
        }
        Ok(Self {
            endpoint,
            protocol,
            headers,
            timeout: length("timeout", config.timeout, environment.timeout, TIMEOUT)?,
            interval: length("interval", config.interval, environment.interval, INTERVAL)?,
            resource: resource(config, environment.service, environment.resource, service)?,
            queue,
            ratio,
        })
    }

    /// Share of the traces that begin here that is kept; none if there are no traces.
    pub const fn ratio(&self) -> Option<f64> {
        self.ratio
    }
}

fn length(
    key: &str,
    configured: Option<Span>,
    environment: Option<Duration>,
    default: Duration,
) -> Result<Duration, String> {
    let configured =
        configured.map(|span| Duration::from_micros(u64::try_from(span.micros()).unwrap_or(0)));
    let length = configured.or(environment).unwrap_or(default);
    if (SHORTEST..=LONGEST).contains(&length) {
        return Ok(length);
    }
    Err(format!(
        "`otlp.{key}` must be 10ms to 1d, wherever it is said"
    ))
}

impl Endpoint {
    fn new(address: &str, protocol: Protocol, roots: Option<&Path>) -> Result<Self, String> {
        let bad = |why: &str| {
            format!("`otlp.endpoint` {why}; write http://HOST:PORT or https://HOST:PORT")
        };
        let uri: Uri = address.parse().map_err(|_| bad("is no address"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(bad("names no scheme and host"));
        };
        let encrypted = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(bad("has another scheme")),
        };
        if authority.as_str().contains('@') {
            return Err(bad(
                "holds a user: secrets belong into files (`otlp.headers`)",
            ));
        }
        if uri.query().is_some() {
            return Err(bad("has a query"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = match (uri.port_u16(), protocol, encrypted) {
            (Some(port), _, _) => port,
            (None, Protocol::Grpc, _) => 4317,
            (None, Protocol::Http, false) => 80,
            (None, Protocol::Http, true) => 443,
        };
        let path = uri.path().trim_end_matches('/').to_owned();
        if protocol == Protocol::Grpc && !path.is_empty() {
            return Err(bad("has a path, which gRPC has no use for"));
        }
        let tls = if encrypted {
            let name = ServerName::try_from(host.clone()).map_err(|_| bad("names no host"))?;
            Some((Arc::new(client(protocol, roots)?), name))
        } else {
            None
        };
        Ok(Self {
            authority: authority.as_str().to_owned(),
            host,
            port,
            path,
            tls,
        })
    }

    fn is_this_machine(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        address.map_or(self.host == "localhost", |address| address.is_loopback())
    }
}

fn client(protocol: Protocol, roots: Option<&Path>) -> Result<ClientConfig, String> {
    let mut store = RootCertStore::empty();
    if let Some(path) = roots {
        let bad = |why: &str| format!("`otlp.tls.roots`: {} {why}", path.display());
        let pem = read(path, MAX_ROOTS_FILE, "otlp.tls.roots")?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        for root in found.map_err(|_| bad("is no PEM, or damaged"))? {
            let added = store.add(root);
            added.map_err(|e| {
                bad(&format!(
                    "holds a certificate that cannot vouch for others: {e}"
                ))
            })?;
        }
    } else {
        let found = rustls_native_certs::load_native_certs().certs;
        store.add_parsable_certificates(found);
    }
    if store.is_empty() {
        return Err("`otlp.endpoint` is `https`, and nobody is trusted: name the certificates in `otlp.tls.roots`".into());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("`otlp.tls`: {e}"))?;
    let mut client = builder.with_root_certificates(store).with_no_client_auth();
    client.alpn_protocols = match protocol {
        Protocol::Http => vec![b"http/1.1".to_vec()],
        Protocol::Grpc => vec![b"h2".to_vec()],
    };
    Ok(client)
}

/// Headers of files before those of the environment.
fn headers(
    config: &OtlpConfig,
    base: &Path,
    environment: Vec<(String, String)>,
) -> Result<HeaderMap, String> {
    if config.headers.len() > MAX_PAIRS || environment.len() > MAX_PAIRS {
        return Err(format!("`otlp.headers`: more than {MAX_PAIRS} headers"));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in environment {
        put(&mut headers, &name, value.as_bytes())?;
    }
    for (name, path) in &config.headers {
        let bytes = read(&base.join(path), MAX_HEADER_FILE, "otlp.headers")?;
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        put(
            &mut headers,
            name,
            bytes.strip_suffix(b"\r").unwrap_or(bytes),
        )?;
    }
    Ok(headers)
}

fn put(headers: &mut HeaderMap, name: &str, value: &[u8]) -> Result<(), String> {
    let bad = |why: &str| format!("`otlp.headers`: `{}` {why}", name.escape_debug());
    let known = HeaderName::try_from(name).map_err(|_| bad("is no name of a header"))?;
    if OURS.contains(&known.as_str()) {
        return Err(bad("is written by the exporter itself"));
    }
    let value = HeaderValue::from_bytes(value);
    let mut value = value.map_err(|_| bad("has a value that no header can have"))?;
    value.set_sensitive(true);
    headers.insert(known, value);
    Ok(())
}

/// Headers that say how a request is sent.
const OURS: [&str; 8] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "grpc-encoding",
    "host",
    "te",
    "transfer-encoding",
];

/// What is said of who sends: the configuration before `OTEL_SERVICE_NAME` before `OTEL_RESOURCE_ATTRIBUTES`.
fn resource(
    config: &OtlpConfig,
    name: Option<String>,
    environment: Vec<(String, String)>,
    service: Service,
) -> Result<Vec<(String, String)>, String> {
    let own = [
        ("service.name", service.name),
        ("service.version", service.version),
    ];
    let own = own.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let mut all: std::collections::BTreeMap<_, _> = own.into_iter().collect();
    all.extend(environment);
    all.extend(name.map(|name| ("service.name".to_owned(), name)));
    all.extend(config.resource.clone());
    if all.len() > MAX_PAIRS {
        return Err(format!("`otlp.resource`: more than {MAX_PAIRS} attributes"));
    }
    Ok(all.into_iter().collect())
}

fn read(path: &Path, most: usize, key: &str) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(most as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|e| format!("`{key}`: cannot read {}: {e}", path.display()))?;
    if bytes.len() > most {
        return Err(format!(
            "`{key}`: {} is longer than {most} bytes; is it the right file?",
            path.display()
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: Service = Service {
        name: "clause9-test",
        version: "1",
    };

    fn settings(
        change: impl FnOnce(&mut OtlpConfig),
        variables: &[(&str, &str)],
    ) -> Result<Settings, String> {
        let mut config = OtlpConfig::default();
        change(&mut config);
        let environment = Environment::read(|asked| {
            let found = variables.iter().find(|(name, _)| *name == asked);
            found.map(|(_, value)| (*value).to_owned())
        });
        Settings::new(&config, Path::new("nowhere"), environment?, SERVICE)
    }

    #[test]
    fn what_is_configured_comes_before_what_the_environment_says() {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=b"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "2500"),
            ("OTEL_SERVICE_NAME", "named"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,k=v"),
        ];
        let said = settings(|_| (), &variables).unwrap();
        assert_eq!((said.endpoint.port, said.protocol), (1, Protocol::Grpc));
        assert_eq!(said.timeout, Duration::from_millis(1500));
        assert_eq!(said.interval, Duration::from_millis(2500));
        assert_eq!(said.headers.get("a").unwrap(), "b");
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let version = pair("service.version", "1");
        let named = [pair("k", "v"), pair("service.name", "named"), version];
        assert_eq!(said.resource, named);
        let configured = settings(
            |config| {
                config.endpoint = Some("http://127.0.0.1:2/a/".into());
                config.protocol = Some(Protocol::Http);
                config.timeout = Some("3s".parse().unwrap());
                config.interval = Some("4s".parse().unwrap());
                config.resource = [pair("service.name", "configured")].into();
            },
            &variables,
        );
        let configured = configured.unwrap();
        assert_eq!(
            (configured.endpoint.port, configured.endpoint.path.as_str()),
            (2, "/a")
        );
        assert_eq!(configured.timeout, Duration::from_secs(3));
        assert_eq!(configured.interval, Duration::from_secs(4));
        assert!(
            configured
                .resource
                .contains(&pair("service.name", "configured"))
        );
    }

    #[test]
    fn without_a_word_it_is_this_machine_by_http() {
        let said = settings(|_| (), &[]).unwrap();
        assert_eq!(
            (said.endpoint.host.as_str(), said.endpoint.port),
            ("localhost", 4318)
        );
        let grpc = settings(|config| config.protocol = Some(Protocol::Grpc), &[]);
        assert_eq!(grpc.unwrap().endpoint.port, 4317);
    }

    #[test]
    fn what_cannot_be_used_is_said_with_its_key() {
        let endpoint = |address: &str| {
            let address = address.to_owned();
            settings(|config| config.endpoint = Some(address), &[]).unwrap_err()
        };
        assert!(endpoint("localhost:4318").starts_with("`otlp.endpoint`"));
        assert!(endpoint("ftp://a:1").starts_with("`otlp.endpoint` has another scheme"));
        let said = endpoint("http://me:s3cret@a:1");
        assert!(
            said.contains("holds a user") && !said.contains("s3cret"),
            "{said}"
        );
        assert!(endpoint("http://a:1/?b").starts_with("`otlp.endpoint` has a query"));
        let said = settings(
            |config| {
                config.endpoint = Some("http://a:1/b".into());
                config.protocol = Some(Protocol::Grpc);
            },
            &[],
        );
        assert!(said.unwrap_err().contains("has a path"));
        for (change, key) in [
            (
                (|c| c.queue = Some(0)) as fn(&mut OtlpConfig),
                "`otlp.queue`",
            ),
            (|c| c.timeout = Some(Span::ZERO), "`otlp.timeout`"),
            (|c| c.interval = Some(Span::from_days(2)), "`otlp.interval`"),
            (
                |c| c.traces = Some(crate::TracesConfig { ratio: 1.5 }),
                "`otlp.traces.ratio`",
            ),
            (
                |c| c.headers = [("host".into(), "f".into())].into(),
                "`otlp.headers`",
            ),
            (
                |c| c.headers = [("a b".into(), "/dev/null".into())].into(),
                "`otlp.headers`",
            ),
        ] {
            let said = settings(change, &[]).unwrap_err();
            assert!(said.starts_with(key), "{said}");
        }
        let said = settings(
            |config| {
                config.endpoint = Some("https://a:1".into());
                let roots = Some("/dev/null".into());
                config.tls = Some(crate::OtlpTlsConfig { roots });
            },
            &[],
        );
        assert!(said.unwrap_err().contains("nobody is trusted"));
    }
}
