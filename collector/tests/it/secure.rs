//! TLS at the collector: who gets in, who does not, and how certificates are replaced while it runs.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clause9_collector::Limits;
use clause9_collector::config::CollectorConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::http::{Answer, exchange};
use crate::world::{Agents, Files, Running, identity};

/// An encrypted connection.
pub(crate) type Secure = StreamOwned<ClientConnection, TcpStream>;

/// Connects as this client, or as nobody.
pub(crate) fn connect(running: &Running, client: Option<&str>) -> Secure {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(identity("authority.pem")).unwrap();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let own = CertificateDer::from_pem_file(identity(&format!("{name}.pem"))).unwrap();
            let key = PrivateKeyDer::from_pem_file(identity(&format!("{name}.key"))).unwrap();
            builder.with_client_auth_cert(vec![own], key).unwrap()
        }
    };
    let stream = TcpStream::connect(running.address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let name = "collector.test".try_into().unwrap();
    StreamOwned::new(
        ClientConnection::new(Arc::new(config), name).unwrap(),
        stream,
    )
}

/// Asks as this client; an error if there is no answer.
pub(crate) fn ask(
    running: &Running,
    client: Option<&str>,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> std::io::Result<Answer> {
    exchange(&mut connect(running, client), method, path, headers, body)
}

fn get(running: &Running, client: Option<&str>, path: &str) -> std::io::Result<Answer> {
    ask(running, client, "GET", path, "", b"")
}

/// The value of a series, over TLS.
pub(crate) fn metric(running: &Running, client: Option<&str>, series: &str) -> String {
    let text = get(running, client, "/metrics").unwrap().text();
    let value = text
        .lines()
        .find_map(|l| l.strip_prefix(series)?.strip_prefix(' '));
    value
        .unwrap_or_else(|| panic!("no {series} in\n{text}"))
        .to_owned()
}

/// Waits until so many handshakes are counted as failed: a client may know before the collector does.
fn handshakes_failed(running: &Running, client: Option<&str>, expected: &str) {
    let begun = Instant::now();
    let count = || {
        metric(
            running,
            client,
            "clause9_collector_tls_handshakes_failed_total",
        )
    };
    while count() != expected {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{} failed",
            count()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Files of a collector with TLS, with more of the section `tls`.
pub(crate) fn files(agents: &[u8], more: &str) -> Files {
    let files = Files::new("127.0.0.1:0", agents).and(&format!(
        "tls:\n  certificate: own.pem\n  key: own.key\n{more}"
    ));
    files.copy("own.pem", "server-1.pem");
    files.copy("own.key", "server-1.key");
    files.copy("roots.pem", "authority.pem");
    files
}

const CLIENTS: &str = "  clients: { roots: roots.pem }";

/// The certificate that a new connection is shown.
fn shown(running: &Running, client: Option<&str>) -> CertificateDer<'static> {
    let mut stream = connect(running, client);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    stream.conn.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}

fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(identity(name)).unwrap()
}

#[test]
fn batches_and_pages_come_over_tls_and_who_speaks_none_gets_no_answer() {
    let running = Running::on(files(&[1], ""));
    let batch = Agents::new().hourly(1, 0);
    let answer = ask(&running, None, "POST", "/v1/batches", "", &batch).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(get(&running, None, "/systems/loan").unwrap().status, 200);
    let plain = crate::http::request(running.address, "GET", "/live", b"");
    assert!(plain.is_err(), "an answer in the open");
    handshakes_failed(&running, None, "1");
}

#[test]
fn with_required_clients_only_those_get_in_whom_somebody_vouches_for() {
    let running = Running::on(files(&[1], CLIENTS));
    for good in ["client-a", "client-b", "client-two", "client-plain"] {
        assert_eq!(
            get(&running, Some(good), "/v1/systems").unwrap().status,
            200,
            "{good}"
        );
    }
    for bad in [
        None,
        Some("client-stranger"),
        Some("client-past"),
        Some("server-1"),
    ] {
        assert!(get(&running, bad, "/live").is_err(), "{bad:?}");
    }
    handshakes_failed(&running, Some("client-a"), "4");
}

#[test]
fn where_clients_are_not_required_nobody_is_taken_for_somebody_else() {
    let running = Running::on(files(
        &[1],
        "  clients: { roots: roots.pem, required: false }",
    ));
    assert_eq!(get(&running, None, "/live").unwrap().status, 200);
    assert_eq!(
        get(&running, Some("client-a"), "/live").unwrap().status,
        200
    );
    assert!(get(&running, Some("client-stranger"), "/live").is_err());
}

#[test]
fn new_certificates_are_taken_old_connections_live_on_and_half_a_change_changes_nothing() {
    let running = Running::on(files(&[1], ""));
    let mut old = connect(&running, None);
    let ask_again = "GET /live HTTP/1.1\r\nhost: t\r\n\r\n";
    let answered = |stream: &mut Secure| {
        stream.write_all(ask_again.as_bytes()).unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        let mut rest = Vec::new();
        while !rest.ends_with(b"live\n") {
            let mut byte = [0; 1];
            stream.read_exact(&mut byte).unwrap();
            rest.push(byte[0]);
        }
    };
    answered(&mut old);
    let not_after = "clause9_collector_certificate_not_after_timestamp_seconds";
    assert_eq!(metric(&running, None, not_after), "4733510400");

    running.files.copy("own.pem", "server-2.pem");
    running.reload();
    assert_eq!(
        shown(&running, None),
        certificate("server-1.pem"),
        "half of a change"
    );
    running.files.put("own.pem", "nonsense");
    running.reload();
    running.reload();
    assert_eq!(shown(&running, None), certificate("server-1.pem"));
    let reloads = |result: &str| {
        let series =
            format!("clause9_collector_reloads_total{{result=\"{result}\",what=\"certificates\"}}");
        metric(&running, None, &series)
    };
    assert_eq!(
        (reloads("failed"), reloads("loaded")),
        ("2".into(), "0".into()),
        "each once"
    );

    running.files.copy("own.pem", "server-2.pem");
    running.files.copy("own.key", "server-2.key");
    running.reload();
    assert_eq!(shown(&running, None), certificate("server-2.pem"));
    assert_eq!(metric(&running, None, not_after), "4417977600");
    assert_eq!(reloads("loaded"), "1");
    answered(&mut old);
}

#[test]
fn whoever_is_no_longer_vouched_for_gets_no_new_connection() {
    let running = Running::on(files(&[1], CLIENTS));
    assert_eq!(
        get(&running, Some("client-a"), "/live").unwrap().status,
        200
    );
    assert!(get(&running, Some("client-stranger"), "/live").is_err());
    running.files.copy("roots.pem", "other-authority.pem");
    running.reload();
    assert!(get(&running, Some("client-a"), "/live").is_err());
    assert_eq!(
        get(&running, Some("client-stranger"), "/live")
            .unwrap()
            .status,
        200
    );
}

#[test]
fn a_handshake_that_takes_too_long_is_cut_and_counted() {
    let limits = Limits {
        handshake: Duration::from_millis(300),
        ..Limits::default()
    };
    let running = Running::with_limits(files(&[1], ""), limits);
    let mut silent = TcpStream::connect(running.address).unwrap();
    silent
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
    let cut = metric(
        &running,
        None,
        "clause9_collector_connections_cut_total{reason=\"handshake\"}",
    );
    assert_eq!(cut, "1");
}

#[test]
fn more_silent_handshakes_than_places_keep_no_batch_out() {
    let limits = Limits {
        connections: 8,
        ..Limits::default()
    };
    let running = Running::with_limits(files(&[1], ""), limits);
    let held: Vec<_> = (0..24)
        .map(|_| TcpStream::connect(running.address).unwrap())
        .collect();
    let batch = Agents::new().hourly(1, 0);
    let answer = ask(&running, None, "POST", "/v1/batches", "", &batch).unwrap();
    assert_eq!(answer.status, 200);
    drop(held);
}

#[test]
fn an_old_connection_is_ended_with_an_answer_and_not_before() {
    let limits = Limits {
        age: Duration::ZERO,
        ..Limits::default()
    };
    let running = Running::with_limits(files(&[1], ""), limits);
    let mut stream = connect(&running, None);
    stream
        .write_all(b"GET /live HTTP/1.1\r\nhost: t\r\n\r\n")
        .unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let answer = String::from_utf8(all).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(answer.ends_with("live\n"), "{answer}");
}

#[test]
fn beyond_this_machine_it_listens_only_encrypted_and_if_somebody_must_show_who_they_are() {
    let tls = "tls: { certificate: own.pem, key: own.key";
    let optional = format!("{tls}, clients: {{ roots: roots.pem, required: false }} }}");
    for (more, lacks) in [
        (String::new(), Some("is not encrypted")),
        ("tokens: tokens.yaml".to_owned(), Some("is not encrypted")),
        (format!("{tls} }}"), Some("asks nobody who they are")),
        (optional.clone(), Some("asks nobody who they are")),
        (format!("{tls} }}\ntokens: tokens.yaml"), None),
        (format!("{optional}\ntokens: tokens.yaml"), None),
        (format!("{tls}, clients: {{ roots: roots.pem }} }}"), None),
    ] {
        let files = Files::new("0.0.0.0:9300", &[1]).and(&more);
        files.copy("own.pem", "server-1.pem");
        files.copy("own.key", "server-1.key");
        files.copy("roots.pem", "authority.pem");
        files.put("tokens.yaml", "tokens: []\n");
        let read = CollectorConfig::read(&files.config()).and_then(|c| c.resolve().map(drop));
        match (read, lacks) {
            (Ok(()), None) => {}
            (Err(error), Some(lacks)) => assert!(error.to_string().contains(lacks), "{error}"),
            (read, lacks) => panic!("{more}: {read:?}, {lacks:?}"),
        }
    }
}

#[test]
fn files_that_do_not_fit_are_refused_before_anything_is_served() {
    let attempt = |certificate: &str, key: &str, roots: &str| {
        let files = files(&[1], CLIENTS);
        files.copy("own.pem", certificate);
        files.copy("own.key", key);
        files.copy("roots.pem", roots);
        let read = CollectorConfig::read(&files.config()).and_then(|c| c.resolve().map(drop));
        read.unwrap_err().to_string()
    };
    let (good, key, root) = ("server-1.pem", "server-1.key", "authority.pem");
    assert!(attempt("server-2.pem", key, root).contains("cannot be used together"));
    assert!(attempt(key, key, root).contains("holds no certificate"));
    assert!(attempt(good, good, root).contains("holds no private key"));
    assert!(attempt(good, key, key).contains("roots.pem: holds no certificate"));
}
