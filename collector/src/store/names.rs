//! What is kept under a name is looked at when it is read: SQLite does not notice a bit that fell over
//! within a value.

use clause9_shared::digest::Digest;

use super::StoreError;
use crate::trust::AGENTS_DOMAIN;
use clause9_shared::sealing::LEDGER_DOMAIN;

/// The domain in which contents of a kind are named; none of a kind that this version does not write.
fn domain(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "record" => "clause9/record/v1",
        "batch" => "clause9/batch-envelope/v1",
        "summary" => "clause9/pane-summary/v1",
        "ledger" => LEDGER_DOMAIN,
        "objectives" => "clause9/objectives/v1",
        "baseline" => "clause9/baseline/v1",
        "agents" => AGENTS_DOMAIN,
        "compiled" => "clause9/compiled-objective/v1",
        _ => return None,
    })
}

/// The bytes, if they are what their name says.
pub(super) fn unaltered(name: Digest, kind: &str, bytes: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    match domain(kind) {
        Some(domain) if Digest::tagged(domain, &bytes) == name => Ok(bytes),
        Some(_) | None => Err(StoreError::Altered(name)),
    }
}
