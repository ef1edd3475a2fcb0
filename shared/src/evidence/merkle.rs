//! The tree over the register: hashes, proofs and their checks (RFC 6962 section 2.1; checks as in RFC 9162 sections
//! 2.1.3.2 and 2.1.4.2). What is read of a tree are its complete subtrees; where they are kept is the reader's business.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// Most hashes in a proof: no tree of fewer than 2^63 leaves needs more.
pub const MAX_PROOF: usize = 64;

/// The SHA-256 hash of a leaf or of a node, written as base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

/// Why a text is not a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a hash: 32 bytes in base64 are 44 characters, of which the last is `=`")]
pub struct NotAHash;

/// Why a proof does not prove what it is given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProved {
    /// There is no such leaf, or no such earlier tree.
    #[error("the tree has no such place")]
    NoSuchPlace,
    /// Too few or too many hashes.
    #[error("the proof has another length than one for these sizes")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    OtherRoot,
}

/// Reads hashes of complete subtrees of a tree.
pub trait Subtrees {
    /// Why one could not be read.
    type Error;

    /// The hash of the complete subtree over the leaves from `place * 2^level`, `2^level` of them.
    fn subtree(&self, level: u8, place: u64) -> Result<Hash, Self::Error>;
}

impl Hash {
    /// Takes 32 bytes that already are a hash.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash of a leaf that holds `entry`.
    pub fn leaf(entry: &[u8]) -> Self {
        Self(
            Sha256::new()
                .chain_update([0])
                .chain_update(entry)
                .finalize()
                .into(),
        )
    }

    /// The hash of a node above two others.
    pub fn node(left: Self, right: Self) -> Self {
        let hasher = Sha256::new().chain_update([1]).chain_update(left.0);
        Self(hasher.chain_update(right.0).finalize().into())
    }

    /// The root of a tree without leaves.
    pub fn empty() -> Self {
        Self(Sha256::digest([]).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = NotAHash;

    /// Strict: there is one text for each hash.
    fn from_str(text: &str) -> Result<Self, NotAHash> {
        if text.len() != 44 {
            return Err(NotAHash);
        }
        let bytes = STANDARD.decode(text).map_err(|_| NotAHash)?;
        bytes.try_into().map(Self).map_err(|_| NotAHash)
    }
}

/// The largest power of two below `n`, for `n` of 2 and more.
const fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// The hash over the leaves from `start` to before `end`, where these are a node of some tree that begins at 0.
fn over<R: Subtrees>(tree: &R, start: u64, end: u64) -> Result<Hash, R::Error> {
    let n = end - start;
    if n.is_power_of_two() {
        let level = n.trailing_zeros();
        return tree.subtree(u8::try_from(level).unwrap_or(u8::MAX), start >> level);
    }
    let middle = start + split(n);
    Ok(Hash::node(
        over(tree, start, middle)?,
        over(tree, middle, end)?,
    ))
}

/// The root of the tree of the first `size` leaves.
pub fn root<R: Subtrees>(tree: &R, size: u64) -> Result<Hash, R::Error> {
    if size == 0 {
        return Ok(Hash::empty());
    }
    over(tree, 0, size)
}

/// The proof that the leaf at `index` is in the tree of the first `size` leaves: `PATH(index, D[size])`. None if it has no
/// such leaf.
pub fn inclusion<R: Subtrees>(
    tree: &R,
    index: u64,
    size: u64,
) -> Result<Option<Vec<Hash>>, R::Error> {
    if index >= size {
        return Ok(None);
    }
    let mut proof = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(over(tree, middle, end)?);
            end = middle;
        } else {
            proof.push(over(tree, start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(Some(proof))
}

/// The proof that the tree of the first `size` leaves begins with the tree of the first `old`: `PROOF(old, D[size])`. None if
/// `old` is larger. Empty if there is nothing to prove, since `old` is 0 or `size`.
pub fn consistency<R: Subtrees>(
    tree: &R,
    old: u64,
    size: u64,
) -> Result<Option<Vec<Hash>>, R::Error> {
    if old > size {
        return Ok(None);
    }
    let mut proof = Vec::new();
    if old == 0 {
        return Ok(Some(proof));
    }
    let (mut start, mut end) = (0, size);
    // Whether the node that is come to is one of the old tree that its root tells already.
    let mut known = true;
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            proof.push(over(tree, middle, end)?);
            end = middle;
        } else {
            proof.push(over(tree, start, middle)?);
            start = middle;
            known = false;
        }
    }
    if !known {
        proof.push(over(tree, start, end)?);
    }
    proof.reverse();
    Ok(Some(proof))
}

/// Checks that the leaf with the hash `leaf` is at `index` in the tree of `size` leaves with this root.
pub fn check_inclusion(
    leaf: Hash,
    index: u64,
    (size, root): (u64, Hash),
    proof: &[Hash],
) -> Result<(), NotProved> {
    if index >= size {
        return Err(NotProved::NoSuchPlace);
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = leaf;
    for &next in proof {
        if last == 0 {
            return Err(NotProved::Length);
        }
        if at & 1 == 1 || at == last {
            hash = Hash::node(next, hash);
            // Levels without a sibling to the right are none of this tree.
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = Hash::node(hash, next);
        }
        at >>= 1;
        last >>= 1;
    }
    match (last, hash == root) {
        (0, true) => Ok(()),
        (0, false) => Err(NotProved::OtherRoot),
        _ => Err(NotProved::Length),
    }
}

/// Checks that the tree of the first size begins with that of the other, by their roots.
pub fn check_consistency(
    (old, old_root): (u64, Hash),
    (size, root): (u64, Hash),
    proof: &[Hash],
) -> Result<(), NotProved> {
    if old > size {
        return Err(NotProved::NoSuchPlace);
    }
    if old == 0 || old == size {
        let is_empty = old != 0 || old_root == Hash::empty();
        let same = is_empty && (old != size || old_root == root);
        return match (proof.is_empty(), same) {
            (true, true) => Ok(()),
            (true, false) => Err(NotProved::OtherRoot),
            (false, _) => Err(NotProved::Length),
        };
    }
    let (mut at, mut last) = (old - 1, size - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (first, rest) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(NotProved::Length)?;
        (*first, rest)
    };
    let (mut before, mut after) = (first, first);
    for &next in rest {
        if last == 0 {
            return Err(NotProved::Length);
        }
        if at & 1 == 1 || at == last {
            before = Hash::node(next, before);
            after = Hash::node(next, after);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            after = Hash::node(after, next);
        }
        at >>= 1;
        last >>= 1;
    }
    match (last, before == old_root && after == root) {
        (0, true) => Ok(()),
        (0, false) => Err(NotProved::OtherRoot),
        _ => Err(NotProved::Length),
    }
}
