//! Compressed bodies. Runs in the monitor only: what goes through the proxy stays as it is. Each step
//! is looked at against the bounds before the next one, so that a small body cannot become a large
//! memory.

use std::io::Read;

use brotli_decompressor::Decompressor;
use bytes::Bytes;
use clause9_shared::window::UndecodableReason;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ruzstd::decoding::StreamingDecoder;

/// Longest body that is unpacked, and longest that it may become, in bytes.
pub(super) const MAX_UNPACKED: usize = 4 << 20;
/// Most bytes for each compressed one, beyond [`FREE`].
pub(super) const MAX_RATIO: usize = 100;
/// Unpacked bytes for which the ratio is not asked: little text, often repeated, packs well.
pub(super) const FREE: usize = 256 << 10;
/// Most encodings, one in another.
const MAX_LAYERS: usize = 2;
/// Bytes unpacked between two looks at the bounds.
const STEP: usize = 16 << 10;
/// Largest window of Zstandard that is kept (RFC 9659 asks for no more of a content encoding).
const ZSTD_WINDOW: u64 = 8 << 20;
/// What frames of Zstandard begin with.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// How Brotli's windows beyond 16 MiB begin, which RFC 7932 does not know; the 8th bit is another's.
const BROTLI_LARGE: u8 = 0x11;

/// One way to compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Gzip,
    Deflate,
    Zstd,
    Brotli,
}

/// The encodings that a `content-encoding` names, in the order in which they were applied.
fn named(encoding: &[u8]) -> Result<Vec<Encoding>, UndecodableReason> {
    let mut layers = Vec::new();
    for word in encoding.split(|b| *b == b',') {
        let is = |name: &str| word.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
        let layer = match () {
            () if is("identity") || is("") => continue,
            () if is("gzip") || is("x-gzip") => Encoding::Gzip,
            () if is("deflate") => Encoding::Deflate,
            () if is("zstd") => Encoding::Zstd,
            () if is("br") => Encoding::Brotli,
            () => return Err(UndecodableReason::Unsupported),
        };
        if layers.len() == MAX_LAYERS {
            return Err(UndecodableReason::Unsupported);
        }
        layers.push(layer);
    }
    Ok(layers)
}

/// Whether an encoding can be taken away.
pub(super) fn is_known(encoding: &[u8]) -> bool {
    named(encoding).is_ok()
}

/// A body without its `content-encoding`.
pub(crate) fn unpack(encoding: &[u8], packed: Bytes) -> Result<Bytes, UndecodableReason> {
    unpack_within(encoding, packed, MAX_UNPACKED)
}

/// The same where another bound on the unpacked body's length holds.
pub(crate) fn unpack_within(
    encoding: &[u8],
    packed: Bytes,
    most: usize,
) -> Result<Bytes, UndecodableReason> {
    let mut body = packed;
    for layer in named(encoding)?.into_iter().rev() {
        body = without(layer, &body, most)?;
    }
    Ok(body)
}

fn without(encoding: Encoding, packed: &[u8], most: usize) -> Result<Bytes, UndecodableReason> {
    if packed.len() > most {
        return Err(UndecodableReason::Oversized);
    }
    if packed.is_empty() {
        return Ok(Bytes::new());
    }
    let mut bounded = Bounded::new(packed.len(), most);
    match encoding {
        Encoding::Gzip => bounded.take(MultiGzDecoder::new(packed))?,
        // The name stands for the zlib format; some senders leave its two bytes out.
        Encoding::Deflate if is_zlib(packed) => bounded.take(ZlibDecoder::new(packed))?,
        Encoding::Deflate => bounded.take(DeflateDecoder::new(packed))?,
        Encoding::Zstd => zstd(packed, &mut bounded)?,
        Encoding::Brotli if packed[0] & 0x7f == BROTLI_LARGE => {
            return Err(UndecodableReason::Unsupported);
        }
        Encoding::Brotli => bounded.take(Decompressor::new(packed, STEP.min(packed.len())))?,
    }
    Ok(bounded.unpacked.into())
}

/// Whether bytes begin as the zlib format does (RFC 1950).
fn is_zlib(packed: &[u8]) -> bool {
    match packed {
        [first, second, ..] => {
            first & 0x0f == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31)
        }
        [_] | [] => false,
    }
}

/// All frames, one after the other.
fn zstd(mut packed: &[u8], bounded: &mut Bounded) -> Result<(), UndecodableReason> {
    while !packed.is_empty() {
        if !packed.starts_with(&ZSTD_MAGIC) {
            return Err(UndecodableReason::Malformed);
        }
        let frame = StreamingDecoder::new_with_max_window_size(&mut packed, ZSTD_WINDOW);
        bounded.take(frame.map_err(|_| UndecodableReason::Malformed)?)?;
    }
    Ok(())
}

/// What is unpacked so far, and how much it may become.
struct Bounded {
    unpacked: Vec<u8>,
    most: usize,
}

impl Bounded {
    fn new(packed: usize, longest: usize) -> Self {
        let most = packed.saturating_mul(MAX_RATIO).max(FREE);
        Self {
            unpacked: Vec::new(),
            most: most.min(longest),
        }
    }

    /// Appends what is read to its end; refuses what becomes too long.
    fn take(&mut self, mut from: impl Read) -> Result<(), UndecodableReason> {
        loop {
            let before = self.unpacked.len();
            let mut step = from.by_ref().take(STEP as u64);
            step.read_to_end(&mut self.unpacked)
                .map_err(|_| UndecodableReason::Malformed)?;
            if self.unpacked.len() > self.most {
                return Err(UndecodableReason::Oversized);
            }
            if self.unpacked.len() == before {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests;
