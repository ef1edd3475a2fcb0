//! Asks whoever comes for what the route needs, before anything of the request is looked at. Shell.

use std::sync::Arc;

use axum::extract::{FromRef as _, Query, RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::{About, Denied, Needs, Route, Scope, agent};
use crate::config::TokensSource;
use crate::held::Held;
use crate::serve::{Hub, Shared};

/// What requests are held against.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    /// The tokens; none: whoever reaches the collector may read.
    pub(crate) tokens: Option<Arc<Held<TokensSource>>>,
    /// The one token of `outcomes.token_file`.
    pub(crate) outcomes: Option<Arc<str>>,
    /// Whether the collector can be reached from other machines.
    pub(crate) beyond: bool,
}

/// Lets a request pass, or answers why not.
pub(crate) async fn pass(
    State((hub, route)): State<(Hub, Route)>,
    params: RawPathParams,
    request: Request,
    next: Next,
) -> Response {
    let shared = Shared::from_ref(&hub);
    let scope = match route.needs {
        Needs::Nothing | Needs::Signature => return next.run(request).await,
        Needs::Scope(scope) | Needs::AgentOr(scope) => scope,
    };
    let system = match route.about {
        About::Everything => None,
        About::Path => params
            .iter()
            .find(|(k, _)| *k == "id")
            .map(|(_, v)| v.to_owned()),
        About::Query => asked_for(request.uri()),
    };
    let signed = matches!(route.needs, Needs::AgentOr(_))
        .then(|| agent::admit(&shared, &request, system.as_deref()))
        .flatten();
    let decided = match signed {
        Some(admitted) => admitted.map_err(|why| Refusal::Denied(Denied::Agent(why))),
        None => decide(&shared, &request, scope, system.as_deref()),
    };
    match decided {
        Ok(()) => next.run(request).await,
        Err(Refusal::NoWay) => {
            let why = "no token is configured: set `outcomes.token_file` or `tokens` in the collector's configuration, or post to an agent";
            (StatusCode::FORBIDDEN, axum::Json(json!({ "error": why }))).into_response()
        }
        Err(Refusal::Denied(denied)) => {
            if scope == Scope::Outcomes {
                shared.telemetry.count_forwarded("unauthorized", 1);
            }
            deny(&shared, &route, &denied)
        }
    }
}

enum Refusal {
    /// There is nothing that could be shown.
    NoWay,
    Denied(Denied),
}

fn decide(
    shared: &Shared,
    request: &Request,
    scope: Scope,
    system: Option<&str>,
) -> Result<(), Refusal> {
    let gate = &shared.gate;
    let shown = shown(request.headers(), request.method());
    if scope == Scope::Outcomes
        && let (Some(token), Some(shown)) = (&gate.outcomes, &shown)
        && bool::from(shown.ct_eq(token.as_bytes()))
    {
        return Ok(());
    }
    let tokens = match (&gate.tokens, scope) {
        (Some(tokens), _) => tokens.now(),
        // Who shows no token reads by the certificate, or sits at this machine. A certificate alone tells no person.
        (None, Scope::Write) if gate.beyond => return Err(Refusal::Denied(Denied::NoToken)),
        (None, Scope::Read | Scope::Audit | Scope::Write) => return Ok(()),
        (None, Scope::Outcomes) => {
            return Err(match (&gate.outcomes, shown) {
                (None, _) => Refusal::NoWay,
                (Some(_), None) => Refusal::Denied(Denied::NoToken),
                (Some(_), Some(_)) => Refusal::Denied(Denied::Unknown),
            });
        }
    };
    let allowed = tokens.allow(shown.as_deref(), scope, system, shared.clock.now());
    allowed.map(|_| ()).map_err(Refusal::Denied)
}

/// The secret that a request shows: as a bearer, or for reading as the password that a browser asks for, with any
/// name. A browser sends that on its own, so nothing can be changed by it.
fn shown(headers: &HeaderMap, method: &Method) -> Option<Vec<u8>> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    if let Some(secret) = value.strip_prefix(b"Bearer ") {
        return Some(secret.to_vec());
    }
    if !method.is_safe() {
        return None;
    }
    let pair = STANDARD.decode(value.strip_prefix(b"Basic ")?).ok()?;
    let colon = pair.iter().position(|b| *b == b':')?;
    Some(pair[colon + 1..].to_vec())
}

/// The system that a query asks for. Said twice it is none, which is all of them: nobody chooses here which one counts.
fn asked_for(uri: &Uri) -> Option<String> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    let mut systems = pairs.into_iter().filter(|(key, _)| key == "system");
    match (systems.next(), systems.next()) {
        (Some((_, only)), None) => Some(only),
        (_, _) => None,
    }
}

fn deny(shared: &Shared, route: &Route, denied: &Denied) -> Response {
    shared.telemetry.count_denied(denied.reason());
    tracing::debug!(
        path = route.path,
        reason = denied.reason(),
        "a request was not let in"
    );
    let status = match denied {
        Denied::NoToken | Denied::Unknown | Denied::Expired(_) => StatusCode::UNAUTHORIZED,
        Denied::Scope(_) | Denied::System | Denied::Agent(_) => StatusCode::FORBIDDEN,
    };
    let body = axum::Json(json!({ "error": denied.to_string() }));
    let mut response = (status, body).into_response();
    if status == StatusCode::UNAUTHORIZED {
        // A browser asks a person for a password; a program knows what a bearer is.
        let page = !route.path.starts_with("/v1/") && route.path != "/metrics";
        let way = if page {
            "Basic realm=\"clause9\", charset=\"UTF-8\""
        } else {
            "Bearer"
        };
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(way));
    }
    response
}
