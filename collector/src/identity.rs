//! The collector's own key, with which it signs answers that others carry. In the register's folder, created on first need. Shell.

use std::path::Path;

use clause9_shared::digest::Digest;
use clause9_shared::wire::answer;
use ed25519_dalek::SigningKey;

use crate::config::CollectorConfig;
use crate::keyfile;

/// Name of the file in the register's folder.
const FILE: &str = "identity.key";

/// The id that agents are told to believe.
pub fn identity(config: &CollectorConfig) -> anyhow::Result<Digest> {
    let plan = config.resolve()?;
    Ok(answer::signer(&signing_key(&plan.store)?))
}

/// The key of the register in a folder.
pub(crate) fn signing_key(store: &Path) -> anyhow::Result<SigningKey> {
    keyfile::read_or_create(&store.join(FILE))
}
