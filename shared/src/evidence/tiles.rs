//! A tree in tiles of 256 hashes (C2SP tlog-tiles): their places and paths, and the right edge of a tree that grows.

use super::merkle::{Hash, Subtrees};

/// Hashes in a full tile.
pub const WIDTH: usize = 256;
/// Levels of the tree within a tile.
pub const HEIGHT: u8 = 8;
/// Levels of tiles that a tree of fewer than 2^64 leaves has.
pub const LEVELS: u8 = 8;

/// Where a tile is: its level and its number within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// 0 for tiles of leaves.
    pub level: u8,
    /// From 0, from the left.
    pub number: u64,
}

/// A full tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Full {
    /// Where it is.
    pub place: Place,
    /// Its hashes, one after the other: 8,192 bytes.
    pub hashes: Vec<u8>,
    /// The hash over all of it, which stands in a tile of the level above.
    pub root: Hash,
}

/// Bytes that are no tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a tile: it holds 1 to 256 hashes of 32 bytes")]
pub struct NotATile;

/// Hashes of a tile's bytes.
pub fn hashes(bytes: &[u8]) -> Result<Vec<Hash>, NotATile> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || hashes.is_empty() || hashes.len() > WIDTH {
        return Err(NotATile);
    }
    Ok(hashes.iter().copied().map(Hash::from_bytes).collect())
}

/// The hash over `2^levels` hashes that are a complete subtree.
pub fn fold(hashes: &[Hash]) -> Hash {
    debug_assert!(hashes.len().is_power_of_two(), "not a complete subtree");
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row
            .chunks_exact(2)
            .map(|pair| Hash::node(pair[0], pair[1]))
            .collect();
    }
    row[0]
}

impl Place {
    /// How many hashes the tile has in a tree of `size` leaves: 0 if it has no such tile.
    pub fn width(self, size: u64) -> usize {
        let at_level = size
            .checked_shr(u32::from(HEIGHT) * u32::from(self.level))
            .unwrap_or(0);
        let before = self.number.saturating_mul(WIDTH as u64);
        within_tile(at_level.saturating_sub(before).min(WIDTH as u64))
    }

    /// The path below the log's prefix, of so many hashes, as `tile/0/x001/234.p/5`.
    pub fn path(self, width: usize) -> String {
        format!(
            "tile/{}/{}{}",
            self.level,
            digits(self.number),
            partial(width)
        )
    }
}

/// The path of a bundle of entries.
pub fn entries_path(number: u64, width: usize) -> String {
    format!("tile/entries/{}{}", digits(number), partial(width))
}

/// Entries one after the other, each behind its length: a bundle. None if one is longer than 65,535 bytes.
pub fn bundle<'e>(entries: impl Iterator<Item = &'e [u8]>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend(u16::try_from(entry.len()).ok()?.to_be_bytes());
        bytes.extend(entry);
    }
    Some(bytes)
}

/// A number of at most 256.
fn within_tile(number: u64) -> usize {
    usize::try_from(number).unwrap_or(WIDTH)
}

fn partial(width: usize) -> String {
    if width < WIDTH {
        format!(".p/{width}")
    } else {
        String::new()
    }
}

fn digits(number: u64) -> String {
    let mut text = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        text = format!("x{:03}/{text}", rest % 1000);
        rest /= 1000;
    }
    text
}

/// The place of what a path names, and how many hashes or entries it has; for entries the level is none.
pub fn parse_path(path: &str) -> Option<(Option<u8>, u64, usize)> {
    let rest = path.strip_prefix("tile/")?;
    let (level, rest) = rest.split_once('/')?;
    let level = match level {
        "entries" => None,
        level => {
            let number: u8 = level.parse().ok()?;
            (number.to_string() == level && number < 64).then_some(Some(number))?
        }
    };
    let (number, width) = match rest.split_once(".p/") {
        Some((number, width)) => {
            let n: usize = width.parse().ok()?;
            ((1..WIDTH).contains(&n) && n.to_string() == width).then_some((number, n))?
        }
        None => (rest, WIDTH),
    };
    let mut all = 0_u64;
    let last = number.rsplit('/').next()?;
    for part in number.split('/') {
        let three = if std::ptr::eq(part, last) {
            part
        } else {
            part.strip_prefix('x')?
        };
        let plain = three.len() == 3 && three.bytes().all(|b| b.is_ascii_digit());
        all = all
            .checked_mul(1000)?
            .checked_add(plain.then(|| three.parse().ok())??)?;
    }
    (digits(all) == number).then_some((level, all, width))
}

