//! What the collector refused, over the admin address: listed, shown, sent again, forgotten.

use std::sync::Arc;

use clause9_shared::digest::Digest;
use http::{HeaderMap, Method, StatusCode, header};
use serde::Serialize;

use crate::clock;
use crate::quarantine::{Listed, Quarantine};
use crate::service::{self, Answer, problem};

/// Where it is; what follows is the batch's name, and `/resend`.
pub(super) const PATH: &str = "/quarantine";

#[derive(Serialize)]
struct List {
    entries: Vec<Listed>,
    bytes: u64,
    /// Most bytes that are kept.
    most_bytes: u64,
}

/// What is asked for.
enum Asked {
    List,
    Show(Digest),
    Resend(Option<Digest>),
    Forget(Digest),
}

/// How many batches it was done to.
#[derive(Serialize)]
struct Done {
    resending: Option<usize>,
    forgotten: Option<usize>,
}

/// Answers a request for this path. Blocks on the disk only away from this thread.
pub(super) async fn handle(
    quarantine: Option<Arc<Quarantine>>,
    (method, rest): (&Method, &str),
    headers: &HeaderMap,
) -> Answer {
    let Some(quarantine) = quarantine else {
        return problem(
            StatusCode::NOT_FOUND,
            "this agent has no collector that could refuse anything",
        );
    };
    let asked = match asked(method, rest) {
        Ok(asked) => asked,
        Err(answer) => return *answer,
    };
    let changes = match asked {
        Asked::List | Asked::Show(_) => false,
        Asked::Resend(_) | Asked::Forget(_) => true,
    };
    // A page in somebody's browser can reach a loopback address, and says where it comes from.
    if changes && headers.contains_key(header::ORIGIN) {
        return problem(StatusCode::FORBIDDEN, "web pages may not ask for this");
    }
    match tokio::task::spawn_blocking(move || answer(&quarantine, &asked)).await {
        Ok(answer) => answer,
        Err(_) => problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the agent failed over this; see its log",
        ),
    }
}

fn asked(method: &Method, rest: &str) -> Result<Asked, Box<Answer>> {
    let named = |name: &str| -> Result<Digest, Box<Answer>> {
        name.parse().map_err(|_| {
            let text = "a batch is named by sha256: and 64 hex digits; /quarantine lists them";
            Box::new(problem(StatusCode::BAD_REQUEST, text))
        })
    };
    let parts: Vec<&str> = rest.split('/').skip(1).collect();
    let get = method == Method::GET || method == Method::HEAD;
    match parts[..] {
        [] if get => Ok(Asked::List),
        ["resend"] if method == Method::POST => Ok(Asked::Resend(None)),
        [name] if get => Ok(Asked::Show(named(name)?)),
        [name] if method == Method::DELETE => Ok(Asked::Forget(named(name)?)),
        [name, "resend"] if method == Method::POST => Ok(Asked::Resend(Some(named(name)?))),
        [] | [_] | [_, "resend"] => Err(Box::new(problem(
            StatusCode::METHOD_NOT_ALLOWED,
            "this method is not offered here",
        ))),
        _ => Err(Box::new(problem(
            StatusCode::NOT_FOUND,
            "there are /quarantine, /quarantine/BATCH, /quarantine/BATCH/resend and /quarantine/resend",
        ))),
    }
}

fn answer(quarantine: &Quarantine, asked: &Asked) -> Answer {
    let missing = || problem(StatusCode::NOT_FOUND, "no such batch is in quarantine");
    match asked {
        Asked::List => {
            let (_, bytes) = quarantine.size();
            let list = List {
                entries: quarantine.list(clock::wall()),
                bytes,
                most_bytes: quarantine.room(),
            };
            service::json(StatusCode::OK, &list)
        }
        Asked::Show(batch) => match quarantine.get(*batch, clock::wall()) {
            Ok(Some((_, Some(shown)))) => service::json(StatusCode::OK, &shown),
            Ok(Some((listed, None))) => service::json(StatusCode::OK, &listed),
            Ok(None) => missing(),
            Err(error) => {
                let text = format!("the disk does not give the batch back: {error}");
                problem(StatusCode::INTERNAL_SERVER_ERROR, &text)
            }
        },
        Asked::Resend(only) => match (quarantine.resend(*only), only) {
            (0, Some(_)) => missing(),
            (number, _) => done(StatusCode::ACCEPTED, Some(number), None),
        },
        Asked::Forget(batch) if !quarantine.holds(*batch) => missing(),
        Asked::Forget(batch) => {
            if quarantine.forget(*batch) {
                done(StatusCode::OK, None, Some(1))
            } else {
                problem(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the disk does not let go of its file; see the agent's log",
                )
            }
        }
    }
}

fn done(status: StatusCode, resending: Option<usize>, forgotten: Option<usize>) -> Answer {
    let done = Done {
        resending,
        forgotten,
    };
    service::json(status, &done)
}
