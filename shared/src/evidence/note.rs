//! Signed notes (C2SP signed-note), with Ed25519 signatures and timestamped cosignatures of checkpoints (C2SP
//! tlog-cosignature, the Ed25519 kind). A note says nothing until a signature by a key that one trusts was verified.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{SIGNATURE_LENGTH, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::digest::{parse_hex_bytes, to_hex};

/// Most bytes of a note.
pub const MAX_NOTE: usize = 1 << 16;
/// Most signatures of a note.
pub const MAX_SIGNATURES: usize = 128;
/// Most bytes of a key's name.
pub const MAX_NAME: usize = 255;

/// The name of a key: of a log its origin, of a witness who it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// What signatures by a key are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// Ed25519 over the text.
    Ed25519,
    /// Ed25519 over a time and the text of a checkpoint.
    Cosignature,
}

/// A key by which signatures are verified, written as a vkey: `NAME+ID+KEY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    algorithm: Algorithm,
    key: VerifyingKey,
}

/// A signature line: whose it says that it is, and the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLine {
    /// The key's name.
    pub name: KeyName,
    /// The key's short id.
    pub id: [u8; 4],
    /// What follows the id.
    pub bytes: Vec<u8>,
}

/// A text with signatures, of which none was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

/// A signature that was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signed {
    /// Of a cosignature: when it was made, in seconds since 1970.
    pub time: Option<u64>,
}

/// Why bytes are not a note, a key or a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNote {
    /// Larger than any that is read.
    #[error("a note has at most {MAX_NOTE} bytes and {MAX_SIGNATURES} signatures")]
    TooLarge,
    /// Not text, or with control characters.
    #[error("a note is UTF-8 without control characters")]
    NotText,
    /// No text, no empty line, or no signature.
    #[error("a note is a text, an empty line and signature lines")]
    NoSignatures,
    /// A line among the signatures is none.
    #[error("signature line {0} is not a dash, a name and base64")]
    Line(usize),
    /// Not a key's name.
    #[error("a key's name is 1 to {MAX_NAME} bytes without spaces, `+` and control characters")]
    Name,
    /// Not a vkey.
    #[error("not a verifier key: write NAME+ID+KEY as the log or witness prints it")]
    Key,
    /// A vkey of a kind that is not known here.
    #[error("a verifier key of the kind {0:#04x}; known are 0x01 (Ed25519) and 0x04 (cosignature)")]
    Kind(u8),
}

/// A signature by a known key does not verify: the note was changed, or another signed with that name and id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature of `{0}` does not verify")]
pub struct Forged(pub KeyName);

impl KeyName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = BadNote;

    fn from_str(text: &str) -> Result<Self, BadNote> {
        let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if text.is_empty() || text.len() > MAX_NAME || text.contains(bad) {
            return Err(BadNote::Name);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Algorithm {
    const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Cosignature => 4,
        }
    }

    const fn of_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Ed25519),
            4 => Some(Self::Cosignature),
            _ => None,
        }
    }
}

fn key_id(name: &KeyName, algorithm: Algorithm, key: &VerifyingKey) -> [u8; 4] {
    let hasher = Sha256::new()
        .chain_update(name.as_str())
        .chain_update(b"\n");
    let hash = hasher
        .chain_update([algorithm.byte()])
        .chain_update(key.as_bytes())
        .finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

/// What a signature over a text is made of. A cosignature needs its time.
fn message(text: &str, time: Option<u64>) -> Vec<u8> {
    match time {
        None => text.as_bytes().to_vec(),
        Some(time) => format!("cosignature/v1\ntime {time}\n{text}").into_bytes(),
    }
}

impl VerifierKey {
    /// The key of that name, for such signatures.
    pub const fn new(name: KeyName, algorithm: Algorithm, key: VerifyingKey) -> Self {
        Self {
            name,
            algorithm,
            key,
        }
    }

    /// Its name.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// What it signs.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key itself.
    pub const fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The short id in signature lines. Not an identity: two keys may have the same.
    pub fn id(&self) -> [u8; 4] {
        key_id(&self.name, self.algorithm, &self.key)
    }

    /// Verifies this key's signature of a note. None if the note has none by it; of several the first counts, and all must verify.
    pub fn verify(&self, note: &Note) -> Result<Option<Signed>, Forged> {
        let id = self.id();
        let mut first = None;
        for line in &note.signatures {
            if line.name != self.name || line.id != id {
                continue;
            }
            let signed = self
                .verify_line(&note.text, line)
                .ok_or_else(|| Forged(self.name.clone()))?;
            first.get_or_insert(signed);
        }
        Ok(first)
    }

    fn verify_line(&self, text: &str, line: &SignatureLine) -> Option<Signed> {
        let (time, signature) = match self.algorithm {
            Algorithm::Ed25519 => (None, line.bytes.as_slice()),
            Algorithm::Cosignature => {
                let (time, signature) = line.bytes.split_first_chunk::<8>()?;
                let time = u64::from_be_bytes(*time);
                (
                    i64::try_from(time).is_ok().then_some(Some(time))?,
                    signature,
                )
            }
        };
        let signature: &[u8; SIGNATURE_LENGTH] = signature.try_into().ok()?;
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.key
            .verify_strict(&message(text, time), &signature)
            .ok()?;
        Some(Signed { time })
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.algorithm.byte()];
        bytes.extend(self.key.as_bytes());
        write!(
            f,
            "{}+{}+{}",
            self.name,
            to_hex(&self.id()),
            STANDARD.encode(bytes)
        )
    }
}

