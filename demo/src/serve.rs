//! The model server: Open Inference Protocol v2 over HTTP/1.1, as real servers speak it. Knows
//! nothing of monitoring.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::model::Model;
use crate::oip::{self, InferRequest};

/// Largest request body in bytes.
const MAX_BODY: usize = 4 << 20;
/// Most connections at once; further ones wait in the listener's queue.
const MAX_CONNECTIONS: usize = 256;

/// Serves until the future is dropped.
pub(crate) async fn serve(listener: TcpListener, model: Model) -> anyhow::Result<Infallible> {
    let model = Arc::new(model);
    let places = Arc::new(tokio::sync::Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await?;
        let (stream, _) = listener.accept().await.context("cannot accept")?;
        // Without it small answers wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let model = Arc::clone(&model);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let model = Arc::clone(&model);
                async move { Ok::<_, Infallible>(respond(&model, request).await) }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "connection ended");
            }
            drop(place);
        });
    }
}

async fn respond(model: &Model, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, body) = route(model, request).await;
    let mut response = Response::new(Full::new(body.to_string().into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/json"),
    );
    response
}

fn error(status: StatusCode, what: impl Into<String>) -> (StatusCode, Value) {
    (status, json!({ "error": what.into() }))
}

async fn route(model: &Model, request: Request<Incoming>) -> (StatusCode, Value) {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (wanted, rest) = match parts[..] {
        ["v2"] => {
            let about = json!({ "name": "clause9-demo", "version": env!("CARGO_PKG_VERSION"), "extensions": [] });
            return only(&Method::GET, &request, about);
        }
        ["v2", "health", "live"] => return only(&Method::GET, &request, json!({ "live": true })),
        ["v2", "health", "ready"] => return only(&Method::GET, &request, json!({ "ready": true })),
        ["v2", "models", name, "versions", version, ..] => ((name, Some(version)), &parts[5..]),
        ["v2", "models", name, ..] => ((name, None), &parts[3..]),
        _ => return error(StatusCode::NOT_FOUND, "no such path"),
    };
    if wanted.0 != model.name || wanted.1.is_some_and(|v| v != model.version) {
        return error(
            StatusCode::NOT_FOUND,
            format!("Request for unknown model: '{}' is not found", wanted.0),
        );
    }
    match rest {
        [] => only(&Method::GET, &request, metadata(model)),
        ["ready"] => only(
            &Method::GET,
            &request,
            json!({ "name": model.name, "ready": true }),
        ),
        ["infer"] if request.method() == Method::POST => infer(model, request).await,
        ["infer"] => error(StatusCode::METHOD_NOT_ALLOWED, "use POST"),
        _ => error(StatusCode::NOT_FOUND, "no such path"),
    }
}

fn only(method: &Method, request: &Request<Incoming>, body: Value) -> (StatusCode, Value) {
    if request.method() == method {
        (StatusCode::OK, body)
    } else {
        error(StatusCode::METHOD_NOT_ALLOWED, format!("use {method}"))
    }
}

fn metadata(model: &Model) -> Value {
    let inputs: Vec<Value> = model
        .inputs
        .iter()
        .map(|i| json!({ "name": i.name, "datatype": oip::datatype(i), "shape": [-1, 1] }))
        .collect();
    json!({
        "name": model.name,
        "versions": [model.version],
        "platform": "clause9_demo_boosted_trees",
        "inputs": inputs,
        "outputs": [
            { "name": "probability", "datatype": "FP64", "shape": [-1, 1] },
            { "name": "decision", "datatype": "INT64", "shape": [-1, 1] },
        ],
    })
}

