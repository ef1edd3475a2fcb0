//! `POST /v1/agents`: lets agents in who show a token, and takes hand-overs of keys. Shell.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use clause9_shared::digest::Digest;
use clause9_shared::ids::AgentId;
use clause9_shared::wire::enrol::{self, Answer, MAX_REQUEST, Opened, Shown};
use serde_json::json;
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use super::roll::{Claimed, Roll, RollError};
use super::tries::Tries;
use super::{Claim, ClaimState, Offer};
use crate::listen::{Caller, Place};
use crate::receive::{Unread, read_within};
use crate::serve::Shared;
use crate::trust::Standing;

/// Where agents come in.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    roll: Roll,
    tries: Arc<Mutex<Tries>>,
}

impl Desk {
    pub(crate) fn new(roll: Roll) -> Self {
        Self {
            roll,
            tries: Arc::default(),
        }
    }

    fn tries(&self) -> std::sync::MutexGuard<'_, Tries> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why nobody was let in.
#[derive(Debug)]
enum Refusal {
    Malformed(enrol::Refused),
    UnknownToken,
    Expired,
    Used,
    /// The key, or the one that hands over to it, is not believed.
    Untrusted(String),
    Limited,
    Failed(RollError),
}

/// Every word for what becomes of a request, as counted.
pub(crate) const RESULTS: [&str; 10] = [
    "approved",
    "pending",
    "repeated",
    "malformed",
    "unknown_token",
    "expired",
    "used",
    "untrusted",
    "limited",
    "failed",
];

impl Refusal {
    fn told(&self) -> (&'static str, StatusCode, String) {
        match self {
            Self::Malformed(why) => ("malformed", StatusCode::BAD_REQUEST, why.to_string()),
            Self::UnknownToken => (
                "unknown_token",
                StatusCode::FORBIDDEN,
                "the token is not known; ask for one: `clause9-collector enrol`".to_owned(),
            ),
            Self::Expired => (
                "expired",
                StatusCode::FORBIDDEN,
                "the token has expired; ask for a new one: `clause9-collector enrol`".to_owned(),
            ),
            Self::Used => (
                "used",
                StatusCode::CONFLICT,
                "it was used before by another key; if that was not you, have that agent revoked"
                    .to_owned(),
            ),
            Self::Untrusted(why) => ("untrusted", StatusCode::FORBIDDEN, why.clone()),
            Self::Limited => (
                "limited",
                StatusCode::TOO_MANY_REQUESTS,
                "too many tries in vain; wait a minute".to_owned(),
            ),
            Self::Failed(_) => (
                "failed",
                StatusCode::SERVICE_UNAVAILABLE,
                "the enrolment cannot be kept; see the collector's log".to_owned(),
            ),
        }
    }
}

/// Takes a request.
pub(crate) async fn enrol(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Extension(place): Extension<Place>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let peer = peer.ip();
    if !shared.desk.tries().begin(peer, shared.clock.now()) {
        return refuse(&shared, peer, &Refusal::Limited);
    }
    let upload = match read_within(&shared, &place, &headers, request, MAX_REQUEST).await {
        Ok(upload) => upload,
        Err(Unread::TooLarge) => {
            return refuse(
                &shared,
                peer,
                &Refusal::Malformed(enrol::Refused::Malformed),
            );
        }
        Err(Unread::Slow) => return crate::receive::too_slow_for(&shared),
        Err(Unread::NoRoom) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(Unread::Gone) => return StatusCode::BAD_REQUEST.into_response(),
    };
    let desk = shared.clone();
    let taken = tokio::task::spawn_blocking(move || {
        let opened = enrol::open(upload.bytes()).map_err(Refusal::Malformed)?;
        let taken = desk.take(&opened, &caller)?;
        desk.reloading.enrolments();
        Ok::<_, Refusal>(taken)
    });
    match taken.await {
        Ok(Ok((claim, repeated))) => {
            shared.desk.tries().came_off(peer);
            answer(&shared, peer, &claim, repeated)
        }
        Ok(Err(refusal)) => refuse(&shared, peer, &refusal),
        Err(error) => {
            tracing::error!(%error, "an enrolment was broken off");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

impl Shared {
    /// What an agent claims by what it shows, and whether it had claimed it before.
    fn take(&self, opened: &Opened, caller: &Caller) -> Result<(Claim, bool), Refusal> {
        let known = self.known.trusted();
        if let Some(Standing::Revoked(at)) = known.get(opened.agent).map(|e| e.standing) {
            let why = format!("this agent was revoked as of {at}; give it a new key");
            return Err(Refusal::Untrusted(why));
        }
        let now = self.clock.now();
        let shown = caller.spiffe.as_deref();
        let (digest, claim) = match &opened.shows {
            Shown::Token(token) => {
                let offers = self.desk.roll.offers().map_err(Refusal::Failed)?;
                let offer = find(&offers, token).ok_or(Refusal::UnknownToken)?;
                // Said again after an answer was lost, it is no other request, even if the token has expired since.
                let taken = self
                    .desk
                    .roll
                    .taken(offer.digest)
                    .map_err(Refusal::Failed)?;
                if taken.is_none() && offer.expires_at <= now {
                    return Err(Refusal::Expired);
                }
                if offer.spiffe.is_some() && offer.spiffe.as_ref() != shown {
                    let why = "the token is good over a connection with another SPIFFE id only";
                    return Err(Refusal::Untrusted(why.to_owned()));
                }
                (offer.digest, offer.claimed_by(opened.agent, now))
            }
            Shown::TakesOver(old) => {
                let old = known.believes(*old, shown).map_err(Refusal::Untrusted)?;
                let claim = Claim {
                    agent: opened.agent,
                    systems: old.systems.iter().cloned().collect(),
                    state: ClaimState::Approved,
                    made_at: now,
                    since: now,
                    previous: Some(old.id),
                    spiffe: old.spiffe.clone(),
                };
                (old.id.digest(), claim)
            }
        };
        match self
            .desk
            .roll
            .claim(digest, &claim)
            .map_err(Refusal::Failed)?
        {
            Claimed::New => Ok((claim, false)),
            Claimed::Before(before) if before.agent == claim.agent => Ok((before, true)),
            Claimed::Before(_) => Err(Refusal::Used),
        }
    }
}

impl Offer {
    fn claimed_by(&self, agent: AgentId, now: clause9_shared::time::Timestamp) -> Claim {
        Claim {
            agent,
            systems: vec![self.system.clone()],
            state: if self.approved {
                ClaimState::Approved
            } else {
                ClaimState::Pending
            },
            made_at: now,
            since: now,
            previous: None,
            spiffe: self.spiffe.clone(),
        }
    }
}

/// The offer of that token. Takes the same time whichever it is, and if it is none.
fn find<'a>(offers: &'a [Offer], token: &str) -> Option<&'a Offer> {
    let digest = Digest::of(token.as_bytes());
    let mut found = u64::MAX;
    for (place, offer) in offers.iter().enumerate() {
        let same: Choice = offer.digest.as_bytes().ct_eq(digest.as_bytes());
        found.conditional_assign(&(place as u64), same);
    }
    offers.get(usize::try_from(found).ok()?)
}

fn answer(shared: &Shared, peer: IpAddr, claim: &Claim, repeated: bool) -> Response {
    let state = match claim.state {
        ClaimState::Approved => enrol::State::Approved,
        ClaimState::Pending => enrol::State::Pending,
        ClaimState::Revoked => {
            let why = "this agent was revoked; give it a new key".to_owned();
            return refuse(shared, peer, &Refusal::Untrusted(why));
        }
    };
    let result = if repeated {
        "repeated"
    } else {
        claim.state.as_str()
    };
    shared.telemetry.count_enrolment(result);
    tracing::info!(agent = %claim.agent, result, "an agent was enrolled");
    Json(Answer {
        agent: claim.agent,
        state,
    })
    .into_response()
}

fn refuse(shared: &Shared, peer: IpAddr, refusal: &Refusal) -> Response {
    let (result, status, why) = refusal.told();
    shared.telemetry.count_enrolment(result);
    if let Refusal::Failed(error) = refusal {
        tracing::error!(%error, "an enrolment could not be kept");
    } else {
        tracing::warn!(%peer, result, "an enrolment was refused");
    }
    let mut response = (status, Json(json!({ "error": why }))).into_response();
    if status == StatusCode::TOO_MANY_REQUESTS {
        let minute = header::HeaderValue::from_static("60");
        response.headers_mut().insert(header::RETRY_AFTER, minute);
    }
    response
}