impl FromStr for VerifierKey {
    type Err = BadNote;

    fn from_str(text: &str) -> Result<Self, BadNote> {
        // Base64 has a `+` of its own.
        let mut parts = text.splitn(3, '+');
        let mut next = || parts.next().ok_or(BadNote::Key);
        let (name, id, key) = (next()?, next()?, next()?);
        let name = name.parse().map_err(|_| BadNote::Key)?;
        let bytes = STANDARD.decode(key).map_err(|_| BadNote::Key)?;
        let (kind, key) = bytes.split_first().ok_or(BadNote::Key)?;
        let algorithm = Algorithm::of_byte(*kind).ok_or(BadNote::Kind(*kind))?;
        let key: &[u8; 32] = key.try_into().map_err(|_| BadNote::Key)?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| BadNote::Key)?;
        let this = Self {
            name,
            algorithm,
            key,
        };
        let said = parse_hex_bytes(id).ok_or(BadNote::Key)?;
        if said != this.id() {
            return Err(BadNote::Key);
        }
        Ok(this)
    }
}

impl SignatureLine {
    /// Signs a text.
    pub fn sign(text: &str, name: &KeyName, key: &SigningKey) -> Self {
        Self::made(
            name,
            Algorithm::Ed25519,
            &key.verifying_key(),
            None,
            |message| key.sign(message).to_bytes(),
            text,
        )
    }

    /// Cosigns the text of a checkpoint at a time, in seconds since 1970.
    pub fn cosign(text: &str, name: &KeyName, key: &SigningKey, time: u64) -> Self {
        Self::made(
            name,
            Algorithm::Cosignature,
            &key.verifying_key(),
            Some(time),
            |message| key.sign(message).to_bytes(),
            text,
        )
    }

    /// The line of a signature over a text that somebody else made, who holds the key.
    pub fn signed_elsewhere(
        name: &KeyName,
        key: &VerifyingKey,
        signature: [u8; SIGNATURE_LENGTH],
    ) -> Self {
        Self::made(name, Algorithm::Ed25519, key, None, |_| signature, "")
    }

    fn made(
        name: &KeyName,
        algorithm: Algorithm,
        key: &VerifyingKey,
        time: Option<u64>,
        sign: impl FnOnce(&[u8]) -> [u8; SIGNATURE_LENGTH],
        text: &str,
    ) -> Self {
        let mut bytes = time.map_or_else(Vec::new, |time| time.to_be_bytes().to_vec());
        bytes.extend(sign(&message(text, time)));
        Self {
            name: name.clone(),
            id: key_id(name, algorithm, key),
            bytes,
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, base64) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let bytes = STANDARD.decode(base64).ok()?;
        let (id, rest) = bytes.split_first_chunk::<4>()?;
        if rest.is_empty() {
            return None;
        }
        Some(Self {
            name: name.parse().ok()?,
            id: *id,
            bytes: rest.to_vec(),
        })
    }
}

impl fmt::Display for SignatureLine {
    /// Without the newline at its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.to_vec();
        bytes.extend(&self.bytes);
        write!(f, "\u{2014} {} {}", self.name, STANDARD.encode(bytes))
    }
}

impl Note {
    /// A note of a text that ends in a newline.
    pub fn new(text: String, signatures: Vec<SignatureLine>) -> Result<Self, BadNote> {
        let control = |c: char| (c as u32) < 0x20 && c != '\n';
        if !text.ends_with('\n') || text.contains(control) {
            return Err(BadNote::NotText);
        }
        if text.len() > MAX_NOTE || signatures.len() > MAX_SIGNATURES {
            return Err(BadNote::TooLarge);
        }
        Ok(Self { text, signatures })
    }

    /// Reads a note.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadNote> {
        if bytes.len() > MAX_NOTE {
            return Err(BadNote::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| BadNote::NotText)?;
        let (text, lines) = text.rsplit_once("\n\n").ok_or(BadNote::NoSignatures)?;
        let lines = lines.strip_suffix('\n').ok_or(BadNote::NoSignatures)?;
        let signatures = signature_lines(lines)?;
        Self::new(format!("{text}\n"), signatures)
    }

    /// What is signed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, of which none was verified.
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// Adds a signature, unless the same is there.
    pub fn add(&mut self, signature: SignatureLine) {
        if !self.signatures.contains(&signature) && self.signatures.len() < MAX_SIGNATURES {
            self.signatures.push(signature);
        }
    }
}

/// Reads signature lines, without the last newline.
pub fn signature_lines(lines: &str) -> Result<Vec<SignatureLine>, BadNote> {
    let lines: Vec<_> = lines.split('\n').collect();
    if lines.len() > MAX_SIGNATURES {
        return Err(BadNote::TooLarge);
    }
    let read = |(at, line): (usize, &&str)| SignatureLine::parse(line).ok_or(BadNote::Line(at + 1));
    lines.iter().enumerate().map(read).collect()
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|line| writeln!(f, "{line}"))
    }
}
