//! HTTP/2 and gRPC through the agent: heads, messages, trailers and broken streams arrive as they were
//! sent, in both directions, and between versions.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use clause9_agent::decode::{Decoder, Decoders};
use clause9_agent::exchange::Exchange;
use clause9_shared::inference::Inference;
use clause9_shared::window::UndecodableReason;
use h2::Reason;
use http::{HeaderMap, Method, Request, Version};

use crate::agent_world::{Model, Running, ask, config, infer, toy, until};
use crate::streams_world::{
    Model2, agent_for, ask2, client, eventually, futures_ready, grpc, post, read_answer, send,
};

const ABORTED: &str = "clause9_exchanges_dropped_total{reason=\"aborted\"}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grpc_passes_with_its_messages_and_trailers_in_both_directions() {
    for scheme in ["h2c", "http"] {
        let model = Model2::start().await;
        let (_folder, agent) = agent_for(scheme, model.port);
        let mut sender = client(agent.port).await;
        futures_ready(&mut sender).await.unwrap();
        let mut request = grpc("/toy.Service/Infer");
        request
            .headers_mut()
            .insert("x-odd", "\u{e9}".parse().unwrap());
        let (answer, mut stream) = sender.send_request(request, false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "6".parse().unwrap());
        assert!(send(&mut stream, Bytes::from_static(b"\0\0\0\0\x03abc")).await);
        stream.send_trailers(trailers.clone()).unwrap();
        let got = read_answer(answer.await.unwrap()).await.unwrap();
        assert_eq!(got.body, b"\0\0\0\0\x03abc");
        assert_eq!(got.head.headers.len(), 1, "{:?}", got.head.headers);
        let status = got.trailers.unwrap();
        assert_eq!(status["grpc-status"], "0");
        assert_eq!(status["grpc-message"], "well%20done");
        let seen = model.seen.lock().unwrap().pop().unwrap();
        assert_eq!(seen.head.uri, "http://model.example/toy.Service/Infer");
        assert_eq!(seen.head.headers["te"], "trailers");
        assert_eq!(seen.head.headers.len(), 3, "{:?}", seen.head.headers);
        assert_eq!(seen.trailers, Some(trailers));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_trailers_alone_stays_one() {
    let model = Model2::start().await;
    let (_folder, agent) = agent_for("h2c", model.port);
    let mut sender = client(agent.port).await;
    let got = ask2(&mut sender, grpc("/only-trailers"), b"x")
        .await
        .unwrap();
    assert!(got.head_only && got.trailers.is_none());
    assert_eq!(got.head.headers["grpc-status"], "5");
    assert_eq!(got.head.headers.len(), 2, "{:?}", got.head.headers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_message_of_a_stream_is_answered_before_the_next_is_sent() {
    let model = Model2::start().await;
    let (_folder, agent) = agent_for("h2c", model.port);
    let mut sender = client(agent.port).await;
    let (answer, mut stream) = sender.send_request(grpc("/chat"), false).unwrap();
    let mut body = answer.await.unwrap().into_body();
    for n in 0..50_u8 {
        assert!(send(&mut stream, Bytes::from(vec![n; 5])).await);
        assert_eq!(body.data().await.unwrap().unwrap(), vec![n; 5]);
        body.flow_control().release_capacity(5).unwrap();
    }
    stream.send_data(Bytes::new(), true).unwrap();
    assert!(body.data().await.is_none());
    assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_cancels_cancels_at_the_model_server_and_is_counted_as_aborted() {
    let model = Model2::start().await;
    let (_folder, agent) = agent_for("h2c", model.port);
    let mut sender = client(agent.port).await;
    // Before the answer, with the request still being sent.
    let (answer, mut stream) = sender
        .send_request(post("/v2/models/wait/infer"), false)
        .unwrap();
    eventually("the request", || model.begun.load(Ordering::SeqCst) == 1).await;
    stream.send_reset(Reason::CANCEL);
    assert!(answer.await.is_err());
    eventually("the cancellation", || {
        model.resets.lock().unwrap().len() == 1
    })
    .await;
    // In the middle of the answer.
    let (answer, mut stream) = sender
        .send_request(post("/v2/models/open/infer"), true)
        .unwrap();
    let mut body = answer.await.unwrap().into_body();
    assert_eq!(body.data().await.unwrap().unwrap(), "begun");
    stream.send_reset(Reason::CANCEL);
    eventually("the cancellation", || {
        model.resets.lock().unwrap().len() == 2
    })
    .await;
    assert_eq!(*model.resets.lock().unwrap(), [Reason::CANCEL; 2]);
    agent.wait(ABORTED, 2);
    until("budget given back", || {
        agent.metric("clause9_capture_queue_bytes") == 0
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_a_client_breaks_off_never_looks_whole_to_the_model_server() {
    let model = Model2::start().await;
    let (_folder, agent) = agent_for("h2c", model.port);
    let mut sender = client(agent.port).await;
    for reason in [Reason::CANCEL, Reason::NO_ERROR, Reason::INTERNAL_ERROR] {
        let (answer, mut stream) = sender.send_request(grpc("/upload"), false).unwrap();
        let mut body = answer.await.unwrap().into_body();
        assert!(send(&mut stream, Bytes::from_static(b"half")).await);
        assert_eq!(body.data().await.unwrap().unwrap(), "half");
        stream.send_reset(reason);
    }
    eventually("three resets", || model.resets.lock().unwrap().len() == 3).await;
    assert!(model.seen.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_the_model_server_breaks_off_is_broken_off_for_the_client() {
    let model = Model2::start().await;
    let (_folder, agent) = agent_for("h2c", model.port);
    let mut sender = client(agent.port).await;
    for (path, reason) in [
        ("/refuse", Reason::REFUSED_STREAM),
        ("/calm", Reason::ENHANCE_YOUR_CALM),
        ("/half/cancel", Reason::CANCEL),
        ("/half/error", Reason::INTERNAL_ERROR),
        // No error, but no end either: it must not look whole.
        ("/half/none", Reason::INTERNAL_ERROR),
    ] {
        let error = ask2(&mut sender, post(path), b"").await.unwrap_err();
        assert!(error.is_reset() && error.is_remote(), "{path}: {error}");
        assert_eq!(error.reason(), Some(reason), "{path}");
    }
    // To a client of HTTP/1.1 that is no answer, or one that is visibly not whole.
    let refused = ask(agent.port, b"GET /refuse HTTP/1.1\r\nHost: m\r\n\r\n");
    assert_eq!(refused.status(), 502);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_http1_reach_a_server_of_http2_and_one_connection_serves_them_all() {
    let model = Model2::start().await;
    let (_folder, agent) = agent_for("h2c", model.port);
    for i in 0..20 {
        let body = format!("{i} of 20");
        let request = format!(
            "POST /echo?n={i} HTTP/1.1\r\nHost: m.example\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        );
        assert_eq!(ask(agent.port, request.as_bytes()).status(), 200);
    }
    eventually("all requests", || model.seen.lock().unwrap().len() == 20).await;
    let seen = model.seen.lock().unwrap().remove(3);
    // The server of HTTP/2 is not asked whether it wants a body: the agent does at once.
    let announced =
        b"POST /echo HTTP/1.1\r\nHost: m\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(ask(agent.port, announced).status(), 100);
    assert_eq!(seen.head.uri, "http://m.example/echo?n=3");
    assert_eq!(seen.body, b"3 of 20");
    assert!(seen.head.headers.is_empty(), "{:?}", seen.head.headers);
    assert_eq!(model.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_http2_reach_a_server_of_http1_with_one_framing() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::start(|request, _| {
        let body = request.body.len();
        Some(format!("HTTP/1.1 200 OK\r\nX-Got: {body}\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n2\r\nok\r\n0\r\n\r\n").into_bytes())
    });
    let agent = Running::start(config(folder.path(), model.port, None));
    let mut sender = client(agent.port).await;
    let received = || model.received.lock().unwrap().pop().unwrap();

    let got = ask2(&mut sender, post("/x?y"), b"body").await.unwrap();
    assert_eq!(
        (got.head.headers["x-got"].as_bytes(), &*got.body),
        (&b"14"[..], &b"ok"[..])
    );
    assert_eq!(got.head.headers.len(), 1, "{:?}", got.head.headers);
    let raw = received();
    assert_eq!(
        raw.head, "POST /x?y HTTP/1.1\r\nhost: model.example\r\ntransfer-encoding: chunked",
        "{}",
        raw.head
    );
    assert_eq!(raw.body, b"4\r\nbody\r\n0\r\n\r\n");

    let mut sized = post("/x");
    sized
        .headers_mut()
        .insert("content-length", "4".parse().unwrap());
    ask2(&mut sender, sized, b"body").await.unwrap();
    let raw = received();
    assert_eq!(
        (
            raw.header("content-length"),
            raw.header("transfer-encoding")
        ),
        (Some("4"), None)
    );

    ask2(&mut sender, post("/x"), b"").await.unwrap();
    assert_eq!(received().header("content-length"), Some("0"));

    // hyper would leave the body of a GET out unless told otherwise.
    let get = Request::get("http://model.example/g").body(()).unwrap();
    let got = ask2(&mut sender, get, b"body").await.unwrap();
    assert_eq!(got.head.headers["x-got"], "14");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_server_that_goes_away_after_each_request_costs_no_request() {
    let model = Model2::start_with(true).await;
    let (_folder, agent) = agent_for("h2c", model.port);
    let mut sender = client(agent.port).await;
    for i in 0..50 {
        let body = format!("{i}");
        // One that the server did not look at is refused, and may be sent again.
        let got = loop {
            match ask2(&mut sender, post("/echo"), body.as_bytes()).await {
                Err(e) if e.reason() == Some(Reason::REFUSED_STREAM) => {}
                got => break got.unwrap(),
            }
        };
        assert_eq!(got.body, body.as_bytes());
    }
    assert_eq!(model.seen.lock().unwrap().len(), 50);
    assert!(model.connections.load(Ordering::SeqCst) > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_rows_count_the_same_by_either_version() {
    let model = Model2::start().await;
    let (_folder, agent) = agent_for("h2c", model.port);
    let request = infer("one", 3, "");
    assert_eq!(ask(agent.port, &request).status(), 200);
    let body = request.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let mut sender = client(agent.port).await;
    let mut by_http2 = post("/v2/models/toy/infer");
    by_http2
        .headers_mut()
        .insert("content-type", "application/json".parse().unwrap());
    let got = ask2(&mut sender, by_http2, &request[body..]).await.unwrap();
    let direct = toy(&crate::agent_world::Raw {
        head: String::new(),
        body: request[body..].to_vec(),
    });
    assert!(direct.ends_with(&got.body));
    agent.wait("clause9_exchanges_total{fate=\"sampled\"}", 2);
    assert_eq!(agent.metric("clause9_rows_observed_total"), 6);
}

/// Understands nothing and keeps what it was shown.
struct Witness;

static SHOWN: Mutex<Vec<Exchange>> = Mutex::new(Vec::new());

impl Decoder for Witness {
    fn name(&self) -> &'static str {
        "witness"
    }

    fn matches(&self, _: &Method, path: &str) -> bool {
        path.starts_with("/toy.Service/") || path == "/only-trailers"
    }

    fn addressed<'a>(&self, _: &'a str) -> Option<&'a str> {
        None
    }

    fn decode(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason> {
        let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
        shown.push(exchange.clone());
        Err(UndecodableReason::Malformed)
    }
}

static WITNESS: Decoders = &[&Witness];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_captured_of_grpc_has_its_messages_its_status_and_its_version() {
    let model = Model2::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path(), 1, None);
    config.upstream = Some(format!("h2c://127.0.0.1:{}", model.port));
    let agent = Running::start_with(config, WITNESS);
    agent.set_clock("2020-01-01T00:00:30Z");
    let mut sender = client(agent.port).await;
    let mut packed = grpc("/toy.Service/Infer");
    packed
        .headers_mut()
        .insert("grpc-encoding", "gzip".parse().unwrap());
    ask2(&mut sender, packed, b"abc").await.unwrap();
    ask2(&mut sender, grpc("/only-trailers"), b"x")
        .await
        .unwrap();
    until("both", || SHOWN.lock().unwrap().len() == 2);
    // A call may fail before its request was sent to the end, and did not break off then.
    let (answer, mut rest) = sender.send_request(grpc("/only-trailers"), false).unwrap();
    read_answer(answer.await.unwrap()).await.unwrap();
    until("all", || SHOWN.lock().unwrap().len() == 3);
    rest.send_reset(Reason::CANCEL);
    let shown = SHOWN.lock().unwrap();
    let [echoed, failed, early] = &shown[..] else {
        panic!("three");
    };
    assert_eq!(
        early.response.trailers.as_ref().unwrap()["grpc-status"],
        "5"
    );
    assert_eq!(
        (
            &*echoed.request.body.joined(),
            &*echoed.response.body.joined()
        ),
        (&b"abc"[..], &b"abc"[..])
    );
    assert_eq!(echoed.request.grpc_encoding.as_ref().unwrap(), "gzip");
    assert_eq!(
        echoed.response.trailers.as_ref().unwrap()["grpc-status"],
        "0"
    );
    assert_eq!(
        (echoed.request.version, echoed.response.version),
        (Version::HTTP_2, Version::HTTP_2)
    );
    assert_eq!(
        failed.response.trailers.as_ref().unwrap()["grpc-status"],
        "5"
    );
    assert!(failed.response.body.is_empty());
}