async fn infer(model: &Model, request: Request<Incoming>) -> (StatusCode, Value) {
    let Ok(body) = Limited::new(request.into_body(), MAX_BODY).collect().await else {
        return error(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is cut off or longer than {MAX_BODY} bytes"),
        );
    };
    let request: InferRequest = match serde_json::from_slice(&body.to_bytes()) {
        Ok(request) => request,
        Err(why) => {
            return error(
                StatusCode::BAD_REQUEST,
                format!("failed to parse the request JSON buffer: {why}"),
            );
        }
    };
    match oip::answer(model, request) {
        Ok(answer) => (StatusCode::OK, json!(answer)),
        Err(why) => error(StatusCode::BAD_REQUEST, why.0),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::case::CaseName;
    use crate::client::Connection;
    use crate::history::History;
    use crate::production::Production;

    async fn started() -> (SocketAddr, Production) {
        let case = CaseName::GermanCredit.case();
        let model = History::read(case).unwrap().model;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, model));
        let production = Production::read(case, None, None).unwrap();
        (address, production)
    }

    #[tokio::test]
    async fn rows_are_scored_over_a_socket_as_the_model_scores_them() {
        let (address, production) = started().await;
        let mut connection = Connection::to(address);
        let body = oip::body("r-1", &production.columns, &production.rows, &(0..5));
        let path = "/v2/models/german-credit/infer";
        let answer = connection.post(path, &[], body).await.unwrap();
        assert_eq!(answer.status, 200);
        let answer: oip::InferResponse = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.id.as_deref(), Some("r-1"));
        let model = History::read(CaseName::GermanCredit.case()).unwrap().model;
        let expected = model.score_all(&production.columns.part(&(0..5)));
        assert_eq!(
            answer.outputs[0].data,
            expected.iter().map(|s| Value::from(*s)).collect::<Vec<_>>()
        );
        for (score, decision) in expected.iter().zip(&answer.outputs[1].data) {
            assert_eq!(decision.as_i64(), Some(i64::from(*score >= 0.6)));
        }
    }

    #[tokio::test]
    async fn health_and_metadata_are_answered() {
        let mut connection = Connection::to(started().await.0);
        for path in ["/v2/health/live", "/v2/health/ready", "/v2"] {
            assert_eq!(
                connection.get(path, &[]).await.unwrap().status,
                200,
                "{path}"
            );
        }
        let about = connection
            .get("/v2/models/german-credit", &[])
            .await
            .unwrap();
        let about: Value = serde_json::from_slice(&about.body).unwrap();
        assert_eq!(about["inputs"].as_array().unwrap().len(), 19);
        assert_eq!(about["outputs"][0]["name"], "probability");
    }

    #[tokio::test]
    async fn mistakes_are_answered_as_real_servers_answer_them() {
        let (address, production) = started().await;
        let mut connection = Connection::to(address);
        let good = oip::body("r", &production.columns, &production.rows, &(0..1));
        let path = "/v2/models/german-credit/infer";
        let text = String::from_utf8(good.clone()).unwrap();
        for (path, body, status, words) in [
            ("/v2/models/other/infer", text.clone(), 404, "unknown model"),
            (
                "/v2/models/german-credit/versions/9/infer",
                text.clone(),
                404,
                "unknown model",
            ),
            (path, text[..text.len() / 2].into(), 400, "failed to parse"),
            (
                path,
                text.replace("purpose", "porpoise"),
                400,
                "unexpected inference input 'porpoise'",
            ),
            (
                path,
                text.replacen("FP64", "INT8", 1),
                400,
                "has datatype INT8, expected FP64",
            ),
            (
                path,
                text.replacen("[1,1]", "[2,1]", 1),
                400,
                "its shape says 2",
            ),
            (path, "{\"inputs\":[]}".into(), 400, "1 to 1024 rows"),
        ] {
            let answer = connection.post(path, &[], body.into()).await.unwrap();
            let said = String::from_utf8(answer.body.to_vec()).unwrap();
            assert_eq!(answer.status, status, "{said}");
            assert!(said.contains(words), "{said}");
        }
        assert_eq!(connection.get(path, &[]).await.unwrap().status, 405);
        let huge = vec![b' '; MAX_BODY + 1];
        assert_eq!(
            Connection::to(address)
                .post(path, &[], huge)
                .await
                .unwrap()
                .status,
            413
        );
        let nested = text.replacen("\"data\":[24.0]", "\"data\":[[24.0]]", 1);
        assert_ne!(nested, text);
        let answer = connection.post(path, &[], nested.into()).await.unwrap();
        assert_eq!(answer.status, 200);
    }
}
