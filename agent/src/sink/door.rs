//! The door of what is told: reads deliveries within bounds, hands each to the monitor as a whole, and
//! says what became of it. It is in no model's path: it waits, and says no when it must.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clause9_shared::service::Served;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version, header};
use hyper::body::Incoming;
use subtle::ConstantTimeEq;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot};

use crate::exchange::{Message, request_id};
use crate::monitor::Command;
use crate::service::{self, Answer, problem};
use crate::sink::otlp::{self, Form, Names, Signal, grpc};
use crate::sink::reading::{self, Read, Unread};
use crate::sink::{Account, Delivery, Item, Naming, Whole, shape};
use crate::telemetry::Telemetry;

/// How many of the longest deliveries may be in memory at once; shorter ones as many as weigh the same.
const AT_ONCE: usize = 4;
/// In how many bytes the memory for deliveries is counted.
const UNIT: usize = 1 << 10;
/// How many deliveries may wait for the monitor at once.
const WAITING: usize = 16;
/// How long a delivery waits for room, or for its turn at the monitor, before it is told to come again.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long deliveries under way may take to end when the agent stops.
const DRAIN: Duration = Duration::from_secs(5);
/// Before what a mirrored request's own path stands.
const MIRROR: &str = "/mirror";

/// The door.
pub struct Sink {
    /// What senders must show; none if everybody may send.
    token: Option<String>,
    /// Longest delivery.
    delivery: usize,
    /// Longest mirrored body.
    body: usize,
    event_time_header: Option<HeaderName>,
    naming: Naming,
    names: Names,
    telemetry: Telemetry,
    monitor: mpsc::Sender<Command>,
    room: Semaphore,
    turns: Semaphore,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").finish_non_exhaustive()
    }
}

/// Bounds of the door.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Longest delivery in bytes.
    pub delivery: usize,
    /// Longest mirrored body in bytes.
    pub body: usize,
}

impl Sink {
    /// A door to that monitor.
    pub fn new(
        token: Option<String>,
        bounds: Bounds,
        event_time_header: Option<HeaderName>,
        (naming, names): (Naming, Names),
        telemetry: Telemetry,
        monitor: mpsc::Sender<Command>,
    ) -> Self {
        Self {
            token,
            delivery: bounds.delivery,
            body: bounds.body,
            event_time_header,
            naming,
            names,
            telemetry,
            monitor,
            room: Semaphore::new(bounds.delivery.div_ceil(UNIT).saturating_mul(AT_ONCE)),
            turns: Semaphore::new(WAITING),
        }
    }

