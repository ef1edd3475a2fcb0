//! New secrets: 256 bits of the operating system, in hex, after a word that says what they are for. Shell.

use clause9_shared::digest::to_hex;

/// Begins tokens that people and programs show.
pub(crate) const ACCESS: &str = "c9t_";
/// Begins tokens for enrolment.
pub(crate) const ENROLMENT: &str = "c9e_";

/// A secret that nobody has.
pub(crate) fn new(begins: &str) -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|e| anyhow::anyhow!("no random numbers from the operating system: {e}"))?;
    Ok(format!("{begins}{}", to_hex(&bytes)))
}
