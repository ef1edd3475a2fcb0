//! Agents that read: by the same key, grant and connection by which their batches are believed. Shell.

use axum::extract::Request;
use axum::http::header;
use clause9_shared::wire::plan::{self, MAX_OFF};

use crate::listen::Caller;
use crate::serve::Shared;

/// Whether an agent may ask about a system, or why not; none if no agent's signature is shown.
pub(super) fn admit(
    shared: &Shared,
    request: &Request,
    system: Option<&str>,
) -> Option<Result<(), String>> {
    let value = request.headers().get(header::AUTHORIZATION)?;
    let opened = plan::open(value.as_bytes())?;
    let shown = request.extensions().get::<Caller>();
    let spiffe = shown.and_then(|caller| caller.spiffe.as_deref());
    Some(opened.map_err(|e| e.to_string()).and_then(|(agent, ask)| {
        shared.known.trusted().believes(agent, spiffe)?;
        if system != Some(ask.system.as_str()) || !shared.known.may_write(agent, &ask.system) {
            return Err(format!(
                "agent {agent} may not write for system `{}`, so it is not told how that is monitored; add the system to \
                 the agent's entry",
                system.unwrap_or_default().chars().take(64).collect::<String>()
            ));
        }
        let (now, signed) = (shared.clock.now(), ask.created_at);
        if now > signed + MAX_OFF || signed > now + MAX_OFF {
            return Err(format!(
                "the request was signed at {signed}, and it was received at {now}; set the agent's wall clock"
            ));
        }
        Ok(())
    }))
}