    /// Answers one request.
    pub(crate) async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        let called = request.version() == Version::HTTP_2 && grpc::is_call(request.headers());
        let answer = self.answer(request, called).await;
        let result = match answer.status() {
            StatusCode::OK => "taken",
            StatusCode::SERVICE_UNAVAILABLE => "busy",
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            StatusCode::UNAUTHORIZED => "unauthorized",
            StatusCode::INTERNAL_SERVER_ERROR => "failed",
            _ => "malformed",
        };
        let deliveries = &self.telemetry.sink_deliveries;
        deliveries.with_label_values(&[result]).inc();
        if called {
            return grpc::answer(answer).await;
        }
        answer
    }

    /// Waits until every delivery that was let in has its answer, or for as long as one may take.
    pub(crate) async fn drained(&self) {
        let all = self.delivery.div_ceil(UNIT).saturating_mul(AT_ONCE);
        let all = u32::try_from(all).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(DRAIN, self.room.acquire_many(all)).await;
        // Until the last answers are written.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    async fn answer(&self, request: Request<Incoming>, called: bool) -> Answer {
        let (head, path) = (request.headers(), request.uri().path());
        let mirrored = !called && is_mirrored(head, request.uri());
        let signal = if called {
            Signal::called(path)
        } else {
            Signal::of(path).filter(|_| !mirrored)
        };
        if !mirrored && signal.is_none() && (called || !matches!(path, "/" | "/records")) {
            let text = "there are /, /records, /v1/... and /mirror/...; see docs/ways-in.md";
            return problem(StatusCode::NOT_FOUND, text);
        }
        if !self.authorized(head.get(header::AUTHORIZATION)) {
            let text = "show the token as `authorization: Bearer TOKEN`";
            return problem(StatusCode::UNAUTHORIZED, text);
        }
        // A mirror copies whatever comes, which is judged by its path.
        if !mirrored && request.method() != Method::POST {
            return problem(StatusCode::METHOD_NOT_ALLOWED, "deliveries are posted");
        }
        let limit = if mirrored { self.body } else { self.delivery };
        let announced = head
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if !mirrored && announced.is_some_and(|length| length > limit) {
            let text = format!("the body is longer than {limit} bytes");
            return problem(StatusCode::PAYLOAD_TOO_LARGE, &text);
        }
        // What is packed may become as long as any other.
        let packed = !mirrored && head.contains_key(header::CONTENT_ENCODING);
        let takes = announced.filter(|_| !packed).unwrap_or(limit).min(limit);
        // Kept until the answer: what was parsed is in memory until the monitor is done with it.
        let Some(_room) = self.room(takes).await else {
            return busy("the agent is behind; send it again later");
        };
        if mirrored {
            return self.mirrored(request).await;
        }
        let (head, path) = (request.headers().clone(), request.uri().path().to_owned());
        let body = match service::body(request, limit).await {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        if let Some(signal) = signal {
            return self.exported(signal, &head, body, called).await;
        }
        let read = if path == "/records" {
            reading::records(&head, body, limit, &self.naming)
        } else {
            reading::events(&head, body, limit)
        };
        match read {
            Ok(read) => self.hand_over(read).await,
            Err(why) => refused(&why),
        }
    }

    /// Room for a delivery of that length; none if there is none for too long.
    async fn room(&self, length: usize) -> Option<SemaphorePermit<'_>> {
        let units = u32::try_from(length.div_ceil(UNIT).max(1)).ok()?;
        let waiting = tokio::time::timeout(PATIENCE, self.room.acquire_many(units));
        waiting.await.ok()?.ok()
    }

    /// The token as it is, or as the password of an address.
    fn authorized(&self, shown: Option<&HeaderValue>) -> bool {
        let Some(token) = &self.token else {
            return true;
        };
        let Some(shown) = shown.map(HeaderValue::as_bytes) else {
            return false;
        };
        let same = |shown: &[u8]| bool::from(shown.ct_eq(token.as_bytes()));
        if let Some(shown) = shown.strip_prefix(b"Bearer ") {
            return same(shown);
        }
        let basic = shown.strip_prefix(b"Basic ");
        let decoded = basic.and_then(|encoded| STANDARD.decode(encoded).ok());
        decoded.is_some_and(|pair| {
            let password = pair.iter().position(|b| *b == b':');
            password.is_some_and(|colon| same(&pair[colon + 1..]))
        })
    }

    /// A copy of a request, whose answer nobody copies.
    async fn mirrored(&self, request: Request<Incoming>) -> Answer {
        let target = request.uri().path_and_query().map_or("", |p| p.as_str());
        let target = match target.strip_prefix(MIRROR) {
            Some(rest) if rest.starts_with('/') => rest,
            Some(_) | None => target,
        };
        let Ok(target) = target.parse::<Uri>() else {
            return problem(StatusCode::BAD_REQUEST, "the path cannot be read");
        };
        let mut message = Message::of(request.headers());
        let told = self.event_time_header.as_ref();
        let told = told.and_then(|name| request.headers().get(name));
        let mut whole = Whole {
            key: None,
            at: told.and_then(|value| value.to_str().ok()?.parse().ok()),
            method: request.method().clone(),
            target: Some(target),
            service: None,
            request_id: request_id(request.headers()),
            request: Message::default(),
            response: None,
            served: Served::default(),
        };
        match service::body(request, self.body).await {
            Ok(body) => message.body = shape::body(body),
            // The request was made: it is counted as one that was too long.
            Err(answer) if answer.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                message.body.discard();
            }
            Err(answer) => return answer,
        }
        whole.request = message;
        self.hand_over(vec![Ok(vec![Item::Whole(Box::new(whole))])])
            .await
    }

    /// Takes in what OpenTelemetry exports, and answers as its protocol asks.
    async fn exported(
        &self,
        signal: Signal,
        head: &HeaderMap,
        body: Bytes,
        called: bool,
    ) -> Answer {
        let form = if called {
            Ok(Form::Protobuf)
        } else {
            Form::of(head)
        };
        let form = match form {
            Ok(form) => form,
            Err(why) => return refused(&why),
        };
        let read = if called {
            grpc::message(head, body).and_then(|(how, message)| {
                otlp::read(signal, form, &how, message, self.delivery, &self.names)
            })
        } else {
            otlp::read(signal, form, head, body, self.delivery, &self.names)
        };
        let export = match read {
            Ok(export) => export,
            // What is called says it behind its answer.
            Err(why) if called => return refused(&why),
            Err(why) => {
                let mut answer = refused(&why);
                let (Unread::Unsupported(why) | Unread::TooLong(why) | Unread::Malformed(why)) =
                    &why;
                *answer.body_mut() = Bytes::from(otlp::problem(form, why)).into();
                answer
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, form.media());
                return answer;
            }
        };
        let unused = &self.telemetry.sink_unused;
        unused
            .with_label_values(&[signal.as_str()])
            .inc_by(export.unused);
        let account = match self.taken(export.read).await {
            Ok(account) => account,
            Err(answer) => return *answer,
        };
        let first = account.items.iter().find(|listed| listed.fate == "refused");
        let why = first.map_or("", |listed| listed.why.as_str());
        let mut answer =
            Answer::new(Bytes::from(otlp::answer(signal, form, account.refused, why)).into());
        answer
            .headers_mut()
            .insert(header::CONTENT_TYPE, form.media());
        answer
    }

    /// Hands everything that could be read to the monitor at once, and tells what became of it.
    async fn hand_over(&self, read: Read) -> Answer {
        let account = match self.taken(read).await {
            Ok(account) => account,
            Err(answer) => return *answer,
        };
        let nothing = account.refused > 0 && account.taken + account.duplicate == 0;
        let status = if nothing {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::OK
        };
        service::json(status, &account)
    }

    async fn taken(&self, read: Read) -> Result<Account, Box<Answer>> {
        let mut account = Account::default();
        let (mut items, mut places) = (Vec::new(), Vec::new());
        for (place, one) in read.into_iter().enumerate() {
            match one {
                Ok(some) => {
                    places.extend(some.iter().map(|_| place));
                    items.extend(some);
                }
                Err(why) => account.refuse(place, why),
            }
        }
        if !items.is_empty() {
            // Kept until the monitor is done with it.
            let turn = tokio::time::timeout(PATIENCE, self.turns.acquire()).await;
            let Ok(Ok(_turn)) = turn else {
                return Err(busy("the monitor is behind; send it again later").into());
            };
            let (answer, fates) = oneshot::channel();
            let delivery = Delivery { items, answer };
            match self.monitor.try_send(Command::Delivery(delivery)) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    return Err(busy("the monitor is behind; send it again later").into());
                }
                Err(TrySendError::Closed(_)) => return Err(busy("the agent stops").into()),
            }
            let Ok(fates) = fates.await else {
                let text = "the monitor failed; what has an id can be sent again";
                return Err(problem(StatusCode::INTERNAL_SERVER_ERROR, text).into());
            };
            for (place, fate) in places.into_iter().zip(fates) {
                account.note(place, fate);
            }
        }
        account.sort();
        for (fate, count) in account.counts() {
            let items = &self.telemetry.sink_items;
            items.with_label_values(&[fate]).inc_by(count);
        }
        Ok(account)
    }
}

/// Whether a request is a copy: by its path, or by its host, as Envoy marks those it shadows, which it
/// sends to their own paths.
fn is_mirrored(head: &HeaderMap, target: &Uri) -> bool {
    let path = target.path();
    let host = head.get(header::HOST).and_then(|host| host.to_str().ok());
    // Over HTTP/2 it stands in the target.
    let host = host.or_else(|| target.authority().map(Authority::as_str));
    let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    let shadowed = [host, name]
        .iter()
        .flatten()
        .any(|host| host.ends_with("-shadow"));
    let named = path
        .strip_prefix(MIRROR)
        .is_some_and(|rest| rest.starts_with('/'));
    named || shadowed
}

/// The answer to what cannot be read.
fn refused(why: &Unread) -> Answer {
    match why {
        Unread::Unsupported(why) => problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, why),
        Unread::TooLong(why) => problem(StatusCode::PAYLOAD_TOO_LARGE, why),
        Unread::Malformed(why) => problem(StatusCode::BAD_REQUEST, why),
    }
}

/// Nothing was taken; the same may be sent again.
fn busy(why: &str) -> Answer {
    let mut answer = problem(StatusCode::SERVICE_UNAVAILABLE, why);
    answer
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}