/// The right edge of a tree: the hashes of the tile of each level that is not full. It is all that is needed to append, and
/// at most 64 KiB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    /// By level, from that of leaves.
    partial: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of a tree of `size` leaves, by the hashes of its partial tiles. None if these have other widths than that tree's.
    pub fn new(size: u64, mut partial: Vec<Vec<Hash>>) -> Option<Self> {
        while partial.last().is_some_and(Vec::is_empty) {
            partial.pop();
        }
        let wide = |level: u8| {
            let at_level = size.checked_shr(u32::from(HEIGHT) * u32::from(level));
            within_tile(at_level.unwrap_or(0) % WIDTH as u64)
        };
        let fits = (0..LEVELS).all(|level| {
            let has = partial.get(usize::from(level)).map_or(0, Vec::len);
            has == wide(level)
        });
        fits.then_some(Self { size, partial })
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf; the tiles that became full by it.
    pub fn push(&mut self, leaf: Hash) -> Vec<Full> {
        let mut full = Vec::new();
        let mut hash = leaf;
        self.size += 1;
        for level in 0.. {
            let at = usize::from(level);
            if self.partial.len() == at {
                self.partial.push(Vec::new());
            }
            self.partial[at].push(hash);
            if self.partial[at].len() < WIDTH {
                break;
            }
            let hashes = std::mem::take(&mut self.partial[at]);
            hash = fold(&hashes);
            let tiles_before = self.size >> (u32::from(HEIGHT) * (u32::from(level) + 1));
            full.push(Full {
                place: Place {
                    level,
                    number: tiles_before - 1,
                },
                hashes: hashes.iter().flat_map(|hash| *hash.as_bytes()).collect(),
                root: hash,
            });
        }
        full
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let mut right: Option<Hash> = None;
        // Complete subtrees from the right: within a tile the smaller ones stand behind the larger ones.
        for tile in &self.partial {
            let mut end = tile.len();
            while end > 0 {
                let width = 1 << end.trailing_zeros();
                let subtree = fold(&tile[end - width..end]);
                right = Some(right.map_or(subtree, |right| Hash::node(subtree, right)));
                end -= width;
            }
        }
        right.unwrap_or_else(Hash::empty)
    }
}

/// Reads tiles of a tree.
pub trait Tiles {
    /// Why one could not be read.
    type Error;

    /// The first `width` hashes of a tile, in order.
    fn tile(&self, place: Place, width: usize) -> Result<Vec<Hash>, Self::Error>;
}

/// A tree that is read by its tiles.
#[derive(Clone, Copy, Debug)]
pub struct Tiled<'t, T> {
    tiles: &'t T,
    size: u64,
}

impl<'t, T: Tiles> Tiled<'t, T> {
    /// The tree of the first `size` leaves.
    pub const fn new(tiles: &'t T, size: u64) -> Self {
        Self { tiles, size }
    }
}

impl<T: Tiles> Subtrees for Tiled<'_, T> {
    type Error = T::Error;

    fn subtree(&self, level: u8, place: u64) -> Result<Hash, T::Error> {
        let (tile_level, within) = (level / HEIGHT, u32::from(level % HEIGHT));
        let first = place << within;
        let tile = Place {
            level: tile_level,
            number: first / WIDTH as u64,
        };
        let start = within_tile(first % WIDTH as u64);
        let end = start + (1 << within);
        // A tile has what the tree needs of it, or it is a reader's fault.
        let width = tile.width(self.size).max(end);
        let hashes = self.tiles.tile(tile, width)?;
        Ok(fold(&hashes[start..end]))
    }
}
