//! New tokens for people and programs. Shell.

use std::fmt::Write as _;

use clause9_shared::digest::Digest;
use clause9_shared::ids::{Name, SystemId};
use clause9_shared::time::Span;

use crate::access::Scope;
use crate::clock::WallClock;
use crate::secret;

/// What a token is made for.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What it is called.
    pub name: Name,
    /// What it may be shown for.
    pub scopes: Vec<Scope>,
    /// The systems that it is good for; none: all.
    pub systems: Vec<SystemId>,
    /// How long it is good; none: until it is taken out.
    pub valid: Option<Span>,
}

/// Makes a token: the secret, which is kept nowhere, and the line for the file that `tokens` names.
pub fn new(wanted: &NewToken) -> anyhow::Result<(String, String)> {
    anyhow::ensure!(
        wanted.valid.is_none_or(|v| v > Span::ZERO),
        "the token would never be good; give it some time, as 90d"
    );
    let secret = secret::new(secret::ACCESS)?;
    let words: Vec<_> = wanted.scopes.iter().map(|s| s.as_str()).collect();
    let mut line = format!(
        "  - {{ name: {}, digest: \"{}\", scopes: [{}]",
        wanted.name,
        Digest::of(secret.as_bytes()),
        words.join(", ")
    );
    if !wanted.systems.is_empty() {
        let systems: Vec<_> = wanted.systems.iter().map(SystemId::as_str).collect();
        let _ = write!(line, ", systems: [{}]", systems.join(", "));
    }
    if let Some(valid) = wanted.valid {
        let _ = write!(line, ", expires: \"{}\"", WallClock.now() + valid);
    }
    line.push_str(" }");
    Ok((secret, line))
}
