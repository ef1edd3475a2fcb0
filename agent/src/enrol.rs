//! Letting the agent in at the collector: by a token that somebody made there, or with a new key by the word of the old one.

use std::fs;
use std::path::{Path, PathBuf};

use clause9_shared::ids::AgentId;
use clause9_shared::wire::enrol::{self, Answer, HandOver, MEDIA_TYPE, Request, State};
use ed25519_dalek::SigningKey;
use reqwest::{StatusCode, Url, header};

use crate::config::{AgentConfig, PlanProblem};
use crate::identity::{self, IdentityError};
use crate::ship::client::{Client, ClientProblem};
use crate::ship::{ShipError, bounded};

/// Longest token file in bytes.
const MAX_TOKEN: u64 = 1024;

/// Why an agent was not let in.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// There is nobody to ask.
    #[error("no collector is known; write `collector` in the configuration, or --collector")]
    NoCollector,
    /// The configuration does not fit.
    #[error(transparent)]
    Plan(#[from] PlanProblem),
    /// The client cannot be set up.
    #[error(transparent)]
    Client(#[from] ClientProblem),
    /// The address cannot be extended.
    #[error(transparent)]
    Address(#[from] ShipError),
    /// The agent's key cannot be had.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// There is no key that could hand over.
    #[error("there is no key in {} yet; `run` or `enrol` creates one", .0.display())]
    NoKey(PathBuf),
    /// A file cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It would be said in the open.
    #[error("the token would go to {0} in the open; use an https address")]
    Open(Url),
    /// Nobody answered.
    #[error("the collector gave no answer; ask again, nothing was lost")]
    NoAnswer(#[source] reqwest::Error),
    /// The collector does not let it in.
    #[error("the collector refuses ({status}): {why}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// Its words.
        why: String,
    },
    /// Something else answers there.
    #[error("what answers at the collector's address is no collector ({0})")]
    Stranger(StatusCode),
}

/// Shows a token for the agent's key, creating the key if there is none. Asking again changes nothing.
pub fn enrol(
    config: &AgentConfig,
    collector: Option<&str>,
    token: &Path,
) -> Result<Answer, EnrolError> {
    let url = address(config, collector)?;
    let local = url.host_str().is_some_and(|host| {
        let host = host.trim_matches(['[', ']']);
        let ip = host.parse::<std::net::IpAddr>();
        host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
    });
    if url.scheme() == "http" && !local {
        return Err(EnrolError::Open(url));
    }
    let secret = secret(token)?;
    let (key, _) = identity::signing_key(&config.state_dir)?;
    ask(config, &url, &Request::Token(secret), &key)
}

/// Makes a new key, has the collector take it in place of the old one, and only then puts it there. Broken off, it goes on when
/// done again. An agent that runs goes on with the old key until it is started again.
pub fn rotate(config: &AgentConfig, collector: Option<&str>) -> Result<AgentId, EnrolError> {
    let url = address(config, collector)?;
    let place = config.state_dir.join("identity.key");
    let next = config.state_dir.join("identity.next.key");
    if !place.exists() {
        return Err(EnrolError::NoKey(config.state_dir.clone()));
    }
    let old = SigningKey::from_bytes(&identity::load("identity", &place)?);
    let new = identity::load_or_create("next identity", &next)?;
    let new = SigningKey::from_bytes(&new.bytes);
    let request = Request::HandOver(HandOver::new(&old, &new.verifying_key()));
    let answer = ask(config, &url, &request, &new)?;
    let file = |source| EnrolError::File {
        path: next.clone(),
        source,
    };
    fs::rename(&next, &place).map_err(file)?;
    Ok(answer.agent)
}

fn address(config: &AgentConfig, collector: Option<&str>) -> Result<Url, EnrolError> {
    let text = collector.or(config.collector.as_deref());
    Ok(crate::config::collector(
        text.ok_or(EnrolError::NoCollector)?,
    )?)
}

fn secret(path: &Path) -> Result<String, EnrolError> {
    let file = |source| EnrolError::File {
        path: path.to_owned(),
        source,
    };
    if fs::metadata(path).map_err(file)?.len() > MAX_TOKEN {
        let long = format!("it is longer than {MAX_TOKEN} bytes; is it the right file?");
        return Err(file(std::io::Error::other(long)));
    }
    let text = fs::read_to_string(path).map_err(file)?;
    Ok(text.trim().to_owned())
}

fn ask(
    config: &AgentConfig,
    collector: &Url,
    request: &Request,
    key: &SigningKey,
) -> Result<Answer, EnrolError> {
    let url = collector
        .join("v1/agents")
        .map_err(|_| ShipError::Address(collector.clone()))?;
    let client = Client::new(collector, config.collector_tls.clone())?.current();
    let body = enrol::seal(request, key).map_err(|e| EnrolError::File {
        path: config.state_dir.clone(),
        source: e.into(),
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|source| EnrolError::File {
        path: config.state_dir.clone(),
        source,
    })?;
    runtime.block_on(async {
        let request = client.post(url).header(header::CONTENT_TYPE, MEDIA_TYPE);
        let response = request.body(body).send().await;
        let response = response.map_err(EnrolError::NoAnswer)?;
        let status = response.status();
        let answer = bounded(response).await.unwrap_or_default();
        told(status, &answer)
    })
}

/// What an answer says.
fn told(status: StatusCode, answer: &[u8]) -> Result<Answer, EnrolError> {
    if status == StatusCode::OK {
        return serde_json::from_slice(answer).map_err(|_| EnrolError::Stranger(status));
    }
    let said: Option<serde_json::Value> = serde_json::from_slice(answer).ok();
    let why = said.as_ref().and_then(|s| s["error"].as_str());
    let why = why.ok_or(EnrolError::Stranger(status))?;
    Err(EnrolError::Refused {
        status,
        why: why.chars().take(300).collect(),
    })
}

/// What an agent's standing means for whoever started this.
pub const fn explained(state: State) -> &'static str {
    match state {
        State::Approved => "it may write",
        State::Pending => "it waits for `clause9-collector agents approve`",
    }
}
