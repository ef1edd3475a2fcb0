//! TLS on both sides: versions are chosen by ALPN, certificates change without a connection lost, and
//! a server that cannot show who it is gets nothing.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use clause9_agent::config::{AgentPlan, TlsConfig};
use h2::client::SendRequest;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::agent_world::{Model, ask, config, documents};
use crate::handover::Program;
use crate::streams_world::{Model2, agent_of, ask2, client_on, eventually, post};

fn certificates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates")
}

fn file(name: &str) -> PathBuf {
    certificates().join(name)
}

fn first() -> TlsConfig {
    TlsConfig {
        certificate: file("first.pem"),
        key: file("first.key"),
    }
}

fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file(name)).unwrap()
}

async fn connect(port: u16, offer: &[&str]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate("authority.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = offer.iter().map(|o| o.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let name = ServerName::try_from("agent.test").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.unwrap()
}

async fn connect_http2(port: u16) -> (SendRequest<Bytes>, CertificateDer<'static>) {
    let stream = connect(port, &["h2"]).await;
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    (client_on(stream).await, shown)
}

/// Sends a request that asks to close, and reads to the end.
async fn ask_http1(stream: &mut TlsStream<TcpStream>) -> String {
    let request = "GET /x HTTP/1.1\r\nHost: agent.test\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_choose_the_version_by_alpn_and_who_speaks_no_tls_gets_nothing() {
    let model =
        Model::start(|_, _| Some(b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n\r\nok".to_vec()));
    let (_folder, agent) = agent_of(|c| {
        c.upstream = Some(format!("http://127.0.0.1:{}", model.port));
        c.tls = Some(first());
    });
    let (mut sender, shown) = connect_http2(agent.port).await;
    assert_eq!(shown, certificate("first.pem"));
    assert_eq!(
        ask2(&mut sender, post("/x"), b"").await.unwrap().body,
        b"ok"
    );
    for offer in [&["http/1.1"][..], &[]] {
        let answer = ask_http1(&mut connect(agent.port, offer).await).await;
        assert!(answer.starts_with("HTTP/1.1 200 Fine\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    }
    let both = connect(agent.port, &["h2", "http/1.1"]).await;
    assert_eq!(both.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut plain = TcpStream::connect(("127.0.0.1", agent.port)).await.unwrap();
    plain
        .write_all(b"GET /plain HTTP/1.1\r\nHost: m\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
    agent.wait("clause9_tls_handshakes_failed_total", 1);
    let received = model.received.lock().unwrap();
    assert!(received.iter().all(|r| !r.head.contains("/plain")));
}

/// A server with TLS that offers these versions; HTTP/1.1 is answered by hand.
async fn server(offer: &[&str], certificate_file: &str) -> (u16, Model2, Arc<Mutex<Vec<String>>>) {
    let chain = vec![certificate(&format!("{certificate_file}.pem"))];
    let key = PrivateKeyDer::from_pem_file(file(&format!("{certificate_file}.key"))).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = offer.iter().map(|o| o.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (model, heads) = (Model2::start().await, Arc::new(Mutex::new(Vec::new())));
    let (served, log) = (model.clone(), Arc::clone(&heads));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, served, log) = (acceptor.clone(), served.clone(), Arc::clone(&log));
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    return served.serve(stream).await;
                }
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else {
                        return;
                    };
                    head.push(byte);
                }
                log.lock().unwrap().push(String::from_utf8(head).unwrap());
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
                stream.write_all(answer).await.unwrap();
                let _ = stream.shutdown().await;
            });
        }
    });
    (port, model, heads)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_tls_requests_go_on_in_their_own_version_if_the_server_speaks_it() {
    let (port, model, heads) = server(&["h2", "http/1.1"], "first").await;
    let (_folder, agent) = agent_of(|c| {
        c.upstream = Some(format!("https://127.0.0.1:{port}"));
        c.upstream_tls.roots = Some(file("authority.pem"));
        c.upstream_tls.name = Some("agent.test".into());
    });
    let mut sender = crate::streams_world::client(agent.port).await;
    assert_eq!(
        ask2(&mut sender, post("/echo"), b"2").await.unwrap().body,
        b"2"
    );
    assert_eq!(
        model.seen.lock().unwrap()[0].head.uri,
        "https://model.example/echo"
    );
    let answer = ask(
        agent.port,
        b"GET /One HTTP/1.1\r\nHost: m\r\nX-CASE: kept\r\n\r\n",
    );
    assert_eq!(answer.text(), "ok");
    assert_eq!(
        heads.lock().unwrap()[0],
        "GET /One HTTP/1.1\r\nHost: m\r\nX-CASE: kept\r\n\r\n"
    );

    let (port, model, heads) = server(&["http/1.1"], "first").await;
    let (_folder, agent) = agent_of(|c| {
        c.upstream = Some(format!("https://127.0.0.1:{port}"));
        c.upstream_tls.roots = Some(file("authority.pem"));
        c.upstream_tls.name = Some("agent.test".into());
    });
    let mut sender = crate::streams_world::client(agent.port).await;
    for _ in 0..2 {
        assert_eq!(
            ask2(&mut sender, post("/x"), b"").await.unwrap().body,
            b"ok"
        );
    }
    assert_eq!(heads.lock().unwrap().len(), 2);
    assert_eq!(model.connections.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_show_who_it_is_gets_no_request() {
    let (port, model, heads) = server(&["h2", "http/1.1"], "first").await;
    let attempts: [(Option<PathBuf>, &str); 2] = [
        (Some(file("authority.pem")), "other.test"),
        (Some(file("second.pem")), "agent.test"),
    ];
    for (roots, name) in attempts {
        let (_folder, agent) = agent_of(|c| {
            c.upstream = Some(format!("https://127.0.0.1:{port}"));
            c.upstream_tls.roots = roots;
            c.upstream_tls.name = Some(name.into());
        });
        let answer = ask(agent.port, b"GET /x HTTP/1.1\r\nHost: m\r\n\r\n");
        assert_eq!(answer.status(), 502, "{name}");
    }
    assert!(heads.lock().unwrap().is_empty());
    assert_eq!(model.connections.load(Ordering::SeqCst), 0);
}

#[test]
fn a_certificate_without_its_key_is_refused_before_anything_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let attempt = |certificate: &str, key: &str| {
        let mut config = config(folder.path(), 1, None);
        config.tls = Some(TlsConfig {
            certificate: file(certificate),
            key: file(key),
        });
        AgentPlan::new(config).unwrap_err().to_string()
    };
    let message = attempt("first.pem", "second.key");
    assert!(
        message.contains("first.pem") && message.contains("second.key"),
        "{message}"
    );
    assert!(message.contains("cannot be used together"), "{message}");
    assert!(attempt("first.key", "first.key").contains("holds no certificate"));
    assert!(attempt("first.pem", "first.pem").contains("holds no private key"));
    assert!(attempt("nowhere.pem", "first.key").contains("cannot read the tls.certificate file"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_taken_on_sighup_old_connections_live_on_and_a_wrong_one_is_not_taken()
{
    let model =
        Model::start(|_, _| Some(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()));
    let folder = tempfile::tempdir().unwrap();
    documents(folder.path());
    let put = |name: &str, what: &str| {
        std::fs::copy(file(what), folder.path().join(name)).unwrap();
    };
    put("c.pem", "first.pem");
    put("k.pem", "first.key");
    let more = "tls: { certificate: c.pem, key: k.pem }\n";
    let agent = Program::start(folder.path(), model.port, more, None);
    let (mut old, shown) = connect_http2(agent.port).await;
    assert_eq!(shown, certificate("first.pem"));
    assert_eq!(ask2(&mut old, post("/x"), b"").await.unwrap().body, b"ok");

    // Half of a change: key and certificate do not fit.
    put("c.pem", "second.pem");
    agent.signal("HUP");
    eventually("the log", || agent.said("the old certificate stays")).await;
    let (mut still, shown) = connect_http2(agent.port).await;
    assert_eq!(shown, certificate("first.pem"));
    assert_eq!(ask2(&mut still, post("/x"), b"").await.unwrap().body, b"ok");

    put("k.pem", "second.key");
    agent.signal("HUP");
    eventually("the log", || {
        agent.said("new connections get the new certificate")
    })
    .await;
    let (mut new, shown) = connect_http2(agent.port).await;
    assert_eq!(shown, certificate("second.pem"));
    for sender in [&mut old, &mut still, &mut new] {
        assert_eq!(ask2(sender, post("/x"), b"").await.unwrap().body, b"ok");
    }
    assert!(agent.terminate().success());
}
