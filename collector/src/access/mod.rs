//! Who may ask for what over HTTP: tokens with scopes, and the rule by which a request is let in. Core; the door that
//! asks is in [`guard`].

mod agent;
pub(crate) mod guard;

use std::collections::BTreeSet;

use clause9_shared::digest::Digest;
use clause9_shared::ids::{Name, SystemId};
use clause9_shared::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

/// What a token may be shown for.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Reading verdicts, measurements, pages and telemetry.
    Read,
    /// Posting outcomes.
    Outcomes,
    /// What people change.
    Write,
    /// Reading everything, evidence included; changes nothing.
    Audit,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Read, Self::Outcomes, Self::Write, Self::Audit];

    /// The word used in files and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Outcomes => "outcomes",
            Self::Write => "write",
            Self::Audit => "audit",
        }
    }
}

/// What a route asks of whoever comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: whether the program lives is no secret.
    Nothing,
    /// A signature in the body, checked there: agents.
    Signature,
    /// A token with this scope, where tokens are configured. What a person enters is taken, too.
    Scope(Scope),
    /// The same, or the signature of an agent that may write for the system in the path, in the header.
    AgentOr(Scope),
}

/// Which systems a route tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// All of them, or what belongs to none.
    Everything,
    /// The one in its path.
    Path,
    /// The one in its query, `system=ID`; all of them without it.
    Query,
}

/// A route with what it asks for. Nothing is served that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method: `GET` or `POST`.
    pub method: &'static str,
    /// The path, with `{id}` and `{digest}` in it.
    pub path: &'static str,
    /// What it asks for.
    pub needs: Needs,
    /// Which systems it tells of.
    pub about: About,
}

impl Route {
    pub(crate) const fn get(path: &'static str, needs: Needs, about: About) -> Self {
        Self {
            method: "GET",
            path,
            needs,
            about,
        }
    }

    pub(crate) const fn post(path: &'static str, needs: Needs, about: About) -> Self {
        Self {
            method: "POST",
            path,
            needs,
            about,
        }
    }
}

/// A token, without its secret.
#[derive(Clone, Debug)]
pub struct Token {
    /// What it is called.
    pub name: Name,
    /// The SHA-256 of its secret.
    pub digest: Digest,
    /// What it may be shown for.
    pub scopes: BTreeSet<Scope>,
    /// What it is good for; none: every system.
    pub systems: Option<BTreeSet<SystemId>>,
    /// From when on it is good no more.
    pub expires: Option<Timestamp>,
}

/// Every token.
#[derive(Clone, Debug, Default)]
pub struct Tokens(Vec<Token>);

/// Why a request is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It shows nothing.
    #[error("show a token: `authorization: Bearer TOKEN`")]
    NoToken,
    /// It shows something that is no token, or one that was taken out.
    #[error("the token is not known; show one that is listed in the collector's tokens file")]
    Unknown,
    /// It is good no more.
    #[error("the token expired at {0}; ask for a new one")]
    Expired(Timestamp),
    /// It is for something else.
    #[error("the token has not the scope `{}`", .0.as_str())]
    Scope(Scope),
    /// It is for other systems.
    #[error(
        "the token is not for this system, or for single systems only: name one that it is for"
    )]
    System,
    /// It shows an agent's signature, and the agent may not ask for this.
    #[error("{0}")]
    Agent(String),
}

impl Denied {
    /// Every reason, as counted.
    pub(crate) const REASONS: [&'static str; 6] =
        ["no_token", "unknown", "expired", "scope", "system", "agent"];

    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::Unknown => "unknown",
            Self::Expired(_) => "expired",
            Self::Scope(_) => "scope",
            Self::System => "system",
            Self::Agent(_) => "agent",
        }
    }
}

impl Tokens {
    /// Of these tokens; each digest once.
    pub const fn new(tokens: Vec<Token>) -> Self {
        Self(tokens)
    }

    /// The token of that secret. Takes the same time whichever it is, and if it is none.
    fn find(&self, secret: &[u8]) -> Option<&Token> {
        let digest = Digest::of(secret);
        let mut found = u64::MAX;
        for (place, token) in self.0.iter().enumerate() {
            let same: Choice = token.digest.as_bytes().ct_eq(digest.as_bytes());
            found.conditional_assign(&(place as u64), same);
        }
        self.0.get(usize::try_from(found).ok()?)
    }

    /// The token that lets a request in, or why there is none. `system`: the one it is about; none: all of them.
    pub fn allow(
        &self,
        shown: Option<&[u8]>,
        scope: Scope,
        system: Option<&str>,
        now: Timestamp,
    ) -> Result<&Token, Denied> {
        let token = self
            .find(shown.ok_or(Denied::NoToken)?)
            .ok_or(Denied::Unknown)?;
        if let Some(expired) = token.expires.filter(|e| *e <= now) {
            return Err(Denied::Expired(expired));
        }
        let granted = token.scopes.contains(&scope)
            || (scope == Scope::Read && token.scopes.contains(&Scope::Audit));
        if !granted {
            return Err(Denied::Scope(scope));
        }
        let within = match (&token.systems, system) {
            (None, _) => true,
            (Some(systems), Some(id)) => systems.iter().any(|s| s.as_str() == id),
            (Some(_), None) => false,
        };
        within.then_some(token).ok_or(Denied::System)
    }
}
